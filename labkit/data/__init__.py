"""The course's data sets: `load("mnist")` and the others, their files, and the offline stand-ins."""

from labkit.data.dataset import Dataset
from labkit.data.download import fetch
from labkit.data.errors import DamagedPicture, DataError
from labkit.data.hashes import FileCheck
from labkit.data.loading import Item, inventory, load, load_folder, photograph, verify
from labkit.data.pictures import read_picture

__all__ = [
    "DamagedPicture",
    "DataError",
    "Dataset",
    "FileCheck",
    "Item",
    "fetch",
    "inventory",
    "load",
    "load_folder",
    "photograph",
    "read_picture",
    "verify",
]
