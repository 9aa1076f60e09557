"""Receipts that the gateway signs: what it said of one subject as of one block (FORMAT.md section 9).

A receipt's content follows from the chain up to its block and from nothing else: no time of asking, nothing under way,
no number of our own. So an honest gateway, also one that was rebuilt from the chain, has one content for a subject,
version and block hash, and a reorg gives another block hash. Two contents for one are fraud.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from chain.contracts.codec import EventLog
from chain.evidence import document
from chain.evidence.shapes import FRAUD, RECEIPT

KEY_REF: Final = "receipts/0"


class Signer(Protocol):
    """Whoever holds the gateway's Ed25519 key: a keystore."""

    def public_key(self, ref: str) -> bytes:
        """32 bytes."""

    def sign_message(self, ref: str, message: bytes) -> bytes:
        """64 bytes."""


def signer(keys: Signer) -> tuple[bytes, document.Sign]:
    """The public key of receipts and bundles, and what signs with it."""
    return keys.public_key(KEY_REF), lambda message: keys.sign_message(KEY_REF, message)


def of_event(keys: Signer, log: EventLog, *, chain_id: int, finality: str) -> bytes:
    """The receipt of what an event says: of an award under its brand and operation id, else under its place.

    Version: the block's number; an event is in a block once.
    """
    # A refused operation id stays free and may be refused again, or count, in the same block.
    if log.name == "Awarded":
        subject = f"award:{log.args['brandId']}:{log.args['operationId']}"
    else:
        subject = f"event:{log.tx_hash}:{log.log_index}"
    content = {
        "contract": log.address,
        "event": log.name,
        "log_index": str(log.log_index),
        "tx_hash": log.tx_hash,
        **{f"args.{name}": value for name, value in flat(log.args).items()},
    }
    return _sealed(keys, subject, content, chain_id, (log.block_number, log.block_hash), finality)


def of_member(
    keys: Signer,
    account: str,
    words: Sequence[tuple[str, str]],
    *,
    chain_id: int,
    block: tuple[int, str],
    finality: str,
) -> bytes:
    """The receipt of a view: an account's packed words of lots in each token, (token, 256 hex digits), at a block."""
    content = {"account": account, **{f"lots.{token}": lots for token, lots in words}}
    return _sealed(keys, f"member:{account}", content, chain_id, block, finality)


def fraud(first: Mapping[str, Any], second: Mapping[str, Any]) -> bytes:
    """The document of two receipts that contradict each other; `moa verify` tells whether they do."""
    return document.canonical(document.seal(FRAUD, {"receipts": [first, second]}))


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Values of an event as text by dotted names: structs and lists spelled out."""
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            found |= flat({str(index): one for index, one in enumerate(value)}, f"{prefix}{name}.")
        else:
            found[prefix + name] = ("yes" if value else "no") if isinstance(value, bool) else str(value)
    return found


def _sealed(
    keys: Signer, subject: str, content: Mapping[str, str], chain_id: int, block: tuple[int, str], finality: str
) -> bytes:
    body = {
        "block_hash": block[1],
        "block_number": str(block[0]),
        "chain_id": str(chain_id),
        "content": [{"name": name, "value": value} for name, value in sorted(content.items())],
        "finality": finality,
        "subject": subject,
        "version": str(block[0]),
    }
    key, sign = signer(keys)
    return document.canonical(document.seal(RECEIPT, body, key=key, sign=sign))
