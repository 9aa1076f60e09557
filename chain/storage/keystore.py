"""Keys behind an interface that a KMS can fill; by default one encrypted file with one seed.

A key is named by a reference ("signer/0", "member/<id>"): the same reference always gives the same key, and nothing
but the seed need be kept. Keys and seed never appear in logs, reprs or errors.
"""

import os
import secrets
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol, Self

import orjson
from coincurve import PrivateKey
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from chain.base.errors import KeystoreError, KeystoreLocked, KeystoreMissing
from chain.base.hashing import keccak
from chain.base.scalars import Address

VERSION: Final = 1
SEED_BYTES: Final = 32
SCRYPT_N: Final = 1 << 15
SCRYPT_R: Final = 8
SCRYPT_P: Final = 1
KEYS_CACHED_MAX: Final = 65_536
SECRETS_CACHED_MAX: Final = 64
NONCE_BYTES: Final = 12
CURVE_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class Keystore(Protocol):
    """Whoever holds keys and signs digests with them."""

    def address_of(self, ref: str) -> Address:
        """The address of a key, lower case."""

    def sign(self, ref: str, digest: bytes) -> bytes:
        """65 bytes r, s, v over a 32-byte digest; v is 27 or 28, s in the lower half."""

    def public_key(self, ref: str) -> bytes:
        """The 32 bytes of a reference's Ed25519 public key: for what the gateway states, never for the chain."""

    def sign_message(self, ref: str, message: bytes) -> bytes:
        """64 bytes, Ed25519 (RFC 8032) over the whole message."""

    def mac(self, ref: str, message: bytes) -> bytes:
        """32 bytes, HMAC-SHA256 with a key of the reference that nobody is told."""

    def seal(self, ref: str, plain: bytes, bound: bytes) -> bytes:
        """The bytes under a key of the reference (AES-256-GCM); they open only beside the same `bound`."""

    def unseal(self, ref: str, sealed: bytes, bound: bytes) -> bytes:
        """What was sealed; KeystoreLocked when it was altered, or is of another reference or bound."""


