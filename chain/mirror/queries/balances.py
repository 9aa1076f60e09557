"""What accounts hold, as the packed lots of the last event that named them (chain.contracts.lots)."""

from typing import Final, NamedTuple

from chain.base.scalars import Address, BaseUnitsText
from chain.contracts.lots import Clock
from chain.storage.looks import Look

_COLUMNS: Final = "SELECT token, account, points, lots, block_number, log_index FROM balance"
_OF_TOKEN: Final = f"{_COLUMNS} WHERE token = ? AND account > ? ORDER BY account LIMIT ?"
_OF_ACCOUNT: Final = f"{_COLUMNS} WHERE account = ? AND token > ? ORDER BY token LIMIT ?"
_LOTS_OF: Final = "SELECT token, lots FROM balance WHERE account = ? ORDER BY token LIMIT ?"
_ONE: Final = (
    "SELECT b.lots, t.origin, t.epoch_s, t.lifetime_epochs FROM balance b JOIN brand_token t ON t.token = b.token"
    " WHERE b.token = ? AND b.account = ?"
)
_KNOWN: Final = "SELECT 1 FROM balance WHERE token = ? AND account = ?"
_HOLDERS: Final = "SELECT account, lots FROM balance WHERE token = ? ORDER BY account"


class Balance(NamedTuple):
    """An account's points of a token, expired or not, and the event that said so. lots: 4 words of 64 hex digits."""

    token: Address
    account: Address
    points: BaseUnitsText
    lots: str
    block_number: int
    log_index: int


class Lots(NamedTuple):
    """What an account has of a token."""

    token: Address
    lots: str


class Holder(NamedTuple):
    """What an account has of the token that was asked for."""

    account: Address
    lots: str


class Clocked(NamedTuple):
    """What an account has of a token, with the token's calendar."""

    lots: str
    clock: Clock


def of_token(look: Look, *, token: Address, after: str, limit: int) -> list[Balance]:
    """Every account that ever held points of a token, by address, above one."""
    return [Balance(*row) for row in look.rows(_OF_TOKEN, token, after, limit)]


def of_account(look: Look, *, account: Address, after: str, limit: int) -> list[Balance]:
    """What an account holds, by token, above one."""
    return [Balance(*row) for row in look.rows(_OF_ACCOUNT, account, after, limit)]


def lots_of(look: Look, *, account: Address, limit: int) -> list[Lots]:
    """The account's lots of every token, by token."""
    return [Lots(*row) for row in look.rows(_LOTS_OF, account, limit)]


def holders(look: Look, *, token: Address) -> list[Holder]:
    """The lots of everyone who ever held points of a token, by address. As many rows as there are holders."""
    return [Holder(*row) for row in look.rows(_HOLDERS, token)]


def one(look: Look, *, token: Address, account: Address) -> Clocked | None:
    """What an account has of one token; None where it never had any."""
    row = look.row(_ONE, token, account)
    if row is None:
        return None
    lots, *calendar = row
    return Clocked(lots, Clock(*calendar))


def ever_held(look: Look, *, token: Address, account: Address) -> bool:
    """Whether the account ever held points of the token."""
    return look.row(_KNOWN, token, account) is not None
