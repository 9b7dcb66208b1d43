"""Sphinx's settings for the site; `build.py` gathers its pages and calls Sphinx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from labkit import __version__

project = "CNN lab kit"
author = "The CNN lab kit's authors"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc", "extension"]
root_doc = "docs/index"
exclude_patterns = ["README.md"]
# A heading's address is the one that it has on a code host.
myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_dmath_double_inline = True
# A lab's headings may begin anew at ##; its links lead to headings of notebooks.
suppress_warnings = ["myst.header", "misc.highlighting_failure"]
# A docstring writes `name` as everybody else does.
default_role = "code"
numpydoc_show_class_members = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 60
language = "en"
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
html_theme = "furo"
html_title = "CNN lab kit"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_theme_options = {"navigation_with_keys": True, "footer_icons": []}
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_last_updated_fmt = None
# It would read pages again, which a browser refuses to do for files.
html_show_search_summary = False
