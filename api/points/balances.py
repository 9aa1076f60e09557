"""What a member can spend now, for refusals that come before the chain's own."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlmodel import Session, col, select

from api.kit.addresses import checksum
from api.kit.clock import now_ms
from api.points.errors import ERC20InsufficientBalance, PointsApart
from chain.base.scalars import Address, BaseUnits
from chain.contracts import lots
from chain.mirror.queries import balances
from chain.mirror.queries.checkpoint import checkpoint
from chain.outbox.models import OPEN_OPERATION, Operation
from chain.storage.looks import looking

OPEN_STATES = ("queued", "assigned", "sent", "mined")


def now_s(session: Session) -> int:
    """The second it is: ours, or the chain's when its clock is ahead."""
    at = checkpoint(looking(session))
    return max(now_ms() // 1000, 0 if at is None else at.block_time)


def payer(
    session: Session, *, token: Address, members: Sequence[tuple[str, Address]], points: BaseUnits
) -> tuple[str, Address]:
    """(id, address) of the one of these members, who are one person, whose points suffice.

    Raises PointsApart when only several addresses together have enough; ERC20InsufficientBalance when all have not.
    """
    if len(members) == 1:
        refuse_shortage(session, token=token, address=members[0][1], points=points)
        return members[0]
    has = {one: _spendable(session, token, one[1]) for one in members}
    enough = [one for one in members if has[one] >= points]
    if enough:
        return enough[0]
    moving = [one for one in members if _is_moving(session, one[1])]
    if moving:
        # The contract decides: what is on the way may suffice.
        return max(moving, key=lambda one: has[one])
    total, most = sum(has.values()), max(has.values())
    if total >= points:
        raise PointsApart(
            f"{total} points lie at {len(members)} addresses; at most {most} can be spent at once.",
            balance=str(total),
            most=str(most),
            needed=str(points),
        )
    raise _shortage(members[0][1], total, points)


def refuse_shortage(session: Session, *, token: Address, address: Address, points: BaseUnits) -> None:
    """Raises ERC20InsufficientBalance when the mirror knows that the member has too little.

    While something of the member's is still under way the contract decides: what is on the way may suffice.
    """
    if _is_moving(session, address):
        return
    has = _spendable(session, token, address)
    if has < points:
        raise _shortage(address, has, points)


def _is_moving(session: Session, address: Address) -> bool:
    mine = col(Operation.ordering_key) == address
    found = select(Operation.id).where(mine, text(OPEN_OPERATION)).order_by(col(Operation.id)).limit(1)
    return session.exec(found).first() is not None


def _spendable(session: Session, token: Address, address: Address) -> int:
    held = balances.one(looking(session), token=token, account=address)
    return 0 if held is None else lots.spendable(held.lots, held.clock, now_s(session))


def _shortage(address: Address, has: int, points: int) -> ERC20InsufficientBalance:
    return ERC20InsufficientBalance(
        f"The member has {has} spendable points here, {points} were asked for.",
        sender=checksum(address),
        balance=str(has),
        needed=str(points),
    )
