"""How a data set's files may lie in a folder: which files they are, and how they are read.

One class a layout. A data set's `format` in registry.toml names those that it may have, see FORMATS.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labkit.data import cache, collection, hashes, pictures, readers, registry
from labkit.data.dataset import Dataset
from labkit.data.errors import DataError
from labkit.data.registry import Entry, File

COMPETITION_FILES = ("sampleSubmission.csv", "character_name.lst")
TRAINING_SHARE = 0.8
# Of CIFAR-10's pictures where they come as picture files.
CIFAR_SIDE = 32

Fields = dict[str, Any]  # Dataset's, by name


@dataclass(frozen=True)
class Source(ABC):
    """One folder that holds a data set in one layout; `files` are its files by official name."""

    entry: Entry
    origin: str
    folder: Path
    files: dict[str, Path]

    @classmethod
    @abstractmethod
    def find(cls, entry: Entry, folder: Path) -> Iterator[dict[str, Path]]:
        """Yield the files that a folder has in this layout, whether or not they are there."""

    @abstractmethod
    def read(self, size: int) -> Fields:
        """Return Dataset's fields; `size` is for pictures that come at any size."""

    def missing(self) -> list[str]:
        """Return the names of the files that are not there."""
        return [name for name, path in self.files.items() if not path.exists()]

    def bytes_on_disk(self) -> int:
        """Return the size of all files, and of the files in those that are folders."""
        return sum(file.stat().st_size for file in _files_below(self.files.values()))

    def checks(self) -> Iterator[hashes.FileCheck]:
        """Yield a check of each file, a missing one too; a folder has none."""
        for name, path in self.files.items():
            published = self.published(name)
            if path.is_file():
                yield hashes.check(path, published)
            elif not path.exists():
                yield hashes.FileCheck(
                    path, False, "no file", published.hash or "a file"
                )

    def published(self, name: str) -> File:
        """Return what is published of a file, or was recorded when it came; without a hash where nothing is."""
        files = {file.name: file for file in self.entry.files}
        members = dict(self.entry.members) or hashes.recorded(self.folder)
        return files.get(name) or File(name, (), 0, members.get(name, ""))

    def verify(self) -> None:
        """Raise DataError where a file is not the published one."""
        for result in self.checks():
            if result.ok is False:
                raise hashes.mismatch(self.entry, result)

    def load(self, size: int | None = None) -> Dataset:
        """Return the data set; DataError where a file is missing, does not verify or cannot be read."""
        if self.missing():
            raise DataError(
                f"{self.folder} lacks {', '.join(self.missing())} of {self.entry.title}. "
                f"Add what is missing; it comes from {self.entry.homepage}"
            )
        read = self.read(size or self.entry.size)
        self._check_counts(read)
        verified = all(self.published(name).hash for name in self.files)
        proof = "verified" if verified else "no published hash to verify"
        facts: Fields = {
            "name": self.entry.name,
            "class_names": self.entry.class_names,
            "source": f"{self.origin}: {self._what()} ({proof})",
            "licence": self.entry.licence,
            "citation": self.entry.citation,
        }
        return Dataset(**facts | read)

    def _what(self) -> str:
        return str(
            next(iter(self.files.values())) if len(self.files) == 1 else self.folder
        )

    def _check_counts(self, read: Fields) -> None:
        found = (len(read["train_images"]), len(read["test_images"]))
        if self.entry.images and found != self.entry.images:
            raise DataError(
                f"{self._what()} holds {found[0]:,} training and {found[1]:,} test images; "
                f"{self.entry.title} has {self.entry.images[0]:,} and {self.entry.images[1]:,}."
            )

    def _cached(self, read: Callable[[cache.Allocate], cache.Arrays]) -> cache.Arrays:
        key = cache.fingerprint(type(self).__name__, *_code(), *self.files.values())
        return cache.arrays(self.entry.name, key, read)


