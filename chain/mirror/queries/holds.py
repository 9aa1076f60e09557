"""Points set aside for a redemption, as the desk remembers them."""

from collections.abc import Collection
from typing import Final, NamedTuple

from chain.base.scalars import Address, BaseUnitsText, RegistryIdText, TxHash
from chain.storage.looks import Look

IDS_MAX: Final = 500

_COLUMNS: Final = (
    "SELECT hold_id, brand_id, account, state, points, captured, refunded, hold_until, placed_tx_hash, block_number"
    " FROM hold"
)
_PAGE: Final = f"{_COLUMNS} WHERE hold_id > ? ORDER BY hold_id LIMIT ?"
_ONE: Final = f"{_COLUMNS} WHERE hold_id = ?"
_DUE: Final = (
    "SELECT h.hold_id, h.brand_id, h.account, h.hold_until, o.id, o.state, o.updated_at_ms"
    " FROM hold h LEFT JOIN operation o ON o.key = 'timeout/' || h.hold_id"
    " WHERE h.state = 'held' AND h.hold_until < ? AND (h.hold_until, h.hold_id) > (?, ?)"
    " ORDER BY h.hold_until, h.hold_id LIMIT ?"
)
_FIRST: Final = "SELECT hold_until FROM hold WHERE state = 'held' ORDER BY hold_until, hold_id LIMIT 1"


class Hold(NamedTuple):
    """A hold. state: held, captured, released, timed_out, paid. hold_until: the last second for a capture."""

    hold_id: str
    brand_id: RegistryIdText
    account: Address
    state: str
    points: BaseUnitsText
    captured: BaseUnitsText
    refunded: BaseUnitsText
    hold_until: int
    placed_tx_hash: TxHash
    block_number: int


class Due(NamedTuple):
    """An open hold past its deadline, and the operation that releases it, if there is one."""

    hold_id: str
    brand_id: RegistryIdText
    account: Address
    hold_until: int
    operation: int | None
    state: str | None
    updated_at_ms: int | None


def one(look: Look, hold_id: str) -> Hold | None:
    """A hold as it stands."""
    row = look.row(_ONE, hold_id)
    return None if row is None else Hold(*row)


def page(look: Look, *, after: str, limit: int) -> list[Hold]:
    """Holds by id, above one."""
    return [Hold(*row) for row in look.rows(_PAGE, after, limit)]


def due(look: Look, *, before: int, after: tuple[int, str], limit: int) -> list[Due]:
    """Open holds whose deadline lies before a second, by (hold_until, hold_id), above `after`."""
    return [Due(*row) for row in look.rows(_DUE, before, *after, limit)]


def first_deadline(look: Look) -> int | None:
    """The last second of the open hold that is due first, unix seconds; None when none is open."""
    row = look.row(_FIRST)
    return None if row is None else int(row[0])


def still_open(look: Look, ids: Collection[str], *, lock: bool) -> set[str]:
    """Those of at most IDS_MAX holds that are open.

    lock: until the transaction ends nobody else changes them; one that is being changed now is left out. (SQLite has
    one writer at a time anyway, and no words for it.)
    """
    assert len(ids) <= IDS_MAX, "callers ask page by page"
    if not ids:
        return set()
    places = ", ".join("?" * len(ids))
    sql = f"SELECT hold_id FROM hold WHERE hold_id IN ({places}) AND state = 'held'"  # noqa: S608 - places only
    return {str(hold_id) for (hold_id,) in look.rows(sql + (" FOR UPDATE SKIP LOCKED" if lock else ""), *ids)}
