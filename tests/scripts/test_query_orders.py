"""Every query that takes one of several rows, or only some of them, says which (SPEC 9.32): found in the sources.

What merely asks whether there is any row needs no order; those are named here, so that a new one is looked at.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TAKING = {"limit", "first"}
# Whether there is any: (file, function).
WHETHER = {
    ("api/members/service.py", "_knows"),
    ("api/members/service.py", "bootstrap"),
    ("api/points/balances.py", "_is_moving"),
    ("api/sign_in/passkeys.py", "add"),
    ("chain/outbox/transactions.py", "any_mined"),
    # A walk from one brand to the next: its rows come in the order of the walk.
    ("chain/outbox/fair_queue.py", "_brands"),
    ("chain/audit/sampling.py", "_compare_row"),
    ("scripts/bench/ledger/relaying.py", "_open"),
}


def sources() -> Iterator[Path]:
    for room in ("api", "chain", "scripts"):
        yield from sorted((ROOT / room).rglob("*.py"))


def words(node: ast.AST) -> str | None:
    """The text of a literal, of all its parts if it is put together."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(words(part) or "{}" for part in node.values)
    return None


def called_in(call: ast.Call) -> set[str]:
    """The names of all that is called in one expression, the statements given to it included."""
    calls = [one.func for one in ast.walk(call) if isinstance(one, ast.Call)]
    return {one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "") for one in calls}


def unordered(tree: ast.Module) -> Iterator[tuple[str, int, str]]:
    """(function, line, what) of every query that takes some rows without an order."""
    for top in [*tree.body, *(one for made in tree.body if isinstance(made, ast.ClassDef) for one in made.body)]:
        if isinstance(top, ast.ClassDef):
            continue
        name = getattr(top, "name", "")
        docs = {id(ast.get_docstring(top, clean=False))} if name and not isinstance(top, ast.ClassDef) else set()
        parts = {id(part) for node in ast.walk(top) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(top):
            text = words(node)
            if text is not None and id(node) not in parts and id(getattr(node, "value", None)) not in docs:
                asks = re.search(r"\bSELECT\b", text) and re.search(r"\bLIMIT\b", text)
                # Of a text with several parts each that takes some rows has an order of its own.
                if asks and not text.startswith("SELECT 1 FROM") and text.count("ORDER BY") < text.count("LIMIT"):
                    yield name, node.lineno, text
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TAKING:
                called = called_in(node)
                if called & {"select", "where"} and "order_by" not in called:
                    yield name, node.lineno, ast.unparse(node)


@pytest.mark.parametrize("room", ["api", "chain", "scripts"])
def test_whatever_takes_some_rows_says_which(room: str) -> None:
    """SPEC 9.32"""
    looked, found = 0, []
    for source in sources():
        file = str(source.relative_to(ROOT))
        if not file.startswith(room):
            continue
        looked += 1
        found += [
            f"{file}:{line} {what}"
            for name, line, what in unordered(ast.parse(source.read_text()))
            if (file, name) not in WHETHER
        ]

    assert looked > 10
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        'A = "SELECT id FROM operation WHERE state = ? LIMIT 1"',
        'A = f"SELECT {b} FROM operation LIMIT ?"',
        'A = "SELECT * FROM (SELECT a FROM b ORDER BY a LIMIT 1) UNION ALL SELECT * FROM (SELECT c FROM d LIMIT 1)"',
        "def f(c): return c.execute(select(t.c.a).where(t.c.b == 1).limit(1)).scalar()",
        "def f(c): return c.execute(select(t.c.a).where(t.c.b == 1)).first()",
        "class A:\n def f(self, c): return c.execute(select(t)).first()",
    ],
)
def test_the_check_sees_what_has_no_order(code: str) -> None:
    assert len(list(unordered(ast.parse(code)))) == 1


def test_every_exception_is_still_there() -> None:
    for file, name in WHETHER:
        made = [one for one in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(one, ast.FunctionDef)]
        assert name in {one.name for one in made}, (file, name)
