"""Single-operator faults of a Python module: where one may be, and the module with it."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
}
NAMED = {"min": "max", "max": "min", "any": "all", "all": "any"}
# What is said to people and to the log is not what is computed.
TOLD = {"debug", "info", "warning", "error", "exception"}
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Site:
    """A place in a function where one thing may be replaced. `function`: the line at which that function begins."""

    index: int
    function: int
    line: int
    name: str
    says: str

    @property
    def key(self) -> str:
        """The same wherever the function stands in its file."""
        return f"{self.name}: {self.says}"


def sites(source: str) -> list[Site]:
    """Every place, in the order of the text."""
    return [
        Site(index, begins, node.lineno, name, f"{_text(node)} -> {_text(other)}")
        for index, (begins, name, node, other) in enumerate(_places(ast.parse(source)))
    ]


def mutated(source: str, site: Site) -> str:
    """The module with this one fault; its comments are gone."""
    tree = ast.parse(source)
    _, _, node, other = next(place for index, place in enumerate(_places(tree)) if index == site.index)
    return ast.unparse(ast.fix_missing_locations(_Replace(node, other).visit(tree)))


class _Replace(ast.NodeTransformer):
    def __init__(self, node: ast.expr, other: ast.expr) -> None:
        self._node, self._other = node, other

    def visit(self, node: ast.AST) -> ast.AST:
        return self._other if node is self._node else super().visit(node)


def _text(node: ast.expr) -> str:
    return ast.unparse(ast.fix_missing_locations(node))


def _places(tree: ast.Module) -> Iterator[tuple[int, str, ast.expr, ast.expr]]:
    for function, name in _functions(tree, ""):
        begins = min([function.lineno, *(one.lineno for one in function.decorator_list)])
        for statement in function.body:
            for node in _expressions(statement):
                for other in _others(node):
                    yield begins, name, node, ast.copy_location(other, node)


def _functions(node: ast.AST, within: str) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, str]]:
    for child in ast.iter_child_nodes(node):
        name = within
        if isinstance(child, FUNCTIONS | ast.ClassDef):
            name = f"{within}.{child.name}" if within else child.name
        if isinstance(child, FUNCTIONS):
            yield child, name
        yield from _functions(child, name)


def _expressions(node: ast.AST) -> Iterator[ast.expr]:
    """All of a statement but nested functions, annotations, and what is only told."""
    if isinstance(node, FUNCTIONS | ast.ClassDef | ast.JoinedStr):
        return
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TOLD:
        return
    if isinstance(node, ast.expr):
        yield node
    children: Iterator[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.AnnAssign):
        children = iter([node.value] if node.value is not None else [])
    elif isinstance(node, ast.Assert):
        children = iter([node.test])
    for child in children:
        yield from _expressions(child)


def _others(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.Compare):
        for at, operator in enumerate(node.ops):
            if kind := COMPARED.get(type(operator)):
                yield ast.Compare(node.left, [*node.ops[:at], kind(), *node.ops[at + 1 :]], node.comparators)
    elif isinstance(node, ast.BinOp) and type(node.op) in CALCULATED and not _is_text(node):
        yield ast.BinOp(node.left, CALCULATED[type(node.op)](), node.right)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield copy.copy(node.operand)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in NAMED:
        yield ast.Name(NAMED[node.id], ast.Load())


def _is_text(node: ast.BinOp) -> bool:
    """Putting texts together: the other operator would be a TypeError at once."""
    return any(
        isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str | bytes))
        for side in (node.left, node.right)
    )
