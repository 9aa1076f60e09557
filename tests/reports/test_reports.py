"""Liability, roll-forward and exports of a chain that saw awards, holds, exchanges, refunds and years of expiry."""

from __future__ import annotations

import itertools
import json
import random
import shutil
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import inspect, select

from chain.base.errors import HistoryNotAvailable
from chain.contracts import lots
from chain.contracts.lots import Clock
from chain.mirror import history, models
from chain.mirror.models import Entry, LedgerEvent
from chain.reports import bundle, recomputed
from chain.reports.breakage import Cohort, expected_breakage, position
from chain.reports.cohorts import cohorts
from chain.reports.datasets import DATASETS, Scope
from chain.reports.errors import ExportInvalid, FractionInvalid, PeriodInvalid, TokenUnknown
from chain.reports.fractions import fraction_of
from chain.reports.income import income
from chain.reports.liability import liability, token_of
from chain.reports.movements import movements
from chain.storage.columns import table_of
from chain.storage.database import engine as make_engine
from tests.differential.world import BRANDS
from tests.reports.conftest import SEED, Walked
from tests.reports.recorded import recorded

entries = table_of(Entry)
BRAND_IDS = range(1, len(BRANDS) + 1)
BLOCKS_LOOKED_AT = 12
# Of blocks without an entry, so many-th ones are looked at.
BLOCKS_APART = 25


def some_blocks(walked: Walked) -> list[int]:
    """A few blocks over the whole life of the chain, the last included."""
    with walked.looking() as connection:
        span = history.span(connection)
    rng = random.Random(SEED)
    inner = [rng.randint(span.first.number, span.last.number) for _ in range(BLOCKS_LOOKED_AT)]
    return sorted({*inner, span.last.number})


def brands_at(walked: Walked, block: int) -> list[dict[str, Any]]:
    with walked.looking() as connection:
        return history.tokens(connection, block)


def invited(walked: Walked, block: int) -> list[int]:
    """Every brand that the registry has given a number at a block: those of the cast, and whom the walk invited."""
    codec, registry = walked.deployment.codec, walked.deployment.address("PartnerRegistry")
    data = "0x" + codec.calldata("PartnerRegistry", "brandCount").hex()
    answer = walked.rpc.call("eth_call", {"to": registry, "data": data}, hex(block))
    found = list(range(1, int(codec.result("PartnerRegistry", "brandCount", answer)) + 1))
    assert found[: len(BRANDS)] == list(BRAND_IDS)
    return found


def on_chain(walked: Walked, token: str, function: str, block: int, *values: Any) -> int:
    codec = walked.deployment.codec
    data = "0x" + codec.calldata("LoyaltyToken", function, *values).hex()
    answer = walked.rpc.call("eth_call", {"to": token, "data": data}, hex(block))
    return int(codec.result("LoyaltyToken", function, answer))


def words_of(walked: Walked, token: str, account: str, block: int) -> str:
    """An account's lots as the chain has them in storage."""
    codec = walked.deployment.codec
    data = "0x" + codec.calldata("LoyaltyToken", "packedLotsOf", account).hex()
    answer = walked.rpc.call("eth_call", {"to": token, "data": data}, hex(block))
    return lots.pack([int(word) for word in codec.result("LoyaltyToken", "packedLotsOf", answer)])


def test_a_brand_that_never_was_has_no_liability(walked: Walked) -> None:
    """SPEC 15.2"""
    desk = walked.deployment.address("RedemptionDesk")
    with walked.looking() as connection:
        last = history.span(connection).last.number
        with pytest.raises(TokenUnknown):
            liability(connection, brand_id=99, desk=desk, block=last)


def test_a_block_that_has_not_come_yet_is_told_so(walked: Walked) -> None:
    """SPEC 15.1"""
    with walked.looking() as connection:
        last = history.span(connection).last.number
        with pytest.raises(HistoryNotAvailable):
            liability(connection, brand_id=1, desk=walked.deployment.address("RedemptionDesk"), block=last + 1)


