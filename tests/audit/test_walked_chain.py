"""A random walk of the contracts on Anvil, mirrored and audited: history, events, rules, rows and storage agree.

The quick part's look at everything between a node's answers and the mirror's rows; the lies are told in the other
files here. MOA_SEED walks another walk again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import SQLModel

import chain.tables  # noqa: F401 - makes the tables known
from chain.audit.report import Plan, Report, Sample
from chain.audit.run import Audit
from chain.base.hashing import keccak
from chain.contracts.codec import Codec
from chain.contracts.deployment import Contract, Deployment
from chain.devnet.supervisor import Anvil
from chain.mirror import history
from chain.mirror.digest import Digest, digest
from chain.mirror.loop import Mirror
from chain.mirror.rebuild import forget
from chain.mirror.settings import MirrorSettings
from chain.node.rpc import Rpc
from chain.reports import bundle
from chain.reports.cohorts import cohorts
from chain.reports.datasets import Scope
from chain.reports.liability import liability
from chain.reports.movements import movements
from chain.storage.database import engine as make_engine
from chain.storage.database import reading, snapshot, writing
from tests.audit.conftest import Quiet
from tests.differential.chain_side import COVER_BPS
from tests.differential.run import run
from tests.differential.steps import TOKEN
from tests.differential.world import TwoSides

STEPS = 60
SEED = int(os.environ.get("MOA_SEED") or random.SystemRandom().randrange(2**32))
NAMES = ("PartnerRegistry", "RewardRules", "RedemptionDesk", "PartnerExchange", "ClearingHouse")
BLOCKS_LOOKED_AT = 8


@dataclass(frozen=True)
class Mirrored:
    """The walk's world, its node, and a mirror of it."""

    world: TwoSides
    rpc: Rpc
    url: str
    deployment: Deployment
    engine: Engine

    @property
    def pin(self) -> bytes:
        return bytes.fromhex(self.rpc.call("eth_getBlockByNumber", "latest", False)["hash"][2:])

    def mirror(self, **settings: Any) -> Mirror:
        return Mirror(self.engine, self.rpc, self.deployment, MirrorSettings(**settings))

    def audit(self, **plan: Any) -> Report:
        def rpc() -> Rpc:
            return Rpc(self.url, timeout_s=30.0)

        return Audit(rpc, self.engine, self.deployment, Plan(self.pin, **plan), Quiet()).run()

    def digest(self) -> Digest:
        with snapshot(self.engine) as connection:
            return digest(connection)

    def said(self, token: str, block: int, asked: list[tuple[str, ...]]) -> list[int]:
        """What the token answers in the block."""
        codec = self.deployment.codec
        data = [codec.calldata("LoyaltyToken", *one).hex() for one in asked]
        answers = self.rpc.batch([("eth_call", [{"to": token, "data": "0x" + one}, hex(block)]) for one in data])
        return [
            int(codec.result("LoyaltyToken", name, answer)) for (name, *_), answer in zip(asked, answers, strict=True)
        ]

    def tokens(self) -> list[str]:
        with reading(self.engine) as connection:
            return list(connection.execute(text("SELECT token FROM brand_token ORDER BY token")).scalars())


def deployed(world: TwoSides, rpc: Rpc) -> Deployment:
    """The walk's contracts with their code, as a deployment's record has them."""
    at = {name: world.chain.addresses[name] for name in NAMES}
    at |= {"AccessManager": world.chain.addresses["Authority"], "LoyaltyToken": world.chain.addresses[f"{TOKEN} 0"]}
    codes = rpc.batch([("eth_getCode", [address, "latest"]) for address in at.values()])
    return Deployment(
        chain_id=world.chain.chain_id,
        start_block=0,
        genesis_hash=rpc.call("eth_getBlockByNumber", "0x0", False)["hash"],
        contracts={
            name: Contract(name, address, "0x" + keccak(bytes.fromhex(code[2:])).hex())
            for (name, address), code in zip(at.items(), codes, strict=True)
        },
        codec=Codec.load(),
        cover_bps=COVER_BPS,
    )


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirrored]:
    print(f"MOA_SEED={SEED}")
    folder: Path = tmp_path_factory.mktemp("walk")
    with Anvil(folder / "chain") as node, closing(Rpc(node.url, timeout_s=30.0)) as rpc:
        world = run(rpc, node.chain_id, seed=SEED, steps=STEPS, anvil=True)
        engine = make_engine(f"sqlite:///{folder}/moa.db")
        with writing(engine) as connection:
            SQLModel.metadata.create_all(connection)
        made = Mirrored(world, rpc, node.url, deployed(world, rpc), engine)
        made.mirror().catch_up(timeout_s=60)
        yield made
        engine.dispose()


