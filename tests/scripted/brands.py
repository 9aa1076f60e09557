"""Moa's own contracts as far as a mirror sees them: one brand, its awards and its members' transfers, as events.

The events are encoded from chain/abi by eth_abi, not by the codec under test.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from eth_abi import abi

from chain.codec import Codec
from chain.deployment import Contract, Deployment
from tests.scripted.blocks import Log
from tests.scripted.chain import Content
from tests.scripted.hashing import keccak, selector_of, topic_of
from tests.scripted.node import ScriptedNode
from tests.scripted.tokens import Traffic, address_of, mint, transfer

CONTRACTS: Final = ("PartnerRegistry", "RewardRules", "RedemptionDesk", "PartnerExchange", "ClearingHouse")
ABI_FOLDER: Final = Path(__file__).resolve().parents[2] / "chain" / "abi"
BRAND_ID: Final = 1
RULE_ID: Final = 1
AWARD_SHARE: Final = 0.5
POINTS_MAX: Final = 10_000
# Lot words with lifetime 0: everything lies in expiry epoch 1, the second slot of the first word.
LOT_SHIFT: Final = 48


class Brand(Traffic):
    """A brand whose members are awarded points and pass them on. Block 1 of the chain invites it."""

    def __init__(self, node: ScriptedNode, *, seed: int | None = None, members: int = 20):
        super().__init__(node.chain, address_of("brand token"), seed=seed, accounts=members)
        self.node = node
        self.addresses = {name: address_of(name) for name in CONTRACTS}
        self._operation_id = 0
        for address in (*self.addresses.values(), self.token):
            node.methods.codes[address] = "0x6001" + address[2:]
        self._answer("terms()", ["(string,string,uint256,uint256,uint256,uint256,uint8)"], [self.terms])
        self._answer("origin()", ["uint256"], [node.chain.head.timestamp])
        self._answer("decimals()", ["uint8"], [2])
        node.chain.mine([node.chain.transaction([self.invitation()])])

    @property
    def terms(self) -> tuple[Any, ...]:
        """Points that never expire."""
        return ("Scripted points", "SCR", BRAND_ID, 0, 0, 0, 0)

    @property
    def deployment(self) -> Deployment:
        """As deployments/<chain_id>.json would say it."""
        contracts = {
            name: Contract(name, address, "0x" + keccak(bytes.fromhex(self.node.methods.codes[address][2:])).hex())
            for name, address in self.addresses.items()
        }
        return Deployment(
            chain_id=self.chain.chain_id,
            start_block=1,
            genesis_hash=self.chain.genesis_hash,
            contracts=contracts,
            brands={},
            raw={},
            codec=Codec.load(),
        )

    def invitation(self) -> Log:
        """The registry's event."""
        return self._event(
            "PartnerRegistry",
            "BrandInvited",
            brandId=BRAND_ID,
            token=self.token,
            owner=address_of("owner"),
            treasury=address_of("treasury"),
            metadataHash=bytes(32),
        )

    def award(self, member: str, points: int, balance: int) -> list[Log]:
        """One award as it lies on the chain; `balance` is what the member has after it."""
        self._operation_id += 1
        awarded = self._event(
            "RewardRules",
            "Awarded",
            brandId=BRAND_ID,
            operationId=self._operation_id,
            member=member,
            ruleId=RULE_ID,
            version=1,
            baseAmount=points,
            points=points,
        )
        if not points:
            return [awarded]
        return [awarded, mint(self.token, member, points), self._lots(member, balance)]

    def passed_on(self, giver: str, taker: str, points: int, balances: Mapping[str, int]) -> list[Log]:
        """One plain transfer; `balances` are those after it."""
        moved = transfer(self.token, giver, taker, points)
        return [moved, self._lots(giver, balances[giver]), self._lots(taker, balances[taker])]

    def _content(self, balances: dict[str, int], count: int) -> Content:
        return [self.chain.transaction(self._act(balances)) for _ in range(count)]

    def _act(self, balances: dict[str, int]) -> list[Log]:
        giver, taker = self.random.sample(self.accounts, 2)
        has = balances.get(giver, 0)
        if not has or self.random.random() < AWARD_SHARE:
            points = self.random.randrange(POINTS_MAX)
            balances[taker] = balances.get(taker, 0) + points
            return self.award(taker, points, balances[taker])
        points = self.random.randint(1, has)
        balances[giver] = has - points
        balances[taker] = balances.get(taker, 0) + points
        return self.passed_on(giver, taker, points, balances)

    def _lots(self, account: str, balance: int) -> Log:
        return self._event("LoyaltyToken", "LotsChanged", self.token, account=account, words=[balance << LOT_SHIFT])

    def _event(self, contract: str, event: str, address: str | None = None, /, **values: Any) -> Log:
        inputs = _inputs(contract, event)
        types = [part["type"] for part in inputs]
        topics = [topic_of(f"{event}({','.join(types)})")]
        topics += ["0x" + abi.encode([p["type"]], [values[p["name"]]]).hex() for p in inputs if p["indexed"]]
        plain = [part for part in inputs if not part["indexed"]]
        data = abi.encode([part["type"] for part in plain], [values[part["name"]] for part in plain])
        return Log(address or self.addresses[contract], tuple(topics), "0x" + data.hex())

    def _answer(self, signature: str, types: list[str], values: list[Any]) -> None:
        answer = "0x" + abi.encode(types, values).hex()
        self.node.methods.calls[self.token, selector_of(signature)] = lambda data, block: answer


def _inputs(contract: str, event: str) -> list[dict[str, Any]]:
    content = orjson.loads((ABI_FOLDER / f"{contract}.json").read_bytes())
    items = content["abi"] if isinstance(content, dict) else content
    found: list[dict[str, Any]] = next(
        item["inputs"] for item in items if item["type"] == "event" and item["name"] == event
    )
    return found
