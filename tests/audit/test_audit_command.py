"""The command: a whole audit, a sample, one that goes on from another, and its exit codes."""

import hashlib
import os
import zlib
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chain.audit import record
from chain.audit.errors import RecordInvalid
from chain.audit.report import Sample
from chain.tlog.checkpoints import Block, Checkpoint
from chain.tlog.notes import KeySigner, Verifier
from scripts.cli import audit

pytestmark = pytest.mark.slow


def command(ledger: Any, capsys: Any, **options: Any) -> tuple[int, dict[str, Any]]:
    """Exit code and answer of `moa audit --json`."""
    small = ledger.small
    defaults: dict[str, Any] = {
        "pin": small.pin, "checkpoint": None, "log_key": None, "database_url": str(ledger.engine.url),
        "rpc_url": small.chain.node.url, "chain_id": small.chain.node.chain_id,
        "deployments": small.chain.deployments, "sample": 0, "seed": 0, "every_block": False,
        "from_checkpoint": None, "save": None, "as_json": True,
    }  # fmt: skip
    code = audit.show(**{**defaults, **options})
    return code, orjson.loads(capsys.readouterr().out)


def signing(name: str) -> KeySigner:
    """A log's new key."""
    key = Ed25519PrivateKey.generate()
    return KeySigner(Verifier(name, key.public_key().public_bytes_raw()), key.sign)


def later(ledger: Any) -> str:
    """Awards after the pin, mirrored too; the newest block's hash."""
    world = ledger.small.world
    world.engine = ledger.engine
    world.restart()
    world.enqueue(world.award("ada", 111), world.award("gil", 222))
    world.drain()
    return str(world.rpc.call("eth_getBlockByNumber", "latest", False)["hash"])


@pytest.fixture
def onward(ledger: Any) -> Any:
    """A chain that goes on in this test and back after it."""
    snapshot = ledger.small.world.rpc.call("evm_snapshot")
    yield ledger
    ledger.small.world.restart()
    ledger.small.world.rpc.call("evm_revert", snapshot)


def test_everything_that_agrees_ends_with_0_and_counts(ledger: Any, capsys: Any) -> None:
    """SPEC 12.10, 11.12"""
    code, answer = command(ledger, capsys, every_block=True)

    assert (code, answer["agrees"], answer["found"]) == (0, True, 0)
    assert answer["counts"]["headers"] == answer["pin"]["number"] + 1


def test_one_difference_ends_with_1_and_is_shown_with_both_values(ledger: Any, capsys: Any) -> None:
    """SPEC 12.9, 12.10"""
    ledger.run("UPDATE supply SET burnt = '7' WHERE token = (SELECT min(token) FROM supply)")

    code, answer = command(ledger, capsys)
    (difference,) = answer["differences"]
    assert (code, difference["said"], difference["where"]["table"]) == (1, "7", "supply")

    assert audit.show(
        pin=ledger.small.pin, checkpoint=None, log_key=None, database_url=str(ledger.engine.url),
        rpc_url=ledger.small.chain.node.url, chain_id=ledger.small.chain.node.chain_id,
        deployments=ledger.small.chain.deployments, sample=0, seed=0, every_block=False, from_checkpoint=None,
        save=None, as_json=False,
    ) == 1  # fmt: skip
    shown = capsys.readouterr().out
    assert "1 DIFFERENCES" in shown
    assert "SELECT * FROM supply" in shown


def test_wrong_use_ends_with_2_and_what_cannot_be_finished_with_3(ledger: Any, capsys: Any, tmp_path: Path) -> None:
    """SPEC 12.10"""
    assert command(ledger, capsys, pin=None)[0] == 2
    assert command(ledger, capsys, pin="0x12")[0] == 2
    assert command(ledger, capsys, pin="latest")[0] == 2
    assert command(ledger, capsys, pin=ledger.small.deployment.genesis_hash)[0] == 2
    assert command(ledger, capsys, from_checkpoint=tmp_path / "nothing")[0] == 2
    assert command(ledger, capsys, deployments=tmp_path)[0] == 2
    assert command(ledger, capsys, sample=3, save=tmp_path / "x")[0] == 2
    assert command(ledger, capsys, pin="0x" + "11" * 32)[0] == 3
    assert command(ledger, capsys, rpc_url="http://127.0.0.1:1")[0] == 3
    assert command(ledger, capsys, database_url=f"sqlite:///{tmp_path / 'empty.db'}")[0] == 3


def test_a_sample_says_that_it_is_one_and_chooses_the_same_again(ledger: Any, capsys: Any) -> None:
    """SPEC 12.11"""
    first = command(ledger, capsys, sample=4, seed=11)
    again = command(ledger, capsys, sample=4, seed=11)

    assert first[0] == 0
    assert first[1]["sample"] == {"size": 4, "seed": 11}
    assert {**first[1], "seconds": 0} == {**again[1], "seconds": 0}


def test_a_sample_finds_lies_in_what_it_looks_at(ledger: Any) -> None:
    """SPEC 12.11"""
    ledger.run("UPDATE balance_version SET lots = 'aa...'", "UPDATE ledger_event SET tx_index = tx_index + 1")

    report = ledger.audit(sample=Sample(1_000, 5))

    assert {one.what for one in report.differences} == {"lots", "tx_index"}


