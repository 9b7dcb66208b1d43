"""What of a drawn value is known before the course draws: the parts that no seed changes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from labkit.checks.compare import close, difference, kinds_agree


def with_known_parts(
    wrong: Any, right: Any, redrawn: Sequence[Any], *, rtol: float, atol: float
) -> Any:
    """Return a wrong value in which every part that is known is the right one.

    Parts are the items of a list or a dict and the elements of an array. `redrawn` are
    the right values for other seeds: what is the same in all of them, within the
    tolerances, anybody can send without computing it. All are values as
    `labkit.checks.values.decode` gives them.
    """

    def filled(wrong: Any, right: Any, redrawn: Sequence[Any]) -> Any:
        if not any(difference(one, right, rtol=rtol, atol=atol) for one in redrawn):
            return right
        if isinstance(right, list) and isinstance(wrong, np.ndarray) and wrong.ndim:
            wrong = [np.asarray(item) for item in wrong]
        alike = (wrong, *redrawn)
        if isinstance(right, list) and all(_as_long(one, right) for one in alike):
            parts = zip(wrong, right, *redrawn, strict=True)
            return [filled(one, other, drawn) for one, other, *drawn in parts]
        if isinstance(right, dict) and all(_same_keys(one, right) for one in alike):
            return {
                key: filled(wrong[key], value, [one[key] for one in redrawn])
                for key, value in right.items()
            }
        if isinstance(right, np.ndarray) and all(
            _same_form(one, right) for one in alike
        ):
            known = [close(one, right, rtol, atol) for one in redrawn]
            return np.where(np.all(known, axis=0), right, wrong)
        return wrong

    return filled(wrong, right, redrawn)


def _as_long(value: Any, right: list[Any]) -> bool:
    return isinstance(value, list) and len(value) == len(right)


def _same_keys(value: Any, right: dict[str, Any]) -> bool:
    return isinstance(value, dict) and value.keys() == right.keys()


def _same_form(value: Any, right: np.ndarray) -> bool:
    return (
        isinstance(value, np.ndarray)
        and value.shape == right.shape
        and kinds_agree(value, right)
    )
