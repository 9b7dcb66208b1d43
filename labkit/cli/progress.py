"""Progress lines in the terminal: what is done, what runs, how long it will take."""

import time
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.table import Column

from labkit.grading.progress import Progress

NAME_WIDTH = 28
_SomeLine = TypeVar("_SomeLine", bound="_Line")


def _firm() -> Column:
    """A column that keeps its width where the terminal is narrow: the bar gives way."""
    return Column(no_wrap=True)


class GradingProgress(Progress):
    """Progress lines for grading and the demo: steps, submissions done, time left."""

    def __init__(self, console: Console) -> None:
        self._bars = Bars(
            TextColumn(f"{{task.description:{NAME_WIDTH}}}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(table_column=_firm()),
            TimeElapsedColumn(table_column=_firm()),
            TextColumn("left"),
            TimeRemainingColumn(table_column=_firm()),
            TextColumn("{task.fields[note]}"),
            console=console,
        )
        self._task: TaskID | None = None
        self._solutions: dict[str, TaskID] = {}  # those that run, by lab
        self._begun = 0.0
        self._started = self._done = self._failed = 0

    def __enter__(self) -> "GradingProgress":
        self._bars.start()
        return self

    def __exit__(self, *_) -> None:
        self._close()
        self._bars.stop()

    def step(self, title: str) -> None:
        """One of the demo's steps begins."""
        self._close()
        self._bars.console.print(title, style="bold")

    def announce(self, text: str) -> None:
        """A step without a known length begins."""
        self._bars.console.print(f"  {text}")

    def start(self, total: int, unchanged: int) -> None:
        """`total` submissions are graded now; `unchanged` ones are graded already."""
        self._close()
        if unchanged:
            self.announce(f"{unchanged} graded already and unchanged")
        self._begun = time.monotonic()
        self._started = self._done = self._failed = 0
        self._task = self._bars.add_task("  grading", total=total, note="")

    def running(self, submission) -> None:
        """A submission begins to run."""
        self._started += 1
        self._update(note=self._note())

    def done(self, submission, reason: str) -> None:
        """A submission is in the gradebook."""
        self._done += 1
        self._failed += bool(reason)
        self._update(advance=1, note=self._note())

    def cell(self, lab: str, number: int, count: int, heading: str) -> None:
        """A cell of a solution begins."""
        if number == 1:
            bar = self._bars.add_task(f"  {lab}", total=count, note="")
            self._solutions[lab] = bar
        self._bars.update(
            self._solutions[lab],
            completed=number - 1,
            description=f"  {lab}: {heading}"[:NAME_WIDTH],
        )

    def ran(self, lab: str, seconds: float) -> None:
        """A solution has run."""
        if (bar := self._solutions.pop(lab, None)) is not None:
            self._complete(bar)
        self.announce(f"{lab}: solution run in {seconds:.0f} s")

    def _note(self) -> str:
        minutes = max(time.monotonic() - self._begun, 1e-3) / 60
        running = max(self._started + self._failed - self._done, 0)
        failed = f", [red]{self._failed} not readable[/]" if self._failed else ""
        return f"{running} running{failed}, {self._done / minutes:.0f} a minute"

    def _update(self, **changes: Any) -> None:
        if self._task is not None:
            self._bars.update(self._task, **changes)

    def _close(self) -> None:
        """The bar at hand is complete: its step is over."""
        if self._task is not None:
            self._complete(self._task)
            self._task = None

    def _complete(self, bar: TaskID) -> None:
        self._bars.update(bar, completed=self._bars.tasks[bar].total)


class _Line:
    """A progress line of one task, with columns of its own; it goes when the task is over."""

    def __init__(
        self, console: Console, name: str, before: str, *columns: ProgressColumn
    ) -> None:
        self._progress = Bars(
            TextColumn("{task.fields[name]:20}", markup=False),
            BarColumn(bar_width=24),
            *columns,
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
        )
        self._name, self._before = name, before

    def __enter__(self: _SomeLine) -> _SomeLine:
        self._progress.start()
        self._task = self._progress.add_task(self._before, total=None, name=self._name)
        return self

    def __exit__(self, *_) -> None:
        self._progress.stop()

    def _show(self, done: int, count: int, what: str) -> None:
        self._progress.update(
            self._task, completed=done, total=count, description=what[:NAME_WIDTH]
        )


class CellProgress(_Line):
    """A progress line for a notebook that runs: cells done, time, heading."""

    def __init__(self, console: Console, name: str) -> None:
        cells = TextColumn("{task.completed}/{task.total} cells")
        super().__init__(
            console,
            name,
            "starting the kernel",
            cells,
            TimeElapsedColumn(table_column=_firm()),
        )

    def cell(self, number: int, count: int, heading: str) -> None:
        """The cell of that number, from 1, begins under a heading."""
        self._show(number - 1, count, heading)


class CountProgress(_Line):
    """A progress line for many alike: how many are done, time left, which one runs."""

    def __init__(self, console: Console, name: str) -> None:
        super().__init__(
            console,
            name,
            "what comes before",
            MofNCompleteColumn(table_column=_firm()),
            TimeElapsedColumn(table_column=_firm()),
            TextColumn("left"),
            TimeRemainingColumn(table_column=_firm()),
        )

    def update(self, done: int, count: int, what: str) -> None:
        """So many of them are done, and one begins."""
        self._show(done, count, what)
