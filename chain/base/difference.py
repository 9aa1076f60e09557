"""One thing that is not as it should be: where, what, what is said, what is right, by which rule, where to look."""

from dataclasses import asdict, dataclass
from typing import Any, Final

# What a difference is about: the links of the argument, from the pin to the mirror.
CHAIN: Final = "chain"
CONTRACT: Final = "contract"
STATE: Final = "state"
MIRROR: Final = "mirror"


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The place of a difference; what does not apply is None.

    contract: name of the contract ("RewardRules"); address: where it is. table and key: a row of the mirror.
    """

    block: int | None = None
    tx: str | None = None
    log_index: int | None = None
    contract: str | None = None
    address: str | None = None
    table: str | None = None
    key: tuple[Any, ...] | None = None

    def __str__(self) -> str:
        parts = []
        if self.block is not None:
            parts.append(f"block {self.block}")
        if self.tx is not None:
            parts.append(f"transaction {self.tx}")
        if self.log_index is not None:
            parts.append(f"log {self.log_index}")
        if self.contract is not None:
            parts.append(self.contract if self.address is None else f"{self.contract} at {self.address}")
        if self.table is not None:
            key = "" if self.key is None else "(" + ", ".join(map(str, self.key)) + ")"
            parts.append(f"{self.table}{key}")
        return ", ".join(parts) or "the whole"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something said that is not right.

    kind: CHAIN (an answer of the node is not what the pin commits), CONTRACT (a contract broke its own rule), STATE
    (storage is not what the events make of it) or MIRROR (a row is not what the chain says). what: the fact in a few
    words, the name by which tests know it ("points of an award", "row removed"). said and right: both values, integers
    as decimal text; None: absent. rule: the number in SPECIFICATION.md ("2.9"). look: where to look, one sentence.
    """

    kind: str
    where: Where
    what: str
    said: Any
    right: Any
    rule: str
    look: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} is {self.said}, right is {self.right} (SPEC {self.rule}). {self.look}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON: plain values, absent places left out."""
        shown = asdict(self)
        shown["where"] = {name: value for name, value in shown["where"].items() if value is not None}
        return shown