def test_a_period_that_ends_before_it_begins_is_refused(walked: Walked) -> None:
    """SPEC 15.5"""
    with walked.looking() as connection:
        last = history.span(connection).last.number
        with pytest.raises(PeriodInvalid):
            income(connection, brand_id=1, from_block=last, to_block=last, price=Fraction(1))


@pytest.mark.parametrize("text", ["", "-1", "0.3", "1e9", "3/0", "1/2/3", " 1", "1" * 19, "٣"])
def test_a_price_that_is_no_fraction_is_refused(text: str) -> None:
    """SPEC 15.6"""
    with pytest.raises(FractionInvalid):
        fraction_of(text)


@given(st.integers(0, 10**18 - 1), st.integers(1, 10**18 - 1))
def test_a_fraction_is_read_exactly(numerator: int, denominator: int) -> None:
    """SPEC 15.6"""
    assert fraction_of(f"{numerator}/{denominator}") == Fraction(numerator, denominator)


def test_the_liability_is_the_chains_own_supply_at_any_block(walked: Walked) -> None:
    """SPEC 15.2"""
    desk = walked.deployment.address("RedemptionDesk")
    blocks = some_blocks(walked)
    told = sorted(int(token["brand_id"]) for token in brands_at(walked, blocks[-1]))
    assert told == invited(walked, blocks[-1])
    for block in blocks:
        for token in brands_at(walked, block):
            with walked.looking() as connection:
                found = liability(connection, brand_id=int(token["brand_id"]), desk=desk, block=block)
            assert found.outstanding == on_chain(walked, token["token"], "totalSupply", block)
            assert found.held == on_chain(walked, token["token"], "balanceOf", block, desk)
            assert found.outstanding == sum(lot.points for lot in found.buckets)


def test_what_entered_was_used_expired_or_is_outstanding(walked: Walked) -> None:
    """SPEC 15.4"""
    finished = 0
    for block in some_blocks(walked):
        for token in brands_at(walked, block):
            with walked.looking() as connection:
                at = history.moment(connection, block)
                found = cohorts(connection, token, at)
                supply = history.supply(connection, token["token"], block)
            assert sum(one.outstanding for one in found if not one.over(at.time)) == supply.live
            expired = sum(one.outstanding for one in found if one.over(at.time))
            assert expired == supply.minted - supply.burnt - supply.live
            finished += sum(one.over(at.time) and one.outstanding > 0 for one in found)
    assert finished, "no cohort ever expired with points left: this shows too little"


def test_the_entries_of_every_account_make_up_what_it_can_spend_at_every_block(walked: Walked) -> None:
    """SPEC 8.81: years of a chain with the real contracts, all accounts but the desk's."""
    desk = walked.deployment.address("RedemptionDesk")
    sums: Counter[tuple[str, str]] = Counter()
    ends = 0
    with walked.looking() as connection:
        span = history.span(connection)
        clocks = {row["token"]: Clock(row["origin"], row["epoch_s"], row["lifetime_epochs"])
                  for row in history.tokens(connection, span.last.number)}  # fmt: skip
        query = select(entries.c.block_number, entries.c.token, entries.c.account, entries.c.points, entries.c.kind)
        rows = list(connection.execute(query.order_by(entries.c.seq)))
        by_block = {number: list(group) for number, group in itertools.groupby(rows, key=lambda row: row[0])}
        assert [row[0] for row in rows] == sorted(row[0] for row in rows)
        for number in range(span.first.number, span.last.number + 1):
            for _, token, account, points, kind in by_block.get(number, ()):
                sums[token, account] += int(points)
                ends += kind == "expire"
            if number % BLOCKS_APART and number not in by_block:
                continue
            at = history.moment(connection, number).time
            live: Counter[tuple[str, str]] = Counter()
            for token, clock in clocks.items():
                for account, words in history.accounts(connection, token, number):
                    live[token, account] = sum(points for _, points in lots.live(lots.pack(words), clock.epoch(at)))
            wrong = {key: (sums[key], live[key]) for key in live.keys() | sums.keys()
                     if key[1] != desk and sums[key] != live[key]}  # fmt: skip
            assert wrong == {}, number
    assert ends > 10, "hardly anything ended: this shows too little"


