"""The ledger for auditors, from one snapshot a page. No statement here touches a table of members."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

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
from api.kit.database import Snapshot
from api.kit.following import Followed
from api.members.errors import BrandUnknown
from api.members.service import ROLES
from api.views import cursors
from api.views.as_of import moment, to_public
from api.views.errors import CursorExpired, CursorMalformed, PageUnsettled
from api.views.schemas import AsOf
from chain.base.scalars import Address
from chain.mirror.queries import balances as held
from chain.mirror.queries import brands as mirrored
from chain.mirror.queries import clearing as house
from chain.mirror.queries import entries as lines
from chain.mirror.queries import holds as set_aside
from chain.mirror.queries import programmes, supply
from chain.mirror.queries.checkpoint import Checkpoint
from chain.mirror.queries.entries import Entry

T = TypeVar("T")
BRANDS_MAX = 1_000
RULES_MAX = 10_000
AGREEMENTS_MAX = 10_000
OBLIGATIONS_MAX = 100_000
_address = re.compile(r"0x[0-9a-f]{40}", re.ASCII).fullmatch
_hold_id = re.compile(r"0x[0-9a-f]{64}", re.ASCII).fullmatch
_key_id = re.compile(r"[0-9a-f]{12}", re.ASCII).fullmatch

_BRANDS = "SELECT slug, name, registry_id, token, currency, decimals FROM brand ORDER BY slug LIMIT ?"
_SLUGS = "SELECT slug, token, registry_id FROM brand ORDER BY slug LIMIT ?"
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
    status = {str(token.brand_id): token.status for token in mirrored.all_tokens(look, limit=BRANDS_MAX)}
    totals = supply.totals(look, limit=BRANDS_MAX)
    told = []
    for slug, name, number, token, currency, decimals in look.rows(_BRANDS, BRANDS_MAX):
        total = totals.get(token)
        told.append(
            AuditBrand(
                slug=slug,
                name=name,
                brand_id=str(number),
                token=checksum(token),
                currency=currency,
                decimals=decimals,
                status=status.get(str(number)),
                minted="0" if total is None else total.minted,
                burnt="0" if total is None else total.burnt,
            )
        )
    return AuditBrands(brands=told, as_of=_as_of(look, state))


def balances(look: Snapshot, state: State, *, slug: str, cursor: str | None, limit: int) -> AuditBalances:
    """Every account that ever held points of a brand, in the order of their addresses."""
    now = moment(look)
    after = cursors.key_place(now, cursor, shape=_address)
    rows = held.of_token(look, token=_token(look, slug), after=after, limit=limit + 1)
    return _balances_to_public(look, state, now, rows, limit, [row.account for row in rows])


def balances_of(look: Snapshot, state: State, *, account: str, cursor: str | None, limit: int) -> AuditBalances:
    """What an account holds of every brand."""
    now = moment(look)
    after = cursors.key_place(now, cursor, shape=_address)
    rows = held.of_account(look, account=Address(account.lower()), after=after, limit=limit + 1)
    return _balances_to_public(look, state, now, rows, limit, [row.token for row in rows])


def entries(
    look: Snapshot, state: State, *, slug: str | None, account: str | None, cursor: str | None, limit: int
) -> AuditEntries:
    """Entries of all, of a brand or of an account, the oldest first, so that they can be followed."""
    now = moment(look)
    after = cursors.entry_place(look, now, cursor, first=0)
    whose = None if account is None else Address(account.lower())
    token = _token(look, slug) if slug is not None and account is None else None
    rows = lines.page(look, after=after, limit=limit + 1, account=whose, token=token)
    slugs = _slugs(look, 1)
    return AuditEntries(
        entries=[_entry(row, slugs) for row in rows[:limit]],
        next_cursor=cursors.told(now, rows[limit - 1].seq) if len(rows) > limit else None,
        as_of=_told(now, state),
    )


def rules(look: Snapshot) -> AuditRules:
    """Every version of every rule that was ever published."""
    slugs = _slugs(look, 2)
    return AuditRules(
        rules=[
            AuditRule(
                brand=slugs.get(rule.brand_id),
                brand_id=rule.brand_id,
                rule_id=rule.rule_id,
                version=rule.version,
                in_force_at=rfc3339(rule.in_force_at * 1000),
                withdrawn=rule.withdrawn,
                terms=rule.terms,
            )
            for rule in programmes.rules(look, limit=RULES_MAX)
        ]
    )


def agreements(look: Snapshot) -> AuditAgreements:
    return AuditAgreements(
        agreements=[
            AuditAgreement(
                agreement_id=found.agreement_id,
                from_brand_id=found.from_brand_id,
                to_brand_id=found.to_brand_id,
                state=found.state,
                ends_at=rfc3339_or_none(None if found.ends_at is None else found.ends_at * 1000),
                versions=found.versions,
            )
            for found in programmes.agreements(look, limit=AGREEMENTS_MAX)
        ]
    )


def clearing(look: Snapshot, state: State, *, decimals: int | None) -> AuditClearing:
    """What brands owe each other, and what secures it."""
    return AuditClearing(
        obligations=[
            AuditObligation(**owed._asdict(), decimals=decimals)
            for owed in house.obligations(look, limit=OBLIGATIONS_MAX)
        ],
        collateral=[
            AuditCollateral(**laid_down._asdict(), decimals=decimals)
            for laid_down in house.collateral(look, limit=BRANDS_MAX)
        ],
        as_of=_as_of(look, state),
    )


def holds(look: Snapshot, state: State, *, cursor: str | None, limit: int) -> AuditHolds:
    now = moment(look)
    rows = set_aside.page(look, after=cursors.key_place(now, cursor, shape=_hold_id), limit=limit + 1)
    slugs = _slugs(look, 2)
    return AuditHolds(
        holds=[
            AuditHold(
                hold_id=hold.hold_id,
                brand=slugs.get(hold.brand_id),
                account=checksum(hold.account),
                state=hold.state,
                points=hold.points,
                captured=hold.captured,
                refunded=hold.refunded,
                hold_until=rfc3339(hold.hold_until * 1000),
                placed_tx_hash=hold.placed_tx_hash,
                block_number=hold.block_number,
            )
            for hold in rows[:limit]
        ],
        next_cursor=cursors.told(now, rows[limit - 1].hold_id) if len(rows) > limit else None,
        as_of=_told(now, state),
    )


class Operation(NamedTuple):
    """A row of _OPERATIONS."""

    id: int
    kind: str
    brand: int
    operation_id: str | None
    state: str
    error: str | None
    tx_hash: str | None
    block_number: int | None
    log_index: int | None
    created_at_ms: int
    updated_at_ms: int


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

    def page(look: Snapshot) -> Sequence[Operation]:
        if after > _ASKED.last(look):
            raise CursorExpired(cursors.AGAIN, cursor=str(after))
        return [Operation(*row) for row in look.rows(_OPERATIONS, after, asked.settled, limit + 1)]

    rows = await reads.off_loop(page)
    if len(rows) <= limit:
        settled = await _ASKED.settled(reads)
        if settled is None:
            raise PageUnsettled("Operations of this page are still being written; ask again in a moment.")
        asked.settled = max(asked.settled, settled)
        rows = await reads.off_loop(page)
    slugs = await reads.off_loop(lambda look: _slugs(look, 2))
    return _operations_to_public(rows, limit, slugs)


def _operations_to_public(rows: Sequence[Operation], limit: int, slugs: Mapping[str, str]) -> AuditOperations:
    return AuditOperations(
        operations=[
            AuditOperation(
                id=str(row.id),
                kind=row.kind,
                brand=slugs.get(str(row.brand), str(row.brand)),
                operation_id=row.operation_id,
                state=row.state,
                error=row.error,
                tx_hash=row.tx_hash,
                block_number=row.block_number,
                log_index=row.log_index,
                created_at=rfc3339(row.created_at_ms),
                updated_at=rfc3339(row.updated_at_ms),
            )
            for row in rows[:limit]
        ],
        next_cursor=str(rows[limit - 1].id) if len(rows) > limit else None,
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


def _balances_to_public(
    look: Snapshot, state: State, now: Checkpoint, rows: Sequence[held.Balance], limit: int, places: Sequence[str]
) -> AuditBalances:
    """places: by what the page is ordered, of each row."""
    slugs = _slugs(look, 1)
    return AuditBalances(
        balances=[
            AuditBalance(
                brand=slugs.get(row.token, row.token),
                account=checksum(row.account),
                points=row.points,
                lots=row.lots,
                block_number=row.block_number,
                log_index=row.log_index,
            )
            for row in rows[:limit]
        ],
        next_cursor=cursors.told(now, places[limit - 1]) if len(rows) > limit else None,
        as_of=_told(now, state),
    )


def _entry(entry: Entry, slugs: dict[str, str]) -> AuditEntry:
    return AuditEntry(
        id=str(entry.seq),
        brand=slugs.get(entry.token),
        token=checksum(entry.token),
        account=checksum(entry.account),
        kind=entry.kind,
        points=entry.points,
        held_delta=entry.held,
        at=rfc3339(entry.block_time * 1000),
        tx_hash=entry.tx_hash,
        block_number=entry.block_number,
        block_hash=entry.block_hash,
        log_index=entry.event_index,
        contract=checksum(entry.contract),
        operation_id=entry.operation_id,
        detail=entry.detail,
    )


def _slugs(look: Snapshot, of: int) -> dict[str, str]:
    """Token (1) or registry id (2) of each brand, as text → slug."""
    return {str(row[of]): row[0] for row in look.rows(_SLUGS, BRANDS_MAX)}


def _token(look: Snapshot, slug: str) -> Address:
    for found, token, _ in look.rows(_SLUGS, BRANDS_MAX):
        if found == slug:
            return Address(token)
    raise BrandUnknown(f"No brand is called {slug}.", brand=slug)


def _as_of(look: Snapshot, state: State) -> AsOf:
    return _told(moment(look), state)


def _told(now: Checkpoint, state: State) -> AsOf:
    return AsOf(**to_public(now, state))
