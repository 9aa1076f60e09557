"""A quick audit: some blocks' events and some accounts' lots, chosen by a seed that can be told and used again.

It proves what it looks at and says nothing of the rest: a row that was added elsewhere it cannot see.
"""

import random
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Connection, select

from chain.audit.against_storage import RULE
from chain.audit.blocks import Block
from chain.audit.expected import UNMIRRORED
from chain.audit.reading import read
from chain.audit.report import Report, Sample
from chain.audit.rows import balance_version
from chain.audit.storage import Storage
from chain.audit.streams import EVENT_KEY, added, changed, events, look, removed
from chain.audit.tokens import Contracts
from chain.base.difference import MIRROR, Difference, Where
from chain.contracts import lots
from chain.mirror.models import Balance
from chain.mirror.rows.projection import event_row
from chain.proofs import layout
from chain.storage.columns import table_of

balances: Final = table_of(Balance)


def chosen(numbers: Sequence[int], size: int, seed: str) -> list[int]:
    """At most `size` of them, in their order; the same seed chooses the same."""
    if len(numbers) <= size:
        return list(numbers)
    return sorted(random.Random(seed).sample(list(numbers), size))  # noqa: S311  (to be repeatable, not secret)


def compare_events(connection: Connection, block: Block, report: Report) -> None:
    """The mirror's events of one proven block."""
    wanted = {(log.block_number, log.log_index): event_row(log) for log in block.logs if log.contract not in UNMIRRORED}
    for row in read(connection, events, events.c.block_number == block.header.number):
        key = tuple(row[name] for name in EVENT_KEY)
        right = wanted.pop(key, None)
        for difference in (
            [added("ledger_event", key, row)] if right is None else changed("ledger_event", key, row, right)
        ):
            report.differs(difference)
    for key, right in wanted.items():
        report.differs(removed("ledger_event", key, right))
    report.count("events", len(block.logs))
    report.count("transactions", block.transactions)
    report.count("blocks rebuilt")


def _compare_row(connection: Connection, block: int, key: tuple[str, str], right: str, report: Report) -> None:
    """The account's row of `balance`, unless it changed after the pinned block."""
    later = select(balance_version.c.block_number).where(
        balance_version.c.token == key[0], balance_version.c.account == key[1], balance_version.c.block_number > block
    )
    if connection.execute(later.limit(1)).first() is not None:
        report.count("rows changed after the pin")
        return
    row = next(read(connection, balances, balances.c.token == key[0], balances.c.account == key[1]), None)
    wanted = {"lots": right, "points": str(lots.stored(right))}
    for difference in [removed("balance", key, wanted)] if row is None else changed("balance", key, row, wanted):
        report.differs(difference)


def _words(short: str) -> list[int]:
    """The words of a version; of rubbish, words that no account has."""
    try:
        return lots.unpack(lots.lengthen(short))
    except (ValueError, AttributeError):
        return [-1] * lots.WORDS


def compare_accounts(
    connection: Connection,
    storage: Storage,
    contracts: Contracts,
    sample: Sample,
    report: Report,
    walked: Callable[[int], None],
) -> None:
    """The mirror's lots of some accounts at the pinned block, beside proven storage."""
    newest: dict[tuple[str, str], str] = {}
    until = balance_version.c.block_number <= storage.block
    for row in read(connection, balance_version, until, order=("token", "account", "block_number")):
        newest[row["token"], row["account"]] = row["lots"]
    held = [key for key in sorted(newest) if key[0] in contracts.rows]
    places = chosen(range(len(held)), sample.size, f"accounts {sample.seed}")
    for token, account in (held[place] for place in places):
        said = _words(newest[token, account])
        slots = layout.lots(account)
        words = storage.words(token, slots)
        for index, slot in enumerate(slots):
            if said[index : index + 1] != [words[slot]]:
                report.differs(
                    Difference(
                        kind=MIRROR, where=Where(table="balance", key=(token, account)), what="lots",
                        said=newest[token, account], right=f"{words[slot]:064x}", rule=RULE,
                        look=look("balance", (token, account)),
                    )
                )  # fmt: skip
        _compare_row(connection, storage.block, (token, account), lots.pack(list(words.values())), report)
        report.count("accounts")
        walked(1)
    report.count("slots proven", storage.proven)
