"""Which processes descend from which, and the memory and time they take, from /proc.

Looked at five times a second for each kernel. psutil takes twice the CPU time for it, and
knows neither the states of threads nor how much of memory no file backs.
"""

import os
from pathlib import Path

# Whether the system tells of its processes here; Linux does.
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
    below, found = children(), [root]
    for pid in found:
        found += below.get(pid, [])
    return found


def memory(pids: list[int], enough: int) -> int:
    """Bytes of memory that processes take, shared ones counted once.

    Counted exactly, which takes long, only where a rough count is above `enough`.
    """
    rough = sum(_own_memory(pid) for pid in pids)
    return rough if rough <= enough else sum(_fair_memory(pid) for pid in pids)


def cpu_seconds(pids: list[int]) -> float:
    """CPU seconds that processes have used, and those of their children that have ended."""
    ticks = 0
    for pid in pids:
        ticks += sum(map(int, _stat(f"/proc/{pid}")[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK") if ticks else 0.0


def wanting(pids: list[int]) -> bool:
    """Whether any of their threads computes, or waits for a CPU or for the disk."""
    threads = (thread for pid in pids for thread in _threads(pid))
    return any(_stat(thread)[:1] in ([b"R"], [b"D"]) for thread in threads)


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
