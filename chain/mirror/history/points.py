"""Whose points there were, and when they would expire, as of a block."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from chain.contracts import lots
from chain.mirror.history.moments import moment
from chain.mirror.history.rows import as_of, row_as_of
from chain.mirror.models import Balance, BalanceVersion, BrandToken
from chain.storage.columns import table_of

Words = tuple[int, int, int, int]

ACCOUNTS_PAGE: Final = 2_000

balances: Final = table_of(Balance)
versions: Final = table_of(BalanceVersion)
tokens: Final = table_of(BrandToken)


@dataclass(frozen=True, slots=True)
class Lot:
    """Points that expire together; expires_at None: never."""

    points: int
    expiry_epoch: int
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class Supply:
    """minted and burnt: ever until then. live: what totalSupply answered. by_expiry: live, oldest first."""

    minted: int
    burnt: int
    live: int
    by_expiry: tuple[Lot, ...]

    @property
    def expired(self) -> int:
        """Points that were neither burnt nor live any more."""
        return self.minted - self.burnt - self.live


def words_of(connection: Connection, token: str, account: str, block: int) -> Words:
    """The account's four words as they lay in storage after the block; a word without points is 0."""
    moment(connection, block)
    return _words(_lots(connection, token, account, block))


def lots_of(connection: Connection, token: str, account: str, block: int) -> list[Lot]:
    """What the account could spend in the block, oldest first."""
    at = moment(connection, block).time
    clock = _clock(connection, token)
    if clock is None:
        return []
    live = lots.live(_lots(connection, token, account, block), clock.epoch(at))
    return [Lot(points, expiry, clock.expires_at(expiry)) for expiry, points in live]


def points_of(connection: Connection, token: str, account: str, block: int) -> int:
    """What balanceOf answered in the block."""
    return sum(lot.points for lot in lots_of(connection, token, account, block))


def accounts(connection: Connection, token: str, block: int) -> Iterator[tuple[str, Words]]:
    """(account, words) of each account that had words then, by address; read page by page, one seek an account."""
    moment(connection, block)
    after = ""
    newest = (
        select(versions.c.lots)
        .where(
            versions.c.token == token,
            versions.c.account == balances.c.account,
            versions.c.block_number <= block,
        )
        .order_by(versions.c.block_number.desc())
        .limit(1)
        .scalar_subquery()
    )
    while True:
        page = connection.execute(
            select(balances.c.account, newest)
            .where(balances.c.token == token, balances.c.account > after)
            .order_by(balances.c.account)
            .limit(ACCOUNTS_PAGE)
        ).all()
        for account, short in page:
            if short is not None:
                yield account, _words(lots.lengthen(short))
        if len(page) < ACCOUNTS_PAGE:
            return
        after = page[-1].account


def supply(connection: Connection, token: str, block: int) -> Supply:
    """How many points there were, and when they would expire. Zeros before the token's first mint."""
    at = moment(connection, block).time
    sums = row_as_of(connection, "supply", (token,), block) or {"minted": "0", "burnt": "0"}
    clock = _clock(connection, token)
    if clock is None:
        return Supply(0, 0, 0, ())
    epoch = clock.epoch(at)
    rows = as_of(connection, "supply_lots", block, token=token)
    live = sorted((row["expiry_epoch"], int(row["points"])) for row in rows if row["expiry_epoch"] > epoch)
    by_expiry = tuple(Lot(points, expiry, clock.expires_at(expiry)) for expiry, points in live if points)
    return Supply(int(sums["minted"]), int(sums["burnt"]), sum(lot.points for lot in by_expiry), by_expiry)


def _lots(connection: Connection, token: str, account: str, block: int) -> str:
    short = connection.execute(
        select(versions.c.lots)
        .where(versions.c.token == token, versions.c.account == account.lower(), versions.c.block_number <= block)
        .order_by(versions.c.block_number.desc())
        .limit(1)
    ).scalar_one_or_none()
    return lots.EMPTY if short is None else lots.lengthen(short)


def _words(text: str) -> Words:
    first, second, third, fourth = lots.unpack(text)
    return first, second, third, fourth


def _clock(connection: Connection, token: str) -> lots.Clock | None:
    row: Any = connection.execute(select(tokens).where(tokens.c.token == token)).one_or_none()
    return None if row is None else lots.clock_of(row)
