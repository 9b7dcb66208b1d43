"""What this machine can do for the labs, and what to type where it cannot."""

import contextlib
import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from labkit.checks.protocol import EXPECTED
from labkit.checks.references import References
from labkit.checks.released import released_labs
from labkit.errors import LabkitError, extras, install_command, libraries
from labkit.formatting import counted
from labkit.machine.cores import cores

# Machines for which TensorFlow makes no releases any more, or never did.
_NO_TENSORFLOW = {("Darwin", "x86_64"), ("Windows", "ARM64")}
# For whom an extra is; without it the rest works.
_WHO = {
    "train": "labs that train networks",
    "grade": "instructors and authors",
    "kaggle": "downloads from Kaggle and uploads to it",
    "cluster": "grading on several machines",
}


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what was found, and what to type where it falls short."""

    topic: str
    found: str
    good: bool = True
    needed: bool = True
    advice: str = ""


def examine() -> Iterator[Finding]:
    """Look at everything the labs need, the quick things first."""
    yield _python()
    yield _machine()
    yield from map(_extra, extras())
    if find_spec("nbgrader"):
        yield _nbgrader_command()
    if find_spec("keras"):
        yield _backend()
        yield _accelerator()
        yield _arithmetic()
        yield from _speed()
    yield _confinement()
    yield from _data()


def _python() -> Finding:
    version = platform.python_version()
    good = (3, 10) <= sys.version_info[:2] <= (3, 13)
    advice = "" if good else "Install Python 3.10 to 3.13, and this package for it."
    return Finding("Python", f"{version} at {sys.executable}", good, advice=advice)


def _machine() -> Finding:
    memory = ""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        memory = f", {size / 2**30:.0f} GiB memory"
    return Finding(
        "machine",
        f"{platform.system()} {platform.machine()}, {counted(cores(), 'core')}{memory}",
    )


def _extra(extra: str) -> Finding:
    """What of an extra is here; who does not need it loses nothing without it."""
    found, missing = [], []
    names = importlib.metadata.packages_distributions()
    for library in libraries(extra):
        if library in names:
            version = importlib.metadata.version(names[library][0])
            found.append(f"{library} {version}")
        else:
            missing.append(library)
    if not missing:
        return Finding(f"[{extra}]", ", ".join(found), needed=False)
    return Finding(
        f"[{extra}]",
        f"for {_WHO[extra]}: {', '.join(missing)} not installed",
        good=False,
        needed=False,
        advice=f"Who needs it types: {install_command(extra)}",
    )


def _nbgrader_command() -> Finding:
    # nbgrader starts alembic by name when it makes or upgrades a gradebook.
    missing = [name for name in ("nbgrader", "alembic") if shutil.which(name) is None]
    if not missing:
        return Finding("nbgrader commands", "on the PATH")
    advice = "Type: source .venv/bin/activate"
    return Finding(
        "nbgrader commands",
        f"{' and '.join(missing)} not on the PATH",
        good=False,
        needed=False,
        advice=advice,
    )


def _backend() -> Finding:
    name = os.environ.get("KERAS_BACKEND", "tensorflow")
    packages = importlib.metadata.packages_distributions().get(name)
    if packages:
        version = importlib.metadata.version(packages[0])
        return Finding("Keras backend", f"{name} ({packages[0]} {version})")
    advice = f"Type: {install_command('train')}"
    if name != "tensorflow":
        advice = f"Type: pip install {name}"
    elif (platform.system(), platform.machine()) in _NO_TENSORFLOW:
        advice = "TensorFlow has ended for this kind of machine: docs/platforms.md"
    return Finding("Keras backend", f"{name}: not installed", good=False, advice=advice)


def _accelerator() -> Finding:
    from labkit.machine.diagnosis import diagnose
    from labkit.machine.facts import gather

    try:
        found = diagnose(gather())
    except Exception as error:
        return Finding(
            "accelerator",
            f"Keras does not start: {type(error).__name__}: {error}",
            good=False,
            advice=f"Type: {install_command('train')}",
        )
    return Finding(
        "accelerator", found.found, found.good, needed=False, advice=found.advice
    )


def _arithmetic() -> Finding:
    """What training computes in; not a fault anywhere, but it decides how long labs take."""
    try:
        from labkit.training.machine import device

        here = device()
    except Exception:  # said under "accelerator"
        return Finding("arithmetic", "unknown: Keras does not start", needed=False)
    found = "bfloat16, which is fast here" if here.bfloat16 else "float32"
    if here.kind == "CPU":
        found += f' (class of machine: "{"fast" if here.bfloat16 else "laptop"}")'
    if os.environ.get("KERAS_BACKEND") != "tensorflow":
        return Finding("arithmetic", found, needed=False)
    onednn = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "TensorFlow's choice")
    said = {"1": "on", "0": "off"}.get(onednn, onednn)
    return Finding("arithmetic", f"{found}; oneDNN: {said}", needed=False)


def _speed() -> Iterator[Finding]:
    """How fast the labs train here, and what follows from it; never a fault."""
    from labkit.execution.execute import grading_environment
    from labkit.execution.speed import speed, stretch

    environment = grading_environment()
    found = speed(environment)
    if found is None:
        text = "unknown: a small network does not train here"
        yield Finding("speed", text, needed=False)
        return
    times = stretch(environment)
    limits = "those" if times < 1.05 else f"{times:.1f} times those"
    yield Finding(
        "speed",
        f"learns {round(found, -2):,.0f} pictures a CPU second (a small network): "
        f"the limits at grading are {limits} in course.toml",
        needed=False,
    )
    if labs := _lab_times(found):
        from labkit.training.machine import device

        text = f"Run All takes about {labs}"
        if device().kind == "GPU":  # with which no lab was timed
            text += "; without the GPU"
        yield Finding("labs", text, needed=False)


def _lab_times(speed: float) -> str:
    """What the labs here that train take on a machine of this speed, in words."""
    from labkit.execution.speed import between
    from labkit.formatting import duration

    return ", ".join(
        f"{duration(round(between(*lab.guide.run_seconds, speed), -1))} for {lab.lab}"
        for lab in _released()
        if lab.guide.run_seconds
    )


def _released() -> list[References]:
    """What came with the labs that somebody works on here.

    In a course folder those it releases; elsewhere those in this folder or in the one
    that `labkit lab` makes, else those of the package.
    """
    from labkit.course import Course

    try:
        return _readable(Course.here().notebooks)
    except LabkitError:
        here = Path.cwd()
    return _readable(here) or _readable(here / "work") or _readable(released_labs())


def _readable(folder: Path) -> list[References]:
    """What came with the labs in a folder, in order, where it can be read."""
    found = []
    for path in sorted(folder.glob(f"*/{EXPECTED}")):
        with contextlib.suppress(LabkitError):  # `labkit lab` makes it anew
            found.append(References.load(path))
    return found


def _confinement() -> Finding:
    from labkit.sandbox.confinement import strength

    found = strength()
    if found.full:
        return Finding(
            "confinement", "full: submissions are shut off from this machine"
        )
    return Finding(
        "confinement",
        f"{found.name}: {found.explanation}",
        good=False,
        needed=False,
        advice=found.advice,
    )


def _data() -> Iterator[Finding]:
    from labkit import data

    for one in data.inventory():
        if one.present:
            yield Finding(f"data: {one.name}", str(one.present))
        else:
            advice = f"For the real pictures, type: labkit data fetch {one.name}"
            yield Finding(
                f"data: {one.name}",
                f"absent; {one.stand_in} stand in for it",
                good=False,
                needed=False,
                advice=advice,
            )
