"""The kinds of facts that are taken: each a schema of the envelope with fields of its own, which are its data.

Another kind is another schema in KINDS, and what it is worth a mapping in api.decisions.mappings; nothing else knows
the kinds apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from pydantic import TypeAdapter

from api.events.errors import FactConflict, PurchaseConflict, ReturnConflict
from api.events.schemas import FactCreate, PurchaseCreate, ReportCreate, ReturnCreate

Data = dict[str, Any]
# What every fact has; everything else of a schema is the kind's own data.
ENVELOPE: Final = frozenset(FactCreate.model_fields)


def own_fields(wanted: ReportCreate) -> Data:
    """The data of a fact: its kind's own fields, as JSON values."""
    return wanted.model_dump(mode="json", exclude=set(ENVELOPE))


def sorted_fields(data: Data, at: str) -> str:
    return f"{orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode()}\n{at}"


@dataclass(frozen=True)
class FactKind:
    """A kind of fact.

    data: what is kept of a fact; content: of data and time, what makes two reports of one fact the same; conflict: the
    refusal of a report that is another one.
    """

    name: str
    schema: type[ReportCreate]
    data: Callable[[Any], Data] = own_fields
    content: Callable[[Data, str], str] = sorted_fields
    conflict: type[FactConflict] = FactConflict
    adapter: TypeAdapter[Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "adapter", TypeAdapter(self.schema))


def _bought(wanted: PurchaseCreate) -> Data:
    # An order of value nothing has the amount 0, and no other has it.
    return {"amount": str(wanted.amount), "currency": wanted.currency}


def _same_purchase(data: Data, at: str) -> str:
    # As it was written before there were kinds: the hashes that are stored stay true.
    return f"{data['amount']}\n{data['currency']}\n{at}\n{data['amount'] == '0'}"


PURCHASE: Final = FactKind("purchase", PurchaseCreate, _bought, _same_purchase, PurchaseConflict)
# What a return says: which order, and how much of it (null: all that is left). It earns nothing: see decisions.returns.
RETURN: Final = FactKind("return", ReturnCreate, conflict=ReturnConflict)
KINDS: Final[dict[str, FactKind]] = {kind.name: kind for kind in (PURCHASE,)}
