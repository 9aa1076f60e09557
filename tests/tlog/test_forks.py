"""What a log cannot take back: forks are proved by its own signatures, and a witness refuses them."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from chain.tlog.checkpoints import Block, Checkpoint
from chain.tlog.errors import LogForked, NotAFork, NoteMalformed, SignatureMissing
from chain.tlog.forks import Fork, contradiction
from chain.tlog.hashes import EMPTY_ROOT, leaf_hash
from chain.tlog.tree import consistency, naive_root
from chain.tlog.witness import NOTHING, Seen, grown, path_of
from tests.tlog.test_notes import BLOCK, LOG, ORIGIN, OTHER
from tests.tlog.test_tree import nodes_of, rfc_consistency

TRUE = [leaf_hash(bytes([number])) for number in range(20)]


def of(hashes: list[bytes], size: int, *extensions: str) -> Checkpoint:
    return Checkpoint(ORIGIN, size, naive_root(hashes[:size]), extensions)


def fork(older: Checkpoint, newer: Checkpoint, path: tuple[bytes, ...] = ()) -> Fork:
    return Fork(LOG.verifier.vkey, older.signed(LOG), newer.signed(LOG), path)


def seen(checkpoint: Checkpoint) -> Seen:
    return Seen(checkpoint.size, checkpoint.root, checkpoint.signed(LOG))


LIES = {
    "rewritten": [*TRUE[:3], leaf_hash(b"other"), *TRUE[4:]],
    "swapped": [*TRUE[:2], TRUE[3], TRUE[2], *TRUE[4:]],
    "removed": [*TRUE[:3], *TRUE[4:]],
    "added": [*TRUE[:3], leaf_hash(b"more"), *TRUE[3:]],
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("old", range(4, 12))
def test_fork_is_proved_by_two_signatures(lie: str, old: int) -> None:
    """SPEC 14.13: whatever the log's own path is, it shows what the newer tree began with."""
    older, newer = of(TRUE, old), of(LIES[lie], 17)
    path = path_of(old, naive_root(LIES[lie][:old]), consistency(nodes_of(LIES[lie]), old, 17))

    proof = Fork.from_json(fork(older, newer, path).to_json())

    assert "not those it had signed before" in proof.check(LOG.verifier)
    assert proof.check() == proof.check(LOG.verifier)
    with pytest.raises(LogForked):
        grown(seen(older), older, newer, consistency(nodes_of(LIES[lie]), old, 17))


@pytest.mark.parametrize("old", range(1, 17))
def test_honest_growth_is_no_fork(old: int) -> None:
    """SPEC 14.13"""
    older, newer = of(TRUE, old), of(TRUE, 17)
    proof = tuple(consistency(nodes_of(TRUE), old, 17))
    junk = tuple(leaf_hash(b"junk") for _ in proof)

    grown(seen(older), older, newer, proof)
    for path in ((), path_of(old, older.root, proof), junk, path_of(old, leaf_hash(b"junk"), proof)):
        with pytest.raises(NotAFork):
            fork(older, newer, path).check(LOG.verifier)


def test_two_trees_of_one_size_and_two_hashes_of_one_block_are_forks() -> None:
    """SPEC 14.13"""
    other_block = replace(BLOCK, hash="0x" + "cd" * 32)
    of_another_chain = Block(1, BLOCK.number, other_block.hash)

    assert "two different trees of 5" in fork(of(TRUE, 5), of(LIES["swapped"], 5)).check()
    assert "block 4711" in fork(of(TRUE, 5, BLOCK.told()), of(TRUE, 7, other_block.told())).check()
    assert contradiction(of(TRUE, 5, BLOCK.told()), of(TRUE, 7, of_another_chain.told())) is None
    assert contradiction(of(TRUE, 5, BLOCK.told()), of(TRUE, 5)) is None


def test_fork_needs_both_signatures_of_that_log() -> None:
    """SPEC 14.13"""
    proof = fork(of(TRUE, 5), of(LIES["swapped"], 5))
    forged = replace(proof, newer=replace(of(LIES["swapped"], 5), origin=OTHER.verifier.name).signed(OTHER))

    with pytest.raises(SignatureMissing):
        forged.check(LOG.verifier)
    with pytest.raises(SignatureMissing):
        replace(proof, log_key=OTHER.verifier.vkey).check()


@pytest.mark.parametrize(
    "change",
    [
        {"format": "moa-fork/2"},
        {"proof": "none"},
        {"proof": [1]},
        {"proof": ["AAA"]},
        {"proof": [""] * 66},
        {"older": 1},
        {"more": 1},
    ],
)
def test_malformed_fork_is_refused(change: dict[str, object]) -> None:
    """SPEC 14.13"""
    told = orjson.loads(fork(of(TRUE, 5), of(TRUE, 6)).to_json()) | change

    for raw in (orjson.dumps(told), b"{", b"[]"):
        with pytest.raises(NoteMalformed):
            Fork.from_json(raw)


def test_witness_follows_a_log_from_nothing() -> None:
    """SPEC 14.12"""
    first, second = of(TRUE, 5), of(TRUE, 12)

    grown(NOTHING, None, Checkpoint(ORIGIN, 0, EMPTY_ROOT), [])
    grown(NOTHING, None, first, [])
    grown(seen(first), first, first, [])
    grown(seen(first), first, second, rfc_consistency(5, TRUE[:12]))
    for size, proof in ((4, []), (12, []), (12, rfc_consistency(5, TRUE[:12])[:-1])):
        with pytest.raises(LogForked):
            grown(seen(first), first, of(TRUE, size), proof)
