"""How a difference in a table of the gateway is told, and tables read page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, Select

from chain.base.difference import Difference, Where

GATEWAY: Final = "gateway"
PAGE_ROWS: Final = 1_000
BRANDS_MAX: Final = 10_000
Found = Callable[[Difference], None]


def differs(found: Found, table: str, key: object, what: str, said: object, right: object, rule: str) -> None:
    """Tells one difference; secrets and personal values are never given to it."""
    found(
        Difference(
            kind=GATEWAY, where=Where(table=table, key=(key,)), what=what, said=_told(said), right=_told(right),
            rule=rule, look=f"The row of {table} with this key.",
        )
    )  # fmt: skip


def compare(found: Found, table: str, key: object, pairs: Sequence[tuple[str, Any, Any]], rule: str) -> None:
    """Tells each of (what, said, right) whose two values are not one."""
    for what, said, right in pairs:
        if said != right:
            differs(found, table, key, what, said, right, rule)


def pages(connection: Connection, asked: Select[Any]) -> Iterator[Sequence[Row[Any]]]:
    """The rows of a query in pages, so that memory is bounded."""
    with connection.execution_options(yield_per=PAGE_ROWS).execute(asked) as found:
        yield from found.partitions(PAGE_ROWS)


def _told(value: object) -> object:
    return value if value is None or isinstance(value, str | int) else str(value)
