"""All that a view of one account needs, in one statement: a statement costs more than the rows that it finds."""

from typing import Any, Final, NamedTuple

from chain.storage.looks import Look

BALANCE: Final = "balance"
HOLD: Final = "hold"

_OF_ACCOUNT: Final = (
    "SELECT 'balance', token, lots FROM balance WHERE account = ?"
    " UNION ALL SELECT * FROM"
    " (SELECT 'hold', token, points FROM hold WHERE account = ? AND state = 'held' ORDER BY hold_id LIMIT ?) AS h"
)


class Fact(NamedTuple):
    """what BALANCE: `value` the packed lots of the token `where`. HOLD: `value` points of that token, set aside.

    Any other word is the asker's own, and so is what it means.
    """

    what: str
    where: str
    value: str


def facts(look: Look, *, account: str, holds_max: int, beside: str, parameters: tuple[Any, ...]) -> list[Fact]:
    """Balances and open holds of an account, and whatever `beside` gives: further SELECTs of three texts, each after
    UNION ALL, of tables that are not the mirror's. Balances come first, then at most `holds_max` holds."""
    rows = look.rows(_OF_ACCOUNT + beside, account, account, holds_max, *parameters)
    return [Fact(*row) for row in rows]
