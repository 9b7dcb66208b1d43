"""Links at the top of a released lab that open it on Colab, on Kaggle and on Binder."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nbformat

from labkit.course import Course
from labkit.errors import PACKAGE, LabkitError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

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
# Both have a TensorFlow that uses their GPU; the extra `train` would put one for the CPU
# in its place.
_WANTED = f"{PACKAGE}[networks]"
_RAW = "https://raw.githubusercontent.com/{repository}/{branch}/{path}"
_GITHUB = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?")


@dataclass(frozen=True)
class Home:
    """Where a course lies on GitHub: owner/name, a branch; `kit`: labkit is made there."""

    repository: str
    branch: str
    kit: bool = False


def course_home(course: Course) -> Home | None:
    """Where a course says that it lies; None where it says nothing of GitHub.

    course.toml says it, or else `Repository` below [project.urls] in pyproject.toml,
    which is committed. Raises LabkitError for a pyproject.toml that is no TOML.
    """
    settings = course.settings
    project = _project(course.settings_file.with_name("pyproject.toml"))
    address = _GITHUB.fullmatch(str(project.get("urls", {}).get("Repository", "")))
    repository = settings.repository or (address[1] if address else "")
    if not repository:
        return None
    return Home(repository, settings.branch, project.get("name") == PACKAGE)


def _project(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabkitError(f"{path}: not TOML: {error}.") from None
    return found.get("project", {})


def badges(home: Home, path: str, beside: list[str]) -> str:
    """The badges of a notebook as markdown, and what to run first where they lead.

    `path` is the notebook's in the repository; `beside` names the files that belong
    beside it, which neither Colab nor Kaggle fetches.
    """
    place = {"repository": home.repository, "branch": home.branch}
    links = [
        f"[![{title}]({picture})]({address.format(**place, path=path)})"
        for title, picture, address in _SERVICES
    ]
    made_there = f" @ git+https://github.com/{home.repository}@{home.branch}"
    lines = [f'%pip install "{_WANTED}{made_there if home.kit else ""}"']
    folder = path.rpartition("/")[0]
    for name in beside:
        address = _RAW.format(**place, path=quote(f"{folder}/{name}"))
        lines.append(f'!curl -fsSL --create-dirs -o "{name}" "{address}"')
    first = "On Colab and Kaggle, first run in a cell of its own:"
    return "\n".join([" ".join(links), "", first, "", "```", *lines, "```"])


def add_badges(notebook: Path, home: Home) -> None:
    """Put the badges below the title of a released notebook."""
    found = nbformat.read(notebook, as_version=4)
    folder = notebook.parent
    beside = sorted(
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.is_file() and file != notebook
    )
    path = f"notebooks/{folder.name}/{notebook.name}"
    first = next(cell for cell in found.cells if cell.cell_type == "markdown")
    first.source += f"\n\n{badges(home, path, beside)}"
    nbformat.write(found, notebook)
