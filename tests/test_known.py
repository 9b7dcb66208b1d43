"""What of a drawn value others know: the parts that are the same for every seed."""

import numpy as np
import pytest

from labkit.checks.references import CheckReference, Mistake
from labkit.checks.values import encode


def evaded(right, wrong, redrawn):
    """Whether a mistake passes that sends all it gets wrong as others know it."""
    check = CheckReference(
        "drawn",
        hidden=True,
        value=encode(right),
        rtol=1e-4,
        atol=1e-6,
        hidden_inputs=True,
        mistakes=(Mistake("slip", "A slip.", encode(wrong)),),
        caught=("slip",),
    )
    told = check.redrawn([encode(one) for one in redrawn])
    assert told.catches("slip") == (not told.evaded and not told.fixed)
    return told.evaded == ("slip",)


@pytest.mark.parametrize(
    ("right", "wrong", "redrawn"),
    [
        ((True, 5), (False, 5), [(True, 8), (True, 2)]),
        ([True, 5], [False, 5], [[True, 8], [True, 2]]),
        ({"keeps": True, "sum": 5.0}, {"keeps": False, "sum": 5.0}, [{"keeps": True, "sum": 8.0}]),
        (("ValueError", 5), ("no error", 5), [("ValueError", 8)]),
        ((5, (True, 7)), (5, (False, 7)), [(6, (True, 8))]),
        ((np.zeros(3), 5), (np.ones(3), 5), [(np.zeros(3), 8)]),
        ([0.0, 3.5, 0.0], [9.0, 3.5, 9.0], [[0.0, 2.5, 0.0], [0.0, 1.5, 0.0]]),
        ([0.0, 3.5], [np.nan, 3.5], [[0.0, 2.5]]),
        (([], [1.5, 2.5]), (["a warning"], [1.5, 2.5]), [([], [3.5, 4.5])]),
        # What everybody knows in whole hides every mistake.
        (20, 40, [20, 20]),
    ],
    ids=str,
)  # fmt: skip
def test_a_mistake_in_what_is_known_is_not_caught(right, wrong, redrawn):
    assert evaded(right, wrong, redrawn)


@pytest.mark.parametrize(
    ("right", "wrong", "redrawn"),
    [
        (5, "it changes", [8, 2]),
        ((True, 5), (False, 6), [(True, 8), (True, 2)]),
        ([0.0, 3.5], [9.0, 3.5], [[2.5, 0.0], [0.0, 2.5]]),
        # Another form cannot be mended part by part.
        ([0.0, 3.5], 3.5, [[0.0, 2.5]]),
        ([0.0, 3.5], [0.0], [[0.0, 2.5]]),
        ([0.0, 3.5], [0, 3], [[0.0, 2.5]]),
        ({"a": 1, "b": 5}, {"b": 5}, [{"a": 1, "b": 8}]),
        # The frame of zeros stands elsewhere where the size is drawn, too.
        (np.pad([[7.0]], 1), np.full((3, 3), 7.0), [np.pad([[7.0]], 2)]),
        # The solution gave no value for another seed.
        ((True, 5), (False, 5), [None]),
    ],
    ids=str,
)
def test_a_mistake_in_what_is_drawn_is_caught(right, wrong, redrawn):
    assert not evaded(right, wrong, redrawn)
