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
_ORDER = (
    "SELECT o.id, o.key, e.occurred_at_ms FROM operation o LEFT JOIN award a ON a.operation = o.id"
    " LEFT JOIN event e ON e.id = a.event WHERE o.brand = ? AND o.operation_id = ?"
)
_LEGS = "SELECT seq, token FROM entry WHERE tx_hash = ? AND account = ? AND seq <> ? ORDER BY seq LIMIT 16"
# All of a hold: what placed it, each step that was asked here, and the newest change, whoever made it.
_OF_HOLD = (
    "SELECT e.seq, e.token FROM hold h JOIN entry e ON e.tx_hash = h.placed_tx_hash AND e.account = ?"
    " WHERE h.hold_id = ?"
    " UNION SELECT e.seq, e.token FROM hold h JOIN entry e ON e.block_number = h.block_number"
    " AND e.log_index = h.log_index AND e.token = h.token AND e.account = ? WHERE h.hold_id = ?"
    " UNION SELECT e.seq, e.token FROM hold_request r JOIN hold_step s ON s.hold_id = r.id"
    " JOIN operation o ON o.id = s.operation JOIN entry e ON e.tx_hash = o.tx_hash AND e.account = ?"
    " WHERE r.chain_id = ? AND o.state IN ('mined', 'confirmed') ORDER BY 1 LIMIT 32"
)
RELATED_KINDS = ("exchange_out", "exchange_in", "unwind_out", "unwind_in")
HOLD_KINDS = ("hold", "pay", "capture", "release", "timeout", "refund")


def newest(read: Snapshot, *, address: str, token: str | None, before: int, limit: int) -> Sequence[Row]:
    """Entries below a seq, the newest first."""
    if token is None:
        return read.rows(_NEWEST, address, before, limit)
    return read.rows(_NEWEST_OF, address, before, token, limit)


def after(read: Snapshot, *, address: str, seq: int, limit: int) -> Sequence[Row]:
    """Entries above a seq, the oldest first."""
    return read.rows(_AFTER, address, seq, limit)


def one(read: Snapshot, *, address: str, seq: int) -> Row | None:
    return read.row(_ONE, address, seq)


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
        "occurred_at": None if order is None or order[2] is None else rfc3339(order[2]),
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
    """The other leg of an exchange; of a hold, its placing and all that became of it. Each way round."""
    seq, _, kind, _, _, tx_hash = row[:6]
    if kind in HOLD_KINDS and "hold_id" in detail:
        hold = detail["hold_id"]
        found = read.rows(_OF_HOLD, address, hold, address, hold, address, hold)
    elif kind in RELATED_KINDS and tx_hash is not None:
        found = read.rows(_LEGS, tx_hash, address, seq)
    else:
        return []
    return [str(other) for other, token in found if other != seq and (only is None or token == only)]
