"""One notebook in one kernel, on this machine or on another, and the keys of what it gave."""
