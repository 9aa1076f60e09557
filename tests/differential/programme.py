"""A walk of its own over what belongs to a whole programme: opening balances, badges, votes."""

from collections.abc import Callable
from typing import Any

from chain.model import lots as lot
from tests.differential.acts.badges import BadgeActs
from tests.differential.chooser import Made
from tests.differential.compare import Read, compare
from tests.differential.steps import Step
from tests.differential.world import TwoSides


class ProgrammeWalk(BadgeActs):
    """Makes the next step from the model's state."""

    WEIGHTS: tuple[tuple[str, int], ...] = (
        ("commit_opening", 6),
        ("replace_opening", 4),
        ("end_comparing", 1),
        ("prolong", 2),
        ("claim", 12),
        ("claim_batch", 14),
        ("publish_badge", 3),
        ("give", 8),
        ("give_batch", 10),
        ("withdraw_badge", 4),
        ("award", 2),
        ("transfer", 2),
        ("standing", 1),
        ("resume", 3),
    )

    def next(self, now: int) -> Step:
        """The next step, at its time."""
        self.at = self.next_time(now)
        registry = self.world.ledger.registry
        names = [name for name, _ in self.WEIGHTS]
        chosen = self.rng.choices(names, [weight for _, weight in self.WEIGHTS])[0]
        make: Callable[[], Made] = getattr(self, chosen)
        if not all(registry.is_issuing(each) for each in self.world.ledger.tokens) and self.bad(0.3):
            make = self.resume
        return Step(*make(), at=self.at)


def compare_programme(world: TwoSides, at: int) -> None:
    """Every opening and every claimed line, as both sides have them."""
    reads: list[tuple[Read, Any]] = []
    for brand_id, openings in world.ledger.openings.openings.items():
        reads.append((("OpeningBalances", "openingCount", (brand_id,)), len(openings)))
        for number, each in enumerate(openings, 1):
            shown = (
                each.terms.root,
                tuple(each.remaining),
                each.terms.lines,
                len(each.claimed),
                each.terms.start,
                each.end,
                each.version,
                each.comparing,
                each.terms.file_hash,
            )
            reads.append((("OpeningBalances", "openingOf", (brand_id, number)), shown))
            for index in range(min(each.terms.lines, 16)):
                key = "OpeningBalances", "isClaimed", (brand_id, number, index)
                reads.append((key, index in each.claimed))
    for brand_id, definitions in world.ledger.badges.definitions.items():
        reads.append((("Badges", "definitionCount", (brand_id,)), len(definitions)))
        for number, published in enumerate(definitions, 1):
            shown = (published.definition, published.given)
            reads.append((("Badges", "definitionOf", (brand_id, number)), shown))
        for member in world.cast.members:
            live = world.ledger.badges.live_badges_of(brand_id, member, at)
            reads.append((("Badges", "liveBadgesOf", (brand_id, member)), live))
    for member in world.cast.members:
        have = sum(member in each.terms for some in world.ledger.badges.definitions.values() for each in some)
        reads.append((("Badges", "balanceOf", (member,)), have))
    for brand_id, operation_id in sorted(world.ledger.badges.used)[-40:]:
        reads.append((("Badges", "isOperationUsed", (brand_id, operation_id)), True))
    compare(world, at, reads)


def minted_within_schedules(world: TwoSides) -> None:
    """What was claimed and what is left make the schedule, lot by lot."""
    for openings in world.ledger.openings.openings.values():
        for each in openings:
            left = lot.unpacked(each.remaining)
            committed = lot.unpacked(each.terms.lots)
            assert set(left) <= set(committed)
            assert all(left[epoch] <= committed[epoch] for epoch in left)
