"""Run one notebook in a fresh kernel, in a folder of its own."""

import asyncio
import atexit
import contextlib
import copy
import math
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from labkit.course import Limits
from labkit.data import standins
from labkit.data.cache import configured
from labkit.execution.client import BoundedClient
from labkit.execution.output_quota import OutputLimits, Stopped
from labkit.execution.run_metadata import RunMetadata, forget_claims
from labkit.execution.speed import stretch
from labkit.kernels.owner import ParentLost, warm_parent
from labkit.kernels.provisioner import WarmProvisioner, kernel_manager
from labkit.profile import ALT_TEXT
from labkit.sandbox.confinement import can_fork, strength
from labkit.sandbox.meter import BACKSTOP
from labkit.sandbox.policy import Policy
from labkit.sandbox.watchdog import Watchdog

# On the clock, so with room for a machine that is busy.
STARTUP_SECONDS = 600
# Those that execute something at the moment, each in a thread of its own.
_running: set[BoundedClient] = set()
# After the time of a notebook is over: for the last cell to end by itself.
_GRACE_SECONDS = 30

# One thread a kernel: several run side by side, and sums come out the same.
GRADING_ENVIRONMENT = {
    "LABKIT_PROFILE": "grading",
    "LABKIT_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
}
NOT_FOR_GRADING = (
    ALT_TEXT,
    "LABKIT_CONFINEMENT",
    "LABKIT_DATA",
    "LABKIT_EXPECTED",
    "LABKIT_SEED",
)
# All else of the instructor's environment stays out of a kernel: it may hold secrets.
_FOR_GRADING = {
    "APPDATA",
    "HOME",
    "IPYTHONDIR",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
    "KERAS_BACKEND",
    "KERAS_HOME",
    "LANG",
    "LD_LIBRARY_PATH",
    "LOCALAPPDATA",
    "MPLCONFIGDIR",
    "PATH",
    "PATHEXT",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "TMPDIR",
    "TZ",
    "USERPROFILE",
    "XDG_CACHE_HOME",
}
_KINDS_FOR_GRADING = ("LABKIT_", "LC_", "ONEDNN_", "PYTHON", "TF_", "XLA_")


