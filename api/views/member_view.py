"""The one view of a member that every surface renders: composed from one snapshot, in prepared reads.

Built as plain values and written once: a model per field would cost more than the reads. The tests hold the
result against `schemas.MemberView`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import orjson

from api.kit.addresses import checksum
from api.kit.clock import now_ms, rfc3339, second_of
from api.kit.container import State
from api.kit.database import Snapshot
from api.programmes.catalogue import BrandCard, Catalogue
from api.programmes.rates import award_points
from api.views.as_of import moment, to_public
from chain.base.scalars import Address
from chain.contracts import lots
from chain.mirror.queries import accounts
from chain.mirror.queries.accounts import BALANCE, DEBT, HOLD

PENDING_MAX = 1_000
HOLDS_MAX = 1_000
# Kinds of operation that take points from the member; `transfer` is nobody's to ask for here, and `leave` moves them
# between addresses of the same person.
OUTGOING = {"open hold": "hold", "open exchange": "exchange", "open pay": "pay"}
AWARDS = ("open award", "open correct")
LOCKED = "locked"
LOCKED_MAX = 1_000
# Of each brand so many seconds at which locked points come are told, the soonest first.
UNLOCKING_MAX = 50

# What the mirror does not know, in the same statement as what it does. The states are spelt as in the partial index
# operation_open_ordering_key, so that a long history costs nothing here.
_FACTS = accounts.statement(
    " UNION ALL SELECT 'enrolled', CAST(b.registry_id AS TEXT), '' FROM enrolment e"
    " JOIN brand b ON b.slug = e.brand WHERE e.member_id = ?"
    " UNION ALL SELECT * FROM"
    " (SELECT 'open ' || kind, CAST(brand AS TEXT), CAST(payload AS TEXT) FROM operation WHERE ordering_key = ?"
    " AND state IN ('queued', 'assigned', 'sent', 'mined') AND kind IN ('award', 'correct', 'hold', 'exchange', 'pay')"
    # What is mined in a block that the mirror has, and waits to lie deep enough, is in the balance already.
    " AND (block_number IS NULL OR block_number > ?) ORDER BY id LIMIT ?) AS p"
    " UNION ALL SELECT * FROM"
    " (SELECT 'locked', CAST(brand AS TEXT), CAST(due_at_ms AS TEXT) || ' ' || CAST(payload AS TEXT) FROM operation"
    " WHERE ordering_key = ? AND state = 'locked' ORDER BY ordering_key, due_at_ms, id LIMIT ?) AS l"
)


class Clock:
    """The second it is, for views: never earlier than one told before, so that what ended does not live again when the
    machine's clock is set back. A chain that is ahead of the machine, and goes back, is followed both ways."""

    def __init__(self) -> None:
        self._ours = 0

    def second(self, block_time_s: int) -> int:
        """Ours, or the chain's when its clock is ahead."""
        self._ours = max(self._ours, now_ms() // 1000)
        return max(self._ours, block_time_s)


def next_end_s(view: Mapping[str, Any]) -> int | None:
    """The second at which the first of a view's lots ends, or of its locks; None when none ever does."""
    ends = [lot["expires_at"] for balance in view["balances"] for lot in balance["expiring"][:1]]
    ends += [lot["until"] for balance in view["balances"] for lot in balance["unlocking"][:1]]
    return min((second_of(end) for end in ends if end is not None), default=None)


def member_view(
    read: Snapshot,
    *,
    state: State,
    catalogue: Catalogue,
    member_ids: Sequence[str],
    addresses: Sequence[Address],
    only: int | None,
) -> dict[str, Any]:
    """A MemberView as plain values. only: the one brand that the reader may see, by the registry's id.

    member_ids, addresses: of the members that are this person, the one that is shown first: their points are summed.
    """
    at = moment(read)
    at_s = state.singleton(Clock).second(at.block_time)
    words: dict[str, list[str]] = {}
    held: dict[str, int] = {}
    owed: dict[str, int] = {}
    pending: dict[int, int] = {}
    reserved: dict[int, int] = {}
    unlocking: dict[int, dict[int, int]] = {}
    shown: dict[int, BrandCard] = {}
    ids = [*member_ids, *[member_ids[0]] * (len(addresses) - len(member_ids))]
    for what, where, value in (
        fact
        for member_id, address in zip(ids, addresses, strict=True)
        for fact in accounts.facts(
            read,
            _FACTS,
            account=address,
            holds_max=HOLDS_MAX,
            parameters=(member_id, address, at.block_number, PENDING_MAX, address, LOCKED_MAX),
        )
    ):
        if what == HOLD:
            held[where] = held.get(where, 0) + int(value)
            continue
        if what == DEBT:
            owed[where] = owed.get(where, 0) + int(value)
        card = catalogue.by_token.get(where) if what in (BALANCE, DEBT) else catalogue.by_id.get(int(where))
        if what == BALANCE:
            words.setdefault(where, []).append(value)
        if card is None or only not in (None, card.registry_id):
            continue
        shown[card.registry_id] = card
        due_s = None
        if what == LOCKED:
            due_ms, value = value.split(" ", 1)
            due_s = int(due_ms) // 1000
        if due_s is not None and due_s > at_s:
            seconds = unlocking.setdefault(card.registry_id, {})
            seconds[due_s] = seconds.get(due_s, 0) + _expected(catalogue, card, value)
        elif what in AWARDS or what == LOCKED:
            # Of what was locked until now the relayer hears within a second.
            pending[card.registry_id] = pending.get(card.registry_id, 0) + _expected(catalogue, card, value)
        elif what in OUTGOING:
            reserved[card.registry_id] = reserved.get(card.registry_id, 0) + _leaving(OUTGOING[what], value)
    balances = []
    for card in sorted(shown.values(), key=lambda one: one.slug):
        balance = (
            _balance(
                card,
                catalogue,
                words.get(card.token, ()),
                held,
                pending,
                reserved,
                at_s=at_s,
                block_time_s=at.block_time,
            )
            | {"debt": str(owed.get(card.token, 0))}
            | _locked(unlocking.get(card.registry_id, {}))
        )
        balances.append(balance if only is None else {**balance, "exchange_to": []})
    return {
        "member": {"id": member_ids[0], "address": checksum(addresses[0]), "name": None},
        "as_of": to_public(at, state),
        "balances": balances,
    }


def _balance(
    card: BrandCard,
    catalogue: Catalogue,
    words: Sequence[str],
    held: Mapping[str, int],
    pending: Mapping[int, int],
    reserved: Mapping[int, int],
    *,
    at_s: int,
    block_time_s: int,
) -> dict[str, Any]:
    live = lots_of(words, card, at_s)
    spendable = sum(points for points, _ in live)
    # What the entries up to the view's block make up, less what can be spent now.
    expired = sum(lots.spendable(row, card.clock, block_time_s) for row in words) - spendable
    return {
        "brand": card.told,
        "decimals": card.decimals,
        "spendable": str(spendable),
        "held": str(held.get(card.token, 0)),
        "pending": str(pending.get(card.registry_id, 0)),
        "reserved": str(reserved.get(card.registry_id, 0)),
        "expired": str(expired),
        "expiring": [
            {"points": str(points), "expires_at": None if expires_at is None else rfc3339(expires_at * 1000)}
            for points, expires_at in live
        ],
        "exchange_to": catalogue.exchange_to(card.slug),
        "token": card.token_told,
    }


def _locked(seconds: Mapping[int, int]) -> dict[str, Any]:
    """What is not asked for before its second, all of it and second by second; the soonest come first."""
    told = [
        {"points": str(points), "until": rfc3339(second * 1000)}
        for second, points in islice(sorted(seconds.items()), UNLOCKING_MAX)
    ]
    return {"locked": str(sum(seconds.values())), "unlocking": told}


def lots_of(words: Sequence[str], card: BrandCard, at_s: int) -> list[tuple[int, int | None]]:
    """(points, end) of the lots of all these balances of one token, what ends first first."""
    if len(words) == 1:
        return list(lots.expiring(words[0], card.clock, at_s))
    ends: dict[int | None, int] = {}
    for row in words:
        for points, end in lots.expiring(row, card.clock, at_s):
            ends[end] = ends.get(end, 0) + points
    # Of one token all lots end or none does.
    return [(points, end) for end, points in sorted(ends.items(), key=lambda lot: lot[0] or 0)]


def _expected(catalogue: Catalogue, card: BrandCard, payload: str) -> int:
    """The points of an award on its way, by the rule in force now."""
    asked = orjson.loads(payload)
    rule = catalogue.rule_in_force(card.registry_id, str(asked["rule"]))
    return 0 if rule is None else award_points(rule[1], int(asked["base_amount"]))


def _leaving(kind: str, payload: str) -> int:
    """The points that what the member asked for will take, once the chain has it."""
    asked = orjson.loads(payload)
    return int(asked["request"]["points"] if kind == "hold" else asked["quote"]["pointsIn"])
