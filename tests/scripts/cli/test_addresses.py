"""Addresses on the command line: the gateway's own rule, and a sentence for what breaks it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from api import migrate
from chain.base.addresses import checksum, parse_address
from chain.base.errors import AddressMalformed
from scripts.cli.app import app

GOOD = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
BAD = [GOOD[:-1] + "D", GOOD[:-1], GOOD + "0", "0x" + "g" * 40, "5" * 42, "", "0x" + "１" * 40]


def test_an_address_is_told_with_its_checksum_and_kept_in_lower_case() -> None:
    """SPEC 9.43: the examples of EIP-55."""
    for text in (
        GOOD,
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
    ):
        assert parse_address(text) == text.lower()
        assert checksum(text.lower()) == text
    for bad in (*BAD, None, 7, b"0x"):
        with pytest.raises(AddressMalformed):
            parse_address(bad)


@pytest.mark.parametrize("bad", [one for one in BAD if one])
@pytest.mark.parametrize("command", [["as-of", "balance", "--account"], ["as-of", "holds", "--account"]])
def test_a_command_refuses_what_is_no_address(tmp_path: Path, command: list[str], bad: str) -> None:
    """SPEC 9.43"""
    url = f"sqlite:///{tmp_path}/moa.db"
    migrate.run(url)

    ended = CliRunner().invoke(app, [*command, bad], env={"MOA_DATABASE_URL": url})

    assert ended.exit_code == 2, ended.output
    assert "AddressMalformed" in ended.stderr
    assert "EIP-55" in ended.stderr.replace("\n", " ")
