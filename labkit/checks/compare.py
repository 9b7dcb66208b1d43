"""Compare a found value with the expected one, and say in words how they differ.

Used at home (against the visible expected values) and by the grader (against
all references). Pure: values in, text out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from labkit.checks.values import Opaque
from labkit.formatting import counted

# Whether two arrays are the same, within the tolerances of a check.
Same = Callable[[np.ndarray, np.ndarray], bool]
KIND_NAMES = {
    "b": "true/false",
    "i": "whole numbers",
    "u": "whole numbers",
    "f": "decimal numbers",
    "c": "complex numbers",
    "U": "text",
}


@dataclass(frozen=True)
class Difference:
    """How a value differs, in one sentence.

    `text` quotes what was found and what was expected. `general` quotes neither: it
    is what a student may read of a hidden check, whose inputs a function could hand
    back as its answer.
    """

    text: str
    general: str

    def at(self, place: str, general_place: str) -> "Difference":
        """The same difference, of one part of a larger value."""
        return Difference(f"{place}: {self.text}", f"{general_place}: {self.general}")


def difference(
    found: Any, expected: Any, *, rtol: float, atol: float
) -> Difference | None:
    """Return None where `found` equals `expected`, else how they differ.

    Both are values as `labkit.checks.values.decode` gives them. Kind and shape are
    compared first, then values: |found - expected| <= atol + rtol * |expected|.
    """
    if expected is None:
        return None if found is None else _two(found, expected)
    if found is None:
        missing = "Is the `return` missing?"
        return Difference(
            f"found None, expected {describe(expected)}. {missing}",
            f"found None. {missing}",
        )
    if isinstance(found, Opaque):
        return Difference(
            f"found a value of type {found.type_name}, expected {describe(expected)}",
            f"found something that cannot be compared, expected {_kind(expected)}",
        )
    if isinstance(expected, str):
        same = isinstance(found, str) and found == expected
        return None if same else _two(found, expected)
    if isinstance(expected, dict):
        return _dict_difference(found, expected, rtol, atol)
    if isinstance(expected, list):
        return _items_difference(found, expected, rtol, atol)
    if isinstance(found, list):
        found = _stacked(found)
    if not isinstance(found, np.ndarray):
        return _two(found, expected)
    return _array_difference(found, expected, rtol, atol)


def describe(value: Any) -> str:
    """A short text for a value: the value itself if small, else type and shape."""
    if isinstance(value, np.ndarray):
        if value.ndim == 0:
            return _number(value[()])
        if value.size <= 6:
            return np.array2string(value, precision=4, separator=", ").replace("\n", "")
        return f"an array of shape {value.shape} ({value.dtype})"
    if isinstance(value, list):
        return _counted(len(value))
    if isinstance(value, dict):
        return f"a dict with {', '.join(map(repr, value)) or 'no keys'}"
    if isinstance(value, Opaque):
        return f"a value of type {value.type_name}"
    return repr(value)


def _listed(items: list[Any]) -> str:
    shown = ", ".join(describe(item) for item in items[:3])
    more = ", ..." if len(items) > 3 else ""
    return _counted(len(items)) + f" ({shown}{more})" * bool(items)


def _counted(number: int) -> str:
    return counted(number, "value") if number else "no values"


def _elements(array: np.ndarray) -> str:
    """What an array holds; of numbers their dtype, too, which for text says nothing."""
    name = KIND_NAMES[array.dtype.kind]
    return name if array.dtype.kind == "U" else f"{name} ({array.dtype})"


def _kind(value: Any) -> str:
    """What sort of value it is, and nothing of what is in it."""
    if isinstance(value, np.ndarray):
        number = "a number" if value.ndim == 0 else "an array"
        return f"{number} ({KIND_NAMES[value.dtype.kind]})"
    names: dict[type, str] = {
        list: "several values",
        dict: "a dict",
        str: "a text",
        type(None): "None",
    }
    return names.get(type(value), "another value")


def _two(found: Any, expected: Any) -> Difference:
    kinds = _kind(found), _kind(expected)
    general = f"found {kinds[0]}, expected {kinds[1]}"
    if kinds[0] == kinds[1]:
        general = f"found {kinds[0]}, but not the right one"
    return Difference(
        f"found {describe(found)}, expected {describe(expected)}", general
    )


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, np.floating) else str(value)


def _stacked(items: list[Any]) -> Any:
    """A sequence of equal-shaped numbers as one array; unchanged where it is none."""
    if items and all(isinstance(item, np.ndarray) for item in items):
        shapes = {item.shape for item in items}
        if len(shapes) == 1:
            return np.stack(items)
    return items


def _dict_difference(
    found: Any, expected: dict[str, Any], rtol: float, atol: float
) -> Difference | None:
    if not isinstance(found, dict):
        return _two(found, expected)
    missing = [key for key in expected if key not in found]
    foreign = [key for key in found if key not in expected]
    if missing or foreign:
        general = "a key is missing" if missing else "a key is not expected"
        which = (
            f"the key {missing[0]!r} is missing"
            if missing
            else f"the key {foreign[0]!r} is not expected"
        )
        return Difference(f"{which}; {_two(found, expected).text}", general)
    for key, value in expected.items():
        reason = difference(found[key], value, rtol=rtol, atol=atol)
        if reason:
            return reason.at(f"at key {key!r}", "at one of the keys")
    return None


def _items_difference(
    found: Any, expected: list[Any], rtol: float, atol: float
) -> Difference | None:
    count = f"expected {_counted(len(expected))}"
    if isinstance(found, np.ndarray) and found.ndim:
        found = [np.asarray(item) for item in found]
    if not isinstance(found, list):
        return Difference(
            f"found {describe(found)}, {count}", f"found {_kind(found)}, {count}"
        )
    if len(found) != len(expected):
        general = "too many values" if len(found) > len(expected) else "too few values"
        return Difference(
            f"found {_listed(found)}, expected {_listed(expected)}",
            f"found {general}, {count}",
        )
    for position, (one, other) in enumerate(zip(found, expected, strict=True), start=1):
        reason = difference(one, other, rtol=rtol, atol=atol)
        if reason:
            place = f"value {position} of {len(expected)}"
            return reason.at(place, place)
    return None


def _array_difference(
    found: np.ndarray, expected: np.ndarray, rtol: float, atol: float
) -> Difference | None:
    def same(one: np.ndarray, other: np.ndarray) -> bool:
        return one.shape == other.shape and bool(close(one, other, rtol, atol).all())

    if not kinds_agree(found, expected):
        text = f"found {_elements(found)}, expected {_elements(expected)}."
        text += " The values are right." if same(found, expected) else ""
        return Difference(text, text)
    if found.shape != expected.shape:
        return _shape_difference(found, expected, same)
    if same(found, expected):
        return None
    wrong = ~close(found, expected, rtol, atol)
    diagnosis = _diagnosis(found, expected, same)
    return Difference(
        _first_difference(found, expected, wrong) + diagnosis.text,
        _how_many(wrong) + diagnosis.general,
    )


def kinds_agree(found: np.ndarray, expected: np.ndarray) -> bool:
    """Whether the numbers of two arrays are of kinds that may be compared."""

    def group(array: np.ndarray) -> str:
        return "i" if array.dtype.kind == "u" else array.dtype.kind

    # A single whole number may stand for a decimal one, as in Python: 0 == 0.0.
    whole_scalar = found.ndim == 0 and group(found) == "i" and group(expected) == "f"
    return whole_scalar or group(found) == group(expected)


def close(
    found: np.ndarray, expected: np.ndarray, rtol: float, atol: float
) -> np.ndarray:
    """Which elements of two arrays of one shape are the same, within the tolerances."""
    if "U" in (found.dtype.kind, expected.dtype.kind):
        return np.asarray(found == expected)
    # Unsigned values would wrap around when they are subtracted.
    one, other = (
        a.astype(np.float64) if a.dtype.kind in "biu" else a for a in (found, expected)
    )
    return np.asarray(np.isclose(one, other, rtol=rtol, atol=atol, equal_nan=True))


def _shape_difference(
    found: np.ndarray, expected: np.ndarray, same: Same
) -> Difference:
    shapes = f"found shape {found.shape}, expected {expected.shape}"
    # An axis of any length could spell a hidden input.
    longest = 2 * max(expected.shape, default=2)
    plain = found.ndim <= expected.ndim + 1 and max(found.shape, default=0) <= longest
    general = shapes if plain else f"the shape is wrong, expected {expected.shape}"
    reason = _shape_diagnosis(found, expected, same)
    return Difference(shapes + reason, general + reason)


def _shape_diagnosis(found: np.ndarray, expected: np.ndarray, same: Same) -> str:
    if found.ndim >= 2 and same(found.T, expected):
        return ". It is transposed."
    if same(found.squeeze(), expected.squeeze()):
        return ". The values are right, but the axes of length 1 differ."
    if found.size == expected.size and same(found.reshape(expected.shape), expected):
        return ". The values are right, but arranged in another shape."
    return ""


def _first_difference(
    found: np.ndarray, expected: np.ndarray, wrong: np.ndarray
) -> str:
    if found.ndim == 0:
        return f"found {_number(found[()])}, expected {_number(expected[()])}."
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = index[0] if len(index) == 1 else index
    count = int(wrong.sum())
    differ = "differs" if count == 1 else "differ"
    return (
        f"{count} of {counted(wrong.size, 'value')} {differ}, first at index {place}: "
        f"found {_number(found[index])}, expected {_number(expected[index])}."
    )


def _how_many(wrong: np.ndarray) -> str:
    if wrong.ndim == 0:
        return "the value is wrong."
    return "all values differ." if wrong.all() else "some of the values differ."


def _diagnosis(found: np.ndarray, expected: np.ndarray, same: Same) -> Difference:
    """What kind of difference it is, where that is plain to see; else empty texts."""
    if found.dtype.kind not in "iuf" or expected.dtype.kind not in "iuf":
        return _said("")
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    strange = ~np.isfinite(found) & np.isfinite(expected)
    if strange.any():
        what = "nan" if np.isnan(found[strange]).any() else "infinity"
        return Difference(
            f" It holds {what} in {counted(int(strange.sum()), 'place')}.",
            f" It holds {what}.",
        )
    if same(-found, expected):
        return _said(" The sign is wrong.")
    if found.ndim == 2 and same(found.T, expected):
        return _said(" It is transposed.")
    return _constant(found, expected, same) or _border(found, expected, same)


def _constant(found: np.ndarray, expected: np.ndarray, same: Same) -> Difference | None:
    """A factor or an offset that explains every difference (needs two values)."""
    if expected.size < 2 or not np.isfinite(found).all():
        return None
    largest = np.unravel_index(np.abs(expected).argmax(), expected.shape)
    factor = found[largest] / expected[largest] if expected[largest] else 0.0
    if factor and same(found / factor, expected) and np.ptp(expected):
        return Difference(
            f" Every value is {factor:.4g} times the expected one.",
            " Every value is wrong by the same factor.",
        )
    offset = found[largest] - expected[largest]
    if same(found - offset, expected):
        size = "large" if offset > 0 else "small"
        return Difference(
            f" Every value is {abs(offset):.4g} too {size}.",
            f" Every value is too {size}, by the same amount.",
        )
    return None


def _border(found: np.ndarray, expected: np.ndarray, same: Same) -> Difference:
    """Pictures (rows, columns, ...) that agree but for all four sides of their border.

    A small table can agree in its middle by chance, or because it is the same number
    everywhere there.
    """
    if found.ndim < 2 or min(found.shape[:2]) < 5:
        return _said("")
    inside, sides = np.s_[1:-1, 1:-1], (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1])
    if (
        np.ptp(expected[inside])
        and same(found[inside], expected[inside])
        and not any(same(found[side], expected[side]) for side in sides)
    ):
        return _said(" Only the border differs.")
    return _said("")


def _said(text: str) -> Difference:
    """A remark that quotes no value."""
    return Difference(text, text)
