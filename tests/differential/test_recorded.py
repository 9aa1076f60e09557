"""The model makes the recorded steps again: every step says what the contracts said, without a node."""

from collections import Counter
from dataclasses import replace

import pytest

from chain.model.ledger import Ledger, Parties
from tests.differential.compare import check
from tests.differential.recorded import found, kept, recorded
from tests.differential.steps import apply
from tests.differential.world import Made

# What the walks of seed 7 met when they were recorded.
CALLS_LEAST = {"ledger": 45, "programme": 12, "votes": 20}
REFUSALS_LEAST = {"ledger": 60, "programme": 15, "votes": 20}


@pytest.fixture(scope="module")
def walks() -> dict[str, tuple[Parties, list[Made]]]:
    return recorded()


@pytest.mark.parametrize("walk", ["ledger", "programme", "votes"])
def test_the_model_says_of_every_recorded_step_what_the_contracts_said(
    walks: dict[str, tuple[Parties, list[Made]]], walk: str
) -> None:
    """SPEC 1-6, 16-18: when a rule changed on purpose, record the walks anew (recorded.py)."""
    parties, steps = walks[walk]
    ledger = Ledger(parties)

    for made in steps:
        expected = apply(ledger, made.step, made.data)
        check(f"error of {made.step}", expected.error, made.outcome.error)
        for contract in sorted({*expected.facts, *made.outcome.facts}):
            check(f"{contract} in {made.step}", expected.facts.get(contract), made.outcome.facts.get(contract))

    calls = Counter(made.step.function for made in steps if made.outcome.error is None)
    refusals = Counter(made.outcome.error[0] for made in steps if made.outcome.error)
    print(calls.most_common(), refusals.most_common())
    assert len(calls) >= CALLS_LEAST[walk]
    assert len(refusals) >= REFUSALS_LEAST[walk]
    for brand_id, token in ledger.tokens.items():
        at = steps[-1].step.at
        owned = sum(token.balance_of(account, at) for account in token.accounts)
        assert owned == token.total_supply(at), brand_id


def test_a_step_is_kept_and_found_again(walks: dict[str, tuple[Parties, list[Made]]]) -> None:
    """What is kept is the step, to the last field; a class of elsewhere is not made."""
    for _, steps in walks.values():
        assert kept(steps[-1]) == kept(replace(steps[-1]))
    with pytest.raises(AssertionError, match="cannot be kept"):
        kept(object())
    with pytest.raises(AssertionError, match="os:system"):
        found({"class": "os:system", "fields": {}})
