"""Is this log whole, and is it the one that was seen before? Answers with a sentence, a fork with its proof."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from chain.tlog.checkpoints import Checkpoint, open_checkpoint
from chain.tlog.errors import ProofInvalid, TlogError
from chain.tlog.forks import Fork, contradiction
from chain.tlog.hashes import leaf_hash
from chain.tlog.notes import Verifier
from chain.tlog.proofs import verify_consistency, verify_inclusion
from chain.tlog.tiles import Tiles, append
from chain.tlog.tree import root
from chain.tlog.witness import path_of
from scripts.cli.log.sources import Source

ENTRIES_AT_ONCE: Final = 4_096


@dataclass
class Checked:
    """What was found. faults: sentences; empty when all holds. fork: the proof, where two signatures are one."""

    checkpoint: Checkpoint
    note: str
    entries: int = 0
    older: Checkpoint | None = None
    faults: list[str] = field(default_factory=list)
    fork: Fork | None = None


def check(source: Source, log: Verifier, *, older_note: str | None = None, full: bool = False) -> Checked:
    """Checks the newest checkpoint's signature, that it grew from `older_note`, and with `full` every entry's bytes."""
    note = source.checkpoint()
    checked = Checked(open_checkpoint(note, log), note)
    if older_note is not None:
        checked.older = open_checkpoint(older_note, log)
        _check_growth(source, log, checked, older_note)
    if full:
        _check_entries(source, checked)
    return checked


def grew(source: Source, log: Verifier, *, older_note: str, newer_note: str) -> Fork | str | None:
    """None when the newer checkpoint is the older one grown; else the fork as a proof, or as a sentence only."""
    older, newer = open_checkpoint(older_note, log), open_checkpoint(newer_note, log)
    plain = Fork(log.vkey, older_note, newer_note)
    if contradiction(older, newer) is not None:
        return plain
    if newer.size < older.size:
        return f"the log showed {older.size} entries before and shows {newer.size} now: it was cut."
    claimed, proof = source.consistency(older.size, newer.size)
    try:
        verify_consistency(older.size, newer.size, proof, older.root, newer.root)
    except ProofInvalid as fault:
        path = path_of(older.size, claimed, proof)
        if contradiction(older, newer, path) is not None:
            return Fork(log.vkey, older_note, newer_note, path)
        return str(fault)
    return None


def _check_growth(source: Source, log: Verifier, checked: Checked, older_note: str) -> None:
    try:
        found = grew(source, log, older_note=older_note, newer_note=checked.note)
    except TlogError as fault:
        found = str(fault)
    if isinstance(found, Fork):
        checked.fork = found
        checked.faults.append(found.check(log))
    elif found is not None:
        checked.faults.append(found)


def _check_entries(source: Source, checked: Checked) -> None:
    """Every entry's bytes, hashed again, give the signed root; the first that does not fit is named."""
    held: dict[tuple[int, int], bytes] = {}
    at, size = 0, checked.checkpoint.size
    while at < size:
        leaves = source.entries(at, min(size, at + ENTRIES_AT_ONCE))
        if not leaves:
            checked.faults.append(f"Entry {at} is missing: {size} entries were signed.")
            return
        hashes = [leaf_hash(leaf.encode()) for leaf in leaves]
        held.update(append(lambda level, number: held.get((level, number)), at, hashes))
        at += len(leaves)
    checked.entries = at
    if root(Tiles(lambda level, number: held.get((level, number)), size).node, size) == checked.checkpoint.root:
        return
    wrong = _first_wrong(source, checked.checkpoint)
    where = "the entries" if wrong is None else f"entry {wrong}"
    checked.faults.append(f"The bytes of {where} are not what was signed.")


def _first_wrong(source: Source, checkpoint: Checkpoint) -> int | None:
    """The first entry whose bytes its own proof does not lead to the signed root."""
    at = 0
    while at < checkpoint.size:
        for leaf in source.entries(at, min(checkpoint.size, at + ENTRIES_AT_ONCE)):
            try:
                _, proof = source.inclusion(at, checkpoint.size)
                verify_inclusion(leaf_hash(leaf.encode()), at, checkpoint.size, proof, checkpoint.root)
            except (ProofInvalid, TlogError):
                return at
            at += 1
    return None
