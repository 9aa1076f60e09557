"""Acts on badges: definitions published, badges given, renewed, taken back; at times wrongly."""

from dataclasses import replace
from typing import Any

from chain.model.access import Kind
from chain.model.badges import BadgeKind, Definition, Gift
from tests.differential.acts.openings import OpeningActs
from tests.differential.chooser import NOBODY, Made
from tests.differential.world import DAY, HOUR, ZERO32


class BadgeActs(OpeningActs):
    """Definitions, and what is given under them."""

    def publish_badge(self) -> Made:
        brand_id = self.brand()
        tier = self.bad(0.5)
        definition = Definition(
            kind=BadgeKind.TIER if tier else self.some([BadgeKind.MISSION, BadgeKind.ACHIEVEMENT]),
            giver=self.some([Kind.ISSUER, Kind.ISSUER, Kind.TILL, Kind.OWNER]),
            level=self.rng.randint(1, 255) if tier else 0,
            withdrawable=self.bad(0.7),
            limit=self.rng.choice((1, 2, 5, 2**40 - 1)),
            end=self.at + self.rng.choice((900, DAY, 400 * DAY)),
            valid_s=self.rng.choice((60, HOUR, 9 * DAY)) if tier or self.bad(0.3) else 0,
            metadata_hash="0x" + "6b" * 32,
        )
        if self.bad(0.15):
            wrong: list[dict[str, Any]] = [
                {"giver": 0},
                {"giver": Kind.TREASURER},
                {"level": 0 if tier else 1},
                {"level": 256},
                {"limit": 0},
                {"limit": 2**40},
                {"end": self.at},
                {"end": 2**40},
                {"valid_s": 2**40 - definition.end},
                {"metadata_hash": ZERO32},
            ]
            definition = replace(definition, **self.some(wrong))
        return "Badges", "publish", (brand_id, definition), self.staff("owner", brand_id)

    def defined(self) -> tuple[int, int, str]:
        """A brand, a definition of it, and who gives its badges; at times one that is not there."""
        brand_id = self.brand()
        definitions = self.world.ledger.badges.definitions.get(brand_id, [])
        if not definitions or self.bad(0.04):
            number = int(self.some([0, len(definitions) + 1, 2**200]))
            return brand_id, number, self.staff("issuer", brand_id)
        number = self.rng.randint(1, len(definitions))
        giver = Kind(definitions[number - 1].definition.giver).name.lower()
        return brand_id, number, self.staff(giver, brand_id)

    def gift(self, *, share: float = 0.05) -> Gift:
        """One badge to give; at times under an id that has counted, at times to nobody."""
        operation = self.next_operation
        self.next_operation += self.rng.choice((1, 1, 2, 300))
        if self.bad(share) and operation:
            operation = self.rng.randint(0, operation)
        member = self.member()
        if self.bad(share / 2):
            member = str(self.some([NOBODY, self.world.chain.addresses["Badges"]]))
        return Gift(operation, member)

    def give(self) -> Made:
        brand_id, number, by = self.defined()
        return "Badges", "give", (brand_id, number, self.gift()), by

    def give_batch(self) -> Made:
        brand_id, number, by = self.defined()
        size = int(self.some([0, 501])) if self.bad(0.03) else self.rng.randint(1, 9)
        gifts = [self.gift(share=0.1)] * size if size > 9 else [self.gift(share=0.1) for _ in range(size)]
        return "Badges", "giveBatch", (brand_id, number, gifts), by

    def withdraw_badge(self) -> Made:
        brand_id, number, by = self.defined()
        definitions = self.world.ledger.badges.definitions.get(brand_id, [])
        gift = self.gift()
        if 1 <= number <= len(definitions) and definitions[number - 1].terms and not self.bad(0.1):
            gift = replace(gift, member=self.some(sorted(definitions[number - 1].terms)))
        return "Badges", "withdraw", (brand_id, number, gift), by
