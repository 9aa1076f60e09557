"""The ledger for auditors, from one snapshot a page. No statement here touches a table of members."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from api.auditors.schemas import (
    AuditAgreement,
    AuditAgreements,
    AuditBalance,
    AuditBalances,
    AuditBrand,
    AuditBrands,
    AuditClearing,
    AuditCollateral,
    AuditEntries,
    AuditEntry,
    AuditHold,
    AuditHolds,
    AuditKey,
    AuditKeys,
    AuditObligation,
    AuditOperation,
    AuditOperations,
    AuditRule,
    AuditRules,
)
from api.kit.addresses import checksum
from api.kit.clock import rfc3339, rfc3339_or_none
from api.kit.container import State
from api.kit.database import Row, Snapshot
from api.kit.following import Followed
from api.members.errors import BrandUnknown
from api.members.service import ROLES
from api.programmes.catalogue import json_value
from api.views import cursors
from api.views.as_of import Moment, moment
from api.views.errors import CursorExpired, CursorMalformed, PageUnsettled
from api.views.schemas import AsOf

T = TypeVar("T")
BRANDS_MAX = 1_000
RULES_MAX = 10_000
AGREEMENTS_MAX = 10_000
OBLIGATIONS_MAX = 100_000
_address = re.compile(r"0x[0-9a-f]{40}", re.ASCII).fullmatch
_hold_id = re.compile(r"0x[0-9a-f]{64}", re.ASCII).fullmatch
_key_id = re.compile(r"[0-9a-f]{12}", re.ASCII).fullmatch

_BRANDS = (
    "SELECT b.slug, b.name, b.registry_id, b.token, b.currency, b.decimals, s.status, u.minted, u.burnt FROM brand b"
    " LEFT JOIN brand_standing s ON s.brand_id = CAST(b.registry_id AS TEXT) LEFT JOIN supply u ON u.token = b.token"
    " ORDER BY b.slug LIMIT ?"
)
_SLUGS = "SELECT slug, token, registry_id FROM brand ORDER BY slug LIMIT ?"
_BALANCES = (
    "SELECT token, account, points, lots, block_number, log_index FROM balance WHERE token = ? AND account > ?"
    " ORDER BY account LIMIT ?"
)
_BALANCES_OF = (
    "SELECT token, account, points, lots, block_number, log_index FROM balance WHERE account = ? AND token > ?"
    " ORDER BY token LIMIT ?"
)
_COLUMNS = (
    "SELECT seq, token, account, kind, points, held, block_time, tx_hash, block_number, block_hash, log_index,"
    " contract, operation_id, detail FROM entry WHERE seq > ?"
)
_ENTRIES = f"{_COLUMNS} ORDER BY seq LIMIT ?"
_ENTRIES_OF_TOKEN = f"{_COLUMNS} AND token = ? ORDER BY seq LIMIT ?"
_ENTRIES_OF_ACCOUNT = f"{_COLUMNS} AND account = ? ORDER BY seq LIMIT ?"
_RULES = (
    "SELECT brand_id, rule_id, version, in_force_at, withdrawn, terms FROM rule ORDER BY brand_id, rule_id, version"
    " LIMIT ?"
)
_AGREEMENTS = (
    "SELECT agreement_id, from_brand_id, to_brand_id, state, ends_at, versions FROM agreement ORDER BY agreement_id"
    " LIMIT ?"
)
_OBLIGATIONS = (
    "SELECT debtor_id, creditor_id, outstanding, block_number FROM obligation ORDER BY debtor_id, creditor_id LIMIT ?"
)
_COLLATERAL = "SELECT brand_id, collateral, in_default FROM collateral ORDER BY brand_id LIMIT ?"
_HOLDS = (
    "SELECT hold_id, brand_id, account, state, points, captured, refunded, hold_until, placed_tx_hash, block_number"
    " FROM hold WHERE hold_id > ? ORDER BY hold_id LIMIT ?"
)
_OPERATIONS = (
    "SELECT id, kind, brand, operation_id, state, error, tx_hash, block_number, log_index, created_at_ms,"
    " updated_at_ms FROM operation WHERE id > ? AND id <= ? ORDER BY id LIMIT ?"
)
_ASKED = Followed("operation", "id")
_KEY = "SELECT 1 FROM api_key WHERE id = ?"
_KEYS = "SELECT id, kind, brand, created_at_ms, revoked_at_ms FROM api_key WHERE id > ? ORDER BY id LIMIT ?"


async def read(state: State, compose: Callable[[Snapshot], T]) -> T:
    return await state.database.reads.off_loop(compose)


def brands(look: Snapshot, state: State) -> AuditBrands:
    return AuditBrands(
        brands=[
            AuditBrand(
                slug=slug,
                name=name,
                brand_id=str(number),
                token=checksum(token),
                currency=currency,
                decimals=decimals,
                status=status,
                minted=minted or "0",
                burnt=burnt or "0",
            )
            for slug, name, number, token, currency, decimals, status, minted, burnt in look.rows(_BRANDS, BRANDS_MAX)
        ],
        as_of=_as_of(look, state),
    )


def balances(look: Snapshot, state: State, *, slug: str, cursor: str | None, limit: int) -> AuditBalances:
    """Every account that ever held points of a brand, in the order of their addresses."""
    now = moment(look)
    after = cursors.key_place(now, cursor, shape=_address)
    rows = look.rows(_BALANCES, _token(look, slug), after, limit + 1)
    return _told_balances(look, state, now, rows, limit, of=1)


def balances_of(look: Snapshot, state: State, *, account: str, cursor: str | None, limit: int) -> AuditBalances:
    """What an account holds of every brand."""
    now = moment(look)
    after = cursors.key_place(now, cursor, shape=_address)
    rows = look.rows(_BALANCES_OF, account.lower(), after, limit + 1)
    return _told_balances(look, state, now, rows, limit, of=0)


def entries(
    look: Snapshot, state: State, *, slug: str | None, account: str | None, cursor: str | None, limit: int
) -> AuditEntries:
    """Entries of all, of a brand or of an account, the oldest first, so that they can be followed."""
    now = moment(look)
    after = cursors.entry_place(look, now, cursor, first=0)
    if account is not None:
        rows = look.rows(_ENTRIES_OF_ACCOUNT, after, account.lower(), limit + 1)
    elif slug is not None:
        rows = look.rows(_ENTRIES_OF_TOKEN, after, _token(look, slug), limit + 1)
    else:
        rows = look.rows(_ENTRIES, after, limit + 1)
    slugs = _slugs(look, 1)
    return AuditEntries(
        entries=[_entry(row, slugs) for row in rows[:limit]],
        next_cursor=cursors.told(now, rows[limit - 1][0]) if len(rows) > limit else None,
        as_of=_told(now, state),
    )


def rules(look: Snapshot) -> AuditRules:
    """Every version of every rule that was ever published."""
    slugs = _slugs(look, 2)
    return AuditRules(
        rules=[
            AuditRule(
                brand=slugs.get(brand_id),
                brand_id=brand_id,
                rule_id=rule_id,
                version=version,
                in_force_at=rfc3339(in_force_at * 1000),
                withdrawn=bool(withdrawn),
                terms=json_value(terms),
            )
            for brand_id, rule_id, version, in_force_at, withdrawn, terms in look.rows(_RULES, RULES_MAX)
        ]
    )


def agreements(look: Snapshot) -> AuditAgreements:
    return AuditAgreements(
        agreements=[
            AuditAgreement(
                agreement_id=agreement_id,
                from_brand_id=source,
                to_brand_id=target,
                state=standing,
                ends_at=rfc3339_or_none(None if ends_at is None else ends_at * 1000),
                versions=json_value(versions),
            )
            for agreement_id, source, target, standing, ends_at, versions in look.rows(_AGREEMENTS, AGREEMENTS_MAX)
        ]
    )


def clearing(look: Snapshot, state: State, *, decimals: int | None) -> AuditClearing:
    """What brands owe each other, and what secures it."""
    return AuditClearing(
        obligations=[
            AuditObligation(
                debtor_id=debtor,
                creditor_id=creditor,
                outstanding=outstanding,
                decimals=decimals,
                block_number=number,
            )
            for debtor, creditor, outstanding, number in look.rows(_OBLIGATIONS, OBLIGATIONS_MAX)
        ],
        collateral=[
            AuditCollateral(brand_id=brand_id, collateral=collateral, decimals=decimals, in_default=bool(in_default))
            for brand_id, collateral, in_default in look.rows(_COLLATERAL, BRANDS_MAX)
        ],
        as_of=_as_of(look, state),
    )


def holds(look: Snapshot, state: State, *, cursor: str | None, limit: int) -> AuditHolds:
    now = moment(look)
    rows = look.rows(_HOLDS, cursors.key_place(now, cursor, shape=_hold_id), limit + 1)
    slugs = _slugs(look, 2)
    return AuditHolds(
        holds=[
            AuditHold(
                hold_id=hold_id,
                brand=slugs.get(brand_id),
                account=checksum(account),
                state=standing,
                points=points,
                captured=captured,
                refunded=refunded,
                hold_until=rfc3339(hold_until * 1000),
                placed_tx_hash=placed,
                block_number=number,
            )
            for hold_id, brand_id, account, standing, points, captured, refunded, hold_until, placed, number in rows[
                :limit
            ]
        ],
        next_cursor=cursors.told(now, rows[limit - 1][0]) if len(rows) > limit else None,
        as_of=_told(now, state),
    )


@dataclass(slots=True)
class Asked:
    """The operation up to which no other can appear any more, as far as this process knows."""

    settled: int = 0


async def operations(state: State, *, cursor: str | None, limit: int) -> AuditOperations:
    """Operations in the order in which they were asked for, without what was asked.

    A page ends before what may still change: an operation that is being written, with a lower number than one that is
    there already, would be passed over for good.
    """
    after, asked, reads = 0 if cursor is None else cursors.number(cursor), state.singleton(Asked), state.database.reads

    def page(look: Snapshot) -> Sequence[Row]:
        if after > _ASKED.last(look):
            raise CursorExpired(cursors.AGAIN, cursor=str(after))
        return look.rows(_OPERATIONS, after, asked.settled, limit + 1)

    rows = await reads.off_loop(page)
    if len(rows) <= limit:
        settled = await _ASKED.settled(reads)
        if settled is None:
            raise PageUnsettled("Operations of this page are still being written; ask again in a moment.")
        asked.settled = max(asked.settled, settled)
        rows = await reads.off_loop(page)
    slugs = await reads.off_loop(lambda look: _slugs(look, 2))
    return _told_operations(rows, limit, slugs)


def _told_operations(rows: Sequence[Row], limit: int, slugs: Mapping[str, str]) -> AuditOperations:
    return AuditOperations(
        operations=[
            AuditOperation(
                id=str(row[0]),
                kind=row[1],
                brand=slugs.get(str(row[2]), str(row[2])),
                operation_id=row[3],
                state=row[4],
                error=row[5],
                tx_hash=row[6],
                block_number=row[7],
                log_index=row[8],
                created_at=rfc3339(row[9]),
                updated_at=rfc3339(row[10]),
            )
            for row in rows[:limit]
        ],
        next_cursor=str(rows[limit - 1][0]) if len(rows) > limit else None,
    )


def keys(look: Snapshot, *, cursor: str | None, limit: int) -> AuditKeys:
    """Every key that was ever made, without its secret."""
    if cursor is not None and not _key_id(cursor):
        raise CursorMalformed(cursors.NOT_OURS, cursor=cursor[: cursors.SHOWN_MAX])
    if cursor is not None and look.row(_KEY, cursor) is None:
        raise CursorExpired(cursors.AGAIN, cursor=cursor)
    rows = look.rows(_KEYS, cursor or "", limit + 1)
    return AuditKeys(
        keys=[
            AuditKey(
                id=key_id,
                role=ROLES[kind],
                brand=brand,
                created_at=rfc3339(created_at_ms),
                revoked_at=rfc3339_or_none(revoked_at_ms),
            )
            for key_id, kind, brand, created_at_ms, revoked_at_ms in rows[:limit]
        ],
        next_cursor=str(rows[limit - 1][0]) if len(rows) > limit else None,
    )


def _told_balances(
    look: Snapshot, state: State, now: Moment, rows: Sequence[Row], limit: int, *, of: int
) -> AuditBalances:
    """of: the column by which the page is ordered."""
    slugs = _slugs(look, 1)
    return AuditBalances(
        balances=[
            AuditBalance(
                brand=slugs.get(token, token),
                account=checksum(account),
                points=points,
                lots=lots,
                block_number=block_number,
                log_index=log_index,
            )
            for token, account, points, lots, block_number, log_index in rows[:limit]
        ],
        next_cursor=cursors.told(now, rows[limit - 1][of]) if len(rows) > limit else None,
        as_of=_told(now, state),
    )


def _entry(row: Row, slugs: dict[str, str]) -> AuditEntry:
    return AuditEntry(
        id=str(row[0]),
        brand=slugs.get(row[1]),
        token=checksum(row[1]),
        account=checksum(row[2]),
        kind=row[3],
        points=row[4],
        held_delta=row[5],
        at=rfc3339(row[6] * 1000),
        tx_hash=row[7],
        block_number=row[8],
        block_hash=row[9],
        log_index=None if row[7] is None else row[10],
        contract=checksum(row[11]),
        operation_id=row[12],
        detail=json_value(row[13]),
    )


def _slugs(look: Snapshot, of: int) -> dict[str, str]:
    """Token (1) or registry id (2) of each brand, as text → slug."""
    return {str(row[of]): row[0] for row in look.rows(_SLUGS, BRANDS_MAX)}


def _token(look: Snapshot, slug: str) -> str:
    for found, token, _ in look.rows(_SLUGS, BRANDS_MAX):
        if found == slug:
            return str(token)
    raise BrandUnknown(f"No brand is called {slug}.", brand=slug)


def _as_of(look: Snapshot, state: State) -> AsOf:
    return _told(moment(look), state)


def _told(now: Moment, state: State) -> AsOf:
    told: dict[str, Any] = now.told(state)
    return AsOf(**told)
