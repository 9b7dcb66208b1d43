"""Messages of every form but the right one."""

from IPython.display import publish_display_data

from labkit.checks.protocol import MIME

deep = {"kind": "items", "items": []}
for _ in range(20):
    deep = {"kind": "items", "items": [deep]}
STRANGE = [
    deep,
    {"kind": "items", "items": [{"kind": "plain", "value": None}] * 50_000},
    {"kind": "items", "items": 7},
    {"kind": "dict", "items": [[1, 2, 3]]},
    {"kind": "dict", "items": {"a": 1}},
    {"kind": "array"},
    {"kind": ["array"]},
    {"kind": "plain", "value": 5.0},
    {"kind": "other", "type": {"a": "b" * 10_000}},
    [1, 2],
    None,
    "5.0",
]


def double(x):
    for value in STRANGE:
        publish_display_data({MIME: {"name": "a number", "value": value}})
    for message in (None, [], "a table", 3, {"name": ["a table"]}, {"name": {}}, {}):
        publish_display_data({MIME: message})
    publish_display_data({MIME: {"name": "an array", "value": deep, "changed": deep}})
    publish_display_data({MIME: {"name": "a table", "error": deep, "text": deep}})
    raise SystemExit
