"""Cosignatures of C2SP (c2sp.org/tlog-cosignature, Ed25519): a witness saw this tree, consistent, at this time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chain.tlog.checkpoints import Checkpoint
from chain.tlog.errors import NoteMalformed, SignatureInvalid
from chain.tlog.notes import SIGNATURE_BYTES, Line, Note, NoteSigner, Verifier

COSIGNATURE: Final = 0x04
TIME_BYTES: Final = 8
TIME_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Cosignature:
    """Who saw the checkpoint, and when. time_s: unix seconds."""

    name: str
    time_s: int


def message(text: str, time_s: int) -> bytes:
    """What a witness signs: the whole text of the checkpoint below a line that says when."""
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def cosign(note: Note, signer: NoteSigner, *, time_s: int) -> Line:
    """The witness's line for this note. The signer's verifier is of the kind COSIGNATURE."""
    assert signer.verifier.kind == COSIGNATURE, "a witness's key is told apart from a log's by its id"
    assert 0 < time_s <= TIME_MAX, "a time is unix seconds"
    Checkpoint.parse(note.text)
    signed = signer.sign(message(note.text, time_s))
    return Line(signer.verifier.name, signer.verifier.key_id, time_s.to_bytes(TIME_BYTES) + signed)


def cosignature(note: Note, witness: Verifier) -> Cosignature | None:
    """What this witness says of the note; None when it says nothing, SignatureInvalid when the line is not its own."""
    if witness.kind != COSIGNATURE:
        raise NoteMalformed("A witness's key is of the kind 4.")
    found: Cosignature | None = None
    for line in note.lines:
        if not line.is_of(witness):
            continue
        time_s = int.from_bytes(line.signature[:TIME_BYTES])
        signed = line.signature[TIME_BYTES:]
        if len(signed) != SIGNATURE_BYTES or time_s > TIME_MAX:
            raise SignatureInvalid(witness.name)
        if not witness.verify(message(note.text, time_s), signed):
            raise SignatureInvalid(witness.name)
        if found is None or time_s > found.time_s:
            found = Cosignature(witness.name, time_s)
    return found
