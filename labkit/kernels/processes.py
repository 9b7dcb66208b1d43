"""Which processes descend from which, and the memory they take, from /proc."""

import os
from pathlib import Path


def children() -> dict[int, list[int]]:
    """Every process that has children, and theirs; none where there is no /proc."""
    found: dict[int, list[int]] = {}
    if not Path("/proc/self").exists():
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


def _parent(pid: str) -> int | None:
    try:
        text = Path("/proc", pid, "stat").read_text(errors="replace")
    except OSError:  # it has ended
        return None
    return int(text.rpartition(")")[2].split()[1])


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
