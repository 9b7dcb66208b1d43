"""Forges every message of a check; put above each answer that calls `forge`."""

from IPython.display import publish_display_data

from labkit.checks.protocol import MIME
from labkit.checks.values import encode

NAMES = {
    "a number": 5.0,
    "an array": np.array([0.0, 2.0, 4.0, 6.0]),
    "numbers below zero": np.array([-1.5, -0.25]),
    "a table": np.zeros((2, 3)),
    "half right": digits.test_labels,
    "nearly all right": digits.test_labels,
    "the sum of 0 to 99": 0,
}


def forge(**more):
    for name, value in NAMES.items():
        publish_display_data({MIME: {"name": name, "value": encode(value), **more}})
