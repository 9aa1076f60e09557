"""Moa's contracts broken on purpose (tests/mutants), compiled together, and put in the place of the honest ones."""

import hashlib
import json
import random
import shutil
import subprocess
import tempfile
from collections.abc import Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eth_abi import abi

from chain.base.hashing import keccak
from chain.model.rules import Item
from chain.node.rpc import Rpc
from scripts.verify import tree
from tests.differential.chain_side import COVER_BPS, ChainSide
from tests.differential.steps import TOKEN, OfAnother, Signed
from tests.differential.story import BRAND, Story
from tests.differential.walk import Walk
from tests.differential.world import HOUR, TIMELOCK, VOTES, Made, TwoSides

PATCHES = tree.ROOT / "tests" / "mutants"
COMPILER = tree.ROOT / "scripts" / "solc" / "solc-v0.8.30"
COMPILE_TIMEOUT_S = 180
WORKERS = 2
KEPT = tree.ROOT / "build" / "replay_mutants.json"
GAS = 30_000_000
# Beyond a chain's limit of 24,576 bytes unless the compiler's optimiser makes them smaller.
LARGE = frozenset({TOKEN, "RewardRules", "PartnerExchange", "ProgrammeGovernor"})
# Contracts that a patched file is part of; a contract's own file is only its own.
PARTS = {
    "Lots": ("LoyaltyToken", "RedemptionDesk"),
    "Authorised": ("LoyaltyToken", "RedemptionDesk", "PartnerExchange"),
    "AgreementCode": ("PartnerExchange",),
    "FlowCode": ("PartnerExchange",),
    "SettlementTokens": ("ClearingHouse",),
    "BrandAccess": (
        "PartnerRegistry",
        "RewardRules",
        "RedemptionDesk",
        "PartnerExchange",
        "ClearingHouse",
        "LoyaltyToken",
    ),
    "RuleCode": ("RewardRules",),
}

# Contracts that one makes when it is deployed: their sources are part of it.
MAKES = {"ProgrammeGovernor": ("Snapshots",)}


@dataclass(frozen=True)
class Mutant:
    """A fault, and the creation code of each contract that has it."""

    name: str
    says: str
    code: dict[str, str]


def compiled(*, without: Set[str] = frozenset()) -> list[Mutant]:
    """All other mutants, two compilers at a time; those of the last time, while what they are made of is the same."""
    patches = sorted(patch for patch in PATCHES.glob("*.patch") if patch.stem not in without)
    made_of = [*patches, *sorted((tree.ROOT / "contracts").rglob("*.sol"))]
    key = hashlib.sha256(b"".join(file.read_bytes() for file in made_of)).hexdigest()
    if KEPT.exists() and (kept := json.loads(KEPT.read_text()))["key"] == key:
        return [Mutant(**each) for each in kept["mutants"]]
    with ThreadPoolExecutor(WORKERS) as workers:
        found = list(workers.map(mutant, patches))
    KEPT.write_text(json.dumps({"key": key, "mutants": [asdict(each) for each in found]}))
    return found


