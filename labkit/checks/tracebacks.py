"""An error as a student reads it: the frames of his own code, the arrow at its line.

The line is that of the traceback: a frame's own number is that of where it ended, which
a `finally` moves on.
"""

import linecache
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

# How many lines of code stand above and below the one that failed.
AROUND = 2
# Of calls of calls, so many of the first and of the last are shown.
FIRST, LAST = 3, 2
RED, GREEN, PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[0m"


@dataclass(frozen=True)
class Frame:
    """A call in a student's own code: its file, what it is called, function and line."""

    file: str
    place: str
    function: str
    line: int

    def text(self) -> str:
        """The place, and the code around the line with an arrow at it."""
        inside = "" if self.function == "<module>" else f", in {self.function}"
        shown = [f"{GREEN}{self.place}{PLAIN}, line {self.line}{inside}"]
        code = linecache.getlines(self.file)
        for number in range(self.line - AROUND, self.line + AROUND + 1):
            if 0 < number <= len(code):
                text = f"{number:>3} {code[number - 1].rstrip()}".rstrip()
                failed = number == self.line
                shown.append(f"{RED}---> {text}{PLAIN}" if failed else f"     {text}")
        return "\n".join(shown)


def own_frames(shell: Any, tb: TracebackType | None) -> list[Frame]:
    """The calls of a traceback that are in cells or in files beside the notebook."""
    found: list[Frame] = []
    for frame, line in traceback.walk_tb(tb):
        code = frame.f_code
        if code.co_name == "_end" and frame.f_globals.get("__name__", "").startswith(
            "labkit.checks"
        ):
            found = []  # where a check cell ended: what is behind it is the error
        place = _place(shell, code.co_filename)
        if place:
            found.append(Frame(code.co_filename, place, code.co_name, line))
    return found


def _place(shell: Any, file: str) -> str:
    """What a student calls a file of code; empty for what is not his own."""
    named = shell.compile.format_code_name(file)
    if named:
        return " ".join(named)
    beside = Path(file)
    own = beside.is_relative_to(Path.cwd()) and "site-packages" not in beside.parts
    return str(beside.relative_to(Path.cwd())) if own and beside.is_file() else ""


def lines(shell: Any, error: BaseException, tb: TracebackType | None) -> list[str]:
    """An error in lines as IPython shows them; empty where none of it is the student's."""
    frames = own_frames(shell, tb)
    if not frames:
        return []
    told = [
        f"{RED}{type(error).__name__}{PLAIN} in your code, the last call at the end"
    ]
    told += _shown(frames)
    said = "".join(traceback.format_exception_only(type(error), error)).rstrip()
    kind, colon, text = said.partition(":")
    return [*told, f"{RED}{kind}{PLAIN}{colon}{text}"]


def _shown(frames: list[Frame]) -> Iterator[str]:
    left_out = len(frames) - FIRST - LAST
    if left_out <= 1:
        yield from (frame.text() for frame in frames)
        return
    yield from (frame.text() for frame in islice(frames, FIRST))
    yield f"     ... {left_out} more calls, the same again and again ..."
    yield from (frame.text() for frame in frames[-LAST:])
