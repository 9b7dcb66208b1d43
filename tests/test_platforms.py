"""Ways that are taken on other systems, tried here: told that this is another machine."""

import importlib.metadata
import platform
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from nbformat.v4 import new_code_cell, new_notebook
from packaging.requirements import Requirement

from labkit import errors
from labkit.errors import LabkitError
from labkit.execution.execute import execute, grading_environment
from labkit.kernels import provisioner
from labkit.learning import doctor
from labkit.learning.jupyterlab import lab_command
from labkit.sandbox import linux, meter, processes
from labkit.sandbox.confinement import can_fork, require_full, strength
from labkit.sandbox.policy import GIB
from tests.conftest import ROOT
from tests.hostile import SMALL, run
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


@pytest.fixture
def elsewhere(monkeypatch, machine):
    """A grader that finds no Linux: it cannot fork, knows no walls, reads no /proc.

    Its kernels are this machine's all the same, and raise what walls they find.
    """
    machine(1)
    monkeypatch.setattr(linux, "knows_machine", lambda: False)
    monkeypatch.setattr(processes, "KNOWN", False)
    monkeypatch.setattr(meter, "BACKSTOP", 10**6)  # no test depends on the clock
    strength.cache_clear()
    yield
    strength.cache_clear()


@pytest.fixture
def windows(monkeypatch, elsewhere):
    """As `elsewhere`, where kernels are started by a command and reached by TCP."""
    monkeypatch.setattr(provisioner, "os", SimpleNamespace(name="nt"))


def test_elsewhere_the_grader_says_what_is_open(elsewhere):
    found = strength()
    assert found.name == "plain" and not found.full
    for open_there in (
        "can read and change every file that you can",
        "can end your programs",
        "can use the network",
        "its memory is looked at five times a second, not bounded",
        "detaches can outlive its notebook",
        "disk is not bounded",
        "this is not Linux on x86-64 or ARM64",
    ):
        assert open_there in found.explanation
    assert found.advice == "Grade what you do not trust in a Linux machine of its own."
    with pytest.raises(LabkitError, match="cannot be confined here as required"):
        require_full()


HERE = "from pathlib import Path; print(Path('numbers.txt').read_text())"
NOT_FORKED = "import sys; print('tensorflow' in sys.modules)"


@pytest.mark.parametrize("system", ["elsewhere", "windows"])
def test_a_kernel_starts_where_none_can_be_forked(system, request, tmp_path):
    request.getfixturevalue(system)
    assert not can_fork()
    (tmp_path / "numbers.txt").write_text("1 2")
    ran = run(HERE, NOT_FORKED, folder=tmp_path)
    assert ran.errors == ["", ""]
    assert ran.texts == ["1 2", "False"]
    # As `labkit run` and a student's own kernel: without a policy.
    notebook = new_notebook(cells=[new_code_cell(HERE)])
    ran = execute(notebook, tmp_path, grading_environment())
    assert ran.cells[0].outputs[0].text == "1 2\n"


@pytest.mark.parametrize("system", ["elsewhere", "windows"])
def test_the_grader_s_own_limits_hold_there(system, request):
    request.getfixturevalue(system)
    sleep = "import time; time.sleep(10**6)"
    ran = run("while True: pass", sleep, "print('next')", cell_seconds=1)
    assert "the cell took more than 1 s of computing" in ran.errors[0]
    assert "more than 1 s, most of them waiting and not computing" in ran.errors[1]
    assert ran.texts[2] == "next"
    # Shared, so that no limit of this machine's own ends it first.
    bomb = (
        "import mmap, time\nm = mmap.mmap(-1, 3 * 2**30)\n"
        "for i in range(0, len(m), 4096): m[i] = 1\n"
        "time.sleep(600)"
    )
    ran = run(bomb, "print('next')", policy=replace(SMALL, memory=GIB))
    assert (
        ran.stopped == "The notebook took more than 1024 MiB of memory and was ended."
    )


def test_windows_has_no_limits_of_the_system_s(run_command, tmp_path):
    code = (
        "import resource, sys\n"
        "from labkit.sandbox import linux\n"
        "from labkit.sandbox.policy import Policy\n"
        "before = resource.getrlimit(resource.RLIMIT_DATA)\n"
        "sys.modules['resource'], sys.platform = None, 'win32'\n"
        "from labkit.sandbox import walls\n"
        "walls.set_limits(Policy(), own_user=True)\n"
        "assert 'resource' not in vars(walls)\n"
        "assert resource.getrlimit(resource.RLIMIT_DATA) == before\n"
    )
    done = run_command(sys.executable, "-c", code, folder=tmp_path)
    assert done.returncode == 0, done.stderr
