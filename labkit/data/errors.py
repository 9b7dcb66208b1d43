"""The data room's errors."""

from __future__ import annotations

from labkit.errors import LabkitError


class DataError(LabkitError):
    """A data set cannot be used; the text names the file, what was found, what was expected and what to type."""


class DamagedPicture(DataError):
    """One picture cannot be decoded.

    Attributes
    ----------
    name, reason : str
        The file, and why.
    """

    def __init__(self, name: str, reason: str):
        super().__init__(f"{name}: {reason}")
        self.name, self.reason = name, reason
