"""The figures of the report, each with its text for those who cannot see it."""

from dataclasses import dataclass

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from labkit.formatting import counted
from labkit.grading.results.class_report import BINS, Exercise, LabReport
from labkit.pages import Picture, embedded
from labkit.plots import INK
from labkit.plots.style import styled

# A phone is about this wide: a figure is never shrunk until its text is too small.
WIDTH = 4.0  # inches of 96 pixels
# The field of Exercise, a fill that ink stands out on, a hatch and an edge for each
# kind: colour is never the only sign.
KINDS = {
    "right": ("right", "#8cc5e3", "", "-"),
    "partly": ("partly", "#d3e8f3", "//", "-"),
    "wrong": ("wrong", "#f6b48f", r"\\\\", "-"),
    "not tried": ("not_tried", "#ffffff", "", ":"),
}
_hatched = matplotlib.rc_context(
    {
        "hatch.linewidth": 0.5,
        "hatch.color": INK,
        "font.sans-serif": ["DejaVu Sans"],
    }
)
LABELS_BELOW = 1000  # longer numbers would touch each other
LABEL_FROM = 0.08  # of the bar: a narrower part has no room for its number


@dataclass(frozen=True)
class LabFigures:
    """The figures of one lab."""

    scores: Picture
    exercises: Picture


@styled
@_hatched
def of_lab(lab: LabReport) -> LabFigures:
    """The score distribution of a lab and of each of its exercises."""
    return LabFigures(_scores(lab), _exercises(lab))


@styled
@_hatched
def histogram(counts: list[int], edges: list[float], label: str, text: str) -> Picture:
    """Bars of counts between edges, one more edge than counts; `label` names the x axis."""
    figure = Figure(figsize=(WIDTH, 2.2), layout="constrained")
    axes = figure.subplots()
    bars = axes.bar(
        edges[:-1],
        counts,
        width=edges[1] - edges[0],
        align="edge",
        color=KINDS["right"][1],
        edgecolor=INK,
        linewidth=0.6,
    )
    if max(counts) < LABELS_BELOW:
        axes.bar_label(bars, [str(n) if n else "" for n in counts], fontsize=8)
    axes.margins(x=0, y=0.15)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    axes.set_xlabel(label)
    return embedded(figure, text)


def _scores(lab: LabReport) -> Picture:
    counts = lab.histogram()
    edges = [lab.max_score * number / BINS for number in range(BINS + 1)]
    low, middle, high = lab.quartiles()
    text = (
        f"Histogram of {counted(len(lab.scores), 'score')}: half of them from {low:.4g} to {high:.4g} "
        f"of {lab.max_score:.4g} points, median {middle:.4g}."
    )
    return histogram(counts, edges, f"points of {lab.max_score:.4g}", text)


def _exercises(lab: LabReport) -> Picture:
    rows = [one for one in lab.exercises if one.scored]
    figure = Figure(figsize=(WIDTH, 1.0 + 0.26 * len(rows)), layout="constrained")
    axes = figure.subplots()
    names = [one.title for one in rows]
    left = [0.0] * len(rows)
    for kind, (field, color, hatch, edge) in KINDS.items():
        counts = [getattr(one, field) for one in rows]
        shares = [n / one.scored for n, one in zip(counts, rows, strict=True)]
        bars = axes.barh(
            names,
            shares,
            left=left,
            color=color,
            hatch=hatch,
            linestyle=edge,
            edgecolor=INK,
            linewidth=0.6,
            label=kind,
        )
        labels = [
            str(n) if share >= LABEL_FROM else ""
            for n, share in zip(counts, shares, strict=True)
        ]
        axes.bar_label(
            bars,
            labels,
            label_type="center",
            fontsize=8,
            bbox={"boxstyle": "round,pad=0.1", "fc": color, "ec": "none"},
        )
        left = [a + b for a, b in zip(left, shares, strict=True)]
    axes.margins(y=0.01)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper left", ncols=4, handlelength=1.4, columnspacing=1)
    return embedded(figure, _exercises_text(rows))


def _exercises_text(rows: list[Exercise]) -> str:
    if not rows:
        return "No exercise is scored yet."
    worst = max(rows, key=lambda one: one.lost_share)
    return (
        f"Bars: how many solved each of {counted(len(rows), 'exercise')}. Most was lost in "
        f"{worst.title}: {worst.right} of {worst.scored} right. The numbers are in the table."
    )
