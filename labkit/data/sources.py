"""Where a data set's files lie, whether they are the published ones, and what they hold."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from labkit.data import cache, collection, hashes, pictures, readers, registry
from labkit.data.dataset import Dataset
from labkit.data.errors import DataError
from labkit.data.registry import Entry, File

CONFIGURED = "LABKIT_DATA"
CACHED = "cache"
COMPETITION_FILES = ("sampleSubmission.csv", "character_name.lst")
TRAINING_SHARE = 0.8


@dataclass(frozen=True)
class Source:
    """One place that holds a data set: its files by official name, and how they are laid out.

    layout: "idx", "tar", "batches", "pictures", "competition" or "labelled".
    """

    entry: Entry
    origin: str
    folder: Path
    layout: str
    paths: dict[str, Path]

    def missing(self) -> list[str]:
        """Return the names of the files that are not there."""
        return [name for name, path in self.paths.items() if not path.exists()]

    def size(self) -> int:
        """Return the bytes on disk."""
        return sum(file.stat().st_size for file in _files_below(self.paths.values()))

    def checks(self) -> Iterator[hashes.FileCheck]:
        """Yield a check of each file, a missing one too; a folder has none."""
        for name, path in self.paths.items():
            published = self._published(name)
            if path.is_file():
                yield hashes.check(path, published)
            elif not path.exists():
                yield hashes.FileCheck(
                    path, False, "no file", published.hash or "a file"
                )

    def _published(self, name: str) -> File:
        files = {file.name: file for file in self.entry.files}
        members = dict(self.entry.members) or hashes.recorded(self.folder)
        return files.get(name) or File(name, (), 0, members.get(name, ""))

    def load(self, size: int | None = None) -> Dataset:
        """Return the data set; DataError where a file is missing, does not verify or cannot be read."""
        if self.missing():
            raise DataError(
                f"{self.folder} lacks {', '.join(self.missing())} of {self.entry.title}. "
                f"Add what is missing; it comes from {self.entry.homepage}"
            )
        read = {
            "idx": self._read_idx,
            "tar": partial(self._cached, self._read_tar),
            "batches": partial(self._cached, self._read_batches),
            "pictures": partial(self._cached, self._read_pictures),
            "competition": partial(self._read_competition, size or self.entry.size),
            "labelled": partial(self._read_labelled, size or self.entry.size),
        }[self.layout]
        arrays = read()
        self._check_counts(arrays)
        verified = all(self._published(name).hash for name in self.paths)
        proof = "verified" if verified else "no published hash to verify"
        facts = {
            "name": self.entry.name,
            "class_names": self.entry.class_names,
            "source": f"{self.origin}: {self._what()} ({proof})",
            "licence": self.entry.licence,
            "citation": self.entry.citation,
        }
        return Dataset(**facts | arrays)

    def _what(self) -> str:
        return str(
            next(iter(self.paths.values())) if len(self.paths) == 1 else self.folder
        )

    def _check_counts(self, arrays: cache.Arrays) -> None:
        found = (len(arrays["train_images"]), len(arrays["test_images"]))
        if self.entry.images and found != self.entry.images:
            raise DataError(
                f"{self._what()} holds {found[0]:,} training and {found[1]:,} test images; "
                f"{self.entry.title} has {self.entry.images[0]:,} and {self.entry.images[1]:,}."
            )

    def _cached(self, read: Callable[[cache.Allocate], cache.Arrays]) -> cache.Arrays:
        key = cache.fingerprint(self.layout, *_code(), *self.paths.values())
        return cache.arrays(self.entry.name, key, read)

    def _verify(self) -> None:
        for result in self.checks():
            if result.ok is False:
                raise hashes.mismatch(self.entry, result)

    def _read_idx(self) -> cache.Arrays:
        arrays = {}
        for name, path in self.paths.items():
            data = hashes.content(path)
            if data is None or hashes.sha256(data) != self._published(name).content:
                raise hashes.mismatch(
                    self.entry, hashes.check(path, self._published(name))
                )
            part = "train" if name.startswith("train") else "test"
            array = readers.read_idx(data, str(path))
            if "labels" in name:
                arrays[f"{part}_labels"] = array.astype(np.int64)
            else:
                arrays[f"{part}_images"] = array
        return arrays

    def _read_tar(self, _: cache.Allocate) -> cache.Arrays:
        self._verify()
        (path,) = self.paths.values()
        return readers.read_cifar(readers.tar_members(path, dict(self.entry.members)))

    def _read_batches(self, _: cache.Allocate) -> cache.Arrays:
        self._verify()
        return readers.read_cifar(
            {name: path.read_bytes() for name, path in self.paths.items()}
        )

    def _read_pictures(self, allocate: cache.Allocate) -> cache.Arrays:
        (path,) = self.paths.values()
        return readers.read_class_folders(path, self.entry.class_names, 32, allocate)

    def _read_labelled(self, size: int) -> dict:
        (path,) = self.paths.values()
        names = self.entry.class_names
        return labelled(self.entry.name, path, size, names, verify=self._verify)

    def _read_competition(self, size: int) -> dict:
        return competition(self.entry.name, self.folder, size, self._verify)


def competition(
    name: str, folder: Path, size: int, verify: Callable[[], None] = lambda: None
) -> dict:
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
) -> dict:
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
    """Return what decodes pictures, for the cache's keys: the result must not outlive the code."""
    modules = (readers, collection, pictures)
    return [Path(module.__file__).read_bytes() for module in modules]


