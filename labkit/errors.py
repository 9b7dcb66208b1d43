"""The errors that a command answers with one clear line, a missing library among them."""

import importlib
import sys
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

PACKAGE = "cnn-labkit"
_HOME = Path(__file__).resolve().parents[1]
_IN_A_CLONE = (_HOME / "pyproject.toml").is_file()
# Which extra of the package brings a library that not everybody needs.
_EXTRAS = {
    "imagehash": "train",
    "keras": "train",
    "optuna": "train",
    "pandas": "train",
    "seaborn": "train",
    "tensorflow": "train",
    "alembic": "grade",
    "babel": "grade",
    "copydetect": "grade",
    "jupytext": "grade",
    "markdown_it": "grade",
    "nbgrader": "grade",
    "sqlalchemy": "grade",
    "yaml": "grade",
    "kaggle": "kaggle",
    "kagglehub": "kaggle",
    "distributed": "cluster",
}


class LabkitError(Exception):
    """Wrong input or a missing piece: what was found, what was expected, what to type."""


class MissingLibraryError(LabkitError, ModuleNotFoundError):
    """A library that is not installed here: its name, and what to type to have it."""

    def __init__(self, library: str) -> None:
        typed = install_command(_EXTRAS[library])
        super().__init__(
            f"{library} is not installed. Type in a terminal: {typed}", name=library
        )

    def _render_traceback_(self) -> list[str]:
        # The cell's own line and this one say all; IPython shows no more.
        return [str(self)]


def install_command(extra: str) -> str:
    """What to type to have an extra of this package, as it was installed here."""
    if _IN_A_CLONE:
        return f'pip install -e "{_HOME}[{extra}]"'
    return f'pip install "{PACKAGE}[{extra}]"'


def libraries(extra: str) -> list[str]:
    """The libraries that an extra brings, by the names that Python imports."""
    return [library for library, needed in _EXTRAS.items() if needed == extra]


def extras() -> list[str]:
    """The extras that bring libraries, in the order in which somebody meets them."""
    return list(dict.fromkeys(_EXTRAS.values()))


def missing_library(error: BaseException) -> MissingLibraryError | None:
    """What to say of a failed import; None where no extra would mend it."""
    if isinstance(error, ModuleNotFoundError) and error.name in _EXTRAS:
        return MissingLibraryError(error.name)
    return None


def require_library(name: str) -> ModuleType:
    """Import a module; raises MissingLibraryError where its library is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise missing_library(error) or error from None


def install() -> None:
    """Let the running notebook say in one line which library a cell misses.

    Only what is shown changes: the error stays a ModuleNotFoundError, which code may catch.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        shell.set_custom_exc((ModuleNotFoundError,), _show)


def _show(
    shell: Any,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType,
    tb_offset: int | None = None,
) -> None:
    """IPython's handler of a ModuleNotFoundError that left a cell."""
    shown = missing_library(error) or error
    shell.showtraceback((type(shown), shown, trace), tb_offset=tb_offset)
