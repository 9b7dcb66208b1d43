"""Scores by class: confusion matrices, precision and recall, class counts."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from labkit.plots.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    RULE,
    VERMILION,
    Figure,
    new_figure,
    pretty,
    styled,
)


def worst_pairs(matrix: np.ndarray, count: int) -> list[tuple[int, int]]:
    """Return the (true, predicted) pairs with the most errors, most first."""
    errors = np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
    order = np.argsort(-errors, axis=None, kind="stable")[:count]
    pairs = [divmod(int(cell), len(matrix)) for cell in order]
    return [pair for pair in pairs if errors[pair] > 0]


SHARES = {True: 1, "true": 1, "predicted": 0}
ORDERS = ("class", "similarity")
DARK = 0.2  # a luminance from which white and dark letters stand out alike


@styled
def confusion_matrix(
    matrix: np.ndarray,
    class_names: Sequence[str],
    *,
    normalise: bool | str = False,
    order: str = "class",
    title: str = "",
) -> Figure:
    """Draw a confusion matrix of counts; the worst pairs are named in the heading.

    Parameters
    ----------
    matrix : array (C, C)
        Rows true, columns predicted.
    class_names : C texts
    normalise : False, True, "true" or "predicted"
        "true" (or True) shows each row in percent of that class's pictures, so that the
        diagonal is recall; "predicted" each column in percent of that answer, so that it is
        precision.
    order : "class" or "similarity"
        "class", as given, or "similarity", classes that are mixed up with each other side by
        side.
    title : str
        The figure's heading.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        The shape is another one, or `normalise` or `order` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import plots
    >>> figure = plots.confusion_matrix(np.array([[8, 2], [1, 9]]), ["cat", "dog"])
    >>> figure.texts[0].get_text()
    '85.0% on the diagonal. Most confused: cat → dog 2, dog → cat 1.'
    """
    matrix = np.asarray(matrix)
    if matrix.shape != (len(class_names), len(class_names)):
        raise ValueError(
            f"confusion_matrix needs one row and one column for each of the"
            f" {len(class_names)} classes; found {matrix.shape}."
        )
    if order not in ORDERS:
        raise ValueError(f"order is {order!r}; expected {' or '.join(ORDERS)}.")
    if order == "similarity":
        places = _by_similarity(matrix)
        matrix = matrix[np.ix_(places, places)]
        class_names = [class_names[place] for place in places]
    shown, unit = _normalised(matrix, normalise)
    worst = ", ".join(
        f"{pretty(class_names[i])} → {pretty(class_names[j])} {shown[i, j]:.0f}{unit}"
        for i, j in worst_pairs(shown, 3)
    )
    right = np.trace(matrix) / max(1, matrix.sum())
    subtitle = f"{right:.1%} on the diagonal." + f" Most confused: {worst}." * bool(
        worst
    )
    figure = new_figure(1.6 + 0.36 * max(8, len(matrix)), title, subtitle)
    axes = figure.subplots()
    _heat(axes, shown, np.eye(len(matrix), dtype=bool))
    names = [pretty(name) for name in class_names]
    middle = np.arange(len(names)) + 0.5
    axes.set_xticks(middle, names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(middle, names, rotation=0)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted" + ", columns in percent" * (normalise == "predicted"))
    axes.set_ylabel("true" + ", rows in percent" * (normalise in (True, "true")))
    return figure


def _normalised(matrix: np.ndarray, normalise: bool | str) -> tuple[np.ndarray, str]:
    """Return the numbers to show, and their unit."""
    if normalise is False:
        return matrix.astype(float), ""
    if normalise not in SHARES:
        raise ValueError(
            f"normalise is {normalise!r}; expected False, 'true' or 'predicted'."
        )
    totals = matrix.sum(axis=SHARES[normalise], keepdims=True)
    return 100 * matrix / np.maximum(totals, 1), " %"


def _by_similarity(matrix: np.ndarray) -> np.ndarray:
    """Return the classes' numbers, those that are mixed up with each other side by side.

    Average linkage on the share of errors between two classes, leaves in the order of
    Bar-Joseph et al., 2001.
    """
    if len(matrix) < 3:
        return np.arange(len(matrix))
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    rows = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    apart = 1 - (rows + rows.T) / 2
    np.fill_diagonal(apart, 0)
    tree = linkage(squareform(apart, checks=False), "average", optimal_ordering=True)
    return leaves_list(tree)


def _heat(axes: Axes, shown: np.ndarray, diagonal: np.ndarray) -> None:
    """Draw hits blue and errors orange, each on its own scale, so that errors show."""
    import seaborn  # which imports pandas: a second that other figures need not wait for

    text = np.array(
        [[f"{cell:.0f}" if cell >= 0.5 else "" for cell in row] for row in shown]
    )
    for part, palette in ((diagonal, "Blues"), (~diagonal, "Oranges")):
        seaborn.heatmap(
            shown,
            mask=~part,
            annot=text,
            fmt="",
            cmap=palette,
            vmin=0,
            # Without errors the scale must not be empty.
            vmax=max(1.0, float(shown[part].max(initial=0))) * 1.15,
            cbar=False,
            linewidths=1,
            annot_kws={"size": 8 if len(shown) <= 12 else 7},
            ax=axes,
        )
        # seaborn writes white on all but the lightest, even on light orange.
        ground = np.asarray(axes.collections[-1].get_facecolor())
        colours = ground.reshape(*shown.shape, 4)
        for number in axes.texts:
            column, row = map(int, number.get_position())
            if part[row, column]:
                dark = seaborn.utils.relative_luminance(colours[row, column]) < DARK
                number.set_color("white" if dark else INK)


@styled
def class_scores(
    scores: Mapping[str, Sequence[float] | np.ndarray],
    class_names: Sequence[str],
    *,
    title: str = "",
) -> Figure:
    """Draw scores for each class, such as precision, recall and F1.

    Classes are sorted by the last score, best on top.

    Parameters
    ----------
    scores : mapping of a name to C numbers
        From 0 to 1.
    class_names : C texts
    title : str
        The figure's heading.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        A score has not one number a class.

    Examples
    --------
    >>> from labkit import plots
    >>> figure = plots.class_scores({"recall": [0.8, 0.9]}, ["cat", "dog"])
    >>> figure.texts[0].get_text()
    'Mean over classes: recall 85.0%'
    """
    for name, row in scores.items():
        if len(row) != len(class_names):
            raise ValueError(
                f"class_scores needs {len(class_names)} values of {name!r}, one a"
                f" class; found {len(row)}."
            )
    names = list(scores)
    values = np.array([scores[name] for name in names], dtype=float)
    order = np.argsort(values[-1], kind="stable")
    values, rows = values[:, order], np.arange(len(order))
    means = ", ".join(
        f"{n} {np.nanmean(v):.1%}" for n, v in zip(names, values, strict=True)
    )
    figure = new_figure(0.7 + 0.27 * len(order), title, f"Mean over classes: {means}")
    axes = figure.subplots()
    axes.hlines(rows, np.nanmin(values, axis=0), np.nanmax(values, axis=0), color=RULE)
    markers = zip("<>ods^", (BLUE, VERMILION, INK, GREEN, ORANGE, MUTED), strict=True)
    for name, line, (marker, colour) in zip(names, values, markers, strict=False):
        axes.plot(line, rows, marker, color=colour, ms=6, label=name, clip_on=False)
    axes.set_yticks(rows, [pretty(class_names[c]) for c in order])
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.set_xlim(max(0, np.floor(10 * np.nanmin(values) - 0.3) / 10), 1)
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1))
    axes.grid(axis="x")
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(names))
    return figure


@styled
def class_counts(
    labels: np.ndarray, class_names: Sequence[str], *, title: str = ""
) -> Figure:
    """Draw how many pictures each class has, most on top.

    Parameters
    ----------
    labels : array (N,)
        Class numbers from 0.
    class_names : C texts
    title : str
        The figure's heading.

    Returns
    -------
    Figure

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import plots
    >>> figure = plots.class_counts(np.array([0, 1, 1, 1]), ["cat", "dog"])
    >>> figure.texts[0].get_text()
    '4 pictures; the largest class has 3.0 times the smallest'
    """
    counts = np.bincount(np.asarray(labels), minlength=len(class_names))
    order = np.argsort(counts, kind="stable")
    rows = np.arange(len(order))
    ratio = counts.max() / max(1, counts.min())
    uneven = f"the largest class has {ratio:.1f} times the smallest"
    even = f"{counts[0]:,} of each class"
    subtitle = f"{counts.sum():,} pictures; {uneven if ratio > 1 else even}"
    figure = new_figure(0.4 + 0.25 * len(order), title, subtitle)
    axes = figure.subplots()
    bars = axes.barh(rows, counts[order], color=BLUE, height=0.7)
    axes.bar_label(bars, fmt="{:,.0f}", padding=3, size=8)
    axes.set_yticks(rows, [pretty(class_names[c]) for c in order])
    axes.tick_params(length=0)
    axes.xaxis.set_visible(False)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.margins(x=0.08)
    return figure
