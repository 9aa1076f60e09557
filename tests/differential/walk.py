"""The walk: random steps, mostly valid, with a deliberate share that is not, over times that meet every edge.

It looks only at the model, so a record can be replayed; a seed says everything.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from chain.model import lots as lot
from chain.model.access import role_of
from chain.model.agreements import AgreementState
from chain.model.clock import FOREVER
from chain.model.desk import HoldRequest, HoldState
from chain.model.exchange import Quote
from chain.model.policy import Policy
from chain.model.rules import Item, Rounding, RuleKind
from tests.differential.steps import TOKEN, Signed, Step
from tests.differential.world import BRANDS, DAY, HOUR, World, agreement, rule

BAD_SHARE = 0.15
REWARD = "0x" + "5e" * 32
NOBODY = "0x" + "00" * 20
Made = tuple[str, str, tuple[Any, ...], str]


def deadline_of(step: Step) -> int:
    """The last second of a signed step."""
    if step.function in ("hold", "exchange", "payAtPartner"):
        return int(step.values[0].deadline)
    return int(step.values[{"unwind": 2, "leave": 3, "transferWithAuthorisation": 4}[step.function]])


@dataclass
class Walk:
    """Makes the next step from the model's state."""

    world: World
    rng: random.Random
    at: int = 0
    next_nonce: int = 1
    next_operation: int = 0
    spent: list[Step] = field(default_factory=list)
    announced: list[Made] = field(default_factory=list)
    edge_ahead: int = 0
    edge_brands: list[int] = field(default_factory=list)
    edge_holds: list[str] = field(default_factory=list)

    # --- time

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

    # --- choosing

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

    # --- awards

    def item(self, brand_id: int, *, batch: bool = False) -> Item:
        """One award; in a batch more of them are bad."""
        share = 0.06 if batch else 0.04
        operation = self.next_operation
        self.next_operation += self.rng.choice((1, 1, 1, 2, 300))
        if self.bad(share) and operation:
            operation = self.rng.randint(0, operation)
        rules = len(self.world.ledger.rules.rules.get(brand_id, []))
        rule_id = int(self.some([0, rules + 1, 2**250]) if self.bad(share / 2) else self.rng.randint(1, rules))
        if rule_id > 2 and self.rng.random() < 0.6:
            rule_id = 1
        member = self.member()
        if self.bad(share / 2):
            member = self.world.chain.addresses[str(self.some([f"{TOKEN} {brand_id}", "RedemptionDesk"]))]
            member = str(self.some([NOBODY, member]))
        base = int(self.some([0, 1, 2, 3, *[self.rng.randint(1, 9_000)] * 6]))
        if rule_id == 4 or self.bad(share):
            base = int(self.some([2**96 - 1, 2**96, 3, 3, 3, 4, self.rng.randint(0, 9), 2**255, 2**30]))
        return Item(operation, rule_id, member, base)

    def award(self) -> Made:
        brand_id = self.brand()
        return "RewardRules", "award", (brand_id, self.item(brand_id)), self.staff("issuer", brand_id)

    def award_batch(self) -> Made:
        brand_id = self.brand()
        size = 0 if self.bad(0.02) else self.rng.randint(1, 12)
        items = [self.item(brand_id, batch=True) for _ in range(size)]
        if items and self.bad():
            items.append(self.some(items))
        return "RewardRules", "awardBatch", (brand_id, items), self.staff("issuer", brand_id)

    # --- the token

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

    def transfer(self) -> Made:
        brand_id = self.moving_brand()
        holder = self.owner_of_points(brand_id)
        while holder == self.world.cast.wallet:
            holder = self.member()
        values = self.receiver(brand_id), self.points(brand_id, holder)
        return f"{TOKEN} {brand_id}", "transfer", values, holder

    def approve(self) -> Made:
        brand_id = self.brand()
        spender = NOBODY if self.bad(0.05) else self.payer()
        points = int(self.some([0, FOREVER, self.rng.randint(1, 5_000)]))
        return f"{TOKEN} {brand_id}", "approve", (spender, points), self.payer()

    def transfer_from(self) -> Made:
        brand_id = self.moving_brand()
        known = [pair for pair, left in self.world.ledger.tokens[brand_id].allowances.items() if left]
        holder, spender = self.some(known) if known and not self.bad() else (self.member(), self.payer())
        points = self.points(brand_id, holder)
        allowance = self.world.ledger.tokens[brand_id].allowances.get((holder, spender), 0)
        if 0 < allowance < points and not self.bad():
            points = allowance
        values = holder, self.receiver(brand_id), points
        return f"{TOKEN} {brand_id}", "transferFrom", values, spender

    def permit(self) -> Made:
        brand_id, owner = self.brand(), self.payer()
        signer = self.payer() if self.bad(0.1) else owner
        values = owner, self.payer(), self.rng.randint(0, 5_000), self.deadline(), Signed(signer)
        return f"{TOKEN} {brand_id}", "permit", values, self.world.cast["stranger"]

    def transfer_signed(self) -> Made:
        brand_id = self.moving_brand()
        holder = self.owner_of_points(brand_id)
        values = (
            holder,
            self.receiver(brand_id),
            self.points(brand_id, holder),
            self.nonce(),
            self.deadline(),
            self.signed(holder),
        )
        return f"{TOKEN} {brand_id}", "transferWithAuthorisation", values, self.caller(holder)

    def leave(self) -> Made:
        brand_id = self.brand()
        holder, wallet = self.owner_of_points(brand_id), self.member()
        values = (
            holder,
            wallet,
            self.nonce(),
            self.deadline(),
            self.signed(holder),
            self.signed(wallet),
        )
        return f"{TOKEN} {brand_id}", "leave", values, self.caller(holder)

    def set_policy(self) -> Made:
        brand_id = self.brand()
        policy = self.some([Policy.OPEN, Policy.OPEN, Policy.ALLOW_LIST, Policy.CLOSED])
        return f"{TOKEN} {brand_id}", "setPolicy", (policy,), self.staff("owner", brand_id)

    def set_allowed(self) -> Made:
        brand_id = self.brand()
        values = self.receiver(brand_id), not self.bad(0.25)
        return f"{TOKEN} {brand_id}", "setAllowed", values, self.staff("owner", brand_id)

    def intrude(self) -> Made:
        """A person calls what only Moa's contracts may."""
        brand_id, member, lots = self.brand(), self.member(), (0, 0, 0, 0)
        token, by = f"{TOKEN} {brand_id}", self.staff("owner", brand_id)
        own: Made = self.some(
            [
                (token, "mint", (member, 5), by),
                (token, "mintBatch", ([],), by),
                (token, "burn", (member, 1), by),
                (token, "setAside", (member, 1), by),
                (token, "burnAside", (lots,), by),
                (token, "giveBack", (member, lots), by),
                (token, "restore", (member, lots), by),
                (token, "initialise", (("N", "N", 9, HOUR, 1, 0, 0),), by),
                ("RedemptionDesk", "pay", ("0x" + "12" * 32, brand_id, member, 1, REWARD), by),
                ("ClearingHouse", "book", (brand_id, 1, 5, 5, REWARD), by),
                ("ClearingHouse", "unbook", (brand_id, 1, 5, REWARD), by),
                ("PartnerRegistry", "seal", ((member,) * 5,), self.moa("operator")),
            ]
        )
        return own

    def cancel(self) -> Made:
        contract = self.some([f"{TOKEN} {self.brand()}", "RedemptionDesk", "PartnerExchange"])
        return contract, "cancelAuthorisation", (self.nonce(),), self.payer()

    # --- the desk

    def hold(self) -> Made:
        brand_id = 99 if self.bad(0.01) else self.brand()
        known = min(brand_id, len(self.world.ledger.tokens))
        member = self.owner_of_points(known)
        until = self.at + int(
            self.some([1, 30, 600, HOUR, 5 * HOUR, DAY, 3 * DAY, 20 * DAY])
            if not self.bad(0.06)
            else self.some([0, -1, 90 * DAY, 90 * DAY + 1, 2**40])
        )
        request = HoldRequest(
            member, brand_id, self.points(known, member), REWARD, until, self.nonce(), self.deadline()
        )
        return "RedemptionDesk", "hold", (request, self.signed(member)), self.caller(member)

    def held(self, *states: HoldState) -> str:
        """The id of a hold in one of these states; at times of another, or of none."""
        holds = self.world.ledger.desk.holds
        if not holds or self.bad(0.02):
            return "0x" + "77" * 32
        if self.edge_holds and HoldState.HELD in states:
            return str(self.some(self.edge_holds))
        fitting = [
            key
            for key, hold in holds.items()
            if hold.state in states
            and (hold.state != HoldState.HELD or hold.hold_until >= self.at or self.bad(0.1))
            and (hold.state != HoldState.CAPTURED or hold.captured > hold.refunded or self.bad(0.02))
        ]
        # Exactly at an epoch's edge: what has just expired comes back with grace, at the narrowest rounding.
        expired = [
            key
            for key in fitting
            if holds[key].brand_id in self.edge_brands
            and lot.gone(holds[key].lots, self.world.ledger.tokens[holds[key].brand_id].clock.epoch(self.at))
        ]
        fitting = expired or fitting
        return str(self.some(fitting if fitting and not self.bad(0.06) else list(holds)))

    def hold_brand(self, hold_id: str) -> int:
        """The brand of a hold, or some brand."""
        hold = self.world.ledger.desk.holds.get(hold_id)
        return hold.brand_id if hold and hold.brand_id else self.brand()

    def capture(self) -> Made:
        hold_id = self.held(HoldState.HELD)
        hold = self.world.ledger.desk.holds.get(hold_id)
        most = hold.points if hold else 5
        points = int(
            self.some([most, most, 1, self.rng.randint(1, max(1, most))])
            if not self.bad(0.08)
            else self.some([0, most + 1, 2**255])
        )
        return "RedemptionDesk", "capture", (hold_id, points), self.staff("till", self.hold_brand(hold_id))

    def release(self) -> Made:
        holds = self.world.ledger.desk.holds
        over = [key for key, hold in holds.items() if hold.state == HoldState.HELD and hold.hold_until < self.at]
        if over and self.bad(0.7):
            return "RedemptionDesk", "release", (self.some(over),), self.payer()
        hold_id = self.held(HoldState.HELD)
        return "RedemptionDesk", "release", (hold_id,), self.staff("till", self.hold_brand(hold_id))

    def refund(self) -> Made:
        hold_id = self.held(HoldState.CAPTURED)
        hold = self.world.ledger.desk.holds.get(hold_id)
        left = hold.captured - hold.refunded if hold else 5
        before = hold.refunded if hold else 0
        points = int(
            self.some([left, 1, max(1, left // 2), self.rng.randint(1, max(1, left))])
            if not self.bad(0.1)
            else self.some([0, left + 1, hold.captured if hold else 1])
        )
        if self.bad(0.05):
            before = int(self.some([0, before + 1]))
        values = hold_id, points, before
        return "RedemptionDesk", "refund", values, self.staff("till", self.hold_brand(hold_id))

    # --- the exchange

    def quote(self) -> Quote:
        """A quote by the terms in force; at times too dear, late, of another version, of no agreement."""
        agreements = self.world.ledger.agreements.agreements
        number = self.rng.randint(1, len(agreements))
        agreed = [key for key, each in enumerate(agreements, 1) if each.state_at(self.at) == AgreementState.AGREED]
        if agreed and not self.bad(0.05):
            number = int(self.some([each for each in agreed if self._rich(each)] or agreed))
        found = agreements[number - 1]
        terms, version = found.in_force(self.at)
        member = self.owner_of_points(found.from_brand_id)
        points_in = self.points(found.from_brand_id, member)
        if 2_000 < points_in < 2**48 and not self.bad(0.2):
            points_in = self.rng.randint(500, 2_000)
        minimum = terms.give(min(points_in, 2**60)).out
        if self.bad(0.5):
            minimum = self.rng.randint(0, max(0, minimum))
        if self.bad(0.03):
            minimum += 1
        if self.bad(0.03):
            version += int(self.some([-1, 1]))
        if self.bad(0.01):
            number = int(self.some([0, 1_000]))
        return Quote(member, number, version, points_in, minimum, self.nonce(), self.deadline())

    def _rich(self, agreement_id: int) -> bool:
        giving = self.world.ledger.agreements.agreement(agreement_id).from_brand_id
        token, issuing = self.world.ledger.tokens[giving], self.world.ledger.registry.is_issuing
        return issuing(giving) and any(token.balance_of(each, self.at) for each in self.world.cast.members)

    def exchange(self) -> Made:
        quote = self.quote()
        return "PartnerExchange", "exchange", (quote, self.signed(quote.member)), self.caller(quote.member)

    def pay_at_partner(self) -> Made:
        quote = self.quote()
        values = quote, REWARD, self.signed(quote.member)
        return "PartnerExchange", "payAtPartner", values, self.caller(quote.member)

    def unwind(self) -> Made:
        exchanges = self.world.ledger.exchanges
        done = {key: each for key, each in exchanges.records.items() if each is not None}
        if not done:
            return self.exchange()
        fitting = [
            key
            for key, each in done.items()
            if self._taking(each.agreement_id).balance_of(each.member, self.at) >= each.points_out
        ]
        exchange_id = str(self.some(fitting if fitting and not self.bad(0.1) else list(done)))
        record = done[exchange_id]
        if self.bad(0.04):
            record = replace(record, fee=record.fee + 1)
        if self.bad(0.04):
            closed = [key for key, each in exchanges.records.items() if each is None]
            exchange_id = str(self.some([*closed[-5:], "0x" + "66" * 32]))
        brand_id = self._taking(record.agreement_id).brand_id
        values = exchange_id, record, self.deadline(), self.signed(record.member)
        return "PartnerExchange", "unwind", values, self.staff("till", brand_id)

    def _taking(self, agreement_id: int) -> Any:
        ledger = self.world.ledger
        return ledger.tokens[ledger.agreements.agreement(agreement_id).to_brand_id]

    def propose(self) -> Made:
        brands, agreements = list(self.world.ledger.tokens), self.world.ledger.agreements.agreements
        taken = {
            (each.from_brand_id, each.to_brand_id)
            for each in agreements
            if each.state_at(self.at) != AgreementState.ENDED
        }
        free = [(one, other) for one in brands for other in brands if one != other and (one, other) not in taken]
        giving, taking = self.some(free) if free and not self.bad() else (self.brand(), self.brand())
        by = giving if not self.bad(0.1) else self.brand()
        terms = self.some_terms()
        return "PartnerExchange", "propose", (by, giving, taking, terms), self.staff("owner", by)

    def some_terms(self) -> Any:
        """Terms of an agreement; at times with one field out of its bounds."""
        terms = agreement(
            self.rng.randint(1, 20),
            self.rng.randint(1, 20),
            self.rng.choice((0, 33, 250, 5_000)),
            exposure_cap=self.rng.choice((10_000, 300_000, 10**7)),
            daily_cap=self.rng.choice((2_000, 100_000, 10**7)),
        )
        if self.bad(0.1):
            wrong: dict[str, int] = self.some(
                [
                    {"numerator": 0},
                    {"denominator": 2**48},
                    {"fee_bps": 5_001},
                    {"daily_cap": 2**48},
                    {"exposure_cap": 2**96},
                    {"value_numerator": 0},
                    {"value_denominator": 2**64},
                    {"notice_s": HOUR - 1},
                ]
            )
            terms = replace(terms, **wrong)
        return terms

    def some_agreement(self, *states: AgreementState) -> int:
        """An agreement in one of these states, if there is one."""
        agreements = self.world.ledger.agreements.agreements
        fitting = [key for key, each in enumerate(agreements, 1) if each.state_at(self.at) in states]
        return int(self.some(fitting)) if fitting and not self.bad(0.05) else self.rng.randint(1, len(agreements))

    def agree(self) -> Made:
        """Whatever two brands can do about an agreement."""
        act = self.some(["propose", "accept", "accept", "change", "accept_change", "accept_change", "withdraw", "end"])
        agreements = self.world.ledger.agreements.agreements
        states = [each.state_at(self.at) for each in agreements]
        agreed_few = states.count(AgreementState.AGREED) < 6
        if act == "propose" or (act == "accept" and AgreementState.PROPOSED not in states and not self.bad()):
            return self.propose()
        if act == "end" and agreed_few and not self.bad(0.3):
            act = "accept"
        waiting = any(each.pending(self.at) for each in agreements)
        if act in ("accept_change", "withdraw") and not waiting and not self.bad():
            act = "change"
        proposed = act == "accept"
        number = self.some_agreement(AgreementState.PROPOSED if proposed else AgreementState.AGREED)
        found = self.world.ledger.agreements.agreement(number)
        changing = [
            key
            for key, each in enumerate(self.world.ledger.agreements.agreements, 1)
            if each.pending(self.at) is not None
        ]
        if act in ("accept_change", "withdraw") and changing:
            number = int(self.some(changing))
            found = self.world.ledger.agreements.agreement(number)
        pair = found.from_brand_id, found.to_brand_id
        if act == "change":
            by = int(self.some([*pair, *pair, self.brand()]))
            values: tuple[Any, ...] = (number, by, self.some_terms())
            return "PartnerExchange", "proposeChange", values, self.staff("owner", by)
        if act in ("withdraw", "end"):
            by = int(self.some([*pair, *pair, self.brand()]))
            name = "withdrawChange" if act == "withdraw" else "end"
            return "PartnerExchange", name, (number, by), self.staff("owner", by)
        change = found.pending(self.at)
        mover = change.by_brand_id if change and act == "accept_change" else found.by_brand_id
        terms = change.terms if change and act == "accept_change" else found.terms
        other = pair[1] if mover == pair[0] else pair[0]
        chosen = terms.hash() if not self.bad(0.08) else "0x" + "11" * 32
        name = "acceptChange" if act == "accept_change" else "accept"
        return "PartnerExchange", name, (number, chosen), self.staff("owner", other)

    # --- clearing

    def deposit(self) -> Made:
        brand_id = 77 if self.bad(0.02) else self.brand()
        amount = int(self.some([0, 2**96])) if self.bad(0.08) else self.rng.choice((1, 1_000, 50_000, 400_000))
        by = self.world.cast[str(self.some(["stranger", f"owner{self.brand()}"]))]
        return "ClearingHouse", "deposit", (brand_id, amount), by

    def withdraw(self) -> Made:
        brand_id = self.brand()
        account = self.world.ledger.clearing.account_of(brand_id)
        free = account.collateral - self.world.ledger.clearing.required(account.owed, account.due)
        amount = int(self.some([free, free + 1, 0, 1, self.rng.randint(0, max(1, free // 4))]))
        return "ClearingHouse", "withdraw", (brand_id, max(0, amount)), self.staff("treasurer", brand_id)

    def net(self) -> Made:
        clearing, brands = self.world.ledger.clearing, list(self.world.ledger.tokens)
        chosen = sorted(self.rng.sample(brands, self.rng.randint(2, len(brands))))
        if self.bad(0.1):
            chosen = self.some([chosen[:1], chosen[::-1], [chosen[0], *chosen], [*chosen, 88]])
        period = clearing.next_period + (int(self.some([-1, 1])) if self.bad(0.08) else 0)
        return "ClearingHouse", "net", (period, chosen), self.moa("operator")

    def settle(self) -> Made:
        clearing = self.world.ledger.clearing
        waiting = list(clearing.statements)
        if not waiting:
            return self.net()
        period = int(self.some(waiting))
        statement = clearing.statements[period]
        positions = list(statement.positions)
        if self.bad(0.1):
            positions[0] += 1
        if self.bad(0.05):
            period += 1
        return "ClearingHouse", "settle", (period, list(statement.brand_ids), positions), self.payer()

    def default(self) -> Made:
        clearing, brand_id = self.world.ledger.clearing, self.brand()
        if self.bad(0.05):
            brand_id = 66
        creditors = [each for each in self.world.ledger.tokens if clearing.obligation_of(brand_id, each)]
        if not creditors or self.bad(0.1):
            creditors = [each for each in self.world.ledger.tokens if each != brand_id][: self.rng.randint(0, 3)]
        return "ClearingHouse", "declareDefault", (brand_id, creditors), self.moa("operator")

    def cure(self) -> Made:
        clearing = self.world.ledger.clearing
        failed = [key for key, account in clearing.accounts.items() if account.in_default]
        brand_id = int(self.some(failed)) if failed and not self.bad(0.1) else self.brand()
        return "ClearingHouse", "cureDefault", (brand_id,), self.moa("operator")

    # --- standing, rules, roles

    def standing(self) -> Made:
        """Throws a switch, or says something new about a brand."""
        brand_id = 55 if self.bad(0.03) else self.brand()
        known = min(brand_id, len(self.world.ledger.tokens))
        cast = self.world.cast
        values: tuple[Any, ...]
        name, values, by = self.some(
            [
                ("stop", (brand_id,), self.staff("guardian", known)),
                ("stopByMoa", (brand_id,), self.moa("guardian")),
                ("stopAll", (), self.moa("guardian")),
                ("suspend", (brand_id,), self.moa("operator")),
                ("activate", (brand_id,), self.moa("operator")),
                ("setTreasury", (brand_id, self.some([cast["stranger"], NOBODY])), self.staff("owner", known)),
                ("setMetadata", (brand_id, "0x" + "3c" * 32), self.staff("owner", known)),
            ]
        )
        return "PartnerRegistry", name, values, by

    def invite(self) -> Made:
        """Another brand, that nobody activates; mostly with something out of bounds."""
        cast = self.world.cast
        invitation = replace(self.some(list(BRANDS)), owner=cast["stranger"], treasury=cast["admin"])
        if self.bad(0.9):
            wrong: dict[str, Any] = self.some(
                [
                    {"name": ""},
                    {"name": "é" * 33},
                    {"symbol": ""},
                    {"symbol": "S" * 17},
                    {"epoch_s": HOUR - 1},
                    {"epoch_s": 366 * DAY + 1},
                    {"lifetime_epochs": 16},
                    {"grace_s": 15 * invitation.epoch_s + 1},
                    {"grace_s": 1, "lifetime_epochs": 0},
                    {"owner": NOBODY},
                    {"treasury": NOBODY, "name": ""},
                ]
            )
            invitation = replace(invitation, **wrong)
        return "PartnerRegistry", "invite", (invitation,), self.moa("operator")

    def resume(self) -> Made:
        """Puts right what keeps a brand from issuing."""
        registry = self.world.ledger.registry
        if registry.all_stopped:
            return "PartnerRegistry", "resumeAll", (), self.moa("operator")
        stuck = [key for key in registry.brands if not registry.is_issuing(key)]
        if not stuck:
            return self.standing()
        brand_id = int(self.some(stuck))
        brand = registry.brands[brand_id]
        if brand.brand_switch:
            return "PartnerRegistry", "resume", (brand_id,), self.staff("owner", brand_id)
        if brand.moa_switch:
            return "PartnerRegistry", "resumeByMoa", (brand_id,), self.moa("operator")
        return "PartnerRegistry", "activate", (brand_id,), self.moa("operator")

    def rules(self) -> Made:
        """Publishes, announces or withdraws."""
        brand_id = self.brand()
        by = self.staff("owner", brand_id)
        count = len(self.world.ledger.rules.rules[brand_id])
        rule_id = self.rng.randint(1, count) if not self.bad(0.05) else int(self.some([0, count + 1]))
        act = self.some(["publish", "announceChange", "announceChange", "withdrawChange"])
        if act == "withdrawChange":
            return "RewardRules", act, (brand_id, rule_id), by
        kind = self.some([RuleKind.RATE, RuleKind.RATE, RuleKind.FIXED])
        terms = rule(
            self.rng.choice((1, 7, 150, 2**48 - 1) if kind == RuleKind.RATE else (1, 500)),
            self.rng.choice((1, 3, 100, 2**48 - 1)) if kind == RuleKind.RATE else 1,
            kind=kind,
            rounding=self.some(list(Rounding)),
            per_award=self.rng.choice((0, 0, 1, 4_000)),
            per_day=self.rng.choice((0, 0, 700, 10_000)),
            budget=self.rng.choice((0, 900, 10**6, 2**56 - 1)),
            start=self.rng.choice((0, self.at, self.at + HOUR)),
            end=self.at + self.rng.choice((2 * HOUR, DAY, 900 * DAY)),
            notice_s=self.rng.choice((HOUR, DAY)),
        )
        if self.bad(0.1):
            wrong: dict[str, int] = self.some(
                [
                    {"numerator": 0},
                    {"denominator": 2**48},
                    {"denominator": 0},
                    {"cap_per_award": 2**48},
                    {"cap_per_member_day": 2**48},
                    {"budget": 2**56},
                    {"end": terms.start},
                    {"notice_s": 31_536_001},
                    {"notice_s": 0},
                ]
            )
            terms = replace(terms, **wrong)
        return ("RewardRules", act, (brand_id, terms) if act == "publish" else (brand_id, rule_id, terms), by)

    def grant(self) -> Made:
        """Gives or takes a role that the walk does not need."""
        brand_id = self.brand()
        role = role_of(brand_id, self.rng.randint(2, 5))
        by = self.staff("owner", brand_id)
        extra = self.world.cast["walletOwner"]
        if self.world.ledger.roles.holds(role, extra, self.at):
            return "Authority", "revokeRole", (role, extra), by
        return "Authority", "grantRole", (role, extra, 0), by

    def by_grant(self) -> Made:
        """Uses such a role."""
        made: Made = self.some([self.award, self.capture, self.refund, self.withdraw])()
        return (*made[:3], self.world.cast["walletOwner"])

    def announce(self) -> Made:
        """Announces a withdrawal by a treasurer whose role has a delay."""
        brand_id = self.brand()
        slow = self.world.cast[f"slow{brand_id}"]
        made: Made = ("ClearingHouse", "withdraw", (brand_id, self.rng.randint(1, 50)), slow)
        data = self.world.chain.calldata(Step(*made))
        role = role_of(brand_id, 4)
        if self.bad(0.05):
            role = role_of(brand_id, 1)
        self.announced.append(made)
        return "ClearingHouse", "announce", (role, data), slow

    def announced_call(self) -> Made:
        """Makes an announced call: early, in time, late, twice."""
        return self.some(self.announced[-3:]) if self.announced else self.announce()

    # --- the next one

    WEIGHTS: tuple[tuple[str, int], ...] = (
        ("award", 12),
        ("award_batch", 9),
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