class Idx(Source):
    """MNIST's four files, packed or not, under the names that are in use."""

    @classmethod
    def find(cls, entry: Entry, folder: Path) -> Iterator[dict[str, Path]]:
        files = {}
        for file in entry.files:
            plain = file.name.removesuffix(".gz")
            names = (file.name, plain, plain.replace("-idx", ".idx"))
            there = [folder / name for name in names if (folder / name).is_file()]
            files[file.name] = there[0] if there else folder / file.name
        if not cls._are_another(entry, files):
            yield files

    @staticmethod
    def _are_another(entry: Entry, files: dict[str, Path]) -> bool:
        """Return whether the files are another data set's: MNIST's and Fashion-MNIST's have the same names."""
        labels = [path for name, path in files.items() if "labels" in name]
        there = [path for path in labels if path.exists()]
        data = hashes.content(there[0]) if there else None
        others = [one for one in registry.entries().values() if one.name != entry.name]
        return data is not None and hashes.sha256(data) in {
            file.content for one in others for file in one.files
        }

    def read(self, size: int) -> Fields:
        arrays = {}
        for name, path in self.files.items():
            data = hashes.content(path)
            if data is None or hashes.sha256(data) != self.published(name).content:
                raise hashes.mismatch(
                    self.entry, hashes.check(path, self.published(name))
                )
            part = "train" if name.startswith("train") else "test"
            array = readers.read_idx(data, str(path))
            if "labels" in name:
                arrays[f"{part}_labels"] = array.astype(np.int64)
            else:
                arrays[f"{part}_images"] = array
        return arrays


class CifarTar(Source):
    """CIFAR-10's tar file, as it is downloaded."""

    @classmethod
    def find(cls, entry: Entry, folder: Path) -> Iterator[dict[str, Path]]:
        yield {file.name: folder / file.name for file in entry.files}

    def read(self, size: int) -> Fields:
        return self._cached(self._members)

    def _members(self, _: cache.Allocate) -> cache.Arrays:
        self.verify()
        (path,) = self.files.values()
        return readers.read_cifar(readers.tar_members(path, dict(self.entry.members)))


class CifarBatches(Source):
    """CIFAR-10's Python batches, out of the tar file."""

    @classmethod
    def find(cls, entry: Entry, folder: Path) -> Iterator[dict[str, Path]]:
        for batches in (folder / "cifar-10-batches-py", folder):
            yield {name: batches / name for name, _ in entry.members}

    def read(self, size: int) -> Fields:
        return self._cached(self._batches)

    def _batches(self, _: cache.Allocate) -> cache.Arrays:
        self.verify()
        return readers.read_cifar(
            {name: path.read_bytes() for name, path in self.files.items()}
        )


class CifarPictures(Source):
    """CIFAR-10 as picture files in train/<class>/ and test/<class>/, in a zip file or a folder."""

    @classmethod
    def find(cls, entry: Entry, folder: Path) -> Iterator[dict[str, Path]]:
        yield {path.name: path for path in sorted(folder.glob("cifar10*.zip"))[:1]}
        if (folder / "train" / entry.class_names[0]).is_dir():
            yield {folder.name: folder}

    def read(self, size: int) -> Fields:
        return self._cached(self._pictures)

    def _pictures(self, allocate: cache.Allocate) -> cache.Arrays:
        (path,) = self.files.values()
        names = self.entry.class_names
        return readers.read_class_folders(path, names, CIFAR_SIDE, allocate)


class Competition(Source):
    """Kaggle's files of a competition: train and test, a folder or a zip each, and two lists."""

    @classmethod
    def find(cls, entry: Entry, folder: Path) -> Iterator[dict[str, Path]]:
        # train.zip and test.zip are names that many competitions use
        if any((folder / name).exists() for name in COMPETITION_FILES):
            parts = [readers.part_of(folder, part) for part in ("train", "test")]
            files = [*parts, *(folder / name for name in COMPETITION_FILES)]
            yield {path.name: path for path in files}

    def read(self, size: int) -> Fields:
        return competition(self.entry.name, self.folder, size, self.verify)


