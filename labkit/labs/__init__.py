"""A lab: its text, its source notebook, its reference run, answers to it."""
