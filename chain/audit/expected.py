"""What the mirror must hold, from proven events alone: every row and every version, in memory.

The same fold as the mirror's, over a ledger that is nothing but dictionaries. So the mirror's writing, keeping and
rolling back are checked and its fold is not; the fold's own figures are checked by the replay and by storage proofs.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from chain.base.scalars import Address
from chain.contracts import lots
from chain.contracts.codec import EventLog
from chain.mirror.rows.lot_ends import MemoryLotEnds
from chain.mirror.rows.projection import Context, Projector
from chain.mirror.rows.row_cache import KEYS, Key, Row, RowCache

BALANCE: Final = "balance"
BalanceVersion = tuple[int, str]
# Not part of our books, and so not of the mirror.
UNMIRRORED: Final = frozenset({"AccessManager"})


class Rows(RowCache):
    """The ledger of a fold, in memory: rows as they are, and as they were at the end of each block."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[Key, Row]] = {name: {} for name in KEYS}
        # {(token, account): {block: (log index, short lots)}}, and {(relation, key): {block: row}} of all others.
        self.balance_versions: dict[Key, dict[int, BalanceVersion]] = {}
        self.versions: dict[tuple[str, Key], dict[int, Row]] = {}
        self._touched: dict[tuple[str, Key], Row] = {}

    def get(self, relation: str, *key: Any) -> Row | None:
        """The row as it stands, or None."""
        return self.rows[relation].get(key)

    def known(self, relation: str, *key: Any) -> Row | None:
        """The same: everything is at hand."""
        return self.rows[relation].get(key)

    def put(self, relation: str, row: Row) -> None:
        """Replaces the whole row."""
        key = tuple(row[name] for name in KEYS[relation])
        self.rows[relation][key] = self._touched[relation, key] = row

    def end_block(self, number: int) -> None:
        """What was put since the last block belongs to this one."""
        for (relation, key), row in self._touched.items():
            if relation == BALANCE:
                version = row["log_index"], lots.shorten(row["lots"])
                self.balance_versions.setdefault(key, {})[number] = version
            else:
                self.versions.setdefault((relation, key), {})[number] = row
        self._touched = {}


class Expected:
    """Folds proven blocks; knows the rows of the mirror at the last of them."""

    def __init__(self, desk: Address, token_rows: Mapping[Address, Row]):
        """token_rows: the row of `brand_token` of each token that was ever made, by address."""
        self.ledger = Rows()
        self.lot_ends = MemoryLotEnds()
        self.projector = Projector(self.ledger, Context(desk=desk, tokens={}, token_rows=token_rows), self.lot_ends)
        # The second of the last block that was passed; before the first, none.
        self.time: int | None = None
        # {(role id, account): since}; 0 after it was revoked.
        self.roles: dict[tuple[int, str], int] = {}
        self.operations: dict[tuple[int, int], int] = {}
        self.spent: dict[tuple[int, int], int] = {}
        # {(brand id, operation id): (rule id, base amount)}, of every award.
        self.awards: dict[tuple[int, int], tuple[int, int]] = {}
        # {(brand id, operation id): base amount}, of what came back in parts.
        self.returned: dict[tuple[int, int], int] = {}
        self.roots: set[tuple[int, str]] = set()

    def pass_time(self, number: int, block_hash: str, time: int) -> list[Row]:
        """The entries of what ended between the block before and this one, in their order. Every block passes once,
        before its logs, whether it has any or not."""
        before, self.time = time if self.time is None else self.time, time
        self.projector.entries = []
        self.projector.pass_time(before, number=number, block_hash=block_hash, time=time)
        return self.projector.entries

    def block(self, number: int, time: int, logs: Sequence[EventLog]) -> tuple[list[EventLog], list[Row]]:
        """The events and the entries that the mirror must hold of this block's logs, in their order."""
        mirrored = [log for log in logs if log.contract not in UNMIRRORED]
        for log in logs:
            self._note(log)
        self.projector.entries = []
        self.projector.block(mirrored, time)
        self.ledger.end_block(number)
        return mirrored, self.projector.entries

    def holders(self, token: str) -> Iterator[tuple[str, Row]]:
        """(account, its row) of every account that ever had points of the token."""
        for (of_token, account), row in self.ledger.rows[BALANCE].items():
            if of_token == token:
                yield account, row

    def _note(self, log: EventLog) -> None:
        """What no row of the mirror says and storage does: roles, operation ids, budgets."""
        args = log.args
        if log.name == "Awarded":
            brand_id, operation_id = int(args["brandId"]), int(args["operationId"])
            self._counts(brand_id, operation_id)
            rule = brand_id, int(args["ruleId"])
            self.spent[rule] = self.spent.get(rule, 0) + int(args["points"])
            self.awards[brand_id, operation_id] = rule[1], int(args["baseAmount"])
        elif log.name == "AwardsCommitted":
            self.roots.add((int(args["brandId"]), args["root"]))
        elif log.name == "Returned":
            self._came_back(int(args["brandId"]), int(args["operationId"]), args)
        elif log.name == "RoleGranted":
            role = int(args["roleId"]), args["account"]
            # Granted again: only the delay changes, and `since` in the event is the delay's.
            if args["newMember"]:
                self.roles[role] = int(args["since"])
        elif log.name == "RoleRevoked":
            self.roles[int(args["roleId"]), args["account"]] = 0

    def _counts(self, brand_id: int, operation_id: int) -> None:
        word = brand_id, operation_id >> 8
        self.operations[word] = self.operations.get(word, 0) | 1 << (operation_id & 0xFF)

    def _came_back(self, brand_id: int, operation_id: int, args: Mapping[str, Any]) -> None:
        """What was taken or is owed is free again; of an award the parts are kept, until it is wholly back."""
        self._counts(brand_id, int(args["returnId"]))
        award = brand_id, operation_id
        # Of an award that no event told, the replay has said so.
        rule_id, base_amount = self.awards.get(award, (0, 0))
        freed = int(args["taken"]) + (int(args["missing"]) if args["owes"] == "1" else 0)
        self.spent[brand_id, rule_id] = self.spent.get((brand_id, rule_id), 0) - freed
        back = self.returned.get(award, 0) + int(args["baseAmount"])
        if back < base_amount:
            self.returned[award] = back
