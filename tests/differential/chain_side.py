"""The contracts on a node: deployed from the build's artifacts, called step by step, read back."""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from eth_abi import encode
from eth_account.messages import encode_typed_data
from eth_utils import to_checksum_address

from chain.contracts.codec import Codec, canonical, told
from chain.model import lots as lot
from chain.model.chunks import account_of
from chain.model.governor import Ballot
from chain.model.ledger import Ledger
from chain.model.proposals import Ground, hash_of_actions
from chain.node.blocks import mined
from chain.node.rpc import Rpc
from tests.differential.cast import Cast
from tests.differential.steps import TOKEN, OfAnother, Outcome, Proven, Signed, Step, plain

# Another build can be walked as well: Brownie's folder of artifacts, or forge's (`--out`).
ARTIFACTS = Path(os.environ.get("MOA_ARTIFACTS") or Path(__file__).resolve().parents[2] / "build" / "contracts")
ABIS = (
    "Authority",
    "PartnerRegistry",
    "LoyaltyToken",
    "OpeningBalances",
    "Badges",
    "ProgrammeGovernor",
    "Snapshots",
    "TimelockController",
    "RewardRules",
    "RedemptionDesk",
    "PartnerExchange",
    "ClearingHouse",
    "SettlementToken",
    "SmartWallet",
)
INTERFACES = (
    "IAuthorised",
    "IBrandAccess",
    "ILoyaltyToken",
    "IOpeningBalances",
    "IBadges",
    "IProgrammeGovernor",
    "IPartnerRegistry",
    "IRewardRules",
    "IRedemptionDesk",
    "IPartnerExchange",
    "IClearingHouse",
)
COVER_BPS = 10_000
GAS = 16_000_000
# 1 January 2030: a fixed start on Anvil, so that a seed gives the same walk at any hour.
START = 1_893_456_000
GAS_PRICE = 10 * 10**9
RECEIPT_TIMEOUT_S = 20.0
TRACE_TIMEOUT_S = 30.0
SETTLEMENT_EACH = 2**80

# What a member signs, by the function that takes the signature: EIP-712 name and fields.
TYPED = {
    "hold": (
        "Hold",
        "address member,uint256 brandId,uint256 points,bytes32 rewardId,uint256 holdUntil,uint256 nonce,"
        "uint256 deadline",
    ),
    "exchange": (
        "Exchange",
        "address member,uint256 agreementId,uint256 version,uint256 pointsIn,uint256 minimumOut,uint256 nonce,"
        "uint256 deadline",
    ),
    "payAtPartner": (
        "PayAtPartner",
        "address member,uint256 agreementId,uint256 version,uint256 pointsIn,uint256 price,bytes32 rewardId,"
        "uint256 nonce,uint256 deadline",
    ),
    "unwind": ("Unwind", "address member,bytes32 exchangeId,uint256 nonce,uint256 deadline"),
    "transferWithAuthorisation": (
        "TransferAuthorisation",
        "address from,address to,uint256 points,uint256 nonce,uint256 deadline",
    ),
    "correct": (
        "Correction",
        "uint256 brandId,uint256 operationId,uint256 ruleId,address member,uint256 baseAmount,uint256 deadline",
    ),
    "leave": ("Leave", "address member,address wallet,uint256 nonce,uint256 deadline"),
    "proposeAsMember": (
        "ProposeAsMember",
        "address member,uint256 brandId,bytes32 actionsHash,bytes32 textHash,uint256 nonce,uint256 deadline",
    ),
    "permit": ("Permit", "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline"),
}


def artifact(name: str) -> dict[str, Any]:
    """A contract's abi and bytecode."""
    path = ARTIFACTS / f"{name}.json"
    if not path.exists():
        path = ARTIFACTS / f"{name}.sol" / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text())
    code = found["bytecode"]
    return {"abi": found["abi"], "bytecode": code["object"] if isinstance(code, dict) else code}


