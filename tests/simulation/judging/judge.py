"""Chain, model, mirror and queue after an episode: where they differ, by name. Equal is an empty list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain as joined
from typing import Any, Final

import orjson
from sqlalchemy import Engine, select

from chain.contracts import lots
from chain.mirror.digest import Digest, digest
from chain.mirror.loop import Mirror
from chain.mirror.models import MIRROR_TABLES
from chain.model.desk import HoldState
from chain.node.rpc import Rpc
from chain.outbox import calls, operations, transactions
from chain.storage.columns import table_of
from chain.storage.database import engine as make_engine
from chain.storage.database import reading
from tests.differential.compare import Difference
from tests.simulation.asking import Asker
from tests.simulation.judging import diary
from tests.simulation.judging.replay import Told, replay
from tests.simulation.stage import Stage

SHOWN_MAX: Final = 12
# What a rebuild numbers or dates anew.
OWN: Final = frozenset(
    {"updated_at_ms", "at_ms", "id", "seq", "generation", "head_number", "safe_number", "final_number"}
)
HOLD_STATES: Final = {
    "held": HoldState.HELD,
    "captured": HoldState.CAPTURED,
    "paid": HoldState.CAPTURED,
    "released": HoldState.RELEASED,
    "timed_out": HoldState.RELEASED,
}
# Failures that name no reason of the contract's: an operation ends with one of the contract's errors or not at all.
NO_REASONS: Final = frozenset({"EmptyRevert", "SimulationFailed", "UnknownError", "Error", "Panic"})


def judge(stage: Stage, asker: Asker, rebuilt_url: str) -> list[str]:
    """Everything that does not agree."""
    try:
        told = replay(stage, asker.signatures)
    except (Difference, AssertionError) as difference:
        return [f"contracts and model: {difference}"]
    books: tuple[Callable[[], Iterator[str]], ...] = (
        lambda: _place(asker.engine, told),
        lambda: _balances(stage, asker.engine, told),
        lambda: _holds(asker.engine, told),
        lambda: _debts(asker.engine, told),
        lambda: _member_debts(asker.engine, told),
        lambda: _supplies(stage, asker.engine, told),
        lambda: _histories(stage, asker.engine, told),
        lambda: _operations(stage, asker.engine, told),
        lambda: _once(stage, asker, told),
        lambda: _transactions(asker.engine, told),
        lambda: _rebuild(stage, asker.engine, rebuilt_url),
    )
    return list(joined.from_iterable(book() for book in books))[:SHOWN_MAX]


def _rows(engine: Engine, table: Any, *where: Any) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(select(table).where(*where)).all())


def _mirror_table(name: str) -> Any:
    return next(table_of(model) for model in MIRROR_TABLES if table_of(model).name == name)


def _place(engine: Engine, told: Told) -> Iterator[str]:
    (point,) = _rows(engine, _mirror_table("mirror_checkpoint"))
    head = int(told.head["number"], 16), told.head["hash"]
    if (point.block_number, point.block_hash) != head or point.state != "live":
        yield f"checkpoint: {point.state} at {(point.block_number, point.block_hash)}, the chain is at {head}"


def _balances(stage: Stage, engine: Engine, told: Told) -> Iterator[str]:
    """The lots of every account, as the model has them."""
    at = int(told.head["timestamp"], 16)
    rows = {(row.token, row.account): row for row in _rows(engine, _mirror_table("balance"))}
    for token in told.ledger.tokens.values():
        accounts = {account for address, account in rows if address == token.address} | set(token.accounts)
        for account in sorted(accounts):
            row = rows.get((token.address, account))
            mine = dict(lots.live(row.lots, token.clock.epoch(at))) if row else {}
            theirs = token.lots_of(account, at)
            if mine != theirs:
                yield f"balance of {account} in {token.name}: mirror {mine}, model {theirs}"


def _holds(engine: Engine, told: Told) -> Iterator[str]:
    rows = {row.hold_id: row for row in _rows(engine, _mirror_table("hold"))}
    model = {key: hold for key, hold in told.ledger.desk.holds.items() if hold.state != HoldState.CANCELLED}
    for key in sorted(rows.keys() | model.keys()):
        row, hold = rows.get(key), model.get(key)
        mine = row and (
            row.account, int(row.brand_id), HOLD_STATES[row.state], int(row.points), int(row.captured),
            int(row.refunded), row.hold_until or None,
        )  # fmt: skip
        theirs = hold and (
            hold.member, hold.brand_id, hold.state, hold.points, hold.captured, hold.refunded,
            # A payment has no time to run: the event tells none.
            None if row and row.state == "paid" else hold.hold_until,
        )  # fmt: skip
        if mine != theirs:
            yield f"hold {key}: mirror {mine}, model {theirs}"


def _debts(engine: Engine, told: Told) -> Iterator[str]:
    clearing = told.ledger.clearing
    rows = {
        (int(row.debtor_id), int(row.creditor_id)): int(row.outstanding)
        for row in _rows(engine, _mirror_table("obligation"))
    }
    for pair in sorted(rows.keys() | clearing.obligations.keys()):
        if rows.get(pair, 0) != clearing.obligation_of(*pair):
            yield f"obligation {pair}: mirror {rows.get(pair, 0)}, model {clearing.obligation_of(*pair)}"
    for row in _rows(engine, _mirror_table("collateral")):
        account = clearing.account_of(int(row.brand_id))
        if (int(row.collateral), row.in_default) != (account.collateral, account.in_default):
            yield f"collateral of brand {row.brand_id}: mirror {row.collateral}, model {account.collateral}"


def _member_debts(engine: Engine, told: Told) -> Iterator[str]:
    """What members owe after goods came back."""
    rows = {(row.token, row.account): int(row.points) for row in _rows(engine, _mirror_table("debt"))}
    mine = {key: points for key, points in rows.items() if points}
    theirs = {
        (token.address, account): points
        for token in told.ledger.tokens.values()
        for account, points in token.debts.items()
    }
    for token, account in sorted(mine.keys() ^ theirs.keys() | {key for key in mine if theirs.get(key) != mine[key]}):
        yield f"debt of {account} in {token}: mirror {mine.get((token, account))}, model {theirs.get((token, account))}"


def _supplies(stage: Stage, engine: Engine, told: Told) -> Iterator[str]:
    """Supply on the chain, sum of balances in the mirror, and the entries of brands whose points never expire."""
    at = int(told.head["timestamp"], 16)
    rows, entries = _rows(engine, _mirror_table("balance")), _rows(engine, _mirror_table("entry"))
    for number, token in told.ledger.tokens.items():
        clock = token.clock
        mirrored = sum(
            points for row in rows if row.token == token.address for _, points in lots.live(row.lots, clock.epoch(at))
        )
        supply = stage.world.chain.read(f"LoyaltyToken {number}", "totalSupply")
        if not mirrored == supply == token.total_supply(at):
            yield f"supply of brand {number}: mirror {mirrored}, chain {supply}, model {token.total_supply(at)}"
        if clock.stands:
            moved = sum(int(one.points) + int(one.held) for one in entries if one.token == token.address)
            if moved != supply:
                yield f"entries of brand {number} sum up to {moved}, its supply is {supply}"


def _histories(stage: Stage, engine: Engine, told: Told) -> Iterator[str]:
    """The entries of every account, ends of points among them, make up what the model says that it can spend."""
    at, desk = int(told.head["timestamp"], 16), stage.deployment.address("RedemptionDesk")
    sums: Counter[tuple[str, str]] = Counter()
    for row in _rows(engine, _mirror_table("entry")):
        sums[row.token, row.account] += int(row.points)
    for token in told.ledger.tokens.values():
        for account in sorted({one for address, one in sums if address == token.address} | set(token.accounts)):
            live = sum(token.lots_of(account, at).values())
            if account != desk and sums[token.address, account] != live:
                yield f"entries of {account} in {token.name} make up {sums[token.address, account]}, the model {live}"


def _operations(stage: Stage, engine: Engine, told: Told) -> Iterator[str]:
    """Each operation is finished, and what it says of the chain is there."""
    senders = {tx_hash: sender for tx_hash, sender, *_ in told.transactions}
    for row in _rows(engine, operations.table):
        name = f"operation {row.id} ({row.kind} {row.brand} {row.operation_id or ''})"
        if row.state not in (operations.CONFIRMED, operations.FAILED, operations.CANCELLED):
            yield f"{name} is {row.state}"
            continue
        if row.state == operations.FAILED and (row.error is None or row.error in NO_REASONS):
            yield f"{name} failed without a reason of the contract's: {row.error} {row.error_args}"
        if row.state == operations.CONFIRMED and row.tx_hash is None:
            yield f"{name} is confirmed and names no transaction"
        if row.tx_hash is None:
            continue
        if told.places.get(row.tx_hash) != (row.block_number, row.block_hash):
            place = (row.tx_hash, row.block_number, row.block_hash)
            yield f"{name} names {place}, the chain has it at {told.places.get(row.tx_hash)}"
            continue
        if row.log_index is not None:
            said, values = told.logs.get((row.tx_hash, row.log_index), ("nothing", {}))
            own = {operations.AWARD: "operationId", operations.RETURN: "returnId"}.get(row.kind)
            if said == "nothing" or (own is not None and values.get(own) != row.operation_id):
                yield f"{name} names log {row.log_index} of {row.tx_hash}, which says {said} {values}"
            by_us = senders[row.tx_hash] in stage.signers
            if by_us and row.kind in (operations.AWARD, operations.RETURN) and row.state == operations.CONFIRMED:
                base = values.get("baseAmount")
                if base != str(row.payload["base_amount"]):
                    yield f"{name} is of {row.payload['base_amount']}, the chain has {base}"


def _once(stage: Stage, asker: Asker, told: Told) -> Iterator[str]:
    """Exactly one effect for what is confirmed, none for what failed; and ours offered no more than once, unless the
    nonce it was offered with had been given up."""
    counted = Counter((target, data) for _, _, target, data, done in told.transactions if done)
    confirmed: Counter[tuple[str, str]] = Counter()
    failed: dict[tuple[str, str], list[Any]] = {}
    ours = set(stage.signers)
    rows = _rows(asker.engine, operations.table)
    with reading(asker.engine) as connection:
        again = diary.given_up(connection, stage.stolen)
        signed = transactions.hashes_of(connection, sorted({row.transaction_id for row in rows} - {None}))
    for row in rows:
        if row.key.startswith(calls.timeout_key("")) and row.state == operations.CONFIRMED:
            mine = {tx_hash for tx_hash, _ in signed.get(row.transaction_id, ())}
            if row.tx_hash not in mine:
                # Time owed a release, and somebody else ended the hold: theirs is the effect.
                continue
        name = f"operation {row.id} ({row.kind} {row.brand} {row.operation_id or ''}, {row.state} {row.error or ''})"
        if row.kind in (operations.AWARD, operations.RETURN):
            key = row.brand, int(row.operation_id)
            effects = (told.awarded if row.kind == operations.AWARD else told.returned)[key]
            senders = {tx_hash: (sender, done) for tx_hash, sender, _, _, done in told.transactions}
            # What was taken back before its second is never sent; a stranger who was quicker may be on the chain.
            strange = row.state == operations.CANCELLED and all(
                senders[one][0] not in ours for one in told.carried.get(key, [])
            )
            if effects != (row.state == operations.CONFIRMED) and not (strange and effects <= 1):
                yield f"{name} counted {effects} times on the chain"
            offered = [one for one in told.carried.get(key, []) if senders[one][0] in ours and senders[one][1]]
            if len([one for one in offered if one not in again]) > 1:
                yield f"{name} was sent {len(offered)} times by us: {offered}"
            continue
        made = calls.single(stage.deployment, row.kind, row.ordering_key, row.payload, token=stage.token(row.brand))
        assert made is not None, "every brand of the walk has a token"
        target, data = made
        key_of_call = (target, "0x" + data.hex())
        if row.state == operations.CONFIRMED:
            confirmed[key_of_call] += 1
        else:
            failed.setdefault(key_of_call, []).append((row, name))
    third_parties = Counter(
        (target, data) for _, sender, target, data, done in told.transactions if done and sender not in ours
    )
    for key_of_call in confirmed.keys() | failed.keys():
        # What a stranger did first may be told either way: as done, or as refused because it is done.
        spare = counted[key_of_call] - confirmed[key_of_call]
        if not 0 <= spare <= third_parties[key_of_call]:
            rows = [name for _, name in failed.get(key_of_call, [])]
            yield (
                f"a call counted {counted[key_of_call]} times on the chain, {confirmed[key_of_call]} operations with "
                f"it are confirmed; failed with it: {rows}; target {key_of_call[0]}, calldata {key_of_call[1][:10]}"
            )
    ours_called = Counter(
        (target, data)
        for tx_hash, sender, target, data, _ in told.transactions
        if sender in ours and tx_hash not in again
    )
    for key_of_call, rows in failed.items():
        asked = len(rows) + confirmed[key_of_call]
        if ours_called[key_of_call] > asked:
            yield f"{rows[0][1]} was sent {ours_called[key_of_call]} times by us"


def _transactions(engine: Engine, told: Told) -> Iterator[str]:
    """No transaction is left open, and what is mined is where it says."""
    rows = _rows(engine, transactions.table)
    with reading(engine) as connection:
        known = transactions.hashes_of(connection, [row.id for row in rows])
    for row in rows:
        name = f"transaction {row.id} ({row.kind}, nonce {row.nonce})"
        if row.state in transactions.OPEN:
            yield f"{name} is {row.state}"
        elif row.state in ("mined", "reverted"):
            places = {told.places.get(tx_hash) for tx_hash, _ in known[row.id]}
            if (row.block_number, row.block_hash) not in places:
                yield f"{name} is {row.state} in block {row.block_number} {row.block_hash}, the chain has it {places}"


def _rebuild(stage: Stage, engine: Engine, url: str) -> Iterator[str]:
    """The mirror emptied and read again from the chain is the same, row by row."""
    rebuilt = make_engine(url)
    rpc = Rpc(stage.node.url, timeout_s=30.0)
    try:
        Mirror(rebuilt, rpc, stage.deployment).catch_up()
        mine, theirs = _digest(engine), _digest(rebuilt)
        if mine.sha256 != theirs.sha256:
            apart = sorted(name for name, table in mine.tables.items() if table != theirs.tables[name])
            yield f"the mirror's digest is {mine.sha256}, a rebuilt one's {theirs.sha256}: {apart}"
        for model in MIRROR_TABLES:
            table = table_of(model)
            ours, others = _content(engine, table), _content(rebuilt, table)
            for row, times in sorted((ours - others).items())[:2]:
                yield f"{table.name}: only in the mirror ({times}): {row}"
            for row, times in sorted((others - ours).items())[:2]:
                yield f"{table.name}: only in a rebuilt mirror ({times}): {row}"
    finally:
        rpc.close()
        rebuilt.dispose()


def _digest(engine: Engine) -> Digest:
    with reading(engine) as connection:
        return digest(connection)


def _content(engine: Engine, table: Any) -> Counter[str]:
    names = [column.name for column in table.columns if column.name not in OWN]
    # Keys sorted: PostgreSQL keeps documents in an order of its own.
    rows = ({name: getattr(row, name) for name in names} for row in _rows(engine, table))
    return Counter(orjson.dumps(row, option=orjson.OPT_SORT_KEYS).decode() for row in rows)