def test_everything_agrees(mirrored: Mirrored) -> None:
    """SPEC 12.1, 12.4, 12.5, 12.6, 5.13"""
    report = mirrored.audit()

    assert report.finished
    assert report.found == 0, f"MOA_SEED={SEED}\n" + "\n".join(map(str, report.differences[:10]))


def test_a_sample_is_drawn_by_its_seed_and_only_reads(mirrored: Mirrored) -> None:
    """SPEC 12.11, 12.13"""
    before = mirrored.digest()

    first, again = mirrored.audit(sample=Sample(5, 1)), mirrored.audit(sample=Sample(5, 1))

    assert first.found == again.found == 0
    assert first.sample == again.sample == Sample(5, 1)
    assert mirrored.digest() == before


def test_rows_read_in_other_ranges_are_the_same_rows(mirrored: Mirrored) -> None:
    """SPEC 8.2"""
    before = mirrored.digest()
    forget(mirrored.engine)
    assert mirrored.digest() != before

    mirrored.mirror(range_blocks_max=7).catch_up(timeout_s=60)

    assert mirrored.digest() == before


def test_reports_of_the_walk_add_up_and_agree_with_the_chain(mirrored: Mirrored) -> None:
    """SPEC 15.2, 15.4, 15.5"""
    rng = random.Random(SEED)
    desk = mirrored.deployment.address("RedemptionDesk")
    awarded = 0
    with snapshot(mirrored.engine) as connection:
        span = history.span(connection)
        cuts = sorted({span.first.number, span.last.number, *(rng.randrange(1, span.last.number) for _ in range(4))})
        for start, end in pairwise(cuts):
            opening, closing = (history.moment(connection, block) for block in (start, end))
            for token in history.tokens(connection, end):
                moved = movements(connection, token, opening, closing)
                found = liability(connection, brand_id=int(token["brand_id"]), desk=desk, block=end)
                asked = [("totalSupply",), ("balanceOf", desk)]

                assert moved.difference == 0, f"MOA_SEED={SEED}, {token['name']}, {start} to {end}"
                assert [found.outstanding, found.held] == mirrored.said(token["token"], end, asked)
                assert found.outstanding == sum(lot.points for lot in found.buckets)
                for cohort in cohorts(connection, token, closing):
                    assert 0 <= cohort.used <= cohort.entered
                awarded += moved.awarded
    assert awarded > 0


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_an_export_of_the_walk_adds_up_and_holds_every_row_up_to_its_block(
    mirrored: Mirrored, format: str, tmp_path: Path
) -> None:
    """SPEC 15.9, 15.10"""
    with snapshot(mirrored.engine) as connection:
        last = history.span(connection).last.number
        entries = connection.execute(text("SELECT COUNT(*), MAX(block_number) FROM entry")).one()
        for block in {last, entries[1]}:
            folder = tmp_path / str(block)
            written = bundle.write(connection, folder, scope=Scope(block), format=format, chain={"id": "1"})

            _, problems = bundle.check(folder)

            assert problems == [], f"MOA_SEED={SEED}"
            assert {one["dataset"]: one["rows"] for one in written["files"]}["entries"] == entries[0]


def test_what_accounts_had_at_any_block_is_what_the_chain_says(mirrored: Mirrored) -> None:
    """SPEC 8.17, 8.9, 1.6"""
    rng = random.Random(SEED)
    with snapshot(mirrored.engine) as connection:
        last = history.span(connection).last.number
        blocks = sorted({last, *(rng.randrange(1, last) for _ in range(BLOCKS_LOOKED_AT))})
        looked_at = 0
        for token in mirrored.tokens():
            since = connection.execute(
                text("SELECT since_block FROM brand_token WHERE token = :t"), {"t": token}
            ).scalar_one()
            for block in (block for block in blocks if block >= since):
                accounts = dict(history.accounts(connection, token, block))
                said = mirrored.said(
                    token, block, [("balanceOf", account) for account in accounts] + [("totalSupply",)]
                )
                known = [history.points_of(connection, token, account, block) for account in accounts]
                known.append(history.supply(connection, token, block).live)
                assert known == said, f"MOA_SEED={SEED}, block {block}"
                looked_at += len(accounts)
    assert looked_at > 0
