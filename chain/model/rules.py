"""The published rules by which a brand awards points (SPEC 2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Final

from chain.model import tree
from chain.model.access import Announcements, Kind, Roles, Signature, role_of
from chain.model.call import NOBODY, Call, Journal
from chain.model.clock import DAY_S, day_of
from chain.model.errors import (
    AuthorisationExpired,
    AwardTooLarge,
    AwardUnknown,
    BaseAmountMissing,
    BaseAmountTooLarge,
    BatchSizeWrong,
    BudgetExceeded,
    ChangePending,
    MemberCapExceeded,
    MemberInvalid,
    NoChangePending,
    OperationUsed,
    Refused,
    ReturnExceedsAward,
    ReturnTooLate,
    RoleMissing,
    RuleNotInForce,
    RuleTermsInvalid,
    RuleUnknown,
    SecondSignatureMissing,
    SignatureInvalid,
    SupplyExceeded,
)
from chain.model.lots import LOT_POINTS_MAX
from chain.model.registry import Registry
from chain.model.token import TakenBack, Token

RULES: Final = "RewardRules"
BASE_AMOUNT_MAX: Final = 2**96 - 1
BUDGET_MAX: Final = 2**56 - 1
END_MAX: Final = 2**40 - 1
NOTICE_S_MIN: Final = 3_600
NOTICE_S_MAX: Final = 365 * 86_400
WINDOW_S_MAX: Final = 365 * 86_400
BATCH_ITEMS_MAX: Final = 250


class RuleKind(IntEnum):
    """Rate: base * numerator / denominator. Fixed: numerator, whatever the base. Correction: the base, by hand."""

    RATE = 0
    FIXED = 1
    CORRECTION = 2


class Shortfall(IntEnum):
    """What becomes of points that a return finds spent."""

    FORGIVE = 0
    DEBT = 1


class Rounding(IntEnum):
    """How a rate's fraction of a point is made whole."""

    DOWN = 0
    NEAREST = 1
    UP = 2


@dataclass(frozen=True, slots=True)
class RuleTerms:
    """What a rule says."""

    activity: str
    kind: RuleKind
    rounding: Rounding
    numerator: int
    denominator: int
    cap_per_award: int
    cap_per_member_day: int
    budget: int
    start: int
    end: int
    notice_s: int
    text_hash: str
    return_window_s: int = 0
    shortfall: Shortfall = Shortfall.FORGIVE
    lock_s: int = 0
    day_start: int = 0
    second_above: int = 0

    def check(self) -> None:
        """Refuses terms outside the published bounds, the first field by name."""
        correction = self.kind == RuleKind.CORRECTION
        bounds = {
            "numerator": 1 <= self.numerator <= (1 if correction else LOT_POINTS_MAX),
            "denominator": 1 <= self.denominator <= (LOT_POINTS_MAX if self.kind == RuleKind.RATE else 1),
            "capPerAward": correction <= self.cap_per_award <= LOT_POINTS_MAX,
            "capPerMemberDay": correction <= self.cap_per_member_day <= LOT_POINTS_MAX,
            "budget": self.budget <= BUDGET_MAX,
            "end": self.start < self.end <= END_MAX,
            "noticeSeconds": NOTICE_S_MIN <= self.notice_s <= NOTICE_S_MAX,
            "returnWindow": self.return_window_s <= WINDOW_S_MAX,
            "lockSeconds": self.lock_s <= WINDOW_S_MAX,
            "dayStart": self.day_start < DAY_S,
            "secondAbove": self.second_above <= (self.cap_per_award if correction else 0),
        }
        for name, kept in bounds.items():
            if not kept:
                raise RuleTermsInvalid(name)

    def points(self, base_amount: int) -> int:
        """What the rule computes before its caps."""
        if self.kind == RuleKind.FIXED:
            return self.numerator
        whole, part = divmod(base_amount * self.numerator, self.denominator)
        up = {
            Rounding.DOWN: False,
            Rounding.NEAREST: 2 * part >= self.denominator,
            Rounding.UP: part > 0,
        }[self.rounding]
        return whole + up

    def paid(self, base_amount: int) -> int:
        """What an award pays: cut to the cap per award."""
        points = self.points(base_amount)
        return min(points, self.cap_per_award) if self.cap_per_award else points

    def standing(self, base_amount: int, returned: int) -> int:
        """What an award for the base amount stands at when so much of it is back."""
        return self.paid(base_amount - returned) if returned < base_amount else 0

    def values(self) -> tuple[object, ...]:
        """The struct's values in the ABI's order."""
        return tuple(getattr(self, each.name) for each in fields(self))


