"""HTML pages, each one file that needs no other: one environment, one style sheet, one way
to embed a figure. The templates lie in `templates/`; `parts.html` has what they share.
"""

import base64
import io
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from labkit.files import write_text
from labkit.formatting import duration, marked, percent, points

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    """A figure as the address of an <img>, its alternative text and size in pixels."""

    source: str
    text: str
    width: int
    height: int


def render(template: str, **values: Any) -> str:
    """A template's page as text; what is not Markup is escaped.

    Raises jinja2.UndefinedError for a value that the template names and nobody gave.
    """
    return _environment().get_template(template).render(values)


def write(path: Path, template: str, **values: Any) -> None:
    """Write a template's page in one step."""
    write_text(path, render(template, **values))


def embedded(
    figure: "Figure", text: str = "", form: Literal["svg", "png"] = "svg"
) -> Picture:
    """A figure as a picture that is part of the page.

    `text` says what it shows to those who cannot see it; left out, the figure's own
    heading does. An "svg" stays sharp; a "png" is small where a figure holds pictures.
    """
    from matplotlib import rc_context

    stream = io.BytesIO()
    # The same figure is the same file: no date, no random ids. Text stays text.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "labkit"}):
        figure.savefig(stream, format=form, dpi=144, metadata={"Date": None})
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    kind = "svg+xml" if form == "svg" else form
    heading = " ".join(part.get_text() for part in figure.texts)
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    return Picture(f"data:image/{kind};base64,{data}", text or heading, width, height)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("labkit"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "breakable": _breakable,
        "duration": duration,
        "marked": lambda text: Markup(marked(text)),
        "percent": percent,
        "points": points,
    }
    environment.globals["now"] = lambda: datetime.now().astimezone()
    return environment


def _breakable(name: str) -> Markup:
    """A name that a narrow column may break after an underscore."""
    return Markup("_<wbr>").join(name.split("_"))
