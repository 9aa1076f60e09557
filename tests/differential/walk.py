"""The walk: random steps, mostly valid, with a deliberate share that is not."""

from collections.abc import Callable
from dataclasses import replace

from chain.model.desk import HoldState
from tests.differential.acts.standing import StandingActs
from tests.differential.chooser import Made, deadline_of
from tests.differential.steps import Signed, Step
from tests.differential.world import BRANDS


class Walk(StandingActs):
    """Makes the next step from the model's state."""

    WEIGHTS: tuple[tuple[str, int], ...] = (
        ("award", 12),
        ("award_batch", 9),
        ("take_return", 9),
        ("correct", 2),
        ("transfer", 8),
        ("approve", 2),
        ("transfer_from", 4),
        ("permit", 2),
        ("transfer_signed", 5),
        ("leave", 2),
        ("set_policy", 1),
        ("intrude", 3),
        ("set_allowed", 2),
        ("cancel", 1),
        ("hold", 12),
        ("capture", 8),
        ("release", 6),
        ("refund", 6),
        ("exchange", 12),
        ("pay_at_partner", 6),
        ("unwind", 4),
        ("agree", 4),
        ("deposit", 2),
        ("withdraw", 2),
        ("net", 2),
        ("settle", 2),
        ("default", 1),
        ("cure", 2),
        ("standing", 1),
        ("invite", 1),
        ("resume", 4),
        ("rules", 3),
        ("grant", 1),
        ("by_grant", 1),
        ("announce", 1),
        ("announced_call", 1),
        ("retract", 1),
        ("regrant", 1),
        ("refund_window", 1),
    )

    def next(self, now: int) -> Step:
        """The next step, at its time."""
        self.at = self.next_time(now)
        names = [name for name, _ in self.WEIGHTS]
        chosen = self.rng.choices(names, [weight for _, weight in self.WEIGHTS])[0]
        make: Callable[[], Made] = getattr(self, chosen)
        registry, tokens = self.world.ledger.registry, self.world.ledger.tokens
        if not all(registry.is_issuing(each) for each in tokens) and self.bad(0.12):
            make = self.resume
        if any(each.in_default for each in self.world.ledger.clearing.accounts.values()) and self.bad(0.04):
            make = self.cure
        self.edge_brands = [
            key
            for key in range(1, len(BRANDS) + 1)
            if not tokens[key].clock.stands and (self.at - tokens[key].clock.origin) % tokens[key].clock.epoch_s == 0
        ]
        holds = self.world.ledger.desk.holds
        self.edge_holds = [
            key
            for key, hold in holds.items()
            if hold.state == HoldState.HELD and hold.hold_until in (self.at, self.at - 1)
        ]
        if self.edge_holds and self.bad(0.7):
            make = self.some([self.capture, self.release])
        elif self.edge_brands and self.bad(0.7):
            acts = self.hold, self.transfer_signed, self.leave, self.capture, self.release, self.refund
            make = self.some([*acts, self.award])
        again = [each for each in self.spent[-60:] if deadline_of(each) >= self.at]
        if again and self.bad(0.03):
            return replace(self.some(again), at=self.at)
        step = Step(*make(), at=self.at)
        if any(isinstance(value, Signed) for value in step.values) and step.function != "permit":
            self.spent.append(step)
        return step
