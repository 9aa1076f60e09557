"""What can be wrong with a report that is asked for, or an export that is given."""

from dataclasses import dataclass

from chain.base.errors import ChainError


@dataclass(frozen=True)
class Problem:
    """One thing in an export that does not add up."""

    file: str
    what: str
    said: str
    right: str


class TokenUnknown(ChainError):
    """No such brand had a token at that block."""

    def __init__(self, brand_id: int, block: int):
        super().__init__(f"There was no brand {brand_id} at block {block}.")
        self.brand_id = brand_id
        self.block = block


class AmountTooLarge(ChainError):
    """A number that the formats of an export cannot hold; nothing is cut, so nothing is written."""

    def __init__(self, column: str, value: int, maximum: int):
        super().__init__(f"{column} holds {value}, an export's column at most {maximum}.")
        self.column = column
        self.value = value
        self.maximum = maximum


class ExportInvalid(ChainError):
    """A folder that is no export."""

    def __init__(self, folder: str, why: str):
        super().__init__(f"{folder} is no export: {why}.")
        self.folder = folder
        self.why = why


class PeriodInvalid(ChainError):
    """A period that ends before it begins."""

    def __init__(self, from_block: int, to_block: int):
        super().__init__(f"A period goes forward; block {to_block} is not after block {from_block}.")
        self.from_block = from_block
        self.to_block = to_block


class MonthInvalid(ChainError):
    """A month or a zone that there is not."""

    def __init__(self, month: str, zone: str):
        super().__init__(
            f"{month[:60]!r} of {zone[:60]!r} is no month: write 2026-03 and a zone of IANA, as Asia/Seoul."
        )
        self.month = month[:60]
        self.zone = zone[:60]


class PeriodUnclear(ChainError):
    """A period that is given twice, by half, or not at all."""

    def __init__(self) -> None:
        super().__init__("Give --from and --to, or --month and --zone; not both, and neither by half.")


class FractionInvalid(ChainError):
    """A price or a share that is not written as whole numbers, one over the other."""

    def __init__(self, text: str):
        super().__init__(f"{text[:60]!r} is no fraction: write 3/10, or 3; at most 18 digits each.")
        self.text = text[:60]
