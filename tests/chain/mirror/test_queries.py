"""What the queries make of the mirror's rows where they decide: pauses, open holds, finality, rules, sums, bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine
from sqlmodel import SQLModel

import chain.tables  # noqa: F401 - makes the tables known
from chain.base.scalars import Address, RegistryId, TxHash
from chain.contracts.lots import Clock
from chain.mirror import models
from chain.mirror.brands import BEHIND_BLOCKS_MAX
from chain.mirror.queries import blocks, brands, checkpoint, clearing, entries, holds, programmes, reorgs, sums
from chain.storage.columns import table_of
from chain.storage.database import engine, writing
from chain.storage.looks import Look, looking

TOKEN, OTHER = Address("0x" + "0a" * 20), Address("0x" + "0b" * 20)
ADA, BOB = Address("0x" + "01" * 20), Address("0x" + "02" * 20)
NOW = 1_893_456_000


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = engine(f"sqlite:///{tmp_path_factory.mktemp('mirror')}/moa.db")
    with writing(made) as opened:
        SQLModel.metadata.create_all(opened)
    yield made
    made.dispose()


@pytest.fixture
def connection(tables: Engine) -> Iterator[Connection]:
    """An empty mirror; nothing of a test stays in it."""
    with tables.connect() as opened:
        yield opened
        opened.rollback()


@pytest.fixture
def look(connection: Connection) -> Look:
    return looking(connection)


def put(connection: Connection, *rows: SQLModel) -> None:
    for row in rows:
        connection.execute(table_of(type(row)).insert().values(row.model_dump(exclude_none=True)))


def standing(brand: int, status: str = "active", *, own: bool = False, moa: bool = False) -> SQLModel:
    return models.BrandStanding(
        brand_id=str(brand), status=status, brand_switch=own, moa_switch=moa, stopped_at=0, treasury=ADA,
        next_treasury="", treasury_at=0, metadata_hash="0x",
    )  # fmt: skip


def hold(number: int, state: str = "held", *, until: int = NOW) -> SQLModel:
    return models.Hold(
        hold_id=f"0x{number:064x}", brand_id="1", token=TOKEN, account=ADA, state=state, points="5", captured="0",
        refunded="0", hold_until=until, reward_id="0x", placed_tx_hash="0xee", placed_at=NOW, block_number=3,
        log_index=1,
    )  # fmt: skip


def at_block(number: int = 90, *, head: int = 100, state: str = checkpoint.LIVE, time: int = NOW) -> SQLModel:
    return models.MirrorCheckpoint(
        id=1, chain_id="1337", genesis_hash="0x", start_block=0, block_number=number, block_hash="0xbb",
        block_time=time, head_number=head, safe_number=80, final_number=70, state=state, updated_at_ms=NOW * 1000,
    )  # fmt: skip


def entry(number: int, *, block: int = 5, kind: str = "award", points: int = 1, **more: Any) -> SQLModel:
    told: dict[str, Any] = {
        "token": TOKEN,
        "account": ADA,
        "tx_hash": f"0x{number:064x}",
        "block_time": NOW,
        "detail": {},
        **more,
    }
    return models.Entry(
        kind=kind, points=str(points), held="0", block_number=block, block_hash="0xbb",
        log_index=number, contract=TOKEN, **told,
    )  # fmt: skip


# --- brands


@pytest.mark.parametrize(
    ("rows", "paused"),
    [
        ([], []),
        ([standing(1), standing(2)], []),
        ([standing(1, "suspended"), standing(2)], [1]),
        ([standing(1), standing(2, own=True)], [2]),
        ([standing(1, moa=True), standing(2, own=True, moa=True)], [1, 2]),
        ([standing(1, "invited"), standing(2)], []),
        ([standing(3, moa=True)], []),
        ([standing(0, ""), standing(1), standing(2, own=True)], [2]),
        ([standing(0, "", moa=True), standing(1), standing(2)], [1, 2]),
        ([standing(0, "", moa=True)], [1, 2]),
    ],
)
def test_a_brand_is_paused_by_any_one_of_its_stops_and_all_by_one(
    connection: Connection, look: Look, rows: list[SQLModel], paused: list[int]
) -> None:
    """SPEC 7.36"""
    put(connection, *rows)

    assert brands.paused(look, [RegistryId(2), RegistryId(1), RegistryId(2)]) == paused
    assert brands.paused(look, []) == []


def brand_token(number: int, token: Address, since: int) -> SQLModel:
    return models.BrandToken(
        token=token, brand_id=str(number), name="Café", symbol="CAFE", decimals=2, origin=NOW, epoch_s=60,
        lifetime_epochs=15, grace_s=9, since_block=since,
    )  # fmt: skip


def test_brands_come_in_the_order_of_their_invitations(connection: Connection, look: Look) -> None:
    """SPEC 8.43"""
    put(connection, brand_token(2, OTHER, 4), brand_token(1, TOKEN, 9), standing(1, "suspended"))

    assert [(one.brand_id, one.status, one.clock) for one in brands.all_tokens(look, limit=9)] == [
        ("2", None, Clock(NOW, 60, 15)),
        ("1", "suspended", Clock(NOW, 60, 15)),
    ]
    assert brands.named(look, limit=1) == [("2", OTHER)]
    assert brands.tokens(look, [RegistryId(1), RegistryId(7), RegistryId(1)]) == {1: TOKEN}
    assert brands.tokens(look, []) == {}


def rule(number: int, version: int = 1, *, since: int = 1, activity: str = "purchase", **terms: Any) -> SQLModel:
    told = {"activity": "0x" + activity.encode().ljust(32, b"\0").hex(), **{k: str(v) for k, v in terms.items()}}
    withdrawn = bool(told.pop("withdrawn", ""))
    return models.Rule(
        brand_id="1", rule_id=str(number), version=version, in_force_at=since, withdrawn=withdrawn, terms=told
    )


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ([], None),
        ([rule(1)], 1),
        ([rule(9), rule(10)], 10),
        ([rule(1), rule(2, since=NOW + 1)], 1),
        ([rule(1), rule(2, since=NOW)], 2),
        ([rule(1), rule(2, activity="visit")], 1),
        ([rule(1), rule(2, start=NOW + 1)], 1),
        ([rule(1), rule(2, start=NOW)], 2),
        ([rule(1), rule(2, end=NOW)], 1),
        ([rule(1), rule(2, end=NOW + 1)], 2),
        ([rule(1), rule(1, 2, end=1)], None),
        ([rule(1), rule(1, 2, end=1, withdrawn=True)], 1),
        ([rule(1), rule(1, 2, since=NOW + 1, end=1)], 1),
    ],
)
@pytest.mark.parametrize(("block_time", "at_s"), [(None, NOW), (NOW - 5, NOW), (NOW, NOW - 5)])
def test_the_youngest_rule_in_force_rewards_an_activity(
    connection: Connection, rules: list[SQLModel], found: int | None, block_time: int | None, at_s: int
) -> None:
    """SPEC 9.62: now is the later of our clock and the chain's."""
    put(connection, *rules)
    if block_time is not None:
        put(connection, at_block(time=block_time))

    assert brands.rule_for(connection, RegistryId(1), "purchase", at_s=at_s) == found
    assert brands.rule_for(connection, RegistryId(2), "purchase", at_s=at_s) is None