class ChainSide:
    """The contracts and their people on one node."""

    def __init__(self, rpc: Rpc, chain_id: int, cast: Cast, *, anvil: bool):
        self.rpc, self.chain_id, self.cast, self.anvil = rpc, chain_id, cast, anvil
        self.artifacts = {name: artifact(name) for name in ABIS}
        self.codec = Codec({name: artifact(name)["abi"] for name in (*ABIS, *INTERFACES)})
        self.order = {
            (item["name"], frozenset(part["name"] for part in told(item["name"], item["inputs"]))): [
                part["name"] for part in told(item["name"], item["inputs"])
            ]
            for abi in self.codec.abis.values()
            for item in abi
            if item["type"] == "event"
        }
        self.addresses: dict[str, str] = {}
        self.labels: dict[str, str] = {}
        self.domains: dict[str, dict[str, Any]] = {}
        self.nonces: dict[str, int] = {}
        self.words: dict[tuple[str, str], list[int]] = {}
        # By token: the lot that its next so many mints go to.
        self.named: dict[str, tuple[int, int]] = {}
        self.clock = START
        # Set once the world has it: proofs are made of what the model remembers.
        self.ledger: Ledger
        if not anvil:
            rpc.call("evm_setTime", START * 1_000)

    # --- sending

    def now(self) -> int:
        """The newest block's time."""
        if self.anvil:
            return self.clock
        return int(self.rpc.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def send(self, by: str, to: str | None, data: bytes, *, at: int = 0, value: int = 0) -> dict[str, Any]:
        """The receipt of one transaction, in a block of time `at` (Ganache: about then)."""
        if self.anvil:
            self.clock = at or self.clock + 1
            self.rpc.call("evm_setNextBlockTimestamp", self.clock)
        elif at and at > self.now() + 1:
            self.rpc.call("evm_setTime", at * 1000)
        nonce = self.nonces.get(by)
        if nonce is None:
            nonce = int(self.rpc.call("eth_getTransactionCount", by, "latest"), 16)
        self.nonces[by] = nonce + 1
        fields: dict[str, Any] = {
            "nonce": nonce,
            "gas": GAS,
            "gasPrice": GAS_PRICE,
            "value": value,
            "data": data,
            "chainId": self.chain_id,
        }
        if to is not None:
            fields["to"] = to_checksum_address(to)
        raw = self.cast.keys[by].sign_transaction(fields).raw_transaction
        return self.receipt(self.rpc.call("eth_sendRawTransaction", "0x" + raw.hex()))

    def receipt(self, tx_hash: str) -> dict[str, Any]:
        """The receipt of a transaction that was sent."""
        return mined(self.rpc, tx_hash, timeout_s=RECEIPT_TIMEOUT_S)

    def deploy(self, name: str, *values: Any, label: str = "") -> str:
        """The address of a new contract, made by the admin."""
        found = self.artifacts[name]
        inputs = next((item["inputs"] for item in found["abi"] if item["type"] == "constructor"), [])
        arguments = encode([canonical(part) for part in inputs], values)
        code = bytes.fromhex(found["bytecode"].removeprefix("0x"))
        receipt = self.send(self.cast["admin"], None, code + arguments)
        assert receipt["status"] == "0x1", f"{name} could not be deployed"
        address: str = receipt["contractAddress"].lower()
        self.name(label or name, address)
        return address

    def name(self, label: str, address: str) -> None:
        """Remembers a contract."""
        self.addresses[label] = address
        self.labels[address] = label

    def read(self, contract: str, function: str, *values: Any) -> Any:
        """What a view returns now, in plain integers and tuples."""
        data = self.codec.calldata(contract.split()[0], function, *values)
        answer = self.rpc.call("eth_call", {"to": self.addresses[contract], "data": "0x" + data.hex()}, "latest")
        return self.decoded(contract, function, answer)

    def read_many(self, calls: Sequence[tuple[str, str, tuple[Any, ...]]]) -> list[Any]:
        """Many views at once."""
        asked = [
            (
                "eth_call",
                [
                    {
                        "to": self.addresses[contract],
                        "data": "0x" + self.codec.calldata(contract.split()[0], function, *values).hex(),
                    },
                    "latest",
                ],
            )
            for contract, function, values in calls
        ]
        answers = self.rpc.batch(asked)
        return [
            self.decoded(contract, function, answer)
            for (contract, function, _), answer in zip(calls, answers, strict=True)
        ]

    def decoded(self, contract: str, function: str, answer: str) -> Any:
        """A view's result."""
        return integers(self.codec.result(contract.split()[0], function, answer))

    # --- steps

    def calldata(self, step: Step, ledger: Ledger | None = None) -> bytes:
        """The calldata of a step, its signatures made."""
        values = [plain(self.signed(step, value)) for value in step.values]
        if step.function in ("takeReturn", "correct"):
            return self.codec.calldata(step.contract, step.function, *self._arguments(step, values))
        if step.function == "permit":
            owner, spender, points, deadline, signed = values
            values = [owner, spender, points, deadline, signed[64], signed[:32], signed[32:64]]
        return self.codec.calldata(step.contract.split()[0], step.function, *values)

    def _arguments(self, step: Step, values: list[Any]) -> list[Any]:
        """What a return brings of its award, which the model knows by its operation."""
        if step.function == "correct":
            return values
        brand_id, return_id, base_amount, operation_id = values
        if isinstance(operation_id, OfAnother):
            like, proof = self.ledger.rules.proof(brand_id, operation_id.like)
            return [brand_id, return_id, base_amount, [int(operation_id), *like[1:]], proof]
        if (brand_id, operation_id) not in self.ledger.rules.awards:
            words: tuple[int, ...] = (operation_id, 0, 0, 0)
            return [brand_id, return_id, base_amount, list(words), []]
        words, proof = self.ledger.rules.proof(brand_id, operation_id)
        return [brand_id, return_id, base_amount, list(words), proof]

    def signed(self, step: Step, value: Any) -> Any:
        """The value with its signatures made, and proofs as they are."""
        if isinstance(value, Signed):
            return self.sign(step, value)
        if isinstance(value, Proven):
            return value.proof
        if isinstance(value, Ballot):
            return replace(value, signature=self.sign_vote(step, value))
        if isinstance(value, list):
            return [self.signed(step, each) for each in value]
        return value

    def sign_vote(self, step: Step, ballot: Ballot) -> bytes:
        """65 bytes over the ballot's vote, or over another choice."""
        signed: Signed = ballot.signature  # type: ignore[assignment]
        kinds = [("uint256", "proposalId"), ("address", "member"), ("uint256", "choice")]
        typed = encode_typed_data(
            self.domain(step.contract),
            {"Vote": [{"type": kind, "name": name} for kind, name in kinds]},
            {
                "proposalId": step.values[0],
                "member": account_of(ballot.leaf),
                "choice": ballot.choice + (not signed.honest),
            },
        )
        return bytes(self.cast.signer(signed.by).sign_message(typed).signature)

    def sign(self, step: Step, signed: Signed) -> bytes:
        """65 bytes over the step's values, or over others."""
        name, fields = TYPED[step.function]
        kinds = [field.split() for field in fields.split(",")]
        values = self.message(step)
        assert len(values) == len(kinds), f"{step.function}: {len(values)} values for {len(kinds)} fields"
        message = {kind[1]: value for kind, value in zip(kinds, values, strict=True)}
        if not signed.honest:
            message["deadline"] += 1
        found = encode_typed_data(
            self.domain(step.contract),
            {name: [{"type": kind[0], "name": kind[1]} for kind in kinds]},
            message,
        )
        return bytes(self.cast.signer(signed.by).sign_message(found).signature)

    def message(self, step: Step) -> list[Any]:
        """The values that are signed, in the order of the fields."""
        values = list(step.values)
        if step.function in ("hold", "exchange"):
            return list(plain(values[0]))
        if step.function == "payAtPartner":
            quote = list(plain(values[0]))
            return [*quote[:5], values[1], *quote[5:]]
        if step.function == "proposeAsMember":
            return [*values[:2], hash_of_actions(values[2]), *values[3:6]]
        if step.function == "correct":
            return [values[0], *plain(values[1]), values[3]]
        if step.function == "unwind":
            return [values[1].member, values[0], values[2], values[3]]
        if step.function == "permit":
            nonce = self.read(step.contract, "nonces", values[0])
            return [values[0], values[1], values[2], nonce, values[3]]
        return [value for value in values if not isinstance(value, Signed)]

    def domain(self, contract: str) -> dict[str, Any]:
        """The contract's own EIP-712 domain (ERC-5267)."""
        if contract not in self.domains:
            _, name, version, chain_id, verifier, _, _ = self.read(contract, "eip712Domain")
            self.domains[contract] = {
                "name": name,
                "version": str(version),
                "chainId": chain_id,
                "verifyingContract": verifier,
            }
        return self.domains[contract]

    def make(self, step: Step, data: bytes) -> tuple[Outcome, int]:
        """Makes the call on the chain; what happened, and the block's time."""
        receipt = self.send(step.by, self.addresses[step.contract], data, at=step.at)
        block = self.rpc.call("eth_getBlockByNumber", receipt["blockNumber"], False)
        at = int(block["timestamp"], 16)
        if receipt["status"] != "0x1":
            return Outcome({}, self.reason(receipt["transactionHash"])), at
        facts: dict[str, list[tuple[str, tuple[Any, ...]]]] = {}
        for log in receipt["logs"]:
            self._note(log, facts, at)
        return Outcome(facts), at

    def ground(self) -> Ground:
        """The block before the newest."""
        newest = self.rpc.call("eth_getBlockByNumber", "latest", False)
        before = self.rpc.call("eth_getBlockByHash", newest["parentHash"], False)
        return Ground(int(before["number"], 16), before["hash"], int(before["timestamp"], 16))

    def _note(self, log: dict[str, Any], facts: dict[str, list[tuple[str, tuple[Any, ...]]]], at: int) -> None:
        address = log["address"].lower()
        if address not in self.labels:
            # Only an invitation makes a contract: the next brand's token.
            self.name(f"{TOKEN} {sum(label.startswith(TOKEN) for label in self.addresses)}", address)
        label = self.labels[address]
        if label in ("Authority", "SettlementToken", "TimelockController"):
            return
        found = self.codec.log(log, label)
        assert found is not None, f"{label} said something that is in no interface"
        if found.name == "LotsChanged":
            account = found.args["account"]
            words = self.words.setdefault((label, account), [0] * 4)
            for word in integers(found.args["words"]):
                words[(word >> 240) % 4] = word if word & (2**240 - 1) else 0
            return
        if found.name == "LotNamed":
            self.named[label] = int(found.args["expiryEpoch"]), int(found.args["transfers"])
        if found.name == "Transfer" and label != "Badges" and int(found.args["from"], 16) == 0:
            self._mint(label, found.args["to"], int(found.args["value"]), at)
        names = self.order[found.name, frozenset(found.args)]
        values = [integers(found.args[name]) for name in names]
        if found.name in ("AwardRefused", "BadgeRefused"):
            values[-1] = self.refusal(bytes.fromhex(values[-1][2:]))
        facts.setdefault(label, []).append((found.name, tuple(values)))

    def _mint(self, label: str, account: str, points: int, at: int) -> None:
        """What a mint into a named lot leaves of the account's word (SPEC 1.11, 2.16)."""
        expiry, left = self.named.get(label, (0, 0))
        if not left:
            return
        self.named[label] = expiry, left - 1
        words = self.words.setdefault((label, account), [0] * 4)
        group, place = expiry // 5, expiry // 5 % 4
        clock = self.ledger.tokens[int(label.split()[1])].clock.epoch(at)
        lots = lot.live(lot.unpacked([words[place]]), clock) if words[place] >> 240 == group else {}
        words[place] = lot.packed(lot.plus(lots, {expiry: points}))[place]

    def reason(self, tx_hash: str) -> tuple[str, tuple[Any, ...]]:
        """Why a transaction was refused."""
        if self.anvil:
            trace = self.rpc.call("debug_traceTransaction", tx_hash, {"tracer": "callTracer"})
            return self.refusal(bytes.fromhex(trace.get("output", "0x")[2:]))
        # Ganache leaves the returned bytes out of a failed trace: they lie in the memory of its last step.
        trace = self.rpc.call("debug_traceTransaction", tx_hash, {"disableStorage": True}, timeout_s=TRACE_TIMEOUT_S)
        last = trace["structLogs"][-1]
        if last["op"] != "REVERT":
            return last["op"], ()
        memory = bytes.fromhex("".join(last["memory"]))
        start, size = int(last["stack"][-1], 16), int(last["stack"][-2], 16)
        return self.refusal(memory[start : start + size])

    def refusal(self, data: bytes) -> tuple[str, tuple[Any, ...]]:
        """A custom error's name and values."""
        name, values = self.codec.revert(data)
        return name, tuple(integers(value) for value in values.values())


def integers(value: Any) -> Any:
    """The codec's plain values with all numbers as integers and structs as tuples."""
    if isinstance(value, bool):
        return value
    if isinstance(value, dict):
        return tuple(integers(each) for each in value.values())
    if isinstance(value, list | tuple):
        return tuple(integers(each) for each in value)
    if isinstance(value, str) and value.removeprefix("-").isdigit():
        return int(value)
    return value
