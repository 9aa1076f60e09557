"""Lines of accounts' histories. `seq` counts them in the order in which the mirror came to know them."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select

from chain.base.scalars import Address, BaseUnitsText, BlockHash, TxHash
from chain.mirror.models import Entry as EntryRow
from chain.storage.columns import table_of
from chain.storage.looks import Look, document, maker

ROWS_AT_ONCE: Final = 2_000
LEGS_MAX: Final = 16
LEGS_OF_HOLD_MAX: Final = 32
# More than a batch has for one member: an award and a payment for each of its 250 items.
BESIDE_MAX: Final = 501

_COLUMNS: Final = (
    "SELECT seq, token, account, kind, points, held, tx_hash, block_number, block_hash, block_time, log_index,"
    " contract, operation_id, detail FROM entry"
)
_NEWEST: Final = f"{_COLUMNS} WHERE account = ? AND seq < ? ORDER BY seq DESC LIMIT ?"
# By the account's entries, never by the token's: those are millions. (Tokens are lower case already.)
_NEWEST_OF: Final = f"{_COLUMNS} WHERE account = ? AND seq < ? AND LOWER(token) = ? ORDER BY seq DESC LIMIT ?"
_OF_ACCOUNT: Final = f"{_COLUMNS} WHERE account = ? AND seq > ? ORDER BY seq LIMIT ?"
_OF_TOKEN: Final = f"{_COLUMNS} WHERE token = ? AND seq > ? ORDER BY seq LIMIT ?"
_OF_ALL: Final = f"{_COLUMNS} WHERE seq > ? ORDER BY seq LIMIT ?"
_ONE: Final = f"{_COLUMNS} WHERE account = ? AND seq = ?"
_LEGS: Final = "SELECT seq, token FROM entry WHERE tx_hash = ? AND account = ? AND seq <> ? ORDER BY seq LIMIT ?"
_OF_HOLD: Final = (
    "SELECT e.seq, e.token FROM hold h JOIN entry e ON e.tx_hash = h.placed_tx_hash AND e.account = ?"
    " WHERE h.hold_id = ?"
    " UNION SELECT e.seq, e.token FROM hold h JOIN entry e ON e.block_number = h.block_number"
    " AND e.log_index = h.log_index AND e.token = h.token AND e.account = ? WHERE h.hold_id = ?"
)
_EVER_OWED: Final = "SELECT 1 FROM debt WHERE token = ? AND account = ?"
# A debt is paid where its award mints, after all awards of its transaction; so by the account's own next lines.
_BEFORE: Final = f"{_COLUMNS} WHERE account = ? AND seq < ? ORDER BY seq DESC LIMIT ?"
_COUNTED: Final = (
    "SELECT seq, token FROM entry WHERE tx_hash = ? AND account = ? AND kind = ? AND operation_id = ?"
    " ORDER BY seq LIMIT ?"
)
_WHOSE: Final = "SELECT seq, account FROM entry WHERE seq > ? ORDER BY seq LIMIT ?"
_LAST: Final = "SELECT COALESCE(MAX(seq), 0) FROM entry"
_LAST_OF: Final = "SELECT COALESCE(MAX(seq), 0) FROM entry WHERE account = ?"

table: Final = table_of(EntryRow)


class Entry(NamedTuple):
    """One line. points: signed, what came or went; held: signed, what moved into or out of a hold.

    tx_hash None: nothing but time made it, no event; `log_index` is below 0 then and only says where it stands.
    detail: what the kind adds, as the mirror's projection wrote it; read from its column when it is asked for.
    """

    seq: int
    token: Address
    account: Address
    kind: str
    points: BaseUnitsText
    held: BaseUnitsText
    tx_hash: TxHash | None
    block_number: int
    block_hash: BlockHash
    block_time: int
    log_index: int
    contract: Address
    operation_id: str | None
    detail_as_kept: Any

    @property
    def detail(self) -> dict[str, Any]:
        found: dict[str, Any] = document(self.detail_as_kept)
        return found

    @property
    def event_index(self) -> int | None:
        """The place of its event in the block; None where time alone made it."""
        return None if self.tx_hash is None else self.log_index


class Leg(NamedTuple):
    """An entry and its token."""

    seq: int
    token: Address


class Whose(NamedTuple):
    """An entry and the account whose it is."""

    seq: int
    account: Address


def newest(look: Look, *, account: Address, token: Address | None, before: int, limit: int) -> list[Entry]:
    """Entries of an account below a seq, the newest first; of one token if it is named."""
    if token is None:
        return _entries(look.rows(_NEWEST, account, before, limit))
    return _entries(look.rows(_NEWEST_OF, account, before, token, limit))


def page(
    look: Look, *, after: int, limit: int, account: Address | None = None, token: Address | None = None
) -> list[Entry]:
    """Entries above a seq, the oldest first: of an account, else of a token, else of all."""
    if account is not None:
        return _entries(look.rows(_OF_ACCOUNT, account, after, limit))
    if token is not None:
        return _entries(look.rows(_OF_TOKEN, token, after, limit))
    return _entries(look.rows(_OF_ALL, after, limit))


def one(look: Look, *, account: Address, seq: int) -> Entry | None:
    """An account's entry by its number."""
    found = _entries(look.rows(_ONE, account, seq))
    return found[0] if found else None


