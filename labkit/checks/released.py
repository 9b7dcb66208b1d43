"""The labs that came with this package, for a notebook that lies somewhere alone."""

from collections.abc import Collection
from functools import cache
from pathlib import Path

from labkit.checks.protocol import EXPECTED
from labkit.checks.references import References


def released_labs() -> Path:
    """The folder of the labs that came with this package, in the wheel or in a clone."""
    beside = Path(__file__).parents[1] / "notebooks"
    return beside if beside.is_dir() else Path(__file__).parents[2] / "notebooks"


def released_expected(names: Collection[str]) -> Path | None:
    """The expected values of the lab that holds checks of these names; None for none.

    The labs of a course share no name of a check, so that one name tells the lab.
    """
    shared = {path: len(known & set(names)) for path, known in _known().items()}
    best = max(shared, key=shared.__getitem__, default=None)
    return best if best is not None and shared[best] else None


@cache
def _known() -> dict[Path, frozenset[str]]:
    """The names of the visible checks of each lab, by its file of expected values."""
    return {
        path: frozenset(check.name for check in References.load(path).checks())
        for path in sorted(released_labs().glob(f"*/{EXPECTED}"))
    }
