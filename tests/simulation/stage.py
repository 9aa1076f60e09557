"""The ground of all episodes: a node with every contract, its model, and the way back to where an episode begins.

Deployed once for a run by the differential's own world, so that contracts and model are known to agree before the
first episode. Time is the chain's own: every block is one second after the one before it, and a jump is an order.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from eth_utils import to_checksum_address

from chain.base.hashing import keccak
from chain.contracts.deployment import Deployment
from chain.devnet.supervisor import Anvil
from chain.model.access import Kind, role_of
from chain.model.ledger import Ledger
from chain.node.rpc import Rpc
from chain.relayer.signer import Fees, sign
from chain.storage.keystore import LocalKeystore, signer_ref, till_ref
from tests.differential.steps import TOKEN, Step
from tests.differential.world import BRANDS, TwoSides

PASSWORD: Final = "a password for simulations"
SEED: Final = keccak(b"moa simulation")
SIGNERS: Final = 2
SIGNER_WEI: Final = 10**21
CONTRACTS: Final = ("PartnerRegistry", "RewardRules", "RedemptionDesk", "PartnerExchange", "ClearingHouse")
RULES: Final = ("rate", "capped", "fixed", "huge", "double")
STATES_KEPT: Final = 20_000
SETTLED_S: Final = 0.005
GAS: Final = 8_000_000
GAS_PRICE_WEI: Final = 10 * 10**9


class NodeBroke(Exception):
    """The node under the episode lost a block of its own chain: no worker can be judged on it."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A block that was taken off the chain, and what a pool would take back of it."""

    block: dict[str, Any]
    logs: list[dict[str, Any]]
    raws: tuple[str, ...]

    @property
    def number(self) -> int:
        return int(self.block["number"], 16)


class LastingAnvil(Anvil):
    """Anvil that forgets no state of a past block: by itself it keeps a few hundred in memory, and after that a
    rollback leads to a block with an empty state."""

    options = ("--prune-history", str(STATES_KEPT))


