"""The warm parent: `python -m labkit.kernels.parent`, started by `labkit.kernels.owner`.

It imports what the notebooks import that it is asked kernels for, each library once and
no sooner, runs no operation of it, and forks a child for each kernel. It has one thread,
speaks with its owner alone, over a socket that has no name, and ends with its owner, and
all its kernels with it.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from labkit.kernels.child import Request, confined, run_kernel
from labkit.sandbox import linux, namespaces, processes

# What every kernel loads. Not `labkit.checks.cell` nor ipywidgets: as they are imported
# they look for the notebook that they serve.
ALWAYS = (
    "numpy.random",
    "sqlite3",
    "ipykernel.debugger",
    "IPython.core.completer",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "IPython.core.pylabtools",
    "IPython.extensions.storemagic",
    "tornado.platform.asyncio",
    "labkit.checks.compare",
    "labkit.checks.display",
    "labkit.checks.earned_points",
    "labkit.checks.expected",
    "labkit.checks.references",
    "labkit.checks.rescue",
    "labkit.checks.values",
    "labkit.checks.waiting",
    "labkit.kernels.application",
    "labkit.profile",
)
# What a notebook is likely to import; TensorFlow alone takes more than all the rest.
MODULES = (
    "keras",
    "matplotlib.pyplot",
    "matplotlib.patches",
    "matplotlib.backends.backend_agg",
    "scipy.ndimage",
    "scipy.signal",
    "sklearn.datasets",
    "sklearn.metrics",
    "sklearn.model_selection",
    "PIL.Image",
    "seaborn",
    "tqdm",
    "labkit.data",
    "labkit.models",
    "labkit.plots",
    "labkit.training",
)
REQUEST_BYTES = 2**20
REQUEST_FILES = 16
_LOOK_SECONDS = 1.0


def main() -> None:
    """Import, then fork kernels until the owner closes the socket or is gone."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    owner = int(sys.argv[2])
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    # Or the debugger warns on standard error, as it is imported, of what it may miss.
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    parent = Parent(channel, owner)
    parent.load(ALWAYS)
    try:
        parent.serve()
    finally:
        parent.end_all()


def modules_of(imports: Collection[str] | None) -> list[str]:
    """Of MODULES, those with a name among these words of import lines; all for None."""
    return [
        module
        for module in MODULES
        if imports is None or module.removeprefix("labkit.").split(".")[0] in imports
    ]


class Parent:
    """Answers its owner's requests, one after the other."""

    def __init__(self, channel: socket.socket, owner: int) -> None:
        self._channel = channel
        self._owner = owner
        self._kernels: set[int] = set()
        self._places: set[str] = set()
        self._strict = False
        self._retired = False
        self._ended: dict[int, int] = {}
        self._loaded: set[str] = set()

    def load(self, modules: Iterable[str]) -> None:
        """Import what is installed of these modules; a missing package costs nothing."""
        missing = [module for module in modules if module not in self._loaded]
        if not missing:
            return
        for module in missing:
            # Whatever goes wrong here goes wrong again, and is seen, in the notebook.
            with contextlib.suppress(Exception):
                importlib.import_module(module)
        self._loaded.update(missing)
        gc.collect()
        gc.freeze()  # or the first collection in each child would copy all this memory

    def serve(self) -> None:
        """Answer requests until there is nobody to ask."""
        waiting = select.poll()
        waiting.register(self._channel, select.POLLIN)
        while True:
            if waiting.poll(_LOOK_SECONDS * 1000) and not self._answer():
                return
            if os.getppid() != self._owner:
                return
            self._bury()
            if self._retired and not self._kernels:
                return

    def _answer(self) -> bool:
        message, files, _, _ = socket.recv_fds(
            self._channel, REQUEST_BYTES, REQUEST_FILES
        )
        if not message:
            return False
        request = json.loads(message)
        if request["do"] == "retire":
            self._retired = True
            return True
        if request["do"] == "load":
            self.load(modules_of(request["imports"]))
            return True
        try:
            answer, given = getattr(self, f"_{request['do']}")(request, files)
        except Exception as error:
            answer, given = {"error": f"{type(error).__name__}: {error}"}, []
        socket.send_fds(self._channel, [json.dumps(answer).encode()], given)
        for file in (*files, *given):
            os.close(file)
        return True

    def _start(self, message: dict, files: list[int]) -> tuple[dict, list[int]]:
        request = Request.from_json(message["kernel"])
        self.load(modules_of(request.imports))
        report, *listening = files
        policy = request.policy
        if policy is None:
            pid = _fork(lambda: run_kernel(request, report, listening), files)
        else:

            def become() -> None:
                run_kernel(confined(request, policy), report, listening)

            pid = (
                namespaces.fork_confined(Path(request.folder), policy, become, files)
                if request.strength == "namespaces"
                else _fork(become, files)
            )
        self._kernels.add(pid)
        self._places.add(request.place)
        self._strict |= policy is not None
        return {"pid": pid}, [os.pidfd_open(pid)]

    def _status(self, message: dict, files: list[int]) -> tuple[dict, list[int]]:
        self._bury()
        return {"status": self._ended.pop(message["pid"], None)}, []

    def _bury(self) -> None:
        """Take note of the kernels that ended, and end what confined ones left behind."""
        if self._strict:
            # Whoever loses its parent becomes a child of this process.
            self._kill(set(self._children()) - self._kernels)
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid in self._kernels:
                    self._kernels.remove(pid)
                    self._ended[pid] = os.waitstatus_to_exitcode(status)

    def end_all(self) -> None:
        """Kill every process that was started here and what those started; no file is left."""
        while found := self._children():
            self._kill(found)
            for pid in found:
                os.waitpid(pid, 0)
        for place in filter(None, self._places):
            shutil.rmtree(place, ignore_errors=True)

    def _children(self) -> list[int]:
        return processes.children().get(os.getpid(), [])

    def _kill(self, pids: Iterable[int]) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


def _fork(become: Callable[[], None], kept: list[int]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            namespaces.close_others(kept)
            os.setsid()
            become()
        except BaseException as error:
            os.write(kept[0], f"{type(error).__name__}: {error}".encode()[:4000])
        finally:
            os._exit(1)
    return pid


if __name__ == "__main__":
    main()
