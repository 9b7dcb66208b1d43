"""The command line: help with examples, clear answers, exit codes."""

import contextlib
import errno
import io
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import nbformat
import psutil
import pytest
import typer
from rich.console import Console

from labkit.authoring.release import release
from labkit.cli import app
from labkit.cli.progress import GradingProgress
from labkit.execution import speed
from labkit.learning import doctor
from tests.conftest import ROOT


def commands(group: typer.core.TyperGroup, *words: str) -> list[list[str]]:
    """The words of each command below a group."""
    found = []
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found += commands(command, *words, name)
        else:
            found.append([*words, name])
    return found


COMMANDS = commands(typer.main.get_command(app))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(words, run_command, tmp_path):
    done = run_command("labkit", *words, "--help", folder=tmp_path)
    assert done.returncode == 0
    assert f"labkit {' '.join(words)}" in done.stdout.split("Examples")[1]


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, labkit\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'numpy', 'nbgrader'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_command_line_loads_no_tensorflow_for_help():
    code = "import sys, labkit.cli; assert not {'tensorflow', 'keras', 'nbgrader'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["check", "nothing.ipynb"], "no such file"),
        (["release", "77"], "No single lab is named '77'"),
        (["run", "77"], "No single lab is named '77'"),
        (["grade"], "No submissions in"),
        (["feedback"], "Type: labkit grade"),
        (["export"], "Type: labkit grade"),
        (["export", "--format", "xml"], "expected one of csv, canvas, moodle"),
        (["report"], "Type: labkit grade"),
        (["similarity"], "No submissions in"),
        (["similarity", "91", "--at-least", "80"], "--at-least"),
        (["data", "fetch", "nonsense"], "nonsense"),
        (["data", "verify", "nonsense"], "nonsense"),
        (["kaggle", "check", "nothing.csv"], "nothing.csv"),
        (["kaggle", "score", "nothing.csv", "--truth", "none.csv"], "none.csv"),
        (["kaggle", "split", "nothing.zip"], "no such folder or zip file"),
        (["kaggle", "leaderboard"], "No true classes"),
        (["kaggle", "leaderboard", "--deadline", "soon"], "no point in time"),
        (["kaggle", "report"], "labkit kaggle report build/run"),
        (["kaggle", "report", "--truth", "x", "--public", "x"], "--public"),
        (["nonsense"], "No such command"),
        (["release", "--nonsense"], "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_gets_one_clear_answer_and_exit_code_2(
    words, text, run_command, course
):
    done = run_command("labkit", *words, folder=course.root)
    assert done.returncode == 2, done.stdout + done.stderr
    assert text in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_outside_a_course_it_says_so(run_command, tmp_path):
    done = run_command("labkit", "grade", folder=tmp_path)
    assert done.returncode == 2
    assert "No course here" in done.stderr


def test_a_release_out_of_date_and_a_failed_check_exit_with_1(run_command, course):
    done = run_command("labkit", "release", "--check", folder=course.root)
    assert done.returncode == 1
    assert "Type: labkit release" in done.stderr
    assert run_command("labkit", "release", folder=course.root).returncode == 0
    assert (
        run_command("labkit", "release", "--check", folder=course.root).returncode == 0
    )
    done = run_command(
        "labkit", "check", "notebooks/91_tiny/91_tiny.ipynb", folder=course.root
    )
    assert done.returncode == 1
    assert "0 of 2 checks\n  ✗ not written yet\n" in done.stdout
    assert "hidden checks" in done.stdout


def test_run_executes_the_solution_and_keeps_its_files(run_command, course):
    done = run_command("labkit", "run", "91", folder=course.root)
    assert done.returncode == 0, done.stderr
    assert "wrote to standard error: " in done.stdout
    ran = (course.build / "run" / "91_tiny" / "91_tiny.ipynb").read_text()
    assert "✓ a table" in ran


def test_run_finds_what_a_lab_brings_along(run_command, course):
    text = course.solutions / "91_tiny" / "91_tiny.py"
    text.with_name("table.csv").write_text("a,b\n1,2\n")
    text.with_name("de.po").write_text("")
    reads = "\n\n# %%\nprint(open('table.csv').read(), 'written', file=open('own.txt', 'w'))\n"
    text.write_text(text.read_text() + reads)
    done = run_command("labkit", "run", "91", folder=course.root)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = course.build / "run" / "91_tiny"
    assert (folder / "own.txt").read_text() == "a,b\n1,2\n written\n"
    assert "own.txt" in done.stdout and "table.csv" not in done.stdout
    assert not list(folder.glob("*.p[yo]"))


