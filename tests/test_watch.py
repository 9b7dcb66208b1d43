"""`labkit release --watch`: what a save shows, of the exercise that changed alone."""

import os
import signal
import subprocess
import sys

from labkit.authoring.watch import changed_exercises, look
from labkit.labs.lab import read_lab

LAB = "91_tiny"


def change(course, old, new):
    path = course.lab(LAB)
    before = read_lab(path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path, before


def test_only_the_exercise_that_changed_is_looked_at(course):
    path, before = change(course, "return 2 * np", "return 2.0 * np")
    found = look(course, path, before)
    assert (found.exercises, found.faults) == (["double"], [])
    # A fault below it is no matter: nothing there is run.
    path, before = change(course, "return x\n    ### END", "return y\n    ### END")
    assert changed_exercises(before, read_lab(path)) == ["noisy"]
    path, before = change(course, "2.0 * np", "2 * np")
    assert look(course, path, before).faults == []


def test_what_is_given_concerns_all_of_them(course):
    path, before = change(course, "import sys\n", "import os\nimport sys\n")
    found = look(course, path, before)
    assert found.exercises == ["double", "half_of_ten", "noisy"]
    assert found.faults == []


def test_a_mistake_that_is_not_caught_is_told_with_its_line(course):
    path, before = change(course, "np.asarray(x) + 2", "np.asarray(x) * 2")
    (fault,) = look(course, path, before).faults
    lines = path.read_text().splitlines()
    line = lines.index('# %% mistakes="double"') + 1
    assert fault.startswith(f"{path}:{line}: ")
    assert "does not catch the mistake adds_two" in fault


def test_what_no_drawn_check_catches_is_told_with_its_line(course):
    at_255 = "    return np.minimum(2 * np.asarray(x, float), 255)"
    mistake = f'def ends_at_a_byte(x):\n    """You stop at 255."""\n{at_255}\n\n\n'
    byte = 'check("a byte", double(np.uint8(200)), weight=0.5)\n'
    change(course, "rng = check.rng()\n", f"{byte}rng = check.rng()\n")
    path, before = change(course, "def adds_two(x):", f"{mistake}def adds_two(x):")
    (fault,) = look(course, path, before).faults
    line = path.read_text().splitlines().index('# %% check="double" points=3') + 1
    assert fault.startswith(
        f"{path}:{line}: no drawn check catches the mistake ends_at"
    )


def test_a_text_that_cannot_be_read_is_told_with_its_line(course):
    path, before = change(course, "half_of_ten = 5", "half_of_ten = (5")
    (fault,) = look(course, path, before).faults
    line = path.read_text().splitlines().index("half_of_ten = (5") + 1
    assert fault.startswith(f"{path}:{line}: is not Python")


def test_the_command_tells_it_at_each_save_and_writes_nothing(course):
    command = [sys.executable, "-m", "labkit.cli", "release", "--watch"]
    with subprocess.Popen(
        command,
        cwd=course.root,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout.readline().startswith("Watching.")
        change(course, "half_of_ten = 5", "half_of_ten = (5")
        told = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert told[0].startswith(f"{LAB}.py: its text: 1 wrong")
    assert ": is not Python" in told[1]
    assert process.returncode == 128 + signal.SIGTERM and not course.notebooks.exists()