def test_what_entries_say_of_holds_makes_up_the_open_holds_at_every_block(walked: Walked) -> None:
    """SPEC 10.15: with 8.81, points and held of a member's entries make up all it owns, to spend and on hold."""
    sums: Counter[tuple[str, str]] = Counter()
    most = 0
    with walked.looking() as connection:
        query = select(entries.c.block_number, entries.c.token, entries.c.account, entries.c.held)
        rows = connection.execute(query.where(entries.c.held != "0").order_by(entries.c.seq))
        for number, group in itertools.groupby(rows, key=lambda row: row[0]):
            for _, token, account, held in group:
                sums[token, account] += int(held)
            found: Counter[tuple[str, str]] = Counter()
            for hold in history.holds(connection, number):
                if hold["state"] == "held":
                    found[hold["token"], hold["account"]] += int(hold["points"])
            assert +sums == found, number
            most = max(most, len(found))
    assert most > 2, "hardly anybody held anything: this shows too little"


def test_a_renewal_is_a_line_of_its_own_and_raises_no_estimate(walked: Walked) -> None:
    """SPEC 15.4, 15.6, 15.7"""
    renewed = 0
    for block in some_blocks(walked):
        for token in brands_at(walked, block):
            with walked.looking() as connection:
                at = history.moment(connection, block)
                found = cohorts(connection, token, at)
                whole = movements(connection, token, history.span(connection).first, at)
            share = expected_breakage(found, at.time)
            told = position(found, at=at.time, price=Fraction(1), breakage=share)
            assert told.renewed == whole.renewed
            assert told.taken_back == whole.taken_back
            left = whole.redeemed + whole.exchanged_out + whole.unwound + whole.burnt_otherwise
            assert told.used == left - whole.returned
            assert told.deferred == whole.awarded + whole.exchanged_in + whole.minted_otherwise
            # Had nothing been given new life, what is renewed would have been used or would have expired before.
            plain = [Cohort(one.expiry_epoch, one.expires_at, one.fresh, min(one.fresh, one.outstanding),
                            taken_back=min(one.taken_back, one.fresh - min(one.fresh, one.outstanding)))
                     for one in found]  # fmt: skip
            assert told.liability >= 0
            assert share <= expected_breakage(plain, at.time)
            renewed += whole.renewed
    assert renewed, "nothing was renewed: this shows too little"


def test_goods_that_came_back_leave_the_lots_that_the_chains_own_words_lost(walked: Walked) -> None:
    """SPEC 15.13: lot by lot, from what the chain answers before and after each return and each award to a debtor."""
    events = table_of(LedgerEvent)
    query = select(events.c.block_number, events.c.name, events.c.address, events.c.args)
    with walked.looking() as connection:
        last = history.span(connection).last
        tokens = history.tokens(connection, last.number)
        rows = list(
            connection.execute(
                query.where(events.c.name.in_(("Returned", "DebtChanged"))).order_by(
                    query.selected_columns.block_number
                )
            )
        )
        found = {row["token"]: cohorts(connection, row, last) for row in tokens}
        times = {row.block_number: history.moment(connection, row.block_number).time for row in rows}
    clocks = {row["token"]: Clock(row["origin"], row["epoch_s"], row["lifetime_epochs"]) for row in tokens}
    by_brand = {str(row["brand_id"]): row["token"] for row in tokens}
    lost: Counter[tuple[str, int]] = Counter()
    seen: Counter[str] = Counter()
    for block, name, address, args in rows:
        if name == "Returned":
            token = by_brand[args["brandId"]]
            epoch = clocks[token].epoch(times[block])
            before, after = (
                dict(lots.live(words_of(walked, token, args["member"], at), epoch)) for at in (block - 1, block)
            )
            taken = {expiry: before[expiry] - after.get(expiry, 0) for expiry in before}
            assert sum(taken.values()) == int(args["taken"])
            lost.update({(token, expiry): points for expiry, points in taken.items()})
            seen["lots of one return"] = max(seen["lots of one return"], sum(map(bool, taken.values())))
        else:
            paid = on_chain(walked, address, "debtOf", block - 1, args["member"]) - int(args["debt"])
            clock = clocks[address]
            lost[address, clock.epoch(times[block]) + 1 + clock.lifetime_epochs] += max(0, paid)
            seen["debts paid"] += paid > 0
    told = {(token, one.expiry_epoch): one.taken_back for token, each in found.items() for one in each}
    assert {key: points for key, points in told.items() if points} == +lost
    print(seen)
    # The story that every walk begins with has them (tests/differential/story.py).
    assert lost
    assert seen["debts paid"]


