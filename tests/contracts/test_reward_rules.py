"""RewardRules: what an award needs, what it pays, and what it leaves."""

import pytest
from brownie import web3

from tests.contracts.world import (
    DAY,
    FOREVER,
    HOUR,
    ISSUER,
    LOT_MAX,
    NOBODY,
    OWNER,
    at,
    award,
    awarded,
    invite,
    later,
    now,
    plain,
    publish,
    refused,
    rule_terms,
)

DOWN, NEAREST, UP = 0, 1, 2
FIXED = 1
BASE_MAX = 2**96 - 1


def item(brand, member, base=100, operation=1, rule=None):
    return (operation, rule or brand.rule, getattr(member, "address", member), base)


def refusal(world, event) -> str:
    """The name of the error that an AwardRefused carries."""
    data = bytes(event["reason"])
    for entry in world.rules.abi:
        if entry["type"] == "error":
            types = ",".join(field["type"] for field in entry["inputs"])
            if web3.keccak(text=f"{entry['name']}({types})")[:4] == data[:4]:
                return entry["name"]
    raise AssertionError(f"no error of RewardRules begins with {data[:4].hex()}")


# Who may


def test_only_an_issuer_awards_and_only_for_the_brand(world, member, third_party):
    """SPEC 2.7, 6.11"""
    role = world.cafe.role(ISSUER)
    for caller in (third_party, world.shop.owner, world.operator, world.moa_guardian):
        with refused("RoleMissing", caller, role):
            world.rules.award.call(world.cafe.id, item(world.cafe, member), {"from": caller})
        with refused("RoleMissing", caller, role):
            world.rules.awardBatch.call(world.cafe.id, [item(world.cafe, member)], {"from": caller})


def test_only_the_owner_publishes_and_changes_rules(world, third_party):
    """SPEC 2.2, 2.3, 2.5"""
    for caller in (third_party, world.shop.owner, world.operator):
        with refused("RoleMissing", caller, world.cafe.role(OWNER)):
            world.rules.publish.call(world.cafe.id, rule_terms(), {"from": caller})
        with refused("RoleMissing", caller, world.cafe.role(OWNER)):
            world.rules.announceChange.call(world.cafe.id, 1, rule_terms(), {"from": caller})
        with refused("RoleMissing", caller, world.cafe.role(OWNER)):
            world.rules.withdrawChange.call(world.cafe.id, 1, {"from": caller})


def test_a_brand_that_is_not_issuing_awards_nothing(world, member):
    """SPEC 2.7, 6.1"""
    guest = invite(world, "Guest", "GST", world.accounts[4], active=False)
    rule = publish(world, guest)
    call = {"from": guest.issuer}
    with refused("BrandUnknown", 99):
        world.rules.award.call(99, item(guest, member, rule=rule), call)
    with refused("BrandNotIssuing", guest.id, 1, False, False):
        world.rules.award.call(guest.id, item(guest, member, rule=rule), call)

    world.registry.activate(guest.id, {"from": world.operator})
    world.rules.award.call(guest.id, item(guest, member, rule=rule), call)
    world.registry.stop(guest.id, {"from": guest.guardian})
    with refused("BrandNotIssuing", guest.id, 2, True, False):
        world.rules.award.call(guest.id, item(guest, member, rule=rule), call)
    world.registry.resume(guest.id, {"from": guest.owner})
    world.registry.stopAll({"from": world.moa_guardian})
    with refused("BrandNotIssuing", guest.id, 2, False, True):
        world.rules.awardBatch.call(guest.id, [item(guest, member, rule=rule)], call)


# What an item needs


def test_an_operation_id_counts_once_over_single_and_batch_and_all_rules(world, member):
    """SPEC 2.15"""
    second = publish(world, world.cafe)
    sender = {"from": world.cafe.issuer}
    world.rules.award(world.cafe.id, item(world.cafe, member, operation=300), sender)
    with refused("OperationUsed", world.cafe.id, 300):
        world.rules.award.call(world.cafe.id, item(world.cafe, member, operation=300, rule=second), sender)

    twice = [item(world.cafe, member, operation=operation) for operation in (300, 301, 301, 2**255, 301)]
    events = world.rules.awardBatch(world.cafe.id, twice, sender).events

    assert [event["operationId"] for event in events["Awarded"]] == [301, 2**255]
    assert [refusal(world, event) for event in events["AwardRefused"]] == ["OperationUsed"] * 3
    assert world.cafe.token.balanceOf(member.address) == 300
    assert world.rules.isOperationUsed(world.cafe.id, 2**255)
    assert not world.rules.isOperationUsed(world.shop.id, 301)
    award(world, world.shop, member, 5)


