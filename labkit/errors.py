"""The error that a command answers with one clear line."""


class LabkitError(Exception):
    """Wrong input or a missing piece: what was found, what was expected, what to type."""
