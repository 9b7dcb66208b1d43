"""What a confined kernel may use: a policy, and the files that it may see."""

import os
import site
import sys
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30
MIB = 2**20
# The longest message that is taken from a kernel; one that sends a longer is cut off.
MESSAGE_BYTES = 24 * MIB
# Where a kernel with a file system of its own finds its home and the notebook's files.
HOME = Path("/home/student")
FOLDER = HOME / "lab"


@dataclass(frozen=True)
class Policy:
    """What a confined kernel may use; sizes in bytes, for all of its processes together.

    `readable`: files and folders beyond Python, this package and the system's own.
    `disk` is what it may write in all, in memory: nothing it writes reaches a disk.
    `cpu_seconds` is for each process, a last bound far above what is allowed in all.
    """

    readable: tuple[Path, ...] = ()
    memory: int = 4 * GIB
    disk: int = 512 * MIB
    cpu_seconds: int = 6000
    processes: int = 512
    open_files: int = 1024


def visible_paths(policy: Policy) -> list[Path]:
    """Every file and folder that a confined kernel may read, those inside others left out."""
    kept: list[Path] = []
    found = {path.resolve() for path in _named(policy) if path.exists()}
    for path in sorted(found, key=lambda path: len(path.parts)):
        if not any(path.is_relative_to(other) for other in kept):
            kept.append(path)
    return kept


def links_to(policy: Policy) -> dict[Path, str]:
    """The symbolic links on the ways to those files, by place: Python knows them by these."""
    links = {}
    for path in _named(policy):
        place, rest, followed = Path("/"), list(path.parts[1:]), 0
        while rest:
            place /= rest.pop(0)
            if place.is_symlink() and followed < _MOST_LINKS:
                followed += 1
                links[place] = str(place.readlink())
                target = os.path.normpath(place.parent / links[place])
                place, rest = Path("/"), [*Path(target).parts[1:], *rest]
    return links


def _named(policy: Policy) -> list[Path]:
    package = Path(__file__).absolute().parents[1]
    registry = package.parent / "datasets" / "registry.toml"
    readable = [path.absolute() for path in policy.readable]
    return [*_SYSTEM_PATHS, *_python_paths(), package, registry, *readable]


_MOST_LINKS = 40  # on one way, as the system has it; a link to itself has no end
_SYSTEM_PATHS = [
    Path(path)
    for path in (
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/lib32",
        "/lib64",
        "/nix/store",
        "/etc/alternatives",
        "/etc/fonts",
        "/etc/ld.so.cache",
        "/etc/localtime",
        "/etc/mime.types",
        "/etc/ssl/certs",
        "/sys/devices/system/cpu",
    )
]


def _python_paths() -> list[Path]:
    """The interpreter and what is installed in it; never a folder of somebody's project."""
    prefixes = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
    installed = [
        entry
        for entry in (*sys.path, site.getusersitepackages())
        if Path(entry).name in ("site-packages", "dist-packages")
    ]
    return [Path(path) for path in (*prefixes, *installed) if path != "/"]
