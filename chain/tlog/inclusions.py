"""Proofs that stand alone (c2sp.org/tlog-proof): an entry's place, its path, and the checkpoint it leads to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from chain.tlog.checkpoints import Checkpoint, open_checkpoint
from chain.tlog.errors import NoteMalformed, ProofMalformed
from chain.tlog.hashes import HASH_BYTES, leaf_hash
from chain.tlog.notes import NOTE_BYTES_MAX, Verifier, decode, encode
from chain.tlog.proofs import PROOF_HASHES_MAX, verify_inclusion

FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
_index = re.compile(r"index (0|[1-9][0-9]{0,18})\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Where an entry is in a log, and the proof. checkpoint: the signed note, as it was given."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: str

    def told(self) -> str:
        """The proof as C2SP writes it."""
        lines = [FIRST_LINE, f"index {self.index}", *map(encode, self.path), ""]
        return "\n".join(lines) + "\n" + self.checkpoint

    def verify(self, entry: bytes, log: Verifier) -> Checkpoint:
        """The log's checkpoint that holds these very bytes, or an error that says what is wrong."""
        checkpoint = open_checkpoint(self.checkpoint, log)
        verify_inclusion(leaf_hash(entry), self.index, checkpoint.size, self.path, checkpoint.root)
        return checkpoint

    @classmethod
    def parse(cls, text: str) -> Self:
        """The proof's parts, or ProofMalformed."""
        if len(text) > NOTE_BYTES_MAX:
            raise ProofMalformed(f"A proof has at most {NOTE_BYTES_MAX} characters.")
        head, separator, checkpoint = text.partition("\n\n")
        lines = head.split("\n")
        if not separator or lines[0] != FIRST_LINE:
            raise ProofMalformed(f"A proof begins with {FIRST_LINE} and holds a checkpoint.")
        rest = lines[1:]
        if rest and rest[0].startswith("extra "):
            rest = rest[1:]
        place = _index.match(rest[0]) if rest else None
        if place is None or len(rest) - 1 > PROOF_HASHES_MAX:
            raise ProofMalformed("A proof names the entry's index, then at most 65 hashes.")
        return cls(int(place[1]), _hashes(rest[1:]), checkpoint)


def _hashes(coded: Sequence[str]) -> tuple[bytes, ...]:
    try:
        found = tuple(map(decode, coded))
    except NoteMalformed as fault:
        raise ProofMalformed(str(fault)) from None
    if any(len(one) != HASH_BYTES for one in found):
        raise ProofMalformed(f"A hash has {HASH_BYTES} bytes.")
    return found
