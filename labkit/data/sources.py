"""Where a data set's files lie on this machine: in LABKIT_DATA, or in the cache."""

from __future__ import annotations

import os
from pathlib import Path

from labkit.data import cache
from labkit.data.errors import DataError
from labkit.data.layouts import FORMATS, Source
from labkit.data.registry import Entry

CONFIGURED = "LABKIT_DATA"
CACHED = "cache"


def find(entry: Entry) -> list[Source]:
    """Return the places that hold at least part of the data set, LABKIT_DATA first, then the cache."""
    found: list[Source | None] = []
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
    for layout in FORMATS[entry.format]:
        for files in layout.find(entry, folder):
            if any(path.exists() for path in files.values()):
                return layout(entry, origin, folder, files)
    return None
