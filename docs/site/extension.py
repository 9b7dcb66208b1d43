"""What the site adds to Sphinx: formulas and charts that need no script to be shown."""

import html
import re
from typing import Any

from charts import chart
from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.writers.html5 import HTML5Translator

# What docutils' own translation has not, said in a way that it has.
_SAID_OTHERWISE = ((r"\\dots\b", r"\\ldots"), (r"\\displaystyle\b", ""))


def mathml(formula: str, block: bool) -> str:
    """A formula of TeX as MathML, which browsers draw by themselves.

    Raises ExtensionError for a formula that cannot be translated.
    """
    text = formula
    for old, new in _SAID_OTHERWISE:
        text = re.sub(old, new, text)
    try:
        return str(tex2mathml(text.strip(), as_block=block))
    # It also stumbles over what it does not know.
    except (MathError, AttributeError) as error:
        raise ExtensionError(f"the formula {formula!r}: {error}") from None


def _inline(writer: HTML5Translator, node: nodes.math) -> None:
    writer.body.append(mathml(node.astext(), block=False))
    raise nodes.SkipNode


def _block(writer: HTML5Translator, node: nodes.math_block) -> None:
    writer.body.append(
        f'<div class="formula">{mathml(node.astext(), block=True)}</div>'
    )
    raise nodes.SkipNode


def _draw_charts(app: Sphinx, doctree: nodes.document) -> None:
    """Put a picture where a page has a chart as text."""
    for block in list(doctree.findall(nodes.literal_block)):
        if block.get("language") == "mermaid":
            drawn = f'<div class="chart">{chart(block.astext())}</div>'
            block.replace_self(nodes.raw("", drawn, format="html"))


def _open_details(app: Sphinx, doctree: nodes.document) -> None:
    """Formulas within the HTML of a lab, which the parser has left as they are."""
    for raw in doctree.findall(nodes.raw):
        if raw.get("format") == "html" and "$" in raw.astext():
            found = re.sub(
                r"(?<![\\$\w])\$([^$\n<]+)\$(?!\w)",
                lambda part: mathml(html.unescape(part[1]), block=False),
                raw.astext(),
            )
            raw.children = [nodes.Text(found)]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.config["html_math_renderer"] = "mathml"
    app.connect("doctree-read", _draw_charts)
    app.connect("doctree-read", _open_details)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
