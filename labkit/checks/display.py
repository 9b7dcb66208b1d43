"""How a line of ours is shown in a notebook, or printed where there is none."""

from typing import Any

from labkit.formatting import counted, marked


def show(shown: dict[str, str]) -> None:
    """Show what has a text and an HTML form; the text alone outside of a notebook."""
    from IPython import get_ipython

    if get_ipython() is None:
        print(shown["text/plain"])
    else:
        publish(shown)


def line(text: str) -> None:
    """Show one line of plain words, in which `such` is code."""
    page = f'<div style="padding:2px 12px">{marked(text)}</div>'
    show({"text/plain": text, "text/html": page})


def in_points(number: float) -> str:
    """`1 point`, `2.5 points`."""
    return counted(number, "point")


def publish(data: dict[str, Any]) -> None:
    """Send out data by MIME type."""
    from IPython.display import publish_display_data

    publish_display_data(data)
