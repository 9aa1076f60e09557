"""Equal or not: what a step said, and what both sides answer afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chain.model import lots as lot
from chain.model.clock import EXPIRY_EPOCH_MAX
from tests.differential.steps import TOKEN, Outcome, Step, plain

if TYPE_CHECKING:
    from tests.differential.world import TwoSides

Read = tuple[str, str, tuple[Any, ...]]


class Difference(AssertionError):
    """The contracts and the model disagree."""


def check(where: str, expected: Any, found: Any) -> None:
    """Refuses two values that differ."""
    if expected != found:
        raise Difference(f"{where}\n  model:     {expected}\n  contracts: {found}")


def compare_step(world: TwoSides, step: Step, expected: Outcome, found: Outcome) -> None:
    """The step's error or facts, contract by contract, and the books that it touched."""
    check(f"error of {step}", expected.error, found.error)
    for contract in sorted({*expected.facts, *found.facts}):
        check(f"{contract} in {step}", expected.facts.get(contract), found.facts.get(contract))
    compare(world, step.at, touched(world, step, expected))


def touched(world: TwoSides, step: Step, outcome: Outcome) -> list[tuple[Read, Any]]:
    """What to read after a step: the books of everyone named in what was said."""
    pairs: dict[tuple[Read, None], Any] = {}
    found: list[tuple[Read, Any]] = []
    ledger = world.ledger
    for contract, facts in outcome.facts.items():
        if contract.startswith(TOKEN):
            brand_id = int(contract.split()[1])
            accounts = {each for name, values in facts if name in ("Transfer", "Left") for each in values[:2]}
            for account in sorted(accounts - {"0x" + "00" * 20}):
                found += account_reads(world, brand_id, account, step.at)
            found += supply_reads(world, brand_id, step.at)
        for name, values in facts:
            if contract == "RewardRules" and name in ("Awarded", "AwardRefused"):
                key = (contract, "isOperationUsed", values[:2])
                pairs[key, None] = ledger.rules.is_operation_used(*values[:2])
            if contract == "RewardRules" and name == "Awarded":
                found += rule_reads(world, values[0], values[5], step.at)
            if contract == "RewardRules" and name == "Returned":
                award = ledger.rules.awards[values[0], values[1]]
                found += rule_reads(world, values[0], award.item.rule_id, step.at)
                key = (contract, "isOperationUsed", (values[0], values[3]))
                pairs[key, None] = True
            if name == "RefundWindowAnnounced":
                found += registry_reads(world, step.at)
            if contract == "RedemptionDesk" and name.startswith("Hold"):
                found += hold_reads(world, values[0])
            if contract == "ClearingHouse":
                found += clearing_reads(world)
            if contract == "PartnerExchange":
                found += agreement_reads(world, step.at)
            if contract == "PartnerRegistry":
                found += registry_reads(world, step.at)
    found += [(key, value) for (key, _), value in pairs.items()]
    return found


def compare(world: TwoSides, at: int, reads: list[tuple[Read, Any]]) -> None:
    """Asks the contracts everything at once."""
    unique = {repr(key): (key, value) for key, value in reads}
    keys = [key for key, _ in unique.values()]
    for (key, expected), found in zip(unique.values(), world.chain.read_many(keys), strict=True):
        check(f"{key[0]}.{key[1]}{key[2]} at {at}", plain(expected), found)


def compare_all(world: TwoSides, at: int) -> None:
    """Every book of both sides, and the sums that must hold."""
    reads: list[tuple[Read, Any]] = []
    for brand_id, token in world.ledger.tokens.items():
        accounts = sorted({*token.accounts, *world.cast.members})
        for account in accounts:
            reads += account_reads(world, brand_id, account, at)
        reads += supply_reads(world, brand_id, at)
        for rule_id in range(1, len(world.ledger.rules.rules.get(brand_id, [])) + 1):
            reads += rule_reads(world, brand_id, rule_id, at)
        owned: lot.Lots = {}
        for account in token.accounts:
            owned = lot.plus(owned, token.lots_of(account, at))
        check(f"lots of all of brand {brand_id}", token.supply_by_expiry(at), dict(sorted(owned.items())))
    for hold_id in list(world.ledger.desk.holds)[-40:]:
        reads += hold_reads(world, hold_id)
    reads += clearing_reads(world) + agreement_reads(world, at) + registry_reads(world, at)
    compare(world, at, reads)
    held = world.chain.read("SettlementToken", "balanceOf", world.chain.addresses["ClearingHouse"])
    check("collateral in all", sum(each.collateral for each in world.ledger.clearing.accounts.values()), held)


def account_reads(world: TwoSides, brand_id: int, account: str, at: int) -> list[tuple[Read, Any]]:
    """Balance, lots, held points; and the lots that the events alone give."""
    token, contract = world.ledger.tokens[brand_id], f"{TOKEN} {brand_id}"
    lots = token.lots_of(account, at)
    words = world.chain.words.get((contract, account), [0] * 4)
    check(f"lots of {account} by events alone", lots, lot.live(lot.unpacked(words), token.clock.epoch(at)))
    shown = tuple((expiry, token.clock.expires_at(expiry), points) for expiry, points in lots.items())
    # The epoch that ends next, and that of the newest lot.
    ends = (token.clock.epoch(at) + 1, max(lots, default=0))
    epochs = sorted({max(0, end - token.clock.validity) for end in ends})
    return [
        ((contract, "balanceOf", (account,)), lot.total(lots)),
        *(
            ((contract, "balanceOfAtEpoch", (epoch, account)), token.balance_of_epoch(epoch, account, at))
            for epoch in epochs
        ),
        ((contract, "lotsOf", (account,)), shown),
        ((contract, "debtOf", (account,)), token.debt_of(account)),
        ((contract, "packedLotsOf", (account,)), tuple(words)),
        (("RedemptionDesk", "heldOf", (brand_id, account)), world.ledger.desk.held_of(brand_id, account)),
    ]


