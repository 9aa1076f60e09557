"""Checkpoints of C2SP (c2sp.org/tlog-checkpoint): a log's name, size and root, signed as a note.

Moa adds one extension line of its own, `moa-block <chain id> <number> <hash>`: a block that the gateway's mirror held
for final when it signed. So whoever holds a checkpoint holds a pinned block too. Other extension lines are left alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from chain.tlog.errors import CheckpointMalformed, NoteMalformed
from chain.tlog.hashes import EMPTY_ROOT, HASH_BYTES
from chain.tlog.notes import Note, NoteSigner, Verifier, decode, encode, open_note, sign
from chain.tlog.tree import SIZE_MAX

EXTENSIONS_MAX: Final = 16
_number = re.compile(r"(0|[1-9][0-9]{0,18})\Z", re.ASCII)
_block = re.compile(r"moa-block ([1-9][0-9]{0,18}) (0|[1-9][0-9]{0,18}) (0x[0-9a-f]{64})\Z", re.ASCII)
_BLOCK_WORD: Final = "moa-block"


def origin_of(chain_id: int, genesis_hash: str) -> str:
    """The name of the log of a chain where none is chosen: one that its first block makes unlike others."""
    return f"moa/{chain_id}/{genesis_hash[2:18]}"


@dataclass(frozen=True, slots=True)
class Block:
    """A block by number and hash. hash: lower-case 0x hex."""

    chain_id: int
    number: int
    hash: str

    def told(self) -> str:
        return f"{_BLOCK_WORD} {self.chain_id} {self.number} {self.hash}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself at one moment. extensions: further lines, without newlines."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """The note's text."""
        return "\n".join([self.origin, str(self.size), encode(self.root), *self.extensions]) + "\n"

    def signed(self, *signers: NoteSigner) -> str:
        """The checkpoint as a note."""
        self.parse(self.text())
        return sign(self.text(), *signers)

    @property
    def block(self) -> Block | None:
        """The block that the checkpoint binds, if it does."""
        for line in self.extensions:
            found = _block.match(line)
            if found is not None:
                return Block(int(found[1]), int(found[2]), found[3])
        return None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The checkpoint that a note's text is, or CheckpointMalformed."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] != "" or "" in lines[:-1]:
            raise CheckpointMalformed("A checkpoint is three lines or more, none of them empty.")
        origin, size, coded, *extensions = lines[:-1]
        if not _number.match(size) or int(size) > SIZE_MAX:
            raise CheckpointMalformed("A tree's size is plain digits without leading zeroes.")
        try:
            root = decode(coded)
        except NoteMalformed as fault:
            raise CheckpointMalformed(str(fault)) from None
        if len(root) != HASH_BYTES:
            raise CheckpointMalformed(f"A root has {HASH_BYTES} bytes.")
        if int(size) == 0 and root != EMPTY_ROOT:
            raise CheckpointMalformed("A tree without entries has one root only.")
        if len(extensions) > EXTENSIONS_MAX:
            raise CheckpointMalformed(f"A checkpoint has at most {EXTENSIONS_MAX} further lines.")
        blocks = [line for line in extensions if line.split(" ")[0] == _BLOCK_WORD]
        if len(blocks) > 1 or any(not _block.match(line) for line in blocks):
            raise CheckpointMalformed("A block is bound by one line: moa-block, chain, number, hash.")
        return cls(origin, int(size), root, tuple(extensions))


def open_checkpoint(note: str, log: Verifier) -> Checkpoint:
    """The checkpoint that this log signed. The log's key has the log's name, so a key signs for one log only."""
    checkpoint = Checkpoint.parse(open_note(note, [log]).text)
    if checkpoint.origin != log.name:
        raise CheckpointMalformed(f"The checkpoint is of {checkpoint.origin}, the key of {log.name}.")
    return checkpoint


def unverified(note: str) -> Checkpoint:
    """What an unsigned reading of a note says; to be shown or compared, never to be trusted."""
    return Checkpoint.parse(Note.parse(note).text)
