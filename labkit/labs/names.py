"""The names that the code of a cell defines, and those of other cells that it may use."""

import ast
import symtable
from dataclasses import dataclass
from functools import lru_cache

from labkit.checks.protocol import PARSING
from labkit.machine.syntax import parse

# With these, code can reach any name.
_REACH_ANYTHING = {
    "__import__",
    "dir",
    "eval",
    "exec",
    "get_ipython",
    "globals",
    "locals",
    "vars",
}
# So it can with these of a module, a frame or a function: sys.modules, not sys.maxsize.
_PARTS_THAT_REACH_ANYTHING = {
    "__globals__",
    "__main__",
    "f_globals",
    "f_locals",
    "modules",
}


@dataclass(frozen=True)
class Names:
    """The names that a cell defines, and those of other cells that it may use."""

    defined: frozenset[str]
    used: frozenset[str]
    reaches_anything: bool = False


@lru_cache(maxsize=4096)
def names(source: str) -> Names:
    """The names of a cell. One that is not plain Python may use any."""
    try:
        with PARSING:
            tree = parse(source)
            defined, used = _flow(tree.body, frozenset())
    except (SyntaxError, ValueError, RecursionError, MemoryError, SystemError):
        return Names(frozenset(), frozenset(), reaches_anything=True)
    parts = {part for node in ast.walk(tree) for part in _named_parts(node)}
    reaching = used & _REACH_ANYTHING or parts & _PARTS_THAT_REACH_ANYTHING
    return Names(frozenset(defined), frozenset(used), bool(reaching))


def _named_parts(node: ast.AST) -> list[str]:
    """What a piece of code names of a module or of another object."""
    match node:
        case ast.Attribute(attr=name):
            return [name]
        case ast.Import(names=found) | ast.ImportFrom(names=found):
            return [one.name for one in found]
    return []


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
