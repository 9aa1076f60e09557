"""Brands by the registry's id: their tokens, whether they may issue, and the rule by which they reward."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from chain.base.scalars import Address, RegistryId, RegistryIdText
from chain.contracts.lots import Clock
from chain.mirror.brands import ALL_BRANDS, BEHIND_BLOCKS_MAX, RULES_MAX, rewards
from chain.mirror.queries.checkpoint import BACKFILLING, checkpoint
from chain.storage.looks import Look, document, looking

# RewardRules.Kind.Correction.
CORRECTION: Final = 2
_TOKENS: Final = (
    "SELECT t.brand_id, t.token, t.name, t.symbol, t.decimals, t.origin, t.epoch_s, t.lifetime_epochs, t.grace_s,"
    " t.since_block, s.status, s.metadata_hash"
    " FROM brand_token t LEFT JOIN brand_standing s ON s.brand_id = t.brand_id"
    " ORDER BY t.since_block, t.brand_id LIMIT ?"
)
_NAMED: Final = "SELECT brand_id, token FROM brand_token ORDER BY since_block, brand_id LIMIT ?"
# The version in force of each rule of a brand, the youngest rule first.
_IN_FORCE: Final = (
    "SELECT r.rule_id, r.terms FROM rule r WHERE r.brand_id = ? AND r.version = (SELECT MAX(v.version) FROM rule v"
    " WHERE v.brand_id = r.brand_id AND v.rule_id = r.rule_id AND v.in_force_at <= ? AND NOT v.withdrawn)"
    " ORDER BY LENGTH(r.rule_id) DESC, r.rule_id DESC LIMIT ?"
)


class BrandToken(NamedTuple):
    """A brand's token with what is fixed for ever; status and metadata_hash as they stand, None until they are told.

    grace_s: seconds. since_block: the block of the invitation.
    """

    brand_id: RegistryIdText
    token: Address
    name: str
    symbol: str
    decimals: int
    origin: int
    epoch_s: int
    lifetime_epochs: int
    grace_s: int
    since_block: int
    status: str | None
    metadata_hash: str | None

    @property
    def clock(self) -> Clock:
        """The token's calendar."""
        return Clock(self.origin, self.epoch_s, self.lifetime_epochs)


class Rewarding(NamedTuple):
    """A rule that rewards an activity. lock_s: so long after its fact the award goes; end_s: from this second on the
    rule gives nothing (0: never)."""

    rule: int
    lock_s: int
    end_s: int


class Correcting(NamedTuple):
    """A rule by which a brand gives points by hand. second_above: above so many points its owner signs too."""

    rule: int
    second_above: int
    cap_per_award: int
    cap_per_member_day: int
    budget: int


class Named(NamedTuple):
    """A brand and its token."""

    brand_id: RegistryIdText
    token: Address


def all_tokens(look: Look, *, limit: int) -> list[BrandToken]:
    """Every brand's token, in the order of their invitations."""
    return [BrandToken(*row) for row in look.rows(_TOKENS, limit)]


def named(look: Look, *, limit: int) -> list[Named]:
    """Every brand with its token, in the order of their invitations."""
    return [Named(*row) for row in look.rows(_NAMED, limit)]


def tokens(look: Look, ids: Iterable[RegistryId]) -> dict[RegistryId, Address]:
    """The token of each of the brands that the mirror knows."""
    wanted = sorted({str(id) for id in ids})
    if not wanted:
        return {}
    places = ", ".join("?" * len(wanted))
    rows = look.rows(f"SELECT brand_id, token FROM brand_token WHERE brand_id IN ({places})", *wanted)  # noqa: S608
    return {RegistryId(int(brand_id)): token for brand_id, token in rows}


def paused(look: Look, ids: Iterable[RegistryId]) -> list[RegistryId]:
    """Those of the brands that the mirror knows as suspended or stopped by a switch."""
    known = sorted(set(ids))
    if not known:
        return []
    wanted = [ALL_BRANDS, *map(str, known)]
    places = ", ".join("?" * len(wanted))
    rows = look.rows(
        "SELECT brand_id, status, brand_switch, moa_switch FROM brand_standing"  # noqa: S608 - places only
        f" WHERE brand_id IN ({places})",
        *wanted,
    )
    all_stopped = any(brand_id == ALL_BRANDS and moa_switch for brand_id, _, _, moa_switch in rows)
    stopped = {brand_id for brand_id, status, *switches in rows if status == "suspended" or any(switches)}
    return [id for id in known if all_stopped or str(id) in stopped]


def rules_for(connection: Connection | Session, brand: RegistryId, activity: str, *, at_s: int) -> list[Rewarding]:
    """The rules by which a brand rewards an activity now, as their versions in force have it, the youngest first.

    Now is `at_s`, or the mirror's block where the chain's clock is ahead of ours.
    """
    look = looking(connection)
    at = checkpoint(look)
    now = at_s if at is None else max(at_s, at.block_time)
    found = [(int(rule), document(terms)) for rule, terms in look.rows(_IN_FORCE, str(brand), now, RULES_MAX)]
    return [
        Rewarding(rule, int(terms.get("lockSeconds", 0)), int(terms.get("end", 0)))
        for rule, terms in found
        if rewards(terms, activity, now)
    ]


def correcting(connection: Connection | Session, brand: RegistryId, *, at_s: int) -> Correcting | None:
    """The youngest rule of a brand for corrections, as its version in force has it; None without one."""
    look = looking(connection)
    at = checkpoint(look)
    now = at_s if at is None else max(at_s, at.block_time)
    for rule, kept in look.rows(_IN_FORCE, str(brand), now, RULES_MAX):
        terms = document(kept)
        lasts = int(terms.get("start", 0)) <= now and not 0 < int(terms.get("end", 0)) <= now
        if int(terms["kind"]) == CORRECTION and lasts:
            bounds = (int(terms[name]) for name in ("secondAbove", "capPerAward", "capPerMemberDay", "budget"))
            return Correcting(int(rule), *bounds)
    return None


def rule_for(connection: Connection | Session, brand: RegistryId, activity: str, *, at_s: int) -> int | None:
    """The youngest of them; None without one."""
    return next((one.rule for one in rules_for(connection, brand, activity, at_s=at_s)), None)


def may_come(connection: Connection | Session, rule: int | None) -> bool:
    """Whether the rule that is in force now may not be read yet (rule: what rule_for found): the mirror is being read
    anew, or has no rule and is not at the chain's head."""
    at = checkpoint(looking(connection))
    if at is None or at.state != BACKFILLING:
        return at is None and rule is None
    return rule is None or at.head_number - at.block_number > BEHIND_BLOCKS_MAX
