"""Limits of time: what a submission computes counts, not what other programs do to it."""

import json
import time
from types import SimpleNamespace

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from labkit.authoring.gate import CellTime, _budget_faults
from labkit.execution import speed
from labkit.execution.execute import execute, grading_environment
from labkit.execution.job import with_outputs
from labkit.execution.run_metadata import RunMetadata
from labkit.grading.judging import limit_reached
from labkit.sandbox import meter, processes
from labkit.sandbox.meter import Taken
from tests.busy import crowded_core
from tests.hostile import run

ENDLESS = "while True: pass"
pytestmark = pytest.mark.skipif(
    not processes.KNOWN, reason="needs /proc, to tell computing from waiting"
)


@pytest.fixture
def no_clock(monkeypatch):
    """The clock ends nothing: other programs may take the CPUs for as long as they like."""
    monkeypatch.setattr(meter, "BACKSTOP", 10**6)


@pytest.mark.usefixtures("no_clock")
def test_a_cell_that_computes_too_long_is_told_so(machine):
    machine(1)
    ran = run(ENDLESS, "print('next')", cell_seconds=1)
    limit = "the cell took more than 1 s of computing and was stopped"
    assert f"TimeLimit: {limit}" in ran.errors[0]
    assert limit_reached(ran.cells[0]) == limit
    assert ran.texts[1] == "next"


@pytest.mark.usefixtures("no_clock")
def test_a_cell_that_sleeps_too_long_is_told_so(machine):
    machine(1)
    ran = run("import time; time.sleep(10**6)", "print('next')", cell_seconds=1)
    assert "more than 1 s, most of them waiting and not computing" in ran.errors[0]
    assert ran.texts[1] == "next"


def test_a_limit_that_a_notebook_claims_is_forgotten(tmp_path):
    cell = new_code_cell("print('done')", metadata={"labkit": {"limit": "a lie"}})
    handed_in = new_notebook(cells=[cell], metadata={"labkit": {"stopped": "a lie"}})
    ran = execute(handed_in, tmp_path, grading_environment())
    assert RunMetadata.of(ran) == RunMetadata()
    assert "done" in ran.cells[0].outputs[0].text
    assert "labkit" not in ran.cells[0].metadata
    assert limit_reached(with_outputs(handed_in, ran).cells[0]) == ""


@pytest.mark.usefixtures("no_clock")
@pytest.mark.parametrize(
    "program",
    [
        f"run({ENDLESS!r})",
        "while True: run('sum(range(2 * 10**6))')",
        f"[subprocess.Popen([sys.executable, '-Sc', {ENDLESS!r}]) for _ in range(2)]\n"
        "time.sleep(10**6)",
    ],
    ids=["one", "many short ones", "two at once"],
)
def test_what_a_cell_has_others_compute_counts(machine, program):
    machine(1)
    begin = (
        "import subprocess, sys, time\n"
        "run = lambda code: subprocess.run([sys.executable, '-Sc', code])\n"
    )
    ran = run(begin + program, cell_seconds=1)
    assert "the cell took more than 1 s of computing" in ran.errors[0]


@pytest.mark.usefixtures("no_clock")
def test_waiting_for_a_cpu_does_not_count(machine):
    machine(1)
    compute = "end = time.process_time() + 0.6\nwhile time.process_time() < end: pass"
    with crowded_core(8) as core:
        here = f"import os, time; os.sched_setaffinity(0, {{{core}}})"
        start = time.monotonic()
        ran = run(here, compute, "print('done')", cell_seconds=3)
        assert time.monotonic() - start > 3
    assert ran.errors == ["", "", ""]
    assert ran.texts[2] == "done"


@pytest.mark.usefixtures("no_clock")
def test_limits_grow_on_a_slower_machine(machine):
    machine(3)
    compute = "import time\nwhile time.process_time() < begin + 1.5: pass"
    ran = run("import time; begin = time.process_time()", compute, cell_seconds=1)
    assert ran.errors == ["", ""]
    ran = run(ENDLESS, cell_seconds=1)
    assert "the cell took more than 3 s of computing" in ran.errors[0]


class LeapingClock:
    """A clock that leaps while a cell runs, as if other programs had the CPU so long."""

    def __init__(self, seconds):
        self._seconds = seconds
        self._looks = None

    def on_cell(self, **_):
        self._looks = 0

    def monotonic(self):
        if self._looks is None:
            return time.monotonic()
        self._looks += 1
        return time.monotonic() + (self._seconds if self._looks > 3 else 0)


def test_the_clock_s_own_limit_grows_on_a_slower_machine(machine, monkeypatch):
    machine(3)
    compute = (
        "import time\nend = time.process_time() + 2\n"
        "while time.process_time() < end: pass"
    )
    limits = {"cell_seconds": 10, "seconds": 10}
    for seconds, stopped in ((150, ""), (350, "was not done after 300 s on the clock")):
        clock = LeapingClock(seconds)
        monkeypatch.setattr(meter, "time", SimpleNamespace(monotonic=clock.monotonic))
        code = ENDLESS if stopped else compute
        ran = run(code, on_cell=clock.on_cell, **limits)
        assert stopped in ran.errors[0]
        assert bool(ran.errors[0]) == bool(stopped)
    assert Taken(computing=300, clock=3500).excess(120, 3) == ""
    late = Taken(computing=300, clock=3700).excess(120, 3)
    assert late == "was not done after 3600 s on the clock"


def test_a_faster_machine_shortens_no_limit_and_the_slowest_has_an_end(machine):
    machine(0.2)
    assert speed.stretch(grading_environment()) == 1
    machine(100)
    assert speed.stretch(grading_environment()) == 10


def test_the_gate_stretches_its_budget(machine):
    ran = new_notebook(cells=[new_code_cell("")])
    RunMetadata(cpu_seconds=12.0).write(ran)
    times = [CellTime("Pooling", "slow()", 11.0)]
    machine(1)
    (fault,) = _budget_faults(ran, times, 5)
    assert "takes 12 CPU seconds at grading, its budget is 5; the slowest" in fault
    machine(2)
    (fault,) = _budget_faults(ran, times, 5)
    assert "its budget is 5, 10 on this slower machine; the slowest" in fault
    machine(3)
    assert _budget_faults(ran, times, 5) == []


def test_the_speed_is_measured_once_and_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    environment = grading_environment()
    kept = speed.place(environment)
    kept.write_text('{"pictures_per')  # by a process that was killed, say
    found = speed.speed(environment)
    assert found > 10
    assert json.loads(kept.read_text()) == {"pictures_per_cpu_second": found}
    written = kept.stat().st_mtime_ns
    assert speed.speed(environment) == found
    assert kept.stat().st_mtime_ns == written


def test_other_arithmetic_or_threads_have_a_speed_of_their_own():
    environment = grading_environment()
    others = [{"ONEDNN_MAX_CPU_ISA": "SSE41"}, {"OMP_NUM_THREADS": "8"}, {"TF_X": "1"}]
    places = {speed.place({**environment, **other}) for other in [{}, *others]}
    assert len(places) == 4
    assert speed.place({**environment, "LABKIT_PROFILE": "full"}) in places


def test_where_nothing_trains_the_limits_are_the_stated_ones(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    environment = {**grading_environment(), "KERAS_BACKEND": "none"}
    assert speed.speed(environment) is None
    assert speed.stretch(environment) == 1