def test_run_fails_with_1_where_the_solution_fails(run_command, course, tmp_path):
    path = course.solutions / "91_tiny" / "91_tiny.py"
    path.write_text(
        path.read_text()
        + "\n\n# %%\nif __import__('os').environ.get('LABKIT_EXPECTED'):\n    1 / 0\n"
    )
    done = run_command(
        "labkit", "run", "91", "--out", str(tmp_path / "out"), folder=course.root
    )
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stdout


def test_doctor_names_what_is_there(run_command, course, machine):
    machine(1)
    done = run_command("labkit", "doctor", folder=course.root)
    assert done.returncode == 0, done.stdout
    for topic in (
        "Python",
        "keras",
        "accelerator",
        "pictures a CPU second (a small network): the limits at grading are",
        "data: mnist",
        "labkit data fetch mnist",
    ):
        assert topic in done.stdout


def test_doctor_says_what_training_computes_in(
    run_command, course, machine, monkeypatch
):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    machine(1)
    done = run_command("labkit", "doctor", folder=course.root)
    (line,) = [one for one in done.stdout.splitlines() if "arithmetic" in one]
    assert 'float32 (class of machine: "laptop"); oneDNN: off' in line


def test_doctor_says_what_the_labs_take_on_a_machine_like_this(
    run_command, course, machine, tmp_path_factory
):
    path = course.solutions / "91_tiny" / "91_tiny.py"
    text = path.read_text()
    path.write_text(
        text.replace("minutes: 75", "minutes: 75\n#     run_seconds: [60, 300]")
    )
    release(course)
    # A student has no texts of labs: the released ones tell it, wherever they lie.
    student = tmp_path_factory.mktemp("student")
    shutil.copytree(course.notebooks, student / "work")
    slow = speed.REFERENCE / speed.SLOW
    for folder, times, takes in (
        (course.root, 0.1, "1 min"),
        (student, slow, "5 min"),
        (student / "work", slow, "5 min"),
    ):
        machine(times)
        done = run_command("labkit", "doctor", folder=folder)
        assert f"Run All takes about {takes} for 91_tiny" in done.stdout


def test_doctor_takes_a_lab_that_tells_no_time(run_command, released_course, machine):
    (expected,) = released_course.notebooks.glob("*/expected.json")
    assert "run_seconds" not in expected.read_text()
    other = released_course.notebooks / "of_something_else"
    other.mkdir()
    (other / "expected.json").write_text("[]")
    machine(1)
    done = run_command("labkit", "doctor", folder=released_course.root)
    assert done.returncode == 0, done.stdout
    assert "Run All" not in done.stdout


def test_doctor_names_the_class_of_machine(monkeypatch):
    from labkit.training import machine as training_machine

    here = training_machine.device()
    for kind, bfloat16, named in (
        ("CPU", True, 'class of machine: "fast"'),
        ("CPU", False, 'class of machine: "laptop"'),
        ("GPU", True, "bfloat16"),
    ):
        found = replace(here, kind=kind, bfloat16=bfloat16)
        monkeypatch.setattr(training_machine, "device", lambda found=found: found)
        said = doctor._arithmetic().found
        assert named in said
        assert ("class" in said) == (kind == "CPU")


def test_data_list_shows_every_set(run_command, course):
    done = run_command("labkit", "data", "list", folder=course.root)
    for name in ("mnist", "fashion_mnist", "cifar10", "simpsons"):
        assert name in done.stdout


def test_a_table_in_a_file_has_a_line_for_each_row(run_command, course):
    words = ("labkit", "data", "list")
    done = run_command(*words, folder=course.root, apart=True, COLUMNS="")
    (row,) = [line for line in done.stdout.splitlines() if "cifar10" in line]
    assert "CIFAR-10" in row and "citation" in row


def test_progress_fits_a_terminal_of_80_columns():
    console = Console(width=80, file=io.StringIO())
    with GradingProgress(console) as progress:
        progress.start(128, 0)
        progress.running(None)
        progress.cell("06_simpsons_kaggle", 1, 128, "Exercise: first_layer_filters")
    first, second = console.file.getvalue().splitlines()
    assert re.search(r" 128/128 0:00:\d\d left 0:00:00 1 running, \d+ a minute", first)
    assert re.search(r" 0/128 0:00:\d\d left -:--:--", second)


def test_data_fetch_goes_on_after_one_that_fails(run_command, course, tmp_path):
    words = ["data", "fetch", "mnist", "cifar10", "--to", str(tmp_path / "stick")]
    done = run_command("labkit", *words, folder=course.root)
    assert done.returncode == 1
    assert "mnist:" in done.stderr and "cifar10:" in done.stderr
    assert "LABKIT_OFFLINE" in done.stderr and "LABKIT_DATA" in done.stdout
    assert not list((tmp_path / "stick").iterdir())