def test_a_sample_sees_the_rows_of_its_accounts_too(ledger: Any) -> None:
    """SPEC 12.11"""
    ledger.run("UPDATE balance SET points = '99999999'")

    assert {one.what for one in ledger.audit(sample=Sample(1_000, 5)).differences} == {"points"}
    ledger.run("DELETE FROM balance")
    assert {one.what for one in ledger.audit(sample=Sample(1_000, 5)).differences} == {"row removed"}


def test_a_checkpoint_of_the_log_gives_the_pin(ledger: Any, capsys: Any, tmp_path: Path) -> None:
    """SPEC 12.1"""
    small, signer = ledger.small, signing("moa.example/log")
    number = ledger.one("SELECT block_number FROM mirror_checkpoint")[0]
    block = Block(small.chain.node.chain_id, number, small.pin)
    path, key = tmp_path / "checkpoint", signer.verifier.vkey
    path.write_text(Checkpoint(signer.verifier.name, 1, bytes(32), (block.told(),)).signed(signer))

    assert command(ledger, capsys, pin=None, checkpoint=path, log_key=key)[0] == 0
    assert command(ledger, capsys, pin=None, checkpoint=path)[0] == 2
    assert command(ledger, capsys, pin=None, checkpoint=path, log_key=signing("moa.example/log").verifier.vkey)[0] == 2
    path.write_text(Checkpoint(signer.verifier.name, 1, bytes(32)).signed(signer))
    assert command(ledger, capsys, pin=None, checkpoint=path, log_key=key)[0] == 2


def test_a_mirror_past_the_pin_is_compared_as_of_the_pin(onward: Any) -> None:
    """SPEC 12.5"""
    later(onward)

    report = onward.audit()

    assert report.agrees, [str(one) for one in report.differences]
    assert report.counts["rows changed after the pin"] > 0
    pinned = f"(SELECT number FROM mirror_block WHERE hash = '{onward.small.pin}')"
    number = onward.one(f"SELECT MAX(block_number) FROM balance_version WHERE block_number <= {pinned}")[0]
    onward.run(f"UPDATE balance_version SET log_index = log_index + 1 WHERE block_number = {number}")
    assert {one.where.table for one in onward.audit().differences} == {"balance_version"}


def test_an_audit_goes_on_from_a_finished_one(onward: Any, tmp_path: Path) -> None:
    """SPEC 12.12"""
    file = tmp_path / "audit"
    first = onward.audit(save=file)
    pin = later(onward)

    whole, rest = onward.audit(pin=pin), onward.audit(pin=pin, finished=file, save=tmp_path / "next")

    assert whole.agrees
    assert rest.agrees, [str(one) for one in rest.differences]
    assert rest.counts["events"] == whole.counts["events"] - first.counts["events"]
    assert rest.counts["headers"] < whole.counts["headers"]
    # What changes in place is compared again, and what came since as well.
    onward.run("UPDATE obligation SET outstanding = '9'", f"UPDATE entry SET points = '1' WHERE block_hash = '{pin}'")
    assert {one.where.table for one in onward.audit(pin=pin, finished=file).differences} == {"obligation", "entry"}
    assert (tmp_path / "next").stat().st_size > 0


def test_a_finished_audit_that_was_changed_or_is_of_another_chain_is_refused(ledger: Any, tmp_path: Path) -> None:
    """SPEC 12.12"""
    file = tmp_path / "audit"
    ledger.audit(save=file)
    good = file.read_bytes()
    for place in (5, 40, len(good) // 2, len(good) - 1):
        file.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(RecordInvalid):
            ledger.audit(finished=file)
    for cut in (b"", good[:50], good[:-3]):
        file.write_bytes(cut)
        with pytest.raises(RecordInvalid):
            ledger.audit(finished=file)


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["rows"].pop("brand_token"),
        lambda found: found["rows"]["balance"][0].update(lots="zz"),
        lambda found: found["rows"]["hold"][0].pop("points"),
        lambda found: found.update(number="12"),
        lambda found: found.update(number=-5),
        lambda found: found.update(replay="{}"),
        lambda found: found.update(roles=[[1]]),
        lambda found: found.update(rows=[]),
    ],
)
def test_a_finished_audit_that_was_doctored_and_sealed_again_trips_nobody(
    ledger: Any, tmp_path: Path, change: Any
) -> None:
    """SPEC 12.12"""
    file = tmp_path / "audit"
    ledger.audit(save=file)
    found = orjson.loads(zlib.decompress(file.read_bytes().partition(b"\n")[2]))
    change(found)
    packed = zlib.compress(orjson.dumps(found))
    file.write_bytes(record.MAGIC + hashlib.sha256(packed).hexdigest().encode() + b"\n" + packed)

    with pytest.raises(RecordInvalid):
        ledger.audit(finished=file)


def test_books_that_differ_leave_no_file_to_go_on_from(ledger: Any, tmp_path: Path) -> None:
    """SPEC 12.12"""
    ledger.run("UPDATE obligation SET outstanding = '9'")

    report = ledger.audit(save=tmp_path / "audit")

    assert not report.agrees
    assert not os.path.exists(tmp_path / "audit")
