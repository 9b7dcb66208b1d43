"""Which cells the checks depend on: the others are skipped at grading.

A lab shows a lot: figures, explorers, races between optimisers. What they show at grading
is made from stand-ins, and nobody looks at it. So a cell of the lab's own is skipped
where no cell that counts uses a name that it defines. Every cell that a student has
written or changed counts.
"""

import ast
import symtable
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode

# Given to a cell of a lab that changes what others define: it always runs.
NEEDED_TAG = "needed"
# nbclient's own.
SKIP_TAG = "skip-execution"
LEFT_OUT = "Not run at grading: no check needs this cell.\n"
# Python 3.11 raises SystemError where two threads make syntax trees at a time.
_ONE_PARSER = threading.Lock()
# With these, code can reach any name.
_REACH_ANYTHING = {
    "__import__",
    "dir",
    "eval",
    "exec",
    "get_ipython",
    "globals",
    "inspect",
    "locals",
    "sys",
    "vars",
}


@dataclass(frozen=True)
class Names:
    """The names that a cell defines, and those of other cells that it may use."""

    defined: frozenset[str]
    used: frozenset[str]
    reaches_anything: bool = False


class SkipUnneeded(NbGraderPreprocessor):
    """Mark the cells that need not run, for whatever runs the notebook.

    Must come after OverwriteCells: the hidden checks use names, too.
    """

    solutions = Unicode(help="The folder of the labs' sources.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict):
        names = resources["nbgrader"]
        lab = Path(self.solutions, names["assignment"], f"{names['notebook']}.ipynb")
        given = given_cells(lab) if lab.is_file() else frozenset()
        code = [cell for cell in nb.cells if cell.cell_type == "code"]
        run = cells_to_run([cell.source for cell in code], given)
        for index, cell in enumerate(code):
            if index not in run:
                cell.metadata["tags"] = [SKIP_TAG]
                cell.outputs = [new_output("stream", name="stdout", text=LEFT_OUT)]
        return nb, resources


def given_cells(lab: Path) -> frozenset[str]:
    """The code of a lab's own cells that may be left out; `lab` is nbgrader's source notebook."""
    return _given_cells(lab, lab.stat().st_mtime_ns)


@lru_cache
def _given_cells(lab: Path, _changed: int) -> frozenset[str]:
    return frozenset(
        cell.source
        for cell in nbformat.read(lab, as_version=4).cells
        if cell.cell_type == "code"
        and "nbgrader" not in cell.metadata
        and NEEDED_TAG not in cell.metadata.get("tags", [])
        and not names(cell.source).reaches_anything
    )


def cells_to_run(code: list[str], given: frozenset[str]) -> set[int]:
    """Which of a notebook's code cells have to run, by their index.

    Those that are not `given`, and those that define a name which one that runs uses.
    """
    found = [names(source) for source in code]
    run = {index for index, source in enumerate(code) if source not in given}
    if any(found[index].reaches_anything for index in run):
        return set(range(len(code)))
    waiting = set(range(len(code))) - run
    while True:
        used = set().union(*(found[index].used for index in run))
        more = {index for index in waiting if found[index].defined & used}
        if not more:
            return run
        run |= more
        waiting -= more


@lru_cache(maxsize=4096)
def names(source: str) -> Names:
    """The names of a cell. One that is not plain Python may use any."""
    try:
        with _ONE_PARSER:
            defined, used = _flow(ast.parse(source).body, frozenset())
    except (SyntaxError, ValueError, RecursionError, MemoryError, SystemError):
        return Names(frozenset(), frozenset(), reaches_anything=True)
    return Names(frozenset(defined), frozenset(used), bool(used & _REACH_ANYTHING))


def _flow(
    statements: list[ast.stmt], before: frozenset[str]
) -> tuple[set[str], set[str]]:
    """The names that statements define, and those that they use before they define them."""
    certain, defined, used = set(before), set(), set()
    for statement in statements:
        heads, blocks = _parts(statement)
        for head in heads:
            binds, loads = _names(head)
            used |= loads - certain
            certain |= binds
            defined |= binds
        inner = [_flow(block, frozenset(certain)) for block in blocks]
        defined |= {name for binds, _ in inner for name in binds}
        used |= {name for _, loads in inner for name in loads}
        # An `if` may leave undefined what it defines; a loop is taken to run.
        if isinstance(statement, ast.For | ast.With):
            certain |= inner[0][0]
    return defined, used


def _parts(statement: ast.stmt) -> tuple[list[ast.stmt], list[list[ast.stmt]]]:
    """A statement as simple ones that run first, and the blocks that it holds."""
    head: list[ast.stmt]
    match statement:
        case ast.For() | ast.AsyncFor():
            head = [ast.Assign([statement.target], statement.iter)]
            return head, [statement.body, statement.orelse]
        case ast.While() | ast.If():
            return [ast.Expr(statement.test)], [statement.body, statement.orelse]
        case ast.With() | ast.AsyncWith():
            nowhere = ast.Name("_", ast.Store())
            head = [
                ast.Assign([item.optional_vars or nowhere], item.context_expr)
                for item in statement.items
            ]
            return head, [statement.body]
        case ast.Try():
            handlers = [handler.body for handler in statement.handlers]
            head = [ast.Expr(h.type) for h in statement.handlers if h.type]
            ends = [statement.orelse, statement.finalbody]
            return head, [statement.body, *handlers, *ends]
        case ast.AugAssign(target=ast.Name(name)):
            old = ast.Name(name, ast.Load())
            return [ast.Expr(old), statement], []
        case _:
            return [statement], []


def _names(statement: ast.stmt) -> tuple[set[str], set[str]]:
    """The names of the notebook that a simple statement or a definition binds and loads."""
    text = ast.unparse(ast.fix_missing_locations(statement))
    table = symtable.symtable(text, "cell", "exec")
    symbols = table.get_symbols()
    binds = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
    loads = {s.get_name() for s in symbols if s.is_referenced()}
    inner = list(table.get_children())
    while inner:
        scope = inner.pop()
        inner += scope.get_children()
        for symbol in filter(symtable.Symbol.is_global, scope.get_symbols()):
            # What a function assigns (`global n; n += 1`), it may also read.
            loads.add(symbol.get_name())
            if symbol.is_assigned():
                binds.add(symbol.get_name())
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        loads.discard(statement.name)  # it calls itself
    return binds, loads
