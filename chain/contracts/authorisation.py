"""Members' EIP-712 authorisations: the digest that a member's key signs for each act the contracts know.

The domain of a contract is asked from the contract itself (ERC-5267) and kept for the life of the process.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from eth_abi import abi

from chain.base.hashing import keccak, keccak_text
from chain.contracts.codec import Codec
from chain.node.rpc import Rpc

DOMAIN_TYPE: Final = keccak_text("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
TYPES: Final[Mapping[str, str]] = {
    "Hold": "Hold(address member,uint256 brandId,uint256 points,bytes32 rewardId,uint256 holdUntil,"
    "uint256 nonce,uint256 deadline)",
    "Exchange": "Exchange(address member,uint256 agreementId,uint256 version,uint256 pointsIn,uint256 minimumOut,"
    "uint256 nonce,uint256 deadline)",
    "PayAtPartner": "PayAtPartner(address member,uint256 agreementId,uint256 version,uint256 pointsIn,uint256 price,"
    "bytes32 rewardId,uint256 nonce,uint256 deadline)",
    "Unwind": "Unwind(address member,bytes32 exchangeId,uint256 nonce,uint256 deadline)",
    "TransferAuthorisation": "TransferAuthorisation(address from,address to,uint256 points,uint256 nonce,"
    "uint256 deadline)",
    "Leave": "Leave(address member,address wallet,uint256 nonce,uint256 deadline)",
    "Correction": "Correction(uint256 brandId,uint256 operationId,uint256 ruleId,address member,uint256 baseAmount,"
    "uint256 deadline)",
    "Vote": "Vote(uint256 proposalId,address member,uint256 choice)",
}


@dataclass(frozen=True)
class Domain:
    """The EIP-712 domain of one contract."""

    name: str
    version: str
    chain_id: int
    contract: str

    @property
    def separator(self) -> bytes:
        """The domain's hash."""
        return keccak(
            abi.encode(
                ["bytes32", "bytes32", "bytes32", "uint256", "address"],
                [DOMAIN_TYPE, keccak_text(self.name), keccak_text(self.version), self.chain_id, self.contract],
            )
        )


class Domains:
    """The domains of contracts on one node, each asked once."""

    def __init__(self, rpc: Rpc, codec: Codec):
        self._rpc = rpc
        self._codec = codec
        self._known: dict[str, Domain] = {}

    def of(self, contract: str, address: str) -> Domain:
        """The domain of the contract `contract` (by ABI name) at `address`."""
        if address not in self._known:
            data = "0x" + self._codec.calldata(contract, "eip712Domain").hex()
            answer = self._codec.result(
                contract, "eip712Domain", self._rpc.call("eth_call", {"to": address, "data": data}, "latest")
            )
            _fields, name, version, chain_id, verifying, _salt, _extensions = answer
            self._known[address] = Domain(name, version, int(chain_id), verifying)
        return self._known[address]


def digest(domain: Domain, kind: str, values: Mapping[str, Any]) -> bytes:
    """What is signed for the struct `kind` with its `values` by field name (ints, 0x addresses, 0x bytes32)."""
    declared = TYPES[kind]
    fields = [field.split(" ") for field in declared[declared.index("(") + 1 : -1].split(",")]
    plain = [
        bytes.fromhex(values[name].removeprefix("0x")) if type_ == "bytes32"
        else int(values[name]) if type_ == "uint256" else values[name]
        for type_, name in fields
    ]  # fmt: skip
    types = ["bytes32", *(type_ for type_, _ in fields)]
    return keccak(b"\x19\x01" + domain.separator + keccak(abi.encode(types, [keccak_text(declared), *plain])))


def fresh_nonce() -> int:
    """An unordered nonce: 256 random bits never meet twice."""
    return secrets.randbits(256)


def record_id(member: str, nonce: int) -> str:
    """The id of a hold or an exchange: keccak256(abi.encode(member, nonce)), known before it is mined."""
    return "0x" + keccak(abi.encode(["address", "uint256"], [member, nonce])).hex()