def test_the_lines_of_every_period_add_up(walked: Walked) -> None:
    """SPEC 15.5: periods that meet from the chain's first block to its last, so that nothing the walk did is missed."""
    seen: dict[str, int] = {}
    with walked.looking() as connection:
        beginning = history.span(connection).first.number
    for start, end in itertools.pairwise(sorted({beginning, *some_blocks(walked)})):
        for token in brands_at(walked, end):
            with walked.looking() as connection:
                opening, closing = (history.moment(connection, block) for block in (start, end))
                found = movements(connection, token, opening, closing)
            assert found.difference == 0
            for name in ("awarded", "exchanged_in", "returned", "renewed", "redeemed", "exchanged_out", "expired"):
                assert getattr(found, name) >= 0, name
                seen[name] = seen.get(name, 0) + getattr(found, name)
    print(seen)
    assert seen["awarded"]
    assert seen["expired"]
    assert seen["redeemed"]


def test_the_roll_forward_of_a_period_is_the_sum_of_its_parts(walked: Walked) -> None:
    """SPEC 15.8"""
    last = some_blocks(walked)[-1]
    tokens = brands_at(walked, last)
    assert sorted(int(token["brand_id"]) for token in tokens) == invited(walked, last)
    # From the block in which the last brand of the cast was invited: each of them has both periods.
    first = max(int(token["since_block"]) for token in tokens if int(token["brand_id"]) in BRAND_IDS)
    middle = (first + last) // 2
    assert first < middle < last
    for brand_id in BRAND_IDS:
        with walked.looking() as connection:
            whole, early, late = (
                income(connection, brand_id=brand_id, from_block=start, to_block=end, price=Fraction(3, 10))
                for start, end in ((first, last), (first, middle), (middle, last))
            )
        assert (whole.lines.opening, whole.lines.closing) == (early.lines.opening, late.lines.closing)
        for name in ("deferred", "renewed", "taken_back", "used", "breakage"):
            assert getattr(whole.lines, name) == getattr(early.lines, name) + getattr(late.lines, name)
        lines = whole.lines
        came = lines.opening + lines.deferred + lines.renewed
        assert came - lines.taken_back - lines.used - lines.breakage == lines.closing


@pytest.fixture(params=["csv", "jsonl", "parquet"])
def exported(request: pytest.FixtureRequest, walked: Walked, tmp_path: Path) -> Path:
    """An export of all brands as of the last block, in each format."""
    with walked.looking() as connection:
        last = history.span(connection).last.number
        bundle.write(connection, tmp_path / "out", scope=Scope(last), format=request.param, chain={"chain_id": 1})
    return tmp_path / "out"


def test_an_export_adds_up_and_gives_the_same_inputs_again(walked: Walked, exported: Path) -> None:
    """SPEC 15.9, 15.10"""
    manifest, problems = bundle.check(exported)
    assert problems == []
    assert manifest["tokens"]
    for token in manifest["tokens"]:
        found, at = recomputed.cohorts_of(exported, token["brand_id"])
        with walked.looking() as connection:
            moment = history.moment(connection, manifest["block"]["number"])
            row = token_of(connection, token["brand_id"], moment.number)
            assert at == moment.time
            assert found == cohorts(connection, row, moment)


def test_an_export_is_never_written_over_another(walked: Walked, exported: Path) -> None:
    """SPEC 15.9"""
    with walked.looking() as connection, pytest.raises(ExportInvalid, match="not empty"):
        bundle.write(connection, exported, scope=Scope(1), format="csv", chain={})


