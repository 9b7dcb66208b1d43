"""Ways that are taken on other systems, tried here: told that this is another machine."""

import importlib.metadata
import platform
import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from labkit import errors
from labkit.learning import doctor
from labkit.learning.jupyterlab import lab_command
from tests.conftest import ROOT
from tests.test_setup import requirements

# What `platform` says there, and the TensorFlow that pip takes.
MACHINES = {
    "Linux on Intel": (("Linux", "linux", "posix", "x86_64"), "tensorflow-cpu"),
    "Linux on ARM": (("Linux", "linux", "posix", "aarch64"), "tensorflow"),
    "Apple silicon": (("Darwin", "darwin", "posix", "arm64"), "tensorflow"),
    "Intel Mac": (("Darwin", "darwin", "posix", "x86_64"), None),
    "Windows": (("Windows", "win32", "nt", "AMD64"), "tensorflow-cpu"),
    "Windows on ARM": (("Windows", "win32", "nt", "ARM64"), None),
}


def markers(machine, python="3.12"):
    system, sys_platform, os_name, processor = machine
    return {
        "platform_system": system,
        "sys_platform": sys_platform,
        "os_name": os_name,
        "platform_machine": processor,
        "python_version": python,
        "python_full_version": f"{python}.1",
        "extra": "",
    }


def taken(lines, machine):
    """The names of the requirements that pip would install there."""
    found = map(Requirement, lines)
    return {
        one.name
        for one in found
        if one.marker is None or one.marker.evaluate(markers(machine))
    }


@pytest.mark.parametrize(("machine", "tensorflow"), MACHINES.values(), ids=MACHINES)
def test_the_extra_and_the_lock_take_the_tensorflow_that_there_is(machine, tensorflow):
    text = (ROOT / "requirements-student.lock").read_text()
    locked = re.findall(r"^(\S+==[^\\\n]*)", text, re.M)
    for lines in (requirements("train"), locked):
        found = {n for n in taken(lines, machine) if n.startswith("tensorflow")}
        assert found == ({tensorflow} if tensorflow else set())
    assert {"numpy", "keras", "jupyterlab"} <= taken(locked, machine)


@pytest.mark.parametrize("name", ["Intel Mac", "Windows on ARM"])
def test_the_doctor_knows_the_machines_without_tensorflow(name, monkeypatch):
    (system, _, _, processor), _ = MACHINES[name]
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: processor)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setattr(importlib.metadata, "packages_distributions", dict)
    found = doctor._backend()
    assert not found.good and "docs/platforms.md" in found.advice
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    assert errors.install_command("train") in doctor._backend().advice


def test_jupyterlab_starts_where_nobody_is_root(monkeypatch):
    """Windows knows no effective user."""
    monkeypatch.delattr("os.geteuid", raising=False)
    command = lab_command(Path("work"), browser=False, port=8888)
    assert "--allow-root" not in command and "--no-browser" in command


def test_python_m_labkit_does_what_labkit_does(run_command, tmp_path):
    done = run_command(sys.executable, "-m", "labkit", "--version", folder=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("labkit ")