@dataclass(frozen=True, slots=True)
class Change:
    """Announced terms that wait until `in_force_at`."""

    version: int
    in_force_at: int
    terms: RuleTerms


@dataclass(slots=True)
class Rule:
    """A rule with the version in force, the change that waits, and what is spent."""

    terms: RuleTerms
    version: int = 1
    last_version: int = 1
    change: Change | None = None
    spent: int = 0
    by_day: dict[tuple[str, int], int] = field(default_factory=dict)

    def in_force(self, at: int) -> tuple[RuleTerms, int]:
        """Terms and version at second `at`."""
        if self.change is not None and at >= self.change.in_force_at:
            return self.change.terms, self.change.version
        return self.terms, self.version

    def pending(self, at: int) -> Change | None:
        """The change that still waits at second `at`."""
        return self.change if self.change is not None and at < self.change.in_force_at else None

    def settle(self, at: int) -> None:
        """Makes a change whose time has come the rule's terms."""
        self.terms, self.version = self.in_force(at)
        self.change = self.pending(at)


@dataclass(frozen=True, slots=True)
class Item:
    """One award asked for."""

    operation_id: int
    rule_id: int
    member: str
    base_amount: int


@dataclass(slots=True)
class Award:
    """An award that may come back: by its own version's terms, for ever.

    place: among the leaves of its call. returned: of its base amount; None: all.
    """

    item: Item
    terms: RuleTerms
    version: int
    points: int
    expiry: int
    at: int
    place: int = 0
    returned: int | None = 0

    @property
    def left(self) -> int:
        """What can still come back."""
        return 0 if self.returned is None else self.item.base_amount - self.returned

    @property
    def standing(self) -> int:
        """The points that it stands at: all of them, until something is back."""
        if self.returned is None:
            return 0
        return self.terms.standing(self.item.base_amount, self.returned) if self.returned else self.points