def test_every_figure_that_is_changed_in_a_manifest_is_named(exported: Path, tmp_path: Path) -> None:
    """SPEC 15.10"""
    manifest = json.loads((exported / "manifest.json").read_text())
    file, token = manifest["files"][0], manifest["tokens"][0]
    changes = [(file, "rows", file["rows"] + 1), (file, "sha256", "0" * 64)]
    changes += [(token, name, str(int(token[name]) + 1)) for name in ("minted", "burnt", "expired", "live")]
    changes += [(file["sums"]["points"], next(iter(file["sums"]["points"])), "1")]
    for part, name, value in changes:
        kept, part[name] = part[name], value
        (exported / "manifest.json").write_text(json.dumps(manifest))
        _, problems = bundle.check(exported)
        assert len(problems) == 1, (name, problems)
        part[name] = kept


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_byte_that_is_changed_in_a_file_is_named(exported: Path, tmp_path: Path, dataset: str) -> None:
    """SPEC 15.10"""
    copy = tmp_path / "copy"
    shutil.copytree(exported, copy)
    (path,) = copy.glob(f"{dataset}.*")
    data = bytearray(path.read_bytes())
    if data:
        data[len(data) // 2] ^= 1
    else:
        # Of what nobody owes there is no line: one comes.
        data += b"\n"
    path.write_bytes(bytes(data))
    _, problems = bundle.check(copy)
    assert path.name in {one.file for one in problems}
    path.unlink()
    _, problems = bundle.check(copy)
    assert (path.name, "missing") in {(one.file, one.said) for one in problems}


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": "moa-export/1", "files": [], "tokens": []}'])
def test_a_folder_without_a_sound_manifest_is_no_export(tmp_path: Path, content: str) -> None:
    """SPEC 15.10"""
    with pytest.raises(ExportInvalid):
        bundle.check(tmp_path)
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ExportInvalid):
        bundle.check(tmp_path)


def test_the_exports_of_all_brands_are_the_export_of_all(walked: Walked, tmp_path: Path) -> None:
    """SPEC 15.9"""
    with walked.looking() as connection:
        last = history.span(connection).last.number
        tokens = history.tokens(connection, last)
        for name in ("entries", "balances", "holds"):
            dataset = DATASETS[name]
            whole = sorted(map(repr, dataset.rows(connection, Scope(last))))
            scopes = [Scope(last, token["token"], int(token["brand_id"])) for token in tokens]
            parts = [row for scope in scopes for row in dataset.rows(connection, scope)]
            assert whole
            assert sorted(map(repr, parts)) == whole, name


def test_an_export_of_one_brand_names_no_other(walked: Walked, tmp_path: Path) -> None:
    """SPEC 15.9"""
    with walked.looking() as connection:
        last = history.span(connection).last.number
        token = token_of(connection, 1, last)["token"]
        others = {row["token"] for row in history.tokens(connection, last)} - {token}
        assert others
        scope = Scope(last, token, 1)
        bundle.write(connection, tmp_path / "out", scope=scope, format="jsonl", chain={})
    assert bundle.check(tmp_path / "out")[1] == []
    for name in ("entries", "balances", "holds", "events"):
        at = [column for column, _ in DATASETS[name].columns].index
        column = at("address" if name == "events" else "token")
        told = {row[column] for row in bundle.rows_of(tmp_path / "out", bundle.manifest_of(tmp_path / "out"), name)}
        assert token in told, name
        assert not told & others, name


def test_the_recorded_mirror_has_todays_tables(tmp_path: Path) -> None:
    """When this fails, `python -m tests.reports.recorded` records it anew."""
    url, _, _ = recorded(tmp_path)
    engine = make_engine(url)
    kinds = [kind for kind in vars(models).values() if isinstance(kind, type) and hasattr(kind, "__table__")]
    assert len(kinds) > 10
    for table in map(table_of, kinds):
        assert {column["name"] for column in inspect(engine).get_columns(table.name)} == set(table.columns.keys())
    engine.dispose()