class Stage:
    """One Anvil of its own. `base` is the block at which every episode begins."""

    def __init__(self, folder: Path):
        self.folder = folder
        # (signer, nonce) that a stranger used, in the present episode.
        self.stolen: set[tuple[str, int]] = set()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.node = self._stack.enter_context(LastingAnvil(self.folder / "chain"))
        self.rpc = Rpc(self.node.url)
        self._stack.callback(self.rpc.close)
        self.keystore_path = self.folder / "keystore.json"
        self.keystore = LocalKeystore.create(self.keystore_path, PASSWORD, seed=SEED)
        issuing = [self.keystore.address_of(signer_ref(index)) for index in range(SIGNERS)]
        # The last one acts as every brand's till.
        self.signers = [*issuing, self.keystore.address_of(till_ref(0))]
        self.world = TwoSides(self.rpc, self.node.chain_id, anvil=True)
        self._employ_signers()
        self.deployments = self.folder / "deployments"
        self._write_deployment()
        self.deployment = Deployment.load(self.deployments, self.node.chain_id)
        self.base = self.head()
        self._ledger = copy.deepcopy(self.world.ledger)
        self._words = copy.deepcopy(self.world.chain.words)
        self.rpc.call("anvil_setBlockTimestampInterval", 1)
        self._snapshot = self.rpc.call("evm_snapshot")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def reset(self) -> None:
        """Back to the base, the pool empty."""
        self.rpc.call("anvil_dropAllTransactions")
        assert self.rpc.call("evm_revert", self._snapshot) is True, "the base is gone"
        self._snapshot = self.rpc.call("evm_snapshot")
        self.stolen.clear()
        self.rpc.call("anvil_dropAllTransactions")
        self.rpc.call("anvil_setBlockTimestampInterval", 1)
        self.automine(True)

    def ledger(self) -> Ledger:
        """The model as of the base, a copy of its own."""
        return copy.deepcopy(self._ledger)

    def words(self) -> dict[tuple[str, str], list[int]]:
        """The lots that the events up to the base gave."""
        return copy.deepcopy(self._words)

    # The chain's doings

    def head(self) -> dict[str, Any]:
        """The newest block."""
        found: dict[str, Any] = self.rpc.call("eth_getBlockByNumber", "latest", False)
        return found

    @property
    def height(self) -> int:
        """Blocks on top of the base."""
        return int(self.rpc.call("eth_blockNumber"), 16) - int(self.base["number"], 16)

    def automine(self, on: bool) -> None:
        """Whether each transaction is mined as it comes."""
        self.rpc.call("evm_setAutomine", on)

    def mine(self, blocks: int = 1) -> None:
        """Blocks with whatever waits."""
        for _ in range(blocks):
            self.rpc.call("evm_mine")

    def waiting(self) -> bool:
        """Whether the pool holds anything."""
        return int(self.rpc.call("txpool_status")["pending"], 16) > 0

    def jump(self, seconds: int) -> None:
        """The next block, and all after it, are that much later."""
        self.rpc.call("evm_setNextBlockTimestamp", int(self.head()["timestamp"], 16) + seconds)
        self.mine()

    def sound(self) -> bool:
        """Whether the node has every block up to its head. Anvil can lose one when it mines during a rollback."""
        last = int(self.rpc.call("eth_blockNumber"), 16)
        numbers = range(int(self.base["number"], 16), last + 1)
        blocks = self.rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
        return all(blocks) and all(one["hash"] == two["parentHash"] for one, two in pairwise(blocks))

    def remove(self, depth: int) -> list[Removed]:
        """Takes blocks off, at most down to the base; what was taken, oldest first. Leaves the node not mining."""
        self.automine(False)
        # What it has begun to mine it must have finished.
        time.sleep(SETTLED_S)
        depth = min(depth, self.height)
        if depth == 0:
            return []
        top = int(self.head()["number"], 16)
        numbers = range(top - depth + 1, top + 1)
        blocks = self.rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
        hashes = [tx_hash for block in blocks for tx_hash in block["transactions"]]
        raws = self.rpc.batch([("eth_getRawTransactionByHash", [tx_hash]) for tx_hash in hashes])
        by_hash = dict(zip(hashes, raws, strict=True))
        span = {"fromBlock": hex(numbers[0]), "toBlock": hex(top)}
        logs = self.rpc.call("eth_getLogs", span)
        self.rpc.call("anvil_rollback", depth)
        return [
            Removed(
                block,
                [log for log in logs if log["blockHash"] == block["hash"]],
                tuple(by_hash[tx_hash] for tx_hash in block["transactions"] if by_hash[tx_hash]),
            )
            for block in blocks
        ]

    def offer(self, raws: Sequence[str]) -> None:
        """Sends transactions that were signed before; refusals are the node's affair."""
        self.rpc.try_batch([("eth_sendRawTransaction", [raw]) for raw in raws])

    def send(self, by: str, to: str, data: bytes) -> str:
        """A transaction of someone of the cast, not waited for."""
        return self._send(self.world.cast.keys[by], by, to, data)

    def steal(self, index: int) -> str:
        """Someone who holds the relayer's key uses its next nonce for nothing."""
        nonce = int(self.rpc.call("eth_getTransactionCount", self.signers[index], "latest"), 16)
        self.stolen.add((self.signers[index], nonce))
        signed = sign(
            self.keystore,
            signer_ref(index),
            chain_id=self.node.chain_id,
            nonce=nonce,
            target=self.signers[index],
            calldata=b"stolen",
            gas=60_000,
            fees=Fees(GAS_PRICE_WEI, GAS_PRICE_WEI // 10),
        )
        self.rpc.try_batch([("eth_sendRawTransaction", [signed.raw])])
        return signed.tx_hash

    def _send(self, key: Any, by: str, to: str, data: bytes) -> str:
        nonce = int(self.rpc.call("eth_getTransactionCount", by, "pending"), 16)
        fields = {
            "nonce": nonce,
            "gas": GAS,
            "gasPrice": GAS_PRICE_WEI,
            "value": 0,
            "data": data,
            "chainId": self.node.chain_id,
            "to": to_checksum_address(to),
        }
        signed = key.sign_transaction(fields)
        self.rpc.try_batch([("eth_sendRawTransaction", ["0x" + signed.raw_transaction.hex()])])
        return "0x" + signed.hash.hex()

    # Setting up

    def _employ_signers(self) -> None:
        bank = self.rpc.call("eth_accounts")[0]
        for address in self.signers:
            # Timed as every other block here: by its own clock a slow machine's node would be ahead of ours.
            self.world.chain.clock += 1
            self.rpc.call("evm_setNextBlockTimestamp", self.world.chain.clock)
            gift = {"from": bank, "to": address, "value": hex(SIGNER_WEI), "gas": "0x5208", "gasPrice": hex(10**10)}
            self.world.chain.receipt(self.rpc.call("eth_sendTransaction", gift))
            for number in range(1, len(BRANDS) + 1):
                kind = Kind.TILL if address == self.signers[-1] else Kind.ISSUER
                values = role_of(number, kind), address, 0
                error = self.world.do(Step("Authority", "grantRole", values, self.world.cast[f"owner{number}"]))
                assert not error, error

    def token(self, brand_id: int) -> str:
        """Where a brand's token is."""
        return self.world.chain.addresses[f"{TOKEN} {brand_id}"]

    def _write_deployment(self) -> None:
        chain = self.world.chain
        addresses = {name: chain.addresses[name] for name in CONTRACTS} | {
            "AccessManager": chain.addresses["Authority"]
        }
        codes = self.rpc.batch([("eth_getCode", [address, "latest"]) for address in addresses.values()])
        content = {
            "chain_id": self.node.chain_id,
            "start_block": 1,
            "genesis_hash": self.rpc.call("eth_getBlockByNumber", "0x0", False)["hash"],
            "contracts": {
                name: {"address": address, "bytecode_hash": "0x" + keccak(bytes.fromhex(code[2:])).hex()}
                for (name, address), code in zip(addresses.items(), codes, strict=True)
            },
        }
        self.deployments.mkdir(exist_ok=True)
        (self.deployments / f"{self.node.chain_id}.json").write_text(json.dumps(content))
