"""The brands with their tokens, rules and agreements in force, read together and kept for a moment.

Every view needs them and they change a few times a year, so one read a second serves all requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from api.kit.addresses import checksum
from api.kit.clock import now_ms
from api.kit.database import Snapshot
from chain.base.scalars import Address, RegistryId
from chain.contracts.lots import Clock
from chain.mirror.queries import programmes
from chain.mirror.queries.brands import all_tokens

CATALOGUE_LIFE_MS = 1_000
BRANDS_MAX = 1_000
RULES_MAX = 10_000
AGREEMENTS_MAX = 10_000


@dataclass(frozen=True)
class BrandCard:
    """A brand as screens show it, with the calendar of its token."""

    slug: str
    name: str
    symbol: str
    colour: str
    currency: str
    decimals: int
    registry_id: RegistryId
    token: Address
    clock: Clock

    @cached_property
    def told(self) -> dict[str, Any]:
        return {
            "slug": self.slug,
            "name": self.name,
            "symbol": self.symbol,
            "colour": self.colour,
            "decimals": self.decimals,
        }

    @cached_property
    def token_told(self) -> str:
        return checksum(self.token)


@dataclass(frozen=True)
class AgreementCard:
    """An agreement in force, in one direction."""

    id: str
    source: str
    target: str
    version: int
    terms: Mapping[str, Any]


@dataclass(frozen=True)
class Catalogue:
    """What was in force when it was read."""

    read_at_ms: int
    by_slug: Mapping[str, BrandCard]
    by_token: Mapping[str, BrandCard]
    by_id: Mapping[int, BrandCard]
    # (registry id, rule id, version) → terms; and the version in force of (registry id, rule id).
    terms: Mapping[tuple[int, str, int], Mapping[str, Any]]
    in_force: Mapping[tuple[int, str], int]
    agreements: Mapping[tuple[str, str], AgreementCard]

    def exchange_to(self, slug: str) -> list[dict[str, Any]]:
        """The brands into which this brand's points may be exchanged."""
        return [
            self.by_slug[target].told for source, target in self.agreements if source == slug and target in self.by_slug
        ]

    def rule_in_force(self, brand: int, rule_id: str) -> tuple[int, Mapping[str, Any]] | None:
        version = self.in_force.get((brand, rule_id))
        return None if version is None else (version, self.terms[brand, rule_id, version])


class Catalogues:
    """The newest catalogue, read again when it is older than a second."""

    def __init__(self) -> None:
        self._newest: Catalogue | None = None

    def newest(self, read: Snapshot) -> Catalogue:
        at_ms = now_ms()
        if self._newest is None or at_ms - self._newest.read_at_ms >= CATALOGUE_LIFE_MS:
            return self.anew(read)
        return self._newest

    def anew(self, read: Snapshot) -> Catalogue:
        """The catalogue of this very look."""
        self._newest = read_catalogue(read, at_ms=now_ms())
        return self._newest


_BRANDS = "SELECT slug, name, symbol, colour, currency, decimals, registry_id, token FROM brand ORDER BY slug LIMIT ?"
# Of a brand whose token the mirror does not show.
NO_CLOCK = Clock(0, 1, 0)


def read_catalogue(read: Snapshot, *, at_ms: int) -> Catalogue:
    """Reads everything in force now."""
    clocks = {token.token: token.clock for token in all_tokens(read, limit=BRANDS_MAX)}
    cards = [
        BrandCard(*card, token, clocks.get(token, NO_CLOCK))  # type: ignore[call-arg]
        for *card, token in read.rows(_BRANDS, BRANDS_MAX)
    ]
    by_id: dict[int, BrandCard] = {card.registry_id: card for card in cards}
    terms: dict[tuple[int, str, int], Mapping[str, Any]] = {}
    in_force: dict[tuple[int, str], int] = {}
    for rule in programmes.rules(read, limit=RULES_MAX, withdrawn=False):
        terms[int(rule.brand_id), rule.rule_id, rule.version] = rule.terms
        if rule.in_force_at <= at_ms // 1000:
            in_force[int(rule.brand_id), rule.rule_id] = rule.version
    agreements: dict[tuple[str, str], AgreementCard] = {}
    for agreed in programmes.agreements(read, limit=AGREEMENTS_MAX, proposed=False):
        source, target = by_id.get(int(agreed.from_brand_id)), by_id.get(int(agreed.to_brand_id))
        current = _current(agreed.versions, at_s=at_ms // 1000)
        ended = agreed.ends_at is not None and agreed.ends_at <= at_ms // 1000
        if source is not None and target is not None and current is not None and not ended:
            agreements[source.slug, target.slug] = AgreementCard(
                agreed.agreement_id, source.slug, target.slug, int(current["version"]), current["terms"]
            )
    return Catalogue(
        read_at_ms=at_ms,
        by_slug={card.slug: card for card in cards},
        by_token={card.token: card for card in cards},
        by_id=by_id,
        terms=terms,
        in_force=in_force,
        agreements=agreements,
    )


def _current(versions: list[dict[str, Any]], *, at_s: int) -> dict[str, Any] | None:
    """The newest version that is in force."""
    current = None
    for version in versions:
        in_force_at = version["in_force_at"]
        if not version["withdrawn"] and in_force_at is not None and int(in_force_at) <= at_s:
            current = version
    return current