@pytest.mark.parametrize(
    ("row", "rule", "may"),
    [
        (None, None, True),
        (None, 1, False),
        (at_block(), None, False),
        (at_block(), 1, False),
        (at_block(state=checkpoint.BACKFILLING), None, True),
        (at_block(10, head=10 + BEHIND_BLOCKS_MAX, state=checkpoint.BACKFILLING), 1, False),
        (at_block(10, head=11 + BEHIND_BLOCKS_MAX, state=checkpoint.BACKFILLING), 1, True),
    ],
)
def test_a_rule_may_still_come_while_the_mirror_reads(
    connection: Connection, row: SQLModel | None, rule: int | None, may: bool
) -> None:
    """SPEC 9.62"""
    if row is not None:
        put(connection, row)

    assert brands.may_come(connection, rule) is may


# --- holds


@pytest.mark.parametrize("count", [0, 1, holds.IDS_MAX])
def test_of_as_many_holds_as_may_be_asked_the_open_ones_are_told(
    connection: Connection, look: Look, count: int
) -> None:
    """SPEC 7.84"""
    put(connection, hold(0), hold(1, "captured"), hold(2, "timed_out"), hold(9_999))

    found = holds.still_open(look, [f"0x{number:064x}" for number in range(count)], lock=False)

    assert found == ({f"0x{0:064x}"} if count else set())


def test_more_holds_than_that_are_not_asked(look: Look) -> None:
    """Callers ask page by page."""
    with pytest.raises(AssertionError):
        holds.still_open(look, [str(number) for number in range(holds.IDS_MAX + 1)], lock=False)


