"""`moa mirror --digest`: one hash over a mirror that does not run, for people and for programs."""

from __future__ import annotations

import json
from typing import Any

from typer.testing import CliRunner

from scripts.cli.app import app
from tests.erc20.conftest import TOKEN, Books
from tests.support.scripted_node.tokens import Traffic


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


def test_json_of_what_is_followed_is_refused() -> None:
    """SPEC 11.12"""
    words = ["mirror", "--rpc", "http://127.0.0.1:9", "--db", "sqlite:///none.db", "--token", TOKEN, "--json"]
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, "goes with --digest" in done.output) == (2, True)
