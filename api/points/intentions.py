"""What became of something that was asked once: looked up by its idempotency key, or made sure never to count.

Whoever lost the answer asks here before asking for anything else. Looking changes nothing; withdrawing takes the key,
so that a request that is still on its way is refused when it comes.
"""

from __future__ import annotations

import orjson
from sqlmodel import Session

from api.auth.callers import MemberCaller
from api.points import exchanges, holds
from api.points.operations import told_operation_of
from api.points.schemas import IntentionPublic, IntentionState
from api.writes import idempotency
from chain.outbox import operations


def told(session: Session, *, caller: MemberCaller, key: str) -> IntentionPublic:
    """How what the member asked under this key stands now."""
    row = idempotency.known(session, principals=(caller.principal, *caller.principals), key=key)
    if row is None:
        return IntentionPublic(key=key, state="unknown")
    if row.route == idempotency.WITHDRAWN:
        return IntentionPublic(key=key, state="withdrawn")
    answer = orjson.loads(row.answer) if row.answer else {}
    if "operation" not in answer:
        return IntentionPublic(key=key, state="confirmed")  # Something that needs no chain: done when it was answered.
    operation = told_operation_of(session, int(answer["operation"]["id"]))
    states: dict[str, IntentionState] = {operations.CONFIRMED: "confirmed", operations.FAILED: "refused"}
    id = str(answer.get("id", ""))
    return IntentionPublic(
        key=key,
        state=states.get(operation.state, "settling"),
        operation=operation,
        hold=holds.to_public(session, holds.hold_by_id(session, hold_id=id)) if id.startswith("hold_") else None,
        exchange=(
            exchanges.to_public(session, exchanges.exchange_of(session, exchange_id=id))
            if id.startswith("exc_")
            else None
        ),
    )


def withdraw(session: Session, *, caller: MemberCaller, key: str) -> IntentionPublic:
    """Takes the key, unless it counted already: then how that stands, unchanged."""
    idempotency.withdraw(session, principal=caller.principal, person=caller.principals, key=key)
    return told(session, caller=caller, key=key)