def legs(look: Look, *, tx_hash: TxHash, account: Address, but: int) -> list[Leg]:
    """What else a transaction did to the account, by seq; `but` is left out. At most LEGS_MAX."""
    return list(map(maker(Leg), look.rows(_LEGS, tx_hash, account, but, LEGS_MAX)))


def of_hold(look: Look, *, hold_id: str, account: Address, steps: Sequence[TxHash]) -> list[Leg]:
    """All that the account's history has of a hold, by seq: its placing, its newest change, whoever made it, and what
    the transactions `steps` did to the account. At most LEGS_OF_HOLD_MAX, of as many steps."""
    asked = steps[:LEGS_OF_HOLD_MAX]
    beside = ""
    if asked:
        places = ", ".join("?" * len(asked))
        beside = f" UNION SELECT seq, token FROM entry WHERE account = ? AND tx_hash IN ({places})"  # noqa: S608
    parameters = (account, hold_id, account, hold_id, *((account, *asked) if asked else ()))
    return list(map(maker(Leg), look.rows(f"{_OF_HOLD}{beside} ORDER BY 1 LIMIT ?", *parameters, LEGS_OF_HOLD_MAX)))


def debts_paid(look: Look, *, award: Entry) -> list[Leg]:
    """The debt that an award paid when it was minted, if any: see `paying_award`."""
    if look.row(_EVER_OWED, award.token, award.account) is None:
        return []
    return [
        Leg(one.seq, one.token)
        for one in _beside(look, award, _OF_ACCOUNT)
        if one.kind == "debt_paid" and award.seq in {leg.seq for leg in paying_award(look, paid=one)}
    ]


def paying_award(look: Look, *, paid: Entry) -> list[Leg]:
    """The award that paid a debt. Of several of one transaction the n-th payment is the n-th award's with points: each
    award pays until nothing is owed."""
    before = _beside(look, paid, _BEFORE)
    number = sum(one.kind == "debt_paid" for one in before)
    given = [one for one in reversed(before) if one.kind == "award" and one.points != "0"]
    return [Leg(one.seq, one.token) for one in given[number : number + 1]]


def returns(look: Look, *, account: Address, steps: Sequence[TxHash]) -> list[Leg]:
    """The account's returns in these transactions, by seq."""
    if not steps:
        return []
    asked = steps[:LEGS_OF_HOLD_MAX]
    places = ", ".join("?" * len(asked))
    sql = f"SELECT seq, token FROM entry WHERE tx_hash IN ({places}) AND account = ? AND kind = 'return'"  # noqa: S608
    return list(map(maker(Leg), look.rows(f"{sql} ORDER BY seq LIMIT ?", *asked, account, LEGS_OF_HOLD_MAX)))


def award(look: Look, *, account: Address, place: TxHash, operation_id: str) -> list[Leg]:
    """The account's award with an operation id in a transaction."""
    return list(map(maker(Leg), look.rows(_COUNTED, place, account, "award", operation_id, LEGS_MAX)))


def _beside(look: Look, entry: Entry, asked: str) -> list[Entry]:
    """The account's lines of the entry's own transaction and token on one side of it, the nearest first."""
    near = _entries(look.rows(asked, entry.account, entry.seq, BESIDE_MAX))
    return [one for one in near if (one.tx_hash, one.token) == (entry.tx_hash, entry.token)]


def whose(look: Look, *, after: int, limit: int) -> list[Whose]:
    """Whom entries above a seq concern, by seq."""
    return list(map(maker(Whose), look.rows(_WHOSE, after, limit)))


def last(look: Look, *, account: Address | None = None) -> int:
    """The highest seq of all, or of an account; 0 where there is none."""
    row = look.row(_LAST) if account is None else look.row(_LAST_OF, account)
    return 0 if row is None else int(row[0])


def streamed(connection: Connection, *, block: int, token: Address | None = None) -> Iterator[Entry]:
    """Every entry up to a block, by seq, of all tokens or of one; read page by page."""
    column = table.c
    asked = select(
        column.seq, column.token, column.account, column.kind, column.points, column.held, column.tx_hash,
        column.block_number, column.block_hash, column.block_time, column.log_index, column.contract,
        column.operation_id, column.detail,
    ).where(column.block_number <= block)  # fmt: skip
    if token is not None:
        asked = asked.where(column.token == token)
    rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(asked.order_by(column.seq))
    yield from map(Entry._make, rows)


def _entries(rows: Sequence[Sequence[Any]]) -> list[Entry]:
    return list(map(maker(Entry), rows))
