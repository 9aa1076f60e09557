"""The request of C2SP's tlog-witness (c2sp.org/tlog-witness): an old size, a consistency proof, a checkpoint.

old 20852014
<base64 hash>              up to 63 of them

<a checkpoint as a note>
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from chain.tlog.checkpoints import Checkpoint
from chain.tlog.errors import SubmissionMalformed, TlogError
from chain.tlog.hashes import HASH_BYTES
from chain.tlog.notes import Note, decode, encode
from chain.tlog.tree import SIZE_MAX

PROOF_LINES_MAX: Final = 63
SUBMISSION_BYTES_MAX: Final = 65_536
SIZE_MEDIA_TYPE: Final = "text/x.tlog.size"
_old = re.compile(r"old (0|[1-9][0-9]{0,18})\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Submission:
    """What a log asks a witness to sign; nothing of it is verified yet. old: the size that the proof begins with."""

    old: int
    proof: tuple[bytes, ...]
    note: str
    checkpoint: Checkpoint

    def told(self) -> str:
        """The request's body."""
        return told(self.old, self.proof, self.note)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """The submission that a request's body is, or SubmissionMalformed."""
        if len(body) > SUBMISSION_BYTES_MAX:
            raise SubmissionMalformed(f"A submission has at most {SUBMISSION_BYTES_MAX} bytes.")
        try:
            head, empty, note = body.decode().partition("\n\n")
            first, *lines = head.split("\n")
            old = _old.match(first)
            if old is None or int(old[1]) > SIZE_MAX or not empty:
                raise SubmissionMalformed("A submission begins with a line of the old size and ends with a note.")
            if len(lines) > PROOF_LINES_MAX:
                raise SubmissionMalformed(f"A proof has at most {PROOF_LINES_MAX} lines.")
            proof = tuple(map(decode, lines))
            if any(len(one) != HASH_BYTES for one in proof):
                raise SubmissionMalformed(f"A hash has {HASH_BYTES} bytes.")
            checkpoint = Checkpoint.parse(Note.parse(note).text)
        except (UnicodeDecodeError, TlogError) as fault:
            raise SubmissionMalformed(str(fault)) from None
        if int(old[1]) > checkpoint.size:
            raise SubmissionMalformed(f"A tree of {checkpoint.size} did not grow from one of {old[1]}.")
        return cls(int(old[1]), proof, note, checkpoint)


def told(old: int, proof: Sequence[bytes], note: str) -> str:
    """The body that asks a witness to sign this note, grown from `old` as the proof shows."""
    return "\n".join([f"old {old}", *map(encode, proof)]) + "\n\n" + note
