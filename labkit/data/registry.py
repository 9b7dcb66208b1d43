"""The registry of data sets: datasets/registry.toml, read into dataclasses."""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from labkit.data.errors import DataError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class File:
    """One official file: mirrors, bytes, and its hashes as "sha256:..." ("" where none is published)."""

    name: str
    urls: tuple[str, ...]
    size: int
    hash: str
    content: str = ""


@dataclass(frozen=True)
class Entry:
    """The facts of one data set; see the head of registry.toml."""

    name: str
    title: str
    format: str
    stand_in: str
    folders: tuple[str, ...]
    images: tuple[int, ...]
    class_names: tuple[str, ...]
    homepage: str
    licence: str
    citation: str
    files: tuple[File, ...] = ()
    members: tuple[tuple[str, str], ...] = ()
    size: int = 0
    kaggle: str = ""
    kaggle_files: tuple[str, ...] = ()
    manual: str = ""


@lru_cache
def entries() -> dict[str, Entry]:
    """Return the data sets by name."""
    beside = Path(__file__).with_name("registry.toml")
    path = (
        beside
        if beside.exists()
        else Path(__file__).parents[2] / "datasets" / "registry.toml"
    )
    with path.open("rb") as file:
        return {name: _entry(name, facts) for name, facts in tomllib.load(file).items()}


def _entry(name: str, facts: dict[str, Any]) -> Entry:
    files = [
        File(**file | {"urls": tuple(file["urls"])}) for file in facts.get("files", ())
    ]
    given = facts | {"files": files, "members": facts.get("members", {}).items()}
    lists = ("folders", "images", "class_names", "files", "members", "kaggle_files")
    tuples = {key: tuple(given.get(key, ())) for key in lists}
    return Entry(name=name, **given | tuples)


def entry(name: str) -> Entry:
    """Return one data set's facts; DataError with the nearest names where there is none."""
    if name in entries():
        return entries()[name]
    stand_ins = [one.stand_in for one in entries().values()]
    if name in stand_ins:
        raise DataError(
            f"{name} is a stand-in, made on this machine; there are no files to fetch or verify."
        )
    known = [*entries(), *stand_ins]
    near = difflib.get_close_matches(str(name).lower().replace("-", "_"), known, 1, 0.4)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise DataError(
        f"There is no data set {name!r}; expected one of {', '.join(known)}.{hint}"
    )
