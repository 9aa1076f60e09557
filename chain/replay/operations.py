"""The operation ids that have counted, packed as the contract packs them: 256 to a word."""

from collections.abc import Iterator


class Operations:
    """What the model asks of a set of (brand, operation id)."""

    def __init__(self, words: dict[tuple[int, int], int] | None = None):
        self.words: dict[tuple[int, int], int] = words or {}

    def add(self, operation: tuple[int, int]) -> None:
        """The operation has counted."""
        brand_id, number = operation
        key = brand_id, number >> 8
        self.words[key] = self.words.get(key, 0) | 1 << (number & 0xFF)

    def __contains__(self, operation: tuple[int, int]) -> bool:
        brand_id, number = operation
        return bool(self.words.get((brand_id, number >> 8), 0) >> (number & 0xFF) & 1)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for (brand_id, index), bits in sorted(self.words.items()):
            yield from ((brand_id, index << 8 | bit) for bit in range(256) if bits >> bit & 1)

    def __len__(self) -> int:
        return sum(bits.bit_count() for bits in self.words.values())
