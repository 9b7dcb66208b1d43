"""Fetching the official files: mirrors in turn, verified, resumed where a connection broke."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from labkit.data import cache, registry, sources
from labkit.data.errors import DataError
from labkit.data.notices import progress
from labkit.data.registry import Entry, File

if TYPE_CHECKING:
    import requests

ATTEMPTS = 3
TIMEOUT = (5, 20)
PROBE_SECONDS = 3.0


def fetch(name: str, to: str | Path | None = None) -> list[Path]:
    """Download a data set's files where they are not there yet, and return their paths.

    to: a folder as LABKIT_DATA is laid out; the cache where None. Raises DataError where no mirror gives a
    file that verifies; what was downloaded so far is kept, and the next call goes on from there.
    """
    entry = registry.entry(name)
    if not entry.files:
        raise DataError(
            f"{entry.title} cannot be downloaded by a program. {entry.manual}"
        )
    if offline():
        raise DataError(
            "LABKIT_OFFLINE is set. For the real data type `unset LABKIT_OFFLINE`."
        )
    paths = []
    for file in entry.files:
        parts = (entry.name, file.name)
        path = (
            Path(to).expanduser().joinpath(*parts)
            if to
            else cache.place("datasets", *parts)
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        with cache.lock(path):
            if not (path.exists() and sources.check(path, file).ok):
                _fetch_file(entry, file, path)
        paths.append(path)
    return paths


def _fetch_file(entry: Entry, file: File, path: Path) -> None:
    part = path.with_name(f".{path.name}.part")
    problems = []
    for url in file.urls:
        for _ in range(ATTEMPTS):
            before = _size(part)
            try:
                _retrieve(url, file, path, part)
                return
            # pooch names the file and both hashes, and removes what it got
            except ValueError as error:
                problems.append(f"{url}: {error}")
                retry = before > 0  # the beginning of another file may have spoilt it
            # the network's errors, for requests' own are OSErrors
            except OSError as error:
                problems.append(f"{url}: {_plainly(error)}")
                retry = _size(part) > before
            if not retry:
                break
    tried = "\n  ".join(problems)
    raise DataError(
        f"{file.name} of {entry.title} could not be downloaded:\n  {tried}\n"
        f"Try again later with `labkit data fetch {entry.name}`, or get it from {entry.homepage} and put it "
        f"into a folder {entry.name} below the folder that LABKIT_DATA names."
    )


def _retrieve(url: str, file: File, path: Path, part: Path) -> None:
    import pooch

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # it would write to standard error
    try:
        pooch.retrieve(
            url,
            file.hash,
            path.name,
            path.parent,
            downloader=_resuming(part, file.size),
        )
    finally:
        logger.setLevel(level)


def _resuming(part: Path, size: int) -> Callable[[str, str, object], None]:
    """Return a pooch downloader that keeps what it has in `part` and asks the server for the rest."""

    def download(url: str, output: str, _: object) -> None:
        import requests

        with part.open("ab") as file:
            # without compression on the way, or requests would unpack a .gz
            headers = {"Accept-Encoding": "identity"}
            if file.tell():
                headers["Range"] = f"bytes={file.tell()}-"
            with requests.get(
                url, headers=headers, stream=True, timeout=TIMEOUT
            ) as answer:
                if answer.status_code != requests.codes.requested_range_not_satisfiable:
                    answer.raise_for_status()
                    if answer.status_code != requests.codes.partial_content:
                        file.truncate(0)
                    _receive(answer, file, size, f"from {urlsplit(url).netloc}")
        part.replace(output)

    return download


def _receive(answer: requests.Response, file: BinaryIO, size: int, label: str) -> None:
    start = file.seek(0, os.SEEK_END)
    with progress(
        total=size, initial=start, desc=label, unit="B", unit_scale=True
    ) as bar:
        # small blocks: the one in which a connection breaks is lost
        for block in answer.iter_content(2**15):
            file.write(block)
            bar.update(len(block))
            if file.tell() > size:
                file.truncate(0)
                raise OSError(f"the server sends more than the file's {size:,} bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _plainly(error: OSError) -> str:
    import requests

    if isinstance(error, requests.HTTPError):
        return (
            f"the server answers {error.response.status_code} {error.response.reason}"
        )
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return str(error)


def offline() -> bool:
    """Return whether LABKIT_OFFLINE forbids downloads."""
    return os.environ.get("LABKIT_OFFLINE", "").strip() not in ("", "0")


def reachable(entry: Entry) -> bool:
    """Return whether a mirror answers within three seconds; asked once a process, so that no cell waits twice."""
    return bool(entry.files) and _answers(entry.files[0].urls)


@lru_cache
def _answers(urls: tuple[str, ...]) -> bool:
    answers: queue.Queue[bool] = queue.Queue()
    for url in urls:
        # a daemon, because a name server that is silent holds its thread far longer than three seconds
        threading.Thread(
            target=lambda url=url: answers.put(_answers_one(url)), daemon=True
        ).start()
    try:
        return any(answers.get(timeout=PROBE_SECONDS) for _ in urls)
    except queue.Empty:
        return False


def _answers_one(url: str) -> bool:
    import requests

    try:
        with requests.get(url, timeout=PROBE_SECONDS, stream=True) as answer:
            return answer.ok
    except OSError:
        return False
