"""A member's history: entries with their place on the chain, the rule that made them, and what belongs together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.kit.addresses import checksum
from api.kit.clock import rfc3339
from api.kit.currency import decimals_of
from api.kit.database import Row, Snapshot
from api.programmes.catalogue import BrandCard, Catalogue, json_value
from api.views.as_of import Moment

_COLUMNS = (
    "SELECT seq, token, kind, points, held, tx_hash, block_number, block_hash, block_time, log_index, contract,"
    " operation_id, detail FROM entry WHERE account = ?"
)
_NEWEST = f"{_COLUMNS} AND seq < ? ORDER BY seq DESC LIMIT ?"
# By the member's entries, never by the brand's: those are millions. (Tokens are lower case already.)
_NEWEST_OF = f"{_COLUMNS} AND seq < ? AND LOWER(token) = ? ORDER BY seq DESC LIMIT ?"
_AFTER = f"{_COLUMNS} AND seq > ? ORDER BY seq LIMIT ?"
_ONE = f"{_COLUMNS} AND seq = ?"
# An award's order: by the operation id that the contract counted.
_ORDER = "SELECT id, key FROM operation WHERE brand = ? AND operation_id = ?"
_LEGS = "SELECT seq, token FROM entry WHERE tx_hash = ? AND account = ? AND seq <> ? ORDER BY seq LIMIT 16"
_HOLD_PLACED = "SELECT placed_tx_hash FROM hold WHERE hold_id = ?"
RELATED_KINDS = ("exchange_out", "exchange_in", "unwind_out", "unwind_in")
HOLD_KINDS = ("capture", "release", "timeout", "refund")


Owned = tuple[str, Row]


def newest(read: Snapshot, *, addresses: Sequence[str], token: str | None, before: int, limit: int) -> Sequence[Owned]:
    """(account, entry) below a seq, the newest first."""
    found = [
        (address, row)
        for address in addresses
        for row in (
            read.rows(_NEWEST, address, before, limit)
            if token is None
            else read.rows(_NEWEST_OF, address, before, token, limit)
        )
    ]
    return found if len(addresses) == 1 else sorted(found, key=_seq, reverse=True)[:limit]


def after(read: Snapshot, *, addresses: Sequence[str], seq: int, limit: int) -> Sequence[Owned]:
    """(account, entry) above a seq, the oldest first."""
    found = [(address, row) for address in addresses for row in read.rows(_AFTER, address, seq, limit)]
    return found if len(addresses) == 1 else sorted(found, key=_seq)[:limit]


def one(read: Snapshot, *, addresses: Sequence[str], seq: int) -> Owned | None:
    for address in addresses:
        row = read.row(_ONE, address, seq)
        if row is not None:
            return address, row
    return None


def _seq(owned: Owned) -> int:
    return int(owned[1][0])


def entry_to_public(
    read: Snapshot, *, catalogue: Catalogue, as_of: Moment, address: str, row: Row, only: str | None = None
) -> dict[str, Any] | None:
    """An Entry as plain values; None for a token of no brand that the gateway knows.

    only: the one token whose entries the reader may see; others are not named as related either.
    """
    seq, token, kind, points, held, tx_hash, block_number, block_hash, block_time, log_index, contract = row[:11]
    operation_id, detail = row[11], json_value(row[12])
    card = catalogue.by_token.get(token)
    if card is None:
        return None
    order = read.row(_ORDER, card.registry_id, operation_id) if operation_id is not None else None
    return {
        "id": str(seq),
        "brand": card.told,
        "kind": kind,
        "points": points,
        "held_delta": held,
        "decimals": card.decimals,
        "at": rfc3339(block_time * 1000),
        "state": as_of.finality(block_number),
        "proof": {
            "tx_hash": tx_hash,
            "block_number": block_number,
            "block_hash": block_hash,
            # What time alone brings has no event; its number below 0 only says where it stands in the history.
            "log_index": None if tx_hash is None else log_index,
            "contract": checksum(contract),
        },
        "operation_id": None if order is None else str(order[0]),
        "rule": _rule(card, catalogue, detail),
        "reference": None if order is None else _order_id(order[1]),
        "related": _related(read, address=address, row=row, detail=detail, only=only),
        "detail": detail,
    }


def _rule(card: BrandCard, catalogue: Catalogue, detail: dict[str, Any]) -> dict[str, Any] | None:
    """The published rule which the award cites, in the version that was in force."""
    if "rule" not in detail:
        return None
    rule_id, version = str(detail["rule"]), int(detail["version"])
    terms = catalogue.terms.get((card.registry_id, rule_id, version), {})
    return {
        "id": rule_id,
        "version": version,
        "name": _activity(terms.get("activity", "")),
        "base_amount": str(detail["base_amount"]),
        "base_decimals": decimals_of(card.currency),
        "currency": card.currency,
        "numerator": str(terms.get("numerator", "0")),
        "denominator": str(terms.get("denominator", "1")),
    }


def _activity(word: str) -> str:
    """The short text of a bytes32."""
    if not word.startswith("0x"):
        return word
    return bytes.fromhex(word[2:]).rstrip(b"\0").decode("utf-8", "replace")


def _order_id(key: str) -> str | None:
    """The brand's own id of a fact inside the key of its award's operation: <kind>/<brand>/<id>."""
    parts = key.split("/", 2)
    return parts[2] if len(parts) == 3 else None


def _related(read: Snapshot, *, address: str, row: Row, detail: dict[str, Any], only: str | None) -> list[str]:
    """The other leg of an exchange; the placing of the hold that this captured, released or refunded."""
    seq, _, kind, _, _, tx_hash = row[:6]
    if kind in HOLD_KINDS and "hold_id" in detail:
        placed = read.row(_HOLD_PLACED, detail["hold_id"])
        tx_hash = None if placed is None else placed[0]
    elif kind not in RELATED_KINDS:
        tx_hash = None
    if tx_hash is None:
        return []
    return [str(found) for found, token in read.rows(_LEGS, tx_hash, address, seq) if only is None or token == only]