def test_data_verify_without_names_is_of_all_that_is_here(
    run_command, course, tmp_path
):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train-labels-idx1-ubyte.gz").write_bytes(b"spoilt")
    where = {"LABKIT_DATA": str(tmp_path)}
    done = run_command("labkit", "data", "verify", folder=course.root, **where)
    assert done.returncode == 1 and "does not verify" in done.stdout
    done = run_command("labkit", "data", "list", folder=course.root, **where)
    assert "incomplete: lacks train-images-idx3-ubyte.gz" in done.stdout


# Longer than a test may take: what waits for it never ends.
AT_WORK = ["sleep", "2710"]
WAITS = f"import subprocess; subprocess.run({AT_WORK})"


def _waiting_in_its_solution(course):
    path = course.lab("91_tiny")
    path.write_text(f"{path.read_text()}\n\n# %%\n{WAITS}\n")


def _waiting_after_the_reference_run(course):
    _waiting_in_its_solution(course)
    path = course.lab("91_tiny")
    before = "import os\nif os.environ.get('LABKIT_EXPECTED'): "
    path.write_text(path.read_text().replace(WAITS, before + WAITS))


def _waiting_in_a_submission(course):
    limits = "[limits]\ncell_seconds = 5000\nsubmission_seconds = 5000\n"
    course.settings_file.write_text(limits)
    release(course)
    notebook = nbformat.read(course.released("91_tiny"), as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(WAITS))
    folder = course.submission("anna", "91_tiny")
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / "91_tiny.ipynb")


def _at_work(process):
    """What waits in a kernel of a command's."""
    found = []
    for one in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if one.cmdline() == AT_WORK:
                found.append(one)
    return found


@pytest.mark.parametrize(
    ("words", "number", "prepare"),
    [
        (["run", "91"], signal.SIGINT, _waiting_in_its_solution),
        (["run", "91"], signal.SIGTERM, _waiting_after_the_reference_run),
        (["demo", "--out", "made"], signal.SIGTERM, _waiting_in_its_solution),
        (["grade"], signal.SIGINT, _waiting_in_a_submission),
        (["grade"], signal.SIGHUP, _waiting_in_a_submission),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_what_is_ended_says_one_line_and_leaves_no_kernel(
    course, words, number, prepare
):
    prepare(course)
    with subprocess.Popen(
        [sys.executable, "-m", "labkit.cli", *words],
        cwd=course.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever started the tests may ignore signals, and children do as they do.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    ) as ended:
        process = psutil.Process(ended.pid)
        while not (waiting := _at_work(process)):
            assert ended.poll() is None, ended.stderr.read()
            time.sleep(0.1)
        ended.send_signal(number)
        _, said = ended.communicate()
    assert ended.returncode == 128 + number
    assert [line for line in said.splitlines() if line] == [
        "labkit: interrupted. Nothing is lost: the same command goes on."
    ]
    psutil.wait_procs(waiting, timeout=60)
    assert not any(one.is_running() for one in waiting)


def test_a_pipe_that_is_closed_is_no_error(course):
    with subprocess.Popen(
        [sys.executable, "-m", "labkit.cli", "data", "list"],
        cwd=course.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as listing:
        listing.stdout.close()
        assert listing.stderr.read() == ""


def test_a_log_in_any_encoding_takes_all_that_is_said(released_course, run_command):
    words = ["check", "notebooks/91_tiny/91_tiny.ipynb"]
    narrow = {"PYTHONIOENCODING": "ascii", "COLUMNS": "20"}
    done = run_command(
        "labkit", *words, folder=released_course.root, apart=True, **narrow
    )
    assert done.returncode == 1
    assert done.stderr == ""
    assert "x not written yet" in done.stdout


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 256 KiB; it is full where `fill` has been called."""
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if subprocess.run(words, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_said_in_one_line(small_disk, course, run_command):
    shutil.copytree(course.solutions, small_disk / "solutions")
    shutil.copy(course.root / "nbgrader_config.py", small_disk)
    with pytest.raises(OSError) as full, (small_disk / "rest").open("wb") as rest:
        while True:
            rest.write(bytes(2**12))
            rest.flush()
    assert full.value.errno == errno.ENOSPC
    done = run_command("labkit", "run", "91", folder=small_disk, LABKIT_SEED="")
    assert done.returncode == 1
    assert "No space left on device. Make room, and type the command" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (small_disk / "course.toml").exists()
    (small_disk / "rest").unlink()
