"""Brands as the registry itself answers, by its ids. What the mirror has of them is in chain.mirror.queries.brands."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chain.base.scalars import Address, RegistryId
from chain.contracts.deployment import Deployment
from chain.node.blocks import believable
from chain.node.rpc import Rpc

# What is read of one brand, and of the registry, at most.
RULES_MAX: Final = 1_000
BRANDS_MAX: Final = 1_000

# So far from the chain's head a mirror is one that is read anew, rather than one that follows.
BEHIND_BLOCKS_MAX: Final = 256

# The row that holds the switch for all brands (chain.mirror.models.BrandStanding).
ALL_BRANDS: Final = "0"


@dataclass(frozen=True, slots=True)
class RegisteredBrand:
    """A brand as the chain has it; token in lower case, rule ids by their activity (the youngest of each)."""

    id: RegistryId
    token: Address
    metadata_hash: str
    rules: Mapping[str, int]


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
            found.append(RegisteredBrand(RegistryId(id), brand["token"].lower(), brand["metadataHash"], rules))
    return found


def activity_of(terms: Mapping[str, Any]) -> str:
    """The activity that a rule's terms name, from the 32 bytes of its name."""
    return bytes.fromhex(str(terms["activity"])[2:]).rstrip(b"\0").decode("utf-8", "replace")


def rewards(terms: Mapping[str, Any], activity: str, at_s: int) -> bool:
    """Whether a rule's terms reward the activity at this second."""
    begun, ended = int(terms.get("start", 0)) <= at_s, 0 < int(terms.get("end", 0)) <= at_s
    return activity_of(terms) == activity and begun and not ended
