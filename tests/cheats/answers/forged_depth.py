"""A message that is nested deeper than anything that reads it can follow."""

from IPython.display import publish_display_data

from labkit.checks.protocol import MIME

deep = {"kind": "items", "items": []}
for _ in range(400):
    deep = {"kind": "items", "items": [deep]}


def double(x):
    publish_display_data({MIME: {"name": "a number", "value": deep}})
    return 2.0 * x
