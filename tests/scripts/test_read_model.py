"""The mirror's tables are read in one place (SPEC 8.43): found in the sources.

Whoever names a table of the mirror outside of it, or takes a column of a row by its number, is found here. Each
exception says why it is one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chain.mirror.models import MIRROR_TABLES, MirrorReorg
from tests.scripts.test_query_orders import sources, words

ROOT = Path(__file__).resolve().parent.parent.parent
TABLES = [*(str(model.__tablename__) for model in MIRROR_TABLES), str(MirrorReorg.__tablename__)]
NAMED = re.compile(rf'\b(?:FROM|JOIN|INTO|UPDATE|TABLE)\s+"?(?:{"|".join(TABLES)})\b')
MODELS = "chain.mirror.models"
ROW_NAMES = re.compile(r"(?:row|found)\Z")
COLUMN_MAX = 3
LEVELS = {"safe_number", "final_number"}

MIRRORS_OWN = "chain/mirror/"
SANCTIONED = {
    "chain/tables.py": "makes all tables known to Alembic and to tests",
    "api/migrations/": "makes and changes the tables",
    "chain/erc20/": "a mirror of its own, with tables of its own of the same names",
    "scripts/bench/mirror/backfill.py": "looks at the tables of chain/erc20",
    "scripts/bench/mirror/filling.py": "writes millions of rows that no chain has, to measure reading",
    "chain/audit/streams.py": "compares every row as it is, rubbish included, and shows SQL to look at it",
    "chain/audit/rows.py": "compares every row as it is, rubbish included",
    "chain/audit/sampling.py": "compares some rows as they are, rubbish included",
    "chain/evidence/witness_store.py": "the fields of a block's header, which have numbers and no names",
    "chain/audit/run.py": "shows SQL to look at a difference, and never runs it",
}


def offences(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, what) of whatever names a table of the mirror, or a column by its number."""
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        text = words(node)
        if text is not None and id(node) not in parts and NAMED.search(text):
            yield node.lineno, text  # type: ignore[attr-defined]
        elif isinstance(node, ast.ImportFrom) and node.module == "chain.mirror":
            yield from ((node.lineno, MODELS) for name in node.names if name.name == "models")
        elif (isinstance(node, ast.ImportFrom) and node.module == MODELS) or (
            isinstance(node, ast.Import) and any(name.name == MODELS for name in node.names)
        ):
            yield node.lineno, MODELS
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Followed":
            yield from ((node.lineno, str(words(one))) for one in node.args[:1] if words(one) in TABLES)
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and ROW_NAMES.search(node.value.id):
            index = node.slice
            if isinstance(index, ast.Constant) and isinstance(index.value, int) and index.value > COLUMN_MAX:
                yield node.lineno, ast.unparse(node)


@pytest.mark.parametrize("room", ["api", "chain", "scripts"])
def test_tables_of_the_mirror_are_named_by_the_mirror_alone(room: str) -> None:
    """SPEC 8.43"""
    looked, found = 0, []
    for source in sources():
        file = str(source.relative_to(ROOT))
        if file.startswith((MIRRORS_OWN, *SANCTIONED)) or not file.startswith(room):
            continue
        looked += 1
        found += [f"{file}:{line} {what}" for line, what in offences(ast.parse(source.read_text()))]

    assert looked > 10
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        'A = "SELECT seq FROM entry WHERE seq > ?"',
        'A = f"SELECT {columns} FROM entry WHERE seq > ?"',
        'A = "SELECT 1 FROM operation o JOIN mirror_checkpoint m ON m.id = 1"',
        'A = "UPDATE balance SET points = 1"',
        "from chain.mirror.models import Balance",
        "from chain.mirror import models",
        "import chain.mirror.models",
        'A = Followed("entry", "seq, account")',
        "def f(row): return row[4]",
        "def f(found): return int(found[13])",
    ],
)
def test_the_check_sees_each_way_around(code: str) -> None:
    assert len(list(offences(ast.parse(code)))) == 1


@pytest.mark.parametrize(
    "code",
    [
        '"""What is FROM the entry."""',
        'A = "SELECT id FROM operation WHERE id > ? ORDER BY id LIMIT ?"',
        'A = "SELECT 1 FROM holdings"',
        "def f(row): return row[0], data[32], row[1:]",
    ],
)
def test_the_check_leaves_others_alone(code: str) -> None:
    assert list(offences(ast.parse(code))) == []


def test_every_exception_is_still_needed() -> None:
    for place in SANCTIONED:
        files = sorted((ROOT / place).rglob("*.py")) if place.endswith("/") else [ROOT / place]
        assert any(list(offences(ast.parse(file.read_text()))) for file in files), place


def test_how_sure_a_block_is_is_decided_in_one_place() -> None:
    """SPEC 8.43: nobody else compares with the numbers of the safe and the final block."""
    found = []
    for source in sources():
        file = str(source.relative_to(ROOT))
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Compare) and {getattr(one, "attr", "") for one in ast.walk(node)} & LEVELS:
                found.append(file)

    assert sorted(set(found)) == ["chain/mirror/queries/checkpoint.py"]
