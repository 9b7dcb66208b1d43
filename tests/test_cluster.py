"""Grading on the workers of a real Dask scheduler, one of which dies on the way."""

import os
import signal
import socket
import subprocess
import sys
import time

import nbformat
import pytest

from labkit.course import Limits
from labkit.errors import LabkitError
from labkit.execution import cluster
from labkit.execution.job import Job, run_job_elsewhere
from labkit.execution.keys import package_hash
from labkit.grading.engine import read_grades
from labkit.labs.answers import solve
from labkit.labs.lab import read_lab
from labkit.sandbox import confinement

pytest.importorskip("distributed", reason="Dask is not installed")
LAB = "91_tiny"
STUDENTS = 8


def dask_command(kind):
    return [sys.executable, "-m", f"distributed.cli.dask_{kind}"]


WORKER = [*dask_command("worker"), "--nthreads", "1", "--no-nanny", "--no-dashboard"]


@pytest.fixture
def start(tmp_path):
    """Start a process in the background, in a folder of its own; all end with the test."""
    started = []

    def start(*words, **environment):
        place = tmp_path / f"process-{len(started)}"
        place.mkdir()
        log = (place / "log").open("w")
        # Not this test's cache: a worker on another machine shares nothing.
        own = {"LABKIT_CACHE": str(place / "cache"), **environment}
        process = subprocess.Popen(
            words,
            cwd=place,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **own},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def scheduler(start):
    """The address of a scheduler with two workers, and the workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    options = ["--host", "127.0.0.1", "--no-dashboard"]
    start(*dask_command("scheduler"), *options, "--port", str(port))
    workers = [start(*WORKER, address) for _ in range(2)]
    return address, workers


def hand_in_class(course):
    lab = read_lab(course.solutions / LAB / f"{LAB}.py")
    blank = nbformat.read(course.notebooks / LAB / f"{LAB}.ipynb", as_version=4)
    solved = solve(blank, lab)
    # Long enough that a worker can be killed while it is at work; nobody's is another's.
    solved.cells.insert(3, nbformat.v4.new_code_cell())
    for number in range(STUDENTS):
        solved.cells[3].source = f"import time; time.sleep(1)  # {number}"
        folder = course.submitted / f"student_{number}" / LAB
        folder.mkdir(parents=True)
        nbformat.write(solved, folder / f"{LAB}.ipynb")


def wait_for_workers(address, count):
    from distributed import Client

    with Client(address, timeout=60) as client:
        client.wait_for_workers(count, timeout=60)


def test_workers_that_die_cost_no_submission(released_course, scheduler, start):
    """First one of two, then the last: with it the data go that every job needs."""
    course, (address, workers) = released_course, scheduler
    hand_in_class(course)
    wait_for_workers(address, 2)
    grader = subprocess.Popen(
        [sys.executable, "-m", "labkit.cli", "grade", "--cluster", address],
        cwd=course.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "LABKIT_SEED": ""},  # a new course, without a course.toml
    )

    def graded():
        runs = (course.build / "executed" / LAB).glob("student_*/*.ipynb")
        return sum(1 for _ in runs)

    end = time.monotonic() + 240
    for worker, number in zip(workers, (1, 4), strict=True):
        while graded() < number:
            assert grader.poll() is None, grader.stdout.read()
            assert time.monotonic() < end
            time.sleep(0.1)
        os.killpg(worker.pid, signal.SIGKILL)
    assert graded() < STUDENTS
    start(*WORKER, address)
    output, _ = grader.communicate(timeout=240)
    assert grader.returncode == 0, output
    assert course.settings_file.is_file()
    assert {one.student: one.score for one in read_grades(course)} == {
        f"student_{number}": 7 for number in range(STUDENTS)
    }


def test_every_worker_must_confine_where_it_is_required(
    released_course, scheduler, start, run_command
):
    course, (address, _) = released_course, scheduler
    hand_in_class(course)
    wait_for_workers(address, 2)
    words = ["labkit", "grade", "--require-confinement", "--cluster", address]
    # What this machine itself can do does not matter.
    forced = {confinement.FORCE: "plain"}
    done = run_command(*words, folder=course.root, apart=True, **forced)
    assert done.returncode == 0, done.stderr
    assert {one.score for one in read_grades(course)} == {7}
    start(*WORKER, address, **forced)
    wait_for_workers(address, 3)
    done = run_command(*words, "--force", folder=course.root)
    assert done.returncode == 2
    assert "The worker tcp://" in done.stderr
    assert "cannot be confined here as required (plain)" in done.stderr


def test_a_worker_that_comes_later_is_asked_with_each_job(monkeypatch):
    monkeypatch.setattr(
        confinement, "strength", lambda: confinement.Strength("none", ("all",))
    )
    job = Job("", {}, {}, Limits())
    with pytest.raises(LabkitError, match="cannot be confined here as required"):
        run_job_elsewhere(job, b"", package_hash(), confined=True)


def test_without_a_scheduler_it_says_what_to_start(
    released_course, run_command, monkeypatch
):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    hand_in_class(released_course)
    done = run_command(
        "labkit", "grade", "--cluster", "tcp://127.0.0.1:9", folder=released_course.root
    )
    assert done.returncode == 2
    assert "Start one with: dask scheduler" in done.stderr
