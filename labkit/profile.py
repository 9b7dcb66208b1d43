"""How much work a lab does: the profile, from the environment variable LABKIT_PROFILE."""

from __future__ import annotations

import os
from typing import Any

_NAMES = ("quick", "full", "grading")
_MISSING = object()


def name() -> str:
    """Return the profile: "quick" (a two-core CPU), "full" (a GPU) or "grading" (seconds, stand-in data).

    Raises ValueError where LABKIT_PROFILE holds anything else.
    """
    found = os.environ.get("LABKIT_PROFILE", "").strip().lower() or "quick"
    if found not in _NAMES:
        raise ValueError(
            f"LABKIT_PROFILE is {found!r}; expected one of {', '.join(_NAMES)}. "
            "Type `export LABKIT_PROFILE=quick`, or unset it."
        )
    return found


def pick(*, quick: Any, full: Any, grading: Any = _MISSING) -> Any:
    """Return the value for the profile; `grading` left out means the value of `quick`."""
    if grading is _MISSING:
        grading = quick
    return {"quick": quick, "full": full, "grading": grading}[name()]
