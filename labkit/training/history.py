"""What a training run did, as a table."""

from __future__ import annotations

import html
from dataclasses import dataclass, field

import numpy as np

from labkit.formatting import counted

# A longer table is shown by its ends and its best epoch.
LONG, ENDS = 20, 5


@dataclass(repr=False)
class History:
    """What a training run did: one row an epoch, and how long it took.

    It is shown as a table, of which a long one shows the first, the best and the last epochs.

    rows: epoch, loss, accuracy, learning_rate, seconds, and val_loss and val_accuracy where
    there were validation pictures. Losses hold label smoothing; accuracies are 0 to 1.
    """

    setup: str
    rows: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    note: str = ""

    def column(self, name: str) -> np.ndarray:
        """Return one column of the table, float64 (epochs,)."""
        return np.array([row[name] for row in self.rows], dtype=float)

    def curves(self) -> dict[str, np.ndarray]:
        """Return losses and accuracies by name, as `plots.curves` draws them."""
        names = self.rows[0] if self.rows else ()
        return {n: self.column(n) for n in names if n.endswith(("loss", "accuracy"))}

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, of the lowest validation loss (training loss without one)."""
        if not self.rows:
            return 0
        name = "val_loss" if "val_loss" in self.rows[0] else "loss"
        return int(np.argmin(self.column(name))) + 1

    def _shown(self) -> list[int]:
        """The epochs that the table shows; 0 stands for those between that it does not."""
        last = len(self.rows)
        if last <= LONG:
            return list(range(1, last + 1))
        ends = {*range(1, ENDS + 1), *range(last - ENDS + 1, last + 1)}
        shown = sorted(ends | {self.best_epoch})
        gaps = {one for one in shown[1:] if one - 1 not in shown}
        return [
            one for epoch in shown for one in ([0, epoch] if epoch in gaps else [epoch])
        ]

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        names = list(self.rows[0]) if self.rows else ["epoch"]
        text = {
            "epoch": "{:.0f}",
            "learning_rate": "{:.2g}",
            "seconds": "{:.1f}",
            "accuracy": "{:.2%}",
            "val_accuracy": "{:.2%}",
        }
        body = [
            [text.get(n, "{:.4f}").format(self.rows[epoch - 1][n]) for n in names]
            if epoch
            else ["..." for _ in names]
            for epoch in self._shown()
        ]
        return [n.replace("_", " ") for n in names], body

    def summary(self) -> str:
        """Return one line: epochs, time, best epoch, and what cut the run short, if so."""
        number = len(self.rows)
        parts = [f"{counted(number, 'epoch')} in {clock(self.seconds)}"]
        if self.rows and "val_loss" in self.rows[0]:
            parts.append(f"lowest validation loss in epoch {self.best_epoch}")
        return "; ".join([*parts, self.note] if self.note else parts)

    def __str__(self) -> str:
        head, body = self._cells()
        widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
        lines = [
            "  ".join(cell.rjust(w) for cell, w in zip(cells, widths, strict=True))
            for cells in (head, *body)
        ]
        return "\n".join([self.setup, *lines, self.summary()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        names, body = self._cells()
        rows = [f"<tr>{''.join(f'<th>{name}</th>' for name in names)}</tr>"]
        for epoch, cells in zip(self._shown(), body, strict=True):
            cell = "th" if epoch == self.best_epoch else "td"
            rows.append(f"<tr>{''.join(f'<{cell}>{c}</{cell}>' for c in cells)}</tr>")
        head = html.escape(f"{self.setup}\n{self.summary()}").replace("\n", "<br>")
        head = f"<p>{head}</p>"
        return f"{head}<table>{''.join(rows)}</table>"


def clock(seconds: float) -> str:
    """Return a time as m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
