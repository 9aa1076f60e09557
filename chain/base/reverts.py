"""What Solidity itself says when it reverts, and a node's words as a database can hold them."""

from typing import Any


def storable(text: str) -> str:
    """Others' words as every database takes them: PostgreSQL knows no NUL in a text."""
    return text.replace("\0", "\ufffd")


def plain_revert(data: bytes) -> tuple[str, dict[str, Any]]:
    """Name and values of a revert when no ABI is at hand: Error(string), Panic(uint256) or the selector."""
    if data[:4] == b"\x08\xc3y\xa0" and len(data) >= 68:
        length = int.from_bytes(data[36:68])
        return "Error", {"message": storable(data[68 : 68 + length].decode("utf-8", "replace"))}
    if data[:4] == b"NH{q" and len(data) >= 36:
        return "Panic", {"code": str(int.from_bytes(data[4:36]))}
    return "UnknownError", {"data": "0x" + data[:256].hex()}
