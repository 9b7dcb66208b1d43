"""What hostile notebooks can do to the grader, the machine and each other: nothing."""

import contextlib
import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labkit.errors import LabkitError
from labkit.execution.output_quota import OutputLimits
from labkit.sandbox import confinement
from labkit.sandbox.confinement import strength
from labkit.sandbox.policy import MIB
from labkit.sandbox.processes import children
from tests.hostile import run, run_beside_innocent

pytestmark = pytest.mark.skipif(
    not confinement.can_fork() or not strength().full,
    reason="needs Linux with user namespaces and Landlock",
)
ALIVE = "print('alive')"
DEATH = "The kernel died"


@pytest.fixture
def quick(monkeypatch):
    """Patience for kernels that do not come back: seconds, not ten."""
    monkeypatch.setattr("labkit.execution.client.INTERRUPTED_SECONDS", 2)


@pytest.fixture
def weaker(monkeypatch):
    """Hold the confinement to a weaker strength than this machine has."""

    def force(name):
        monkeypatch.setenv(confinement.FORCE, name)
        strength.cache_clear()

    yield force
    monkeypatch.delenv(confinement.FORCE, raising=False)
    strength.cache_clear()


def named(name: str) -> list[int]:
    """Processes of that name, anywhere on the machine."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if (entry / "comm").read_text().strip() == name:
                found.append(int(entry.name))
    return found


def gone(look, seconds: float = 60) -> bool:
    """Whether something is gone, now or after a short while."""
    end = time.monotonic() + seconds
    while look() and time.monotonic() < end:
        time.sleep(0.05)
    return not look()


NAME = (
    "import ctypes; name = lambda n: ctypes.CDLL(None).prctl(15, n.encode(), 0, 0, 0)\n"
)


def test_an_endless_loop_is_interrupted_and_the_next_cell_runs():
    ran = run_beside_innocent("while True: pass", ALIVE, cell_seconds=2)
    assert "KeyboardInterrupt" in ran.errors[0]
    assert ran.texts[1] == "alive"
    assert ran.stopped == ""


@pytest.mark.parametrize(
    "loop",
    [
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
        "import time\nwhile True:\n    try: time.sleep(9)\n    except BaseException: pass",
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    ],
    ids=["ignores the signal", "catches everything", "stops itself"],
)
def test_what_ignores_interrupts_is_ended(loop, quick):
    ran = run_beside_innocent(loop, ALIVE, cell_seconds=2)
    assert "could not be interrupted" in ran.stopped
    assert ran.texts[1] == ""


def test_a_notebook_that_takes_too_long_in_all_is_ended():
    ran = run("import time; time.sleep(1)", "time.sleep(10**6)", ALIVE, seconds=4)
    assert ran.stopped.startswith("The notebook took more than ")
    assert "TimeLimit: the notebook took more than " in ran.errors[1]
    assert ran.texts[2] == ""


@pytest.mark.parametrize(
    "code",
    [
        "import os; os._exit(0)",
        "import os; os.abort()",
        "import ctypes; ctypes.string_at(0)",
    ],
    ids=["exits", "aborts", "segfault"],
)
def test_a_kernel_that_dies_is_said_to_have_died(code):
    ran = run_beside_innocent(code, ALIVE)
    assert ran.stopped.startswith(DEATH)
    assert ran.texts[1] == ""


def test_a_fork_bomb_stays_small_and_dies_with_its_notebook():
    bomb = NAME + (
        "import os, time\nname('labkit-bomb')\n"
        "for _ in range(200):\n"
        "    if os.fork() == 0:\n"
        "        time.sleep(600); os._exit(0)\n"
    )
    ran = run_beside_innocent(bomb, ALIVE)
    assert "BlockingIOError" in ran.errors[0]
    assert gone(lambda: named("labkit-bomb"))


def test_a_process_that_detaches_itself_dies_with_its_notebook():
    daemon = NAME + (
        "import os, time\n"
        "reading, writing = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        name('labkit-daemon'); os.write(writing, b'up'); time.sleep(600)\n"
        "    os._exit(0)\n"
        "os.wait(); print(os.read(reading, 2) == b'up')"
    )
    assert run_beside_innocent(daemon).texts == ["True"]
    assert gone(lambda: named("labkit-daemon"))


@pytest.mark.parametrize(
    "bomb",
    [
        "import mmap, time\nm = mmap.mmap(-1, 6 * 2**30)\n"
        "for i in range(0, len(m), 4096): m[i] = 1\n"
        "time.sleep(600)",
        "import os, time\n"
        "for _ in range(5):\n"
        "    if os.fork() == 0:\n"
        "        x = b'x' * 2**30; time.sleep(600); os._exit(0)\n"
        "time.sleep(600)",
    ],
    ids=["shared", "in children"],
)
def test_a_memory_bomb_is_ended(bomb):
    ran = run_beside_innocent(bomb, ALIVE)
    assert (
        ran.stopped == "The notebook took more than 2048 MiB of memory and was ended."
    )


def test_what_would_hide_memory_is_refused():
    ran = run(
        "x = bytearray(6 * 2**30)",
        "import os; os.memfd_create('x')",
        "import ctypes; c = ctypes.CDLL(None, use_errno=True)\n"
        "[c.shmget(0, 4096, 0o1600), c.unshare(0x10000000), c.unshare(0x20000),\n"
        " c.syscall(250, 0, 0), c.syscall(425, 1, 0), c.semget(0, 32000, 0o1600)]",
        "import socket; socket.socket(40, socket.SOCK_STREAM)",
        ALIVE,
    )
    assert "MemoryError" in ran.errors[0]
    assert "PermissionError" in ran.errors[1]
    assert ran.texts[2] == "[-1, -1, -1, -1, -1, -1]"
    assert "Address family not supported" in ran.errors[3]
    assert ran.texts[4] == "alive"


def test_the_disk_cannot_be_filled():
    fill = (
        "def fill(place):\n"
        "    size = 0\n"
        "    try:\n"
        "        for n in range(64):\n"
        "            with open(f'{place}/{n}', 'wb') as f:\n"
        "                size += f.write(bytes(2**24))\n"
        "    except OSError: pass\n"
        "    return size\n"
        "print(sum(map(fill, ['.', '/tmp', '/dev/shm', '/home/student'])) // 2**20)"
    )
    ran = run_beside_innocent(fill, ALIVE)
    assert int(ran.texts[0]) <= 64
    assert ran.texts[1] == "alive"


SENDS = (
    "from IPython.display import publish_display_data\n"
    "publish_display_data({'application/vnd.labkit.check+json': {'name': 'kept'}})"
)


def sent(cell) -> list[str]:
    mime = "application/vnd.labkit.check+json"
    outputs = [out for out in cell.outputs if out.output_type == "display_data"]
    return [out.data[mime]["name"] for out in outputs if mime in out.data]


@pytest.mark.parametrize(
    "flood",
    [
        "while True: print('x' * 100_000)",
        "from IPython.display import display\n"
        "for i in range(1_000_000): display({'text/plain': str(i)}, raw=True)",
        "for i in range(1_000_000): print(i, flush=True)",
    ],
    ids=["bytes", "displays", "flushes"],
)
def test_a_flood_of_output_is_stopped_and_costs_no_check(flood):
    ran = run_beside_innocent(flood, SENDS, limits=OutputLimits(cell_messages=4000))
    assert "OutputLimit" in ran.errors[0]
    assert len(str(ran.cells[0].outputs)) < 12 * MIB
    assert sent(ran.cells[1]) == ["kept"]
    assert ran.stopped == ""


def test_checks_arrive_after_much_output_in_their_own_cell():
    much = "for i in range(300): print('x' * 100_000)\n" + SENDS
    ran = run(much)
    assert sent(ran.cells[0]) == ["kept"]
    assert "cut here" in ran.texts[0]
    assert len(ran.texts[0]) < 9 * MIB


@pytest.mark.parametrize(
    "message",
    [
        "iopub_socket, 'display_data', {'data': 5, 'metadata': 1}",
        "iopub_socket, 'execute_result', {'data': {}, 'metadata': {}}",
        "iopub_socket, 'stream', {'name': 'stdout', 'text': '', 'transient': 5}",
    ],
    ids=["of another type", "lacks a part", "a part of another type"],
)
def test_messages_that_no_kernel_sends_end_the_run(message):
    ran = run(
        f"k = get_ipython().kernel\nk.session.send(k.{message}, "
        "parent=k.get_parent('shell'))\nimport time; time.sleep(5)",
        ALIVE,
    )
    assert "cannot be read" in ran.stopped


def test_a_message_that_nobody_can_read_ends_the_run_at_once():
    ran = run(
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "get_ipython().kernel.iopub_socket.send_multipart([b'', b'{'])\n"
        "while True: pass",
        ALIVE,
    )
    assert "cannot be read" in ran.stopped


@pytest.mark.parametrize("attempt", range(4))
def test_what_comes_after_a_message_that_cannot_be_read_is_not_taken(attempt):
    ran = run(
        "from IPython.display import publish_display_data\n"
        "deep = []\n"
        "for _ in range(400): deep = {'a': [deep]}\n"
        "publish_display_data({'text/plain': 'before'})\n"
        "publish_display_data({'application/json': deep})\n"
        "publish_display_data({'text/plain': 'after'})",
        ALIVE,
    )
    assert "cannot be read" in ran.stopped
    assert ran.texts == ["before", ""]


def test_a_reply_that_no_kernel_sends_ends_the_run():
    ran = run(
        "k = get_ipython().kernel\n"
        "send = k.session.send\n"
        "k.session.send = lambda stream, kind, content=None, *a, **b: send(\n"
        "    stream, kind, {} if kind == 'execute_reply' else content, *a, **b)",
        ALIVE,
    )
    assert "cannot be read (execute_reply)" in ran.stopped


@pytest.mark.parametrize(
    "message",
    [
        "k.iopub_socket.send_multipart([bytes(2**23)] * 100)",
        "k.iopub_socket.send_multipart([bytes(2**26)])",
        "import socket\n"
        "for fd in range(3, 60):\n"
        "    try:\n"
        "        s = socket.socket(fileno=fd)\n"
        "        while True: s.send(b'\\x03' + (2**20).to_bytes(8, 'big') + bytes(2**20))\n"
        "    except (OSError, ValueError): pass",
    ],
    ids=["many parts", "one part", "endless parts"],
)
def test_an_endless_message_fills_nobodys_memory(message):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ran = run_beside_innocent(
        f"k = get_ipython().kernel\n{message}\nimport time; time.sleep(5)", ALIVE
    )
    assert ran.stopped
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def test_a_prompt_fails_at_once():
    ran = run("input('your name? ')", "import getpass; getpass.getpass()", ALIVE)
    assert "StdinNotImplementedError" in ran.errors[0]
    assert "StdinNotImplementedError" in ran.errors[1]
    assert ran.texts[2] == "alive"


READ = (
    "from pathlib import Path\n"
    "def opened(path):\n"
    "    try:\n"
    "        p = Path(path)\n"
    "        list(p.iterdir()) if p.is_dir() else p.open('rb').read(10)\n"
    "        return True\n"
    "    except OSError: return False\n"
)


@pytest.fixture
def secrets(tmp_path, monkeypatch):
    """Files and a variable of the grader's that nobody else may see."""
    monkeypatch.setenv("SECRET_TOKEN", "open-sesame")
    names = ["solutions/lab.py", "gradebook.db", "build/references/lab.json"]
    places = [tmp_path / name for name in names]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("secret")
    root = Path(__file__).parents[1]
    places += [root / "solutions", root / "tests", root / "README.md", root / ".git"]
    return [*places, Path.home(), Path("/etc/shadow"), Path("/var"), Path("/run")]


