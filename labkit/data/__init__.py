"""The course's data sets: `load("mnist")` and the others, their files, and the offline stand-ins."""

from labkit.data.dataset import Dataset
from labkit.data.errors import DamagedPicture, DataError
from labkit.data.loading import load

__all__ = ["DamagedPicture", "DataError", "Dataset", "load"]