def grading_environment() -> dict[str, str]:
    """The environment of a kernel that grades: no secrets and no choices of the student's."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if (name in _FOR_GRADING or name.startswith(_KINDS_FOR_GRADING))
        and name not in NOT_FOR_GRADING
    }
    # By name, for a kernel with another home.
    return {**kept, **GRADING_ENVIRONMENT, "LABKIT_CACHE": str(configured())}


def grading_policy(environment: dict[str, str], limits: Limits) -> Policy:
    """What a submission may do: compute within its limits, and read the grading data that
    its environment names."""
    readable = [configured()]
    if standins.GRADING_DATA in environment:
        data = Path(environment[standins.GRADING_DATA])
        readable += [data, standins.grading_pictures(data)]
    return Policy(
        readable=tuple(readable),
        memory=limits.memory,
        # The most that counts on any machine, and room for a kernel's own start.
        cpu_seconds=math.ceil(limits.submission_seconds * BACKSTOP) + STARTUP_SECONDS,
    )


def warm_up(code: str) -> None:
    """Begin to import what kernels need that run such code, where they are forked."""
    if strength().name != "bubblewrap" and can_fork():
        warm_parent(grading_environment()).load(_imports(code))


def _imports(code: str) -> list[str]:
    """The words of the import lines of a code that need not be Python as yet."""
    lines = re.findall(r"^[ \t]*(?:from|import)\b[^\n(]*(?:\([^)]*\))?", code, re.M)
    return sorted(set(re.findall(r"\w+", "\n".join(lines))))


def execute(
    notebook: NotebookNode,
    folder: Path,
    environment: dict[str, str],
    *,
    cell_seconds: float | None = Limits().cell_seconds,
    seconds: float | None = None,
    on_cell: Callable[..., None] | None = None,
    policy: Policy | None = None,
    limits: OutputLimits | None = None,
) -> NotebookNode:
    """Return the notebook with the outputs of a run in a fresh kernel started in `folder`.

    With a policy the kernel is confined and works on a copy of the folder. A kernel that
    dies, cannot be interrupted or takes too much ends the run: the reason is kept in the
    notebook's metadata (`labkit.stopped`) and the cells after it have no outputs; so are the
    most memory that it took (`labkit.peak_bytes`) and the CPU seconds that it computed
    (`labkit.cpu_seconds`). `cell_seconds` bounds each cell and
    `seconds` the whole run, as `Limits` counts them; a cell that was stopped has the reason
    in its metadata (`labkit.limit`). `on_cell(cell=..., cell_index=...)` is called before
    each code cell.
    """
    notebook = copy.deepcopy(notebook)
    forget_claims(notebook)  # a limit that the file speaks of is none of this run's
    code = "\n".join(c.source for c in notebook.cells if c.cell_type == "code")
    manager = kernel_manager(environment, folder, policy, _imports(code))
    provisioner = manager.provisioner
    client = BoundedClient(
        notebook,
        manager,
        cell_seconds=cell_seconds,
        seconds=seconds,
        stretch=partial(stretch, environment),
        limits=limits or OutputLimits(),
        widgets=policy is None,
        startup_timeout=STARTUP_SECONDS,
        allow_errors=True,
        on_cell_execute=on_cell,
        # What a confined kernel would still do at its end is of no use to anybody.
        shutdown_kernel="graceful" if policy is None else "immediate",
    )
    watch = _Watch(client, provisioner, policy, seconds, environment)
    client.on_notebook_start = watch.begin
    stopped = ""
    _running.add(client)
    try:
        with _handlers_kept():
            client.execute(cleanup_kc=True)
    except asyncio.CancelledError:
        if client.signalled is None:
            raise
    except (DeadKernelError, CellTimeoutError, Stopped) as error:
        known = watch.reason or client.stopped or provisioner.excess
        if not known and getattr(provisioner.process, "orphaned", False):
            raise ParentLost(
                "The process that kernels are forked from was ended from outside, and the "
                "notebooks that ran with it. Type the command again."
            ) from None
        stopped = known or _reason(error)
    finally:
        _running.discard(client)
        _end_tasks()
        watch.end()
        manager.forget()
        # nbclient leaves it there where a kernel did not start.
        atexit.unregister(client._cleanup_kernel)
    if client.ended.is_set():  # and its kernel was found dead before
        raise asyncio.CancelledError
    if client.signalled is not None:
        signal.raise_signal(client.signalled)  # to whom it was meant for
    watch.measured(stopped).write(notebook)
    if policy is not None:
        # The kernel's own words, which may be anything.
        notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def _end_tasks() -> None:
    """Let what nbclient has cancelled come to its end: asyncio complains of what has not."""
    loop = ensure_event_loop()
    if loop.is_running():  # of who called us, and nbclient has taken another
        return
    tasks = asyncio.all_tasks(loop)
    if not tasks:
        return
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


def end_runs() -> None:
    """End what other threads execute; each raises asyncio.CancelledError there."""
    for client in tuple(_running):
        client.end()


@contextlib.contextmanager
def _handlers_kept() -> Iterator[None]:
    """Put back who is told of signals: asyncio leaves Python's own behind."""
    known = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in known.items():
                signal.signal(number, handler)


class _Watch:
    """The watchdog of a kernel, from when it has started."""

    def __init__(
        self,
        client: BoundedClient,
        provisioner: WarmProvisioner,
        policy: Policy | None,
        seconds: float | None,
        environment: dict[str, str],
    ) -> None:
        self._client = client
        self._provisioner = provisioner
        self._policy = policy
        self._seconds = seconds or math.inf
        self._stretch = partial(stretch, environment)
        self._watchdog: Watchdog | None = None

    def begin(self, **_: Any) -> None:
        """Called by nbclient as the first cell is about to run."""
        seconds = self._seconds * BACKSTOP + _GRACE_SECONDS
        self._watchdog = Watchdog(
            self._provisioner.process, self._policy, seconds, self._stretch
        )
        self._client.meter = self._watchdog.meter
        self._watchdog.start()

    def end(self) -> None:
        if self._watchdog is not None:
            self._watchdog.stop()

    @property
    def reason(self) -> str:
        return self._watchdog.reason if self._watchdog else ""

    def measured(self, stopped: str) -> RunMetadata:
        """What a run that was stopped for this reason, if any, says of itself."""
        if self._watchdog is None:
            return RunMetadata(stopped=stopped)
        computed = round(self._watchdog.meter.taken.computing, 1)
        return RunMetadata("", stopped, (), self._watchdog.peak, computed)


def _reason(error: Exception) -> str:
    if isinstance(error, DeadKernelError):
        return "The kernel died: the notebook crashed Python or ended it."
    if isinstance(error, Stopped):
        return str(error)
    return "The output of a cell did not arrive."