class LocalKeystore:
    """One seed in a file, sealed by a password with scrypt and AES-256-GCM."""

    def __init__(self, seed: bytes):
        self._seed = seed
        self._key = lru_cache(KEYS_CACHED_MAX)(self._derive)
        self._secret = lru_cache(SECRETS_CACHED_MAX)(self._derive_secret)

    def __repr__(self) -> str:
        return "LocalKeystore(sealed)"

    @classmethod
    def create(cls, path: Path | str, password: str, *, seed: bytes | None = None) -> Self:
        """Makes the file, readable by its owner only, and opens it; refuses to replace one that is there."""
        seed = seed or secrets.token_bytes(SEED_BYTES)
        salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
        header = {"version": VERSION, "kdf": "scrypt", "n": SCRYPT_N, "r": SCRYPT_R, "p": SCRYPT_P, "salt": salt.hex()}
        bound = orjson.dumps(header, option=orjson.OPT_SORT_KEYS)
        sealed = AESGCM(_password_key(password, header)).encrypt(nonce, seed, bound)
        content = orjson.dumps({"header": header, "nonce": nonce.hex(), "sealed": sealed.hex()})
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise KeystoreError(f"{Path(path).name} is there already; a keystore is never replaced.") from None
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return cls(seed)

    @classmethod
    def open(cls, path: Path | str, password: str) -> Self:
        """Opens the file; KeystoreMissing without one, KeystoreLocked when the password does not fit."""
        try:
            content = orjson.loads(Path(path).read_bytes())
            header, nonce, sealed = content["header"], bytes.fromhex(content["nonce"]), bytes.fromhex(content["sealed"])
        except FileNotFoundError:
            raise KeystoreMissing(f"There is no keystore at {Path(path).name}.") from None
        except OSError as error:
            raise KeystoreError(f"{Path(path).name} cannot be read: {error.strerror}.") from None
        except (orjson.JSONDecodeError, KeyError, ValueError, TypeError):
            raise KeystoreLocked(f"{Path(path).name} is not a keystore.") from None
        if not _is_ours(header):
            raise KeystoreLocked(f"{Path(path).name} is of a kind this program does not know.")
        try:
            bound = orjson.dumps(header, option=orjson.OPT_SORT_KEYS)
            return cls(AESGCM(_password_key(password, header)).decrypt(nonce, sealed, bound))
        except (InvalidTag, ValueError):
            raise KeystoreLocked("The password does not open the keystore, or the file was altered.") from None

    def address_of(self, ref: str) -> Address:
        """The address of a key, lower case."""
        return self._key(ref)[1]

    def sign(self, ref: str, digest: bytes) -> bytes:
        """65 bytes r, s, v over a 32-byte digest; v is 27 or 28, s in the lower half."""
        signature = self._key(ref)[0].sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([signature[64] + 27])

    def public_key(self, ref: str) -> bytes:
        """The 32 bytes of a reference's Ed25519 public key: for what the gateway states, never for the chain."""
        return self._ed25519(ref).public_key().public_bytes_raw()

    def sign_message(self, ref: str, message: bytes) -> bytes:
        """64 bytes, Ed25519 (RFC 8032) over the whole message."""
        return self._ed25519(ref).sign(message)

    def mac(self, ref: str, message: bytes) -> bytes:
        """32 bytes, HMAC-SHA256 with a key of the reference that nobody is told."""
        made = HMAC(self._secret(f"mac {ref}"), SHA256())
        made.update(message)
        return made.finalize()

    def seal(self, ref: str, plain: bytes, bound: bytes) -> bytes:
        """The bytes under a key of the reference (AES-256-GCM); they open only beside the same `bound`."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(self._secret(f"seal {ref}")).encrypt(nonce, plain, bound)

    def unseal(self, ref: str, sealed: bytes, bound: bytes) -> bytes:
        """What was sealed; KeystoreLocked when it was altered, or is of another reference or bound."""
        try:
            opened = AESGCM(self._secret(f"seal {ref}")).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound)
        except (InvalidTag, ValueError):
            raise KeystoreLocked("What was sealed does not open: it was altered, or is another's.") from None
        return opened

    def _derive_secret(self, purpose: str) -> bytes:
        # A salt of its own again: no secret says anything of a key.
        return HKDF(algorithm=SHA256(), length=32, salt=b"moa keystore 1 secret", info=purpose.encode()).derive(
            self._seed
        )

    def _ed25519(self, ref: str) -> Ed25519PrivateKey:
        # Another salt than the chain's keys, so that one reference gives two keys that say nothing of each other.
        derive = HKDF(algorithm=SHA256(), length=32, salt=b"moa keystore 1 ed25519", info=ref.encode())
        return Ed25519PrivateKey.from_private_bytes(derive.derive(self._seed))

    def _derive(self, ref: str) -> tuple[PrivateKey, Address]:
        # 48 bytes reduced by the order leave no bias worth the name.
        wide = HKDF(algorithm=SHA256(), length=48, salt=b"moa keystore 1", info=ref.encode()).derive(self._seed)
        key = PrivateKey((int.from_bytes(wide) % (CURVE_ORDER - 1) + 1).to_bytes(32))
        return key, Address("0x" + keccak(key.public_key.format(compressed=False)[1:])[12:].hex())


def open_or_create(path: Path | str, password: str) -> LocalKeystore:
    """The keystore at the path, made if there is none yet."""
    return LocalKeystore.open(path, password) if Path(path).exists() else LocalKeystore.create(path, password)


def till_ref(index: int) -> str:
    """The reference of a hot key that acts as the brands' till and never awards."""
    return f"till/{index}"


def signer_ref(index: int) -> str:
    """The reference of a relayer's hot key."""
    return f"signer/{index}"


def _is_ours(header: Any) -> bool:
    """Whether the header says what ours say; larger numbers would cost more memory than anyone has."""
    try:
        bytes.fromhex(header["salt"])
        work = [header[name] for name in ("n", "r", "p")]
        bounded = all(0 < number <= most for number, most in zip(work, (SCRYPT_N, SCRYPT_R, SCRYPT_P), strict=True))
        return header["version"] == VERSION and bounded
    except (KeyError, TypeError, ValueError):
        return False


def _password_key(password: str, header: dict[str, Any]) -> bytes:
    kdf = Scrypt(salt=bytes.fromhex(header["salt"]), length=32, n=header["n"], r=header["r"], p=header["p"])
    return kdf.derive(password.encode())