def test_the_graders_files_and_environment_do_not_exist(secrets):
    places = [str(place) for place in secrets]
    ran = run_beside_innocent(
        f"{READ}[p for p in {places} if opened(p)]",
        "import os\n'open-sesame' in str(dict(os.environ))",
        f"{READ}import glob\nany(b'open-sesame' in Path(p).read_bytes() for p in "
        "glob.glob('/proc/*/environ') if opened(p))",
        "import keras, labkit, sys\n[n for n in os.listdir('/proc') if n.isdigit() and int(n) > 9]",
    )
    assert ran.texts == ["[]", "False", "False", "[]"]


def test_nothing_outside_its_folder_can_be_written():
    ran = run_beside_innocent(
        "import os, labkit, numpy, sys\nfrom pathlib import Path\n"
        "def written(place):\n"
        "    try: Path(place, 'sitecustomize.py').write_text('x'); return True\n"
        "    except OSError: return False\n"
        "folders = [Path(m.__file__).parent for m in (labkit, numpy, os)]\n"
        "folders += [*sys.path[:4], '/', '/usr/bin', '/etc', '/dev', '/proc/self', '/home']\n"
        "[str(f) for f in folders if str(f) and written(f)], written('.'), written('/tmp')"
    )
    assert ran.texts == ["([], True, True)"]


