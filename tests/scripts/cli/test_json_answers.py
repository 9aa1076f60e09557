"""What commands print for machines is JSON, whatever they did before."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import orjson
import pytest

from api import migrate
from chain.mirror.digest import digest
from chain.storage.database import engine, snapshot
from scripts.cli import rebuild


@pytest.fixture
def database(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/moa.db"
    migrate.run(url)
    return url


def test_a_digest_is_told_as_json(database: str, capsys: Any) -> None:
    """SPEC 8.2, 11.12: it failed with TypeError when all was done."""
    assert rebuild.show_digest(database_url=database, as_json=True) == 1

    told = orjson.loads(capsys.readouterr().out)
    assert len(told["sha256"]) == 64
    assert told["tables"]["balance"]["rows"] == 0


def test_a_rebuild_tells_the_same(database: str, capsys: Any) -> None:
    """SPEC 8.2, 11.12"""
    tables = engine(database)
    with snapshot(tables) as connection:
        rebuild._tell(digest(connection), as_json=True)
    tables.dispose()

    assert orjson.loads(capsys.readouterr().out)["block_number"] is None


def test_a_new_database_is_for_its_owner_alone(database: str, tmp_path: Path) -> None:
    """SPEC 9.48"""
    tables = engine(database)
    with snapshot(tables) as connection:
        connection.exec_driver_sql("SELECT 1")
        for file in tmp_path.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) & 0o007 == 0, file.name
        assert stat.S_IMODE((tmp_path / "moa.db").stat().st_mode) == 0o600
    tables.dispose()


def test_what_an_older_gateway_left_open_is_closed(database: str, tmp_path: Path) -> None:
    """SPEC 9.48: a group that was given the file keeps it."""
    (tmp_path / "moa.db").chmod(0o664)

    migrate.run(database)

    assert stat.S_IMODE((tmp_path / "moa.db").stat().st_mode) == 0o660
