"""Our copy of the chain: entries, balances, holds and obligations, always of one block.

Rows, balances, checkpoint and block hash go into one SQL transaction, so a process killed at any moment leaves a
mirror of some block, never of half of one. When the node's chain and ours part, the way back to the common ancestor
and the way forward on the new branch are one transaction too.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select, text, update

from chain import blocks, bulk, heartbeat, ledger, operations, transactions
from chain.blocks import Header, Range
from chain.codec import Log
from chain.database import reading, writing
from chain.deployment import Deployment
from chain.entries import Context, Fold
from chain.errors import (
    AnswerInconsistent,
    AnswerTooLarge,
    ChainReplaced,
    NodeTimeout,
    NodeUnavailable,
    ReorgTooDeep,
    RpcError,
)
from chain.ledger import Ledger, Row
from chain.models import (
    MIRROR_TABLES,
    BrandToken,
    Entry,
    LedgerEvent,
    MirrorBlock,
    MirrorCheckpoint,
    MirrorReorg,
    table_of,
)
from chain.operations import CONFIRMED, MINED, now_ms
from chain.outcomes import outcomes
from chain.rpc import Rpc

log = logging.getLogger(__name__)

BACKOFF_S_MAX: Final = 2.0
ANCESTOR_CHUNK: Final = 32
UNKNOWN_ROUNDS_MAX: Final = 8
LIVE: Final = "live"
BACKFILLING: Final = "backfilling"
STOPPED: Final = "stopped"
# The deployment names more (the AccessManager, the settlement token, the token's implementation): not our books.
FOLLOWED: Final = ("PartnerRegistry", "RewardRules", "RedemptionDesk", "PartnerExchange", "ClearingHouse")

checkpoint: Final = table_of(MirrorCheckpoint)
known_blocks: Final = table_of(MirrorBlock)
reorgs: Final = table_of(MirrorReorg)
events: Final = table_of(LedgerEvent)
entries: Final = table_of(Entry)
tokens: Final = table_of(BrandToken)


@dataclass(frozen=True)
class MirrorSettings:
    """Tempo and bounds. Depths in blocks: 0 for a chain whose blocks are final at once."""

    poll_s: float = 0.05
    range_blocks_max: int = 200
    undo_blocks_max: int = 256
    confirmed_depth: int = 0
    safe_depth: int = 0
    final_depth: int = 0
    # How long a node whose head went back along our own chain is taken for one that lags.
    behind_grace_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Tip:
    """The block the mirror is of."""

    number: int
    hash: str
    time: int


class Mirror:
    """One loop, one thread, one process at a time (see chain.leader)."""

    def __init__(
        self,
        engine: Engine,
        rpc: Rpc,
        deployment: Deployment,
        settings: MirrorSettings | None = None,
        *,
        committed: Callable[[Header], None] | None = None,
    ):
        self.engine = engine
        self.rpc = rpc
        self.deployment = deployment
        self.settings = settings or MirrorSettings()
        self._committed = committed
        self._tip: Tip | None = None
        self._range_blocks = self.settings.range_blocks_max
        self._names = {deployment.address(name): name for name in FOLLOWED}
        self._tokens: dict[str, str] = {}
        self._behind_since: float | None = None

    def run(self, stop: threading.Event) -> None:
        """Follows the chain until `stop`. A node that is away is waited for. A reorg deeper than the mirror can undo
        stops it: the checkpoint says so, and the error is raised."""
        backoff_s = self.settings.poll_s
        while not stop.is_set():
            try:
                worked = self.step()
                heartbeat.beat(self.engine, "mirror", "working")
                backoff_s = self.settings.poll_s
                if not worked:
                    stop.wait(self.settings.poll_s)
            except (NodeUnavailable, RpcError, AnswerInconsistent) as error:
                log.warning("mirror waits: %s", error)
                heartbeat.beat(self.engine, "mirror", "waiting", str(error))
                stop.wait(backoff_s)
                backoff_s = min(BACKOFF_S_MAX, max(0.05, backoff_s * 2))

    def step(self) -> bool:
        """One look at the node; True when the mirror moved and there may be more."""
        tip = self._tip or self._start()
        head = blocks.latest(self.rpc)
        if head.hash == tip.hash:
            self._behind_since = None
            return False
        ancestor = self._ancestor(tip, head)
        last = min(head.number, ancestor.number + self._range_blocks)
        found = self._read(ancestor, last, head)
        self._commit(tip, ancestor, found, head)
        return True

    def catch_up(self, *, timeout_s: float = 60.0) -> Tip:
        """Steps until the node has nothing new; for commands and tests."""
        until = time.monotonic() + timeout_s
        while self.step():
            if time.monotonic() > until:
                raise TimeoutError(f"The mirror did not reach the head within {timeout_s:g} s.")
        assert self._tip is not None, "a step knows its tip"
        return self._tip

    # Where we stand

    def _start(self) -> Tip:
        """The tip of the tables, made on first use; refuses a database of another chain."""
        found = blocks.present_headers(self.rpc, [0])[0].hash
        if found != self.deployment.genesis_hash:
            raise ChainReplaced(self.deployment.genesis_hash, found)
        with writing(self.engine) as connection:
            row = connection.execute(select(checkpoint).where(checkpoint.c.id == 1)).one_or_none()
            if row is None:
                row = self._make_checkpoint(connection)
            if row.genesis_hash != found:
                raise ChainReplaced(row.genesis_hash, found)
            self._tokens = _tokens_by_brand(connection)
        self._tip = Tip(row.block_number, row.block_hash, row.block_time)
        return self._tip

    def _make_checkpoint(self, connection: Connection) -> Any:
        base_number = max(0, self.deployment.start_block - 1)
        (base,) = blocks.present_headers(self.rpc, [base_number])
        connection.execute(
            insert(checkpoint).values(
                id=1,
                genesis_hash=self.deployment.genesis_hash,
                start_block=self.deployment.start_block,
                block_number=base.number,
                block_hash=base.hash,
                block_time=base.time,
                head_number=base.number,
                safe_number=base.number,
                final_number=base.number,
                state=BACKFILLING,
                reason=None,
                updated_at_ms=now_ms(),
            )
        )
        connection.execute(insert(known_blocks).values(_block_row(base)))
        return connection.execute(select(checkpoint).where(checkpoint.c.id == 1)).one()

    def _ancestor(self, tip: Tip, head: Header) -> Tip:
        """The block to build on: the tip, or the common ancestor when the node's chain left ours."""
        if head.number == tip.number + 1 and head.parent_hash == tip.hash:
            return tip
        if head.number > tip.number and blocks.present_headers(self.rpc, [tip.number])[0].hash == tip.hash:
            return tip
        with reading(self.engine) as connection:
            rows = connection.execute(select(known_blocks.c.number, known_blocks.c.hash, known_blocks.c.time)).all()
        ours = {row.number: row for row in rows}
        self._wait_for_a_node_behind(ours, head)
        at_most = {number: row.hash for number, row in ours.items() if number <= head.number}
        found = blocks.common_ancestor(self.rpc, at_most, ANCESTOR_CHUNK)
        if found is None:
            self._stop(tip)
            raise ReorgTooDeep(tip.number, self.settings.undo_blocks_max)
        log.warning("reorg: %d blocks of ours are gone, back to block %d", tip.number - found, found)
        return Tip(found, ours[found].hash, ours[found].time)

    def _wait_for_a_node_behind(self, ours: Mapping[int, Any], head: Header) -> None:
        """A head below ours on our own chain is most likely a node that lags: believed only after a while."""
        if head.number < min(ours):
            raise AnswerInconsistent(f"The node is only at block {head.number}, far behind the mirror.")
        known = ours.get(head.number)
        if known is None or known.hash != head.hash:
            self._behind_since = None
            return
        self._behind_since = self._behind_since or time.monotonic()
        if time.monotonic() - self._behind_since < self.settings.behind_grace_s:
            raise AnswerInconsistent(f"The node went back to block {head.number} of the same chain.")

    def _stop(self, tip: Tip) -> None:
        reason = str(ReorgTooDeep(tip.number, self.settings.undo_blocks_max))
        with writing(self.engine) as connection:
            connection.execute(
                update(checkpoint)
                .where(checkpoint.c.id == 1)
                .values(state=STOPPED, reason=reason, updated_at_ms=now_ms())
            )
        heartbeat.beat(self.engine, "mirror", STOPPED, reason)

    # Reading

    def _read(self, ancestor: Tip, last: int, head: Header) -> Range:
        if last <= ancestor.number:
            return Range([])
        addresses = [*self._names, *self._tokens.values()]
        try:
            found = self._read_with_new_tokens(ancestor, last, head, addresses)
        except (RpcError, AnswerTooLarge, NodeTimeout):
            # Providers refuse wide ranges in too many words to know them all.
            self._range_blocks = max(1, (last - ancestor.number) // 2)
            raise
        # Wider again by and by: doubling would run into the same limit every other time.
        self._range_blocks = min(self.settings.range_blocks_max, self._range_blocks + 1 + self._range_blocks // 8)
        return found

    def _read_with_new_tokens(self, ancestor: Tip, last: int, head: Header, addresses: list[str]) -> Range:
        """A brand invited within the range has a token whose logs we did not ask for yet: ask again with it."""
        for _ in range(UNKNOWN_ROUNDS_MAX):
            found = blocks.read_range(self.rpc, ancestor.number + 1, last, ancestor.hash, addresses, head)
            fresh = {token for token in self._invited(found) if token not in addresses}
            if not fresh:
                return found
            addresses = addresses + sorted(fresh)
        raise AnswerInconsistent("The node names new tokens each time it is asked for the same blocks.")

    def _invited(self, found: Range) -> list[str]:
        registry = self.deployment.address("PartnerRegistry")
        with blocks.believable("a log"):
            logs = [self._decode(raw) for raw in found.logs if raw["address"].lower() == registry]
        return [log.args["token"] for log in logs if log is not None and log.name == "BrandInvited"]

    def _decode(self, raw: dict[str, Any]) -> Log | None:
        return self.deployment.codec.log(raw, self._names.get(raw["address"].lower(), "LoyaltyToken"))

    def _token_rows(self, logs: Sequence[Log]) -> dict[str, Row]:
        """The fixed terms of tokens that appear in these logs, from the tokens themselves."""
        rows = {}
        for invitation in (log for log in logs if log.name == "BrandInvited"):
            token, codec = invitation.args["token"], self.deployment.codec
            names = ("terms", "origin", "decimals")
            answers = self.rpc.batch(
                [
                    ("eth_call", [{"to": token, "data": "0x" + codec.calldata("LoyaltyToken", name).hex()}, "latest"])
                    for name in names
                ]
            )
            terms, origin, decimals = (
                codec.result("LoyaltyToken", name, answer) for name, answer in zip(names, answers, strict=True)
            )
            rows[token] = {
                "token": token,
                "brand_id": invitation.args["brandId"],
                "name": terms["name"],
                "symbol": terms["symbol"],
                "decimals": int(decimals),
                "origin": int(origin),
                "epoch_s": int(terms["epochSeconds"]),
                "lifetime_epochs": int(terms["lifetimeEpochs"]),
                "grace_s": int(terms["graceSeconds"]),
                "since_block": invitation.block_number,
            }
        return rows

    # Writing

    def _commit(self, tip: Tip, ancestor: Tip, found: Range, head: Header) -> None:
        """One SQL transaction: the way back if there is one, and the whole range."""
        with blocks.believable("a log or the terms of a token"):
            logs = [decoded for raw in found.logs if (decoded := self._decode(raw)) is not None]
            token_rows = self._token_rows(logs)
        last = found.headers[-1] if found.headers else None
        with writing(self.engine) as connection:
            self._same_checkpoint(connection, tip)
            if ancestor.number < tip.number:
                self._roll_back(connection, tip, ancestor)
            context = Context(
                desk=self.deployment.address("RedemptionDesk"),
                tokens=_tokens_by_brand(connection),
                token_rows=token_rows,
            )
            self._apply(connection, context, found, logs, head)
            new_tip = Tip(last.number, last.hash, last.time) if last else ancestor
            self._keep_checkpoint(connection, new_tip, head)
        self._tip = new_tip
        self._tokens = context.tokens
        if self._committed is not None and last is not None:
            self._committed(last)

    def _same_checkpoint(self, connection: Connection, tip: Tip) -> None:
        row = connection.execute(select(checkpoint.c.block_hash).where(checkpoint.c.id == 1)).one_or_none()
        if row is None or row.block_hash != tip.hash:
            # Another mirror wrote meanwhile, or the tables were emptied: start from what is there.
            self._tip = None
            raise AnswerInconsistent("The checkpoint moved under this mirror.")

    def _roll_back(self, connection: Connection, tip: Tip, ancestor: Tip) -> None:
        above = ancestor.number
        removed = connection.execute(delete(entries).where(entries.c.block_number > above)).rowcount
        connection.execute(delete(events).where(events.c.block_number > above))
        connection.execute(delete(known_blocks).where(known_blocks.c.number > above))
        ledger.roll_back(connection, above)
        operations.take_back(connection, above)
        transactions.take_back(connection, above)
        connection.execute(
            insert(reorgs).values(
                common_number=above,
                head_number=tip.number,
                depth=tip.number - above,
                entries_removed=removed,
                at_ms=now_ms(),
            )
        )

    def _apply(self, connection: Connection, context: Context, found: Range, logs: Sequence[Log], head: Header) -> None:
        state = Ledger(connection)
        state.load("balance", {(log.address, log.args["account"]) for log in logs if log.name == "LotsChanged"})
        fold = Fold(state, context)
        by_block = {number: list(group) for number, group in groupby(logs, key=lambda log: log.block_number)}
        horizon = head.number - self.settings.undo_blocks_max
        for block in found.headers:
            if block.number in by_block:
                state.begin_block(block.number, undoable=block.number > horizon)
                fold.block(by_block[block.number], block.time)
        state.flush()
        if logs:
            bulk.insert(connection, events, [_event_row(log) for log in logs])
            bulk.insert(connection, entries, fold.entries)
            self._settle(connection, logs)
        if found.headers:
            self._confirm_at_depth(connection, found.headers[-1].number)
            self._keep_blocks(connection, found.headers, horizon)

    def _settle(self, connection: Connection, logs: Sequence[Log]) -> None:
        operations.settle(
            connection,
            outcomes(logs, self.deployment),
            CONFIRMED if self.settings.confirmed_depth == 0 else MINED,
        )
        transactions.see_mined(connection, {log.tx_hash: (log.block_number, log.block_hash) for log in logs})

    def _confirm_at_depth(self, connection: Connection, number: int) -> None:
        depth = self.settings.confirmed_depth
        if depth:
            table = operations.table
            connection.execute(
                update(table)
                .where(table.c.state == MINED, table.c.block_number <= number - depth)
                .values(state=CONFIRMED, updated_at_ms=now_ms())
            )

    def _keep_blocks(self, connection: Connection, headers: Sequence[Header], horizon: int) -> None:
        connection.execute(insert(known_blocks), [_block_row(block) for block in headers])
        connection.execute(delete(known_blocks).where(known_blocks.c.number < horizon))
        connection.execute(delete(ledger.undo).where(ledger.undo.c.block_number < horizon))

    def _keep_checkpoint(self, connection: Connection, tip: Tip, head: Header) -> None:
        settings = self.settings
        connection.execute(
            update(checkpoint)
            .where(checkpoint.c.id == 1)
            .values(
                block_number=tip.number,
                block_hash=tip.hash,
                block_time=tip.time,
                head_number=head.number,
                safe_number=min(tip.number, max(0, head.number - settings.safe_depth)),
                final_number=min(tip.number, max(0, head.number - settings.final_depth)),
                state=LIVE if tip.number == head.number else BACKFILLING,
                reason=None,
                updated_at_ms=now_ms(),
            )
        )


def forget(engine: Engine) -> None:
    """Empties the mirror's tables, so that the next run rebuilds them from the chain."""
    with writing(engine) as connection:
        names = [table_of(model).name for model in MIRROR_TABLES]
        # The numbering starts again as well: a rebuilt mirror numbers its entries as the first one did.
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"TRUNCATE {', '.join(names)} RESTART IDENTITY"))
            return
        for model in MIRROR_TABLES:
            connection.execute(delete(table_of(model)))
        connection.execute(_FORGET_NUMBERS, {"names": names})


_FORGET_NUMBERS: Final = text("DELETE FROM sqlite_sequence WHERE name IN :names").bindparams(
    bindparam("names", expanding=True)
)


def entry_count(engine: Engine) -> int:
    """How many entries the mirror holds."""
    with reading(engine) as connection:
        return int(connection.execute(select(func.count()).select_from(entries)).scalar_one())


def _tokens_by_brand(connection: Connection) -> dict[str, str]:
    return {row.brand_id: row.token for row in connection.execute(select(tokens.c.brand_id, tokens.c.token))}


def _block_row(block: Header) -> Row:
    return {"number": block.number, "hash": block.hash, "parent_hash": block.parent_hash, "time": block.time}


def _event_row(log: Log) -> Row:
    return {
        "block_number": log.block_number,
        "log_index": log.log_index,
        "block_hash": log.block_hash,
        "tx_hash": log.tx_hash,
        "tx_index": log.tx_index,
        "address": log.address,
        "contract": log.contract,
        "name": log.name,
        "args": log.args,
    }
