"""Is a difference real? Intervals, the paired test, its correction, and calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats


def wilson_interval(right: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval for a share, such as an accuracy.

    Wilson 1927. It holds what pictures were drawn for the test, not what another training
    would give.

    Parameters
    ----------
    right, n : int
        So many of n.
    level : float
        How often such intervals cover the truth, between 0 and 1.

    Returns
    -------
    (float, float)
        The lower and the upper end, from 0 to 1.

    Raises
    ------
    ValueError
        `right` is not from 0 to `n`, or `n` is not above 0.

    Examples
    --------
    >>> from labkit import study
    >>> low, high = study.wilson_interval(9_300, 10_000)
    >>> round(low, 4), round(high, 4)
    (0.9248, 0.9348)
    """
    if not 0 <= right <= n or n < 1:
        raise ValueError(f"{right} right of {n}; expected 0 to n right, and n above 0.")
    ends = stats.binomtest(int(right), int(n)).proportion_ci(level, method="wilson")
    return float(ends.low), float(ends.high)


def mean_interval(
    values: Sequence[float] | np.ndarray, level: float = 0.95
) -> tuple[float, float]:
    """Return the interval for the mean of which these are draws, by Student's t.

    Parameters
    ----------
    values : array (N,)
        Such as the accuracies of one network with N seeds. Of a single value nothing is
        known of how far it may lie: then both ends are NaN.
    level : float
        How often such intervals cover the truth, between 0 and 1.

    Returns
    -------
    (float, float)

    Raises
    ------
    ValueError
        There is no value.

    Examples
    --------
    >>> from labkit import study
    >>> low, high = study.mean_interval([0.92, 0.93, 0.94])
    >>> round(low, 4), round(high, 4)
    (0.9052, 0.9548)
    """
    values = np.asarray(values, dtype=float)
    if not values.size:
        raise ValueError("mean_interval needs at least one value; found none.")
    if len(values) == 1:
        return np.nan, np.nan
    reach = stats.t.ppf((1 + level) / 2, len(values) - 1) * stats.sem(values)
    return float(values.mean() - reach), float(values.mean() + reach)


def mcnemar(first_right: np.ndarray, second_right: np.ndarray) -> float:
    """Return McNemar's exact two-sided p-value for two classifiers on the same pictures.

    McNemar 1947. Only the pictures on which one is right and the other wrong say anything:
    were both equally good, each of these would fall to either side like a coin.

    Parameters
    ----------
    first_right, second_right : boolean arrays (N,)
        Which pictures each gets right.

    Returns
    -------
    float
        1.0 where they differ on none.

    Raises
    ------
    ValueError
        The arrays are not equally long.

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import study
    >>> first = np.array([True] * 9 + [False])
    >>> round(study.mcnemar(first, np.arange(10) < 3), 5)
    0.03125
    """
    first = np.asarray(first_right, dtype=bool)
    second = np.asarray(second_right, dtype=bool)
    if first.shape != second.shape:
        raise ValueError(
            f"mcnemar compares the same pictures; found {first.shape} and {second.shape}."
        )
    only_first = int(np.sum(first & ~second))
    differ = only_first + int(np.sum(second & ~first))
    return float(stats.binomtest(only_first, differ).pvalue) if differ else 1.0


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return p-values corrected for their number: Holm's step-down method.

    Holm 1979. Whoever calls those below 0.05 real is wrong about any of them in at most one
    study of twenty, whatever depends on what.

    Parameters
    ----------
    p_values : array (M,)

    Returns
    -------
    float array (M,)
        At most 1, in the order given.

    Examples
    --------
    >>> from labkit import study
    >>> study.holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values, kind="stable")
    times = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(times * p_values[order]), 1)
    return adjusted


def calibration_error(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = 10
) -> float:
    """Return how far the highest probabilities lie from the shares right: the ECE.

    Guo and others 2017: bins of equal width, weighted by their pictures.

    Parameters
    ----------
    labels : array (N,)
        Class numbers from 0.
    probabilities : array (N, C)
    bins : int
        The first is [0, 1/bins], each other one (low, high].

    Returns
    -------
    float
        0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import study
    >>> sure = np.array([[0.9, 0.1]] * 4)
    >>> round(study.calibration_error(np.array([0, 0, 0, 1]), sure), 4)
    0.15
    """
    confidence = np.max(probabilities, axis=1)
    right = np.argmax(probabilities, axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)[1:-1]
    place = np.digitize(confidence, edges, right=True)
    gaps = np.bincount(place, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))
