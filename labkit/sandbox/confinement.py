"""What a submission's kernel may do, and how well this machine can hold it to that."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from labkit.errors import LabkitError
from labkit.sandbox import bubblewrap, linux

# Read by the grader alone: holds a test to a weaker strength than the machine has.
FORCE = "LABKIT_CONFINEMENT"
STRENGTHS = ("namespaces", "bubblewrap", "plain")
_PROBE_SECONDS = 60
_ATTEMPTS = 3


@dataclass(frozen=True)
class Strength:
    """How well a kernel can be confined here, and in plain words what is left open.

    `failed` says of each stronger one why its trial failed.
    """

    name: str
    missing: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def full(self) -> bool:
        """Whether nothing is left open."""
        return not self.missing

    @property
    def explanation(self) -> str:
        """What is left open, and why nothing stronger is used."""
        return "; ".join((*self.missing, *(f"no {problem}" for problem in self.failed)))

    @property
    def advice(self) -> str:
        """What to do where something is left open."""
        if os.environ.get(FORCE):
            return f"Type: unset {FORCE}"
        if not linux.knows_machine():
            return "Grade what you do not trust in a Linux machine of its own."
        if self.name == "bubblewrap" and os.geteuid() == 0:
            return "Grade as a user who is not root."
        if self.name == "plain":
            docker = "in Docker: --security-opt with each of " + ", ".join(DOCKER_FLAGS)
            if shutil.which("bwrap") is None:
                return f"Type: apt-get install bubblewrap; {docker}"
            return f"It needs user namespaces; {docker}"
        return "It needs Linux 6.12 or later."


# What a container needs for full confinement; docs/containers.md says what each is for.
DOCKER_FLAGS = ("seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined")
_NO_LANDLOCK = (
    "the kernel has no Landlock (Linux 6.12), the second wall around a kernel"
)
_COUNTED = "how many processes it starts is looked at five times a second, not bounded"
_PLAIN = (
    _COUNTED,
    "what a submission writes to the disk is not bounded",
    "it can see which programs run",
)
_PLAIN_UNLOCKED = (
    "a submission's code can read and change every file that you can",
    "it can end your programs",
)
_PLAIN_ELSEWHERE = (
    "it can use the network",
    "its memory is looked at five times a second, not bounded",
    "a process that it detaches can outlive its notebook, and what it takes counts for"
    " nothing",
)
# The first version that keeps signals and abstract sockets inside.
_LANDLOCK_NEEDED = 6


@cache
def strength() -> Strength:
    """The strength that confined kernels have on this machine; the first call tries it.

    Raises LabkitError where LABKIT_CONFINEMENT asks for one that there is not.
    """
    forced = os.environ.get(FORCE, "").strip()
    if forced and forced not in STRENGTHS:
        raise LabkitError(
            f"{FORCE} is {forced!r}; expected one of {', '.join(STRENGTHS)}. Type: unset {FORCE}"
        )
    failed: list[str] = []
    for name in [forced] if forced else STRENGTHS:
        problem = _TRIALS[name]()
        if not problem:
            return Strength(name, _missing(name), tuple(failed))
        failed.append(f"{name}: {problem}")
    raise LabkitError(
        f"{FORCE} is {forced!r}, which does not work here: {problem}. Type: unset {FORCE}"
    )


def require_full() -> None:
    """Raise LabkitError where this machine leaves something open to a submission."""
    if not strength().full:
        raise LabkitError(
            f"Submissions cannot be confined here as required ({strength().name}): "
            f"{strength().explanation}. {strength().advice}"
        )


def _missing(name: str) -> tuple[str, ...]:
    version = linux.landlock_version()
    if name == "plain":
        unlocked = () if version >= _LANDLOCK_NEEDED else _PLAIN_UNLOCKED
        elsewhere = () if linux.knows_machine() else _PLAIN_ELSEWHERE
        return unlocked + elsewhere + _PLAIN
    # The system does not count root's processes, and bubblewrap leaves root root.
    uncounted = name == "bubblewrap" and os.geteuid() == 0
    one_wall = version < _LANDLOCK_NEEDED
    return (_NO_LANDLOCK,) * one_wall + (_COUNTED,) * uncounted


def _try_namespaces() -> str:
    if not linux.knows_machine():
        return "this is not Linux on x86-64 or ARM64"
    return _try([sys.executable, "-m", "labkit.sandbox.namespaces"])


def _try_bubblewrap() -> str:
    if not linux.knows_machine():
        return "this is not Linux on x86-64 or ARM64"
    if shutil.which("bwrap") is None:
        return "there is no command bwrap (apt-get install bubblewrap)"
    return _try(bubblewrap.trial())


def _try(command: list[str]) -> str:
    """Why a command fails each time; nothing where it does not. One may fail by chance."""
    for _ in range(_ATTEMPTS):
        problem = _problem(command)
        if not problem:
            return ""
    return problem


def _problem(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command,
            cwd="/",  # a course may hold a folder labkit of its own
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PROBE_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    said = done.stderr.strip().splitlines()
    return said[-1] if said else f"it ended with status {done.returncode}"


_TRIALS: dict[str, Callable[[], str]] = {
    "namespaces": _try_namespaces,
    "bubblewrap": _try_bubblewrap,
    "plain": lambda: "",
}


def can_fork() -> bool:
    """Whether kernels can be forked from a warm parent on this machine."""
    return linux.knows_machine() and hasattr(os, "pidfd_open")
