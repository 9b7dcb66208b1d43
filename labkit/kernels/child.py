"""What becomes the kernel: set up after the fork (or a cold start), then IPython's own."""

import atexit
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from labkit.sandbox import walls
from labkit.sandbox.policy import FOLDER, HOME, Policy, visible_paths

# Set by `labkit` as it is imported, for Keras and TensorFlow to read.
_SET_AT_IMPORT = ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND", "TF_ENABLE_ONEDNN_OPTS")
# Names of folders that a confined kernel cannot reach.
_OF_THE_HOME = ("XDG_", "JUPYTER_", "IPYTHONDIR", "MPLCONFIGDIR", "KERAS_HOME")
_NAMES_OF_USERS = ("/etc/passwd", "/etc/group", "/etc/hosts", "/etc/nsswitch.conf")
INLINE = "module://matplotlib_inline.backend_inline"


@dataclass(frozen=True)
class Request:
    """One kernel to start.

    `arguments`: for IPython's kernel, after the connection file. With a policy the
    kernel is confined, in the `strength` named. A strength without a file system of its
    own needs a `home`, which holds `folder`. `place`: to be removed after the kernel.
    `imports`: words of the notebook's import lines, None where they are not known.
    """

    folder: str
    environment: dict[str, str]
    connection_file: str
    arguments: list[str] = field(default_factory=list)
    policy: Policy | None = None
    strength: str = ""
    home: str = ""
    place: str = ""
    connection: dict[str, Any] = field(default_factory=dict)
    imports: list[str] | None = None

    def to_json(self) -> str:
        """As text, for another process."""
        plain = asdict(self)
        if self.policy is not None:
            plain["policy"]["readable"] = [str(p) for p in self.policy.readable]
        return json.dumps(plain)

    @classmethod
    def from_json(cls, text: str) -> "Request":
        """A request from its text."""
        plain = json.loads(text)
        if plain["policy"] is not None:
            readable = tuple(Path(p) for p in plain["policy"].pop("readable"))
            plain["policy"] = Policy(readable, **plain["policy"])
        return cls(**plain)


def confined(request: Request, policy: Policy) -> Request:
    """Raise the walls around this process; returns the request as it reads behind them."""
    apart = request.strength != "plain"
    home, folder = (
        (HOME, FOLDER) if apart else (Path(request.home), Path(request.folder))
    )
    temporary = Path("/tmp") if apart else home / "tmp"
    _close_standard_streams()
    walls.set_limits(policy, own_user=apart)
    readable = [*visible_paths(policy), Path("/proc"), *map(Path, _NAMES_OF_USERS)]
    walls.allow_files(readable, [home, temporary, Path("/dev/shm")])
    walls.filter_calls(connections=apart)
    environment = {
        name: value
        for name, value in request.environment.items()
        if not name.startswith(_OF_THE_HOME)
    }
    environment |= {"HOME": str(home), "TMPDIR": str(temporary)}
    return replace(request, folder=str(folder), environment=environment)


def _close_standard_streams() -> None:
    """They may be the grader's terminal."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)
    os.close(nowhere)


def run_kernel(request: Request, report: int, listening: list[int]) -> None:
    """Be the kernel until it is shut down, then end this process; does not return.

    `report` is written "ok" as the kernel starts, and closed. `listening` holds the
    kernel's sockets, ready to accept: shell, iopub, stdin, heartbeat, control.
    """
    _take_environment(request.environment)
    _close_standard_streams()
    os.chdir(request.folder)
    _forget_the_parent()
    app = _application(request, listening)
    os.write(report, b"ok")
    os.close(report)
    app.start()
    _end()


def _take_environment(environment: dict[str, str]) -> None:
    kept = {name: os.environ[name] for name in _SET_AT_IMPORT if name in os.environ}
    os.environ.clear()
    os.environ.update({**kept, **environment})
    if hasattr(time, "tzset"):
        time.tzset()


def _forget_the_parent() -> None:
    """Undo what this process shares with others of the same parent."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    tempfile.tempdir = None  # it was found as something was imported, and is not ours
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    if "matplotlib" in sys.modules:
        # It looked for a backend as it was imported, before there was a notebook.
        backend = os.environ.setdefault("MPLBACKEND", INLINE)
        sys.modules["matplotlib"].rcParams["backend"] = backend
    sys.path[:] = [entry for entry in sys.path if entry not in ("", "/")]


def _application(request: Request, listening: list[int]) -> Any:
    from labkit.kernels.application import start_application

    arguments = ["-f", _connection_file(request), *request.arguments]
    sys.argv = ["ipykernel_launcher.py", *arguments]
    return start_application(
        arguments,
        request.connection,
        listening,
        confined=request.policy is not None,
    )


def _connection_file(request: Request) -> str:
    if request.policy is None:
        return request.connection_file
    file = Path(os.environ.get("TMPDIR", "/tmp"), f"kernel-{os.getpid()}.json")
    file.touch(mode=0o600)
    file.write_text(json.dumps(request.connection))
    return str(file)


def _end() -> None:
    """End as a Python program does: waits for threads, runs what is to run at exit.

    Returning from main() would not do: below it, the parent's own is on the stack. Python
    has no public name for the two; its multiprocessing ends a forked child the same way.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()
    os._exit(0)
