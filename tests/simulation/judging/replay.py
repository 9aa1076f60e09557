"""The chain once more, by the model alone: every transaction since the base, in its order, from its calldata."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from eth_abi import decode
from eth_utils import keccak

from chain.contracts.codec import canonical, signature
from chain.model.desk import HoldRequest
from chain.model.exchange import Exchange, Quote
from chain.model.ledger import Ledger
from chain.model.rules import Item
from tests.differential.compare import check, compare_all
from tests.differential.steps import Outcome, Signed, Step, apply
from tests.simulation.stage import Stage

STRUCTS: Final = {
    ("RewardRules", "award", 1): Item,
    ("RedemptionDesk", "hold", 0): HoldRequest,
    ("PartnerExchange", "exchange", 0): Quote,
    ("PartnerExchange", "payAtPartner", 0): Quote,
    ("PartnerExchange", "unwind", 1): Exchange,
}


@dataclass
class Told:
    """What the canonical chain says: the model after it, and each transaction of our contracts."""

    ledger: Ledger
    head: dict[str, Any]
    # (transaction hash, sender, target, calldata hex, counted) in the order of the chain.
    transactions: list[tuple[str, str, str, str, bool]] = field(default_factory=list)
    # (brand id, operation id) -> how often awarded, by the events.
    awarded: Counter[tuple[int, int]] = field(default_factory=Counter)
    # (brand id, return id) -> how often taken back, by the events.
    returned: Counter[tuple[int, int]] = field(default_factory=Counter)
    # (brand id, operation id or return id) -> transactions that carried it.
    carried: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    # Where each transaction lies: (block number, block hash).
    places: dict[str, tuple[int, str]] = field(default_factory=dict)
    # (transaction hash, log index) of every log of our contracts -> its name.
    logs: dict[tuple[str, int], tuple[str, Any]] = field(default_factory=dict)


def replay(stage: Stage, signatures: dict[bytes, Signed]) -> Told:
    """Applies every transaction to the model and compares what both said. Raises Difference."""
    chain, world = stage.world.chain, stage.world
    told = Told(stage.ledger(), stage.head())
    chain.words = stage.words()
    first, last = int(stage.base["number"], 16) + 1, int(told.head["number"], 16)
    blocks = stage.rpc.batch([("eth_getBlockByNumber", [hex(number), True]) for number in range(first, last + 1)])
    hashes = [tx["hash"] for block in blocks for tx in block["transactions"]]
    receipts = dict(zip(hashes, stage.rpc.batch([("eth_getTransactionReceipt", [one]) for one in hashes]), strict=True))
    assert len(set(hashes)) == len(hashes), "a transaction lies twice on the chain"
    for block in blocks:
        for tx in block["transactions"]:
            told.places[tx["hash"]] = (int(block["number"], 16), block["hash"])
            _one(stage, told, tx, receipts[tx["hash"]], int(block["timestamp"], 16), signatures)
    world.ledger = told.ledger
    compare_all(world, int(told.head["timestamp"], 16))
    return told


def _one(
    stage: Stage, told: Told, tx: dict[str, Any], receipt: dict[str, Any], at: int, signatures: dict[bytes, Signed]
) -> None:
    chain = stage.world.chain
    label = chain.labels.get((tx["to"] or "").lower())
    if label is None or label == "SettlementToken":
        return
    data = bytes.fromhex(tx["input"][2:])
    counted = receipt["status"] == "0x1"
    told.transactions.append((tx["hash"], tx["from"].lower(), tx["to"].lower(), tx["input"], counted))
    step = read(stage, label, data, tx["from"].lower(), at, signatures)
    facts: dict[str, list[tuple[str, tuple[Any, ...]]]] = {}
    for log in receipt["logs"]:
        chain._note(log, facts, at)
        decoded = chain.codec.log(log, chain.labels[log["address"].lower()])
        told.logs[tx["hash"], int(log["logIndex"], 16)] = (decoded.name, decoded.args) if decoded else ("", {})
    found = Outcome(facts) if counted else Outcome({}, chain.reason(tx["hash"]))
    with proven(told.ledger, step):
        expected = apply(told.ledger, replace(step, values=step.values[:4]) if is_return(step) else step, data)
    check(f"error of {step}", expected.error, found.error)
    for contract in sorted({*expected.facts, *found.facts}):
        check(f"{contract} in {step}", expected.facts.get(contract), found.facts.get(contract))
    if is_return(step):
        told.carried.setdefault(step.values[:2], []).append(tx["hash"])
        told.returned[step.values[:2]] += sum(name == "Returned" for name, _ in facts.get("RewardRules", []))
    if step.function in ("award", "awardBatch"):
        items = step.values[1] if step.function == "awardBatch" else [step.values[1]]
        for item in items:
            told.carried.setdefault((step.values[0], item.operation_id), []).append(tx["hash"])
        for name, values in facts.get("RewardRules", []):
            if name == "Awarded":
                told.awarded[values[0], values[1]] += 1


def is_return(step: Step) -> bool:
    """Whether goods come back; its values are the model's four, then words and proof as they were brought."""
    return step.function == "takeReturn"


@contextmanager
def proven(ledger: Ledger, step: Step) -> Iterator[None]:
    """The model knows an award by its operation id alone: one whose words or proof are not the award's (a block later,
    since a reorg, is another leaf) is unknown to it as it is to the contract."""
    awards, key = ledger.rules.awards, (step.values[0], step.values[3]) if is_return(step) else None
    known = awards.get(key) if key is not None else None
    if known is None or ledger.rules.proof(*key) == (step.values[4], list(step.values[5])):
        yield
        return
    kept = dict(awards)
    del awards[key]
    try:
        yield
    finally:
        awards.clear()
        awards.update(kept)


def read(stage: Stage, label: str, data: bytes, by: str, at: int, signatures: dict[bytes, Signed]) -> Step:
    """The step that calldata stands for."""
    contract = label.split()[0]
    item = _functions(stage, contract)[data[:4]]
    inputs = item["inputs"]
    values = decode([canonical(part) for part in inputs], data[4:])
    name = item["name"]
    made = []
    for place, (part, value) in enumerate(zip(inputs, values, strict=True)):
        if part["name"].lower().endswith("signature"):
            made.append(signatures.get(bytes(value), Signed("", honest=False)))
        elif (contract, name) == ("RewardRules", "awardBatch") and place == 1:
            made.append([Item(*plain(one)) for one in value])
        elif (contract, name, place) == ("RewardRules", "takeReturn", 3):
            # The first word is the operation id; the model's four values first, then what was brought.
            made.append(int(value[0]))
        elif (contract, name, place) == ("RewardRules", "takeReturn", 4):
            made += [tuple(values[3]), tuple(value)]
        elif (contract, name, place) in STRUCTS:
            made.append(STRUCTS[contract, name, place](*plain(value)))  # type: ignore[arg-type]
        else:
            made.append(plain(value))
    return Step(label, name, tuple(made), by, at)


def plain(value: Any) -> Any:
    """Decoded values as the model has them: bytes as 0x text, addresses in lower case."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, str):
        return value.lower()
    if isinstance(value, list | tuple):
        return tuple(plain(each) for each in value)
    return value


_KNOWN: dict[str, dict[bytes, Any]] = {}


def _functions(stage: Stage, contract: str) -> dict[bytes, Any]:
    if contract not in _KNOWN:
        abi = stage.world.chain.codec.abis[contract]
        _KNOWN[contract] = {keccak(text=signature(item))[:4]: item for item in abi if item["type"] == "function"}
    return _KNOWN[contract]
