"""Fetching the official files: mirrors in turn, verified, resumed where a connection broke."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from labkit.data import cache, hashes, kaggle, registry, sources
from labkit.data.errors import DataError
from labkit.data.notices import progress, say
from labkit.data.registry import Entry, File
from labkit.files import replacing

if TYPE_CHECKING:
    import requests

# Seconds before each round through the mirrors: a busy server gets time.
WAITS = (0, 2, 8)
LONGEST_WAIT = 30
RESUMPTIONS = 20
TIMEOUT = (5, 20)
# Later they may give what they refuse now: too slow, too many requests, and errors of the server.
TEMPORARY = {408, 425, 429, 500, 502, 503, 504}
PROBE_SECONDS = 3.0


def fetch(name: str, to: str | Path | None = None, competition: str = "") -> list[Path]:
    """Bring a data set's files to where they are not yet.

    A file that is on this machine, in LABKIT_DATA or in the cache, is copied if it verifies; the others are
    downloaded, Kaggle's through kagglehub. What was downloaded so far is kept, and the next call goes on from
    there.

    Parameters
    ----------
    name : str
        As in `load`, but not a stand-in's: those have no files.
    to : path, optional
        A folder as LABKIT_DATA is laid out; by default the cache.
    competition : str
        The name of a Kaggle competition that has the files.

    Returns
    -------
    files : list of Path
        Where they are now.

    Raises
    ------
    DataError
        The name is unknown, no mirror gives a file that verifies, or LABKIT_OFFLINE forbids downloads.

    Examples
    --------
    >>> import os
    >>> from labkit import data
    >>> os.environ["LABKIT_OFFLINE"] = "1"
    >>> data.fetch("mnist", to="course_data")
    Traceback (most recent call last):
    labkit.data.errors.DataError: LABKIT_OFFLINE is set. For the real data type `unset LABKIT_OFFLINE`.
    """
    entry = registry.entry(name)
    if competition and not entry.kaggle:
        raise DataError(f"{entry.title} is no competition; leave out --competition.")
    folder = Path(to).expanduser() / name if to else cache.place("datasets", name)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return _fetch(entry, folder, competition)
    finally:
        # where nothing came no folder is left
        with contextlib.suppress(OSError):
            folder.rmdir()


def _fetch(entry: Entry, folder: Path, competition: str) -> list[Path]:
    if not entry.files or competition:
        return _from_kaggle(entry, folder, competition)
    try:
        return [_bring(entry, file, folder / file.name) for file in entry.files]
    except DataError as error:
        if not entry.kaggle or offline():
            raise
        try:
            return _from_kaggle(entry, folder)
        except DataError as second:
            raise DataError(f"{error}\nFrom Kaggle: {second}") from None


def _from_kaggle(entry: Entry, folder: Path, competition: str = "") -> list[Path]:
    try:
        if not kaggle.complete(entry, folder) and (
            competition or not kaggle.copy_from_here(entry, folder)
        ):
            refuse_offline()
        return kaggle.fetch(entry, folder, competition)
    except DataError as error:
        raise DataError(
            f"{error}\nBy hand: {entry.manual}" if entry.manual else str(error)
        ) from None


def _bring(entry: Entry, file: File, path: Path) -> Path:
    with cache.lock(path):
        if not _verified(path, file) and not _copy_from_here(entry, file, path):
            refuse_offline()
            _make_room(file, path)
            _fetch_file(entry, file, path)
    return path


def _verified(path: Path, file: File) -> bool:
    return path.is_file() and bool(hashes.check(path, file).ok)


def _copy_from_here(entry: Entry, file: File, path: Path) -> bool:
    """Return whether another place on this machine had the verified file."""
    for source in sources.find(entry):
        there = source.files.get(file.name)
        if (
            there
            and there.name == path.name
            and there != path
            and _verified(there, file)
        ):
            with replacing(path) as temporary:
                shutil.copyfile(there, temporary)
            return True
    return False


def refuse_offline() -> None:
    """Raise DataError where LABKIT_OFFLINE forbids downloads."""
    if offline():
        raise DataError(
            "LABKIT_OFFLINE is set. For the real data type `unset LABKIT_OFFLINE`."
        )


def _make_room(file: File, path: Path) -> None:
    missing = file.size - _size(_part(path))
    free = shutil.disk_usage(path.parent).free
    if free < missing:
        raise DataError(
            f"{path.parent} has {free / 1e6:,.1f} MB free; {file.name} needs {missing / 1e6:,.1f} MB. "
            "Make room, or name another folder with --to."
        )


@dataclass
class _Mirror:
    """One address of a file: what went wrong there, and whether it is worth another try."""

    url: str
    problems: list[str] = field(default_factory=list)
    usable: bool = True
    wait: float = 0

    def failed(self, error: Exception) -> None:
        answer = getattr(error, "response", None)
        status = getattr(answer, "status_code", None)
        # a ValueError: what came is another file
        self.usable = not isinstance(error, ValueError) and (
            status is None or status in TEMPORARY
        )
        asked = answer.headers.get("Retry-After", "") if answer is not None else ""
        self.wait = min(int(asked), LONGEST_WAIT) if asked.isdecimal() else 0
        text = _plainly(error) if isinstance(error, OSError) else str(error)
        if text not in self.problems:
            self.problems.append(text)


def _fetch_file(entry: Entry, file: File, path: Path) -> None:
    mirrors = [_Mirror(url) for url in file.urls]
    for wait in WAITS:
        usable = [mirror for mirror in mirrors if mirror.usable]
        if not usable:
            break
        pause = max(wait, min(mirror.wait for mirror in usable))
        if pause:
            say(f"{file.name}: {usable[0].problems[-1]}; trying again in {pause:.0f} s")
        time.sleep(pause)
        if any(_fetch_from(mirror, file, path) for mirror in usable):
            return
    tried = "\n  ".join(
        f"{m.url}: {problem}" for m in mirrors for problem in m.problems
    )
    raise DataError(
        f"{file.name} of {entry.title} could not be downloaded:\n  {tried}\n"
        f"Try again later with `labkit data fetch {entry.name}`, or get it from {entry.homepage} and put it "
        f"into a folder {entry.name} below the folder that LABKIT_DATA names."
    )


def _fetch_from(mirror: _Mirror, file: File, path: Path) -> bool:
    """Return whether the mirror gave the file; a broken connection is taken up as long as more comes."""
    part = _part(path)
    for _ in range(RESUMPTIONS):
        before = _size(part)
        try:
            _retrieve(mirror.url, file, path, part)
            return True
        # pooch names the file and both hashes, and removes what it got; the network's errors are OSErrors
        except (ValueError, OSError) as error:
            mirror.failed(error)
            spoilt = not isinstance(error, OSError) and before > 0
            # the beginning of another file may have spoilt it
            if not (spoilt or _size(part) > before):
                break
    return False


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


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
                    _check_end(answer, file.tell(), size)
        part.replace(output)

    return download


def _receive(answer: requests.Response, file: BinaryIO, size: int, label: str) -> None:
    import requests
    import urllib3

    start = file.seek(0, os.SEEK_END)
    bar = progress(total=size, initial=start, desc=label, unit="B", unit_scale=True)
    # read1 gives what has come, so that nothing is lost when the connection breaks
    blocks = iter(lambda: answer.raw.read1(2**16, decode_content=False), b"")
    try:
        with bar:
            for block in blocks:
                file.write(block)
                bar.update(len(block))
                if file.tell() > size:
                    file.truncate(0)
                    raise ValueError(f"it sends more than the file's {size:,} bytes")
    except urllib3.exceptions.ReadTimeoutError:
        raise requests.ReadTimeout from None
    except urllib3.exceptions.HTTPError as error:
        if file.tell() < size:
            raise requests.exceptions.ChunkedEncodingError(error) from None


def _check_end(answer: requests.Response, received: int, size: int) -> None:
    """Raise OSError where the answer ended early and only its length could have told so."""
    if received < size and "Content-Length" not in answer.headers:
        raise OSError(f"the answer ended after {received:,} of {size:,} bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _plainly(error: OSError) -> str:
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return (
            f"the server answers {error.response.status_code} {error.response.reason}"
        )
    # the order counts: each is a kind of one further down
    plain = {
        requests.exceptions.ProxyError: "the proxy that HTTP_PROXY or HTTPS_PROXY names does not let it through",
        requests.exceptions.SSLError: "its certificate is not trusted; where a proxy replaces certificates, "
        "set REQUESTS_CA_BUNDLE to the proxy's",
        requests.exceptions.TooManyRedirects: "it redirects without end",
        requests.Timeout: "no answer in time",
        requests.exceptions.ChunkedEncodingError: "the connection broke",
        requests.ConnectionError: "no connection",
    }
    return next(
        (text for kind, text in plain.items() if isinstance(error, kind)), str(error)
    )


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
