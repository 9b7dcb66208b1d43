"""Draw a flow chart that a page holds as text: boxes in layers, and arrows between them.

The text is Mermaid's, of which this knows what the pages use: `flowchart TD` or `LR`,
`a["text"]`, `a[("a store")]`, `a{"a question"}`, `a -- "label" --> b`.
"""

import html
import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

_NODE = r"""(\w+)(?:(\[\(|\[|\{)"([^"]*)"(?:\)\]|\]|\}))?"""
_EDGE = re.compile(rf'{_NODE}(?:\s*--(?:\s*"([^"]*)"\s*--)?>\s*)?')
_LETTER, _LINE = 7.2, 19  # pixels of a letter's width, of a line's height
_GAP_ACROSS, _GAP_DOWN, _LABEL = 28, 34, 16


@dataclass
class _Box:
    """A box: its lines of text, its kind, its layer, its centre and size in pixels."""

    lines: list[str]
    kind: str
    layer: int = 0
    x: float = 0
    y: float = 0

    @property
    def width(self) -> float:
        room = 56 if self.kind == "{" else 24
        return max(map(len, self.lines)) * _LETTER + room

    @property
    def height(self) -> float:
        return len(self.lines) * _LINE + (30 if self.kind in ("{", "[(") else 16)


@dataclass(frozen=True)
class _Arrow:
    start: str
    end: str
    label: str


def chart(text: str) -> str:
    """A flow chart as SVG, as wide as its text needs, in the colours of its page.

    Raises ValueError for a line that is not understood.
    """
    boxes, arrows = _read(text)
    _set_layers(boxes, arrows)
    width, height = _place(boxes, arrows)
    parts = [_arrow(boxes, arrow) for arrow in arrows]
    parts += [_box(box) for box in boxes.values()]
    said = html.escape("; ".join(_told(boxes, arrow) for arrow in arrows))
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img" '
        f'aria-label="A flow chart: {said}" xmlns="http://www.w3.org/2000/svg">'
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
        f"{''.join(parts)}</svg>"
    )


def _read(text: str) -> tuple[dict[str, _Box], list[_Arrow]]:
    boxes: dict[str, _Box] = {}
    arrows = []
    for line in text.strip().splitlines()[1:]:
        found = list(_EDGE.finditer(line.strip()))
        if "".join(one[0] for one in found) != line.strip():
            raise ValueError(f"A chart has the line {line.strip()!r}; see charts.py.")
        for one in found:
            name, kind, said = one[1], one[2], one[3]
            if kind or name not in boxes:
                lines = (said if kind else name).split("<br>")
                boxes[name] = _Box(lines, kind or "[")
        arrows += [_Arrow(a[1], b[1], a[4] or "") for a, b in pairwise(found)]
    return boxes, arrows


def _set_layers(boxes: dict[str, _Box], arrows: list[_Arrow]) -> None:
    """Each box below all from which an arrow leads to it."""
    for _ in boxes:
        for one in arrows:
            below = boxes[one.start].layer + 1
            if below < len(boxes):
                boxes[one.end].layer = max(boxes[one.end].layer, below)
    starts = {one.end for one in arrows}
    for one in arrows:  # a beginning stands right above what it leads to
        if one.start not in starts:
            ends = [boxes[o.end].layer for o in arrows if o.start == one.start]
            boxes[one.start].layer = min(ends) - 1


def _place(boxes: dict[str, _Box], arrows: list[_Arrow]) -> tuple[float, float]:
    """Set each box's centre; returns the size of the whole."""
    layers = defaultdict(list)
    for name, box in boxes.items():
        layers[box.layer].append(name)
    widths = {
        layer: sum(boxes[n].width for n in names) + _GAP_ACROSS * (len(names) - 1)
        for layer, names in layers.items()
    }
    full, top = max(widths.values()) + 8, 4.0
    for layer in sorted(layers):
        above = {
            name: [boxes[one.start].x for one in arrows if one.end == name]
            for name in layers[layer]
        }
        order = sorted(
            layers[layer], key=lambda n: sum(above[n]) / max(len(above[n]), 1)
        )
        left = (full - widths[layer]) / 2
        tallest = max(boxes[name].height for name in order)
        for name in order:
            box = boxes[name]
            box.x, box.y = left + box.width / 2, top + tallest / 2
            left += box.width + _GAP_ACROSS
        labelled = any(one.label and boxes[one.start].layer == layer for one in arrows)
        top += tallest + _GAP_DOWN + _LABEL * labelled
    return full, top - _GAP_DOWN + 4


def _arrow(boxes: dict[str, _Box], arrow: _Arrow) -> str:
    start, end = boxes[arrow.start], boxes[arrow.end]
    if end.layer > start.layer:
        x1, y1 = start.x, start.y + start.height / 2
        x2, y2 = end.x, end.y - end.height / 2
        bend = (y2 - y1) / 2
        path = f"M{x1:.0f} {y1:.0f}C{x1:.0f} {y1 + bend:.0f} {x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2:.0f}"
    else:  # back up, or to a neighbour: from side to side
        side = 1 if end.x >= start.x else -1
        x1, y1 = start.x + side * start.width / 2, start.y
        x2, y2 = end.x - side * end.width / 2, end.y
        path = f"M{x1:.0f} {y1:.0f}L{x2:.0f} {y2:.0f}"
    drawn = f'<path class="arrow" marker-end="url(#head)" d="{path}"/>'
    if arrow.label:
        lines = arrow.label.split("<br>")
        drawn += _text(lines, (x1 + x2) / 2, (y1 + y2) / 2, "label")
    return drawn


def _box(box: _Box) -> str:
    x, y, w, h = box.x - box.width / 2, box.y - box.height / 2, box.width, box.height
    if box.kind == "{":
        points = f"{x},{box.y} {box.x},{y} {x + w},{box.y} {box.x},{y + h}"
        shape = f'<polygon class="box" points="{points}"/>'
    elif box.kind == "[(":
        rim = f"a{w / 2} 7 0 0 0 {w} 0"
        shape = (
            f'<path class="box" d="M{x} {y + 7}{rim}v{h - 14}a{w / 2} 7 0 0 1 {-w} 0z"/>'
            f'<path class="box" d="M{x} {y + 7}a{w / 2} 7 0 0 1 {w} 0"/>'
        )
    else:
        shape = f'<rect class="box" x="{x}" y="{y}" width="{w}" height="{h}" rx="4"/>'
    lower = 6 if box.kind == "[(" else 0
    return shape + _text(box.lines, box.x, box.y + lower, "said")


def _text(lines: list[str], x: float, y: float, kind: str) -> str:
    first = y - (len(lines) - 1) * _LINE / 2 + 4.5
    return "".join(
        f'<text class="{kind}" x="{x:.1f}" y="{first + i * _LINE:.1f}">'
        f"{html.escape(line)}</text>"
        for i, line in enumerate(lines)
    )


def _told(boxes: dict[str, _Box], arrow: _Arrow) -> str:
    start, end = (" ".join(boxes[name].lines) for name in (arrow.start, arrow.end))
    label = f" ({arrow.label.replace('<br>', ' ')})" if arrow.label else ""
    return f"{start} to {end}{label}"
