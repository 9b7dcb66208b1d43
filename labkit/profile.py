"""How much work a lab does: the profile, from the environment variable LABKIT_PROFILE."""

from __future__ import annotations

import os
from typing import Any

_NAMES = ("quick", "full", "grading")
_MISSING = object()
STRICT = "LABKIT_STRICT"
# Set where figures come as HTML, too: JupyterLab shows a picture without its alternative
# text. Not everywhere, as a notebook with both is twice as large.
ALT_TEXT = "LABKIT_ALT_TEXT"
# nbgrader sets it while it validates a notebook or grades it.
_NBGRADER = "NBGRADER_EXECUTION"


def name() -> str:
    """Return the profile that LABKIT_PROFILE names.

    Returns
    -------
    "quick", "full" or "grading"
        "quick" (a two-core CPU) where nothing is set; "full": a GPU; "grading": seconds,
        stand-in data.

    Raises
    ------
    ValueError
        LABKIT_PROFILE holds anything else.

    Examples
    --------
    >>> import os
    >>> from labkit import profile
    >>> os.environ["LABKIT_PROFILE"] = "full"
    >>> profile.name()
    'full'
    """
    found = os.environ.get("LABKIT_PROFILE", "").strip().lower() or "quick"
    if found not in _NAMES:
        raise ValueError(
            f"LABKIT_PROFILE is {found!r}; expected one of {', '.join(_NAMES)}. "
            "Type `export LABKIT_PROFILE=quick`, or unset it."
        )
    return found


def strict() -> bool:
    """Return whether a failed check stops a notebook, and nothing of an earlier run counts.

    Returns
    -------
    bool
        True at grading, and where LABKIT_STRICT is set and not 0.

    Examples
    --------
    >>> import os
    >>> from labkit import profile
    >>> os.environ["LABKIT_STRICT"] = "1"
    >>> profile.strict()
    True
    """
    asked = os.environ.get(STRICT, "") not in ("", "0")
    return asked or _NBGRADER in os.environ or name() == "grading"


def pick(*, quick: Any, full: Any, grading: Any = _MISSING) -> Any:
    """Return the value for the profile.

    Parameters
    ----------
    quick, full, grading : any
        The value for each profile; `grading` left out means that of `quick`.

    Returns
    -------
    One of the values

    Raises
    ------
    ValueError
        LABKIT_PROFILE names no profile.

    Examples
    --------
    >>> import os
    >>> from labkit import profile
    >>> os.environ["LABKIT_PROFILE"] = "grading"
    >>> profile.pick(quick=5, full=30, grading=1), profile.pick(quick=5, full=30)
    (1, 5)
    """
    if grading is _MISSING:
        grading = quick
    return {"quick": quick, "full": full, "grading": grading}[name()]
