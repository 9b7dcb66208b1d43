"""Mutants of a solution: answers that differ from it in one place, as wrong ones do.

A number, a comparison, an operator, a conversion, what happens in place: each is changed
alone, in the code between BEGIN SOLUTION and END SOLUTION. A mutant that is as right as
the solution is marked where it stands, at the end of its line or on the line above; one
that changes a function as a whole, anywhere in its solution:

    if n < 0:  # equivalent: < -> <=
"""

import ast
import copy
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from nbformat import NotebookNode

from labkit.labs.cells import solution_lines
from labkit.machine.syntax import parse

MARK = re.compile(r"#\s*equivalent:\s*(.*)")
# What the text of an operator becomes, and the operator itself.
_OTHERS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Div,),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
}
_CONVERSIONS = ("array", "asarray", "copy", "ascontiguousarray")
_ALLOCATIONS = ("zeros", "ones", "empty", "full", "zeros_like", "ones_like")

_Change = tuple[ast.AST, str]  # what takes a node's place, and the change in words


@dataclass(frozen=True)
class Mutant:
    """A solution that is changed in one place.

    `line` is that of the place in the lab's text, `change` what was changed there,
    `code` the changed line, `source` the text of the whole cell, and `equivalent` tells
    that the author takes it for as right as the solution.
    """

    exercise: str
    line: int
    change: str
    code: str
    source: str
    equivalent: bool


def mutants(cell: NotebookNode) -> list[Mutant]:
    """The mutants of the exercise in a solution cell of a lab's text."""
    tree = parse(cell.source)
    solved = solution_lines(cell.source)
    marks = _marks(cell.source)
    found: dict[str, Mutant] = {}
    for statement in ast.walk(tree):
        if not isinstance(statement, ast.stmt) or isinstance(statement, ast.Raise):
            continue
        lines = _own_lines(statement)
        marked = {change for line in lines for change in marks.get(line, ())}
        for node in _own_nodes(statement):
            for new, change in _changes(node, solved):
                line = _line(node, solved)
                if line not in solved:
                    continue
                source = ast.unparse(_replaced(tree, node, new))
                first = ast.unparse(_replaced(statement, node, new)).splitlines()[0]
                mutant = Mutant(
                    cell.metadata["solution"],
                    cell.source_line + line - 1,
                    change,
                    first.strip(),
                    source,
                    change in marked,
                )
                found.setdefault(source, mutant)
    found.pop(ast.unparse(tree), None)
    return sorted(found.values(), key=lambda mutant: mutant.line)


def _marks(source: str) -> dict[int, set[str]]:
    """The changes that are marked as equivalent, by the line that they stand at."""
    lines = source.splitlines()
    marks: dict[int, set[str]] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        found = MARK.match(token.string) if token.type == tokenize.COMMENT else None
        if found:
            line = token.start[0]
            while lines[line - 1].lstrip().startswith("#") and line < len(lines):
                line += 1  # a line of its own speaks of the next one
            changes = {change.strip() for change in found[1].split(";")}
            marks.setdefault(line, set()).update(changes)
    return marks


def _own_nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """A statement and its expressions, without those of statements inside it."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [
            child
            for child in ast.iter_child_nodes(node)
            if not isinstance(child, ast.stmt | ast.JoinedStr)
        ]


def _own_lines(statement: ast.stmt) -> range:
    """The lines of a statement, up to the statements inside it; of a function, all."""
    if isinstance(statement, ast.FunctionDef):
        return range(statement.lineno, (statement.end_lineno or 0) + 1)
    body = getattr(statement, "body", None)
    end = body[0].lineno - 1 if body else statement.end_lineno or statement.lineno
    return range(statement.lineno, max(end, statement.lineno) + 1)


def _line(node: ast.AST, solved: set[int]) -> int:
    """Where a change is seen: of a function as a whole, at its first solved line."""
    line = getattr(node, "lineno", 0)
    if isinstance(node, ast.FunctionDef):
        inside = [n for n in solved if line < n <= (node.end_lineno or line)]
        return min(inside, default=0)
    return int(line)


def _replaced(tree: ast.AST, node: ast.AST, new: ast.AST) -> ast.AST:
    """A copy of a tree with another node in a node's place."""
    return ast.fix_missing_locations(copy.deepcopy(tree, {id(node): new}))


