"""Readers of the official formats: IDX (MNIST), CIFAR-10's Python batches, and Kaggle's picture folders."""

from __future__ import annotations

import csv
import io
import math
import pickle
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from labkit.data.cache import Allocate, Arrays
from labkit.data.collection import Pictures, without
from labkit.data.errors import DataError
from labkit.formatting import counted

_IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_idx(data: bytes, name: str) -> np.ndarray:
    """Return the array of an IDX file's uncompressed bytes; `name` is for errors.

    Format: two zero bytes, a type code, the number of dimensions, the sizes (big-endian 32-bit), the values.
    """
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _IDX_TYPES:
        raise DataError(
            f"{name} is not an IDX file: it begins with {data[:4].hex(' ') or 'nothing'}."
        )
    start = 4 + 4 * data[3]
    shape = tuple(
        np.frombuffer(data[4:start], ">u4", count=len(data[4:start]) // 4).tolist()
    )
    dtype = np.dtype(_IDX_TYPES[data[2]])
    expected = start + math.prod(shape) * dtype.itemsize
    if len(shape) != data[3] or len(data) != expected:
        raise DataError(
            f"{name} holds {len(data):,} bytes; its header asks for {expected:,}."
        )
    values = np.frombuffer(data, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


class _ArraysOnly(pickle.Unpickler):
    """Unpickles NumPy arrays and plain containers, and refuses to run anything else."""

    _ALLOWED = frozenset(
        {
            ("numpy", "dtype"),
            ("numpy", "ndarray"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        # NumPy 2 warns about the old module name, which the official files use
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_cifar_batch(data: bytes, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images (N, 32, 32, 3) uint8 and labels (N,) int64 of one Python batch file."""
    try:
        batch = _ArraysOnly(io.BytesIO(data), encoding="bytes").load()
        rows = np.asarray(batch[b"data"], np.uint8).reshape(-1, 3, 32, 32)
        labels = np.asarray(batch[b"labels"], np.int64)
    except Exception as error:
        raise DataError(f"{name} is not a CIFAR-10 batch: {error}.") from None
    if len(rows) != len(labels):
        raise DataError(
            f"{name} holds {counted(len(rows), 'image')} and"
            f" {counted(len(labels), 'label')}."
        )
    return np.ascontiguousarray(rows.transpose(0, 2, 3, 1)), labels


def read_cifar(batches: Mapping[str, bytes]) -> Arrays:
    """Return train and test arrays from the batch files data_batch_1 ... 5 and test_batch by name."""
    read = {
        name: read_cifar_batch(data, name) for name, data in sorted(batches.items())
    }
    train = [pair for name, pair in read.items() if name.startswith("data_batch")]
    images, labels = (np.concatenate(parts) for parts in zip(*train, strict=True))
    test_images, test_labels = read["test_batch"]
    return {
        "train_images": images,
        "train_labels": labels,
        "test_images": test_images,
        "test_labels": test_labels,
    }


def tar_members(path: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Return {name: bytes} of the tar's files with those last names; nothing is extracted."""
    wanted = set(names)
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = PurePosixPath(member.name).name
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None and name in wanted:
                    found[name] = content.read()
    except (OSError, EOFError, tarfile.TarError) as error:
        raise DataError(f"{path} is not a readable tar file ({error}).") from None
    if wanted - set(found):
        raise DataError(f"{path} lacks {', '.join(sorted(wanted - set(found)))}.")
    return found


def read_class_folders(
    path: Path, class_names: tuple[str, ...], size: int, allocate: Allocate
) -> Arrays:
    """Return train and test arrays from a folder or zip of train/<class>/... and test/<class>/...

    The order is shuffled, always in the same way, so that the first n are a fair sample.
    Raises DataError where a class is unknown or a picture is damaged.
    """
    with Pictures(path) as pictures:
        arrays: Arrays = {}
        for part, seed in (("train", 0), ("test", 1)):
            names = [
                name
                for name in pictures.names
                if part in PurePosixPath(name).parts[:-2]
            ]
            labels = _labels_by_folder(path, names, class_names)
            order = np.random.default_rng(seed).permutation(len(names))
            images, damaged = pictures.decode(
                [names[i] for i in order],
                size,
                f"{path.name} {part}",
                allocate(f"{part}_images", (len(names), size, size, 3)),
            )
            for index, reason in damaged.items():
                raise DataError(
                    f"{path}: {names[order[index]]} is damaged ({reason}). The file is not used."
                )
            arrays |= {f"{part}_images": images, f"{part}_labels": labels[order]}
    return arrays


def _labels_by_folder(
    path: Path, names: list[str], class_names: tuple[str, ...]
) -> np.ndarray:
    folders = [PurePosixPath(name).parent.name for name in names]
    return _numbered(path, folders, class_names)


def _numbered(
    path: Path, folders: list[str], class_names: tuple[str, ...]
) -> np.ndarray:
    """Return the number of each class, (N,) int64; upper and lower case are the same."""
    number = {name.lower(): index for index, name in enumerate(class_names)}
    unknown = sorted({name for name in folders if name.lower() not in number})
    if unknown:
        raise DataError(
            f"{path} holds a folder {unknown[0]!r} that is no class; expected {', '.join(class_names)}."
        )
    return np.array([number[name.lower()] for name in folders], np.int64)


def read_labelled(
    path: Path, class_names: tuple[str, ...], size: int, allocate: Allocate
) -> Arrays:
    """Return images, labels, names and class_names of a folder or zip of pictures that say what they show.

    A picture's class is its folder's name, or what its own name begins with where all lie in one folder:
    Cat/7.jpg, cat.7.jpg. class_names: those expected; all that are found where empty. The order is shuffled,
    always in the same way; damaged pictures and what is none are listed in damaged (K, 2): file, reason.
    """
    with Pictures(path) as pictures:
        names = _shuffled(pictures.names)
        kinds = _kinds(path, names, pictures.others)
        class_names = class_names or tuple(sorted(set(kinds)))
        labels = _numbered(path, kinds, class_names)
        images, bad = pictures.decode(
            names,
            size,
            f"{path.name} at {size}x{size}",
            allocate("images", (len(names), size, size, 3)),
        )
    keep = _readable(path, len(names), bad)
    damaged = _left_out({names[i]: reason for i, reason in bad.items()}, pictures)
    return {
        "images": without(images, list(bad)),
        "labels": labels[keep],
        "names": np.array(names)[keep],
        "class_names": np.array(class_names),
        "damaged": np.array(damaged, dtype=np.str_).reshape(-1, 2),
    }


def _shuffled(names: list[str]) -> list[str]:
    """Return names in another order, always the same, so that the first n are a fair sample."""
    order = np.random.default_rng(0).permutation(len(names))
    return [names[place] for place in order]


def _left_out(damaged: Mapping[str, str], pictures: Pictures) -> list[tuple[str, str]]:
    """Return file and reason of the damaged pictures, and of the files that are no pictures."""
    reasons = {**damaged, **pictures.others}
    return [(name, f"{reason}; left out") for name, reason in reasons.items()]


def _kinds(path: Path, names: list[str], others: Mapping[str, str]) -> list[str]:
    """Return each picture's class: its folder where there are several, else the beginning of its name."""
    folders = [PurePosixPath(name).parent.name for name in names]
    if len(set(folders)) > 1:
        return folders
    kinds = [PurePosixPath(name).name.partition(".")[0] for name in names]
    if len(set(kinds)) < 2 or len(set(kinds)) == len(kinds):
        found = f"pictures such as {names[0]}" if names else "no pictures"
        for name, reason in list(others.items())[:1]:
            found += f", {counted(len(others), 'other file')} such as {name} ({reason})"
        raise DataError(
            f"{path} holds {found}; expected a folder for each class (cat/1.jpg, dog/1.jpg), "
            "or names that begin with the class (cat.1.jpg, dog.1.jpg)."
        )
    return kinds


def _readable(path: Path, count: int, bad: Mapping[int, str]) -> np.ndarray:
    """Return the numbers of the pictures that are not damaged; DataError where all are."""
    keep = np.setdiff1d(np.arange(count), list(bad))
    if not len(keep):
        reason = next(iter(bad.values()), "there is none")
        raise DataError(
            f"{path}: not one of {counted(count, 'picture')} can be read ({reason})."
        )
    return keep


def read_competition(folder: Path, size: int, allocate: Allocate) -> Arrays:
    """Return arrays from train, test (folders or zips), sampleSubmission.csv and character_name.lst.

    Training pictures come shuffled, always in the same way, without the damaged ones; test pictures by
    increasing id, the damaged ones mid-grey. Keys as Dataset's fields, and damaged (K, 2): file, reason; what
    is no picture is listed there too.
    """
    class_names = read_class_names(folder / "character_name.lst")
    with Pictures(part_of(folder, "train")) as train:
        names = _shuffled(train.names)
        labels = _labels_by_folder(train.path, names, class_names)
        shape = (len(names), size, size, 3)
        images, bad = train.decode(
            names, size, "training pictures", allocate("train_images", shape)
        )
    with Pictures(part_of(folder, "test")) as test:
        ids = _test_ids(test)
        by_id = np.argsort(ids)
        test_names = [test.names[place] for place in by_id]
        shape = (len(test_names), size, size, 3)
        test_images, test_bad = test.decode(
            test_names, size, "test pictures", allocate("test_images", shape)
        )
    _check_ids(folder / "sampleSubmission.csv", ids)
    keep = _readable(train.path, len(names), bad)
    damaged = _left_out({names[i]: reason for i, reason in bad.items()}, train)
    damaged += [
        (test_names[i], f"{reason}; shown as mid-grey")
        for i, reason in test_bad.items()
    ]
    damaged += _left_out({}, test)
    return {
        "train_images": without(images, list(bad)),
        "train_labels": labels[keep],
        "train_names": np.array(names)[keep],
        "test_images": test_images,
        "test_names": np.array(test_names),
        "test_ids": ids[by_id],
        "class_names": np.array(class_names),
        "damaged": np.array(damaged, dtype=np.str_).reshape(-1, 2),
    }


def read_class_names(path: Path) -> tuple[str, ...]:
    """Return the class names of a list, one a line; they may have spaces. DataError where it is no UTF-8."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError(
            f"{path} is not UTF-8 text. Save it as UTF-8, one class a line."
        ) from None
    return tuple(line.strip() for line in lines if line.strip())


def part_of(folder: Path, part: str) -> Path:
    """Return the folder or zip file of that name in a competition's folder."""
    return folder / part if (folder / part).is_dir() else folder / f"{part}.zip"


def _test_ids(test: Pictures) -> np.ndarray:
    stems = [PurePosixPath(name).stem for name in test.names]
    odd = [stem for stem in stems if not stem.isdecimal()]
    if odd or not stems:
        found = f"a picture named {odd[0]!r}" if odd else "no pictures"
        raise DataError(f"{test.path} holds {found}; expected 1.jpg, 2.jpg, ...")
    ids = np.array(stems, np.int64)
    if len(np.unique(ids)) < len(ids):
        raise DataError(f"{test.path} holds two pictures of the same number.")
    return ids


def _check_ids(sample: Path, ids: np.ndarray) -> None:
    """Raise DataError where the sample submission asks for other ids than there are pictures."""
    with sample.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        table = csv.DictReader(file)
        if "id" not in (table.fieldnames or ()):
            raise DataError(
                f"{sample} has the columns {table.fieldnames}; expected id,character."
            )
        asked = {row["id"] for row in table}
    unmatched = sorted(asked ^ {str(number) for number in ids.tolist()})
    if unmatched:
        raise DataError(
            f"{sample} and the test pictures do not belong together: "
            f"the id {unmatched[0]!r} is in one of them only."
        )
