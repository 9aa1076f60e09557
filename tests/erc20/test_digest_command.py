"""`moa mirror --digest`: one hash over a mirror that does not run, for people and for programs."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from scripts.cli.app import app
from tests.erc20.conftest import TOKEN, Books, until
from tests.support.scripted_node.tokens import Traffic, address_of


def test_the_digest_is_told_alone_and_as_json_with_its_block(follower: Any, books: Books, traffic: Traffic) -> None:
    """SPEC 8.37, 11.12"""
    words = ["mirror", "--rpc", "http://127.0.0.1:9", "--db", books.url, "--token", TOKEN, "--digest"]
    traffic.mine(blocks=5, transfers=3)
    mirror = follower()
    mirror.catch_up()
    mirror.close()

    plain, told = CliRunner().invoke(app, words), CliRunner().invoke(app, [*words, "--json"])

    assert (plain.exit_code, plain.stdout) == (0, books.digest() + "\n")
    number, hash, *_ = books.checkpoint()
    assert json.loads(told.stdout) == {"sha256": books.digest(), "block_number": number, "block_hash": hash}


def test_the_digest_of_another_token_or_first_block_is_refused(follower: Any, books: Books, traffic: Traffic) -> None:
    """SPEC 8.37: before, neither was compared."""
    traffic.mine(blocks=5, transfers=3)
    mirror = follower(from_block=2)
    mirror.catch_up()
    mirror.close()
    words = ["mirror", "--db", books.url, "--digest"]
    right = ["--token", TOKEN.upper().replace("0X", "0x"), "--from-block", "2"]
    for wrong in (
        ["--token", address_of("another"), "--from-block", "2"],
        ["--token", TOKEN, "--from-block", "3"],
        ["--token", TOKEN],
    ):
        done = CliRunner().invoke(app, [*words, *wrong])
        assert (done.exit_code, "MirrorMismatch" in done.output, done.stdout) == (2, True, "")
    assert CliRunner().invoke(app, [*words, *right]).stdout == books.digest() + "\n"


@pytest.mark.slow
def test_the_digest_of_a_database_that_is_not_there_makes_none(tmp_path: Path, server: str) -> None:
    """SPEC 8.37"""
    empty = tmp_path / "empty.db"
    empty.touch()
    begun = psycopg.connect(server, autocommit=True)
    with closing(begun) as session:
        session.execute("DROP TABLE IF EXISTS erc20_transfers, erc20_balances, mirror_checkpoint, mirror_block")
        for url in (
            f"sqlite:///{tmp_path}/none.db",
            f"sqlite:///{tmp_path}/no/folder.db",
            f"sqlite:///{empty}",
            server,
        ):
            for how in (["--digest"], ["--check-balances", "all"]):
                words = ["mirror", "--rpc", "http://127.0.0.1:9", "--db", url, "--token", TOKEN, *how]
                done = CliRunner().invoke(app, words)
                assert (done.exit_code, "holds no mirror" in done.output, done.stdout) == (2, True, "")
        assert session.execute("SELECT to_regclass('mirror_checkpoint')").fetchone() == (None,)
    assert [path.name for path in tmp_path.iterdir()] == ["empty.db"]
    assert empty.read_bytes() == b""


def test_the_digest_of_a_mirror_that_runs_is_of_one_block(running: Any, books: Books, traffic: Traffic) -> None:
    """SPEC 8.37"""
    traffic.mine(blocks=5, transfers=3)
    one = running()
    until(books.at_head)
    done = CliRunner().invoke(app, ["mirror", "--db", books.url, "--token", TOKEN, "--digest"])
    one.end()
    assert (done.exit_code, done.stdout) == (0, books.digest() + "\n")


def test_everything_can_come_from_the_environment(follower: Any, books: Books, traffic: Traffic) -> None:
    """SPEC 8.40, 11.12: a password on the command line is seen by everyone on the machine."""
    traffic.mine(blocks=5, transfers=3)
    mirror = follower(from_block=3)
    mirror.catch_up()
    mirror.close()
    given = {"MOA_MIRROR_DATABASE_URL": books.url, "MOA_MIRROR_TOKEN": TOKEN, "MOA_MIRROR_FROM_BLOCK": "3"}
    done = CliRunner().invoke(app, ["mirror", "--digest"], env=given)
    assert (done.exit_code, done.stdout) == (0, books.digest() + "\n")

    refused = CliRunner().invoke(app, ["mirror", "--check-balances", "all"], env=given)
    assert (refused.exit_code, "MOA_RPC_URL" in refused.output) == (2, True)
    node = {"MOA_RPC_URL": books.node.url}
    found = CliRunner().invoke(app, ["mirror", "--check-balances", "all", "--json"], env={**given, **node})
    # The mirror began after the token did.
    assert (found.exit_code, json.loads(found.stdout)["agrees"]) == (1, False)


def test_json_of_what_is_followed_is_refused() -> None:
    """SPEC 11.12"""
    words = ["mirror", "--rpc", "http://127.0.0.1:9", "--db", "sqlite:///none.db", "--token", TOKEN, "--json"]
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, "goes with --digest" in done.output) == (2, True)
