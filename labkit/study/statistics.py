"""Holm's correction: several differences are tested at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


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
