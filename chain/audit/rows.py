"""The mirror's changing rows beside what the proven events make of them, as of the pinned block.

A row of the mirror may have changed since that block: then its version at the block is compared, and the row itself
is counted as later. A table's rows and versions are read once, over the same snapshot as everything else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from chain.audit.errors import MirrorMissing
from chain.audit.expected import BALANCE, Rows
from chain.audit.reading import is_number, read
from chain.audit.streams import Found, added, changed, removed, since
from chain.contracts import lots
from chain.mirror.models import BalanceVersion, LedgerVersion, LotEnd
from chain.mirror.queries.checkpoint import checkpoint
from chain.mirror.rows import row_versions
from chain.mirror.rows.lot_ends import Place
from chain.mirror.rows.row_cache import KEYS, RELATIONS, Key, Row
from chain.storage.columns import table_of
from chain.storage.looks import looking

balance_version: Final = table_of(BalanceVersion)
ledger_version: Final = table_of(LedgerVersion)
lot_end: Final = table_of(LotEnd)


@dataclass(frozen=True, slots=True)
class Extent:
    """What the mirror says it holds: blocks, and from which on its versions are whole."""

    start: int
    last: int
    last_hash: str
    last_time: int
    genesis_hash: str
    history_from: int


def extent(connection: Connection) -> Extent:
    """The mirror's own word. Raises MirrorMissing when it never began."""
    at = checkpoint(looking(connection))
    if at is None:
        raise MirrorMissing("The mirror in this database has not begun: start the worker, then audit.")
    # SQLite keeps any text in any column.
    if not all(map(is_number, (at.start_block, at.block_number, at.block_time, at.history_from))):
        raise MirrorMissing("The mirror's checkpoint holds no numbers: rebuild the mirror, then audit.")
    return Extent(at.start_block, at.block_number, at.block_hash, at.block_time, at.genesis_hash, at.history_from)


class Comparison:
    """All changing tables and their versions at one block."""

    def __init__(self, connection: Connection, rows: Rows, extent: Extent, first: int | None, last: int, found: Found):
        """first: versions below it were compared by the audit that this one continues; None: a whole one.

        last: the pinned block.
        """
        self._connection = connection
        self._rows = rows
        self._extent = extent
        self._first, self._last = first, last
        self._found = found
        self._later: set[tuple[str, Key]] = set()
        self.compared = 0
        self.later = 0

    def run(self) -> None:
        """Versions first: they tell which rows have changed since the pinned block."""
        self._balance_versions()
        self._ledger_versions()
        for relation, right in self._rows.rows.items():
            self._table(relation, right)

    def lot_ends(self, blocks: Mapping[Place, int]) -> None:
        """The index by which ends are found, beside the block in which each lot of an account began."""
        left = set(blocks)
        for row in read(self._connection, lot_end):
            place = Place(row["expires_at"], row["token"], row["account"])
            left.discard(place)
            if place not in blocks and self._is_later(row["block_number"]):
                self.later += 1
                continue
            self.compared += 1
            if place not in blocks:
                self._found(added(lot_end.name, place, row))
                continue
            for difference in changed(lot_end.name, place, row, {"block_number": blocks[place]}):
                self._found(difference)
        for place in sorted(left):
            self._found(removed(lot_end.name, place, {**place._asdict(), "block_number": blocks[place]}))

    def _table(self, relation: str, right: Mapping[Key, Row]) -> None:
        left = set(right)
        for row in read(self._connection, RELATIONS[relation]):
            key = tuple(row[name] for name in KEYS[relation])
            left.discard(key)
            if (relation, key) in self._later:
                self.later += 1
                continue
            self.compared += 1
            if key not in right:
                self._found(added(relation, key, row))
                continue
            for difference in changed(relation, key, row, right[key]):
                self._found(difference)
        for key in sorted(left, key=str):
            self._found(removed(relation, key, right[key]))

    def _balance_versions(self) -> None:
        expected = self._rows.balance_versions
        seen: dict[Key, int] = {}
        for row in read(self._connection, balance_version, *since(balance_version, self._first)):
            account, block = (row["token"], row["account"]), row["block_number"]
            if self._is_later(block):
                self._later.add((BALANCE, account))
                continue
            self.compared += 1
            right = expected.get(account, {}).get(block)
            if right is None:
                self._found(added("balance_version", (*account, block), row))
                continue
            seen[account] = seen.get(account, 0) + 1
            said = {"log_index": row["log_index"], "lots": row["lots"]}
            for difference in changed("balance_version", (*account, block), said, _version(right)):
                self._found(difference)
        for account, by_block in expected.items():
            if seen.get(account, 0) != len(by_block):
                self._missing_balance_versions(account, by_block)

    def _missing_balance_versions(self, account: Key, by_block: Mapping[int, tuple[int, str]]) -> None:
        token, holder = account
        query = select(balance_version.c.block_number).where(
            balance_version.c.token == token, balance_version.c.account == holder
        )
        there = set(self._connection.execute(query).scalars())
        for block in self._kept(by_block):
            if block not in there:
                self._found(removed("balance_version", (*account, block), _version(by_block[block])))

    def _ledger_versions(self) -> None:
        expected = {
            (name, row_versions.text_of(key)): by_block for (name, key), by_block in self._rows.versions.items()
        }
        keys = {(name, row_versions.text_of(key)): key for name, key in self._rows.versions}
        there: dict[tuple[str, str], set[int]] = {}
        for row in read(self._connection, ledger_version, *since(ledger_version, self._first)):
            place, block = (row["relation"], row["key"]), row["block_number"]
            if self._is_later(block):
                self._later.add((row["relation"], keys.get(place) or _key_of(row)))
                continue
            self.compared += 1
            right = expected.get(place, {}).get(block)
            if right is None:
                self._found(added("ledger_version", (*place, block), row))
                continue
            there.setdefault(place, set()).add(block)
            said = row["row"] if isinstance(row["row"], dict) else {}
            for difference in changed("ledger_version", (*place, block), said, right):
                self._found(difference)
        for place, by_block in expected.items():
            for block in self._kept(by_block):
                if block not in there.get(place, ()):
                    self._found(removed("ledger_version", (*place, block), by_block[block]))

    def _is_later(self, block: Any) -> bool:
        """Whether a version is of a block that the mirror has and this pin says nothing of."""
        return is_number(block) and self._last < block <= self._extent.last

    def _kept(self, by_block: Mapping[int, Any]) -> list[int]:
        """Blocks whose version must be there: from where history is whole, and the last one before."""
        whole = self._extent.history_from
        before = [block for block in by_block if block < whole]
        return sorted([block for block in by_block if block >= whole] + ([max(before)] if before else []))


def _version(version: tuple[int, str]) -> Row:
    return {"log_index": version[0], "lots": version[1]}


def _key_of(row: Mapping[str, Any]) -> Key:
    """The key of a row that is not known at the pin; of rubbish, what stands in its place."""
    names, document = KEYS.get(row["relation"], ()), row["row"]
    return tuple(document.get(name) for name in names) if isinstance(document, dict) else (row["key"],)


def points_of(short: str) -> int:
    """Points of a version, expired or not."""
    return lots.stored(lots.lengthen(short))