def find(entry: Entry) -> list[Source]:
    """Return the places that hold at least part of the data set, LABKIT_DATA first, then the cache."""
    found = []
    root = data_folder()
    if root:
        found += [_source(entry, CONFIGURED, root / name) for name in entry.folders]
        if not any(found):
            found.append(_source(entry, CONFIGURED, root))
    for cached in (cache.configured(), cache.place("datasets").parent):
        found.append(_source(entry, CACHED, cached / "datasets" / entry.name))
    return list({source.folder: source for source in found if source}.values())


def data_folder() -> Path | None:
    """Return the folder that LABKIT_DATA names; DataError where it does not exist."""
    named = os.environ.get("LABKIT_DATA", "").strip()
    if not named:
        return None
    path = Path(named).expanduser()
    if not path.is_dir():
        raise DataError(
            f"LABKIT_DATA is {named!r}, and there is no such folder. Set it to the folder that holds "
            "the data sets, or type `unset LABKIT_DATA`."
        )
    return path


def _source(entry: Entry, origin: str, folder: Path) -> Source | None:
    """Return the folder as a source where it holds any of the data set's files."""
    if not folder.is_dir():
        return None
    for layout, paths in _LAYOUTS[entry.format](entry, folder):
        if any(path.exists() for path in paths.values()) and not _is_another(
            entry, layout, paths
        ):
            return Source(entry, origin, folder, layout, paths)
    return None


def _idx_layout(entry: Entry, folder: Path) -> Iterator[tuple[str, dict[str, Path]]]:
    paths = {}
    for file in entry.files:
        plain = file.name.removesuffix(".gz")
        names = (file.name, plain, plain.replace("-idx", ".idx"))
        there = [folder / name for name in names if (folder / name).is_file()]
        paths[file.name] = there[0] if there else folder / file.name
    yield "idx", paths


def _cifar_layouts(entry: Entry, folder: Path) -> Iterator[tuple[str, dict[str, Path]]]:
    yield "tar", {file.name: folder / file.name for file in entry.files}
    for batches in (folder / "cifar-10-batches-py", folder):
        yield "batches", {name: batches / name for name, _ in entry.members}
    yield (
        "pictures",
        {path.name: path for path in sorted(folder.glob("cifar10*.zip"))[:1]},
    )
    if (folder / "train" / entry.class_names[0]).is_dir():
        yield "pictures", {folder.name: folder}


def _competition_layout(
    entry: Entry, folder: Path
) -> Iterator[tuple[str, dict[str, Path]]]:
    # train.zip and test.zip are names that many competitions use
    if any((folder / name).exists() for name in COMPETITION_FILES):
        parts = [readers.part_of(folder, part) for part in ("train", "test")]
        files = [*parts, *(folder / name for name in COMPETITION_FILES)]
        yield "competition", {path.name: path for path in files}


def _labelled_layout(
    entry: Entry, folder: Path
) -> Iterator[tuple[str, dict[str, Path]]]:
    there = [folder / file.name for file in entry.files] + [folder / "PetImages"]
    # names that other data sets use too
    if folder.name in entry.folders:
        there += [folder / "train", *(folder / name for name in entry.kaggle_files)]
    for path in there:
        yield "labelled", {path.name: path}


_LAYOUTS = {
    "idx": _idx_layout,
    "cifar": _cifar_layouts,
    "competition": _competition_layout,
    "labelled": _labelled_layout,
}


def _is_another(entry: Entry, layout: str, paths: dict[str, Path]) -> bool:
    """Return whether the files are another data set's: MNIST and Fashion-MNIST share their file names."""
    labels = [
        path for name, path in paths.items() if "labels" in name and path.exists()
    ]
    data = hashes.content(labels[0]) if layout == "idx" and labels else None
    others = [e for e in registry.entries().values() if e.name != entry.name]
    return data is not None and hashes.sha256(data) in {
        f.content for e in others for f in e.files
    }


def _files_below(paths: Iterable[Path]) -> list[Path]:
    """Return the files and, of folders, the files in them, sorted."""
    return sorted(
        file
        for path in paths
        for file in (path.rglob("*") if path.is_dir() else [path])
        if file.is_file()
    )
