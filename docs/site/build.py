"""Build the site: gather its pages, then let Sphinx make HTML of them. No network.

    python docs/site/build.py [FOLDER]

The pages stand as in the repository, so that their links to each other hold on a code
host too; what is made from commands, docstrings and labs is added.
"""

import argparse
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from api_pages import MODULES, module_page
from api_pages import index_page as api_index
from command_pages import command_page, commands, page_name
from command_pages import index_page as command_index
from lab_pages import index_page as lab_index
from lab_pages import lab_page
from sphinx.application import Sphinx

from labkit.authoring.release import pages_beside_labs
from labkit.course import Course
from labkit.execution.side_by_side import side_by_side
from labkit.files import write_text
from labkit.labs.lab import find_labs, read_lab

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
# The pages by who reads them, in the order of the site; names as from docs/.
PAGES = {
    "For students": ["studying", "labs/index", "glossary", "gpu", "competition"],
    "For instructors": ["instructing", "drawn", "values", "benchmarks"],
    "For authors": ["authoring", "../solutions/README"],
    "For administrators": [
        "administering",
        "sandbox",
        "../SECURITY",
        "platforms",
        "containers",
    ],
    "For contributors": [
        "../CONTRIBUTING",
        "architecture",
        "../benchmarks/README",
        "../CHANGELOG",
    ],
    "Look it up": ["reference", "commands/index", "api/index"],
}
# Those that are no files in the repository, or lie elsewhere in it.
MADE = {
    "labs/index",
    "commands/index",
    "api/index",
    "../solutions/README",
    "../benchmarks/README",
}


def gather(source: Path) -> None:
    """Bring all pages into a folder, those made from the code among them."""
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        _copy(path, source)
    for name in ("solutions/README.md", "benchmarks/README.md"):
        _copy(ROOT / name, source)
    for path in pages_beside_labs(Course.at(ROOT)):
        shutil.copy(path, source / "docs")
    _append_contents(source / "docs" / "index.md")
    _write_commands(source / "docs" / "commands")
    _write_api(source / "docs" / "api")
    _write_labs(source / "docs" / "labs")


def _copy(path: Path, source: Path) -> None:
    """Copy a page, and the files that it links to and that are no pages themselves."""
    linked = re.findall(r"\]\(([^)#:\s]+)", path.read_text("utf-8"))
    for one in [path, *((path.parent / name).resolve() for name in linked)]:
        inside = one.is_file() and one.is_relative_to(ROOT)
        if one == path or (inside and one.suffix != ".md"):
            target = source / one.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(one, target)


def _append_contents(index: Path) -> None:
    """The site's table of contents, which a code host would show as a block of text."""
    pages = {
        os.path.relpath(path.with_suffix(""), index.parent)
        for path in [*index.parent.glob("*.md"), *index.parent.parent.glob("*.md")]
    }
    listed = {name for names in PAGES.values() for name in names}
    others = sorted(pages - listed - {"index", "../README"})
    parts = [index.read_text("utf-8")]
    for caption, names in [*PAGES.items(), ("More", others)]:
        there = [one for one in names if one in pages | MADE]
        lines = "\n".join(there)
        if there:
            parts.append(
                f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{lines}\n```\n"
            )
    index.write_text("\n".join(parts), "utf-8")


def _write_commands(folder: Path) -> None:
    write_text(folder / "index.md", command_index())
    for words, command in commands():
        write_text(folder / f"{page_name(words)}.md", command_page(words, command))


def _write_api(folder: Path) -> None:
    write_text(folder / "index.md", api_index())
    for name in MODULES:
        write_text(folder / f"{name}.md", module_page(name))


def _write_labs(folder: Path) -> None:
    course = Course.at(ROOT)
    write_text(folder / "index.md", lab_index(course))

    def write(path: Path) -> None:
        lab = read_lab(path)
        page = lab_page(course, lab, folder / lab.name)
        write_text(folder / f"{lab.name}.md", page)

    side_by_side(write, find_labs(course.solutions))  # their given cells run


def build(out: Path) -> int:
    """Build the site into a folder; returns 0, or 1 where a page has a fault."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="labkit-site-") as scratch:
        source = Path(scratch, "source")
        source.mkdir()
        gather(source)
        app = Sphinx(
            srcdir=source,
            confdir=HERE,
            outdir=out,
            doctreedir=Path(scratch, "doctrees"),
            buildername="html",
            freshenv=True,
            warningiserror=True,
            status=None,
        )
        app.build(force_all=True)
    write_text(
        out / "index.html",
        '<!doctype html><meta charset="utf-8"><title>CNN lab kit</title>'
        '<meta http-equiv="refresh" content="0; url=docs/index.html">'
        '<a href="docs/index.html">CNN lab kit</a>\n',
    )
    return int(app.statuscode)


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the site.")
    parser.add_argument("out", nargs="?", type=Path, default=ROOT / "build" / "site")
    out = parser.parse_args().out.resolve()
    # Stand-ins, as on any machine; and commands' help without a terminal's width.
    os.environ |= {"LABKIT_OFFLINE": "1", "COLUMNS": "100"}
    os.environ.pop("LABKIT_DATA", None)
    code = build(out)
    print(f"{out / 'index.html'}")
    sys.exit(code)


if __name__ == "__main__":
    main()
