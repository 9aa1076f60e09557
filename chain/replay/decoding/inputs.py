"""What a transaction asked for: the calldata of a call on one of Moa's contracts, in the model's values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth_abi import abi
from eth_abi.exceptions import DecodingError

from chain.base.hashing import keccak_text
from chain.contracts.codec import Codec, canonical, present, signature
from chain.model.rules import Item
from chain.replay.decoding.facts import TOKEN, Sent
from chain.replay.decoding.shapes import reader

WORD: Final = 32
ITEM_WORDS: Final = 4
# Selector, brand, offset, count.
BATCH_HEAD: Final = 4 + 3 * WORD


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A function's name and its arguments by name, integers as int, structs as tuples."""

    function: str
    values: dict[str, Any]


class Inputs:
    """Decodes calldata by selector, contract by contract."""

    def __init__(self, abis: Mapping[str, Sequence[Mapping[str, Any]]]):
        self._functions = {
            (contract, keccak_text(signature(item))[:4]): item
            for contract, items in abis.items()
            for item in items
            if item.get("type") == "function"
        }

    @classmethod
    def load(cls) -> "Inputs":
        """From the exported ABI."""
        return cls(Codec.load().abis)

    def asked(self, contract: str, sent: Sent) -> CallRequest | None:
        """The call, or None when this is no call of the contract's."""
        name = {"Authority": "AccessManager"}.get(contract, TOKEN if contract.startswith(TOKEN) else contract)
        item = self._functions.get((name, sent.data[:4]))
        if item is None:
            return None
        inputs = item["inputs"]
        try:
            # Whatever follows the arguments is nobody's: Solidity looks at it as little.
            values = abi.decode([canonical(part) for part in inputs], sent.data[4:])
        except (DecodingError, ValueError, OverflowError):
            return None
        named = {
            part["name"] or str(place): reader(part)(present(part, value))
            for place, (part, value) in enumerate(zip(inputs, values, strict=True))
        }
        return CallRequest(item["name"], named)


def items_of(sent: Sent, selectors: tuple[bytes, bytes, bytes]) -> list[Item] | None:
    """The items of a call of `award`, `awardBatch` or `correct` by slicing words; None when it is no such call."""
    data = sent.data
    award, batch, correct = selectors
    if data[:4] in (award, correct):
        return _items(data, 4 + WORD, 1)
    if data[:4] != batch:
        return None
    offset = int.from_bytes(data[4 + WORD : 4 + 2 * WORD])
    start = 4 + offset + WORD
    return _items(data, start, int.from_bytes(data[start - WORD : start])) if start <= len(data) else None


def _items(data: bytes, start: int, count: int) -> list[Item] | None:
    if start + count * ITEM_WORDS * WORD > len(data):
        return None
    found = []
    for at in range(start, start + count * ITEM_WORDS * WORD, ITEM_WORDS * WORD):
        found.append(
            Item(
                operation_id=int.from_bytes(data[at : at + 32]),
                rule_id=int.from_bytes(data[at + 32 : at + 64]),
                member="0x" + data[at + 76 : at + 96].hex(),
                base_amount=int.from_bytes(data[at + 96 : at + 128]),
            )
        )
    return found
