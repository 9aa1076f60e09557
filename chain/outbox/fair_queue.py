"""The queue as it is read: brand by brand in turns, apart what a person waits for and what was sent as a file of lines.

Every statement walks an index of the queued rows alone (chain.storage.columns.partial), so that a look costs
the same however many are queued and however many were ever done. The conditions stand in the statements as they stand
in the indexes.
A brand, or an ordering key, is named by bounds and leads the order: by an equality and an order by id alone, PostgreSQL
would rather walk through the whole table by its primary key, past everything that was ever done. SQLite, which knows no
better without statistics, is told the index by its name.
"""

from collections.abc import Sequence, Set
from itertools import chain, zip_longest
from typing import Any, Final

from sqlalchemy import Connection

from chain.outbox.batching import Waiting
from chain.outbox.models import OPEN_OPERATION
from chain.storage.bulk import PLACE, indexed_by

# A person waits for it; one of many lines.
PERSON: Final = 0
BULK: Final = 1
# So much of a brand may be queued, of either; a gateway takes no more (SPEC 9.23).
BACKLOG_MAX: Final = {PERSON: 5_000, BULK: 50_000}
# So many brands are looked at in one round; the next round begins after the last that was served.
BRANDS_MAX: Final = 64
HEAD_MIN: Final = 32
# What a person waits for draws what its member asked for before: of so many members a round, so many of each.
DRAWN_LANES_MAX: Final = 32
DRAWN_MAX: Final = 50

COLUMNS: Final = "o.id, o.kind, o.brand, o.ordering_key, o.created_at_ms, o.operation_id, o.payload"
# An award waits for what is no award and was asked for before it; anything else for everything before it.
HELD: Final = (
    "CASE WHEN o.kind = 'award' THEN EXISTS (SELECT 1 FROM operation AS e WHERE e.ordering_key = o.ordering_key "  # noqa: S608
    "AND e.state = 'queued' AND e.kind <> 'award' AND e.id < o.id) "
    f"ELSE EXISTS (SELECT 1 FROM operation AS e WHERE e.ordering_key = o.ordering_key AND e.{OPEN_OPERATION} "
    "AND e.state = 'queued' AND e.id < o.id) END"
)


def brands(connection: Connection, bulk: int, after: int | None = None, count_max: int = BRANDS_MAX) -> list[int]:
    """Brands with something queued, in turns: those behind `after` first."""
    if after is None:
        return _brands(connection, bulk, "", (), count_max)
    found = _brands(connection, bulk, f"AND brand > {_place(connection)}", (after,), count_max)
    if len(found) < count_max:
        left = count_max - len(found)
        found += _brands(connection, bulk, f"AND brand <= {_place(connection)}", (after,), left)
    return found


def heads(
    connection: Connection, bulk: int, names: Sequence[int], count_max: int, without: Set[str] = frozenset()
) -> tuple[list[Waiting], bool]:
    """The oldest of each brand in turns (the first of each, the second of each), count_max together but HEAD_MIN of
    each, without those of some ordering keys; and whether a brand may have more."""
    if not names:
        return [], False
    place = _place(connection)
    others = f"AND o.ordering_key NOT IN ({', '.join([place] * len(without))})" if without else ""
    statement = (
        f"SELECT {COLUMNS}, o.bulk, {HELD} FROM operation AS o {_index(connection, bulk)} "  # noqa: S608
        f"WHERE o.state = 'queued' AND o.bulk = {bulk} "
        f"AND o.brand >= {place} AND o.brand <= {place} {others} ORDER BY o.brand, o.id LIMIT {place}"
    )
    each = max(HEAD_MIN, count_max // len(names))
    found = [_waiting(connection, statement, (name, name, *without, each)) for name in names]
    turns = chain.from_iterable(zip_longest(*found))
    return [item for item in turns if item is not None], any(len(one) == each for one in found)


def drawn(connection: Connection, ordering_keys: Sequence[str]) -> list[Waiting]:
    """The first of these ordering keys, whoever asked and however: what a person waits for cannot go before."""
    statement = (
        f"SELECT {COLUMNS}, o.bulk, {HELD} FROM operation AS o {indexed_by(connection, 'operation_open_ordering_key')} "  # noqa: S608
        f"WHERE o.ordering_key >= {_place(connection)} AND o.ordering_key <= {_place(connection)} "
        f"AND o.{OPEN_OPERATION} AND o.state = 'queued' ORDER BY o.ordering_key, o.id LIMIT {DRAWN_MAX}"
    )
    chosen = list(dict.fromkeys(ordering_keys))[:DRAWN_LANES_MAX]
    return [item for ordering_key in chosen for item in _waiting(connection, statement, (ordering_key, ordering_key))]


def backlog(connection: Connection, brand: int, bulk: int, count_max: int) -> int:
    """How many of the brand's operations are queued; count_max when there are as many or more."""
    place = _place(connection)
    statement = (
        f"SELECT COUNT(*) FROM (SELECT 1 FROM operation {_index(connection, bulk)} "  # noqa: S608
        f"WHERE state = 'queued' AND bulk = {bulk} AND brand >= {place} AND brand <= {place} "
        f"ORDER BY brand, id LIMIT {place}) AS waiting"
    )
    return int(connection.exec_driver_sql(statement, (brand, brand, count_max)).scalar_one())


def _brands(connection: Connection, bulk: int, bound: str, values: tuple[Any, ...], count_max: int) -> list[int]:
    """From one brand to the next in the index, without a look at what lies between."""
    place = _place(connection)
    queued = f"SELECT brand FROM operation {_index(connection, bulk)} WHERE state = 'queued' AND bulk = {bulk}"  # noqa: S608
    first = "ORDER BY brand, id LIMIT 1"
    statement = (
        f"WITH RECURSIVE found(brand) AS (SELECT ({queued} {bound} {first}) UNION ALL "  # noqa: S608
        f"SELECT ({queued} AND brand > found.brand {bound} {first}) FROM found WHERE found.brand IS NOT NULL) "
        f"SELECT brand FROM found WHERE brand IS NOT NULL LIMIT {place}"
    )
    return list(connection.exec_driver_sql(statement, (*values, *values, count_max)).scalars())


def _waiting(connection: Connection, statement: str, values: tuple[Any, ...]) -> list[Waiting]:
    # Past SQLAlchemy's typed rows: thousands of payloads are read each second and most are looked at once.
    return [Waiting(*row) for row in connection.exec_driver_sql(statement, values)]


def _index(connection: Connection, bulk: int) -> str:
    return indexed_by(connection, "operation_queued_lines" if bulk == BULK else "operation_queued_person")


def _place(connection: Connection) -> str:
    return PLACE[connection.dialect.name]
