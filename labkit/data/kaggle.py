"""Fetching from Kaggle through kagglehub: a competition's files, or a public data set laid out like them."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

from labkit.data import cache, collection, hashes, sources
from labkit.data.errors import DataError
from labkit.data.layouts import COMPETITION_FILES
from labkit.data.notices import progress
from labkit.data.registry import Entry
from labkit.errors import MissingLibraryError, require_library
from labkit.files import replacing, write_text

COMPETITION = ("train.zip", "test.zip", *COMPETITION_FILES)
CREDENTIALS = (
    "Kaggle gives this to people who signed in. Open https://www.kaggle.com/settings, choose "
    "`Create New Token`, put the kaggle.json that you get into the folder ~/.kaggle, and type the command again."
)


def fetch(entry: Entry, folder: Path, competition: str = "") -> list[Path]:
    """Bring a data set's files from Kaggle into its folder, and return their paths.

    competition: a competition's name on Kaggle, such as a class's own; the registry's where empty. What was
    brought before and still has the hash recorded then is not asked for again. Raises DataError, with what to
    type or to click, where kagglehub is missing, nobody is signed in, or the rules are not accepted.
    """
    kind, _, handle = entry.kaggle.partition("/")
    if competition:
        kind, handle = "competitions", competition
    names = entry.kaggle_files or COMPETITION
    with cache.lock(folder):
        if not complete(entry, folder):
            bring = _competition_files if kind == "competitions" else _public_data
            with _downloading(folder, kind, handle) as kagglehub:
                bring(kagglehub, handle, folder, names, entry)
            shutil.rmtree(_scratch(folder), ignore_errors=True)
            hashes.record(folder, names)
    return [folder / name for name in names]


def complete(entry: Entry, folder: Path) -> bool:
    """Return whether all files are there, each with the hash that it had when it came."""
    recorded = hashes.recorded(folder)
    names = entry.kaggle_files or COMPETITION
    return all(
        (folder / name).is_file() and hashes.of(folder / name) == recorded.get(name)
        for name in names
    )


def copy_from_here(entry: Entry, folder: Path) -> bool:
    """Return whether another place on this machine had all files; they are copied and their hashes recorded."""
    names = entry.kaggle_files or COMPETITION
    for source in sources.find(entry):
        there = [source.folder / name for name in names]
        whole = source.folder != folder and all(path.is_file() for path in there)
        if whole and all(check.ok is not False for check in source.checks()):
            for path in there:
                with replacing(folder / path.name) as copy:
                    shutil.copyfile(path, copy)
            hashes.record(folder, names)
            return True
    return False


def _scratch(folder: Path) -> Path:
    return folder / ".kagglehub"


@contextlib.contextmanager
def _downloading(folder: Path, kind: str, handle: str) -> Iterator[ModuleType]:
    """Yield kagglehub, which keeps what it has in the data set's folder; its errors become DataErrors."""
    try:
        kagglehub = require_library("kagglehub")
    except MissingLibraryError as missing:
        raise DataError(f"{handle} comes from Kaggle, and {missing}") from None
    try:
        # there a download that broke off is resumed, and nothing is kept twice
        with _environment("KAGGLEHUB_CACHE", str(_scratch(folder))):
            yield kagglehub
    except DataError:
        raise
    # kagglehub's errors have no common class, and it lets those of requests and of the disk through
    except Exception as error:
        raise DataError(_plainly(error, kind, handle)) from None


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Have another value in the environment for a while: kagglehub looks there alone."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _plainly(error: Exception, kind: str, handle: str) -> str:
    import requests
    from kagglehub import exceptions

    page = f"https://www.kaggle.com/{kind}/{handle}"
    status = getattr(getattr(error, "response", None), "status_code", None)
    signed_out = (exceptions.UnauthenticatedError, exceptions.CredentialError)
    if isinstance(error, signed_out) or "credentials file" in str(error):
        found = "" if isinstance(error, signed_out) else f" ({error})"
        return f"No credentials for Kaggle were found{found}. {CREDENTIALS}"
    if status == 401:
        return f"Kaggle does not know these credentials (401). Make new ones. {CREDENTIALS}"
    if status == 403 and kind == "competitions":
        return (
            f"Kaggle refuses {handle} (403): its rules are not accepted with this account. Open {page}/rules, "
            "accept them (some competitions ask for a telephone number first), and type the command again."
        )
    if status == 404:
        return f"Kaggle has no {page}, or not these files in it (404). Look for the name in its address."
    if isinstance(error, requests.ConnectionError):
        return (
            f"Kaggle cannot be reached for {page}. Without a network copy the files from someone who has them, "
            "into the folder that LABKIT_DATA names."
        )
    return f"{page} could not be downloaded: {type(error).__name__}: {error}"


def _competition_files(
    kagglehub: ModuleType,
    handle: str,
    folder: Path,
    names: tuple[str, ...],
    entry: Entry,
) -> None:
    for name in names:
        came = Path(kagglehub.competition_download(handle, name))
        came.replace(folder / name)


def _public_data(
    kagglehub: ModuleType,
    handle: str,
    folder: Path,
    names: tuple[str, ...],
    entry: Entry,
) -> None:
    came = Path(kagglehub.dataset_download(handle))
    as_competition(came, folder, entry.class_names)


def as_competition(came: Path, folder: Path, class_names: tuple[str, ...]) -> None:
    """Lay out A. Attia's Simpsons as a competition: train.zip, test.zip, sampleSubmission.csv, the names.

    came: with simpsons_dataset/<character>/*.jpg and kaggle_simpson_testset/<character>_N.jpg, at any depth.
    Test pictures are numbered from 1 in an order, always the same, that tells nothing of what they show.
    """
    root = next((p.parent for p in came.rglob(class_names[0]) if p.is_dir()), None)
    tests = {
        file.name: file
        for file in came.rglob("*")
        if file.is_file() and file.stem.rpartition("_")[0] in class_names
    }
    if root is None or not tests:
        raise DataError(
            f"{came} holds no folder {class_names[0]} or no test pictures such as {class_names[0]}_0.jpg."
        )
    train = {
        f"train/{kind}/{file.name}": file
        for kind in class_names
        for file in sorted((root / kind).glob("*"))
        if file.suffix.lower() in collection.SUFFIXES
    }
    order = np.random.default_rng(0).permutation(sorted(tests))
    numbered = {f"test/{i}.jpg": tests[name] for i, name in enumerate(order, start=1)}
    _zip(folder / "train.zip", train)
    _zip(folder / "test.zip", numbered)
    rows = [("id", "character"), *((i + 1, class_names[0]) for i in range(len(order)))]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(folder / "sampleSubmission.csv", text.getvalue())
    listed = "".join(f"{name}\n" for name in class_names)
    write_text(folder / "character_name.lst", listed)


def _zip(path: Path, files: dict[str, Path]) -> None:
    # pictures are compressed already
    with (
        replacing(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
    ):
        for name, file in progress(files.items(), desc=path.stem, unit=" pictures"):
            archive.write(file, name)