def test_holds_are_due_after_their_last_second_page_by_page(connection: Connection, look: Look) -> None:
    """SPEC 7.84"""
    assert holds.first_deadline(look) is None
    assert holds.one(look, "0x") is None
    put(connection, hold(3, until=NOW), hold(1, until=NOW), hold(2, until=NOW - 9, state="captured"))
    put(connection, hold(4, until=NOW + 1))

    assert holds.first_deadline(look) == NOW
    assert holds.due(look, before=NOW, after=(0, ""), limit=9) == []
    due = holds.due(look, before=NOW + 1, after=(0, ""), limit=9)
    assert [int(one.hold_id, 16) for one in due] == [1, 3]
    assert [int(one.hold_id, 16) for one in holds.due(look, before=NOW + 2, after=(NOW, due[0].hold_id), limit=9)] == [
        3,
        4,
    ]
    assert due[0][3:] == (NOW, None, None, None)
    found = holds.one(look, f"0x{2:064x}")
    assert found is not None
    assert (found.state, found.hold_until) == ("captured", NOW - 9)
    assert [int(one.hold_id, 16) for one in holds.page(look, after=f"0x{1:064x}", limit=2)] == [2, 3]


# --- where the mirror is


@pytest.mark.parametrize(
    ("block", "level"), [(0, "final"), (70, "final"), (71, "safe"), (80, "safe"), (81, "latest"), (90, "latest")]
)
def test_a_block_is_as_final_as_the_levels_say(connection: Connection, look: Look, block: int, level: str) -> None:
    """SPEC 8.43"""
    assert checkpoint.checkpoint(look) is None
    put(connection, at_block())

    found = checkpoint.checkpoint(look)

    assert found is not None
    assert (found.finality(block), found.live) == (level, True)
    assert (found.beat_at_ms, found.progressed_at_ms) == (None, None)


def test_a_mirror_that_reads_or_has_stopped_is_not_live(connection: Connection, look: Look) -> None:
    """SPEC 8.11"""
    put(connection, at_block(state=checkpoint.STOPPED))
    found = checkpoint.checkpoint(look)
    assert found is not None
    assert not found.live


def test_the_newest_final_block_is_the_last_one_that_is_known(connection: Connection, look: Look) -> None:
    """SPEC 8.43"""
    assert blocks.final_block(look) is None
    assert blocks.newest(look, up_to=5) is None
    put(connection, at_block(), *[models.MirrorBlock(number=n, hash=f"0x{n}", time=NOW + n) for n in (60, 70, 71)])

    assert blocks.final_block(look) == blocks.Block(70, "0x70", NOW + 70)
    assert blocks.newest(look, up_to=69) == blocks.Block(60, "0x60", NOW + 60)


def test_rollbacks_are_counted_with_the_deepest_and_the_last(connection: Connection, look: Look) -> None:
    """SPEC 8.6"""
    assert (reorgs.last(look), reorgs.summary(look)) == (0, reorgs.Reorgs(0, 0, None, None))
    for depth, at_ms in ((7, 100), (2, 300)):
        put(connection, models.MirrorReorg(common_number=1, head_number=2, depth=depth, entries_removed=0, at_ms=at_ms))

    assert (reorgs.last(look), reorgs.summary(look)) == (2, reorgs.Reorgs(2, 7, 2, 300))


# --- what brands owe


def test_obligations_and_collateral_are_told_with_truth_values(connection: Connection, look: Look) -> None:
    """SPEC 8.43"""
    put(
        connection,
        models.Obligation(debtor_id="2", creditor_id="1", outstanding="5", block_number=3, log_index=0),
        models.Obligation(debtor_id="1", creditor_id="2", outstanding="7", block_number=4, log_index=0),
        models.Collateral(brand_id="1", collateral="70", in_default=False),
        models.Collateral(brand_id="2", collateral="80", in_default=True),
    )

    assert clearing.obligations(look, limit=9) == [("1", "2", "7", 4), ("2", "1", "5", 3)]
    assert clearing.obligations(look, limit=1) == [("1", "2", "7", 4)]
    found = clearing.collateral(look, limit=9)
    assert found == [("1", "70", False), ("2", "80", True)]
    assert [type(one.in_default) for one in found] == [bool, bool]


def test_rules_and_agreements_are_told_with_or_without_what_was_taken_back(connection: Connection, look: Look) -> None:
    """SPEC 8.43"""
    put(connection, rule(1), rule(1, 2, withdrawn=True))
    for number, state in enumerate(("proposed", "agreed", "ending"), 1):
        put(
            connection,
            models.Agreement(agreement_id=str(number), from_brand_id="1", to_brand_id="2", state=state,
                             proposed_by="1", versions=[{"version": 1}]),
        )  # fmt: skip

    assert [(one.version, one.withdrawn) for one in programmes.rules(look, limit=9)] == [(1, False), (2, True)]
    assert [one.version for one in programmes.rules(look, limit=9, withdrawn=False)] == [1]
    assert [one.agreement_id for one in programmes.agreements(look, limit=9)] == ["1", "2", "3"]
    agreed = programmes.agreements(look, limit=9, proposed=False)
    assert [(one.agreement_id, one.versions) for one in agreed] == [("2", [{"version": 1}]), ("3", [{"version": 1}])]