def test_a_notebook_can_delete_its_own_copy_alone(tmp_path):
    (tmp_path / "data.csv").write_text("1,2")
    code = (
        "import os, shutil\nprint(open('data.csv').read())\n"
        "shutil.rmtree('/home/student', ignore_errors=True)\nprint(os.listdir('/home/student'))"
    )
    ran = run_beside_innocent(code, ALIVE, folder=tmp_path)
    assert ran.texts == ["1,2\n[]", "alive"]
    assert (tmp_path / "data.csv").read_text() == "1,2"


def test_links_in_what_was_handed_in_lead_nowhere(tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").write_text("secret")
    folder = tmp_path / "submission"
    (folder / "real").mkdir(parents=True)
    (folder / "real" / "notes.txt").write_text("mine")
    (folder / "file").symlink_to("../secret/file")
    (folder / "folder").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe")
    ran = run("import os\n[(d, sorted(f)) for d, _, f in os.walk('.')]", folder=folder)
    assert ran.texts == ["[('.', []), ('./real', ['notes.txt'])]"]


def test_there_is_no_network(tmp_path):
    place = str(tmp_path / "service")
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as nameless,
    ):
        unix.bind(place)
        unix.listen()
        nameless.bind("\0labkit-test-service")
        nameless.listen()
        ran = run_beside_innocent(
            "import socket, subprocess\n"
            "def reached(family, address):\n"
            "    with socket.socket(family) as s:\n"
            "        s.settimeout(2)\n"
            "        try: s.connect(address); return True\n"
            "        except OSError: return False\n"
            f"[reached(socket.AF_INET, ('127.0.0.1', {tcp.getsockname()[1]})),\n"
            f" reached(socket.AF_UNIX, {place!r}),\n"
            " reached(socket.AF_UNIX, '\\0labkit-test-service')]",
            "socket.create_server(('127.0.0.1', 0))",
            "socket.if_nameindex()",
            "int(open('/sys/class/net/lo/flags').read(), 16) if 0 else "
            "[line.split(':')[0].strip() for line in open('/proc/net/dev')][2:]",
        )
    assert ran.texts[0] == "[False, False, False]"
    assert "PermissionError" in ran.errors[1]
    assert ran.texts[2:] == ["[(1, 'lo')]", "['lo']"]


