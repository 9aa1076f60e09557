"""A member's history: entries with their place on the chain, the rule that made them, and what belongs together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.kit.addresses import checksum
from api.kit.clock import rfc3339
from api.kit.currency import decimals_of
from api.kit.database import Snapshot
from api.programmes.catalogue import BrandCard, Catalogue
from api.programmes.rates import return_terms
from chain.base.scalars import Address, TxHash
from chain.mirror.queries import entries
from chain.mirror.queries.checkpoint import Checkpoint
from chain.mirror.queries.entries import Entry
from chain.storage.looks import Look

# An award's order, or a return's: by the operation id that the contract counted.
_ORDER = (
    "SELECT o.id, o.key, e.occurred_at_ms FROM operation o LEFT JOIN award a ON a.operation = o.id"
    " LEFT JOIN goods_return r ON r.operation = o.id LEFT JOIN event e ON e.id = COALESCE(a.event, r.event)"
    " WHERE o.brand = ? AND o.operation_id = ?"
)
# What was taken back of an award, and counted.
_RETURNS = (
    "SELECT o.tx_hash FROM goods_return r JOIN operation o ON o.id = r.operation WHERE r.award = ?"
    " AND o.state IN ('mined', 'confirmed') AND o.tx_hash IS NOT NULL ORDER BY o.id LIMIT 32"
)
_PLACE = "SELECT tx_hash FROM operation WHERE brand = ? AND operation_id = ? AND tx_hash IS NOT NULL"
# What was asked here of a hold, and counted.
_STEPS = (
    "SELECT o.tx_hash FROM hold_request r JOIN hold_step s ON s.hold_id = r.id JOIN operation o ON o.id = s.operation"
    " WHERE r.chain_id = ? AND o.state IN ('mined', 'confirmed') AND o.tx_hash IS NOT NULL ORDER BY o.id LIMIT 32"
)
RELATED_KINDS = ("exchange_out", "exchange_in", "unwind_out", "unwind_in")
AWARD, RETURN, DEBT_PAID = "award", "return", "debt_paid"
HOLD_KINDS = ("hold", "pay", "capture", "release", "timeout", "refund")


def newest(
    look: Look, *, accounts: Sequence[Address], token: Address | None, before: int, limit: int
) -> Sequence[Entry]:
    """Entries of one person's accounts below a seq, the newest first; of one token if it is named."""
    found = [
        entry
        for account in accounts
        for entry in entries.newest(look, account=account, token=token, before=before, limit=limit)
    ]
    return found if len(accounts) == 1 else sorted(found, key=_seq, reverse=True)[:limit]


def after(look: Look, *, accounts: Sequence[Address], seq: int, limit: int) -> Sequence[Entry]:
    """Entries of one person's accounts above a seq, the oldest first."""
    found = [entry for account in accounts for entry in entries.page(look, account=account, after=seq, limit=limit)]
    return found if len(accounts) == 1 else sorted(found, key=_seq)[:limit]


def one(look: Look, *, accounts: Sequence[Address], seq: int) -> Entry | None:
    """The entry of one person's accounts with this number."""
    found = (entries.one(look, account=account, seq=seq) for account in accounts)
    return next((entry for entry in found if entry is not None), None)


def last(look: Look, *, accounts: Sequence[Address]) -> int:
    """The highest seq of one person's accounts; 0 where there is none."""
    return max(entries.last(look, account=account) for account in accounts)


def _seq(entry: Entry) -> int:
    return entry.seq


def entry_to_public(
    read: Snapshot, *, catalogue: Catalogue, as_of: Checkpoint, entry: Entry, only: str | None = None
) -> dict[str, Any] | None:
    """An Entry of the wire as plain values; None for a token of no brand that the gateway knows.

    only: the one token whose entries the reader may see; others are not named as related either.
    """
    # One by one, each of its many fields would be looked up by its name.
    (
        seq, token, _, kind, points, held, tx_hash, block_number, block_hash, block_time, log_index, contract,
        operation_id, _,
    ) = entry  # fmt: skip
    card = catalogue.by_token.get(token)
    if card is None:
        return None
    detail = entry.detail
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
        "related": _related(read, card, entry, detail, None if order is None else order[0], only=only),
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
        **return_terms(terms),
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


def _related(
    read: Snapshot, card: BrandCard, entry: Entry, detail: dict[str, Any], operation: int | None, *, only: str | None
) -> list[str]:
    """The other leg of an exchange; of a hold, its placing and all that became of it; of an award, what came back of it
    and the debt that it paid. Each way round. operation: the entry's own."""
    if entry.kind in HOLD_KINDS and "hold_id" in detail:
        hold_id = detail["hold_id"]
        steps = [tx_hash for (tx_hash,) in read.rows(_STEPS, hold_id)]
        legs = entries.of_hold(read, hold_id=hold_id, account=entry.account, steps=steps)
    elif entry.kind in RELATED_KINDS and entry.tx_hash is not None:
        legs = entries.legs(read, tx_hash=entry.tx_hash, account=entry.account, but=entry.seq)
    elif entry.kind == AWARD:
        steps = [] if operation is None else [tx_hash for (tx_hash,) in read.rows(_RETURNS, operation)]
        legs = [*entries.debts_paid(read, award=entry), *entries.returns(read, account=entry.account, steps=steps)]
    elif entry.kind == RETURN:
        place = read.row(_PLACE, card.registry_id, detail["award"])
        legs = entries.award(
            read, account=entry.account, place=TxHash(place[0] if place else ""), operation_id=detail["award"]
        )
    elif entry.kind == DEBT_PAID:
        legs = entries.paying_award(read, paid=entry)
    else:
        return []
    return [str(leg.seq) for leg in legs if leg.seq != entry.seq and (only is None or leg.token == only)]
