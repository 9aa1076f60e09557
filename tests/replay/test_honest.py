"""The differential walk's chains, replayed: honest contracts leave no difference, and the books end like storage."""

import os
import random
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from chain.devnet.supervisor import Ganache
from chain.node.rpc import Rpc
from chain.replay import Replay, replay
from chain.replay.decoding.packing import pack
from tests.differential.run import run
from tests.differential.walk import Walk
from tests.differential.world import TwoSides
from tests.replay.chain_of import blocks_of, facts_of
from tests.replay.conftest import RANDOM_SEED, Walked
from tests.replay.told import FACTS, Item, Told, address

GANACHE_STEPS = int(os.environ.get("MOA_REPLAY_GANACHE_STEPS", "12"))
MORE_STEPS_MAX = 200
CUT_EVERY = 5
EVENTS_A_SECOND = 100_000 / 30
# What the story and the walk leave at every seed; the rest comes with most.
EVERY_EVENT = frozenset(
    [
        "Awarded",
        "AwardRefused",
        "Transfer",
        "LotsChanged",
        "Left",
        "Approval",
        "HoldPlaced",
        "HoldCaptured",
        "HoldReleased",
        "HoldRefunded",
        "HoldPaid",
        "Exchanged",
        "PaidAtPartner",
        "Unwound",
        "AgreementProposed",
        "AgreementAccepted",
        "ChangeProposed",
        "ChangeAccepted",
        "AgreementEnding",
        "CollateralDeposited",
        "CollateralWithdrawn",
        "ObligationBooked",
        "ObligationReduced",
        "PeriodNetted",
        "PositionSettled",
        "PeriodSettled",
        "ClaimPaid",
        "BrandDefaulted",
        "DefaultCured",
        "RulePublished",
        "RuleChangeAnnounced",
        "ModulesSealed",
        "BrandInvited",
        "BrandActivated",
        "BrandSwitched",
        "AllSwitched",
        "AuthorisationCancelled",
        "RoleGranted",
        "RoleAdminChanged",
        "RoleGuardianChanged",
        "RoleGrantDelayChanged",
        "PolicyChanged",
    ]
)


@pytest.mark.parametrize("transactions", [False, True], ids=["events alone", "with transactions"])
def test_an_honest_chain_is_replayed_without_a_difference(walked: Walked, transactions: bool) -> None:
    """SPEC 12.14, 12.15, 12.16: events alone, and with the transactions behind them"""
    found = replay(walked.blocks if transactions else walked.events_only, walked.facts)

    assert found.found == 0, "\n".join(map(str, found.differences[:5]))
    assert set(found.counts) >= EVERY_EVENT, sorted(EVERY_EVENT - set(found.counts))
    assert set(found.third_parties) <= {walked.stage.world.cast.wallet}, (
        "only the smart wallet signs by no key of its own"
    )


def test_the_books_end_like_the_contracts_storage(walked: Walked) -> None:
    """SPEC 1.6, 5.15: the words of every account and every supply, as they are stored"""
    found = replay(walked.events_only, walked.facts)

    assert {token: found.supply(token) for token in walked.supplies} == walked.supplies
    for (token, account), words in walked.lots.items():
        assert found.lots(token).get(account, (0, 0, 0, 0)) == words


def test_the_books_end_like_the_model_that_made_the_steps(walked: Walked) -> None:
    """SPEC 12.4: the model of chapters 1 to 6"""
    found = replay(walked.blocks, walked.facts).books
    model = walked.stage.world.ledger

    assert pack(found.desk.holds) == pack(model.desk.holds)
    assert pack(found.exchanges.records) == pack(model.exchanges.records)
    assert pack(found.registry.brands) == pack(model.registry.brands)
    assert pack(found.clearing.statements) == pack(model.clearing.statements)
    for debtor in model.tokens:
        assert pack(found.clearing.account_of(debtor)) == pack(model.clearing.account_of(debtor))
        for creditor in model.tokens:
            assert found.clearing.obligation_of(debtor, creditor) == model.clearing.obligation_of(debtor, creditor)
    for brand_id, rules in model.rules.rules.items():
        assert [rule.spent for rule in found.rules.rules[brand_id]] == [rule.spent for rule in rules]
    assert set(found.operations) == model.rules.used


def test_a_replay_cut_at_any_block_ends_like_the_whole(walked: Walked) -> None:
    """SPEC 12.21, 12.12: a finished audit is continued"""
    whole = replay(walked.blocks, walked.facts).state()
    going = Replay(walked.facts)

    for number, block in enumerate(walked.blocks):
        if number % CUT_EVERY == 0:
            before = going.state()
            going = Replay.restore(walked.facts, before)
            assert going.state() == before, block.number
        going.block(block.number, block.time, block.logs, block.sent)

    assert going.state() == whole


def go_on_until_awarded(world: TwoSides) -> None:
    """A short walk may award nothing: one seed in some twenty did."""
    walk = Walk(world, random.Random(RANDOM_SEED + 1))
    for _ in range(MORE_STEPS_MAX):
        told = [name for made in world.record for said in made.outcome.facts.values() for name, _ in said]
        if "Awarded" in told:
            return
        world.do(walk.next(world.record[-1].step.at))


@pytest.mark.slow
def test_the_same_on_ganache(tmp_path: Path) -> None:
    """SPEC 12.14: on the default node"""
    print(f"MOA_SEED={RANDOM_SEED}")
    with Ganache(tmp_path) as node, closing(Rpc(node.url)) as rpc:
        world = run(rpc, node.chain_id, seed=RANDOM_SEED, steps=GANACHE_STEPS, anvil=False)
        go_on_until_awarded(world)
        blocks, facts = blocks_of(rpc, world.chain, calldata=True), facts_of(world.chain)
        alone = replay([replace(block, sent={}) for block in blocks], facts)
        whole = replay(blocks, facts)

    assert (alone.found, whole.found) == (0, 0), "\n".join(map(str, [*alone.differences, *whole.differences][:5]))
    assert Counter(whole.counts)["Awarded"] > 0


@pytest.mark.slow
def test_twenty_thousand_events_are_replayed_at_the_pace_of_an_audit() -> None:
    """100,000 events in 30 seconds on one core"""
    told = Told()
    for batch in range(51):
        first = 200 * batch
        told.award(*(Item(first + place, 1, address(1_000 + first + place), 10 + place) for place in range(1, 201)))
    events = sum(len(block.logs) for block in told.blocks)
    began = time.process_time()

    found = replay(told.blocks, FACTS)

    pace = events / (time.process_time() - began)
    print(f"{events} events, {pace:.0f} a second")
    assert found.found == 0
    assert events > 20_000
    assert pace > EVENTS_A_SECOND
