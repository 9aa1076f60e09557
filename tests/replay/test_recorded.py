"""The recorded chain: honest, replayed without a node, and of the events that today's contracts leave."""

from collections import defaultdict

import pytest

from chain.replay import replay
from tests.replay.conftest import Walked
from tests.replay.recorded import Recorded


def shapes(blocks: list) -> dict[tuple[str, str], set[tuple[str, ...]]]:
    """The names of the values of each event."""
    found: dict[tuple[str, str], set[tuple[str, ...]]] = defaultdict(set)
    for block in blocks:
        for log in block.logs:
            found[log.contract.split(" ")[0], log.name].add(tuple(log.args))
    return found


@pytest.mark.parametrize("transactions", [False, True], ids=["events alone", "with transactions"])
def test_the_recorded_chain_is_replayed_without_a_difference(chain: Recorded, transactions: bool) -> None:
    """SPEC 12.14, 12.15, 12.16"""
    found = replay(chain.blocks if transactions else chain.events_only, chain.facts)

    assert [str(each) for each in found.differences] == []
    assert found.found == 0


def test_another_transaction_behind_an_event_is_named(chain: Recorded) -> None:
    """SPEC 12.16: the calldata behind the events is read, and not believed."""
    swapped = 0
    for place, block in enumerate(chain.blocks):
        awards = {log.tx_hash for log in block.logs if log.name == "Awarded"}
        if not awards or swapped == 3:
            continue
        swapped += 1
        blocks = list(chain.blocks)
        sent = {
            each: type(one)(one.by, one.to, one.data[:-1] + bytes([one.data[-1] ^ 1])) if each in awards else one
            for each, one in block.sent.items()
        }
        blocks[place] = type(block)(block.number, block.time, block.logs, sent)
        assert replay(blocks, chain.facts).found > 0
    assert swapped == 3


@pytest.mark.slow
def test_the_recorded_chain_is_of_todays_events(chain: Recorded, walked: Walked) -> None:
    """When this fails, `python -m tests.replay.recorded` records it anew."""
    kept, made = shapes(chain.blocks), shapes(walked.blocks)

    assert {key: value for key, value in kept.items() if key in made} == {
        key: value for key, value in made.items() if key in kept
    }
    assert made.keys() <= kept.keys()
