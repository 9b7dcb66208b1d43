"""Write where this project lies on GitHub into the files that tell it.

    python .ci/address.py owner/name

Once more, with another name, and it is changed. `labkit release` then gives each lab its
badges, and the package's metadata have the address from pyproject.toml.
"""

import re
import sys
from pathlib import Path

PROJECT, CITATION = Path("pyproject.toml"), Path("CITATION.cff")


def write(address: str) -> None:
    """Write the address in place of the one that stands there, if one does."""
    project, citation = PROJECT.read_text("utf-8"), CITATION.read_text("utf-8")
    project = re.sub(r"\[project\.urls\]\n(?:\w+ = .*\n)+\n", "", project)
    urls = f'[project.urls]\nRepository = "{address}"\n\n[project.scripts]\n'
    citation = re.sub(r"repository-code: .*\n", "", citation)
    PROJECT.write_text(project.replace("[project.scripts]\n", urls), "utf-8")
    CITATION.write_text(f'{citation}repository-code: "{address}"\n', "utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2 or not re.fullmatch(r"[\w.-]+/[\w.-]+", sys.argv[1]):
        sys.exit("Type: python .ci/address.py owner/name")
    write(f"https://github.com/{sys.argv[1]}")
