"""What a member can spend now, for refusals that come before the chain's own."""

from __future__ import annotations

from sqlalchemy import text
from sqlmodel import Session, col, select

from api.kit.addresses import checksum
from api.kit.clock import now_ms
from api.points.errors import ERC20InsufficientBalance
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


def refuse_shortage(session: Session, *, token: Address, address: Address, points: BaseUnits) -> None:
    """Raises ERC20InsufficientBalance when the mirror knows that the member has too little.

    While something of the member's is still under way the contract decides: what is on the way may suffice.
    """
    open_operation = session.exec(
        select(Operation.id).where(col(Operation.ordering_key) == address, text(OPEN_OPERATION)).limit(1)
    ).first()
    if open_operation is not None:
        return
    held = balances.one(looking(session), token=token, account=address)
    has = 0 if held is None else lots.spendable(held.lots, held.clock, now_s(session))
    if has < points:
        raise ERC20InsufficientBalance(
            f"The member has {has} spendable points here, {points} were asked for.",
            sender=checksum(address),
            balance=str(has),
            needed=str(points),
        )
