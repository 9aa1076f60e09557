"""The verbs of the contract tests: the world they start from, its people, time, signatures and refusals.

A refusal is looked at by eth_call, which runs in the second of the newest block: so a test can stand at an edge to the
second (`at`), and nothing can have changed.
"""

from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import brownie
import pytest
from brownie import chain, web3
from brownie.exceptions import VirtualMachineError
from eth_account.messages import encode_typed_data

from scripts.deploy.contracts import be_patient

OWNER, ISSUER, TILL, TREASURER, GUARDIAN = 1, 2, 3, 4, 5
OPERATOR, MOA_GUARDIAN = 1, 2
CLOSED, ALLOW_LIST, OPEN = 0, 1, 2
NONE, HELD, CAPTURED, RELEASED, CANCELLED = 0, 1, 2, 3, 4
HOUR, DAY = 3_600, 86_400
NOBODY = "0x" + "00" * 20
FOREVER = 2**40 - 1
LOT_MAX = 2**48 - 1
NO_LOTS = (0, 0, 0, 0)

TYPES: dict[str, str] = {
    "Hold": "address member,uint256 brandId,uint256 points,bytes32 rewardId,uint256 holdUntil,uint256 nonce,"
    "uint256 deadline",
    "Exchange": "address member,uint256 agreementId,uint256 version,uint256 pointsIn,uint256 minimumOut,uint256 nonce,"
    "uint256 deadline",
    "PayAtPartner": "address member,uint256 agreementId,uint256 version,uint256 pointsIn,uint256 price,"
    "bytes32 rewardId,uint256 nonce,uint256 deadline",
    "Unwind": "address member,bytes32 exchangeId,uint256 nonce,uint256 deadline",
    "TransferAuthorisation": "address from,address to,uint256 points,uint256 nonce,uint256 deadline",
    "Leave": "address member,address wallet,uint256 nonce,uint256 deadline",
    "Permit": "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline",
}


@dataclass
class Brand:
    """A brand of the test world and the people who act for it."""

    id: int
    token: Any
    owner: Any
    issuer: Any
    till: Any
    treasurer: Any
    guardian: Any
    rule: int = 0
    _operation: list[int] = field(default_factory=lambda: [0])

    def next_operation(self) -> int:
        self._operation[0] += 1
        return self._operation[0]

    def role(self, kind: int) -> int:
        return self.id * 256 + kind


def build_world(accounts):
    """Moa with two open brands: `cafe` (epochs of a day, lifetime 3, grace 2 days) and `shop` (points never expire)."""
    be_patient()
    build = brownie.project.get_loaded_projects()[0]
    operator, moa_guardian = accounts[0], accounts[1]
    sender = {"from": operator}
    w = SimpleNamespace(build=build, operator=operator, moa_guardian=moa_guardian, accounts=accounts)
    w.manager = build.Authority.deploy(operator, sender)
    w.settlement = build.SettlementToken.deploy(sender)
    w.registry = build.PartnerRegistry.deploy(w.manager, sender)
    w.desk = build.RedemptionDesk.deploy(w.manager, w.registry, sender)
    w.rules = build.RewardRules.deploy(w.manager, w.registry, w.desk, sender)
    w.house = build.ClearingHouse.deploy(w.manager, w.registry, w.settlement, 10_000, moa_guardian, sender)
    w.exchange = build.PartnerExchange.deploy(w.manager, w.registry, w.desk, w.house, sender)
    w.openings = build.OpeningBalances.deploy(w.manager, w.registry, w.desk, sender)
    modules = (w.rules, w.desk, w.exchange, w.openings)
    w.implementation = build.LoyaltyToken.deploy(w.manager, w.registry, *modules, sender)
    w.manager.grantRole(0, w.registry, 0, sender)
    w.manager.grantRole(OPERATOR, operator, 0, sender)
    w.manager.grantRole(MOA_GUARDIAN, moa_guardian, 0, sender)
    w.manager.setRoleGuardian(OPERATOR, MOA_GUARDIAN, sender)
    w.registry.seal((w.implementation, w.rules, w.desk, w.exchange, w.house), sender)

    w.cafe = invite(w, "Cafe", "CAF", accounts[2], lifetime=3, grace=2 * DAY)
    w.shop = invite(w, "Shop", "SHP", accounts[3], lifetime=0, grace=0)
    w.cafe.rule = publish(w, w.cafe, numerator=1)
    w.shop.rule = publish(w, w.shop, numerator=1)
    w.cafe_to_shop = agree(w, w.cafe, w.shop, numerator=3, denominator=2, fee_bps=100)
    w.shop_to_cafe = agree(w, w.shop, w.cafe, numerator=1, denominator=2)
    for brand in (w.cafe, w.shop):
        deposit(w, brand, 10**9)
    return w


# The world's verbs


def invite(w, name, symbol, owner, *, epoch=DAY, lifetime=3, grace=0, policy=OPEN, active=True) -> Brand:
    """A brand whose owner holds every role."""
    invited = w.registry.invite(
        (name, symbol, epoch, lifetime, grace, policy, owner, owner, "0x" + "11" * 32), {"from": w.operator}
    ).events["BrandInvited"]
    brand_id = invited["brandId"]
    for kind in (ISSUER, TILL, TREASURER, GUARDIAN):
        w.manager.grantRole(brand_id * 256 + kind, owner, 0, {"from": owner})
    if active:
        w.registry.activate(brand_id, {"from": w.operator})
    token = w.build.LoyaltyToken.at(invited["token"], persist=False)
    return Brand(brand_id, token, owner, owner, owner, owner, owner)


