"""A walked world's chain as the replay takes it: blocks of decoded logs, transactions, and the deployment's facts."""

from collections import defaultdict
from functools import cache
from typing import Any

from chain.contracts.codec import Codec, EventLog
from chain.model.proposals import GovernorTerms
from chain.node.rpc import Rpc
from chain.replay import Block, Facts, Sent, TokenTerms
from tests.differential.chain_side import ChainSide
from tests.differential.steps import TOKEN

CODEC = Codec.load()
BLOCKS_AT_ONCE = 200
OURS = (
    "PartnerRegistry",
    "RewardRules",
    "RedemptionDesk",
    "PartnerExchange",
    "ClearingHouse",
    "OpeningBalances",
    "Badges",
    "ProgrammeGovernor",
    "Snapshots",
    "Authority",
)


def facts_of(chain: ChainSide) -> Facts:
    """The deployment; a token's terms as its contract tells them."""

    @cache
    def terms(token: str) -> TokenTerms:
        label = chain.labels[token]
        name, _, _, epoch_s, lifetime, grace_s, _ = chain.read(label, "terms")
        return TokenTerms(epoch_s, lifetime, grace_s, chain.read(label, "origin"), str(name))

    at = chain.addresses
    return Facts(
        registry=at["PartnerRegistry"],
        rules=at["RewardRules"],
        desk=at["RedemptionDesk"],
        exchange=at["PartnerExchange"],
        house=at["ClearingHouse"],
        authority=at["Authority"],
        implementation=at[f"{TOKEN} 0"],
        chain_id=chain.chain_id,
        terms=terms,
        openings=at["OpeningBalances"],
        badges=at["Badges"],
        governor=at["ProgrammeGovernor"],
        snapshots=at["Snapshots"],
        timelock=at["TimelockController"],
        votes=GovernorTerms(*chain.read("ProgrammeGovernor", "terms")),
    )


def blocks_of(rpc: Rpc, chain: ChainSide, *, calldata: bool) -> list[Block]:
    """Every block with events of Moa's contracts, oldest first."""
    labels = {chain.addresses[name]: name for name in OURS}
    labels |= {address: TOKEN for address, label in chain.labels.items() if label.startswith(TOKEN)}
    logs = _logs(rpc, labels)
    numbers = sorted(logs)
    raw = rpc.batch([("eth_getBlockByNumber", [hex(number), calldata]) for number in numbers])
    parents = rpc.batch([("eth_getBlockByNumber", [hex(max(0, number - 1)), False]) for number in numbers])
    return [
        Block(number, seconds_of(block), logs[number], sent_of(block) if calldata else {}, seconds_of(parent))
        for number, block, parent in zip(numbers, raw, parents, strict=True)
    ]


def seconds_of(block: dict[str, Any]) -> int:
    """The block's second."""
    return int(block["timestamp"], 16)


def _logs(rpc: Rpc, labels: dict[str, str]) -> dict[int, list[EventLog]]:
    found: dict[int, list[EventLog]] = defaultdict(list)
    last = int(rpc.call("eth_blockNumber"), 16)
    for first in range(0, last + 1, BLOCKS_AT_ONCE):
        span = {"fromBlock": hex(first), "toBlock": hex(min(last, first + BLOCKS_AT_ONCE - 1))}
        for raw in rpc.call("eth_getLogs", span):
            label = labels.get(raw["address"].lower())
            if label is not None:
                contract = "AccessManager" if label == "Authority" else label
                assert CODEC.log(raw, contract) is not None, raw
                log = CODEC.told(raw, contract)
                if log is not None:
                    found[log.block_number].append(log)
    for logs in found.values():
        logs.sort(key=lambda log: log.log_index)
    return found


def sent_of(block: dict[str, Any]) -> dict[str, Sent]:
    """The block's transactions by hash."""
    return {
        each["hash"]: Sent(
            each["from"].lower(),
            each["to"].lower() if each["to"] else None,
            bytes.fromhex((each.get("input") or each["data"])[2:]),
        )
        for each in block["transactions"]
    }