def supply_reads(world: TwoSides, brand_id: int, at: int) -> list[tuple[Read, Any]]:
    """Supply in all and by expiry."""
    token, contract = world.ledger.tokens[brand_id], f"{TOKEN} {brand_id}"
    supply = token.supply_by_expiry(at)
    shown = tuple((expiry, token.clock.expires_at(expiry), points) for expiry, points in supply.items())
    # The last epoch that has expired, and the first that has not.
    last = max(0, token.clock.epoch(at) - token.clock.validity)
    reads: list[tuple[Read, Any]] = [
        ((contract, "totalSupply", ()), lot.total(supply)),
        ((contract, "supplyByExpiry", ()), shown),
        ((contract, "currentEpoch", ()), token.clock.epoch(at)),
        ((contract, "graceClock", ()), token.clock.too_late(at)),
        ((contract, "epochLength", ()), token.clock.epoch_length),
        ((contract, "validityDuration", ()), token.clock.validity),
        *(((contract, "isEpochExpired", (epoch,)), token.clock.is_expired(epoch, at)) for epoch in (last, last + 1)),
    ]
    if token.clock.expiry_of_mint(at) <= EXPIRY_EPOCH_MAX:
        reads.append(((contract, "mintable", ()), token.mintable(at)))
    return reads


def rule_reads(world: TwoSides, brand_id: int, rule_id: int, at: int) -> list[tuple[Read, Any]]:
    """A rule's terms, version and what is spent."""
    rule = world.ledger.rules.rule(brand_id, rule_id)
    terms, version = rule.in_force(at)
    return [(("RewardRules", "ruleOf", (brand_id, rule_id)), (terms.values(), version, rule.spent))]


def hold_reads(world: TwoSides, hold_id: str) -> list[tuple[Read, Any]]:
    """A hold as the desk remembers it."""
    hold = world.ledger.desk.holds[hold_id]
    shown = (
        hold.member,
        hold.brand_id,
        int(hold.state),
        hold.points,
        hold.captured,
        hold.refunded,
        hold.hold_until,
        hold.refund_until,
        lot.packed(hold.lots),
    )
    return [(("RedemptionDesk", "holdOf", (hold_id,)), shown)]


def clearing_reads(world: TwoSides) -> list[tuple[Read, Any]]:
    """All accounts and the whole matrix of obligations."""
    clearing, brands = world.ledger.clearing, list(world.ledger.tokens)
    reads: list[tuple[Read, Any]] = [
        (("ClearingHouse", "accountOf", (brand,)), clearing.account_of(brand)) for brand in brands
    ]
    reads += [
        (("ClearingHouse", "obligationOf", (one, other)), clearing.obligation_of(one, other))
        for one in brands
        for other in brands
        if one != other
    ]
    reads.append((("ClearingHouse", "collateralTotal", ()), clearing.collateral_total))
    return [*reads, (("ClearingHouse", "nextPeriod", ()), clearing.next_period)]


def agreement_reads(world: TwoSides, at: int) -> list[tuple[Read, Any]]:
    """All agreements as of now."""
    reads: list[tuple[Read, Any]] = []
    for number, agreement in enumerate(world.ledger.agreements.agreements, 1):
        terms, version = agreement.in_force(at)
        shown = (agreement.from_brand_id, agreement.to_brand_id, agreement.state_at(at), version, terms)
        reads.append((("PartnerExchange", "agreementOf", (number,)), plain(shown)))
        used = world.ledger.agreements.used_today(number, at)
        reads.append((("PartnerExchange", "usedToday", (number,)), used))
    return reads


def registry_reads(world: TwoSides, at: int) -> list[tuple[Read, Any]]:
    """The standing of all brands, and what follows from it."""
    registry, desk = world.ledger.registry, world.ledger.desk
    reads: list[tuple[Read, Any]] = []
    for number, brand in registry.brands.items():
        treasury = brand.treasury_at(at)
        shown = (brand.token, brand.status, brand.brand_switch, brand.moa_switch, treasury, brand.metadata_hash)
        reads.append((("PartnerRegistry", "brandOf", (number,)), shown))
        reads.append((("PartnerRegistry", "treasuryOf", (number,)), (treasury, registry.is_frozen(number))))
        since = registry.stopped_since(number)
        reads.append((("PartnerRegistry", "standingOf", (number,)), (brand.token, since)))
        reads.append((("RedemptionDesk", "refundWindowOf", (number,)), desk.refund_window_of(number, at)))
    reads += [(("PartnerRegistry", "isIssuing", (number,)), registry.is_issuing(number)) for number in registry.brands]
    return [*reads, (("PartnerRegistry", "allStopped", ()), registry.all_stopped)]
