"""The tables of states: what they forbid, and that they are drawn as they are."""

import re
from pathlib import Path

import pytest

from chain.base.errors import TransitionForbidden
from chain.outbox.transitions import OPERATION, TRANSACTION, Steps

README = Path(__file__).resolve().parents[3] / "chain" / "README.md"
BOTH = [OPERATION, TRANSACTION]


@pytest.mark.parametrize("steps", BOTH, ids=lambda steps: steps.noun)
def test_only_the_steps_of_the_table_are_allowed(steps: Steps):
    """SPEC 7.7"""
    for before in steps.steps:
        for after in steps.steps:
            if after in steps.steps[before]:
                steps.check(before, after)
                assert before in steps.before(after)
            else:
                with pytest.raises(TransitionForbidden):
                    steps.check(before, after)
                assert before not in steps.before(after)


@pytest.mark.parametrize("steps", BOTH, ids=lambda steps: steps.noun)
def test_the_drawing_shows_the_table(steps: Steps):
    """SPEC 7.7"""
    section = README.read_text().split(f"### States of {'an' if steps.noun[0] == 'o' else 'a'} {steps.noun}")[1]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", section.split("###")[0], re.MULTILINE)
    assert {before: frozenset(re.findall(r"`(\w+)`", after)) for before, after in rows} == dict(steps.steps)
