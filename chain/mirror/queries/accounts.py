"""All that a view of one account needs, in one statement: a statement costs more than the rows that it finds."""

from collections.abc import Sequence
from typing import Any, Final, cast

from chain.base.scalars import Address, BaseUnits
from chain.storage.looks import Look

BALANCE: Final = "balance"
HOLD: Final = "hold"
DEBT: Final = "debt"

_OF_ACCOUNT: Final = (
    "SELECT 'balance', token, lots FROM balance WHERE account = ?"
    " UNION ALL SELECT * FROM"
    " (SELECT 'hold', token, points FROM hold WHERE account = ? AND state = 'held' ORDER BY hold_id LIMIT ?) AS h"
    " UNION ALL SELECT 'debt', token, points FROM debt WHERE account = ? AND points <> '0'"
)


_DEBT: Final = "SELECT points FROM debt WHERE token = ? AND account = ?"


# (what, where, value). BALANCE: `value` the packed lots of the token `where`. HOLD: `value` points of that token, set
# aside. DEBT: `value` points of that token that the account owes its brand. Any other word is the asker's own, and so
# is what it means. Plain tuples: the view is read most of all, and to make and take apart a named one for each row is a
# twentieth of its time.
Fact = tuple[str, str, str]


def statement(beside: str) -> str:
    """What `facts` asks, made once. beside: further SELECTs of three texts, each after UNION ALL, of tables that are
    not the mirror's."""
    return _OF_ACCOUNT + beside


def facts(look: Look, asked: str, *, account: Address, holds_max: int, parameters: tuple[Any, ...]) -> Sequence[Fact]:
    """Balances, open holds and debts of an account, and whatever stands beside them in the statement `asked`, with its
    parameters. Balances come first, then at most `holds_max` holds, then debts."""
    rows = look.rows(asked, account, account, holds_max, account, *parameters)
    return cast(Sequence[Fact], rows)


def debt(look: Look, *, token: Address, account: Address) -> BaseUnits:
    """What the account owes the token's brand, after goods came back."""
    row = look.row(_DEBT, token, account)
    return BaseUnits(0 if row is None else int(row[0]))
