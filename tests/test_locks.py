"""Two processes at one piece of work: one waits, or is told; a killed one leaves no lock."""

import contextlib
import gc
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labkit.data import cache
from labkit.errors import LabkitError
from labkit.execution.side_by_side import side_by_side
from labkit.grading.gradebook.database import only_grader
from labkit.labs.reference_run import lab_references
from labkit.machine.syntax import parse


@contextlib.contextmanager
def held(code: str, *arguments: Path):
    """Another process that has entered a lock and stays there; killed at the end."""
    program = f"import sys, time\nfrom pathlib import Path\n{code}\n"
    program += "    print('held', flush=True)\n    time.sleep(600)\n"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


GRADES = """\
from labkit.grading.gradebook.database import only_grader
with only_grader(Path(sys.argv[1])):"""


def test_a_second_grader_is_told_at_once_and_a_killed_one_leaves_no_lock(tmp_path):
    with held(GRADES, tmp_path) as first:
        with pytest.raises(LabkitError, match=rf"already \(process {first.pid}\)"):
            only_grader(tmp_path).__enter__()
        first.kill()
        first.wait()
        with only_grader(tmp_path):
            pass


LOCKS = """\
from labkit.data import cache
with cache.lock(Path(sys.argv[1])):"""


def test_work_on_one_file_waits_for_who_does_it_already(tmp_path):
    with held(LOCKS, tmp_path / "a") as first:
        with cache.lock(tmp_path / "b"):  # another file: no wait
            pass
        entered = f"{LOCKS}\n    print(sys.argv[2])"
        command = [
            sys.executable,
            "-c",
            f"import sys\nfrom pathlib import Path\n{entered}",
        ]
        second = subprocess.Popen(
            [*command, str(tmp_path / "a"), "mine"], stdout=subprocess.PIPE, text=True
        )
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(3)
        first.kill()
        assert second.communicate()[0] == "mine\n"


SEEDS = """\
from labkit.course import Course
course = Course.at(Path(sys.argv[1]))
course.create_seed()
print(course.seed)"""


def test_of_two_that_begin_a_course_one_writes_its_seed(course, monkeypatch):
    monkeypatch.delenv("LABKIT_SEED")
    lock = course.build / "seed.lock"
    with held(
        "from filelock import FileLock\nwith FileLock(sys.argv[1]):",
        lock,
    ) as first:
        command = ["-c", f"import sys\nfrom pathlib import Path\n{SEEDS}", course.root]
        second = subprocess.Popen(
            [sys.executable, *map(str, command)], stdout=subprocess.PIPE, text=True
        )
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(5)
        course.settings_file.write_text('seed = "of the first"')
        first.kill()
        assert second.communicate()[0] == "of the first\n"


def test_of_two_who_need_the_same_references_one_makes_them(course):
    path, announced = course.lab("91_tiny"), []

    def make(_):
        return lab_references(path, course.build, "a seed", announced.append)

    first, second = side_by_side(make, range(2), jobs=2)
    assert announced == ["91_tiny: reference run"]
    assert first == second


def test_work_side_by_side_keeps_its_order_and_ends_with_the_first_error():
    begun = []

    def work(number):
        begun.append(number)
        if number == 3:
            raise LabkitError("the third")
        time.sleep(0.1)
        return number * number

    assert side_by_side(work, [2, 1], jobs=2) == [4, 1]
    with pytest.raises(LabkitError, match="the third"):
        side_by_side(work, [3, *range(4, 100)], jobs=1)
    assert len(begun) < 50


def test_two_threads_parse_at_once():
    """Python 3.11.7's own `ast.parse` fails here, one time in some hundreds."""
    lines = "[[x + {n}, (x * 2) ** {n}] for x in range({n}) if x]\n"
    source = "".join(lines.format(n=number) for number in range(60))
    before, interval = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(50)
    sys.setswitchinterval(1e-6)
    gc.callbacks.append(_let_others_run)
    try:
        trees = side_by_side(parse, [source] * 300, jobs=8)
    finally:
        gc.callbacks.remove(_let_others_run)
        gc.set_threshold(*before)
        sys.setswitchinterval(interval)
    assert {len(tree.body) for tree in trees} == {60}


def _let_others_run(*_: object) -> None:
    time.sleep(0)
