"""Which processes descend from which, and the memory and time they take.

Looked at five times a second for each kernel, in /proc. psutil takes twice the CPU time
for it, and knows neither the states of threads nor how much of memory no file backs: it
is asked where there is no /proc, on macOS and on Windows.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

_Told = TypeVar("_Told")
# Whether there is a /proc with all that; on Linux there is.
KNOWN = Path("/proc/self/stat").exists()


def children() -> dict[int, list[int]]:
    """Every process that has children, and theirs; none where there is no /proc."""
    found: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if KNOWN else []:  # noqa: PTH208 - takes half as long
        fields = _stat(f"/proc/{name}") if name.isdigit() else []
        if fields:
            found.setdefault(int(fields[1]), []).append(int(name))
    return found


def tree(root: int) -> list[int]:
    """A process and all that descend from it, parents first."""
    if not KNOWN:
        return [root, *_told(root, _descendants, list[int]())]
    below, found = children(), [root]
    for pid in found:
        found += below.get(pid, [])
    return found


def memory(pids: list[int], enough: int) -> int:
    """Bytes of memory that processes take, shared ones counted once.

    Counted exactly, which takes long, only where a rough count is above `enough`. Without
    /proc it is what they have in memory, and what they share counts for each of them.
    """
    if not KNOWN:
        return sum(_told(pid, lambda one: one.memory_info().rss, 0) for pid in pids)
    rough = sum(_own_memory(pid) for pid in pids)
    return rough if rough <= enough else sum(_fair_memory(pid) for pid in pids)


def cpu_seconds(pids: list[int]) -> float:
    """CPU seconds that processes have used, and those of their children that have ended.

    Of those that have ended only Linux tells.
    """
    if not KNOWN:
        # Of the user, of the system, and both of ended children, which may be zeros.
        return sum(
            _told(pid, lambda one: sum(one.cpu_times()[:4]), 0.0) for pid in pids
        )
    ticks = 0
    for pid in pids:
        ticks += sum(map(int, _stat(f"/proc/{pid}")[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK") if ticks else 0.0


def wanting(pids: list[int]) -> bool:
    """Whether any of their threads computes, or waits for a CPU or for the disk.

    Only /proc tells.
    """
    threads = (thread for pid in pids for thread in _threads(pid))
    return any(_stat(thread)[:1] in ([b"R"], [b"D"]) for thread in threads)


def _descendants(process: psutil.Process) -> list[int]:
    return [one.pid for one in process.children(recursive=True)]


def _told(pid: int, ask: Callable[[psutil.Process], _Told], nothing: _Told) -> _Told:
    """What psutil tells of a process; nothing where it has ended."""
    try:
        return ask(psutil.Process(pid))
    except psutil.Error:
        return nothing


def _threads(pid: int) -> list[str]:
    place = f"/proc/{pid}/task"
    try:
        return [f"{place}/{name}" for name in os.listdir(place)]  # noqa: PTH208 - as above
    except OSError:  # it has ended
        return []


def _stat(place: str) -> list[bytes]:
    """The fields of a process or thread from its state on; none where it has ended."""
    return _read(f"{place}/stat").rpartition(b")")[2].split()


def _own_memory(pid: int) -> int:
    """Memory that no file backs; what a fork shares with its parent is counted again."""
    names = (b"RssAnon:", b"RssShmem:", b"VmSwap:")
    return _kilobytes(f"/proc/{pid}/status", names) * 1024


def _fair_memory(pid: int) -> int:
    """Its share of memory: what it shares with others counts in part."""
    names = (b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:")
    share = _kilobytes(f"/proc/{pid}/smaps_rollup", names) * 1024
    return share or _own_memory(pid)


def _kilobytes(file: str, names: tuple[bytes, ...]) -> int:
    lines = _read(file).splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(names))


def _read(file: str) -> bytes:
    """What is in a file of /proc; nothing where the process has ended."""
    try:
        with open(file, "rb", buffering=0) as stream:  # noqa: PTH123 - takes half as long
            return stream.read()
    except OSError:
        return b""
