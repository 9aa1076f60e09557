"""Where the contracts are: deployments/<chain_id>.json, checked against the node before anything is sent."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import orjson

from chain.base.errors import ChainReplaced, DeploymentMismatch, DeploymentMissing
from chain.base.hashing import keccak
from chain.base.scalars import Address, BlockHash
from chain.contracts.codec import Codec
from chain.node.blocks import believable
from chain.node.rpc import Rpc
from chain.storage.documents import Documents

COVER_BPS_DEFAULT: Final = 10_000


@dataclass(frozen=True)
class Contract:
    """A deployed contract; address in lower case."""

    name: str
    address: Address
    bytecode_hash: str


@dataclass(frozen=True)
class Deployment:
    """Where Moa is on one chain. Of brands, rules and agreements the chain says more (chain.mirror.brands)."""

    chain_id: int
    start_block: int
    genesis_hash: BlockHash
    contracts: Mapping[str, Contract]
    codec: Codec
    # The share of its debts that a brand's collateral must cover, in hundredths of a percent; the clearing house's own.
    cover_bps: int = COVER_BPS_DEFAULT
    documents: Documents = field(default_factory=Documents)

    @classmethod
    def load(cls, folder: Path | str, chain_id: int, *, codec: Codec | None = None) -> Self:
        """Reads the file of the chain; raises DeploymentMissing without one, DeploymentMismatch when it is
        none, AbiMissing without the ABI."""
        path = Path(folder) / f"{chain_id}.json"
        try:
            raw = orjson.loads(path.read_bytes())
        except FileNotFoundError:
            raise DeploymentMissing(str(folder), chain_id) from None
        except orjson.JSONDecodeError as error:
            raise DeploymentMismatch(path.name, "a deployment in JSON", str(error)) from error
        try:
            found = cls._parsed(raw, codec or Codec.load(), Documents(Path(folder) / "documents"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            fault = f"{type(error).__name__}: {error}"
            raise DeploymentMismatch(path.name, "chain and contracts", fault) from error
        if found.chain_id != chain_id:
            raise DeploymentMismatch(path.name, f"chain {chain_id}", f"chain {found.chain_id} in it")
        return found

    @classmethod
    def _parsed(cls, raw: Any, codec: Codec, documents: Documents) -> Self:
        """The deployment that a file's JSON is; KeyError, TypeError, ValueError or AttributeError when it is none."""
        contracts = {
            name: Contract(name, Address(_hex(item["address"], 40)), _hex(item["bytecode_hash"], 64))
            for name, item in raw["contracts"].items()
        }
        return cls(
            chain_id=int(raw["chain_id"]),
            start_block=int(raw["start_block"]),
            genesis_hash=BlockHash(_hex(raw["genesis_hash"], 64)),
            contracts=contracts,
            codec=codec,
            cover_bps=int(raw.get("cover_bps", COVER_BPS_DEFAULT)),
            documents=documents,
        )

    def verify(self, rpc: Rpc) -> None:
        """Compares chain id, genesis and the code at every address; raises ChainReplaced or DeploymentMismatch."""
        calls: list[tuple[str, list[Any]]] = [("eth_chainId", []), ("eth_getBlockByNumber", ["0x0", False])]
        calls += [("eth_getCode", [contract.address, "latest"]) for contract in self.contracts.values()]
        answers = rpc.batch(calls)
        with believable("chain id, genesis and code"):
            chain_id, genesis_hash = int(answers[0], 16), answers[1]["hash"]
            codes = [bytes.fromhex(code[2:]) for code in answers[2:]]
        if chain_id != self.chain_id:
            raise DeploymentMismatch("chain id", str(self.chain_id), str(chain_id))
        if genesis_hash != self.genesis_hash:
            raise ChainReplaced(self.genesis_hash, genesis_hash)
        for contract, code in zip(self.contracts.values(), codes, strict=True):
            found = "0x" + keccak(code).hex() if code else "no code"
            if found != contract.bytecode_hash:
                raise DeploymentMismatch(f"{contract.name} at {contract.address}", contract.bytecode_hash, found)

    def address(self, contract: str) -> Address:
        """Where a contract is; raises DeploymentMissing when the file does not name it."""
        try:
            return self.contracts[contract].address
        except KeyError:
            raise DeploymentMissing(f"the deployment ({contract} is not in it)", self.chain_id) from None


def _hex(text: str, digits: int) -> str:
    """An address or hash in lower case. Raises ValueError for anything else."""
    found = text.lower()
    if not re.fullmatch(rf"0x[0-9a-f]{{{digits}}}", found):
        raise ValueError(f"{text[:80]} is not 0x and {digits} hex digits")
    return found
