"""keccak256, the chain's hash."""

from Crypto.Hash import keccak as _keccak


def keccak(data: bytes) -> bytes:
    """32 bytes."""
    return _keccak.new(digest_bits=256, data=data).digest()


def keccak_text(text: str) -> bytes:
    """32 bytes of the text in UTF-8."""
    return keccak(text.encode())
