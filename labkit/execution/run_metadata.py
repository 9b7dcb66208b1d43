"""What stands in the metadata of a notebook and of its cells, as `labkit`: who else writes
or reads there does it with what is here.

A submission may come with anything under that name, and nothing of it is believed:
`forget_claims` takes it out before a notebook runs, and only what has run it and what
judges it writes there again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode

from labkit.checks.results import Result

NAME = "labkit"


@dataclass(frozen=True)
class RunMetadata:
    """Of a notebook: `key`, what its run was made from; `stopped`, why it ended early.

    `repairs` are sentences to the student. `peak_bytes` is the most memory that the run
    took, `cpu_seconds` what it computed.
    """

    key: str = ""
    stopped: str = ""
    repairs: tuple[str, ...] = ()
    peak_bytes: int = 0
    cpu_seconds: float = 0.0

    @classmethod
    def of(cls, notebook: NotebookNode) -> "RunMetadata":
        """What a notebook that has run says; the usual values where it says nothing."""
        found = _read(notebook)
        return cls(
            found.get("key", ""),
            found.get("stopped", ""),
            tuple(found.get("repairs", ())),
            found.get("peak_bytes", 0),
            found.get("cpu_seconds", 0.0),
        )

    def write(self, notebook: NotebookNode) -> None:
        """Put it in the place of all that the notebook says."""
        _write(notebook, {**vars(self), "repairs": list(self.repairs)})


@dataclass(frozen=True)
class CellMetadata:
    """Of a cell: `limit`, which one stopped it; `checks`, as they were judged; `stderr`."""

    limit: str = ""
    checks: tuple[Result, ...] = ()
    stderr: str = ""

    @classmethod
    def of(cls, cell: Mapping[str, Any]) -> "CellMetadata":
        """What a cell that has run says, as nbformat or as plain JSON has it.

        The usual values where it says nothing.
        """
        found = _read(cell)
        checks = tuple(Result(**check) for check in found.get("checks", ()))
        return cls(found.get("limit", ""), checks, found.get("stderr", ""))

    def write(self, cell: NotebookNode) -> None:
        """Put it in the place of all that the cell says."""
        checks = [dict(vars(result)) for result in self.checks]
        _write(cell, {**vars(self), "checks": checks})


def made_from(notebook: Mapping[str, Any]) -> str:
    """The key of what a source notebook was made from; empty where it says nothing."""
    return str(_read(notebook).get("source", ""))


def write_made_from(notebook: NotebookNode, key: str) -> None:
    """Put the key of what a source notebook was made from in the place of all it says."""
    _write(notebook, {"source": key})


def forget_claims(notebook: NotebookNode) -> None:
    """Take out what a notebook and its cells say under our name."""
    for node in (notebook, *notebook.cells):
        node.metadata.pop(NAME, None)


def _read(node: Mapping[str, Any]) -> dict[str, Any]:
    found = node["metadata"].get(NAME)
    return found if isinstance(found, dict) else {}


def _write(node: NotebookNode, found: dict[str, Any]) -> None:
    said = {name: value for name, value in found.items() if value}
    node.metadata.pop(NAME, None)
    if said:
        node.metadata[NAME] = NotebookNode(said)
