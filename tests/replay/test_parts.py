"""The replay's parts by themselves: acts, packing, base amounts, operations, and a made-up chain."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.contracts.codec import EventLog
from chain.model.desk import Hold, HoldState
from chain.model.rules import BASE_AMOUNT_MAX, Rounding, RuleKind
from chain.replay import Replay, replay
from chain.replay.acts import Reader
from chain.replay.awards import base_amount
from chain.replay.decoding.packing import pack, unpack
from chain.replay.evidence import assigned
from chain.replay.operations import Operations
from chain.replay.state import StateInvalid
from chain.replay.tokens import NO_WORDS, word_of, written
from tests.replay.told import FACTS, RULE, START, TOKEN, Item, Told, address

AMOUNT = st.integers(min_value=1, max_value=2**48 - 1)


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"format":"moa-replay/0"}', b'{"format":"moa-replay/2"}'])
def test_what_is_no_state_is_refused(text: bytes) -> None:
    """SPEC 12.21: a file that was cut or changed is no state."""
    with pytest.raises(StateInvalid):
        Replay.restore(FACTS, text)


@pytest.mark.parametrize("field", ["place", "books", "differences", "doubts"])
def test_a_state_without_a_part_is_refused(field: str) -> None:
    """SPEC 12.21: every part is needed."""
    told = Told()
    state = replay(told.blocks, FACTS).state()

    with pytest.raises(StateInvalid):
        Replay.restore(FACTS, state.replace(f'"{field}"'.encode(), b'"other"'))


@pytest.mark.parametrize("off_s", [-1, 1])
def test_a_tokens_origin_is_the_second_of_its_invitation(off_s: int) -> None:
    """SPEC 12.14: what no event says is proven from storage, and held against the invitation"""
    told = Told()
    proven = FACTS.terms(TOKEN)
    other = replace(FACTS, terms=lambda token: replace(proven, origin=proven.origin + off_s))

    honest, shifted = replay(told.blocks, FACTS), replay(told.blocks, other)

    assert honest.found == 0
    assert [(one.what, one.rule) for one in shifted.differences] == [("origin of a token", "1.3")]


def test_a_hold_is_packed_and_unpacked_to_the_same() -> None:
    """Enums, big numbers and dicts with numbers as keys."""
    hold = Hold(address(5), 2, HoldState.CAPTURED, 2**52, 7, 3, 2**60, {5: 1, 327_679: 2**48 - 1})

    assert unpack(Hold, pack(hold)) == hold
    with pytest.raises((TypeError, ValueError)):
        unpack(Hold, pack(hold)[:-1])


@given(numerator=AMOUNT, denominator=AMOUNT, rounding=st.sampled_from(list(Rounding)), points=AMOUNT)
def test_a_refusals_points_lead_back_to_a_base_amount(
    numerator: int, denominator: int, rounding: Rounding, points: int
) -> None:
    """SPEC 2.9: the smallest base amount that gives at least these points."""
    terms = replace(RULE, numerator=numerator, denominator=denominator, rounding=rounding)

    base = base_amount(terms, points)

    assert terms.points(base) >= points or base == BASE_AMOUNT_MAX
    assert base == 0 or terms.points(base - 1) < points
    assert base_amount(replace(RULE, kind=RuleKind.FIXED), points) == 0


@given(st.sets(st.tuples(st.integers(1, 3), st.integers(0, 2**256 - 1) | st.integers(0, 600))))
def test_operations_are_a_set(ids: set[tuple[int, int]]) -> None:
    """SPEC 2.15"""
    found = Operations()
    for each in ids:
        found.add(each)

    assert set(found) == ids
    assert len(found) == len(ids)
    assert (4, 1) not in found


def test_a_bare_tag_empties_its_place() -> None:
    """As LotsChanged says it: the word of group 5 lies where group 1's lay."""
    words = written(NO_WORDS, [1 << 240 | 7, 2 << 240 | 9])

    assert words == (0, 1 << 240 | 7, 2 << 240 | 9, 0)
    assert written(words, [5 << 240]) == (0, 0, 2 << 240 | 9, 0)


def test_lots_that_only_the_model_took_are_given_back_when_the_chain_is_followed() -> None:
    """SPEC 12.18: after a lie about a lot the model burns another one than the chain; that was told twice"""
    token, member = Told().books.token(1), address(90)
    first, second, third = 3, 11, 16  # Of three words; the model takes of the last one.
    token._mint(member, {first: 50, second: 20, third: 40}, START)
    token.before.clear()
    token._burn(member, {second: 5, third: 6}, START)
    said = [word_of(0, {first: 44}), word_of(2, {second: 15})]

    token.retract(member, token.before[member], said)
    token.accept(member, said, START)

    assert token.lots_of(member, START) == {first: 44, second: 15, third: 40}
    assert token.supply_by_expiry(START) == {first: 44, second: 15, third: 40}
    assert token.words[member] == written(NO_WORDS, [*said, word_of(third // 5, {third: 40})])


def test_a_made_up_chain_is_cut_into_acts_and_replayed() -> None:
    """SPEC 2.16"""
    told = Told()
    told.award(Item(1, 1, address(90), 100), Item(2, 1, address(91), 3), Item(1, 1, address(92), 5))

    acts = Reader(FACTS.desk).acts(told.blocks[-1].logs)
    found = replay(told.blocks[:-1], FACTS)

    assert [act.kind for act in acts] == ["Awarded"]
    assert found.found == 0
    assert found.books.rules.rules[1][0].spent == 0


def test_an_event_of_a_contract_that_nobody_invited_is_told_once() -> None:
    """SPEC 6.4"""
    told = Told()
    told.award(Item(1, 1, address(90), 100))
    block = told.blocks[-1]
    stray = replace(block, logs=[replace(log, address=address(0x99)) for log in block.logs])

    found = replay([*told.blocks[:-1], stray, replace(stray, number=stray.number + 1)], FACTS)

    assert found.found == 1
    assert "unknown contract" in found.differences[0].what


def test_lots_follow_their_transfer_in_whichever_order_a_members_awards_were_minted() -> None:
    """SPEC 12.15"""

    def log(name: str, **args: str) -> EventLog:
        return EventLog(7, "0x07", "0x01", 0, 0, TOKEN, name, name, args)

    member = address(3)
    awards = [log("Awarded", member=member, operationId=str(number), points=str(10 * number)) for number in (1, 2)]
    moves = [
        log("Transfer", to=member, value="20"),
        log("LotsChanged", account=member, words="second"),
        log("Transfer", to=member, value="10"),
        log("LotsChanged", account=member, words="first"),
    ]

    found, left = assigned(awards, moves)

    assert [[one.args["words"] for one in each.lots] for each in found] == [["first"], ["second"]]
    assert [[one.args["value"] for one in each.transfers] for each in found] == [["10"], ["20"]]
    assert left == []