def test_no_signal_reaches_another_process():
    with subprocess.Popen(["sleep", "60"]) as other:
        targets = [os.getpid(), os.getppid(), other.pid, 1]
        ran = run_beside_innocent(
            "import os, signal\n"
            f"for target in [os.getppid(), *{targets}]:\n"
            "    try: os.kill(target, signal.SIGKILL)\n"
            "    except OSError: pass",
            ALIVE,
        )
        assert other.poll() is None
        other.kill()
    assert ran.texts[1] == "alive"


def test_nothing_is_left_of_a_killed_grader(tmp_path):
    script = tmp_path / "grader.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom tests.hostile import run\n"
        "if __name__ == '__main__':\n"
        f"    run({NAME!r} + \"name('labkit-left')\\nimport time; time.sleep(600)\")\n"
    )
    root = Path(__file__).parents[1]
    places = {"TMPDIR": str(tmp_path), "PYTHONPATH": str(root)}
    with subprocess.Popen(
        [sys.executable, script], env={**os.environ, **places}
    ) as grader:
        end = time.monotonic() + 60
        while not named("labkit-left") and time.monotonic() < end:
            time.sleep(0.1)
        assert named("labkit-left")
        (parent,) = children()[grader.pid]
        grader.kill()
    assert gone(lambda: named("labkit-left"))
    assert gone(lambda: Path(f"/proc/{parent}").exists())
    assert not list(tmp_path.glob("labkit-*"))


WEAKER = [
    pytest.param(
        "bubblewrap",
        marks=pytest.mark.skipif(
            confinement._try_bubblewrap() != "", reason="needs the command bwrap"
        ),
    ),
    "plain",
]


