"""The published rules by which a brand awards points (SPEC 2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Final

from chain.model.access import Announcements, Kind, Roles, role_of
from chain.model.call import NOBODY, Call, Journal
from chain.model.clock import day_of
from chain.model.errors import (
    AwardTooLarge,
    BaseAmountTooLarge,
    BatchSizeWrong,
    BudgetExceeded,
    ChangePending,
    MemberCapExceeded,
    MemberInvalid,
    NoChangePending,
    OperationUsed,
    Refused,
    RuleNotInForce,
    RuleTermsInvalid,
    RuleUnknown,
    SupplyExceeded,
)
from chain.model.lots import LOT_POINTS_MAX
from chain.model.registry import Registry
from chain.model.token import Token

RULES: Final = "RewardRules"
BASE_AMOUNT_MAX: Final = 2**96 - 1
BUDGET_MAX: Final = 2**56 - 1
END_MAX: Final = 2**40 - 1
NOTICE_S_MIN: Final = 3_600
NOTICE_S_MAX: Final = 365 * 86_400
BATCH_ITEMS_MAX: Final = 500


class RuleKind(IntEnum):
    """Rate: base * numerator / denominator. Fixed: numerator, whatever the base."""

    RATE = 0
    FIXED = 1


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

    def check(self) -> None:
        """Refuses terms outside the published bounds, the first field by name."""
        bounds = {
            "numerator": 1 <= self.numerator <= LOT_POINTS_MAX,
            "denominator": 1 <= self.denominator <= (1 if self.kind == RuleKind.FIXED else LOT_POINTS_MAX),
            "capPerAward": self.cap_per_award <= LOT_POINTS_MAX,
            "capPerMemberDay": self.cap_per_member_day <= LOT_POINTS_MAX,
            "budget": self.budget <= BUDGET_MAX,
            "end": self.start < self.end <= END_MAX,
            "noticeSeconds": NOTICE_S_MIN <= self.notice_s <= NOTICE_S_MAX,
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
class Rules:
    """All rules of all brands, ids from 1 within a brand, and the operations that have counted."""

    registry: Registry
    tokens: dict[int, Token]
    roles: Roles
    journal: Journal
    rules: dict[int, list[Rule]] = field(default_factory=dict)
    used: set[tuple[int, int]] = field(default_factory=set)
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
        terms.check()

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
        terms.check()

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

    def award(self, call: Call, brand_id: int, item: Item) -> int:
        """One award; its points."""
        use = self._check_issuer(call, brand_id)
        points, version = self._decide(brand_id, item, call.at)

        use()
        self._count(brand_id, item, points, version, call.at)
        return points

    def award_batch(self, call: Call, brand_id: int, items: Sequence[Item]) -> tuple[int, int]:
        """Many awards, a bad one refused alone; how many counted and their points."""
        use = self._check_issuer(call, brand_id)
        if not 1 <= len(items) <= BATCH_ITEMS_MAX:
            raise BatchSizeWrong(len(items), BATCH_ITEMS_MAX)

        use()
        awarded = points_total = 0
        for item in items:
            try:
                points, version = self._decide(brand_id, item, call.at)
            except Refused as reason:
                self.journal.say(RULES, "AwardRefused", brand_id, item.operation_id, item.member, item.rule_id, reason)
                continue
            self._count(brand_id, item, points, version, call.at)
            awarded += 1
            points_total += points
        return awarded, points_total

    def _check_issuer(self, call: Call, brand_id: int) -> Callable[[], None]:
        self.registry.check_issuing(brand_id)
        self.tokens[brand_id].check_clock(call.at)
        return self.announcements.check(call, role_of(brand_id, Kind.ISSUER))

    def _decide(self, brand_id: int, item: Item, at: int) -> tuple[int, int]:
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
        points = terms.points(item.base_amount)
        if terms.cap_per_award:
            points = min(points, terms.cap_per_award)
        if points > LOT_POINTS_MAX:
            raise AwardTooLarge(points, LOT_POINTS_MAX)
        self._check_room(rule, terms, item.member, points, at)
        if points > token.mintable(at):
            raise SupplyExceeded(points, token.mintable(at))
        return points, version

    def _check_room(self, rule: Rule, terms: RuleTerms, member: str, points: int, at: int) -> None:
        if terms.cap_per_member_day:
            remaining = max(0, terms.cap_per_member_day - rule.by_day.get((member, day_of(at)), 0))
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
            day = item.member, day_of(at)
            rule.by_day[day] = rule.by_day.get(day, 0) + points
        self.journal.say(
            RULES,
            "Awarded",
            brand_id,
            item.operation_id,
            item.member,
            item.rule_id,
            version,
            item.base_amount,
            points,
        )
        if points:
            self.tokens[brand_id].mint(item.member, points, at)
