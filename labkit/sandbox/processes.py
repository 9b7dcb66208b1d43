"""Which processes descend from which, and the memory and time they take, from /proc."""

import os
from pathlib import Path

# Whether the system tells of its processes here; Linux does.
KNOWN = Path("/proc/self/stat").exists()


def children() -> dict[int, list[int]]:
    """Every process that has children, and theirs; none where there is no /proc."""
    found: dict[int, list[int]] = {}
    if not KNOWN:
        return found
    for name in os.listdir("/proc"):  # noqa: PTH208 - every fifth of a second
        if name.isdigit():
            parent = _parent(name)
            if parent is not None:
                found.setdefault(parent, []).append(int(name))
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
        fields = _stat(Path("/proc", str(pid)))
        ticks += sum(map(int, fields[11:15])) if fields else 0
    return ticks / os.sysconf("SC_CLK_TCK") if ticks else 0.0


def wanting(pids: list[int]) -> bool:
    """Whether any of their threads computes, or waits for a CPU or for the disk."""
    return any(_state(thread) in ("R", "D") for pid in pids for thread in _threads(pid))


def _threads(pid: int) -> list[Path]:
    place = Path("/proc", str(pid), "task")
    try:
        return [place / name for name in os.listdir(place)]  # noqa: PTH208 - as above
    except OSError:  # it has ended
        return []


def _state(thread: Path) -> str:
    fields = _stat(thread)
    return fields[0] if fields else ""


def _parent(pid: str) -> int | None:
    fields = _stat(Path("/proc", pid))
    return int(fields[1]) if fields else None


def _stat(place: Path) -> list[str]:
    """The fields of a process or thread from its state on; none where it has ended."""
    try:
        text = (place / "stat").read_text(errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _own_memory(pid: int) -> int:
    """Memory that no file backs; what a fork shares with its parent is counted again."""
    return _kilobytes(pid, "status", ("RssAnon:", "RssShmem:")) * 1024


def _fair_memory(pid: int) -> int:
    """Its share of memory: what it shares with others counts in part."""
    share = _kilobytes(pid, "smaps_rollup", ("Pss_Anon:", "Pss_Shmem:")) * 1024
    return share or _own_memory(pid)


def _kilobytes(pid: int, file: str, names: tuple[str, ...]) -> int:
    try:
        lines = Path("/proc", str(pid), file).read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(names))
