"""The log of acts for readers: checkpoints, entries, proofs, tiles; cosignatures taken in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy import text
from sqlmodel import Session

from api import audit_log
from api.audit_log import reading
from api.audit_log.keys import log_signers, witness_verifiers
from api.auditors.errors import CheckpointUnknown, CosignatureInvalid, LogRangeWrong, LogUnavailable, TileUnknown
from api.auditors.log_schemas import (
    ConsistencyProof,
    CosignatureTaken,
    InclusionProof,
    LogEntryPage,
    LogEntryPublic,
    LogFacts,
    StatementGiven,
    StatementTaken,
)
from api.kit.clock import now_ms, rfc3339
from api.kit.container import State
from api.kit.database import Snapshot
from api.members import service as identity
from chain.tlog.checkpoints import Checkpoint
from chain.tlog.cosignatures import cosignature
from chain.tlog.errors import NoteMalformed, SignatureInvalid
from chain.tlog.hashes import HASH_BYTES
from chain.tlog.notes import Note, encode
from chain.tlog.places import Place
from chain.tlog.tiles import TILE_HEIGHT, TILE_WIDTH
from chain.tlog.tree import consistency, inclusion, root

T = TypeVar("T")
# A witness's line is taken for these many of the newest checkpoints: it looked a moment ago.
COSIGNED_BACK_MAX: Final = 1_000
# Before each entry of a bundle: an entry has at most 4,096 bytes (api.audit_log.leaves).
LENGTH_BYTES: Final = 2

_SIGNED_TEXT = text(
    "SELECT id, size, note FROM log_checkpoint WHERE size = :size AND id > (SELECT MAX(id) FROM log_checkpoint) - :back"
    " ORDER BY id"
)
_KEEP_LINE = text(
    "INSERT INTO log_cosignature (checkpoint_id, witness, line, time_s) VALUES (:id, :witness, :line, :time_s)"
    " ON CONFLICT (checkpoint_id, witness) DO NOTHING"
)


async def read_log(state: State, look: Callable[[Snapshot, reading.Signed], T], *, witnessed: bool = False) -> T:
    """What `look` finds in one snapshot, told the newest checkpoint; LogUnavailable before the first."""

    def compose(read: Snapshot) -> T:
        found = reading.newest_witnessed(read) if witnessed else reading.newest(read)
        if found is None:
            raise LogUnavailable("The log of acts has signed nothing yet; try again in a moment.")
        return look(read, found)

    return await state.database.reads.off_loop(compose)


def facts(state: State, signed: reading.Signed) -> LogFacts:
    signers = log_signers(state.keystore, origin=state.log_origin, number=state.settings.log_key)
    return LogFacts(
        origin=state.log_origin,
        keys=[one.verifier.vkey for one in signers],
        witnesses=list(state.settings.log_witnesses),
        size=signed.size,
        root=signed.root,
        signed_at=rfc3339(signed.at_ms),
    )


def entries(read: Snapshot, signed: reading.Signed, *, start: int, limit: int) -> LogEntryPage:
    """Signed entries only: what has no proof yet is not shown."""
    found = reading.entries(read, start=start, end=min(start + limit, signed.size))
    after = start + limit
    return LogEntryPage(
        entries=[LogEntryPublic(index=seq, leaf=leaf) for seq, leaf in found],
        next_start=after if after < signed.size else None,
        size=signed.size,
    )


def prove_inclusion(read: Snapshot, signed: reading.Signed, *, index: int, size: int | None) -> InclusionProof:
    """That the entry is in the tree of `size`; without a size, in the newest signed tree."""
    wanted = signed.size if size is None else size
    if not index < wanted <= signed.size:
        raise LogRangeWrong(f"The log has {signed.size} signed entries.", size=signed.size)
    tree = reading.tiles(read, wanted, index)
    return InclusionProof(
        index=index,
        size=wanted,
        leaf_hash=encode(tree.node(0, index)),
        proof=[encode(one) for one in inclusion(tree.node, index, wanted)],
        root=encode(root(tree.node, wanted)),
        checkpoint=signed.note if wanted == signed.size else None,
    )


def prove_consistency(read: Snapshot, signed: reading.Signed, *, old: int, size: int | None) -> ConsistencyProof:
    """That the tree of `size` began with that of `old`; without a size, the newest signed tree."""
    wanted = signed.size if size is None else size
    if not old <= wanted <= signed.size:
        raise LogRangeWrong(f"The log has {signed.size} signed entries.", size=signed.size)
    tree = reading.tiles(read, wanted, max(0, old - 1))
    return ConsistencyProof(
        old=old,
        size=wanted,
        proof=[encode(one) for one in consistency(tree.node, old, wanted)],
        old_root=encode(root(tree.node, old)),
        root=encode(root(tree.node, wanted)),
    )


def tile(read: Snapshot, signed: reading.Signed, *, level: int, place: Place) -> bytes:
    """The first hashes of a tile, inside the newest signed tree."""
    _there(signed, level, place)
    found = reading.tile_of(read)(level, place.number) or b""
    return found[: place.width * HASH_BYTES]


def bundle(read: Snapshot, signed: reading.Signed, *, place: Place) -> bytes:
    """The first entries of a bundle, each behind its length in two bytes, inside the newest signed tree."""
    _there(signed, 0, place)
    start = place.number * TILE_WIDTH
    leaves = [leaf.encode() for _, leaf in reading.entries(read, start=start, end=start + place.width)]
    if len(leaves) != place.width:
        raise LogUnavailable("Entries of the signed tree are missing.")
    return b"".join(len(leaf).to_bytes(LENGTH_BYTES) + leaf for leaf in leaves)


def _there(signed: reading.Signed, level: int, place: Place) -> None:
    """Raises TileUnknown unless the newest signed tree has so many hashes there."""
    there = (signed.size >> (TILE_HEIGHT * level)) - place.number * TILE_WIDTH
    if not 0 < place.width <= min(TILE_WIDTH, there):
        raise TileUnknown("The signed tree has no such tile.", size=signed.size)


def take_cosignatures(session: Session, *, state: State, note: str) -> CosignatureTaken:
    """Keeps the lines of known witnesses that are on a checkpoint of this log; again changes nothing."""
    try:
        given = Note.parse(note)
        size = Checkpoint.parse(given.text).size
    except NoteMalformed:
        raise CosignatureInvalid("This is not a checkpoint with signatures.") from None
    connection = session.connection()
    known = [
        row
        for row in connection.execute(_SIGNED_TEXT, {"size": size, "back": COSIGNED_BACK_MAX})
        if Note.parse(row.note).text == given.text
    ]
    if not known:
        raise CheckpointUnknown("This log signed no such checkpoint lately.")
    taken: list[str] = []
    for witness in witness_verifiers(state.settings.log_witnesses):
        try:
            found = cosignature(given, witness)
        except SignatureInvalid as fault:
            raise CosignatureInvalid(str(fault)) from None
        if found is None:
            continue
        line = next(one for one in given.lines if one.is_of(witness))
        values = {"id": known[-1].id, "witness": witness.name, "line": line.told(), "time_s": found.time_s}
        connection.execute(_KEEP_LINE, values)
        taken.append(witness.name)
    if not taken:
        raise CosignatureInvalid("No line of a witness that this gateway knows is on the note.")
    return CosignatureTaken(witnesses=taken, size=known[-1].size)


def state_act(session: Session, *, actor: str, wanted: StatementGiven) -> StatementTaken:
    """Records what the operator did by hand."""
    identity.brand(session, slug=wanted.brand)
    audit_log.record(
        session.connection(),
        wanted.act,
        actor=actor,
        subject=f"brand/{wanted.brand}",
        brand=wanted.brand,
        tx_hash=wanted.tx_hash,
        document=wanted.document,
    )
    return StatementTaken(act=wanted.act, stated_at=rfc3339(now_ms()))
