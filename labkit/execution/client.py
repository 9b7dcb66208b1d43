"""Runs the cells of a notebook, and takes no more from its kernel than is good for us."""

import asyncio
import contextlib
import itertools
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from queue import Empty
from typing import Any

from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete
from nbclient.util import run_hook
from nbformat import NotebookNode
from nbformat.v4 import new_output

from labkit.execution.output_quota import (
    OutputLimits,
    OutputQuota,
    Stopped,
    Unreadable,
)
from labkit.execution.run_metadata import CellMetadata
from labkit.kernels.provisioner import LabKernelManager
from labkit.sandbox.meter import BACKSTOP, LOOK_SECONDS, Meter, Taken

# How long an interrupted kernel may take to come back.
INTERRUPTED_SECONDS = 10


class GuardedChannel(AsyncZMQSocketChannel):
    """A channel of a kernel that may send anything: its owner says what to take of it."""

    @staticmethod
    def admits(message: dict[str, Any], size: int) -> bool:
        """Whether to take a message of so many bytes; raises Unreadable."""
        return True

    @staticmethod
    def refuse(reason: Unreadable) -> None:
        """Do what is to be done about a message that cannot be read."""
        raise reason

    async def get_msg(  # type: ignore[override]  # as the class above it
        self, timeout: float | None = None
    ) -> dict[str, Any]:
        """The next message to take; raises queue.Empty after `timeout` seconds."""
        while await self.socket.poll(None if timeout is None else int(timeout * 1000)):
            parts = await self.socket.recv_multipart()
            try:
                message = self._read(parts)
                if self.admits(message, sum(map(len, parts))):
                    return message
            except Unreadable as reason:
                self.refuse(reason)
        raise Empty

    def _read(self, parts: list[bytes]) -> dict[str, Any]:
        # The sender is the student's code as much as the kernel: expect anything.
        try:
            _, signed = self.session.feed_identities(parts)
            return self.session.deserialize(signed)
        except Exception as error:
            raise Unreadable(type(error).__name__) from None


def _is_reply(message: dict[str, Any], size: int) -> bool:
    """Take a reply, in which nbclient relies on these; raises Unreadable."""
    parent, content = message["parent_header"], message["content"]
    if isinstance(parent, dict) and isinstance(content, dict) and "status" in content:
        return True
    raise Unreadable(str(message["msg_type"])[:40])