def _changes(node: ast.AST, solved: set[int]) -> Iterator[_Change]:
    """What a node may become."""
    match node:
        case ast.Constant():
            yield from _other_constants(node)
        case ast.Compare():
            for place, operator in enumerate(node.ops):
                for other in _OTHERS.get(type(operator), ()):
                    ops: list[ast.cmpop] = list(node.ops)
                    ops[place] = other()  # type: ignore[call-overload]
                    new = ast.Compare(node.left, ops, node.comparators)
                    yield new, f"{_text(operator)} -> {_text(ops[place])}"
        case ast.BinOp() | ast.BoolOp() | ast.AugAssign():
            for other in _OTHERS.get(type(node.op), ()):
                changed = copy.copy(node)
                changed.op = other()  # type: ignore[assignment]
                yield changed, f"{_text(node.op)} -> {_text(changed.op)}"
        case ast.UnaryOp(op=ast.USub() | ast.Not()):
            yield node.operand, f"{ast.unparse(node)} -> {ast.unparse(node.operand)}"
        case ast.Call():
            yield from _other_calls(node)
        case ast.FunctionDef():
            yield from _changed_arguments(node)
    yield from _in_place(node)


def _other_constants(node: ast.Constant) -> Iterator[_Change]:
    value = node.value
    others: list[object] = []
    if isinstance(value, bool):
        others = [not value]
    elif isinstance(value, int):
        others = [value + 1, value - 1]
    elif isinstance(value, float):
        others = [value + 1, 0.0] if value else [1.0]
    for other in others:
        yield ast.Constant(other), f"{value!r} -> {other!r}"  # type: ignore[arg-type]


def _other_calls(node: ast.Call) -> Iterator[_Change]:
    """A call without the dtype that it names, with whole numbers, or not at all."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    text = ast.unparse(node)
    whole = ast.Name("int", ast.Load())
    left_out: ast.AST | None = None
    if name in ("astype", "copy") and isinstance(node.func, ast.Attribute):
        of_numpy = ast.unparse(node.func.value) in ("np", "numpy")
        left_out = node.args[0] if of_numpy and node.args else node.func.value
    elif node.args and (name in _CONVERSIONS or ast.unparse(node.func) == "int"):
        left_out = node.args[0]
    if left_out is not None:
        yield left_out, f"{text} -> {ast.unparse(left_out)}"
    for keyword in node.keywords:
        if keyword.arg == "dtype":
            others = [one for one in node.keywords if one is not keyword]
            bare = ast.Call(node.func, node.args, others)
            yield bare, f"{text} -> {ast.unparse(bare)}"
    position = 2 if name == "full" else 1
    named = any(one.arg == "dtype" for one in node.keywords)
    if name in _ALLOCATIONS and not named and len(node.args) == position:
        counted = ast.Call(node.func, [*node.args, whole], node.keywords)
        yield counted, f"{text} -> {ast.unparse(counted)}"
    if name in (*_CONVERSIONS, *_ALLOCATIONS) and len(node.args) == position + 1:
        bare = ast.Call(node.func, node.args[:-1], node.keywords)
        yield bare, f"{text} -> {ast.unparse(bare)}"
        counted = ast.Call(node.func, [*node.args[:-1], whole], node.keywords)
        yield counted, f"{text} -> {ast.unparse(counted)}"


def _in_place(node: ast.AST) -> Iterator[_Change]:
    """`x = x + y` and `x += y` differ where x is an array that others hold."""
    match node:
        case ast.Assign(
            targets=[ast.Name(name) as target], value=ast.BinOp(left=ast.Name(left))
        ) if name == left:
            assert isinstance(node.value, ast.BinOp)
            new: ast.stmt = ast.AugAssign(target, node.value.op, node.value.right)
        case ast.AugAssign(target=ast.Name(name)):
            value = ast.BinOp(ast.Name(name, ast.Load()), node.op, node.value)
            new = ast.Assign([node.target], value)
        case _:
            return
    ast.fix_missing_locations(new)
    yield new, f"{ast.unparse(node)} -> {ast.unparse(new)}"


def _changed_arguments(node: ast.FunctionDef) -> Iterator[_Change]:
    """The right answer from a function that spoils an array that it was given to read."""
    if any(isinstance(inner, ast.Yield | ast.YieldFrom) for inner in ast.walk(node)):
        return  # its end may be long after
    document = [node.body[0]] if ast.get_docstring(node) else []
    body = node.body[len(document) :]
    for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
        spoil = parse(f"{argument.arg}[...] = 0").body
        changed = copy.copy(node)
        changed.body = [*document, ast.Try(body, [], [], spoil)]
        yield changed, f"{ast.unparse(spoil[0])} at the end"


def _text(operator: ast.AST) -> str:
    """An operator as it is written."""
    a, b = ast.Name("a", ast.Load()), ast.Name("b", ast.Load())
    node: ast.expr
    if isinstance(operator, ast.cmpop):
        node = ast.Compare(a, [operator], [b])
    elif isinstance(operator, ast.boolop):
        node = ast.BoolOp(operator, [a, b])
    else:
        assert isinstance(operator, ast.operator)
        node = ast.BinOp(a, operator, b)
    return ast.unparse(node)[2:-2]
