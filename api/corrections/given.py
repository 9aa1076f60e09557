"""Corrections as they stand, for the brand and for the member. Nobody here commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import tuple_
from sqlmodel import Session, col, select

from api.auth.callers import MemberCaller
from api.corrections.errors import CorrectionUnknown
from api.corrections.models import Correction
from api.corrections.schemas import CorrectionList, CorrectionPublic, CorrectionTold, MyCorrection, MyCorrectionList
from api.kit.addresses import checksum
from api.kit.clock import rfc3339
from api.members import service as identity
from api.points.balances import now_s
from api.points.operations import told_operation_of
from api.vault.sealing import Vault
from chain.contracts.authorisation import Domain
from chain.outbox import operations

REASON: Final = "correction/reason"
WAITING, WITHDRAWN, REFUSED, ASKED = "waiting", "withdrawn", "refused", "asked"
EXPIRED: Final = "expired"
TYPES: Final = {
    "EIP712Domain": [
        {"name": "name", "type": "string"},
        {"name": "version", "type": "string"},
        {"name": "chainId", "type": "uint256"},
        {"name": "verifyingContract", "type": "address"},
    ],
    "Correction": [
        {"name": "brandId", "type": "uint256"},
        {"name": "operationId", "type": "uint256"},
        {"name": "ruleId", "type": "uint256"},
        {"name": "member", "type": "address"},
        {"name": "baseAmount", "type": "uint256"},
        {"name": "deadline", "type": "uint256"},
    ],
}


def find(session: Session, *, brand: int, id: str, locked: bool = False) -> Correction:
    """A brand's correction, or CorrectionUnknown."""
    slug = identity.brand_of(session, brand).slug
    wanted = select(Correction).where(Correction.id == id, Correction.brand == slug)
    found = session.exec(wanted.with_for_update() if locked else wanted).one_or_none()
    if found is None:
        raise CorrectionUnknown(f"{slug} has no correction {id}.", id=id)
    return found


def state_of(session: Session, row: Correction) -> str:
    """Its state; what waited too long is expired, though no row says so."""
    return EXPIRED if row.state == WAITING and is_over(session, row) else row.state


def is_to_sign(session: Session, row: Correction) -> bool:
    """Whether a second one decides, if there is time: it waits, or the ledger refused what was signed before."""
    if row.state == WAITING:
        return True
    if row.operation is None or row.operation_id is None:
        return False
    found = operations.get(session.connection(), row.operation)
    return found is not None and found.state == operations.FAILED


def is_over(session: Session, row: Correction) -> bool:
    """Whether the second in which what is signed may be sent has passed."""
    return row.deadline is not None and now_s(session) > row.deadline


def told(session: Session, row: Correction) -> CorrectionPublic:
    return CorrectionPublic(**_plain(session, row))


def told_whole(session: Session, vault: Vault, row: Correction, *, brand: int, domain: Domain | None) -> CorrectionTold:
    """With the reason; domain: of what a second one signs, where one is waited for."""
    to_sign = None
    if domain is not None and is_to_sign(session, row) and not is_over(session, row):
        to_sign = {
            "domain": {
                "name": domain.name,
                "version": domain.version,
                "chainId": domain.chain_id,
                "verifyingContract": checksum(domain.contract),
            },
            "types": TYPES,
            "primaryType": "Correction",
            "message": message(row, brand=brand),
        }
    reason = vault.open(row.member_id, REASON, row.reason)
    return CorrectionTold(**_plain(session, row), reason=reason, to_sign=to_sign)


def message(row: Correction, *, brand: int) -> dict[str, str]:
    """The struct that is signed, its numbers as decimal text."""
    return {
        "brandId": str(brand),
        "operationId": str(row.operation_id),
        "ruleId": str(row.rule),
        "member": checksum(row.address),
        "baseAmount": row.points,
        "deadline": str(row.deadline),
    }


def page(session: Session, *, brand: int, state: str | None, cursor: str | None, limit: int) -> CorrectionList:
    """A brand's, the newest first. `waiting` and `expired` are told apart by the second it is."""
    slug = identity.brand_of(session, brand).slug
    wanted = select(Correction).where(Correction.brand == slug)
    if state is not None:
        wanted = wanted.where(Correction.state == (WAITING if state == EXPIRED else state))
    if state in (WAITING, EXPIRED):
        now = now_s(session)
        wanted = wanted.where(col(Correction.deadline) >= now if state == WAITING else col(Correction.deadline) < now)
    rows, following = _page(session, wanted, cursor, limit)
    return CorrectionList(corrections=[told(session, row) for row in rows], next_cursor=following)


def mine(session: Session, vault: Vault, *, caller: MemberCaller, cursor: str | None, limit: int) -> MyCorrectionList:
    """What the member was given by hand, by every brand: what was asked of the ledger, never what is only wanted."""
    wanted = select(Correction).where(
        col(Correction.member_id).in_(caller.member_ids), col(Correction.operation).is_not(None)
    )
    rows, following = _page(session, wanted, cursor, limit)
    told_ = [
        MyCorrection(
            id=row.id,
            brand=row.brand,
            reference=row.reference,
            points=row.points,
            purpose=row.purpose,
            reason=vault.open(row.member_id, REASON, row.reason),
            asked_at=rfc3339(row.asked_at_ms),
            operation=told_operation_of(session, row.operation or 0),
        )
        for row in rows
    ]
    return MyCorrectionList(corrections=told_, next_cursor=following)


def _page(session: Session, wanted: Any, cursor: str | None, limit: int) -> tuple[Sequence[Correction], str | None]:
    """cursor: the id of the last one told; one that is gone, or another's, begins nothing."""
    if cursor is not None:
        last = session.get(Correction, cursor)
        if last is None:
            raise CorrectionUnknown("There is no correction at which this page could go on.", id=cursor)
        before = tuple_(col(Correction.asked_at_ms), col(Correction.id)) < (last.asked_at_ms, last.id)
        wanted = wanted.where(before)
    ordered = wanted.order_by(col(Correction.asked_at_ms).desc(), col(Correction.id).desc())
    rows = session.exec(ordered.limit(limit + 1)).all()
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def _plain(session: Session, row: Correction) -> dict[str, Any]:
    return {
        "id": row.id,
        "reference": row.reference,
        "member": row.member_id,
        "points": row.points,
        "purpose": row.purpose,
        "state": state_of(session, row),
        "rule": str(row.rule),
        "asked_by": row.asked_by,
        "decided_by": row.decided_by,
        "asked_at": rfc3339(row.asked_at_ms),
        "decided_at": None if row.decided_at_ms is None else rfc3339(row.decided_at_ms),
        "approve_until": None if row.deadline is None else rfc3339(row.deadline * 1000),
        "operation": None if row.operation is None else told_operation_of(session, row.operation),
    }
