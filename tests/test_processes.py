"""What processes take, told by /proc and, as on other systems, by psutil."""

import contextlib
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from labkit.sandbox import meter, processes
from tests.test_confinement import gone

# In memory, on top of what Python takes.
SIZE = 2**27
BUSY = f"x = b'x' * {SIZE}\nprint('up', flush=True)\nwhile True: pass"
SLEEPY = "import time\nprint('up', flush=True)\ntime.sleep(600)"
PARENT = (
    "import subprocess, sys\n"
    "with subprocess.Popen([sys.executable, '-Sc', sys.argv[1]]) as child: child.wait()"
)


@pytest.fixture(
    params=[
        pytest.param(
            True,
            marks=pytest.mark.skipif(
                not Path("/proc/self/stat").exists(), reason="needs /proc"
            ),
        ),
        False,
    ],
    ids=["/proc", "psutil"],
)
def told(request, monkeypatch):
    """Who tells of processes: /proc, or psutil."""
    monkeypatch.setattr(processes, "KNOWN", request.param)


@contextlib.contextmanager
def with_a_child(code):
    """A process whose child runs some code, and has begun to."""
    words = [sys.executable, "-Sc", PARENT, code]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "up\n"
        pids = processes.tree(parent.pid)
        try:
            yield pids
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    processes.os.kill(pid, 9)


def reaches(look, value):
    return gone(lambda: look() < value)


def test_what_a_busy_child_takes_counts(told):
    with with_a_child(BUSY) as pids:
        parent, child = pids
        assert reaches(lambda: processes.cpu_seconds(pids), 0.3)
        assert processes.cpu_seconds([child]) > processes.cpu_seconds([parent])
        assert SIZE < processes.memory(pids, 0) < 2 * SIZE
        assert processes.memory([parent], 0) < SIZE


def test_a_sleeping_child_takes_no_time(told):
    with with_a_child(SLEEPY) as pids:
        before = processes.cpu_seconds(pids)
        time.sleep(1)
        assert processes.cpu_seconds(pids) - before < 0.1


def test_one_that_has_ended_takes_nothing(told):
    with subprocess.Popen([sys.executable, "-Sc", ""]) as ended:
        ended.wait()
    assert processes.tree(ended.pid) == [ended.pid]
    assert processes.cpu_seconds([ended.pid]) == processes.memory([ended.pid], 0) == 0


def taken(monkeypatch, cpu_seconds):
    """What counts of 100 s of a cell that has computed so much at each time."""
    now = [0.0]
    monkeypatch.setattr(meter, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(processes, "KNOWN", False)
    monkeypatch.setattr(processes, "cpu_seconds", lambda pids: cpu_seconds(now[0]))
    one = meter.Meter([1])
    one.asked = True
    while now[0] < 100:
        now[0] += meter.LOOK_SECONDS
        one.look([1])
    return one.taken


def test_without_proc_one_that_computes_takes_all_of_its_time(monkeypatch):
    found = taken(monkeypatch, lambda now: now)
    assert found.computing == pytest.approx(100, abs=1) and found.idle == 0
    assert "of computing" in found.excess(90)


def test_without_proc_waiting_for_a_cpu_does_not_count(monkeypatch):
    """A slice of 10 ms each second, as beside a hundred busy processes."""
    found = taken(monkeypatch, lambda now: int(now) / 100)
    assert found.computing == pytest.approx(1, abs=0.1) and found.idle == 0
    assert found.excess(11) == ""


def test_without_proc_sleeping_counts_all_the_same(monkeypatch):
    """A kernel that sleeps wakes now and then."""
    found = taken(monkeypatch, lambda now: min(now, 5) + int(now / 10) / 100)
    assert 60 < found.idle < 95
    assert "most of them waiting and not computing" in found.excess(60)
