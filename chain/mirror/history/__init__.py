"""The mirror as of any block since the deployment: points, supply, holds, debts, obligations, rules in force.

Every function takes a connection that sees one moment of the tables (chain.storage.database.snapshot) and a block
number, and costs the same however long the history is. Where there is no history it says so (HistoryNotAvailable), and
never answers with nothing.

    moments ◀─ points, rows
"""

from chain.mirror.history.moments import Moment, Span, block_at, moment, span
from chain.mirror.history.points import Lot, Supply, accounts, lots_of, points_of, supply, words_of
from chain.mirror.history.rows import (
    agreements,
    collateral,
    debts,
    holds,
    last_entry,
    obligations,
    rules,
    rules_in_force,
    standings,
    tokens,
)

__all__ = [
    "Lot",
    "Moment",
    "Span",
    "Supply",
    "accounts",
    "agreements",
    "block_at",
    "collateral",
    "debts",
    "holds",
    "last_entry",
    "lots_of",
    "moment",
    "obligations",
    "points_of",
    "rules",
    "rules_in_force",
    "span",
    "standings",
    "supply",
    "tokens",
    "words_of",
]
