"""Sign-in with a wallet (ERC-4361): a key's signature by ERC-191, a contract's by ERC-1271. Nobody here commits."""

from __future__ import annotations

import secrets
from typing import Final

from coincurve import PublicKey
from sqlmodel import Session

from api.identity.links import Named, named
from api.kit.addresses import checksum
from api.kit.container import State
from api.kit.log import log
from api.sign_in import challenges, siwe
from api.sign_in.challenges import Purpose
from api.sign_in.errors import WalletRefused
from api.sign_in.models import Challenge
from api.vault.sealing import Vault
from chain.base.addresses import parse_address
from chain.base.errors import AddressMalformed, NodeUnavailable, Reverted, RpcError
from chain.base.hashing import keccak

NONCE_BYTES: Final = 16
MAGIC: Final = "1626ba7e"  # isValidSignature(bytes32,bytes), and what it answers when it is
SIGNATURE_BYTES: Final = 65
GAS_MAX: Final = 1_000_000
WORD: Final = 32


def ask(
    session: Session, vault: Vault, state: State, *, address: str, purpose: Purpose, member_id: str | None = None
) -> tuple[Challenge, str]:
    """A challenge and the message that answers it once it is signed."""
    nonce = secrets.token_hex(NONCE_BYTES)
    settings = state.settings
    given = named(vault, kind="wallet", value=address)
    made = challenges.make(
        session,
        vault,
        purpose=purpose,
        means="wallet",
        secret=nonce,
        lifetime_s=int(settings.challenge_lifetime.total_seconds()),
        lookup=given.lookup,
        member_id=member_id,
    )
    return made, _message(state, made, given.value, nonce).text()


def shown(state: State, vault: Vault, *, message: str, signature: str) -> tuple[Named, str]:
    """The address that signed this message and the nonce in it; asks the chain where the address is a contract.

    To be called before any transaction: a node may be slow.
    """
    try:
        address = parse_address(siwe.address_of(message))
    except AddressMalformed:
        raise _refused() from None
    digest = keccak(f"\x19Ethereum Signed Message:\n{len(message.encode())}".encode() + message.encode())
    raw = bytes.fromhex(signature.removeprefix("0x"))
    if signer_of(digest, raw) != address and not _contract_agrees(state, address, digest, raw):
        raise _refused()
    return named(vault, kind="wallet", value=address), siwe.nonce_of(message)


def use(
    session: Session,
    vault: Vault,
    state: State,
    *,
    challenge_id: str,
    purpose: Purpose,
    given: Named,
    nonce: str,
    message: str,
    member_ids: tuple[str, ...] = (),
) -> Challenge:
    """Uses the challenge up, if it is the one of this very message."""
    used = challenges.use(
        session, vault, challenge_id=challenge_id, purpose=purpose, means="wallet", secret=nonce, lookup=given.lookup,
        member_ids=member_ids,
    )  # fmt: skip
    if used is None or message != _message(state, used, given.value, nonce).text():
        raise _refused()
    return used


def signer_of(digest: bytes, signature: bytes) -> str | None:
    """The address whose key signed the digest (r, s, v); None for what is no signature, or not the low one of two."""
    if len(signature) != SIGNATURE_BYTES or signature[64] not in (0, 1, 27, 28):
        return None
    if int.from_bytes(signature[32:64]) > _HALF_ORDER:
        return None
    try:
        key = PublicKey.from_signature_and_message(signature[:64] + bytes([signature[64] % 27]), digest, hasher=None)
    except Exception:  # coincurve raises a plain Exception for what has no key
        return None
    return "0x" + keccak(key.format(compressed=False)[1:])[12:].hex()


_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def _contract_agrees(state: State, address: str, digest: bytes, signature: bytes) -> bool:
    """Whether the contract at the address says that this is its signature (ERC-1271)."""
    padded = signature + b"\0" * (-len(signature) % WORD)
    words = digest + (2 * WORD).to_bytes(WORD) + len(signature).to_bytes(WORD) + padded
    asked = {"to": address, "data": f"0x{MAGIC}{words.hex()}", "gas": hex(GAS_MAX)}
    try:
        answer = state.node.rpc.call("eth_call", asked, "latest")
    except (Reverted, RpcError):
        return False
    except NodeUnavailable:
        log.warning("a wallet that is a contract could not be asked: the node is away")
        raise
    # Exactly one word: an address without code answers nothing.
    return bool(answer == "0x" + MAGIC + "00" * 28)


def _message(state: State, challenge: Challenge, address: str, nonce: str) -> siwe.SignIn:
    return siwe.SignIn(
        origin=state.settings.origins[0],
        address=checksum(address),
        chain_id=state.settings.chain_id,
        nonce=nonce,
        issued_at_ms=challenge.made_at_ms,
        expires_at_ms=challenge.expires_at_ms,
    )


def _refused() -> WalletRefused:
    return WalletRefused("This is not the message that was asked for, signed by the account that it names.")
