"""How fast a folder of 25,000 pictures loads, against Pillow's bare decoding on the same cores.

    python benchmarks/loading.py ~/data/cats_dogs/train.zip --count 25000

Copies the given pictures until there are `count` of them, then measures, in turn and several times:

- Pillow: every file opened and decoded to RGB at its full size, nothing else, in as many threads as there are
  cores, and in as many processes; the faster of the two counts.
- the first load: `labkit.data.load_folder` with an empty cache: listed, decoded, resized, shuffled, written.
- the second load: the same call in a new process, which maps the cached file and looks at every page.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from PIL import Image

from labkit import data
from labkit.machine.cores import cores

CHUNK = 64


class Cost(NamedTuple):
    """Seconds of the clock, and seconds of all cores together."""

    wall: float
    cpu: float


def main(
    pictures: Annotated[Path, typer.Argument(help="A folder or a zip of pictures.")],
    count: Annotated[int, typer.Option(help="Copies made of them.")] = 25_000,
    size: Annotated[int, typer.Option(help="Pixels of a side once loaded.")] = 32,
    rounds: Annotated[int, typer.Option(help="Times each is measured.")] = 3,
    scratch: Annotated[Path | None, typer.Option(help="Where copies go.")] = None,
) -> None:
    """Print the seconds of each round, and the medians beside Pillow's."""
    os.environ["LABKIT_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        folder = _copies(pictures, count, Path(place, "pictures"))
        os.environ["LABKIT_CACHE"] = str(Path(place, "cache"))
        found = [_round(folder, size, number + 1) for number in range(rounds)]
    pillow, first, second = (
        Cost(*_medians(column)) for column in zip(*found, strict=True)
    )
    print(
        f"medians: Pillow {count / pillow.wall:.0f} pictures/s, "
        f"first load {count / first.wall:.0f}/s: {pillow.wall / first.wall:.0%} of Pillow's speed "
        f"({pillow.cpu / first.cpu:.0%} by CPU seconds); second load {second.wall:.2f} s"
    )


def _medians(costs: Iterable[Cost]) -> Iterator[float]:
    return (statistics.median(column) for column in zip(*costs, strict=True))


def _copies(source: Path, count: int, folder: Path) -> Path:
    """Write `count` pictures, those of the source again and again, as cat.N.jpg and dog.N.jpg."""
    folder.mkdir(parents=True)
    if source.is_file():
        unpacked = folder.with_name("unpacked")
        with zipfile.ZipFile(source) as archive:
            archive.extractall(unpacked)
        source = unpacked
    originals = sorted(source.rglob("*.jpg"))
    if not originals:
        raise SystemExit(f"No .jpg in {source}; expected pictures such as cat.0.jpg.")
    for number in range(count):
        original = originals[number % len(originals)]
        kind = original.name.partition(".")[0]
        shutil.copyfile(original, folder / f"{kind}.{number}.jpg")
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(
        f"{count:,} pictures, {size / 1e9:.2f} GB, of {len(originals):,} different ones; "
        f"{cores()} cores"
    )
    return folder


def _round(folder: Path, size: int, number: int) -> tuple[Cost, Cost, Cost]:
    files = sorted(folder.iterdir())
    print(f"round {number}")
    threads = _timed(
        "Pillow, threads", lambda: _decode(files, ThreadPoolExecutor(cores()))
    )
    processes = _timed(
        "Pillow, processes", lambda: _decode(files, ProcessPoolExecutor(cores()))
    )
    shutil.rmtree(os.environ["LABKIT_CACHE"], ignore_errors=True)
    first = _timed("first load", lambda: data.load_folder(folder, size))
    second = _second_load(folder, size)
    print(f"  second load          {second.wall:7.2f} s wall, {second.cpu:7.2f} s CPU")
    return min(threads, processes), first, second


def _decode(files: list[Path], pool: Executor) -> None:
    chunks = [files[start : start + CHUNK] for start in range(0, len(files), CHUNK)]
    with pool:
        list(pool.map(_decode_chunk, chunks))


def _decode_chunk(files: Iterable[Path]) -> None:
    for file in files:
        with Image.open(file) as image:
            image.convert("RGB")


def _second_load(folder: Path, size: int) -> Cost:
    """Return the cost of the call alone, without starting Python and importing NumPy."""
    script = (
        "import sys, time; from labkit import data; "
        "begun, cpu = time.perf_counter(), time.process_time();"
        "loaded = data.load_folder(sys.argv[1], int(sys.argv[2]));"
        "loaded.train_images.max(), loaded.test_images.max();"
        "print(time.perf_counter() - begun, time.process_time() - cpu)"
    )
    command = [sys.executable, "-c", script, str(folder), str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Cost(*(float(word) for word in done.stdout.split()[-2:]))


def _timed(what: str, work: Callable[[], object]) -> Cost:
    before, begun = _cpu(), time.perf_counter()
    # the bar of the load would stand in the table
    with contextlib.redirect_stdout(io.StringIO()):
        work()
    cost = Cost(time.perf_counter() - begun, _cpu() - before)
    print(f"  {what:20} {cost.wall:7.1f} s wall, {cost.cpu:7.1f} s CPU", flush=True)
    return cost


def _cpu() -> float:
    used = [
        resource.getrusage(who)
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    typer.run(main)
