"""Why a document is refused: one class, and the names of FORMAT.md section 8, in the order of the checks.

TooLarge            more bytes than a document may have
Malformed           not UTF-8, not JSON, or not of the shape of its format
NotCanonical        the same document could be written in other bytes, and is
DigestWrong         the digest is not that of format and body
SignatureMissing    a receipt without a signature
SignatureInvalid    the signature is not the key's over the digest
KeyMismatch         signed by another key than the one asked for
HeaderInvalid       a header is no RLP of a header
HeaderBroken        a header does not follow the one before it
HeaderMissing       a claim needs a block whose header is not there
PinMismatch         the last header is not the block that the reader trusts
RegistryMismatch    the claims rest on another registry than the reader names, or on none
NodesUnsorted       nodes are not in ascending order of their hashes, each once
ContractUnknown     a claim uses a contract that no earlier claim names, or under another name
NodeMissing         a trie node on the way to an answer is not there
ProofInvalid        a node, receipt, transaction or value is none
AccountAbsent       there is no such account in the state
ClaimFalse          what is claimed is not what is proven
RuleBroken          an award has other points than its rule gives
NodeUnused          a node that no claim needs
NotConflicting      two receipts that do not contradict each other
"""

from typing import Final

NAMES: Final = tuple(line.split()[0] for line in (__doc__ or "").splitlines() if line[:1].isupper() and "  " in line)


class Refused(Exception):
    """A document is not accepted. `name`: one of NAMES; `claim`: which claim, counted from 0, or None."""

    def __init__(self, name: str, detail: str, claim: int | None = None):
        super().__init__(f"{name}: {detail}")
        self.name, self.detail, self.claim = name, detail, claim


class EvidenceError(Exception):
    """Evidence cannot be made."""


class EvidenceTooLarge(EvidenceError):
    """More than a document may hold."""

    def __init__(self, what: str, found: int, maximum: int):
        super().__init__(f"{found:,} {what} are more than the {maximum:,} that a document holds; ask for fewer blocks.")
        self.what, self.found, self.maximum = what, found, maximum


class EvidenceMissing(EvidenceError):
    """The node does not have what the evidence is about."""
