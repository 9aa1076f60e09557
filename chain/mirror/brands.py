"""Brands by the registry's id: their tokens and rules as the mirror has them, or as the chain itself answers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.orm import Session

from chain.contracts.deployment import Deployment
from chain.mirror.checkpoint import BACKFILLING
from chain.mirror.models import BrandStanding, BrandToken, MirrorCheckpoint, Rule
from chain.node.blocks import believable
from chain.node.rpc import Rpc
from chain.storage.columns import table_of

# What is read of one brand, and of the registry, at most.
RULES_MAX: Final = 1_000
BRANDS_MAX: Final = 1_000

# So far from the chain's head a mirror is one that is read anew, rather than one that follows.
BEHIND_BLOCKS_MAX: Final = 256

# The row that holds the switch for all brands (chain.mirror.models.BrandStanding).
ALL_BRANDS: Final = "0"

_tokens: Final = table_of(BrandToken)
_standings: Final = table_of(BrandStanding)
_rules: Final = table_of(Rule)
_checkpoint: Final = table_of(MirrorCheckpoint)
_BLOCK_TIME: Final = select(_checkpoint.c.block_time).where(_checkpoint.c.id == 1)
_WHERE: Final = select(_checkpoint.c.state, _checkpoint.c.block_number, _checkpoint.c.head_number).where(
    _checkpoint.c.id == 1
)

_later: Final = _rules.alias()
# The version in force of each rule of a brand, the youngest rule first.
_IN_FORCE: Final = (
    select(_rules.c.rule_id, _rules.c.terms)
    .where(
        _rules.c.brand_id == bindparam("brand"),
        _rules.c.version
        == select(func.max(_later.c.version))
        .where(
            _later.c.brand_id == _rules.c.brand_id,
            _later.c.rule_id == _rules.c.rule_id,
            _later.c.in_force_at <= bindparam("now"),
            _later.c.withdrawn.is_(False),
        )
        .scalar_subquery(),
    )
    .order_by(func.length(_rules.c.rule_id).desc(), _rules.c.rule_id.desc())
    .limit(RULES_MAX)
)


@dataclass(frozen=True, slots=True)
class RegisteredBrand:
    """A brand as the chain has it; token in lower case, rule ids by their activity (the youngest of each)."""

    id: int
    token: str
    metadata_hash: str
    rules: Mapping[str, int]


def tokens(connection: Connection, ids: Iterable[int]) -> dict[int, str]:
    """The token of each brand that the mirror knows."""
    wanted = sorted({str(id) for id in ids})
    rows = connection.execute(select(_tokens.c.brand_id, _tokens.c.token).where(_tokens.c.brand_id.in_(wanted)))
    return {int(brand_id): token for brand_id, token in rows}


def paused(connection: Connection, ids: Iterable[int]) -> list[int]:
    """Those of the brands that the mirror knows as suspended or stopped by a switch."""
    known = sorted(set(ids))
    if not known:
        return []
    rows = connection.execute(
        select(_standings.c.brand_id, _standings.c.status, _standings.c.brand_switch, _standings.c.moa_switch).where(
            _standings.c.brand_id.in_([ALL_BRANDS, *map(str, known)])
        )
    ).all()
    all_stopped = any(row.brand_id == ALL_BRANDS and row.moa_switch for row in rows)
    stopped = {row.brand_id for row in rows if row.status == "suspended" or row.brand_switch or row.moa_switch}
    return [id for id in known if all_stopped or str(id) in stopped]


def rule_for(connection: Connection | Session, brand: int, activity: str, *, at_s: int) -> int | None:
    """The rule by which a brand rewards an activity now: the youngest that is in force; None without one.

    Now is `at_s`, or the mirror's block where the chain's clock is ahead of ours.
    """
    now = max(at_s, connection.execute(_BLOCK_TIME).scalar() or 0)
    rows = connection.execute(_IN_FORCE, {"brand": str(brand), "now": now})
    return next((int(rule_id) for rule_id, terms in rows if _rewards(terms, activity, now)), None)


def may_come(connection: Connection | Session, rule: int | None) -> bool:
    """Whether the rule that is in force now may not be read yet (rule: what rule_for found): the mirror is being read
    anew, or has no rule and is not at the chain's head."""
    row = connection.execute(_WHERE).one_or_none()
    if row is None or row.state != BACKFILLING:
        return row is None and rule is None
    return rule is None or row.head_number - row.block_number > BEHIND_BLOCKS_MAX


def registered(rpc: Rpc, deployment: Deployment) -> list[RegisteredBrand]:
    """Every brand of the registry, by its id, from the chain itself."""
    codec = deployment.codec

    def ask(contract: str, function: str, *values: object) -> Any:
        data = "0x" + codec.calldata(contract, function, *values).hex()
        answer = rpc.call("eth_call", {"to": deployment.address(contract), "data": data}, "latest")
        return codec.result(contract, function, answer)

    found = []
    with believable("the registry's brands"):
        for id in range(1, min(int(ask("PartnerRegistry", "brandCount")), BRANDS_MAX) + 1):
            brand = ask("PartnerRegistry", "brandOf", id)
            count = min(int(ask("RewardRules", "ruleCount", id)), RULES_MAX)
            terms = {rule: ask("RewardRules", "ruleOf", id, rule)[0] for rule in range(1, count + 1)}
            rules = {activity_of(one): rule for rule, one in terms.items()}
            found.append(RegisteredBrand(id, brand["token"].lower(), brand["metadataHash"], rules))
    return found


def activity_of(terms: Mapping[str, Any]) -> str:
    """The activity that a rule's terms name, from the 32 bytes of its name."""
    return bytes.fromhex(str(terms["activity"])[2:]).rstrip(b"\0").decode("utf-8", "replace")


def _rewards(terms: Mapping[str, Any], activity: str, at_s: int) -> bool:
    begun, ended = int(terms.get("start", 0)) <= at_s, 0 < int(terms.get("end", 0)) <= at_s
    return activity_of(terms) == activity and begun and not ended
