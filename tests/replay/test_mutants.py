"""Each broken contract of tests/mutants on a chain: what the replay says of it.

By its events alone, by its transactions, or only by what the contracts store: the table says which, and by which rule.
"""

from contextlib import closing
from pathlib import Path

import pytest

from chain.devnet.supervisor import Anvil
from chain.node.rpc import Rpc
from chain.replay import replay
from tests.replay.chain_of import blocks_of, facts_of
from tests.replay.conftest import SEED, Walked
from tests.replay.mutants import PATCHES, compiled, mutant, staged
from tests.replay.test_programme_mutants import NAMED

pytestmark = pytest.mark.slow

EVENTS, TRANSACTIONS = "events", "transactions"
# The story shows all but this one, which asks for many days.
WHOLE_WALK = {"stale_word"}
# What these let through shows in no event of the story: each with the reason. forge's tests catch all (tests/mutants).
REFUSES = "the broken contract refuses what the rules allow, which leaves no event"
NOT_SHOWN = {
    "announcement_outlives_role": "nobody loses a role between the announcement of a call and the call",
    "capture_while_stopped": "no till captures later than a day after its brand was stopped",
    "cover_in_part": "the constructor's: the chain is deployed with the whole cover",
    "day_without_return": REFUSES,
    "fee_of_all": "the settlement token takes no fee on top of a transfer",
    "list_at_once": "no account is taken off the list of receivers",
    "minimum_ignored": "no exchange is below its agreement's minimum",
    "netting_makes_room": "nobody exchanges up to the cap while a netting is unsettled",
    "plain_award_beyond_budget": "no batch goes beyond the budget of its rule",
    "points_settle": "the constructor's: the chain is deployed with a token that can settle",
    "policy_at_once": "no transfer policy is tightened",
    "refund_while_stopped": "no till refunds while its brand is stopped",
    "refund_window_at_once": REFUSES,
    "release_renews": REFUSES,
    "return_frees_forgiven": "no event tells what is left of a budget, and no award uses one up",
    "return_of_the_oldest": "no return finds its award's lot too small and two others to choose from",
    "second_is_the_first": "no correction is so large that it needs a second",
    "shortfall_first_come": "the house holds all of the collateral whenever somebody withdraws",
    "skim_collateral": "nobody skims a surplus",
    "treasury_at_once": "no treasury is announced",
    "unwind_latest_first": "what the exchange minted is the latest whenever the story unwinds; the walk may show it",
    "unwind_without_end": "no exchange is unwound after its window",
    "unwind_word_uncancelled": "no word to unwind is cancelled before it is used",
    "veto_by_anyone": "nobody but caller, owner and guardian takes an announced call back",
    "wallet_before_key": REFUSES,
    "withdrawal_not_frozen": "no collateral is withdrawn while a switch is thrown",
}
# Old points, badges and votes, which this story has not; most are shown by one of their own (test_programme_mutants).
PROGRAMME = {
    "action_any": "the vote's call must be one that the governor's list leaves out, carried by both houses",
    "badge_moves": "a gap: nothing reads a badge's Transfer (codec.UNTOLD) or compares its owner with storage",
    "one_house": "a proposal must go on against one house after days of votes",
    "schedule_unchecked": "the lines of an opening must come to more than its schedule",
    "snapshot_omission": "a list that leaves somebody out must be contradicted by the proven supply",
    "snapshot_order": "a list must name an account twice",
}
# These are shown by a longer story, of goods that come back wrongly.
OF_RETURNS = ("proof_of_another_batch", "return_beyond_the_award", "return_twice")
# Mutant: where it shows, a difference that must be among those told, and its rule.
TABLE = {
    "capture_beyond_grace": (EVENTS, "a capture that the rules refuse", "3.5"),
    "capture_late": (EVENTS, "a capture that the rules refuse", "3.5"),
    "claim_paid_twice": (EVENTS, "outstanding of an obligation", "5.5"),
    "debt_not_forgiven": (EVENTS, "owes of a return", "2.26"),
    "debt_paid_twice": (EVENTS, "debt paid by an award", "1.25"),
    "double_refund": (EVENTS, "a refund that the rules refuse", "3.8"),
    "expiry_edge": (EVENTS, "a transfer that the rules refuse", "1.13"),
    "exposure_unchecked": (EVENTS, "an exchange that the rules refuse", "5.5"),
    "fee_rounded_down": (EVENTS, "points out of an exchange", "4.8"),
    "grace_again": (EVENTS, "renewed of a refund", "3.10"),
    "grace_of_an_epoch_more": (EVENTS, "lots of an account", "1.8"),
    "lot_order": (EVENTS, "lots of a hold", "3.3"),
    "missing_role_issuer": (TRANSACTIONS, "an award that the rules refuse", "2.7"),
    "missing_role_mint": (EVENTS, "event Transfer without a cause", "1.11"),
    "missing_role_till": (TRANSACTIONS, "a capture that the rules refuse", "3.5"),
    "netting_sign": (EVENTS, "positions of a statement", "5.9"),
    "obligation_rounded_each": (EVENTS, "obligation of an exchange", "4.8"),
    "proof_of_another_batch": (EVENTS, "a return that the rules refuse", "2.21"),
    "refund_without_end": (EVENTS, "a refund that the rules refuse", "3.16"),
    "repeated_refund": (TRANSACTIONS, "a refund that the rules refuse", "3.8"),
    "return_after_the_whole": (EVENTS, "a return that the rules refuse", "2.23"),
    "return_beyond_the_award": (EVENTS, "a return that the rules refuse", "2.23"),
    "return_by_anyone": (TRANSACTIONS, "a return that the rules refuse", "2.20"),
    "return_late": (EVENTS, "a return that the rules refuse", "2.22"),
    "return_twice": (EVENTS, "a return that the rules refuse", "2.15"),
    "reused_nonce": (TRANSACTIONS, "a transfer that the rules refuse", "1.17"),
    "reused_operation": (EVENTS, "an award that the rules refuse", "2.15"),
    "ring_order": (EVENTS, "lots of an account", "1.8"),
    "rounding_up_exchange": (EVENTS, "points out of an exchange", "4.8"),
    "rounding_up_points": (EVENTS, "points of an award", "2.9"),
    "set_off_forgotten": (EVENTS, "claims of a default", "5.12"),
    "settled_twice": (EVENTS, "a settlement that the rules refuse", "5.11"),
    "stale_word": (EVENTS, None, None),
    "supply_kept": ("storage", None, None),
    "switch_ignored": (EVENTS, "an award that the rules refuse", "2.7"),
    "unchecked_deadline": (TRANSACTIONS, "a transfer that the rules refuse", "1.17"),
    "unwound_twice": (EVENTS, "an unwinding that the rules refuse", "4.13"),
}