class Labelled(Source):
    """Pictures that say what they show: a folder for each class, or names that begin with it."""

    @classmethod
    def find(cls, entry: Entry, folder: Path) -> Iterator[dict[str, Path]]:
        there = [folder / file.name for file in entry.files] + [folder / "PetImages"]
        # names that other data sets use too
        if folder.name in entry.folders:
            there += [folder / "train", *(folder / name for name in entry.kaggle_files)]
        for path in there:
            yield {path.name: path}

    def read(self, size: int) -> Fields:
        (path,) = self.files.values()
        names = self.entry.class_names
        return labelled(self.entry.name, path, size, names, verify=self.verify)


# By the name in registry.toml, in the order in which they are looked for.
FORMATS: dict[str, tuple[type[Source], ...]] = {
    "idx": (Idx,),
    "cifar": (CifarTar, CifarBatches, CifarPictures),
    "competition": (Competition,),
    "labelled": (Labelled,),
}


def competition(
    name: str, folder: Path, size: int, verify: Callable[[], None] = lambda: None
) -> Fields:
    """Return Dataset's fields of a competition's folder: pictures as (size, size, 3), test labels hidden.

    verify: called before the first reading.
    """

    def read(allocate: cache.Allocate) -> cache.Arrays:
        verify()
        return readers.read_competition(folder, size, allocate)

    parts = [readers.part_of(folder, part) for part in ("train", "test")]
    key = cache.fingerprint(
        *_code(), *parts, *(folder / name for name in COMPETITION_FILES)
    )
    arrays = cache.arrays(f"{name}-{size}", key, read)
    return arrays | {
        "test_labels": None,
        "class_names": tuple(arrays["class_names"].tolist()),
        "train_names": tuple(arrays["train_names"].tolist()),
        "test_names": tuple(arrays["test_names"].tolist()),
        "damaged": _pairs(arrays["damaged"]),
        "sample_submission": folder / "sampleSubmission.csv",
    }


def labelled(
    name: str,
    path: Path,
    size: int,
    class_names: tuple[str, ...] = (),
    training: float = TRAINING_SHARE,
    verify: Callable[[], None] = lambda: None,
) -> Fields:
    """Return Dataset's fields of a folder or zip of labelled pictures, as (size, size, 3).

    class_names: those expected; all that are found where empty. training: the share of the shuffled pictures
    that is for training, the rest being the test set. verify: called before the first reading.
    """

    def read(allocate: cache.Allocate) -> cache.Arrays:
        verify()
        return readers.read_labelled(path, class_names, size, allocate)

    key = cache.fingerprint(*_code(), class_names, path)
    arrays = cache.arrays(f"{name}-{size}", key, read)
    images, labels, names = arrays["images"], arrays["labels"], arrays["names"].tolist()
    split = round(len(images) * training)
    return {
        "train_images": images[:split],
        "train_labels": labels[:split],
        "train_names": tuple(names[:split]),
        "test_images": images[split:],
        "test_labels": labels[split:],
        "test_names": tuple(names[split:]),
        "class_names": tuple(arrays["class_names"].tolist()),
        "damaged": _pairs(arrays["damaged"]),
    }


def _pairs(damaged: np.ndarray) -> tuple[tuple[str, str], ...]:
    return tuple((file, reason) for file, reason in damaged.tolist())


def _code() -> list[bytes]:
    """Return what decodes pictures, for the cache's keys."""
    return cache.code(readers, collection, pictures)


def _files_below(paths: Iterable[Path]) -> list[Path]:
    """Return the files and, of folders, the files in them, sorted."""
    return sorted(
        file
        for path in paths
        for file in (path.rglob("*") if path.is_dir() else [path])
        if file.is_file()
    )
