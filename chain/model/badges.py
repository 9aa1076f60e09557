"""What members have reached at a brand: tiers, missions, achievements, each the member's own (SPEC 17)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from chain.model.access import Announcements, Kind, Roles, role_of
from chain.model.call import NOBODY, Call, Journal
from chain.model.clock import FOREVER
from chain.model.errors import (
    BadgeHeld,
    BadgeNotWithdrawable,
    BadgesExhausted,
    BadgeUnknown,
    BatchSizeWrong,
    DefinitionInvalid,
    DefinitionsExhausted,
    DefinitionUnknown,
    GivingOver,
    MemberInvalid,
    OperationUsed,
    Refused,
)
from chain.model.registry import Registry

BADGES: Final = "Badges"
BATCH_BADGES_MAX: Final = 500
DEFINITIONS_MAX: Final = 1_024
TIME_MAX: Final = 2**40 - 1
LEVEL_MAX: Final = 255
ZERO: Final = "0x" + "00" * 32


class BadgeKind(IntEnum):
    """A tier has a level and a validity; the others are something done."""

    TIER = 0
    MISSION = 1
    ACHIEVEMENT = 2


@dataclass(frozen=True, slots=True)
class Definition:
    """What is published of a kind of badge. giver: whose role gives it and takes it back."""

    kind: BadgeKind
    giver: int
    level: int
    withdrawable: bool
    limit: int
    end: int
    valid_s: int
    metadata_hash: str

    def check(self, at: int) -> None:
        """Refuses a definition outside the published bounds, the first field by name."""
        tier = self.kind == BadgeKind.TIER
        bounds = {
            "giver": Kind.OWNER <= self.giver <= Kind.TILL,
            "level": self.level <= LEVEL_MAX and (self.level != 0) == tier,
            "limit": 1 <= self.limit <= TIME_MAX,
            "end": at < self.end <= TIME_MAX,
            "validSeconds": not (tier and self.valid_s == 0) and self.valid_s <= TIME_MAX - self.end,
            "metadataHash": self.metadata_hash != ZERO,
        }
        for name, kept in bounds.items():
            if not kept:
                raise DefinitionInvalid(name)


@dataclass(frozen=True, slots=True)
class Gift:
    """One badge asked for."""

    operation_id: int
    member: str


@dataclass(frozen=True, slots=True)
class Term:
    """From when to when a badge is valid."""

    given_at: int
    valid_until: int


@dataclass(slots=True)
class Published:
    """A definition, how many were given, and who has one."""

    definition: Definition
    given: int = 0
    terms: dict[str, Term] = field(default_factory=dict)


def token_id(brand_id: int, definition_id: int, member: str) -> int:
    """The id of a member's badge."""
    return brand_id << 192 | definition_id << 160 | int(member, 16)


