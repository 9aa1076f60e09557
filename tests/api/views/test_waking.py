"""Whom the hub wakes for what it found in the database, and who stays asleep."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.kit.container import State
from api.kit.following import Position
from api.views.errors import StreamsTooMany
from api.views.hub import Hub, News, Subscriber
from chain.base.scalars import Address, BlockHash
from chain.mirror.queries.checkpoint import LIVE, Checkpoint
from chain.mirror.queries.entries import Whose

ADA, BOB = Address("0x" + "01" * 20), Address("0x" + "02" * 20)
MOMENT = Checkpoint(
    chain_id="1337",
    genesis_hash=BlockHash("0x"),
    start_block=0,
    block_number=7,
    block_hash=BlockHash("0x07"),
    block_time=1,
    head_number=7,
    safe_number=7,
    final_number=7,
    generation="0",
    history_from=0,
    state=LIVE,
    reason=None,
    updated_at_ms=1,
    beat_at_ms=None,
    progressed_at_ms=None,
)
BEFORE = News(MOMENT, (), (), False, 4, Position(9), 2)
ASLEEP, WOKEN, CHANGED, AFRESH = (False, False, False), (True, False, False), (True, True, False), (True, True, True)


def at(block: str, generation: str = "0") -> Checkpoint:
    return MOMENT._replace(block_hash=BlockHash(block), generation=generation)


@pytest.fixture
def hub() -> Hub:
    """Four streams at most, two for a member."""
    settings = SimpleNamespace(streams_max=4, streams_per_member_max=2)
    return Hub(cast(State, SimpleNamespace(settings=settings)))


def asleep(hub: Hub, address: str) -> Subscriber:
    """A stream that has told all that there was."""
    found = hub.join(address)
    found.changed = found.afresh = False
    return found


def seen(subscriber: Subscriber) -> tuple[bool, bool, bool]:
    return subscriber.wake.is_set(), subscriber.changed, subscriber.afresh


@pytest.mark.parametrize(
    ("news", "ada", "bob"),
    [
        ({}, ASLEEP, ASLEEP),
        ({"entries": [Whose(5, ADA)]}, CHANGED, ASLEEP),
        ({"asked": [(9, BOB)]}, ASLEEP, CHANGED),
        ({"asked": [(9, BOB)], "entries": [Whose(5, ADA)]}, CHANGED, CHANGED),
        ({"moment": at("0x08")}, WOKEN, WOKEN),
        ({"moment": at("0x08"), "entries": [Whose(5, ADA)]}, CHANGED, WOKEN),
        ({"everyone": True}, CHANGED, CHANGED),
        ({"reorg_last": 3}, AFRESH, AFRESH),
        ({"moment": at("0x08", "1"), "everyone": True}, AFRESH, AFRESH),
        ({"moment": at("0x07", "1")}, AFRESH, AFRESH),
    ],
)
def test_news_wake_whom_they_concern_and_a_block_alone_changes_no_view(
    hub: Hub, news: dict[str, Any], ada: tuple[bool, ...], bob: tuple[bool, ...]
) -> None:
    """SPEC 9.13"""
    streams = asleep(hub, ADA), asleep(hub, BOB)

    hub._tell(BEFORE, replace(BEFORE, **news))

    assert [seen(each) for each in streams] == [ada, bob]


def test_the_first_look_wakes_all_and_tells_nothing(hub: Hub) -> None:
    """SPEC 9.13"""
    stream = asleep(hub, ADA)
    hub._tell(None, replace(BEFORE, entries=[Whose(5, ADA)], everyone=True))
    assert seen(stream) == WOKEN


def test_what_was_to_be_told_is_not_forgotten_by_a_later_block(hub: Hub) -> None:
    """SPEC 9.13"""
    stream = asleep(hub, ADA)
    for news in ({"reorg_last": 3}, {"moment": at("0x09")}):
        hub._tell(BEFORE, replace(BEFORE, **cast(dict[str, Any], news)))
    assert seen(stream) == AFRESH


def test_streams_are_counted_for_each_member_and_for_all(hub: Hub) -> None:
    """SPEC 9.13"""
    mine = [hub.join(ADA), hub.join(ADA)]
    with pytest.raises(StreamsTooMany):
        hub.join(ADA)
    others = [hub.join(BOB), hub.join(BOB)]
    with pytest.raises(StreamsTooMany):
        hub.join("0x03")

    for _ in range(2):
        hub.leave(mine[0])
    hub.join("0x03")
    with pytest.raises(StreamsTooMany):
        hub.join("0x04")
    for stream in others:
        hub.leave(stream)
    assert [hub.join(ADA).addresses, hub.join("0x04").addresses] == [(ADA,), ("0x04",)]
    with pytest.raises(StreamsTooMany):
        hub.join("0x05")


def test_the_hub_looks_only_while_anyone_listens(hub: Hub) -> None:
    """SPEC 9.13"""
    assert not hub._wanted.is_set()
    first, second = hub.join(ADA), hub.join(ADA)
    hub.leave(first)
    assert hub._wanted.is_set()
    hub.leave(second)
    assert not hub._wanted.is_set()
    assert hub.moment is None
