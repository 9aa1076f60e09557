"""The one view of a member that every surface renders: composed from one snapshot, in prepared reads.

Built as plain values and written once: a model per field would cost more than the reads. The tests hold the
result against `schemas.MemberView`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from api.addresses import checksum
from api.channels.as_of import moment
from api.clock import now_ms, rfc3339
from api.database import Snapshot
from api.decisions.catalogue import BrandCard, Catalogue, json_value
from api.decisions.rates import award_points
from api.state import State
from chain import lots

PENDING_MAX = 1_000
HOLDS_MAX = 1_000

_BALANCES = "SELECT token, lots FROM balance WHERE account = ?"
_ENROLMENTS = "SELECT DISTINCT brand FROM enrolment WHERE member_id = ?"
_HOLDS = "SELECT token, points FROM hold WHERE account = ? AND state = 'held' LIMIT ?"
# The states are spelt as in the partial index operation_open_lane, so that a long history costs nothing here.
_PENDING = (
    "SELECT brand, payload FROM operation WHERE lane = ?"
    " AND state IN ('queued', 'assigned', 'sent', 'mined') AND kind = 'award' LIMIT ?"
)


def member_view(
    read: Snapshot, *, state: State, catalogue: Catalogue, member_id: str, address: str, only: str | None
) -> dict[str, Any]:
    """A MemberView as plain values. only: the one brand that the reader may see."""
    as_of = moment(read)
    at_s = max(as_of.block_time, now_ms() // 1000)
    words: dict[str, str] = dict(cast(Iterable[tuple[str, str]], read.rows(_BALANCES, address)))
    held = _held(read, address)
    pending = _pending(read, catalogue, address)
    shown = {card.slug for token in words if (card := catalogue.by_token.get(token)) is not None}
    shown.update(brand for (brand,) in read.rows(_ENROLMENTS, member_id))
    shown.update(pending)
    if only is not None:
        shown &= {only}
    balances = []
    for slug in sorted(shown):
        card = catalogue.by_slug.get(slug)
        if card is not None:
            found = _balance(card, catalogue, words.get(card.token), held, pending, at_s=at_s)
            balances.append(found if only is None else {**found, "exchange_to": []})
    return {
        "member": {"id": member_id, "address": checksum(address), "name": None},
        "as_of": as_of.told(state),
        "balances": balances,
    }


def _balance(
    card: BrandCard,
    catalogue: Catalogue,
    words: str | None,
    held: Mapping[str, int],
    pending: Mapping[str, int],
    *,
    at_s: int,
) -> dict[str, Any]:
    live = [] if words is None else lots.expiring(words, card.clock, at_s)
    return {
        "brand": card.told,
        "decimals": card.decimals,
        "spendable": str(sum(points for points, _ in live)),
        "held": str(held.get(card.token, 0)),
        "pending": str(pending.get(card.slug, 0)),
        "expiring": [
            {"points": str(points), "expires_at": None if expires_at is None else rfc3339(expires_at * 1000)}
            for points, expires_at in live
        ],
        "exchange_to": catalogue.exchange_to(card.slug),
        "token": card.token_told,
    }


def _held(read: Snapshot, address: str) -> dict[str, int]:
    """Token → points in open holds."""
    held: dict[str, int] = {}
    for token, points in read.rows(_HOLDS, address, HOLDS_MAX):
        held[token] = held.get(token, 0) + int(points)
    return held


def _pending(read: Snapshot, catalogue: Catalogue, address: str) -> dict[str, int]:
    """Slug → points of awards on their way, by the rule in force now."""
    pending: dict[str, int] = {}
    for slug, text in read.rows(_PENDING, address, PENDING_MAX):
        payload, card = json_value(text), catalogue.by_slug.get(slug)
        rule = None if card is None else catalogue.rule_in_force(card.number, str(payload["rule"]))
        points = 0 if rule is None else award_points(rule[1], int(payload["base_amount"]))
        pending[slug] = pending.get(slug, 0) + points
    return pending
