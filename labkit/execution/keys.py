"""Keys: a short text for all that a result was made from; another key, made anew.

References have one of their own, made of the lab's text (`labkit.labs.reference_run`),
and so have grades, made of what was handed in and of the references
(`labkit.grading.plan`). The key of a cached run is made here.
"""

import hashlib
import json
from functools import cache
from pathlib import Path

from nbformat import NotebookNode

from labkit.files import content_hash


@cache
def package_hash() -> str:
    """A hash of this package's code: a result made by other code is made again."""
    digest = hashlib.sha256()
    package = Path(__file__).parent.parent
    for path in sorted(package.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def run_key(seed: str, notebook: NotebookNode, files: dict[str, bytes]) -> str:
    """A hash of all that a submission's run depends on.

    That is the code of the sanitised notebook, the files beside it, the course's seed
    (hidden inputs and shuffled labels come from it), and this package.
    """
    code = [
        [cell.source, cell.metadata.get("tags", [])]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    contents = [
        [name, content_hash(content)] for name, content in sorted(files.items())
    ]
    text = json.dumps([seed, package_hash(), code, contents])
    return content_hash(text)[:32]
