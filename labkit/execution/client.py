"""Runs the cells of a notebook, and takes no more from its kernel than is good for us."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty
from typing import Any

from jupyter_client.channels import AsyncZMQSocketChannel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete
from nbclient.util import ensure_async, run_hook
from nbformat import NotebookNode
from nbformat.v4 import new_output

from labkit.checks.protocol import MIME
from labkit.sandbox.meter import BACKSTOP, LOOK_SECONDS, Meter, Taken

# How long an interrupted kernel may take to come back.
INTERRUPTED_SECONDS = 10
_DISPLAYS = ("display_data", "execute_result", "update_display_data")
_OUTPUTS = ("stream", "error", *_DISPLAYS)
# nbgrader scores by these, so what was written before them does not push them out.
_ONE_IS_KEPT = ("error", "execute_result")
_SIZE = "labkit_bytes"


@dataclass(frozen=True)
class OutputLimits:
    """How much a notebook may write; sizes in bytes.

    Of what a cell writes, `cell_kept` bytes are kept, of the notebook's `kept` bytes. A
    cell that goes on to `cell_bytes` or `cell_messages` is interrupted. What checks send
    is counted apart: `checks` bytes in all.
    """

    cell_kept: int = 8 * 2**20
    kept: int = 64 * 2**20
    cell_bytes: int = 64 * 2**20
    cell_messages: int = 20_000
    checks: int = 200 * 2**20


class Stopped(Exception):
    """The run cannot go on; says why in plain words."""


@dataclass
class _Written:
    """What the cell that runs has written so far."""

    size: int = 0
    messages: int = 0
    once: set[str] = field(default_factory=set)
    cut: bool = False
    interrupt: asyncio.Future | None = None


class MeasuredChannel(AsyncZMQSocketChannel):
    """A channel that notes the size of each message in the message."""

    async def _recv(self, **kwargs: Any) -> dict:
        parts = await self.socket.recv_multipart(**kwargs)
        # The sender is the student's code as much as the kernel: expect anything.
        try:
            _, message = self.session.feed_identities(parts)
            found = self.session.deserialize(message)
        except Exception as error:
            raise _unreadable(type(error).__name__) from None
        return {**found, _SIZE: sum(map(len, parts))}


class BoundedClient(NotebookClient):
    """nbclient's, with limits on output and on the time of a cell and of the notebook.

    `cell_seconds` and `seconds` are for a cell and for all of them, as `meter` counts
    them, None for no limit; `stretch()` says how many times they count on this
    machine, and is asked where a limit is reached. A cell that reaches a limit is
    interrupted, and `labkit.limit` in its metadata says which. Where a run cannot go
    on, `stopped` says why and the kernel is ended.
    """

    meter: Meter  # of the kernel, once it runs

    def __init__(
        self,
        notebook: NotebookNode,
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
            **options,
        )
        self.stopped = ""
        self._cell_seconds = cell_seconds
        self._all_seconds = seconds
        self._stretch = stretch
        self._known_stretch: float | None = None
        self._limits = limits
        self._widgets = widgets
        self._kept = self._checks = 0
        self._written = _Written()
        self._over = ""

    async def async_start_new_kernel_client(self) -> Any:
        """Connect, and wait until the kernel answers and its messages arrive."""
        self.kc = self.km.client()
        self.kc.iopub_channel_class = self.kc.shell_channel_class = MeasuredChannel
        self.kc.start_channels(hb=False, stdin=False)
        end = time.monotonic() + self.startup_timeout
        while not await self._answers():
            await self._async_check_alive()
            if time.monotonic() > end:
                raise Stopped(
                    f"The kernel did not answer for {self.startup_timeout} s."
                )
        await run_hook(self.on_notebook_start, notebook=self.nb)
        return self.kc

    async def _answers(self) -> bool:
        self.kc.kernel_info()
        try:
            await self.kc.shell_channel.get_msg(timeout=1)
            await self.kc.iopub_channel.get_msg(timeout=0.2)
        except Empty:
            return False
        return True

    async def async_execute_cell(
        self, cell: NotebookNode, cell_index: int, *args: Any, **kwargs: Any
    ) -> NotebookNode:
        """Execute a cell as nbclient does, within the limits."""
        if cell.cell_type != "code":
            return cell
        if self._over:
            raise Stopped(self._over)
        self._written = _Written()
        self.meter.asked = True
        watch = asyncio.ensure_future(self._watch_time(cell))
        try:
            return await super().async_execute_cell(cell, cell_index, *args, **kwargs)
        finally:
            self.meter.asked = False
            watch.cancel()
            if self._written.interrupt is not None:
                self._written.interrupt.cancel()
            cell.outputs = _joined(cell.outputs)

    async def _watch_time(self, cell: NotebookNode) -> None:
        """Interrupt a cell when it, or the notebook with it, reaches its limit of time."""
        begun = self.meter.taken
        while not (found := await self._time_limit(begun)):
            await asyncio.sleep(LOOK_SECONDS)
        self._interrupt(cell, found, "TimeLimit")

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

    async def _async_poll_output_msg(
        self, parent_msg_id: str, cell: NotebookNode, cell_index: int
    ) -> None:
        """Take the messages of a cell until it is done; those of others count, too."""
        try:
            while True:
                message = await self.kc.iopub_channel.get_msg(timeout=None)
                kept = self._admit(message, cell)
                if kept and message["parent_header"].get("msg_id") == parent_msg_id:
                    self.process_message(message, cell, cell_index)
        except CellExecutionComplete:
            return
        except RecursionError:  # a message nested deeper than anything that is meant
            self._stop(str(_unreadable("nested too deeply")))
            raise _unreadable("nested too deeply") from None
        except Stopped as reason:
            self._stop(str(reason))
            raise

    def _admit(self, message: dict, cell: NotebookNode) -> bool:
        """Count a message; whether it is to be kept. Raises Stopped for a malformed one."""
        kind, size, written = message["msg_type"], message[_SIZE], self._written
        if not _well_formed(message):
            raise _unreadable(str(kind)[:40])
        written.messages += 1
        if kind.startswith("comm"):
            written.size += size
            kept = self._widgets
        elif kind not in _OUTPUTS:
            return True
        elif MIME in message["content"].get("data", ()):
            self._checks += size
            kept = self._checks <= self._limits.checks
        else:
            written.size += size
            kept = kind in _ONE_IS_KEPT and kind not in written.once
            written.once.add(kind)
            room = self._kept + size <= self._limits.kept
            kept = kept or (room and written.size <= self._limits.cell_kept)
            self._kept += size if kept else 0
        if not (kept or written.cut or kind.startswith("comm")):
            written.cut = True
            cell.outputs.append(_note("[cut here: too much output]"))
        self._watch_flood(cell)
        return kept

    def _watch_flood(self, cell: NotebookNode) -> None:
        written, limits = self._written, self._limits
        too_many = written.messages > limits.cell_messages
        if too_many or written.size > limits.cell_bytes:
            self._interrupt(cell, "the cell wrote too much output", "OutputLimit")

    def _interrupt(self, cell: NotebookNode, why: str, name: str) -> None:
        """Interrupt a cell that has reached a limit, and end a kernel that goes on."""
        if self._written.interrupt is not None:
            return
        text = f"{why} and was stopped"
        cell.metadata["labkit"] = {"limit": text}
        cell.outputs.append(
            new_output("error", ename=name, evalue=text, traceback=[text])
        )
        self._written.interrupt = asyncio.ensure_future(self._end_cell(why))

    async def _end_cell(self, why: str) -> None:
        with contextlib.suppress(RuntimeError):  # it has ended meanwhile
            await ensure_async(self.km.interrupt_kernel())
        begun = self.meter.taken
        while not self.meter.taken.since(begun).excess(INTERRUPTED_SECONDS):
            await asyncio.sleep(LOOK_SECONDS)
        self._stop(f"{why[0].upper()}{why[1:]} and could not be interrupted.")

    def _stop(self, reason: str) -> None:
        """End the kernel: nbclient then finds it dead."""
        self.stopped = self.stopped or reason
        self.km.provisioner.process.kill()


def _unreadable(what: str) -> Stopped:
    return Stopped(f"The kernel sent a message that cannot be read ({what}).")


def _well_formed(message: dict) -> bool:
    """Whether an output is what the protocol says; code in the kernel may send anything."""
    kind, content = message["msg_type"], message["content"]
    if not (isinstance(kind, str) and isinstance(content, dict)):
        return False
    if not isinstance(message["parent_header"], dict):
        return False
    if not isinstance(content.get("execution_count", 0), int | None):
        return False
    if kind == "stream":
        known = content.get("name") in ("stdout", "stderr")
        return known and isinstance(content.get("text"), str)
    if kind in _DISPLAYS:
        data = content.get("data")
        return isinstance(data, dict) and isinstance(content.get("metadata"), dict)
    if kind == "error":
        lines = content.get("traceback")
        texts = [content.get("ename"), content.get("evalue")]
        texts += lines if isinstance(lines, list) else [None]
        return all(isinstance(text, str) for text in texts)
    return kind != "status" or isinstance(content.get("execution_state"), str)


def _note(text: str) -> NotebookNode:
    return new_output("stream", name="stdout", text=f"\n{text}\n")


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs with neighbouring texts of one stream made into one."""
    joined = []
    for stream, group in itertools.groupby(outputs, lambda out: out.get("name")):
        group = list(group)
        if stream is None:
            joined += group
        else:
            text = "".join(out.text for out in group)
            joined.append(new_output("stream", name=stream, text=text))
    return joined