def test_every_mutant_is_in_the_table() -> None:
    """A new mutant is looked at here as well, once."""
    assert len(TABLE) + len(NOT_SHOWN) + len(PROGRAMME) + len(NAMED) == len({*TABLE, *NOT_SHOWN, *PROGRAMME, *NAMED})
    assert {*TABLE, *NOT_SHOWN, *PROGRAMME, *NAMED} == {patch.stem for patch in PATCHES.glob("*.patch")}


def test_every_broken_contract_is_named(walked: Walked) -> None:
    """SPEC 12.17, 12.19, 12.20: a contract that broke its own rule is named; where no event shows it, storage does"""
    chain = walked.stage.world.chain
    facts = facts_of(chain)
    silent = []
    for broken in compiled(without={*NOT_SHOWN, *PROGRAMME, *NAMED}):
        if broken.name in OF_RETURNS:
            continue
        walked.stage.play(broken, whole=broken.name in WHOLE_WALK)
        blocks = blocks_of(chain.rpc, chain, calldata=True)
        where, what, rule = TABLE[broken.name]
        whole = replay(blocks, facts)
        found = whole
        if where != TRANSACTIONS:
            found = replay([type(block)(block.number, block.time, block.logs, {}) for block in blocks], facts)
        told = {(each.what, each.rule) for each in found.differences}
        stored = {token: tuple(chain.read(chain.labels[token], "packedSupply")) for token in walked.supplies}
        kept = {token: found.supply(token) for token in walked.supplies}
        print(f"{broken.name:22} {where:13} {found.found:3} differences: {sorted(told)[:3]}")
        named = kept != stored if where == "storage" else bool(told) and (what is None or (what, rule) in told)
        if not named:
            silent.append((broken.name, sorted(told)))
    assert not silent


def test_every_broken_return_is_named(tmp_path: Path) -> None:
    """SPEC 12.17, 2.15, 2.21, 2.23: sent twice, beyond its award, by another award's proof"""
    with Anvil(tmp_path) as node, closing(Rpc(node.url)) as rpc:
        stage = staged(rpc, node.chain_id, seed=SEED, steps=0, returns=True)
        chain = stage.world.chain
        facts = facts_of(chain)
        assert replay(blocks_of(rpc, chain, calldata=True), facts).differences == []
        for name in OF_RETURNS:
            stage.play(mutant(PATCHES / f"{name}.patch"), whole=False)
            found = replay(blocks_of(rpc, chain, calldata=False), facts)
            _, what, rule = TABLE[name]
            assert (what, rule) in {(each.what, each.rule) for each in found.differences}, (name, found.differences)
