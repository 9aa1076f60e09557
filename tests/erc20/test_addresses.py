"""An address of a database or a node may hold a password or a key: nothing of it is ever shown, however malformed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from chain.base.errors import ChainError, DatabaseAway, DatabaseUnusable
from chain.erc20.follower import FollowerSettings, open_store
from chain.node import transport
from scripts.cli.app import app
from tests.erc20.conftest import TOKEN

# Both halves of a password, whatever stands between them.
HALVES = ("qxq", "zkz")
MALFORMED = [
    "postgresql://u:qxq%zzzkz@127.0.0.1/db",
    "postgresql://u:qxq%zkz@127.0.0.1/db",
    "postgresql://u:qxq@zkz@127.0.0.1/db",
    "postgresql://u:qxq/zkz@127.0.0.1/db",
    "postgresql://u:7/qxqzkz@127.0.0.1/db",
    "postgresql://u:qxq zkz@127.0.0.1/db",
    "postgresql://u:qxq\tzkz@127.0.0.1/db",
    "postgresql://u:qxqzkz@127.0.0.1:port/db",
    "postgresql://u:qxqzkz@127.0.0.1:999999/db",
    "postgresql://u:qxqzkz@[::1/db",
    "postgresql://u:qxqzkz@127.0.0.1/db?pasword=x",
    "postgresql://127.0.0.1/db?password=qxq%zkz",
    "postgresql://127.0.0.1/db?password=qxqzkz&password",
    "postgresql:/u:qxqzkz@127.0.0.1/db",
    "mysql://u:qxqzkz@127.0.0.1/db",
    "u:qxqzkz@127.0.0.1/db",
    "qxqzkz",
]
NODES = [
    "http://u:qxq/zkz@127.0.0.1:8545",
    "http://127.0.0.1:qxqzkz/",
    "http://u:qxqzkz@127.0.0.1:99999/",
    "http://u:qxqzkz@a..b:8545",
    "ws://127.0.0.1/qxqzkzé",
    "http://[qxqzkz/",
    "ftp://u:qxqzkz@127.0.0.1/",
]


def mirror(*words: str) -> Any:
    return CliRunner().invoke(app, ["mirror", "--token", TOKEN, *words])


@pytest.mark.parametrize("how", [[], ["--digest"], ["--check-balances", "all"]], ids=["follow", "digest", "check"])
@pytest.mark.parametrize("url", MALFORMED)
def test_a_malformed_address_of_a_database_ends_at_once_without_its_password(url: str, how: list[str]) -> None:
    """SPEC 8.40: before, it was tried every half second for ever, and the password was told each time."""
    done = mirror("--rpc", "http://127.0.0.1:9", "--db", url, *how)
    assert done.exit_code == 2
    assert done.output.startswith("ArgumentInvalid: --db ")
    assert not any(half in done.output for half in HALVES)


@pytest.mark.parametrize("url", NODES)
def test_a_malformed_address_of_a_node_ends_at_once_without_its_key(tmp_path: Path, url: str) -> None:
    """SPEC 8.30, 8.40"""
    done = mirror("--rpc", url, "--db", f"sqlite:///{tmp_path}/x.db")
    assert (done.exit_code, "ArgumentInvalid: --rpc" in done.output) == (2, True)
    assert not any(half in done.output for half in HALVES)
    with pytest.raises(ChainError) as caught:
        transport.split(url)
    assert not any(half in str(caught.value) for half in HALVES)


@pytest.mark.parametrize("url", ["postgresql://u:qxq%40zkz@127.0.0.1:9/db", "postgres://u:qxq%40zkz@127.0.0.1:9/db"])
def test_a_password_is_in_no_error_of_a_connection(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 8.40: whatever the library says."""
    with pytest.raises(DatabaseAway) as caught:
        open_store(url).open()
    assert not any(half in str(caught.value) for half in HALVES)

    def refuse(*_: Any, **__: Any) -> None:
        raise psycopg.OperationalError('password authentication failed for "qxq@zkz", "qxq%40zkz" given')

    monkeypatch.setattr(psycopg, "connect", refuse)
    with pytest.raises(DatabaseUnusable) as caught_too:
        open_store(url).open()
    assert not any(half in str(caught_too.value) for half in HALVES)
    assert caught_too.value.__cause__ is None
    assert caught_too.value.__suppress_context__


def test_settings_that_are_printed_hold_no_address() -> None:
    """SPEC 8.40"""
    settings = FollowerSettings("http://u:qxq@h/zkz", "postgresql://u:qxqzkz@h/db", TOKEN, 0)
    assert not any(half in repr(settings) for half in HALVES)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql:///db",
        "postgresql://h/db",
        "postgresql://u@h:5432/db",
        "postgresql://u:p%40ss%2F%25%20w@db-1.example.com:5432/db?sslmode=require",
        "postgresql://u:p@[::1]:5432/db",
        "postgresql://u:p@%2Fvar%2Frun/db",
        "postgresql://u@/db?host=/tmp/a.b-c_d",
        "postgresql://u:p@h1:1,h2:2/db",
        "postgres://u:p#x?y@h/db",
        "postgresql+psycopg://u:p@h/db",
    ],
)
def test_what_can_be_read_is_taken(url: str) -> None:
    """SPEC 8.40: nothing is opened yet."""
    open_store(url).close()