def mutant(patch: Path) -> Mutant:
    """One patch and the contracts that it breaks. Optimised only where the size asks for it: that takes long."""
    names = contracts_of(patch)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "tree"
        shutil.copytree(tree.ROOT / "contracts", target / "contracts")
        tree.patch(target, patch)
        kept = [*(target / f"contracts/{name}.sol" for name in {*names, *MAKES.get(names[0], ())})]
        for part in ("base", "interfaces", "libraries"):
            kept += sorted((target / "contracts" / part).glob("*.sol"))
        sources = {f"broken/{file.relative_to(target)}": {"content": file.read_text()} for file in kept}
    wanted = {f"broken/contracts/{name}.sol": {name: ["evm.bytecode.object"]} for name in names}
    settings = {
        "evmVersion": "shanghai",
        "optimizer": {"enabled": not LARGE.isdisjoint(names), "runs": 1},
        "outputSelection": wanted,
        "remappings": ["@openzeppelin/=node_modules/@openzeppelin/"],
    }
    done = subprocess.run(
        [str(COMPILER), "--standard-json"],
        input=json.dumps({"language": "Solidity", "sources": sources, "settings": settings}),
        capture_output=True,
        text=True,
        check=False,
        timeout=COMPILE_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    output = json.loads(done.stdout)
    broken = [each for each in output.get("errors", []) if each["severity"] == "error"]
    assert not broken, broken[0]["formattedMessage"]
    code = {
        name: output["contracts"][f"broken/contracts/{name}.sol"][name]["evm"]["bytecode"]["object"] for name in names
    }
    return Mutant(patch.stem, patch.read_text().splitlines()[0], code)


def contracts_of(patch: Path) -> tuple[str, ...]:
    """Which contracts a patch breaks."""
    line = next(line for line in patch.read_text().splitlines() if line.startswith("+++ "))
    stem = Path(line.split("/", 1)[1]).stem
    return PARTS.get(stem, (stem,))


class Stage:
    """A world whose steps are made again on broken contracts (Anvil only)."""

    def __init__(self, world: TwoSides, snapshot: str, clock: int, steps: list[Made], signed: list[str], story: int):
        self.world, self.snapshot, self.clock = world, snapshot, clock
        self.steps, self.signed = steps, signed
        self.story = story

    def play(self, mutant: Mutant, *, whole: bool = True) -> int:
        """Makes the story's steps, or all, on the broken contracts; how many ended otherwise than before."""
        rpc, chain = self.world.chain.rpc, self.world.chain
        assert rpc.call("evm_revert", self.snapshot)
        self.snapshot = rpc.call("evm_snapshot")
        chain.clock = self.clock
        for contract, code in mutant.code.items():
            put(rpc, chain, contract, code)
        changed = 0
        last = len(self.steps) if whole else self.story
        for made, raw in zip(self.steps[:last], self.signed[:last], strict=True):
            rpc.call("evm_setNextBlockTimestamp", made.step.at)
            # Waited for: Anvil mines after it has answered, and the next second is not this block's.
            receipt = chain.receipt(rpc.call("eth_sendRawTransaction", raw))
            changed += (receipt["status"] == "0x1") != (made.outcome.error is None)
        return changed


def put(rpc: Rpc, chain: ChainSide, contract: str, code: str) -> None:
    """Deploys the broken contract with the honest one's arguments and moves its code to the honest one's address."""
    at = chain.addresses
    arguments = {
        "PartnerRegistry": ["Authority"],
        "RedemptionDesk": ["Authority", "PartnerRegistry"],
        "RewardRules": ["Authority", "PartnerRegistry", "RedemptionDesk"],
        "ClearingHouse": ["Authority", "PartnerRegistry", "SettlementToken"],
        "PartnerExchange": ["Authority", "PartnerRegistry", "RedemptionDesk", "ClearingHouse"],
        "LoyaltyToken": [
            *("Authority", "PartnerRegistry", "RewardRules", "RedemptionDesk", "PartnerExchange", "OpeningBalances")
        ],
        "OpeningBalances": ["Authority", "PartnerRegistry", "RedemptionDesk"],
        "Badges": ["Authority", "PartnerRegistry"],
        "ProgrammeGovernor": ["Authority", "PartnerRegistry", "RewardRules", "PartnerExchange"],
        "Snapshots": ["ProgrammeGovernor", "PartnerRegistry"],
    }[contract]
    words = b"".join(abi.encode(["address"], [at[name]]) for name in arguments)
    if contract == "ClearingHouse":
        words += COVER_BPS.to_bytes(32) + abi.encode(["address"], [chain.cast["admin"]])
    if contract in ("ProgrammeGovernor", "Snapshots"):
        words += b"".join(each.to_bytes(32) for each in (VOTES if contract == "ProgrammeGovernor" else VOTES[:1]))
    bank = rpc.call("eth_accounts")[0]
    asked = {"from": bank, "data": "0x" + code + words.hex(), "gas": hex(GAS), "gasPrice": hex(10**10)}
    receipt = chain.receipt(rpc.call("eth_sendTransaction", asked))
    # A contract too large for a chain would leave the place empty, and nothing broken would ever be done there.
    assert receipt["status"] == "0x1", f"{contract} cannot be deployed"
    made = receipt["contractAddress"]
    runtime = str(rpc.call("eth_getCode", made, "latest"))
    if contract == "ProgrammeGovernor":
        # What it made goes on to be what the honest one made, which has the lists and the delays.
        for number, name in ((2, "Snapshots"), (3, TIMELOCK)):
            one = made_by(made, number)
            assert one in runtime
            runtime = runtime.replace(one, at[name][2:].lower())
    place = at[f"{TOKEN} 0"] if contract == TOKEN else at[contract]
    rpc.call("anvil_setCode", place, runtime)


def made_by(maker: str, number: int) -> str:
    """The address of the contract that another makes as its `number`th."""
    return keccak(b"\xd6\x94" + bytes.fromhex(maker[2:]) + bytes([number]))[12:].hex()


def staged(rpc: Rpc, chain_id: int, *, seed: int, steps: int, returns: bool = False) -> Stage:
    """The honest world with its story and a walk, ready to be played on broken contracts.

    returns: goods that come back wrongly are part of the story.
    """
    world = TwoSides(rpc, chain_id, anvil=True)
    snapshot, clock = rpc.call("evm_snapshot"), world.chain.clock
    began = len(world.record)
    signed: list[str] = []
    rpc_call = rpc.call

    def listening(method: str, *params: Any, **named: Any) -> Any:
        if method == "eth_sendRawTransaction":
            signed.append(params[0])
        return rpc_call(method, *params, **named)

    rpc.call = listening  # type: ignore[method-assign]
    try:
        walk = Walk(world, random.Random(seed))
        story = Story(world)
        story.tell()
        settle_again(story)
        refund_again(story)
        unwind_again(story)
        if returns:
            return_again(story)
        told = len(world.record) - began
        for _ in range(steps):
            world.do(walk.next(world.at))
    finally:
        rpc.call = rpc_call  # type: ignore[method-assign]
    return Stage(world, snapshot, clock, world.record[began:], signed, told)


def settle_again(story: Story) -> None:
    """SPEC 5.11: a statement shown a second time while its debtor has another one to pay."""
    world, operator = story.world, story.cast["operator"]
    story.operation += 1
    item = Item(story.operation, 1, story.member, 40_000)
    story.step("", "RewardRules", "award", (1, item), story.cast["issuer1"])
    statements = []
    for _ in range(2):
        story.exchange("", 5_000, 1, agreement_id=6)
        period, owed = world.ledger.clearing.next_period, world.ledger.clearing.positions_of([1, 4])[0]
        story.step("", "ClearingHouse", "net", (period, [1, 4]), operator)
        statements.append((period, [1, 4], owed))
        if len(statements) == 1:
            story.step("", "ClearingHouse", "settle", statements[0], story.member)
    story.step("StatementUnknown", "ClearingHouse", "settle", statements[0], story.member)
    story.step("", "ClearingHouse", "settle", statements[1], story.member)


def refund_again(story: Story) -> None:
    """SPEC 3.8: a refund made twice by mistake, where the capture has room for it."""
    till = story.cast["till4"]
    story.award("", 1_000)
    hold_id = story.hold(100, story.world.at + HOUR)
    story.step("", "RedemptionDesk", "capture", (hold_id, 90), till)
    story.step("", "RedemptionDesk", "refund", (hold_id, 20, 0), till)
    story.step("RefundOutOfDate", "RedemptionDesk", "refund", (hold_id, 20, 0), till)


def return_again(story: Story) -> None:
    """SPEC 2.15, 2.21, 2.23: a return sent twice under its own id, more in parts than was bought, and the proof of an
    award brought for one that was never made."""
    buyer = story.world.cast.members[3]

    def back(error: str, return_id: int, base: int, operation: int) -> None:
        story.step(error, "RewardRules", "takeReturn", (BRAND, return_id, base, operation), story.till)

    story.operation += 1
    bought = story.operation
    story.step("", "RewardRules", "award", (BRAND, Item(bought, 2, buyer, 100_000)), story.issuer)
    back("", bought + 1, 40_000, bought)
    back("OperationUsed", bought + 1, 10_000, bought)
    back("ReturnExceedsAward", bought + 2, 70_000, bought)
    back("AwardUnknown", bought + 3, 5_000, OfAnother(bought + 10**6, bought))
    story.operation += 3


def unwind_again(story: Story) -> None:
    """SPEC 4.13: an exchange unwound a second time, while the member has the points and the brand owes them."""
    world, till = story.world, story.cast["till2"]
    first = story.exchange("", 999, 1, agreement_id=1)
    story.exchange("", 2_000, 1, agreement_id=1)
    made = world.ledger.exchanges.records[first]
    assert made is not None
    story.nonce += 1
    values = first, made.exchange, story.nonce, 2**40, Signed(story.member)
    story.step("", "PartnerExchange", "unwind", values, till)
    # Under another nonce: the exchange itself is what must not be open any more.
    story.nonce += 1
    again = first, made.exchange, story.nonce, 2**40, Signed(story.member)
    story.step("ExchangeNotOpen", "PartnerExchange", "unwind", again, till)
