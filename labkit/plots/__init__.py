"""The figures of the labs: each function draws one figure and returns it.

Figures are made without pyplot, so nothing is drawn twice, nothing stays open
and no global setting changes: a figure shows where it is a cell's last
expression, or through `display(figure)`. `figure.savefig(path)` writes it.

In a notebook that imports this room, pyplot's figures too are shown at twice the
density, with what they show as alternative text.
"""

from labkit.plots.classes import class_counts, class_scores, confusion_matrix
from labkit.plots.curves import curve_sheet, curves, score_history
from labkit.plots.layers import feature_maps, filters, one_scale, weights
from labkit.plots.pictures import confused_pairs, image_grid, misclassified, top_k
from labkit.plots.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    RULE,
    STYLE,
    VERMILION,
    WIDTH,
    Figure,
    show_in_notebooks,
)
from labkit.plots.words import describe

show_in_notebooks()

__all__ = [
    "BLUE",
    "GREEN",
    "INK",
    "MUTED",
    "ORANGE",
    "RULE",
    "STYLE",
    "VERMILION",
    "WIDTH",
    "Figure",
    "class_counts",
    "class_scores",
    "confused_pairs",
    "confusion_matrix",
    "curve_sheet",
    "curves",
    "describe",
    "feature_maps",
    "filters",
    "image_grid",
    "misclassified",
    "one_scale",
    "score_history",
    "top_k",
    "weights",
]