@pytest.mark.parametrize("who", ["nobody", "desk", "token"])
def test_points_are_not_awarded_where_no_member_is(world, who):
    """SPEC 2.8"""
    to = {"nobody": NOBODY, "desk": world.desk.address, "token": world.cafe.token.address}[who]
    with refused("MemberInvalid", to):
        world.rules.award.call(world.cafe.id, item(world.cafe, to), {"from": world.cafe.issuer})


def test_a_rule_counts_from_its_start_until_before_its_end(world, member):
    """SPEC 2.8"""
    start, end = now() + 100, now() + 200
    rule = publish(world, world.cafe, start=start, end=end)
    call = {"from": world.cafe.issuer}
    for second, counts in ((start - 1, False), (start, True), (end - 1, True), (end, False)):
        at(second)
        if counts:
            assert world.rules.award.call(world.cafe.id, item(world.cafe, member, rule=rule), call) == 100
        else:
            with refused("RuleNotInForce", start, end, second):
                world.rules.award.call(world.cafe.id, item(world.cafe, member, rule=rule), call)
    with refused("RuleUnknown", world.cafe.id, 99):
        world.rules.award.call(world.cafe.id, item(world.cafe, member, rule=99), call)


def test_a_base_amount_is_bounded_so_that_nothing_overflows(world, member):
    """SPEC 2.8, 2.9"""
    tiny = publish(world, world.cafe, numerator=1, denominator=2**48 - 1, rounding=UP)
    huge = publish(world, world.cafe, numerator=2**48 - 1, rounding=NEAREST)
    call = {"from": world.cafe.issuer}
    for base in (BASE_MAX + 1, 10**40, 2**256 - 1):
        with refused("BaseAmountTooLarge", base, BASE_MAX):
            world.rules.award.call(world.cafe.id, item(world.cafe, member, base, rule=tiny), call)
    points = BASE_MAX * (2**48 - 1)
    with refused("AwardTooLarge", points, LOT_MAX):
        world.rules.award.call(world.cafe.id, item(world.cafe, member, BASE_MAX, rule=huge), call)
    assert world.rules.award.call(world.cafe.id, item(world.cafe, member, 2**60, rule=tiny), call) == 4097


def test_the_budget_is_never_exceeded_and_may_be_used_up(world, member):
    """SPEC 2.12"""
    rule = publish(world, world.cafe, budget=150)
    sender = {"from": world.cafe.issuer}
    world.rules.award(world.cafe.id, item(world.cafe, member, 100, 1, rule), sender)
    with refused("BudgetExceeded", 51, 50):
        world.rules.award.call(world.cafe.id, item(world.cafe, member, 51, 2, rule), sender)

    events = world.rules.awardBatch(
        world.cafe.id, [item(world.cafe, member, base, 10 + base, rule) for base in (40, 11, 10, 0, 1)], sender
    ).events

    assert [awarded(event)["points"] for event in events["Awarded"]] == [40, 10, 0]
    assert [refusal(world, event) for event in events["AwardRefused"]] == ["BudgetExceeded"] * 2
    assert world.rules.ruleOf(world.cafe.id, rule)[2] == 150