# --- entries


def test_entries_are_paged_by_account_by_token_or_all(connection: Connection, look: Look) -> None:
    """SPEC 8.43"""
    assert entries.last(look) == entries.last(look, account=ADA) == 0
    put(connection, entry(1), entry(2, account=BOB), entry(3, token=OTHER), entry(4))

    def seqs(found: list[entries.Entry]) -> list[int]:
        return [one.seq for one in found]

    assert seqs(entries.page(look, after=0, limit=9)) == [1, 2, 3, 4]
    assert seqs(entries.page(look, after=1, limit=1)) == [2]
    assert seqs(entries.page(look, after=1, limit=9, account=ADA, token=OTHER)) == [3, 4], "an account goes before"
    assert seqs(entries.page(look, after=1, limit=9, token=TOKEN)) == [2, 4]
    assert seqs(entries.newest(look, account=ADA, token=None, before=4, limit=9)) == [3, 1]
    assert seqs(entries.newest(look, account=ADA, token=TOKEN, before=5, limit=9)) == [4, 1]
    found = entries.one(look, account=ADA, seq=3)
    assert found is not None
    assert (found.seq, found.event_index, found.detail) == (3, 3, {})
    assert entries.one(look, account=BOB, seq=3) is None
    assert (entries.last(look), entries.last(look, account=BOB)) == (4, 2)
    assert entries.whose(look, after=2, limit=1) == [(3, ADA)]
    assert [one.seq for one in entries.streamed(connection, block=5)] == [1, 2, 3, 4]
    assert [one.seq for one in entries.streamed(connection, block=5, token=OTHER)] == [3]
    assert list(entries.streamed(connection, block=4)) == []


def test_an_entry_of_time_alone_has_no_event(connection: Connection, look: Look) -> None:
    """SPEC 9.12"""
    put(connection, entry(1, tx_hash=None))
    assert entries.page(look, after=0, limit=1)[0].event_index is None


def test_what_else_a_transaction_did_leaves_the_entry_itself_out(connection: Connection, look: Look) -> None:
    """SPEC 9.12"""
    many = entries.LEGS_MAX + 2
    put(connection, *[entry(number, tx_hash="0xee") for number in range(1, many + 1)], entry(99, tx_hash="0xef"))

    found = entries.legs(look, tx_hash=TxHash("0xee"), account=ADA, but=2)

    assert [one.seq for one in found] == [1, *range(3, entries.LEGS_MAX + 2)]


@pytest.mark.parametrize(("steps", "found"), [(0, [1, 3]), (1, [1, 2, 3])])
def test_a_holds_history_is_its_placing_its_newest_change_and_its_steps(
    connection: Connection, look: Look, steps: int, found: list[int]
) -> None:
    """SPEC 9.12"""
    put(connection, hold(1), entry(10, tx_hash="0xee"), entry(11, tx_hash="0x01"), entry(1, block=3, tx_hash="0x02"))
    asked = [TxHash("0x01")][:steps]

    legs = entries.of_hold(look, hold_id=f"0x{1:064x}", account=ADA, steps=asked)

    assert [one.seq for one in legs] == found
    assert entries.of_hold(look, hold_id=f"0x{1:064x}", account=BOB, steps=asked) == []


def test_sums_are_of_the_blocks_above_one_up_to_another(connection: Connection) -> None:
    """SPEC 15.5"""
    put(
        connection,
        entry(1, block=4, points=1, block_time=NOW + 59),
        entry(2, block=5, points=10, block_time=NOW + 60, detail={"rule": "1"}),
        entry(3, block=6, points=100, block_time=NOW + 61),
        entry(4, block=6, points=-7, kind="spend"),
        entry(5, block=7, points=1_000),
        entry(6, block=5, points=5_000, token=OTHER),
    )

    assert sums.by_kind(connection, TOKEN, above=4, up_to=6) == {"award": 110, "spend": -7}
    assert sums.by_kind(connection, TOKEN, above=7, up_to=9) == {}
    moving, standing_still = Clock(NOW, 60, 15), Clock(NOW, 60, 0)
    assert sums.by_epoch(connection, TOKEN, moving, ["award"], up_to=6) == {0: 1, 1: 110}
    assert sums.by_epoch(connection, TOKEN, standing_still, ["award", "spend"], up_to=6) == {0: 104}
    told = [one.block_time - NOW for one in sums.details(connection, TOKEN, ["award"], up_to=6)]
    assert told == [59, 60, 61]
    above = list(sums.details(connection, TOKEN, ["award"], up_to=5, above=4))
    assert [(one.kind, one.detail) for one in above] == [("award", {"rule": "1"})]
