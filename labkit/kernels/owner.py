"""The owner's side of the warm parent: start it, ask it for kernels, end it."""

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Collection
from functools import cache
from pathlib import Path

from labkit.errors import LabkitError
from labkit.kernels.child import Request

# A library reads these as it is loaded: kernels that differ in them need a parent each.
_READ_AT_IMPORT = (
    "CUDA_",
    "JAX_",
    "KERAS_",
    "LD_",
    "MALLOC_",
    "MKL_",
    "MPL",
    "NUMEXPR_",
    "ONEDNN_",
    "OMP_",
    "OPENBLAS_",
    "PYTHON",
    "TF_",
    "TORCH_",
    "XLA_",
)
# Nothing else of the owner's environment reaches the parent: a child could read it there.
_PLAIN_NAMES = ("HOME", "LANG", "LC_ALL", "LC_CTYPE")
START_SECONDS = 120
_END_SECONDS = 10


class ParentLost(LabkitError):
    """The process that kernels are forked from was ended from outside."""


class WarmKernel:
    """A forked kernel, in the shape of a subprocess.Popen; several threads may use it."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, handle: int, parent: "WarmParent", apart: bool):
        self.pid = pid
        self._handle = handle
        self._parent = parent
        self._apart = apart
        self._asking = threading.Lock()
        self.returncode: int | None = None
        weakref.finalize(self, os.close, handle)

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        with self._asking:
            return self._status() if self._ended(0) else None

    @property
    def orphaned(self) -> bool:
        """Whether the process that it was forked from is gone, and it with that."""
        return not self._parent.alive

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises subprocess.TimeoutExpired after `timeout` seconds."""
        if not self._ended(timeout):
            raise subprocess.TimeoutExpired("kernel", timeout or 0)
        with self._asking:
            return self._status()

    def _status(self) -> int:
        if self.returncode is None:
            self.returncode = self._parent.status(self.pid)
        return self.returncode

    def send_signal(self, signum: int) -> None:
        """Signal the kernel and what it started in its group; nothing where it has ended."""
        if self.poll() is not None:
            return
        if self._apart:  # its first process passes the signal on to the kernel
            signal.pidfd_send_signal(self._handle, signum)
        else:
            os.killpg(self.pid, signum)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def _ended(self, seconds: float | None) -> bool:
        waiting = select.poll()
        waiting.register(self._handle, select.POLLIN)
        return bool(waiting.poll(None if seconds is None else seconds * 1000))


class WarmParent:
    """A running parent; `start` may be called from several threads."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
        self._one_at_a_time = threading.Lock()
        self._owner = os.getpid()
        self._asked = False
        with theirs:
            words = ["-m", "labkit.kernels.parent", str(theirs.fileno())]
            self._process = subprocess.Popen(
                [sys.executable, *words, str(os.getpid())],
                cwd="/",
                env=environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the owner
            )

    @property
    def alive(self) -> bool:
        """Whether this process started it and it still runs."""
        return self._owner == os.getpid() and self._process.poll() is None

    def start(self, request: Request, listening: list[int]) -> WarmKernel:
        """Fork a kernel; raises LabkitError where it cannot be confined or started."""
        reading, writing = os.pipe()
        try:
            message = {"do": "start", "kernel": request.to_json()}
            answer, files = self._ask(message, [writing, *listening])
        finally:
            os.close(writing)
        apart = request.strength == "namespaces"
        kernel = WarmKernel(answer["pid"], files[0], self, apart)
        problem = await_report(reading)
        if problem:
            kernel.kill()
            raise LabkitError(f"The kernel did not start: {problem}")
        return kernel

    def status(self, pid: int) -> int:
        """The exit status of a kernel that has ended; -9 where nobody knows it."""
        try:
            status = self._ask({"do": "status", "pid": pid})[0]["status"]
        except LabkitError:
            status = None
        return -signal.SIGKILL if status is None else status

    def load(self, imports: Collection[str] | None) -> None:
        """Let it begin to import what import lines with these words need; all for None."""
        words = None if imports is None else sorted(imports)
        self._tell({"do": "load", "imports": words})

    def retire(self) -> None:
        """Let it end when its last kernel has ended."""
        self._tell({"do": "retire"})

    def _tell(self, message: dict) -> None:
        """Send what has no answer."""
        with self._one_at_a_time, contextlib.suppress(OSError):
            self._channel.send(json.dumps(message).encode())

    def close(self) -> None:
        """End the parent, and every kernel of it."""
        if self._owner != os.getpid():
            return
        self._channel.close()
        if not self._asked:  # it may still be importing, and has nothing to clear away
            self._process.kill()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _ask(
        self, message: dict, files: list[int] | tuple = ()
    ) -> tuple[dict, list[int]]:
        with self._one_at_a_time:
            self._asked = True
            try:
                text = json.dumps(message).encode()
                socket.send_fds(self._channel, [text], list(files))
                answer, given, _, _ = socket.recv_fds(self._channel, 2**16, 1)
            except OSError as error:
                answer, given = b"", []
                reason = str(error)
            else:
                reason = "it ended"
        if not answer:
            raise ParentLost(
                f"The process that kernels are forked from does not answer: {reason}. "
                "Type the command again."
            )
        found = json.loads(answer)
        if "error" in found:
            raise LabkitError(f"The kernel did not start: {found['error']}")
        return found, given


def await_report(reading: int) -> str:
    """Why a kernel did not start, from what it wrote into a pipe; nothing where it did."""
    waiting = select.poll()
    waiting.register(reading, select.POLLIN)
    text = b""
    with open(reading, "rb", buffering=0) as pipe:
        while waiting.poll(START_SECONDS * 1000):
            part = pipe.read(4096)
            if not part:
                return "" if text == b"ok" else text.decode() or "it ended at once"
            text += part
    return f"it was not ready after {START_SECONDS} s"


_parents: dict[tuple, tuple[str, WarmParent]] = {}
_starting = threading.Lock()


def warm_parent(environment: dict[str, str]) -> WarmParent:
    """The parent for kernels of an environment, started if need be.

    It is replaced where this package or an installed one has changed since it started.
    """
    own = parent_environment(environment)
    key = tuple(sorted(own.items()))
    with _starting:
        stamp, parent = _parents.get(key, ("", None))
        if parent is None or not parent.alive or stamp != _stamp():
            if parent is not None:
                parent.retire()
            parent = WarmParent(own)
            atexit.register(parent.close)
            _parents[key] = _stamp(), parent
        return parent


def parent_environment(environment: dict[str, str]) -> dict[str, str]:
    """What of a kernel's environment its parent needs, and nothing that is secret."""
    return {
        name: value
        for name, value in environment.items()
        if name in _PLAIN_NAMES or name.startswith(_READ_AT_IMPORT)
    }


def _stamp() -> str:
    """Changes when the code that a parent has imported does."""
    package = Path(__file__).parents[1]
    times = [path.stat().st_mtime_ns for path in package.rglob("*.py")]
    return f"{sys.executable} {max(times)} {len(times)} {_installed_at()}"


@cache
def _site_packages() -> list[Path]:
    return [Path(p) for p in sys.path if Path(p).name.endswith("-packages")]


def _installed_at() -> list[int]:
    return [p.stat().st_mtime_ns for p in _site_packages() if p.is_dir()]
