"""Holds looked up: a member's own as a list, a brand's by the code that a member reads out."""

from __future__ import annotations

from sqlalchemy import and_, or_
from sqlmodel import Session, col, select

from api.auth.callers import BrandCaller, MemberCaller
from api.members import service as identity
from api.points import codes, holds
from api.points.errors import HoldCodeWrong, HoldUnknown
from api.points.models import HoldRequest
from api.points.schemas import HoldPage, HoldPublic


def of_member(session: Session, *, caller: MemberCaller, cursor: str | None, limit: int) -> HoldPage:
    """A page of the member's holds over all brands, the newest first."""
    wanted = select(HoldRequest).where(col(HoldRequest.member_id).in_(caller.member_ids))
    if cursor is not None:
        at_ms, _, id = cursor.partition("-")
        at, before = int(at_ms), col(HoldRequest.created_at_ms)
        wanted = wanted.where(or_(before < at, and_(before == at, col(HoldRequest.id) < f"hold_{id}")))
    order = (col(HoldRequest.created_at_ms).desc(), col(HoldRequest.id).desc())
    found = session.exec(wanted.order_by(*order).limit(limit + 1)).all()
    shown = found[:limit]
    return HoldPage(
        holds=[holds.to_public(session, one) for one in shown],
        next_cursor=_place(shown[-1]) if len(found) > limit else None,
    )


def by_code(session: Session, *, caller: BrandCaller, code: str) -> HoldPublic:
    """The brand's newest hold that has this code; HoldUnknown for another brand's as for nobody's."""
    if not codes.is_code(code):
        raise HoldCodeWrong("The digits do not agree; one of them was misread or mistyped.", code=code)
    found = session.exec(
        select(HoldRequest)
        .where(HoldRequest.brand == identity.brand_of(session, caller.registry_id).slug, HoldRequest.code == code)
        .order_by(col(HoldRequest.created_at_ms).desc(), col(HoldRequest.id).desc())
        .limit(1)
    ).first()
    if found is None:
        raise HoldUnknown("There is no such hold of yours.", code=code)
    return holds.to_public(session, found)


def _place(request: HoldRequest) -> str:
    return f"{request.created_at_ms}-{request.id.removeprefix('hold_')}"