@pytest.mark.parametrize("name", WEAKER)
def test_weaker_confinement_still_holds(name, weaker, secrets, quick, tmp_path):
    weaker(name)
    assert strength().name == name
    places = [str(place) for place in secrets]
    service = f"{tmp_path}/service"
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        unix.bind(service)
        unix.listen()
        port = tcp.getsockname()[1]
        ran = run(
            "import keras, numpy as np\n"
            "m = keras.Sequential([keras.layers.Dense(1)]); m.compile('sgd', 'mse')\n"
            "h = m.fit(np.ones((200, 4)), np.ones((200, 1)), verbose=0)",
            f"{READ}[p for p in {places} if opened(p)]",
            "import os\n'open-sesame' in str(dict(os.environ))",
            f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)",
            f"with socket.socket(socket.AF_UNIX) as s: s.connect({service!r})",
            "os.kill(1 if os.getppid() == 1 else os.getppid(), 9)",
            "x = bytearray(6 * 2**30)",
            ALIVE,
            "import os; os._exit(1)",
        )
    assert ran.errors[0] == ""
    assert ran.texts[1:3] == ["[]", "False"]
    assert ran.errors[3] != ""
    assert ran.errors[4] != ""
    assert "MemoryError" in ran.errors[6]
    assert ran.texts[7] == "alive"
    assert ran.stopped.startswith(DEATH)
    ran = run("while True: pass", ALIVE, cell_seconds=2)
    assert "KeyboardInterrupt" in ran.errors[0]
    assert ran.texts[1] == "alive"


@pytest.mark.parametrize("name", WEAKER)
def test_weaker_confinement_leaves_a_folder_for_temporary_files(
    name, weaker, quick, tmp_path, monkeypatch
):
    weaker(name)
    # Nobody has drawn these pictures yet, and the kernel may not write where they are kept.
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    ran = run(
        "import os, tempfile\n"
        "with tempfile.TemporaryDirectory() as made: found = os.listdir(made)\n"
        "found, tempfile.gettempdir() == os.environ['TMPDIR']",
        "from labkit import data\nlen(data.load('mnist').train_images) > 100",
    )
    assert ran.errors == ["", ""]
    assert ran.texts == ["([], True)", "True"]


def test_grading_refuses_where_it_may_not_be_weaker(course, run_command):
    forced = {confinement.FORCE: "plain"}
    words = ["labkit", "grade", "--require-confinement"]
    done = run_command(*words, folder=course.root, apart=True, **forced)
    assert done.returncode == 2
    assert "cannot be confined here as required (plain)" in done.stderr


def test_the_doctor_says_what_is_not_protected(weaker):
    from labkit.learning.doctor import _confinement

    assert _confinement().good
    weaker("plain")
    found = _confinement()
    assert not found.good
    assert "disk" in found.found
    assert found.advice == f"Type: unset {confinement.FORCE}"
    weaker("brick")
    with pytest.raises(LabkitError, match="namespaces, bubblewrap, plain"):
        strength()


def program(path: Path, text: str) -> None:
    """Put a shell script in the place of a program."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_the_folder_at_hand_does_not_decide_what_is_tried(tmp_path, monkeypatch):
    (tmp_path / "labkit").mkdir()
    (tmp_path / "labkit" / "__init__.py").write_text("raise ImportError('another')")
    monkeypatch.chdir(tmp_path)
    strength.cache_clear()
    assert strength().full


def test_a_trial_that_fails_says_why(tmp_path, monkeypatch):
    from labkit.learning.doctor import _confinement

    program(tmp_path / "bwrap", "echo 'setting up uid map: not here' >&2; exit 1")
    program(tmp_path / "python", "echo 'no namespaces today' >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    strength.cache_clear()
    try:
        found = _confinement()
    finally:
        strength.cache_clear()
    assert found.found.startswith("plain: ")
    assert "no namespaces: no namespaces today" in found.found
    assert "no bubblewrap: setting up uid map: not here" in found.found
    assert "apt-get" not in found.advice


def test_a_trial_that_fails_by_chance_is_tried_again(tmp_path, monkeypatch, weaker):
    mark = tmp_path / "tried"
    once = f"test -e {mark} && exit 0; : > {mark}; echo busy >&2; exit 1"
    program(tmp_path / "bwrap", once)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    weaker("bubblewrap")
    assert strength().name == "bubblewrap"
