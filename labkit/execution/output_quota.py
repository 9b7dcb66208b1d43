"""How much a notebook may write: counts a kernel's messages and says which to keep."""

from dataclasses import dataclass, field
from typing import Any

from labkit.checks.protocol import MIME

_DISPLAYS = ("display_data", "execute_result", "update_display_data")
_OUTPUTS = ("stream", "error", *_DISPLAYS)
# nbgrader scores by these, so what was written before them does not push them out.
_ONE_IS_KEPT = ("error", "execute_result")


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


class Unreadable(Stopped):
    """A message is not what the protocol says."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The kernel sent a message that cannot be read ({what}).")


@dataclass(frozen=True)
class Verdict:
    """What is to be done about a message.

    `keep` it or leave it out; `cut`: it is the cell's first output to be left out, which
    the cell should say; `stop`: the cell has written too much to go on.
    """

    keep: bool
    cut: bool = False
    stop: bool = False


@dataclass
class _Written:
    """What the cell that runs has written so far."""

    size: int = 0
    messages: int = 0
    once: set[str] = field(default_factory=set)
    cut: bool = False


class OutputQuota:
    """Counts what a notebook writes, a cell after the other.

    `widgets`: whether messages of widgets are kept.
    """

    def __init__(self, limits: OutputLimits, *, widgets: bool) -> None:
        self._limits = limits
        self._widgets = widgets
        self._kept = self._checks = 0
        self._written = _Written()

    def begin_cell(self) -> None:
        """From here on it is another cell that writes."""
        self._written = _Written()

    def admit(self, message: dict[str, Any], size: int) -> Verdict:
        """Count a message of so many bytes; raises Unreadable for a malformed one."""
        kind = message["msg_type"]
        if not _well_formed(message):
            raise Unreadable(str(kind)[:40])
        written = self._written
        written.messages += 1
        comm = kind.startswith("comm")
        if not comm and kind not in _OUTPUTS:
            return Verdict(keep=True)
        if comm:
            written.size += size
            keep = self._widgets
        elif kind in _DISPLAYS and MIME in message["content"]["data"]:
            self._checks += size
            keep = self._checks <= self._limits.checks
        else:
            keep = self._has_room(kind, size)
        cut = not (keep or comm or written.cut)
        written.cut |= cut
        return Verdict(keep, cut, self._flooded())

    def _has_room(self, kind: str, size: int) -> bool:
        """Count an output that no check sent; whether it is to be kept."""
        written, limits = self._written, self._limits
        written.size += size
        first = kind in _ONE_IS_KEPT and kind not in written.once
        written.once.add(kind)
        room = self._kept + size <= limits.kept and written.size <= limits.cell_kept
        self._kept += size if first or room else 0
        return first or room

    def _flooded(self) -> bool:
        written, limits = self._written, self._limits
        return written.messages > limits.cell_messages or (
            written.size > limits.cell_bytes
        )


def _well_formed(message: dict[str, Any]) -> bool:
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
