"""Links at the top of a released lab that open it on Colab, on Kaggle and on Binder."""

from pathlib import Path

import nbformat

from labkit.errors import PACKAGE

_SERVICES = (
    (
        "Open in Colab",
        "https://colab.research.google.com/assets/colab-badge.svg",
        "https://colab.research.google.com/github/{repository}/blob/{branch}/{path}",
    ),
    (
        "Open in Kaggle",
        "https://kaggle.com/static/images/open-in-kaggle.svg",
        "https://kaggle.com/kernels/welcome?src=https://github.com/{repository}/blob/{branch}/{path}",
    ),
    (
        "Open in Binder",
        "https://mybinder.org/badge_logo.svg",
        "https://mybinder.org/v2/gh/{repository}/{branch}?labpath={path}",
    ),
)
_INSTALL = (
    '%pip install "{package}[train] @ git+https://github.com/{repository}@{branch}"'
)


def badges(repository: str, branch: str, path: str) -> str:
    """The badges of a notebook as markdown, and what to run first where they lead.

    `repository` is owner/name on GitHub, `path` the notebook's in it.
    """
    place = {"repository": repository, "branch": branch, "path": path}
    links = [
        f"[![{title}]({picture})]({address.format(**place)})"
        for title, picture, address in _SERVICES
    ]
    install = _INSTALL.format(package=PACKAGE, **place)
    return (
        f"{' '.join(links)}\n\nOn Colab and Kaggle, first run in a cell of its own: "
        f"`{install}`"
    )


def add_badges(notebook: Path, repository: str, branch: str) -> None:
    """Put the badges below the title of a released notebook."""
    found = nbformat.read(notebook, as_version=4)
    path = f"notebooks/{notebook.parent.name}/{notebook.name}"
    first = next(cell for cell in found.cells if cell.cell_type == "markdown")
    first.source += f"\n\n{badges(repository, branch, path)}"
    nbformat.write(found, notebook)
