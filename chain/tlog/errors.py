"""What can be wrong with a log; the tree of them is in the package's docstring."""

from __future__ import annotations


class TlogError(Exception):
    """Something about a transparency log does not hold."""


class ProofInvalid(TlogError):
    """The proof does not lead to the root that was signed."""


class NoteMalformed(TlogError):
    """This is not a signed note of C2SP."""


class CheckpointMalformed(NoteMalformed):
    """The note's text is not a checkpoint of C2SP."""


class ProofMalformed(NoteMalformed):
    """This is not a proof of C2SP's tlog-proof."""


class SubmissionMalformed(NoteMalformed):
    """This is not a request of C2SP's tlog-witness."""


class SignatureMissing(TlogError):
    """No key that the reader trusts signed the note."""

    def __init__(self, wanted: str):
        super().__init__(f"No signature of {wanted} is on the note.")
        self.wanted = wanted


class SignatureInvalid(TlogError):
    """A line of the note names a trusted key that did not sign this text."""

    def __init__(self, name: str):
        super().__init__(f"The signature that {name} is said to have made is not of this text.")
        self.name = name


class TileMissing(TlogError):
    """A stored hash of the tree is not where its size says that it is."""

    def __init__(self, level: int, number: int, wanted: int, found: int):
        super().__init__(f"Tile {number} of level {level} holds {found} hashes, {wanted} are needed.")
        self.level, self.number, self.wanted, self.found = level, number, wanted, found


class LogForked(TlogError):
    """The log contradicts what it had signed before: entries were cut off, moved, changed, or shown to some only."""

    def __init__(self, origin: str, sentence: str):
        super().__init__(f"{origin} is forked: {sentence}")
        self.origin, self.sentence = origin, sentence


class NotAFork(TlogError):
    """Both statements may be true; nothing is proved against the log."""
