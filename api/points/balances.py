"""What a member can spend now, for refusals that come before the chain's own."""

from __future__ import annotations

from sqlalchemy import text
from sqlmodel import Session, col, select

from api.kit.addresses import checksum
from api.kit.clock import now_ms
from api.points.errors import ERC20InsufficientBalance
from chain.contracts import lots
from chain.mirror.models import Balance, BrandToken, MirrorCheckpoint
from chain.outbox.models import OPEN_OPERATION, Operation

OPEN_STATES = ("queued", "assigned", "sent", "mined")


def now_s(session: Session) -> int:
    """The second it is: ours, or the chain's when its clock is ahead."""
    block_time = session.exec(select(MirrorCheckpoint.block_time).where(MirrorCheckpoint.id == 1)).one_or_none()
    return max(now_ms() // 1000, block_time or 0)


def refuse_shortage(session: Session, *, token: str, address: str, points: int) -> None:
    """Raises ERC20InsufficientBalance when the mirror knows that the member has too little.

    While something of the member's is still under way the contract decides: what is on the way may suffice.
    """
    open_operation = session.exec(
        select(Operation.id).where(col(Operation.lane) == address, text(OPEN_OPERATION)).limit(1)
    ).first()
    if open_operation is not None:
        return
    row = session.exec(
        select(Balance.lots, BrandToken)
        .join(BrandToken, col(BrandToken.token) == col(Balance.token))
        .where(Balance.token == token, Balance.account == address)
    ).one_or_none()
    has = 0 if row is None else lots.spendable(row[0], lots.clock_of(row[1]), now_s(session))
    if has < points:
        raise ERC20InsufficientBalance(
            f"The member has {has} spendable points here, {points} were asked for.",
            sender=checksum(address),
            balance=str(has),
            needed=str(points),
        )