class BoundedClient(NotebookClient):
    """nbclient's, with limits on output and on the time of a cell and of the notebook.

    `cell_seconds` and `seconds` are for a cell and for all of them, as `meter` counts
    them, None for no limit; `stretch()` says how many times they count on this
    machine, and is asked where a limit is reached. A cell that reaches a limit is
    interrupted, and `labkit.limit` in its metadata says which. Where a run cannot go
    on, `stopped` says why and the kernel is ended. `signalled` is the signal that ended it.
    """

    meter: Meter  # of the kernel, once it runs

    def __init__(
        self,
        notebook: NotebookNode,
        manager: LabKernelManager,
        *,
        cell_seconds: float | None,
        seconds: float | None,
        stretch: Callable[[], float],
        limits: OutputLimits,
        widgets: bool,
        **options: Any,
    ) -> None:
        super().__init__(
            notebook,
            timeout=None,
            # Its output may come late where the kernel waits for a CPU.
            iopub_timeout=INTERRUPTED_SECONDS * BACKSTOP,
            raise_on_iopub_timeout=True,
            store_widget_state=widgets,
            on_cell_executed=_tell_failure,
            **options,
        )
        # Not as the argument `km`: then nbclient would leave it to others to end the kernel.
        self.km = self._manager = manager
        self.stopped = ""
        self.signalled: int | None = None
        self.ended = threading.Event()
        self._cancel: Callable[[], object] = lambda: None
        self._cell_seconds = cell_seconds
        self._all_seconds = seconds
        self._stretch = stretch
        self._known_stretch: float | None = None
        self._quota = OutputQuota(limits, widgets=widgets)
        self._cell = NotebookNode()  # the one that runs
        self._interrupting: asyncio.Future[None] | None = None
        self._over = ""

    @contextlib.asynccontextmanager
    async def async_setup_kernel(self, **kwargs: Any) -> AsyncIterator[None]:
        """Set the kernel up as nbclient does; a signal ends the run.

        nbclient ends the kernel alone, and then fails for want of it.
        """
        self._heed_signals()
        async with super().async_setup_kernel(**kwargs):
            self._heed_signals()
            yield

    def _heed_signals(self) -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None

        def end(number: int) -> None:
            self.signalled = number
            task.cancel()

        self._cancel = partial(loop.call_soon_threadsafe, task.cancel)
        if self.ended.is_set():
            self._cancel()

        with contextlib.suppress(RuntimeError, NotImplementedError):  # no main thread
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, end, number)

    def end(self) -> None:
        """End the run from another thread; it then raises asyncio.CancelledError."""
        self.ended.set()
        with contextlib.suppress(RuntimeError):  # it is over, and its loop is closed
            self._cancel()

    async def async_start_new_kernel_client(self) -> AsyncKernelClient:
        """Connect, and wait until the kernel answers and its messages arrive."""
        client = self.kc = self._manager.client()
        client.iopub_channel_class = client.shell_channel_class = GuardedChannel
        client.start_channels(hb=False, stdin=False)
        end = time.monotonic() + self.startup_timeout
        while not await _answers(client):
            await self._async_check_alive()
            if time.monotonic() > end:
                raise Stopped(
                    f"The kernel did not answer for {self.startup_timeout} s."
                )
        client.shell_channel.admits = self._admits_reply
        client.iopub_channel.admits = self._admits
        client.shell_channel.refuse = client.iopub_channel.refuse = self._refuse
        await run_hook(self.on_notebook_start, notebook=self.nb)
        return client

    async def async_execute_cell(
        self, cell: NotebookNode, cell_index: int, *args: Any, **kwargs: Any
    ) -> NotebookNode:
        """Execute a cell as nbclient does, within the limits."""
        if cell.cell_type != "code":
            return cell
        if self._over:
            raise Stopped(self._over)
        self._cell, self._interrupting = cell, None
        self._quota.begin_cell()
        self.meter.asked = True
        watch = asyncio.ensure_future(self._watch_time())
        try:
            return await super().async_execute_cell(cell, cell_index, *args, **kwargs)
        except Exception:
            _show_failure(cell, "NoReply", "The cell ended the run.")
            raise
        finally:
            self.meter.asked = False
            watch.cancel()
            if self._interrupting is not None:
                self._interrupting.cancel()
            cell.outputs = _joined(cell.outputs)

    async def _watch_time(self) -> None:
        """Interrupt a cell when it, or the notebook with it, reaches its limit of time."""
        begun = self.meter.taken
        while not (found := await self._time_limit(begun)):
            await asyncio.sleep(LOOK_SECONDS)
        self._interrupt(found, "TimeLimit")

    async def _time_limit(self, begun: Taken) -> str:
        """Which limit of time a cell that began then has reached; empty where none."""
        taken = self.meter.taken
        if excess := await self._excess(taken, self._all_seconds):
            self._over = f"The notebook {excess}."
            return f"the notebook {excess}"
        excess = await self._excess(taken.since(begun), self._cell_seconds)
        return excess and f"the cell {excess}"

    async def _excess(self, taken: Taken, seconds: float | None) -> str:
        """How a limit of so many seconds is exceeded on this machine, in words."""
        if seconds is None or not taken.excess(seconds):
            return ""
        if self._known_stretch is None:  # it may take a while to find out
            self._known_stretch = await asyncio.to_thread(self._stretch)
        return taken.excess(seconds, self._known_stretch)

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Take a message of a cell as nbclient does, or end the kernel where it cannot."""
        if self.stopped:
            return None
        try:
            return super().process_message(msg, cell, cell_index)
        except CellExecutionComplete:
            raise
        except Exception as error:  # it lacks a part, say, or is nested too deeply
            self._refuse(Unreadable(type(error).__name__))
            return None

    def _refuse(self, reason: Unreadable) -> None:
        self._stop(str(reason))

    def _admits(self, message: dict[str, Any], size: int) -> bool:
        """Whether to keep what the kernel publishes, whichever cell it belongs to."""
        if self.stopped:
            return False
        verdict = self._quota.admit(message, size)
        if verdict.cut:
            self._cell.outputs.append(_note("[cut here: too much output]"))
        if verdict.stop:
            self._interrupt("the cell wrote too much output", "OutputLimit")
        return verdict.keep

    def _admits_reply(self, message: dict[str, Any], size: int) -> bool:
        """Whether to take a reply to what was asked of the kernel."""
        return not self.stopped and _is_reply(message, size)

    def _interrupt(self, why: str, name: str) -> None:
        """Interrupt a cell that has reached a limit, and end a kernel that goes on."""
        if self._interrupting is not None:
            return
        text = f"{why} and was stopped"
        CellMetadata(limit=text).write(self._cell)
        self._cell.outputs.append(
            new_output("error", ename=name, evalue=text, traceback=[text])
        )
        self._interrupting = asyncio.ensure_future(self._end_cell(why))

    async def _end_cell(self, why: str) -> None:
        with contextlib.suppress(RuntimeError):  # it has ended meanwhile
            await self._manager.interrupt_kernel()
        begun = self.meter.taken
        while not self.meter.taken.since(begun).excess(INTERRUPTED_SECONDS):
            await asyncio.sleep(LOOK_SECONDS)
        self._stop(f"{why[0].upper()}{why[1:]} and could not be interrupted.")

    def _stop(self, reason: str) -> None:
        """End the kernel: nbclient then finds it dead.

        What it had sent by then is not taken, so that no run depends on who was faster.
        """
        self.stopped = self.stopped or reason
        self._manager.provisioner.process.kill()


async def _answers(client: AsyncKernelClient) -> bool:
    client.kernel_info()
    try:
        await client.shell_channel.get_msg(timeout=1)
        await client.iopub_channel.get_msg(timeout=0.2)
    except Empty:
        return False
    return True


def _tell_failure(
    cell: NotebookNode, execute_reply: dict[str, Any], **_: object
) -> None:
    """Show that a cell failed, or was not run, where the kernel says so.

    Code can keep a traceback from being shown; an assert that fails is one all the same.
    """
    content = execute_reply["content"]
    if content["status"] != "ok":
        name, value = (str(content.get(key, ""))[:200] for key in ("ename", "evalue"))
        _show_failure(cell, name or "NotRun", value)


def _show_failure(cell: NotebookNode, name: str, value: str) -> None:
    """Let a cell's output say that it failed, where it does not yet."""
    if not any(output.output_type == "error" for output in cell.outputs):
        text = "The cell failed, and its traceback was not shown."
        cell.outputs.append(
            new_output("error", ename=name, evalue=value, traceback=[text])
        )


def _note(text: str) -> NotebookNode:
    return new_output("stream", name="stdout", text=f"\n{text}\n")


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs with neighbouring texts of one stream made into one."""
    joined: list[NotebookNode] = []
    for stream, group in itertools.groupby(outputs, lambda out: out.get("name")):
        if stream is None:
            joined += group
        else:
            text = "".join(out.text for out in group)
            joined.append(new_output("stream", name=stream, text=text))
    return joined
