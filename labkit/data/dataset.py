"""The object that `labkit.data.load` returns."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from labkit.formatting import counted


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images and labels of one data set, and where they came from.

    Attributes
    ----------
    name : str
        The data set's short name; a stand-in carries its own ("digits", not "mnist").
    train_images, test_images : array (N, H, W) or (N, H, W, 3), uint8
        Grey or RGB.
    train_labels, test_labels : array (N,), int64
        An index into `class_names`; `test_labels` is None where hidden.
    class_names : tuple of str
        The classes.
    source : str
        One line, where the data came from.
    stand_in : bool
        Whether the images only stand in for the data set that was asked for.
    train_names, test_names : tuple of str
        File names, in the order of the images; empty where images come in one file.
    test_ids : array (N,), int64, or None
        Increasing: the ids a submission must hold; None where there is no competition.
    sample_submission : Path or None
        The competition's own example of a submission (CSV).
    damaged : tuple of (str, str)
        File name and reason of each unreadable picture, and of each file that is none. Such a training
        picture is left out; such a test picture is mid-grey, so that every id keeps its place.
    licence, citation : str
        Of the data.

    Examples
    --------
    >>> from labkit import data
    >>> data.load("digits")
    digits (STAND-IN DATA)
      training  1,437 images of 28 x 28, uint8
      test      360 images of 28 x 28, uint8
      classes   10: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
      source    scikit-learn's handwritten digits (8x8, enlarged to 28x28)
      licence   CC BY 4.0
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray | None
    class_names: tuple[str, ...]
    source: str
    stand_in: bool = False
    train_names: tuple[str, ...] = ()
    test_names: tuple[str, ...] = ()
    test_ids: np.ndarray | None = None
    sample_submission: Path | None = None
    damaged: tuple[tuple[str, str], ...] = ()
    licence: str = ""
    citation: str = ""

    def title(self, text: str) -> str:
        """Return a figure's title, marked where the data is a stand-in."""
        return f"{text} (stand-in data)" if self.stand_in else text

    def _rows(self) -> list[tuple[str, str]]:
        rows = [
            ("training", _count(self.train_images, self.train_labels)),
            ("test", _count(self.test_images, self.test_labels)),
            ("classes", f"{len(self.class_names)}: {', '.join(self.class_names)}"),
            ("source", self.source),
        ]
        if self.licence:
            rows.append(("licence", self.licence))
        if self.damaged:
            rows.append(
                ("damaged", f"{counted(len(self.damaged), 'file')}, listed in .damaged")
            )
        return rows

    def __str__(self) -> str:
        head = f"{self.name} (STAND-IN DATA)" if self.stand_in else self.name
        return "\n".join(
            [head, *(f"  {label:<9} {text}" for label, text in self._rows())]
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(label)}</th>"
            f"<td style='text-align:left'>{escape(text)}</td></tr>"
            for label, text in self._rows()
        )
        mark = (
            " <span style='background:#b35900;color:#fff;padding:1px 6px'>stand-in data</span>"
            if self.stand_in
            else ""
        )
        return f"<div><b>{escape(self.name)}</b>{mark}<table>{rows}</table></div>"


def _count(images: np.ndarray, labels: np.ndarray | None) -> str:
    shape = " x ".join(str(n) for n in images.shape[1:])
    hidden = ", labels hidden" if labels is None else ""
    return f"{counted(len(images), 'image')} of {shape}, {images.dtype}{hidden}"
