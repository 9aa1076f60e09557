"""What a proof can fail by.

ProofError
├─ EncodingInvalid   bytes or JSON are no RLP, header, receipt, transaction or account
├─ HashMismatch      something was said to have one hash and has another
├─ ProofInvalid      the nodes of a trie proof do not lead from the root to an answer
└─ LayoutMissing     no such contract, variable or field in the published layout
"""

from typing import Any


class ProofError(Exception):
    """Facts are fields by their names; the message is a sentence."""

    def __init__(self, message: str, **facts: Any):
        super().__init__(message)
        self.facts = facts


class EncodingInvalid(ProofError):
    """Bytes or JSON that are not what they should be."""

    def __init__(self, what: str, why: str):
        super().__init__(f"This is no {what}: {why}.", what=what, why=why)


class HashMismatch(ProofError):
    """Content and hash do not belong together."""

    def __init__(self, what: str, said: bytes, right: bytes):
        super().__init__(f"{what} has hash 0x{right.hex()}, not 0x{said.hex()}.", what=what, said=said, right=right)
        self.what, self.said, self.right = what, said, right


class ProofInvalid(ProofError):
    """A trie proof that proves nothing."""

    def __init__(self, why: str):
        super().__init__(f"The proof does not hold: {why}.", why=why)


class LayoutMissing(ProofError):
    """The layout does not know this place."""

    def __init__(self, contract: str, path: str):
        super().__init__(f"{contract} has no {path} in its storage layout.", contract=contract, path=path)