def test_a_members_cap_a_day_refuses_what_goes_beyond_and_begins_anew_at_midnight(world, member, other):
    """SPEC 2.11"""
    rule = publish(world, world.cafe, day_cap=100)
    at((now() // DAY + 1) * DAY)
    sender = {"from": world.cafe.issuer}
    events = world.rules.awardBatch(
        world.cafe.id,
        [
            item(world.cafe, member, 60, 1, rule),
            item(world.cafe, member, 41, 2, rule),
            item(world.cafe, other, 100, 3, rule),
            item(world.cafe, member, 40, 4, rule),
        ],
        sender,
    ).events
    assert [event["operationId"] for event in events["Awarded"]] == [1, 3, 4]
    assert world.rules.spentToday(world.cafe.id, rule, member.address) == 100

    at((now() // DAY + 1) * DAY - 1)
    with refused("MemberCapExceeded", 1, 0):
        world.rules.award.call(world.cafe.id, item(world.cafe, member, 1, 9, rule), sender)
    at(now() + 1)
    assert world.rules.award.call(world.cafe.id, item(world.cafe, member, 100, 9, rule), sender) == 100


# What it pays


@pytest.mark.parametrize(
    ("rounding", "base", "points"),
    [
        (DOWN, 1, 0),
        (DOWN, 3, 1),
        (DOWN, 5, 2),
        (NEAREST, 1, 1),
        (NEAREST, 2, 1),
        (NEAREST, 3, 2),
        (UP, 1, 1),
        (UP, 4, 2),
    ],
)
def test_rounding_is_as_named(world, member, rounding, base, points):
    """SPEC 2.9: half a point for each unit"""
    rule = publish(world, world.cafe, numerator=1, denominator=2, rounding=rounding)
    assert world.rules.quote(world.cafe.id, item(world.cafe, member, base, rule=rule))[0] == points


def test_a_cap_for_each_award_cuts_and_a_fixed_rule_ignores_the_base(world, member):
    """SPEC 2.9, 2.10"""
    capped = publish(world, world.cafe, cap=70)
    fixed = publish(world, world.cafe, kind=FIXED, numerator=25)
    call = {"from": world.cafe.issuer}
    assert world.rules.award.call(world.cafe.id, item(world.cafe, member, 71, rule=capped), call) == 70
    assert world.rules.award.call(world.cafe.id, item(world.cafe, member, BASE_MAX, rule=capped), call) == 70
    assert world.rules.award.call(world.cafe.id, item(world.cafe, member, 0, rule=fixed), call) == 25


def test_an_award_of_nothing_counts_and_moves_nothing(world, member):
    """SPEC 2.13"""
    tx = world.rules.award(world.cafe.id, item(world.cafe, member, 0, operation=5), {"from": world.cafe.issuer})

    assert awarded(tx.events["Awarded"])["points"] == 0
    assert "Transfer" not in tx.events
    assert world.rules.isOperationUsed(world.cafe.id, 5)


def test_in_a_batch_a_bad_item_fails_alone_and_keeps_its_id(world, member, other):
    """SPEC 2.14, 2.16"""
    items = [
        item(world.cafe, member, 10, 1),
        item(world.cafe, NOBODY, 10, 2),
        item(world.cafe, other, 20, 3, rule=77),
        item(world.cafe, other, BASE_MAX + 1, 4),
        item(world.cafe, other, 30, 5),
    ]

    tx = world.rules.awardBatch(world.cafe.id, items, {"from": world.cafe.issuer})

    assert [event["operationId"] for event in tx.events["Awarded"]] == [1, 5]
    assert [(event["operationId"], refusal(world, event)) for event in tx.events["AwardRefused"]] == [
        (2, "MemberInvalid"),
        (3, "RuleUnknown"),
        (4, "BaseAmountTooLarge"),
    ]
    assert [event["value"] for event in tx.events["Transfer"]] == [10, 30]
    assert [world.rules.isOperationUsed(world.cafe.id, operation) for operation in range(1, 6)] == [
        True, False, False, False, True,
    ]  # fmt: skip
    assert world.cafe.token.totalSupply() == 40


def test_a_batch_has_one_to_two_hundred_and_fifty_items(world, member):
    """SPEC 2.7"""
    call = {"from": world.cafe.issuer}
    with refused("BatchSizeWrong", 0, 250):
        world.rules.awardBatch.call(world.cafe.id, [], call)
    many = [item(world.cafe, member, 1, operation) for operation in range(251)]
    with refused("BatchSizeWrong", 251, 250):
        world.rules.awardBatch.call(world.cafe.id, many, call)
    assert plain(world.rules.awardBatch.call(world.cafe.id, many[:250], call)) == (250, 250)


def test_rules_take_turns_within_a_batch(world, member, other):
    """SPEC 2.6, 2.14: what is kept in memory for a rule is written before the next is read."""
    double = publish(world, world.cafe, numerator=2)
    items = [
        item(world.cafe, who, 100, operation, rule)
        for operation, (who, rule) in enumerate(
            [(member, world.cafe.rule), (other, double), (member, double), (member, world.cafe.rule)], start=254
        )
    ]

    world.rules.awardBatch(world.cafe.id, items, {"from": world.cafe.issuer})

    assert world.rules.ruleOf(world.cafe.id, world.cafe.rule)[2] == 200
    assert world.rules.ruleOf(world.cafe.id, double)[2] == 400
    assert world.cafe.token.balanceOf(member.address) == 400
    assert all(world.rules.isOperationUsed(world.cafe.id, operation) for operation in range(254, 258))


def test_a_quote_is_what_the_award_does(world, member):
    """SPEC 2.17"""
    rule = publish(world, world.cafe, numerator=3, denominator=7, budget=50)
    for base in (0, 1, 6, 116, 117, 119, BASE_MAX + 1):
        points, version, reason = world.rules.quote(world.cafe.id, item(world.cafe, member, base, rule=rule))
        if not bytes(reason).strip(b"\0"):
            call = world.rules.award.call(
                world.cafe.id, item(world.cafe, member, base, rule=rule), {"from": world.cafe.issuer}
            )
            assert (points, version) == (call, 1)
        else:
            assert points == 0
            assert base >= 119


# Changing a rule


def test_a_change_waits_the_notice_and_awards_cite_the_version_in_force(world, member):
    """SPEC 2.3, 2.4, 2.6"""
    rule = publish(world, world.cafe, budget=1_000, notice=2 * HOUR)
    sender = {"from": world.cafe.owner}
    world.rules.award(world.cafe.id, item(world.cafe, member, 100, 1, rule), sender)
    announced = world.rules.announceChange(world.cafe.id, rule, rule_terms(numerator=2, budget=400), sender)
    in_force_at = announced.events["RuleChangeAnnounced"]["inForceAt"]
    assert in_force_at == announced.timestamp + 2 * HOUR
    with refused("ChangePending", 2, in_force_at):
        world.rules.announceChange.call(world.cafe.id, rule, rule_terms(), sender)

    at(in_force_at - 1)
    assert plain(world.rules.quote(world.cafe.id, item(world.cafe, member, 100, 2, rule))[:2]) == (100, 1)
    assert plain(world.rules.pendingOf(world.cafe.id, rule)[1:]) == (2, in_force_at)
    at(in_force_at)
    assert plain(world.rules.quote(world.cafe.id, item(world.cafe, member, 100, 2, rule))[:2]) == (200, 2)
    assert plain(world.rules.pendingOf(world.cafe.id, rule)[1:]) == (0, 0)
    with refused("NoChangePending", world.cafe.id, rule):
        world.rules.withdrawChange.call(world.cafe.id, rule, sender)

    event = world.rules.award(world.cafe.id, item(world.cafe, member, 100, 2, rule), sender).events["Awarded"]
    assert (awarded(event)["version"], awarded(event)["points"]) == (2, 200)
    terms, version, spent = world.rules.ruleOf(world.cafe.id, rule)
    assert (terms[3], version, spent) == (2, 2, 300)
    with refused("BudgetExceeded", 102, 100):
        world.rules.award.call(world.cafe.id, item(world.cafe, member, 51, 3, rule), sender)


def test_a_withdrawn_change_never_counts_and_its_number_is_not_used_again(world, member):
    """SPEC 2.5"""
    sender = {"from": world.cafe.owner}
    rule = world.cafe.rule
    world.rules.announceChange(world.cafe.id, rule, rule_terms(numerator=9), sender)
    world.rules.withdrawChange(world.cafe.id, rule, sender)
    later(DAY)
    assert plain(world.rules.quote(world.cafe.id, item(world.cafe, member))[:2]) == (100, 1)

    announced = world.rules.announceChange(world.cafe.id, rule, rule_terms(numerator=2), sender)
    assert announced.events["RuleChangeAnnounced"]["version"] == 3


@pytest.mark.parametrize(
    ("field", "terms"),
    [
        ("numerator", {"numerator": 0}),
        ("numerator", {"numerator": 2**48}),
        ("denominator", {"denominator": 0}),
        ("denominator", {"denominator": 2, "kind": FIXED}),
        ("capPerAward", {"cap": 2**48}),
        ("capPerMemberDay", {"day_cap": 2**48}),
        ("budget", {"budget": 2**56}),
        ("end", {"start": 5, "end": 5}),
        ("end", {"end": FOREVER + 1}),
        ("noticeSeconds", {"notice": HOUR - 1}),
        ("noticeSeconds", {"notice": 365 * DAY + 1}),
        ("returnWindow", {"window": 365 * DAY + 1}),
        ("returnWindow", {"window": 3 * DAY + 1}),
        ("lockSeconds", {"lock": 365 * DAY + 1}),
        ("dayStart", {"day_start": DAY}),
        ("secondAbove", {"second_above": 1}),
    ],
)
def test_terms_outside_their_bounds_are_refused_by_name(world, field, terms):
    """SPEC 2.1"""
    with refused("RuleTermsInvalid", field):
        world.rules.publish.call(world.cafe.id, rule_terms(**terms), {"from": world.cafe.owner})
