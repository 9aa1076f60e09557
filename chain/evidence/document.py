"""The envelope of every document: canonical bytes, a digest over all of them, a signature over the digest.

{"body": …, "digest": keccak256(format ‖ LF ‖ canonical body), "format": …, "signed": [{"key", "signature"}]}
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chain.base.hashing import keccak
from chain.evidence.errors import Refused
from chain.evidence.shapes import ENVELOPES, EVIDENCE, FRAUD, fault

BYTES_MAX: Final = 32 * 1024 * 1024
FIELD: Final = 2**255 - 19
# The y of the eight points of small order: 1, 0, -1 and the two of order 8.
_EIGHTH: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
SMALL_ORDER: Final = frozenset({0, 1, FIELD - 1, _EIGHTH, FIELD - _EIGHTH})

Sign = Callable[[bytes], bytes]


def canonical(value: Any) -> bytes:
    """The one way to write a value of FORMAT.md: keys sorted, no spaces, UTF-8, only what must be escaped."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(format_: str, body: Any) -> bytes:
    """32 bytes over format and body."""
    return keccak(format_.encode() + b"\n" + canonical(body))


def seal(format_: str, body: Any, *, key: bytes | None = None, sign: Sign | None = None) -> dict[str, Any]:
    """The document of a body; signed when a public key and its `sign` are given."""
    over = digest(format_, body)
    signed = []
    if key is not None and sign is not None:
        signature = sign(message(format_, over))
        signed.append({"key": "0x" + key.hex(), "signature": "0x" + signature.hex()})
    return {"body": body, "digest": "0x" + over.hex(), "format": format_, "signed": signed}


def message(format_: str, over: bytes) -> bytes:
    """What Ed25519 signs: the format, so that a signature counts for one kind of document only, and the digest."""
    return format_.encode() + b"\n" + over


def read(data: bytes, *, formats: tuple[str, ...] = tuple(ENVELOPES)) -> dict[str, Any]:
    """The document that the bytes are, whole and unchanged since it was sealed. Raises Refused."""
    if len(data) > BYTES_MAX:
        raise Refused("TooLarge", f"a document has at most {BYTES_MAX:,} bytes")
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Refused("Malformed", f"this is no JSON: {error}") from None
    format_ = found.get("format") if isinstance(found, dict) else None
    if not isinstance(format_, str) or format_ not in formats:
        raise Refused("Malformed", f"the format is none of {', '.join(formats)}")
    wrong = fault(found, ENVELOPES[format_])
    if wrong:
        raise Refused("Malformed", wrong)
    if canonical(found) != data:
        raise Refused("NotCanonical", "the same document is written otherwise")
    for names in _lists_of_names(found):
        if any(before >= after for before, after in pairwise(names)):
            raise Refused("NotCanonical", "names do not ascend, or one stands twice")
    check(found)
    document: dict[str, Any] = found
    return document


def _lists_of_names(found: Mapping[str, Any]) -> list[list[bytes]]:
    """The names of labels and of receipts' contents, as bytes: a list that is a map in one way only."""
    body = found["body"]
    if found["format"] == FRAUD:
        return [names for receipt in body["receipts"] for names in _lists_of_names(receipt)]
    return [[one["name"].encode() for one in body["labels" if found["format"] == EVIDENCE else "content"]]]


def check(found: Mapping[str, Any]) -> None:
    """Digest and signature of a document of the right shape. Raises Refused."""
    over = digest(found["format"], found["body"])
    if found["digest"] != "0x" + over.hex():
        raise Refused("DigestWrong", "something was changed after the document was sealed")
    for one in found["signed"]:
        try:
            raw, signature = bytes.fromhex(one["key"][2:]), bytes.fromhex(one["signature"][2:])
            if _weak(raw) or _weak(signature[:32]):
                raise InvalidSignature
            Ed25519PublicKey.from_public_bytes(raw).verify(signature, message(found["format"], over))
        except (InvalidSignature, ValueError):
            raise Refused("SignatureInvalid", f"{one['key']} did not sign this") from None


def _weak(point: bytes) -> bool:
    """Whether a key, or R of a signature, is a point of small order or is not written canonically.

    Under such a key anyone can sign. OpenSSL takes both, as RFC 8032 lets it; other libraries do not.
    """
    y = int.from_bytes(point, "little") & (1 << 255) - 1
    return y >= FIELD or y in SMALL_ORDER