@dataclass(slots=True)
class Rules:
    """All rules of all brands, ids from 1 within a brand, and the operations that have counted."""

    registry: Registry
    tokens: dict[int, Token]
    roles: Roles
    journal: Journal
    rules: dict[int, list[Rule]] = field(default_factory=dict)
    used: set[tuple[int, int]] = field(default_factory=set)
    awards: dict[tuple[int, int], Award] = field(default_factory=dict)
    # The operations of a committed root, in the order of its leaves.
    roots: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    announcements: Announcements = field(init=False)

    def __post_init__(self) -> None:
        self.announcements = Announcements(RULES, self.roles, self.journal)

    # --- reading

    def rule(self, brand_id: int, rule_id: int) -> Rule:
        """The rule, or RuleUnknown."""
        rules = self.rules.get(brand_id, [])
        if not 1 <= rule_id <= len(rules):
            raise RuleUnknown(brand_id, rule_id)
        return rules[rule_id - 1]

    def is_operation_used(self, brand_id: int, operation_id: int) -> bool:
        """Whether the operation has counted."""
        return (brand_id, operation_id) in self.used

    def quote(self, call: Call, brand_id: int, item: Item) -> tuple[int, int]:
        """Points and version that the item would get now, or why it is refused."""
        self.registry.check_issuing(brand_id)
        self.tokens[brand_id].check_clock(call.at)
        return self._decide(brand_id, item, call.at)

    # --- the brand's owner

    def publish(self, call: Call, brand_id: int, terms: RuleTerms) -> int:
        """A new rule, in force at once; its id."""
        self.registry.brand_of(brand_id)
        use = self.announcements.check(call, role_of(brand_id, Kind.OWNER))
        self._check_terms(brand_id, terms)

        use()
        rules = self.rules.setdefault(brand_id, [])
        rules.append(Rule(terms))
        self.journal.say(RULES, "RulePublished", brand_id, len(rules), 1, terms.values())
        return len(rules)

    def announce_change(self, call: Call, brand_id: int, rule_id: int, terms: RuleTerms) -> tuple[int, int]:
        """New terms wait the notice of the version in force; their version and first second."""
        use = self.announcements.check(call, role_of(brand_id, Kind.OWNER))
        rule = self.rule(brand_id, rule_id)
        waiting = rule.pending(call.at)
        if waiting is not None:
            raise ChangePending(waiting.version, waiting.in_force_at)
        self._check_terms(brand_id, terms)

        use()
        rule.settle(call.at)
        rule.last_version += 1
        rule.change = Change(rule.last_version, call.at + rule.terms.notice_s, terms)
        version, in_force_at = rule.change.version, rule.change.in_force_at
        self.journal.say(RULES, "RuleChangeAnnounced", brand_id, rule_id, version, in_force_at, terms.values())
        return version, in_force_at

    def withdraw_change(self, call: Call, brand_id: int, rule_id: int) -> None:
        """Takes an announced change back before it is in force."""
        use = self.announcements.check(call, role_of(brand_id, Kind.OWNER))
        rule = self.rule(brand_id, rule_id)
        waiting = rule.pending(call.at)
        if waiting is None:
            raise NoChangePending(brand_id, rule_id)

        use()
        rule.change = None
        self.journal.say(RULES, "RuleChangeWithdrawn", brand_id, rule_id, waiting.version)

    # --- the brand's issuer

    def award(self, call: Call, brand_id: int, item: Item, *, signed: bool = False) -> int:
        """One award; its points. signed: a second signature lets a correction pass its limit."""
        use = self._check_issuer(call, brand_id)
        points, version = self._decide(brand_id, item, call.at, signed=signed)

        use()
        self._count(brand_id, item, points, version, call.at)
        self._commit(brand_id, [item], call.at)
        self._mint(brand_id, [(item.member, points)], call.at)
        return points

    def correct(self, call: Call, brand_id: int, item: Item, signer: str, deadline: int, signature: Signature) -> int:
        """One award with the second signature of a holder of the owner's role, who is not the caller."""
        self._check_issuer(call, brand_id)
        if call.at > deadline:
            raise AuthorisationExpired(deadline, call.at)
        owner = role_of(brand_id, Kind.OWNER)
        roles = self.announcements.roles
        if not roles.holds(owner, signer, call.at) or roles.delay_s(owner, signer):
            raise RoleMissing(signer, owner)
        if signer == call.by or signature != signer:
            raise SignatureInvalid(signer)
        return self.award(call, brand_id, item, signed=True)

    def award_batch(self, call: Call, brand_id: int, items: Sequence[Item]) -> tuple[int, int]:
        """Many awards, a bad one refused alone; how many counted and their points."""
        use = self._check_issuer(call, brand_id)
        if not 1 <= len(items) <= BATCH_ITEMS_MAX:
            raise BatchSizeWrong(len(items), BATCH_ITEMS_MAX)

        use()
        counted: list[tuple[Item, int]] = []
        total = 0
        for item in items:
            try:
                points, version = self._decide(brand_id, item, call.at, counted=total)
            except Refused as reason:
                self.journal.say(RULES, "AwardRefused", brand_id, item.operation_id, item.member, item.rule_id, reason)
                continue
            self._count(brand_id, item, points, version, call.at)
            counted.append((item, points))
            total += points
        self._commit(brand_id, [item for item, _ in counted], call.at)
        self._mint(brand_id, [(item.member, points) for item, points in counted], call.at)
        return len(counted), total

    def _mint(self, brand_id: int, lines: Sequence[tuple[str, int]], at: int) -> None:
        paid = [(member, points) for member, points in lines if points]
        if paid:
            self.tokens[brand_id].mint_batch(paid, at)

    def _commit(self, brand_id: int, items: Sequence[Item], at: int) -> None:
        """Remembers what may come back; the contract keeps the root of these leaves."""
        leaves = []
        operations = [item.operation_id for item in items if (brand_id, item.operation_id) in self.awards]
        for place, operation_id in enumerate(operations):
            award = self.awards[brand_id, operation_id]
            award.place = place
            leaves.append(tree.leaf(award))
        if leaves:
            root = "0x" + tree.root(leaves).hex()
            self.roots[brand_id, root] = operations
            self.journal.say(RULES, "AwardsCommitted", brand_id, root, len(leaves))

    def forget(self, at: int) -> None:
        """Drops the awards that cannot come back any more."""
        over = {key for key, award in self.awards.items() if at > award.at + award.terms.return_window_s}
        for key in over:
            del self.awards[key]
        if over:
            gone = {root for root, operations in self.roots.items() if (root[0], operations[0]) in over}
            for root in gone:
                del self.roots[root]

    def proof(self, brand_id: int, operation_id: int) -> tuple[tuple[int, ...], list[bytes]]:
        """The award's words and its neighbours, as a return brings them."""
        award = self.awards[brand_id, operation_id]
        operations = next(
            found for (brand, _), found in self.roots.items() if brand == brand_id and operation_id in found
        )
        leaves = [tree.leaf(self.awards[brand_id, each]) for each in operations]
        return tree.words(award), tree.proof(leaves, award.place)

    # --- the brand's till

    def take_return(self, call: Call, brand_id: int, return_id: int, base_amount: int, operation_id: int) -> TakenBack:
        """Takes back what an award paid for goods that came back."""
        self.registry.check_issuing(brand_id)
        use = self.announcements.check(call, role_of(brand_id, Kind.TILL))
        if self.is_operation_used(brand_id, return_id):
            raise OperationUsed(brand_id, return_id)
        award = self.awards.get((brand_id, operation_id))
        if award is None:
            raise AwardUnknown(brand_id, operation_id)
        until = award.at + award.terms.return_window_s
        if call.at > until:
            raise ReturnTooLate(until, call.at)
        if base_amount > award.left or award.returned is None:
            raise ReturnExceedsAward(base_amount, award.left)
        if base_amount == 0 and award.left:
            raise BaseAmountMissing

        use()
        self.used.add((brand_id, return_id))
        before = award.standing
        award.returned = award.returned + base_amount if base_amount < award.left else None
        owe = award.terms.shortfall == Shortfall.DEBT
        points, member = before - award.standing, award.item.member
        back = self.tokens[brand_id].take_back(member, points, award.expiry, owe, call.at)
        self._free(brand_id, award, points - back.forgiven)
        self.journal.say(
            RULES,
            "Returned",
            brand_id,
            operation_id,
            member,
            return_id,
            base_amount,
            award.standing,
            back.taken,
            back.owed + back.forgiven,
            int(back.owed > 0),
        )
        return back

    def _free(self, brand_id: int, award: Award, points: int) -> None:
        """What was taken, or is owed, may be awarded again: of the budget, and of the member's day."""
        rule = self.rule(brand_id, award.item.rule_id)
        rule.spent -= points
        day = award.item.member, day_of(award.at, award.terms.day_start)
        if award.terms.cap_per_member_day and day in rule.by_day:
            rule.by_day[day] -= points

    def _check_issuer(self, call: Call, brand_id: int) -> Callable[[], None]:
        self.registry.check_issuing(brand_id)
        self.tokens[brand_id].check_clock(call.at)
        return self.announcements.check(call, role_of(brand_id, Kind.ISSUER))

    def _check_terms(self, brand_id: int, terms: RuleTerms) -> None:
        """The terms' own bounds, and that no point can expire while it may come back."""
        terms.check()
        if terms.return_window_s > self.tokens[brand_id].clock.least_life_s:
            raise RuleTermsInvalid("returnWindow")

    def _decide(self, brand_id: int, item: Item, at: int, *, signed: bool = False, counted: int = 0) -> tuple[int, int]:
        """counted: points of the same batch, whose mint comes when all are decided."""
        if self.is_operation_used(brand_id, item.operation_id):
            raise OperationUsed(brand_id, item.operation_id)
        token = self.tokens[brand_id]
        if item.member in (NOBODY, token.desk, token.address):
            raise MemberInvalid(item.member)
        rule = self.rule(brand_id, item.rule_id)
        terms, version = rule.in_force(at)
        if not terms.start <= at < terms.end:
            raise RuleNotInForce(terms.start, terms.end, at)
        if item.base_amount > BASE_AMOUNT_MAX:
            raise BaseAmountTooLarge(item.base_amount, BASE_AMOUNT_MAX)
        points = terms.paid(item.base_amount)
        if points > LOT_POINTS_MAX:
            raise AwardTooLarge(points, LOT_POINTS_MAX)
        if terms.kind == RuleKind.CORRECTION and points > terms.second_above and not signed:
            raise SecondSignatureMissing(points, terms.second_above)
        self._check_room(rule, terms, item.member, points, at)
        room = token.mintable(at) - counted
        if points > room:
            raise SupplyExceeded(points, room)
        return points, version

    def _check_room(self, rule: Rule, terms: RuleTerms, member: str, points: int, at: int) -> None:
        if terms.cap_per_member_day:
            remaining = max(0, terms.cap_per_member_day - rule.by_day.get((member, day_of(at, terms.day_start)), 0))
            if points > remaining:
                raise MemberCapExceeded(points, remaining)
        remaining = max(0, terms.budget - rule.spent)
        if points > remaining:
            raise BudgetExceeded(points, remaining)

    def _count(self, brand_id: int, item: Item, points: int, version: int, at: int) -> None:
        rule = self.rule(brand_id, item.rule_id)
        self.used.add((brand_id, item.operation_id))
        rule.settle(at)
        rule.spent += points
        if rule.terms.cap_per_member_day:
            day = item.member, day_of(at, rule.terms.day_start)
            rule.by_day[day] = rule.by_day.get(day, 0) + points
        self.journal.say(
            RULES,
            "Awarded",
            brand_id,
            item.operation_id,
            item.member,
            item.base_amount,
            points,
            item.rule_id,
            version,
        )
        if points and rule.terms.return_window_s:
            expiry = self.tokens[brand_id].clock.expiry_of_mint(at)
            self.awards[brand_id, item.operation_id] = Award(item, rule.terms, version, points, expiry, at)
