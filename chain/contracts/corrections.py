"""What points by hand need to know of the chain: what is left of a rule, and who may sign for more."""

from dataclasses import dataclass
from typing import Any, Final

from chain.base.scalars import Address, RegistryId
from chain.contracts.deployment import Deployment
from chain.node.rpc import Rpc

CONTRACT: Final = "RewardRules"
OWNER: Final = 1
ROLES_EACH: Final = 256


@dataclass(frozen=True, slots=True)
class Left:
    """What a rule may still give now: of its budget, and to a member today (None: it has no cap for a day)."""

    of_budget: int
    of_day: int | None


def left(rpc: Rpc, deployment: Deployment, *, brand: RegistryId, rule: int, member: Address) -> Left:
    """Asks the contract. Raises Reverted with RuleUnknown."""
    terms, _, spent = _ask(rpc, deployment, CONTRACT, "ruleOf", brand, rule)
    today = int(_ask(rpc, deployment, CONTRACT, "spentToday", brand, rule, member))
    cap = int(terms["capPerMemberDay"])
    return Left(max(0, int(terms["budget"]) - int(spent)), max(0, cap - today) if cap else None)


def owner_role(brand: RegistryId) -> int:
    """The id of a brand's owner role in the AccessManager (SPEC 6.8)."""
    return int(brand) * ROLES_EACH + OWNER


def is_owner(rpc: Rpc, deployment: Deployment, *, brand: RegistryId, account: Address) -> bool:
    """Whether the account holds the brand's owner role and waits for nothing."""
    holds, delay = _ask(rpc, deployment, "AccessManager", "hasRole", owner_role(brand), account)
    return bool(holds) and int(delay) == 0


def has_code(rpc: Rpc, account: Address) -> bool:
    """Whether an account is a contract, which may say by itself that it signed."""
    return str(rpc.call("eth_getCode", account, "latest")) != "0x"


def _ask(rpc: Rpc, deployment: Deployment, contract: str, function: str, *values: object) -> Any:
    data = "0x" + deployment.codec.calldata(contract, function, *values).hex()
    answer = rpc.call("eth_call", {"to": deployment.address(contract), "data": data}, "latest")
    return deployment.codec.result(contract, function, answer)
