"""Moa's own contracts as far as a mirror and a relayer see them: one brand, its awards and its members' transfers.

Events and calls are encoded from chain/contracts/abi by eth_abi, not by the codec under test. A batch of awards that
is sent to the node is carried out as RewardRules would (rule 1: a point for each unit), each operation id once.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from eth_abi import abi

from chain.contracts.codec import Codec
from chain.contracts.deployment import Contract, Deployment
from tests.support.scripted_node.blocks import Log
from tests.support.scripted_node.chain import Content
from tests.support.scripted_node.hashing import keccak, selector_of, topic_of
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.pool import Effect, Sent
from tests.support.scripted_node.tokens import Traffic, address_of, mint, transfer
from tests.support.scripted_node.truth import truth

CONTRACTS: Final = ("PartnerRegistry", "RewardRules", "RedemptionDesk", "PartnerExchange", "ClearingHouse")
ABI_FOLDER: Final = Path(__file__).resolve().parents[3] / "chain" / "contracts" / "abi"
BRAND_ID: Final = 1
RULE_ID: Final = 1
AWARD_SHARE: Final = 0.5
POINTS_MAX: Final = 10_000
ITEM: Final = "(uint256,uint256,address,uint256)"
AWARD_BATCH: Final = selector_of(f"awardBatch(uint256,{ITEM}[])")
OPERATION_USED: Final = selector_of("OperationUsed(uint256,uint256)")
AWARDED: Final = topic_of("Awarded(uint256,uint256,address,uint256)")
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
        node.pool.effect = self.effect
        # What the transactions of the block in the making did already: (head it builds on, operations, balances).
        self._making: tuple[str, set[int], dict[str, int]] = ("", set(), {})

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
        """One award as it lies on the chain; `balance`, what the member has after it, follows."""
        self._operation_id += 1
        minted = [self._named(1, 1), mint(self.token, member, points)] if points else []
        return [self._awarded(self._operation_id, member, points), *minted]

    def passed_on(self, giver: str, taker: str, points: int, balances: Mapping[str, int]) -> list[Log]:
        """One plain transfer; `balances` are those after it."""
        moved = transfer(self.token, giver, taker, points)
        return [moved, self._lots(giver, balances[giver]), self._lots(taker, balances[taker])]

    # What is sent to the node

    def awarded(self) -> list[int]:
        """The operation ids that counted on the present chain, once for each time."""
        return [
            int(found.log.topics[2], 16)
            for block in self.chain.blocks
            for found in block.logs
            if found.log.topics[:1] == (AWARDED,)
        ]

    def effect(self, sent: Sent) -> Effect:
        """What awardBatch does; anything else that is sent does nothing."""
        if sent.to != self.addresses["RewardRules"] or sent.data[:4].hex() != AWARD_BATCH[2:]:
            return Effect()
        brand_id, items = abi.decode(["uint256", f"{ITEM}[]"], sent.data[4:])
        assert brand_id == BRAND_ID, "there is one brand"
        head, used, balances = self._making
        if head != self.chain.head.hash:
            used, balances = set(self.awarded()), dict(truth(self.chain, self.token).balances(self.token))
            self._making = (self.chain.head.hash, used, balances)
        told: list[Log] = []
        minted: list[Log] = []
        for operation_id, rule_id, member, points in items:
            assert rule_id == RULE_ID, "there is one rule"
            if operation_id in used:
                told.append(self._refused(operation_id, member))
                continue
            used.add(operation_id)
            told.append(self._awarded(operation_id, member, points))
            if points:
                balances[member] = balances.get(member, 0) + points
                minted.append(mint(self.token, member, points))
        named = [self._named(1, len(minted))] if minted else []
        return Effect((*told, *named, *minted))

    def _awarded(self, operation_id: int, member: str, points: int) -> Log:
        return self._event(
            "RewardRules",
            "Awarded",
            brandId=BRAND_ID,
            operationId=operation_id,
            member=member,
            # Base amount 96, points 48, rule 32, version 24.
            award=points | points << 96 | RULE_ID << 144 | 1 << 176,
        )

    def _named(self, expiry: int, transfers: int) -> Log:
        return self._event("LoyaltyToken", "LotNamed", self.token, expiryEpoch=expiry, transfers=transfers)

    def _refused(self, operation_id: int, member: str) -> Log:
        reason = bytes.fromhex(OPERATION_USED[2:]) + abi.encode(["uint256"] * 2, [BRAND_ID, operation_id])
        return self._event(
            "RewardRules",
            "AwardRefused",
            brandId=BRAND_ID,
            operationId=operation_id,
            member=member,
            ruleId=RULE_ID,
            reason=reason,
        )

    # What a block holds

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
