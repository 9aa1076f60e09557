"""Previews by the contracts' own code: quote views asked at the latest block."""

from dataclasses import dataclass

from chain.base.errors import Reverted
from chain.contracts.deployment import Deployment
from chain.node.rpc import Rpc


@dataclass(frozen=True, slots=True)
class AwardQuote:
    """Points that an award would mint now, under which version of the rule."""

    points: int
    version: int


@dataclass(frozen=True, slots=True)
class ExchangeQuote:
    """What an exchange would give now: points out after the fee, the fee, the obligation in settlement units."""

    out: int
    fee: int
    obligation: int
    version: int


def award(rpc: Rpc, deployment: Deployment, *, brand: int, member: str, rule: int, base_amount: int) -> AwardQuote:
    """What awarding by a brand would do; raises Reverted with the error that the award would have.

    brand: the registry's id.
    """
    # An operation id that no queue gives out: the quote is about the rule, not about an id.
    item = {"operationId": (1 << 256) - 1, "ruleId": rule, "member": member, "baseAmount": base_amount}
    points, version, reason = _ask(rpc, deployment, "RewardRules", brand, item)
    if reason != "0x":
        name, values = deployment.codec.revert(bytes.fromhex(reason[2:]))
        raise Reverted("quote", 3, "the award would be refused", reason, name, values)
    return AwardQuote(int(points), int(version))


def exchange(rpc: Rpc, deployment: Deployment, *, agreement_id: int, points_in: int) -> ExchangeQuote:
    """What exchanging would give; raises Reverted as the contract does."""
    out, fee, obligation, version = _ask(rpc, deployment, "PartnerExchange", agreement_id, points_in)
    return ExchangeQuote(int(out), int(fee), int(obligation), int(version))


def _ask(rpc: Rpc, deployment: Deployment, contract: str, *values: object) -> list[str]:
    data = "0x" + deployment.codec.calldata(contract, "quote", *values).hex()
    answer = rpc.call("eth_call", {"to": deployment.address(contract), "data": data}, "latest")
    result: list[str] = deployment.codec.result(contract, "quote", answer)
    return result
