"""What came with a lab: the expected values beside its notebook, or why there are none."""

import os
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from labkit import __version__
from labkit.checks.protocol import EXPECTED
from labkit.checks.references import References
from labkit.checks.released import released_expected
from labkit.errors import LabkitError


class NotBesideALab(LabkitError):
    """The notebook runs where its lab's expected values are not."""


# What came with the package for a notebook that lies alone, once a check has told its lab.
_with_package: dict[Path, Path] = {}


def expected(names: Collection[str] = ()) -> References:
    """The expected values beside the notebook, or those that LABKIT_EXPECTED names.

    Where there are none, those that came with the package for checks of these names.
    Raises LabkitError where there are none, where they cannot be read, and where they
    are of a later labkit than this kernel has.
    """
    path = Path(os.environ.get("LABKIT_EXPECTED", EXPECTED))
    if not path.is_file():
        path = _of_package(names) or path
    if not path.is_file():
        raise NotBesideALab(
            f"This notebook runs in {Path.cwd()}, and no {path} is there. It belongs in "
            f"the lab's folder, beside the {EXPECTED} that came with it. Move it there, "
            "open it there, and run it again from the top."
        )
    return _loaded(path.resolve(), path.stat().st_mtime_ns)


def lab_folder() -> Path:
    """Where the lab's files lie: here, or in the package for a notebook that lies alone."""
    here = Path.cwd()
    alone = _with_package.get(here)
    return here if alone is None else alone.parent


def _of_package(names: Collection[str]) -> Path | None:
    here = Path.cwd()
    found = released_expected(names) if names else None
    if found is not None:
        _with_package[here] = found
    return _with_package.get(here)


def expected_or_none() -> References | None:
    """The same; None where there are none to be used."""
    try:
        return expected()
    except LabkitError:
        return None


@lru_cache(maxsize=1)
def _loaded(path: Path, _changed: int) -> References:
    references = References.load(path)
    made_with, here = references.guide.version, __version__
    if _number(made_with) > _number(here):
        raise LabkitError(
            f"This lab was made with labkit {made_with}, and this kernel has {here}. "
            "Choose the kernel of the course (menu Kernel, Change Kernel), or install the "
            "labkit that came with the lab."
        )
    return references


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
