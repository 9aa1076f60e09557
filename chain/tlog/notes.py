"""Signed notes of C2SP (c2sp.org/signed-note): a text, a blank line, signature lines. Ed25519 only.

A line is `— <name> <base64 of key id and signature>`. A line of a key that the reader does not know says nothing; a
line of one that it knows must verify, or the whole note is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chain.tlog.errors import NoteMalformed, SignatureInvalid, SignatureMissing

ED25519: Final = 0x01
PUBLIC_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
KEY_ID_BYTES: Final = 4
NOTE_BYTES_MAX: Final = 1_000_000
SIGNATURES_MAX: Final = 64
NAME_LENGTH_MAX: Final = 255
_DASH: Final = "— "
_controls = re.compile(r"[\x00-\x09\x0b-\x1f]")
_spaces_or_plus = re.compile(r"[\s\x1c-\x1f+]", re.UNICODE)


@dataclass(frozen=True, slots=True)
class Verifier:
    """A key that a reader trusts: name and public key. kind: the signature type of C2SP, part of the key's id."""

    name: str
    public: bytes
    kind: int = ED25519

    def __post_init__(self) -> None:
        if not is_name(self.name) or len(self.public) != PUBLIC_BYTES:
            raise NoteMalformed("A key has a name without spaces or plus, and 32 bytes.")

    @property
    def key_id(self) -> bytes:
        """Four bytes that name key and algorithm; a hint, not a commitment."""
        told = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(told).digest()[:KEY_ID_BYTES]

    @property
    def vkey(self) -> str:
        """`name+id+key`, as keys are handed around."""
        return f"{self.name}+{self.key_id.hex()}+{encode(bytes([self.kind]) + self.public)}"

    @classmethod
    def parse(cls, vkey: str, *, kind: int = ED25519) -> Self:
        """The key that a vkey tells; NoteMalformed unless it is whole and of this kind."""
        parts = vkey.split("+", 2)
        if len(parts) != 3:
            raise NoteMalformed("A key is written name+id+base64.")
        name, key_id, coded = parts
        raw = decode(coded)
        if len(raw) != PUBLIC_BYTES + 1 or raw[0] != kind:
            raise NoteMalformed(f"This is no key of kind {kind}.")
        made = cls(name, raw[1:], kind)
        if made.key_id.hex() != key_id:
            raise NoteMalformed("The key's id is not that of its name and bytes.")
        return made

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether this key made this Ed25519 signature."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class NoteSigner(Protocol):
    """Whoever signs notes; the key may be elsewhere."""

    @property
    def verifier(self) -> Verifier:
        """Name and public key."""

    def sign(self, message: bytes) -> bytes:
        """64 bytes of Ed25519 over the message."""


@dataclass(frozen=True, slots=True)
class KeySigner:
    """A signer of a name, whose key is behind a function (a keystore's, a KMS's)."""

    verifier: Verifier
    signs: Callable[[bytes], bytes]

    def sign(self, message: bytes) -> bytes:
        """64 bytes of Ed25519 over the message."""
        return self.signs(message)


@dataclass(frozen=True, slots=True)
class Line:
    """One signature line, not yet verified."""

    name: str
    key_id: bytes
    signature: bytes

    def told(self) -> str:
        return f"{_DASH}{self.name} {encode(self.key_id + self.signature)}\n"

    def is_of(self, key: Verifier) -> bool:
        return self.name == key.name and self.key_id == key.key_id


@dataclass(frozen=True, slots=True)
class Note:
    """A note taken apart; nothing is verified yet. text: with its last newline."""

    text: str
    lines: tuple[Line, ...]

    def told(self) -> str:
        return self.text + "\n" + "".join(line.told() for line in self.lines)

    @classmethod
    def parse(cls, note: str) -> Self:
        """The note's parts, or NoteMalformed."""
        try:
            octets = len(note.encode())
        except UnicodeEncodeError:
            raise NoteMalformed("A note is UTF-8.") from None
        if octets > NOTE_BYTES_MAX:
            raise NoteMalformed(f"A note has at most {NOTE_BYTES_MAX} bytes.")
        if _controls.search(note):
            raise NoteMalformed("A note has no control characters but newlines.")
        at = note.rfind("\n\n")
        if at < 0 or not note.endswith("\n"):
            raise NoteMalformed("A note is a text, an empty line, and signature lines.")
        text, rest = note[: at + 1], note[at + 2 :]
        if text == "\n" or not rest:
            raise NoteMalformed("A note has a text and at least one signature.")
        told = rest[:-1].split("\n")
        if len(told) > SIGNATURES_MAX:
            raise NoteMalformed(f"A note has at most {SIGNATURES_MAX} signatures.")
        return cls(text, tuple(map(_line, told)))

    def verify(self, key: Verifier) -> None:
        """Raises SignatureMissing or SignatureInvalid unless the key signed the text."""
        lines = [line for line in self.lines if line.is_of(key)]
        if not lines:
            raise SignatureMissing(key.name)
        if not all(key.verify(self.text.encode(), line.signature) for line in lines):
            raise SignatureInvalid(key.name)


def open_note(note: str, keys: Sequence[Verifier]) -> Note:
    """The note, signed by at least one of the keys; a line that names one of them without being its own is refused."""
    opened = Note.parse(note)
    verified = 0
    for key in keys:
        try:
            opened.verify(key)
        except SignatureMissing:
            continue
        verified += 1
    if verified == 0:
        raise SignatureMissing(" or ".join(key.name for key in keys))
    return opened


def sign(text: str, *signers: NoteSigner) -> str:
    """The text as a note with a line of each signer."""
    if not text.endswith("\n") or text == "\n" or _controls.search(text):
        raise NoteMalformed("A note's text ends with a newline and has no control characters.")
    lines = (Line(one.verifier.name, one.verifier.key_id, one.sign(text.encode())) for one in signers)
    return Note(text, tuple(lines)).told()


def is_name(name: str) -> bool:
    """Whether a key may be called so."""
    return 0 < len(name.encode()) <= NAME_LENGTH_MAX and not _spaces_or_plus.search(name) and not _controls.search(name)


def encode(raw: bytes) -> str:
    """Standard base64 with padding (RFC 4648, 4)."""
    return base64.b64encode(raw).decode()


def decode(coded: str) -> bytes:
    """The bytes of canonical base64, or NoteMalformed: one value has one spelling."""
    try:
        raw = base64.b64decode(coded.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        raise NoteMalformed("This is not base64.") from None
    if encode(raw) != coded:
        raise NoteMalformed("Base64 has one spelling.")
    return raw


def _line(told: str) -> Line:
    if not told.startswith(_DASH):
        raise NoteMalformed("A signature line begins with a dash and a space.")
    name, _, coded = told.removeprefix(_DASH).partition(" ")
    raw = decode(coded)
    if not is_name(name) or len(raw) <= KEY_ID_BYTES:
        raise NoteMalformed("A signature line has a name, and a key's id with a signature.")
    return Line(name, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:])