def rule_terms(
    *,
    numerator=1,
    denominator=1,
    kind=0,
    rounding=0,
    cap=0,
    day_cap=0,
    budget=10**12,
    start=0,
    end=FOREVER,
    notice=HOUR,
    window=0,
    shortfall=0,
    lock=0,
    day_start=0,
    second_above=0,
):
    """Terms of a rule in the contract's order."""
    activity = b"purchase".ljust(32, b"\0")
    paying = (activity, kind, rounding, numerator, denominator, cap, day_cap, budget, start, end, notice, b"\1" * 32)
    return (*paying, window, shortfall, lock, day_start, second_above)


def awarded(event) -> dict:
    """The values that the one word of Awarded holds."""
    word = event["award"]
    widths = (("baseAmount", 96), ("points", 48), ("ruleId", 32), ("version", 24))
    found = {}
    for name, bits in widths:
        found[name], word = word & (1 << bits) - 1, word >> bits
    return found


def publish(w, brand, **terms) -> int:
    published = w.rules.publish(brand.id, rule_terms(**terms), {"from": brand.owner})
    return published.events["RulePublished"]["ruleId"]


def agreement_terms(
    *,
    numerator=1,
    denominator=1,
    fee_bps=0,
    daily_cap=10**9,
    exposure=10**9,
    value=1,
    per=1,
    notice=HOUR,
    minimum=1,
    unwind=30 * DAY,
):
    """Terms of an agreement in the contract's order."""
    return (numerator, denominator, fee_bps, daily_cap, exposure, value, per, notice, minimum, unwind)


def terms_hash(terms) -> bytes:
    return web3.keccak(b"".join(int(term).to_bytes(32, "big") for term in terms))


def agree(w, one, two, **terms) -> int:
    packed = agreement_terms(**terms)
    proposed = w.exchange.propose(one.id, one.id, two.id, packed, {"from": one.owner})
    agreement = proposed.events["AgreementProposed"]["agreementId"]
    w.exchange.accept(agreement, terms_hash(packed), {"from": two.owner})
    return agreement


def deposit(w, brand, amount):
    w.settlement.mint(brand.owner, amount, {"from": brand.owner})
    w.settlement.approve(w.house, amount, {"from": brand.owner})
    w.house.deposit(brand.id, amount, {"from": brand.owner})


def award(w, brand, member, points):
    """Awards `points` under the brand's rule of one point for each base unit."""
    item = (brand.next_operation(), brand.rule, address(member), points)
    return w.rules.award(brand.id, item, {"from": brand.issuer})


def address(who) -> str:
    return getattr(who, "address", who)


# Time


def now() -> int:
    return chain[-1].timestamp


def at(timestamp: int) -> None:
    """A block in exactly this second: calls that follow run in it."""
    chain.mine(1, timestamp=timestamp)
    assert now() == timestamp


def later(seconds: int) -> int:
    at(now() + seconds)
    return now()


# Authorisations


def domain(contract) -> dict[str, Any]:
    """The EIP-712 domain that the contract itself tells (ERC-5267)."""
    _, name, version, chain_id, verifying, _, _ = contract.eip712Domain()
    return {"name": name, "version": version, "chainId": chain_id, "verifyingContract": verifying}


def sign(signer, contract, kind: str, *values) -> bytes:
    """The signature of a message whose fields have these values, in order."""
    fields = [dict(zip(("type", "name"), item.split(" "), strict=True)) for item in TYPES[kind].split(",")]
    message = {item["name"]: value for item, value in zip(fields, values, strict=True)}
    signable = encode_typed_data(domain(contract), {kind: fields}, message)
    return bytes(signer.sign_message(signable).signature)


def hold_request(brand, member, points, *, until=None, nonce=1, deadline=FOREVER, reward=b"\7" * 32):
    return (address(member), brand.id, points, reward, until or now() + DAY, nonce, deadline)


def hold(w, brand, member, points, *, frm=None, **more):
    """Places a hold on the member's signature, submitted by somebody else; gives its id."""
    request = hold_request(brand, member, points, **more)
    signature = sign(member, w.desk, "Hold", *request)
    placed = w.desk.hold(request, signature, {"from": frm or w.accounts[8]})
    return placed.events["HoldPlaced"]["holdId"]


def quote(member, agreement, points, *, minimum=1, version=1, nonce=1, deadline=FOREVER):
    return (address(member), agreement, version, points, minimum, nonce, deadline)


def exchange(w, member, agreement, points, **more):
    """Exchanges on the member's signature, submitted by somebody else; gives the transaction."""
    quoted = quote(member, agreement, points, **more)
    return w.exchange.exchange(quoted, sign(member, w.exchange, "Exchange", *quoted), {"from": w.accounts[8]})


def plain(value: Any) -> Any:
    """What a call gave as plain tuples, which compare with anything; Brownie's own do not."""
    return tuple(plain(item) for item in value) if isinstance(value, tuple | list) else value


# Refusals


@contextmanager
def refused(name: str, *values):
    """The call inside reverts with this error, and with these values if any are given."""
    with pytest.raises(VirtualMachineError) as caught:
        yield
    found = str(caught.value.revert_msg)
    assert found.split(":")[0] == name, found
    if values:
        expected = ", ".join(str(bytes(v)) if isinstance(v, bytes) else str(address(v)) for v in values)
        assert found.lower() == f"{name}: {expected}".lower()
