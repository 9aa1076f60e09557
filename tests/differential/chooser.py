"""What the walk chooses from: times at the edges, people with points, amounts, signatures; at times a wrong one."""

import random
from dataclasses import dataclass, field
from typing import Any

from chain.model import lots as lot
from chain.model.desk import HoldState
from chain.model.policy import Policy
from tests.differential.steps import TOKEN, Signed, Step
from tests.differential.world import BRANDS, DAY, HOUR, TwoSides

BAD_SHARE = 0.15
REWARD = "0x" + "5e" * 32
NOBODY = "0x" + "00" * 20
Made = tuple[str, str, tuple[Any, ...], str]


def deadline_of(step: Step) -> int:
    """The last second of a signed step."""
    if step.function in ("hold", "exchange", "payAtPartner"):
        return int(step.values[0].deadline)
    return int(step.values[{"unwind": 3, "correct": 3, "leave": 3, "transferWithAuthorisation": 4}[step.function]])


@dataclass
class Chooser:
    """Chooses by the model's state alone, so that a seed says everything."""

    world: TwoSides
    rng: random.Random
    at: int = 0
    next_nonce: int = 1
    next_operation: int = 0
    spent: list[Step] = field(default_factory=list)
    announced: list[Made] = field(default_factory=list)
    edge_ahead: int = 0
    edge_brands: list[int] = field(default_factory=list)
    edge_holds: list[str] = field(default_factory=list)

    def next_time(self, now: int) -> int:
        """Mostly seconds later; often exactly at an edge or one second beside; rarely past a whole ring of epochs."""
        rng = self.rng
        if self.edge_ahead == now + 1:
            return now + 1
        draw = rng.random()
        if draw < 0.80:
            return now + rng.randint(1, 90)
        if draw < 0.93:
            self.edge_ahead = self.edge(now)
            return max(now + 1, self.edge_ahead + rng.choice((-1, 0, 0, 1)))
        if draw < 0.98:
            return now + rng.randint(90, HOUR // 2)
        if draw < 0.996:
            return now + rng.randint(HOUR // 2, 9 * HOUR)
        return now + rng.choice((17 * HOUR, 33 * HOUR, 4 * DAY, 18 * DAY))

    def edge(self, now: int) -> int:
        """A second at which something changes."""
        ledger, rng = self.world.ledger, self.rng
        edges = [(now // DAY + 1) * DAY]
        for token in ledger.tokens.values():
            clock = token.clock
            if not clock.stands:
                edges.append(clock.origin + (clock.epoch(now) + 1) * clock.epoch_s)
        held = [hold.hold_until for hold in ledger.desk.holds.values() if hold.state == HoldState.HELD]
        edges += [each + 1 for each in rng.sample(held, min(2, len(held)))]
        for rules in ledger.rules.rules.values():
            edges += [each.change.in_force_at for each in rules if each.change]
            edges += [each.terms.end for each in rules]
        for each in ledger.agreements.agreements:
            edges += [each.ends_at, each.change.in_force_at if each.change else 0]
        near = sorted({each for each in edges if now < each < now + 3 * DAY})
        return rng.choice(near[:2] if rng.random() < 0.97 else near)

    def some(self, choices: list[Any]) -> Any:
        """One of the choices."""
        return self.rng.choice(choices)

    def bad(self, share: float = BAD_SHARE) -> bool:
        """Whether something is to be wrong."""
        return self.rng.random() < share

    def brand(self) -> int:
        """A brand with people; at an epoch's edge most often the brand whose epoch ends."""
        if self.edge_brands and not self.bad(0.2):
            return int(self.some(self.edge_brands))
        return self.rng.randint(1, len(BRANDS))

    def member(self) -> str:
        """Anyone with points at times."""
        return str(self.some(self.world.cast.members))

    def owner_of_points(self, brand_id: int) -> str:
        """A member with live points of the brand, if there is one."""
        token = self.world.ledger.tokens[brand_id]
        # At an edge also who has just lost them.
        since = self.at - 1 if brand_id in self.edge_brands else self.at
        rich = [each for each in self.world.cast.members if token.balance_of(each, since)]
        return str(self.some(rich)) if rich and not self.bad(0.05) else self.member()

    def points(self, brand_id: int, member: str) -> int:
        """How much of the member's: some, a lot exactly, everything; at times too much or nothing."""
        lots = self.world.ledger.tokens[brand_id].lots_of(member, self.at)
        balance = lot.total(lots)
        if brand_id in self.edge_brands and self.bad(0.5):
            return self.world.ledger.tokens[brand_id].balance_of(member, self.at - 1)
        if self.bad(0.08) or balance == 0:
            return int(self.some([0, balance + 1, balance + 500, 2**48, 2**255]))
        if balance > 2**48 and self.bad(0.4):
            return int(self.some([2**48 - 1, 2**48, 2**48 + 99, balance]))
        first = next(iter(lots.values()))
        return int(self.some([1, first, min(balance, first + 1), balance, *[self.rng.randint(1, balance)] * 4]))

    def staff(self, kind: str, brand_id: int) -> str:
        """The one with the role; at times someone else."""
        cast = self.world.cast
        if brand_id > len(BRANDS):
            # The owner of the brands that the walk itself invites; it has no staff.
            return cast["stranger"]
        if not self.bad(0.06):
            return cast[f"{kind}{brand_id}"]
        other = self.brand()
        return str(self.some([cast["stranger"], cast[f"{kind}{other}"], cast[f"guardian{brand_id}"], self.payer()]))

    def moa(self, name: str) -> str:
        """Moa's operator or guardian; at times someone else."""
        return self.world.cast[name if not self.bad(0.1) else str(self.some(["stranger", "owner1", "admin"]))]

    def nonce(self) -> int:
        """A new one; at times one used before."""
        if self.bad(0.05) and self.next_nonce > 1:
            return self.rng.randint(1, self.next_nonce - 1)
        self.next_nonce += 1
        return self.next_nonce - 1

    def deadline(self) -> int:
        """Later; at times just now (still valid) or a second ago."""
        return self.at + int(self.some([0, -1]) if self.bad(0.08) else self.rng.randint(1, 9_999))

    def signed(self, member: str) -> Signed:
        """The member's signature; at times another's, or over other values."""
        if self.bad(0.04):
            return Signed(self.member())
        return Signed(member, honest=not self.bad(0.04))

    def caller(self, member: str) -> str:
        """Anyone; often the member itself, if it has a key."""
        if member != self.world.cast.wallet and self.bad(0.3):
            return member
        return str(self.some([self.world.cast["stranger"], self.world.cast["issuer1"]]))

    def payer(self) -> str:
        """A member that can send its own transactions."""
        return str(self.some([each for each in self.world.cast.members if each != self.world.cast.wallet]))

    def moving_brand(self) -> int:
        """Mostly a brand whose points anyone may transfer."""
        tokens = self.world.ledger.tokens
        fitting = [key for key in self.edge_brands or tokens if tokens[key].policy == Policy.OPEN]
        return int(self.some(fitting)) if fitting and not self.bad(0.3) else self.brand()

    def receiver(self, brand_id: int) -> str:
        """Where points may go; at times where they may not."""
        if self.bad(0.08):
            others = [f"{TOKEN} {brand_id}", "RedemptionDesk", "PartnerExchange", "RewardRules"]
            return str(self.some([NOBODY, *[self.world.chain.addresses[each] for each in others]]))
        return self.member()