@dataclass(slots=True)
class Badges:
    """All definitions of all brands, ids from 1 within a brand. address: the contract itself, which receives none."""

    address: str
    registry: Registry
    roles: Roles
    journal: Journal
    definitions: dict[int, list[Published]] = field(default_factory=dict)
    used: set[tuple[int, int]] = field(default_factory=set)
    announcements: Announcements = field(init=False)

    def __post_init__(self) -> None:
        self.announcements = Announcements(BADGES, self.roles, self.journal)

    # --- reading

    def published(self, brand_id: int, definition_id: int) -> Published:
        """The definition, or DefinitionUnknown."""
        definitions = self.definitions.get(brand_id, [])
        if not 1 <= definition_id <= len(definitions):
            raise DefinitionUnknown(brand_id, definition_id)
        return definitions[definition_id - 1]

    def live_badges_of(self, brand_id: int, member: str, at: int) -> list[tuple[object, ...]]:
        """A member's live badges in the contract's order of values."""
        return [
            (
                token_id(brand_id, number, member),
                number,
                each.definition.kind,
                each.definition.level,
                each.terms[member].given_at,
                each.terms[member].valid_until,
                each.definition.metadata_hash,
            )
            for number, each in enumerate(self.definitions.get(brand_id, []), 1)
            if member in each.terms and at < each.terms[member].valid_until
        ]

    # --- the brand

    def publish(self, call: Call, brand_id: int, definition: Definition) -> int:
        """A new definition, for ever; its id."""
        self.registry.brand_of(brand_id)
        use = self.announcements.check(call, role_of(brand_id, Kind.OWNER))
        definition.check(call.at)
        definitions = self.definitions.setdefault(brand_id, [])
        if len(definitions) == DEFINITIONS_MAX:
            raise DefinitionsExhausted(DEFINITIONS_MAX)

        use()
        definitions.append(Published(definition))
        self.journal.say(BADGES, "DefinitionPublished", brand_id, len(definitions), definition)
        return len(definitions)

    def give(self, call: Call, brand_id: int, definition_id: int, gift: Gift) -> None:
        """One badge, or a renewal."""
        use = self._check_giver(call, brand_id, definition_id)
        self._check_giving(brand_id, definition_id, call.at)
        self._check(brand_id, definition_id, gift)

        use()
        self._give(brand_id, definition_id, gift, call.at)

    def give_batch(self, call: Call, brand_id: int, definition_id: int, gifts: Sequence[Gift]) -> int:
        """Many of one definition, a bad one refused alone; how many counted."""
        use = self._check_giver(call, brand_id, definition_id)
        self._check_giving(brand_id, definition_id, call.at)
        if not 1 <= len(gifts) <= BATCH_BADGES_MAX:
            raise BatchSizeWrong(len(gifts), BATCH_BADGES_MAX)

        use()
        given = 0
        for gift in gifts:
            try:
                self._check(brand_id, definition_id, gift)
            except Refused as reason:
                self.journal.say(
                    BADGES, "BadgeRefused", brand_id, gift.operation_id, gift.member, definition_id, reason
                )
                continue
            self._give(brand_id, definition_id, gift, call.at)
            given += 1
        return given

    def withdraw(self, call: Call, brand_id: int, definition_id: int, gift: Gift) -> None:
        """Takes a badge back, where its definition allows it."""
        use = self._check_giver(call, brand_id, definition_id)
        published = self.published(brand_id, definition_id)
        if not published.definition.withdrawable:
            raise BadgeNotWithdrawable(brand_id, definition_id)
        if (brand_id, gift.operation_id) in self.used:
            raise OperationUsed(brand_id, gift.operation_id)
        if gift.member not in published.terms:
            raise BadgeUnknown(brand_id, definition_id, gift.member)

        use()
        self.used.add((brand_id, gift.operation_id))
        del published.terms[gift.member]
        self.journal.say(BADGES, "Transfer", gift.member, NOBODY, token_id(brand_id, definition_id, gift.member))
        self.journal.say(BADGES, "BadgeWithdrawn", brand_id, gift.operation_id, gift.member, definition_id)

    # --- one badge

    def _check_giver(self, call: Call, brand_id: int, definition_id: int) -> Callable[[], None]:
        self.registry.check_issuing(brand_id)
        giver = self.published(brand_id, definition_id).definition.giver
        return self.announcements.check(call, role_of(brand_id, giver))

    def _check_giving(self, brand_id: int, definition_id: int, at: int) -> None:
        end = self.published(brand_id, definition_id).definition.end
        if at >= end:
            raise GivingOver(end, at)

    def _check(self, brand_id: int, definition_id: int, gift: Gift) -> None:
        if (brand_id, gift.operation_id) in self.used:
            raise OperationUsed(brand_id, gift.operation_id)
        if gift.member in (NOBODY, self.address):
            raise MemberInvalid(gift.member)
        published = self.published(brand_id, definition_id)
        definition = published.definition
        if gift.member in published.terms:
            if definition.valid_s == 0:
                raise BadgeHeld(brand_id, definition_id, gift.member)
        elif published.given >= definition.limit:
            raise BadgesExhausted(brand_id, definition_id, definition.limit)

    def _give(self, brand_id: int, definition_id: int, gift: Gift, at: int) -> None:
        published = self.published(brand_id, definition_id)
        renewed = gift.member in published.terms
        valid_s = published.definition.valid_s
        until = at + valid_s if valid_s else FOREVER
        self.used.add((brand_id, gift.operation_id))
        published.terms[gift.member] = Term(at, until)
        if not renewed:
            published.given += 1
            token = token_id(brand_id, definition_id, gift.member)
            self.journal.say(BADGES, "Transfer", NOBODY, gift.member, token)
            self.journal.say(BADGES, "Locked", token)
        values = brand_id, gift.operation_id, gift.member, definition_id, until, renewed
        self.journal.say(BADGES, "BadgeGiven", *values)
