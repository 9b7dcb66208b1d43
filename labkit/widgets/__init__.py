"""The interactive explorers of the labs, one module a topic."""
