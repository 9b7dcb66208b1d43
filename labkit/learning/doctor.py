"""What this machine can do for the labs, and what to type where it cannot."""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from labkit.errors import LabkitError
from labkit.machine.cores import cores

PACKAGES = (
    "keras",
    "numpy",
    "matplotlib",
    "scikit-learn",
    "jupyterlab",
    "nbgrader",
    "nbclient",
    "jupytext",
)
INSTALL = "make setup"


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
    for name in PACKAGES:
        yield _package(name)
    yield _nbgrader_command()
    yield _backend()
    yield _accelerator()
    yield _arithmetic()
    yield from _speed()
    yield _confinement()
    yield from _data()


def _python() -> Finding:
    version = platform.python_version()
    good = (3, 10) <= sys.version_info[:2] <= (3, 13)
    advice = (
        ""
        if good
        else "Install Python 3.10 to 3.13, then type: make setup PYTHON=python3.11"
    )
    return Finding("Python", f"{version} at {sys.executable}", good, advice=advice)


def _machine() -> Finding:
    memory = ""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        memory = f", {size / 2**30:.0f} GiB memory"
    return Finding(
        "machine",
        f"{platform.system()} {platform.machine()}, {cores()} cores{memory}",
    )


def _package(name: str) -> Finding:
    try:
        return Finding(name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "not installed", good=False, advice=f"Type: {INSTALL}")


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
    packages = {
        "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow_cpu"),
        "jax": ("jax",),
        "torch": ("torch",),
    }
    for package in packages.get(name, ()):
        try:
            return Finding(
                "Keras backend",
                f"{name} ({package} {importlib.metadata.version(package)})",
            )
        except importlib.metadata.PackageNotFoundError:
            continue
    advice = 'Type: pip install -e ".[cpu]" (or ".[gpu]" for a CUDA GPU)'
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
            advice=f"Type: {INSTALL}",
        )
    return Finding(
        "accelerator", found.found, found.good, needed=False, advice=found.advice
    )


def _arithmetic() -> Finding:
    """What training computes in; not a fault anywhere, but it decides how long labs take."""
    try:
        from labkit.training.machine import device

        fast = device().bfloat16
    except Exception:  # said under "accelerator"
        return Finding("arithmetic", "unknown: Keras does not start", needed=False)
    found = "bfloat16, which is fast here" if fast else "float32"
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
        yield Finding("labs", f"Run All takes about {labs}", needed=False)


def _lab_times(speed: float) -> str:
    """What the labs of this course that train take on a machine of this speed, in words."""
    from labkit.course import Course
    from labkit.execution.speed import between
    from labkit.formatting import duration
    from labkit.labs.lab import find_labs, read_lab

    try:
        labs = [read_lab(path) for path in find_labs(Course.here().solutions)]
    except LabkitError:  # not in a course folder
        return ""
    return ", ".join(
        f"{duration(round(between(*lab.run_seconds, speed), -1))} for {lab.name}"
        for lab in labs
        if lab.run_seconds
    )


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
