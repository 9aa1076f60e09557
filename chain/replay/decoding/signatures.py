"""Who signed a member's authorisation: EIP-712 digests of Moa's messages, and the key that signed them."""

from typing import Any, Final

from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from chain.base.hashing import keccak, keccak_text

SIGNATURE_BYTES: Final = 65
V_LOWEST: Final = 27
HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
DOMAIN: Final = keccak_text("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")

TYPES: Final = {
    name: keccak_text(text)
    for name, text in {
        "hold": "Hold(address member,uint256 brandId,uint256 points,bytes32 rewardId,uint256 holdUntil,uint256 nonce,"
        "uint256 deadline)",
        "exchange": "Exchange(address member,uint256 agreementId,uint256 version,uint256 pointsIn,uint256 minimumOut,"
        "uint256 nonce,uint256 deadline)",
        "payAtPartner": "PayAtPartner(address member,uint256 agreementId,uint256 version,uint256 pointsIn,"
        "uint256 price,bytes32 rewardId,uint256 nonce,uint256 deadline)",
        "unwind": "Unwind(address member,bytes32 exchangeId,uint256 nonce,uint256 deadline)",
        "transferWithAuthorisation": "TransferAuthorisation(address from,address to,uint256 points,uint256 nonce,"
        "uint256 deadline)",
        "leave": "Leave(address member,address wallet,uint256 nonce,uint256 deadline)",
        "proposeAsMember": "ProposeAsMember(address member,uint256 brandId,bytes32 actionsHash,bytes32 textHash,"
        "uint256 nonce,uint256 deadline)",
        "castVote": "Vote(uint256 proposalId,address member,uint256 choice)",
        "permit": "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)",
    }.items()
}


def word(value: Any) -> bytes:
    """An integer, an address or 32 bytes as one word."""
    if isinstance(value, int):
        return value.to_bytes(32)
    return bytes.fromhex(value[2:]).rjust(32, b"\0")


def domain(name: str, chain_id: int, contract: str) -> bytes:
    """The domain separator of a contract, version 1."""
    return keccak(DOMAIN + keccak_text(name) + keccak_text("1") + word(chain_id) + word(contract))


def digest(domain_separator: bytes, message: str, values: list[Any]) -> bytes:
    """What is signed; all fields of Moa's messages are single words."""
    struct = keccak(TYPES[message] + b"".join(word(value) for value in values))
    return keccak(b"\x19\x01" + domain_separator + struct)


def signer(hashed: bytes, signature: bytes) -> str | None:
    """The address whose key made the 65 bytes, or None when they are no signature that the contracts take."""
    if len(signature) != SIGNATURE_BYTES:
        return None
    r, s, v = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64]), signature[64]
    if s > HALF_ORDER or v - V_LOWEST not in (0, 1):
        return None
    try:
        found = Signature(vrs=(v - V_LOWEST, r, s)).recover_public_key_from_msg_hash(hashed)
    except (BadSignature, ValidationError):
        return None
    address: str = found.to_address()
    return address.lower()
