"""Numbers and words as people read them, the same in a terminal, on a page and in a file."""

import html
import re
from itertools import pairwise

# White on them has a contrast of 5:1 and more, and they have 3:1 on black.
GROUNDS = {True: "#1a7f37", False: "#c9372c"}
NO_BREAK = "\N{NO-BREAK SPACE}"
_UNITS = (("day", 86400), ("h", 3600), ("min", 60), ("s", 1))


def duration(seconds: float) -> str:
    """A span of time in its two largest units: `1 day 4 h`, `2 h 30 min`, `45 s`."""
    for (unit, length), (smaller, step) in pairwise(_UNITS):
        count, rest = divmod(round(seconds / step), length // step)
        if count:
            name = "days" if unit == "day" and count > 1 else unit
            return f"{count} {name}" + (f" {rest} {smaller}" if rest else "")
    return f"{round(seconds)} s"


def points(value: float) -> str:
    """Points with at most two decimals, and none that is nought."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def counted(number: float, noun: str, many: str = "") -> str:
    """A number and what it counts: `1 row`, `2,000 rows`, `0.5 points`.

    `many` is what more than one is called, where that is not the noun with an s.
    """
    shown = points(number) if number % 1 else f"{number:,.0f}"
    return f"{shown} {noun if number == 1 else many or noun + 's'}"


def percent(share: float) -> str:
    """A share from 0 to 1 as whole percent."""
    return f"{share:.0%}"


def interval(low: float, high: float, form: str = ".2f") -> str:
    """An interval's ends, which stay on one line: `0.91 to 0.93`."""
    return f"{low:{form}}{NO_BREAK}to{NO_BREAK}{high:{form}}"


def p_value(value: float) -> str:
    """A p-value with three decimals; `< 0.001` where these would be nought."""
    return f"{value:.3f}" if value >= 0.001 else f"<{NO_BREAK}0.001"


def marked(text: str) -> str:
    """A text as HTML, with what stands in `backticks` as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


def mark(passed: bool) -> str:
    """A tick or a cross as HTML, white on its own ground: as clear in a dark theme."""
    ground = GROUNDS[passed]
    style = f"background:{ground};color:#fff;border-radius:3px;padding:0 .35em"
    return f'<b style="{style}">{"✓" if passed else "✗"}</b>'
