"""A working version of an exercise for whoever is stuck at it, at the price of its points.

`rescues.dat` lies beside a notebook. What is packed in it is not secret: the packing
keeps the text from who does not look for it.
"""

import ast
import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from labkit.checks.protocol import PARSING, plain_python
from labkit.errors import LabkitError
from labkit.machine.syntax import parse

RESCUES = "rescues.dat"
RESCUED = "rescued: a working version was given for the points of this exercise"
_LINE = 76


@dataclass(frozen=True)
class Rescue:
    """The names that an exercise defines, and the code that defines them."""

    names: tuple[str, ...]
    source: str

    def run(self, exercise: str, notebook: Mapping[str, Any]) -> dict[str, Any]:
        """Run the code beside the notebook's names; returns what the exercise defines.

        It sees those names as they are now, and binds none of them.
        """
        namespace = dict(notebook)
        exec(compile(self.source, f"<rescue of {exercise}>", "exec"), namespace)
        return {name: namespace[name] for name in self.names}


def pack(rescues: Mapping[str, Rescue]) -> bytes:
    """The content of `rescues.dat`."""
    plain = json.dumps({name: asdict(one) for name, one in rescues.items()})
    coded = base64.b64encode(plain.encode()).decode()
    rows = [coded[at : at + _LINE] for at in range(0, len(coded), _LINE)]
    return "".join(f"{row}\n" for row in rows).encode()


def unpack(content: bytes) -> dict[str, Rescue]:
    """What `pack` has packed; raises ValueError on anything else."""
    try:
        plain = json.loads(base64.b64decode(content))
        return {
            name: Rescue(tuple(one["names"]), one["source"])
            for name, one in plain.items()
        }
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"not packed rescues: {error!r:.200}") from None


def take(exercise: str, folder: Path, cell: str | None) -> Rescue:
    """The rescue of an exercise, for the cell of that text; None where it is not known.

    Raises LabkitError where there is none, and where the text does not name the exercise:
    the grader reads the line, and would not know of it.
    """
    path = folder / RESCUES
    if cell is not None and exercise not in asked([cell]):
        raise LabkitError(
            f'Write the line as it stands, check.rescue("{exercise}"): the grader reads '
            "it, and gives the working version to no other."
        )
    try:
        known = unpack(path.read_bytes())
    except OSError:
        raise LabkitError(
            f"No {RESCUES} in {folder}. It comes with the lab, and lies beside its notebook."
        ) from None
    except ValueError:
        raise LabkitError(f"{path}: damaged. Copy it anew from the lab.") from None
    if exercise not in known:
        raise LabkitError(
            f"There is no rescue of {exercise!r}. Those that later cells need have one: "
            f"{', '.join(known) or 'none'}."
        )
    return known[exercise]


def asked(cells: Iterable[str]) -> list[str]:
    """The exercises whose rescue the text of some cells asks for, in order."""
    found: dict[str, None] = {}
    for source in cells:
        if "rescue" in source:
            found |= dict.fromkeys(_asked(source))
    return list(found)


def _asked(source: str) -> list[str]:
    try:
        with PARSING:
            tree = parse(plain_python(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []  # such a cell does not run
    return [
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "rescue"
        and len(node.args) == 1
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    ]
