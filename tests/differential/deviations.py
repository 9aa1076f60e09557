"""Planted mistakes: the model made wrong in one rule, which a replay of the record must notice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from chain.model import access, agreements, clearing, clock, desk, lots, rules, token
from chain.model.call import Call
from chain.model.clock import FOREVER
from chain.model.ledger import Ledger
from chain.model.lots import Lots
from tests.differential.steps import apply
from tests.differential.world import TwoSides


def newest_first(held: Lots, points: int) -> Lots:
    """The wrong lot order."""
    return lots.newest(held, points)


def epoch_late(self: clock.Clock, at: int) -> int:
    """The expiry edge one second late."""
    return 0 if self.stands else (at - 1 - self.origin) // self.epoch_s


def refund_twice(self: desk.Desk, call: Call, hold_id: str, points: int, refunded_before: int) -> Any:
    """A refund that does not count against the capture."""
    back = REFUND(self, call, hold_id, points, refunded_before)
    self.holds[hold_id].refunded -= points
    return back


def any_caller(self: access.Announcements, call: Call, role: int, *, undelayed: bool = False) -> Callable[[], None]:
    """No role is asked for."""
    return lambda: None


def rounded_up(self: agreements.AgreementTerms, points_in: int, carry: int) -> agreements.Given:
    """The gross rounded up, in the caller's favour."""
    gross = -(-points_in * self.numerator // self.denominator)
    fee = -(-gross * self.fee_bps // agreements.BPS)
    return agreements.Given(gross - fee, fee, -(-gross * self.value_numerator // self.value_denominator), 0)


def each_rounded(self: agreements.AgreementTerms, points_in: int, carry: int) -> agreements.Given:
    """The obligation rounded up in each exchange."""
    return GIVE(self, points_in, 0)


def grace_twice(self: token.Token, member: str, held: Lots, at: int) -> Any:
    """A lot that has its grace again and again."""
    renewed, _ = GRACED(self, member, held, at)
    return renewed, {}


def no_window(self: desk.Desk, brand_id: int, at: int) -> int:
    """Captures that may be refunded for ever."""
    return FOREVER // 2


def owed_both_ways(self: clearing.Clearing, debtor_id: int, creditor_id: int, amount: int, exchange_id: str) -> None:
    """Debts both ways stand beside each other."""
    self.obligations[debtor_id, creditor_id] = self.obligation_of(debtor_id, creditor_id) + amount
    self.account_of(debtor_id).owed += amount
    outstanding = self.obligation_of(debtor_id, creditor_id)
    self.journal.say(clearing.CLEARING, "ObligationBooked", debtor_id, creditor_id, exchange_id, amount, outstanding)


def reused_id(self: rules.Rules, brand_id: int, operation_id: int) -> bool:
    """An operation id that counts again."""
    return False


def no_deadline(
    self: access.Nonces, call: Call, member: str, nonce: int, deadline: int, signature: access.Signature
) -> None:
    """An authorisation without end."""
    NONCES(self, call, member, nonce, FOREVER, signature)


def wrong_sign(self: clearing.Clearing, brand_ids: list[int]) -> tuple[list[int], int]:
    """Who owes receives."""
    positions, gross = POSITIONS(self, brand_ids)
    return [-position for position in positions], gross


def grace_to_the_epoch(self: clock.Clock, at: int) -> int:
    """Captures that are in time until the end of the epoch in which the grace ends."""
    return 0 if self.stands else max(0, (at - self.origin - self.grace_s) // self.epoch_s - 1)


def no_budget(self: rules.Rules, rule: Any, terms: Any, member: str, points: int, at: int) -> None:
    """Neither the member's day nor the budget."""


def desk_keeps(self: token.Token, member: str, held: Lots, at: int) -> token.Back:
    """A release that forgets the member."""
    return BACK(self, self.desk, held, at)


REFUND, NONCES, POSITIONS = desk.Desk.refund, access.Nonces.check, clearing.Clearing.positions_of
BACK, GRACED = token.Token.give_back, token.Token._graced
GIVE = agreements.AgreementTerms.give

DEVIATIONS: dict[str, tuple[Any, str, Any]] = {
    "lot order": (lots, "oldest", newest_first),
    "expiry edge": (clock.Clock, "epoch", epoch_late),
    "double refund": (desk.Desk, "refund", refund_twice),
    "missing role": (access.Announcements, "check", any_caller),
    "rounding up": (agreements.AgreementTerms, "give", rounded_up),
    "reused operation id": (rules.Rules, "is_operation_used", reused_id),
    "unchecked deadline": (access.Nonces, "check", no_deadline),
    "netting sign": (clearing.Clearing, "positions_of", wrong_sign),
    "grace at the edge": (clock.Clock, "too_late", grace_to_the_epoch),
    "grace given twice": (token.Token, "_graced", grace_twice),
    "refunds without end": (desk.Desk, "refund_window_of", no_window),
    "debts both ways": (clearing.Clearing, "_add", owed_both_ways),
    "obligation rounded each time": (agreements.AgreementTerms, "give", each_rounded),
    "no budget": (rules.Rules, "_check_room", no_budget),
    "points kept by the desk": (token.Token, "give_back", desk_keeps),
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The model with one mistake, for as long as it lasts."""
    where, attribute, wrong = DEVIATIONS[name]
    with patch.object(where, attribute, wrong):
        yield


def first_difference(world: TwoSides) -> int | None:
    """The first step of the record that the model, as it is now, tells otherwise; None: all alike."""
    ledger = Ledger(world.parties)
    for number, made in enumerate(world.record):
        try:
            expected = apply(ledger, made.step, made.data)
        except (AssertionError, KeyError, ValueError):
            return number
        if expected != made.outcome:
            return number
    return None
