"""The states of operations and transactions, and every step between them that may ever happen.

Whoever writes a state names the states it may follow in the WHERE of its UPDATE, taken from here: a step that is not
in these tables cannot be written, whoever asks for it and however often. The tables are drawn in chain/README.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chain.base.errors import TransitionForbidden

LOCKED: Final = "locked"
QUEUED: Final = "queued"
ASSIGNED: Final = "assigned"
SENT: Final = "sent"
MINED: Final = "mined"
CONFIRMED: Final = "confirmed"
FAILED: Final = "failed"
WAITING: Final = "waiting"
CANCELLED: Final = "cancelled"

SIGNED: Final = "signed"
FILLING: Final = "filling"
REVERTED: Final = "reverted"
FILLED: Final = "filled"
LOST: Final = "lost"


@dataclass(frozen=True)
class Steps:
    """What may follow what. `noun` is whose states they are."""

    noun: str
    steps: Mapping[str, frozenset[str]]

    def before(self, after: str) -> tuple[str, ...]:
        """The states from which `after` may follow, in the order of the table."""
        return tuple(state for state, following in self.steps.items() if after in following)

    def check(self, before: str, after: str) -> None:
        """Raises TransitionForbidden when the table does not have the step."""
        if after not in self.steps[before]:
            raise TransitionForbidden(before, after)


# From queued to mined or confirmed: someone else submitted it; to failed: it cannot succeed and costs nothing. Back to
# sent: a reorg. Back to queued: its nonce was spent on something else, or a reorg took a stranger's transaction. From
# failed to mined or confirmed: it counted after all, by another transaction. What counted never fails: a reorg takes
# it back first. Waiting: refused for what passes, to be queued again by itself. From failed to queued: sent again.
# Locked: not to be sent before its second. Cancelled: what it is for came back before that, and nothing follows.
OPERATION: Final = Steps(
    "operation",
    {
        LOCKED: frozenset({QUEUED, MINED, CONFIRMED, CANCELLED}),
        QUEUED: frozenset({ASSIGNED, MINED, CONFIRMED, FAILED, WAITING}),
        ASSIGNED: frozenset({SENT, MINED, CONFIRMED, FAILED, WAITING, QUEUED}),
        SENT: frozenset({MINED, CONFIRMED, FAILED, WAITING, QUEUED}),
        MINED: frozenset({CONFIRMED, SENT, QUEUED, LOCKED}),
        CONFIRMED: frozenset({SENT, QUEUED, LOCKED}),
        FAILED: frozenset({MINED, CONFIRMED, SENT, QUEUED, LOCKED}),
        WAITING: frozenset({MINED, CONFIRMED, SENT, QUEUED, LOCKED, FAILED}),
        CANCELLED: frozenset(),
    },
)

# filling: the nonce shall be spent on nothing, because its transaction can never be sent or the chain lacks it. lost: a
# stranger used the nonce. Back to sent or filling: a reorg.
TRANSACTION: Final = Steps(
    "transaction",
    {
        ASSIGNED: frozenset({SIGNED, FILLING, LOST}),
        SIGNED: frozenset({SENT, MINED, REVERTED, FILLING, LOST}),
        SENT: frozenset({MINED, REVERTED, FILLING, LOST}),
        FILLING: frozenset({FILLED, MINED, REVERTED, LOST}),
        MINED: frozenset({SENT}),
        REVERTED: frozenset({SENT}),
        FILLED: frozenset({FILLING}),
        LOST: frozenset({FILLING}),
    },
)
