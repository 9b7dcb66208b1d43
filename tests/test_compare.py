"""Each diagnosis of a wrong value, in words that a student can use."""

import numpy as np
import pytest

from labkit.checks.compare import difference
from labkit.checks.values import Opaque, decode, encode

EXPECTED = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0], [8.0, 9.0, 12.0]])
PICTURE = np.arange(1.0, 31.0).reshape(5, 6)
FRAMED = np.pad(PICTURE[1:-1, 1:-1], 1)


def reason(found, expected=EXPECTED, rtol=1e-4, atol=1e-6):
    """What a student reads at home; None where nothing is wrong."""
    wrong = difference(
        decode(encode(found)), decode(encode(expected)), rtol=rtol, atol=atol
    )
    return None if wrong is None else wrong.text


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (EXPECTED.astype(np.float32), EXPECTED),
        (EXPECTED.tolist(), EXPECTED),
        (EXPECTED + 1e-7, EXPECTED),
        (0, 0.0),
        (np.uint8(3), 3),
        ([3, 3, 2], (3, 3, 2)),
        (np.array([3, 3, 2]), (3, 3, 2)),
        ((1.0, 2.0), np.array([1.0, 2.0])),
        (np.nan, np.nan),
        (None, None),
        ("a", "a"),
        ({"b": 1, "a": 2.0}, {"a": 2.0, "b": 1}),
        ([np.ones(2), 0.5], (np.ones(2), 0.5)),
    ],
)
def test_right_answers_written_differently_pass(found, expected):
    assert reason(found, expected) is None


@pytest.mark.parametrize(
    ("found", "expected", "words"),
    [
        (None, EXPECTED, "Is the `return` missing?"),
        (EXPECTED.astype(int), EXPECTED, "The values are right"),
        (EXPECTED > 2, EXPECTED, "true/false"),
        (EXPECTED[:2], EXPECTED, r"found shape \(2, 3\), expected \(3, 3\)"),
        (EXPECTED[:2].T, EXPECTED[:2], "It is transposed"),
        (EXPECTED.T, EXPECTED, "It is transposed"),
        (EXPECTED[:, None], EXPECTED, "axes of length 1"),
        (EXPECTED.ravel(), EXPECTED, "arranged in another shape"),
        (-EXPECTED, EXPECTED, "The sign is wrong"),
        (EXPECTED / 2, EXPECTED, "0.5 times the expected"),
        (EXPECTED + 3, EXPECTED, "3 too large"),
        (EXPECTED - 0.5, EXPECTED, "0.5 too small"),
        (EXPECTED * np.nan, EXPECTED, "nan in 9 places"),
        (np.full((3, 3), np.inf), EXPECTED, "infinity in 9 places"),
        (FRAMED, PICTURE, "Only the border differs"),
        (5.0, 4.0, "found 5, expected 4"),
        (3.5, 3, "expected whole numbers"),
        (36.0, 36, "The values are right"),
        ("b", "a", "found 'b', expected 'a'"),
        ({"a": 1}, {"a": 1, "b": 2}, "'b' is missing"),
        ({"a": 1, "c": 1}, {"a": 1}, "'c' is not expected"),
        ({"a": 1}, {"a": 2}, "at key 'a'"),
        ((1.0, 2.0, 3.0), (1.0, 2.0), "found 3 values"),
        ((np.ones(2), 1.0), (np.ones(2), 0.5), "value 2 of 2"),
        (
            ["overflow in exp"],
            [],
            r"found 1 value \(overflow in exp\), expected no values",
        ),
        (
            ["overflow in exp"],
            EXPECTED,
            r"found text, expected decimal numbers \(float64\)",
        ),
        (lambda: 1, EXPECTED, "type function"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_wrong_answers_get_their_reason(found, expected, words):
    import re

    text = reason(found, expected)
    assert text is not None
    assert re.search(words, text), text


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        # A confusion matrix whose middle agrees, and one full of zeros.
        (np.pad(np.full((1, 1), 5.0), 1), EXPECTED),
        (np.pad(np.zeros((4, 4)), 1, constant_values=2.0), np.zeros((6, 6))),
        # A table whose first row alone is wrong.
        (np.vstack([np.zeros((1, 6)), PICTURE[1:]]), PICTURE),
    ],
)
def test_only_a_picture_has_a_border(found, expected):
    assert "border" not in (reason(found, expected) or "border")


def test_the_first_difference_is_named():
    found = EXPECTED.copy()
    found[1, 2] = 99
    found[2, 0] = 98
    assert reason(found).startswith(
        "2 of 9 values differ, first at index (1, 2): found 99, expected 7"
    )


def test_unsigned_values_do_not_wrap_around():
    assert reason(np.array([255], dtype=np.uint8), np.array([0])) is not None


def test_an_opaque_value_is_never_equal():
    assert difference(Opaque("Liar"), Opaque("Liar"), rtol=0, atol=0) is not None


SECRETS = ("0.7316", "7316", "leak")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (0.7316, 4.0),
        (np.full((3, 3), 0.7316), EXPECTED),
        (np.where(EXPECTED > 5, 0.7316, EXPECTED), EXPECTED),
        (EXPECTED * 0.7316, EXPECTED),
        (EXPECTED + 0.7316, EXPECTED),
        (np.zeros(7316), EXPECTED),
        (np.zeros((7316, 0)), EXPECTED),
        (np.full(3, 7316), EXPECTED),
        ("leak 0.7316", "a"),
        ("leak 0.7316", EXPECTED),
        ({"leak": 1}, {"a": 1}),
        ({"leak": 1, "a": 1}, {"a": 1}),
        ({"a": 0.7316}, {"a": 1.0}),
        (["leak"] * 3, ("a", "b")),
        ((0.7316, 1.0), (1.0, 1.0)),
        (0.7316, (1.0, "a")),
        (type("leak", (), {})(), EXPECTED),
        ("leak", None),
    ],
)
def test_the_general_text_quotes_nothing_that_was_found(found, expected):
    wrong = difference(
        decode(encode(found)), decode(encode(expected)), rtol=1e-4, atol=1e-6
    )
    assert wrong.general
    assert not any(secret in wrong.general for secret in SECRETS), wrong.general


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "Is the `return` missing?"),
        (EXPECTED.astype(int), "The values are right"),
        (EXPECTED[:2], r"found shape (2, 3), expected (3, 3)"),
        (-EXPECTED, "all values differ. The sign is wrong."),
        (EXPECTED.T, "It is transposed"),
        (EXPECTED / 2, "wrong by the same factor"),
        (EXPECTED + 3, "too large, by the same amount"),
        (
            np.where(EXPECTED > 8, np.nan, EXPECTED),
            "some of the values differ. It holds",
        ),
        (lambda: 1, "cannot be compared, expected an array (decimal numbers)"),
    ],
)
def test_the_general_text_still_says_what_is_wrong(found, words):
    wrong = difference(
        decode(encode(found)), decode(encode(EXPECTED)), rtol=1e-4, atol=1e-6
    )
    assert words in wrong.general
