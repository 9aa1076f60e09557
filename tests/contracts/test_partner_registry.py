"""PartnerRegistry and authority: brands, their standing, the switches, roles and delays."""

import pytest

from tests.contracts.world import (
    CLOSED,
    DAY,
    GUARDIAN,
    HOUR,
    ISSUER,
    MOA_GUARDIAN,
    NOBODY,
    OPERATOR,
    OWNER,
    TILL,
    TREASURER,
    at,
    award,
    invite,
    later,
    plain,
    publish,
    refused,
    rule_terms,
)

INVITED, ACTIVE, SUSPENDED = 1, 2, 3
HASH = "0x" + "11" * 32


def invitation(world, **change):
    """An invitation with single fields changed."""
    fields = {
        "name": "New", "symbol": "NEW", "epoch": DAY, "lifetime": 3, "grace": 0, "policy": CLOSED,
        "owner": world.accounts[4], "treasury": world.accounts[4], "hash": HASH,
    }  # fmt: skip
    return tuple({**fields, **change}.values())


# Inviting


def test_only_the_operator_invites_activates_and_suspends(world, third_party):
    """SPEC 6.4, 6.5"""
    for caller in (third_party, world.cafe.owner, world.moa_guardian):
        frm = {"from": caller}
        for call in (
            lambda frm=frm: world.registry.invite.call(invitation(world), frm),
            lambda frm=frm: world.registry.activate.call(world.cafe.id, frm),
            lambda frm=frm: world.registry.suspend.call(world.cafe.id, frm),
            lambda frm=frm: world.registry.seal.call((NOBODY,) * 5, frm),
            lambda frm=frm: world.registry.resumeByMoa.call(world.cafe.id, frm),
            lambda frm=frm: world.registry.resumeAll.call(frm),
        ):
            with refused("RoleMissing", caller, OPERATOR):
                call()


@pytest.mark.parametrize(
    ("error", "field", "change"),
    [
        ("AddressMissing", "owner", {"owner": NOBODY}),
        ("AddressMissing", "treasury", {"treasury": NOBODY}),
        ("TermsInvalid", "name", {"name": ""}),
        ("TermsInvalid", "name", {"name": "n" * 65}),
        ("TermsInvalid", "symbol", {"symbol": "s" * 17}),
        ("TermsInvalid", "epochSeconds", {"epoch": HOUR - 1}),
        ("TermsInvalid", "epochSeconds", {"epoch": 366 * DAY + 1}),
        ("TermsInvalid", "lifetimeEpochs", {"lifetime": 16}),
        ("TermsInvalid", "graceSeconds", {"grace": 15 * DAY + 1}),
        ("TermsInvalid", "graceSeconds", {"lifetime": 0, "grace": 1}),
    ],
)
def test_an_invitation_outside_its_bounds_is_refused_by_name(world, error, field, change):
    """SPEC 1.2, 6.4"""
    with refused(error, field):
        world.registry.invite.call(invitation(world, **change), {"from": world.operator})


def test_moas_contracts_are_named_once_and_before_any_brand(world):
    """SPEC 6.3, 6.4"""
    fresh = world.build.PartnerRegistry.deploy(world.manager, {"from": world.operator})
    operator = {"from": world.operator}
    with refused("NotSealed"):
        fresh.invite.call(invitation(world), operator)
    with refused("AddressMissing", "clearingHouse"):
        fresh.seal.call((fresh, fresh, fresh, fresh, NOBODY), operator)
    with refused("AlreadySealed"):
        world.registry.seal.call((fresh,) * 5, operator)


def test_an_invited_brand_has_its_token_and_its_owner_and_may_not_issue(world, third_party):
    """SPEC 6.1, 6.4"""
    tx = world.registry.invite(invitation(world, owner=third_party), {"from": world.operator})
    event = tx.events["BrandInvited"]
    brand_id = event["brandId"]

    assert brand_id == world.registry.brandCount() == 3
    assert plain(world.registry.brandOf(brand_id)) == (
        event["token"], INVITED, False, False, world.accounts[4].address, HASH,
    )  # fmt: skip
    assert world.registry.brandIdOf(event["token"]) == brand_id
    assert not world.registry.isIssuing(brand_id)
    assert [world.manager.hasRole(brand_id * 256 + kind, third_party)[0] for kind in range(1, 6)] == [
        True, False, False, False, False,
    ]  # fmt: skip
    with refused("BrandUnknown", brand_id + 1):
        world.registry.brandOf(brand_id + 1)


def test_a_brand_goes_from_invited_to_active_to_suspended_and_back(world):
    """SPEC 6.5"""
    brand = invite(world, "New", "NEW", world.accounts[4], active=False)
    operator = {"from": world.operator}
    with refused("BrandStatusWrong", brand.id, INVITED):
        world.registry.suspend.call(brand.id, operator)
    world.registry.activate(brand.id, operator)
    with refused("BrandStatusWrong", brand.id, ACTIVE):
        world.registry.activate.call(brand.id, operator)
    world.registry.suspend(brand.id, operator)
    with refused("BrandStatusWrong", brand.id, SUSPENDED):
        world.registry.suspend.call(brand.id, operator)
    assert not world.registry.isIssuing(brand.id)
    world.registry.activate(brand.id, operator)
    assert world.registry.isIssuing(brand.id)
    with refused("BrandUnknown", 99):
        world.registry.activate.call(99, operator)


def test_the_owner_sets_the_page_and_announces_a_treasury(world, third_party):
    """SPEC 6.6"""
    for caller in (third_party, world.operator, world.shop.owner):
        with refused("RoleMissing", caller, world.cafe.role(OWNER)):
            world.registry.announceTreasury.call(world.cafe.id, third_party, {"from": caller})
        with refused("RoleMissing", caller, world.cafe.role(OWNER)):
            world.registry.setMetadata.call(world.cafe.id, HASH, {"from": caller})
        with refused("RoleMissing", caller, world.cafe.role(OWNER)):
            world.registry.withdrawTreasury.call(world.cafe.id, {"from": caller})
    owner = {"from": world.cafe.owner}
    with refused("AddressMissing", "treasury"):
        world.registry.announceTreasury.call(world.cafe.id, NOBODY, owner)
    with refused("TreasuryUnfit", world.house):
        world.registry.announceTreasury.call(world.cafe.id, world.house, owner)
    with refused("NoTreasuryPending", world.cafe.id):
        world.registry.withdrawTreasury.call(world.cafe.id, owner)
    announced = world.registry.announceTreasury(world.cafe.id, third_party, owner)
    in_force_at = announced.events["TreasuryAnnounced"]["inForceAt"]
    assert in_force_at == announced.timestamp + 7 * DAY
    with refused("TreasuryPending", third_party, in_force_at):
        world.registry.announceTreasury.call(world.cafe.id, world.operator, owner)
    world.registry.setMetadata(world.cafe.id, "0x" + "22" * 32, owner)
    assert plain(world.registry.brandOf(world.cafe.id))[4:] == (world.cafe.owner.address, "0x" + "22" * 32)
    at(in_force_at)
    assert plain(world.registry.brandOf(world.cafe.id))[4] == third_party.address


# Switches


def test_each_switch_has_its_own_hand_and_stops_issuing(world, third_party):
    """SPEC 6.7"""
    registry, brand = world.registry, world.cafe
    with refused("RoleMissing", third_party, brand.role(GUARDIAN)):
        registry.stop.call(brand.id, {"from": third_party})
    with refused("RoleMissing", world.operator, MOA_GUARDIAN):
        registry.stopByMoa.call(brand.id, {"from": world.operator})
    with refused("RoleMissing", brand.guardian, MOA_GUARDIAN):
        registry.stopAll.call({"from": brand.guardian})
    with refused("RoleMissing", third_party, brand.role(OWNER)):
        registry.resume.call(brand.id, {"from": third_party})

    for stop, resume in (
        (
            lambda: registry.stop(brand.id, {"from": brand.guardian}),
            lambda: registry.resume(brand.id, {"from": brand.owner}),
        ),
        (
            lambda: registry.stopByMoa(brand.id, {"from": world.moa_guardian}),
            lambda: registry.resumeByMoa(brand.id, {"from": world.operator}),
        ),
        (
            lambda: registry.stopAll({"from": world.moa_guardian}),
            lambda: registry.resumeAll({"from": world.operator}),
        ),
    ):
        stop()
        stop()
        assert not registry.isIssuing(brand.id)
        resume()
        assert registry.isIssuing(brand.id)


def test_one_switch_does_not_put_another_back(world):
    """SPEC 6.1"""
    registry, brand = world.registry, world.cafe
    registry.stop(brand.id, {"from": brand.guardian})
    registry.stopByMoa(brand.id, {"from": world.moa_guardian})
    registry.resumeByMoa(brand.id, {"from": world.operator})
    assert not registry.isIssuing(brand.id)
    assert registry.isIssuing(world.shop.id)


# Roles and delays


def test_the_owner_grants_and_revokes_the_brands_roles_and_no_others(world, third_party, member):
    """SPEC 6.8"""
    brand, manager = world.cafe, world.manager
    manager.grantRole(brand.role(ISSUER), third_party, 0, {"from": brand.owner})
    world.rules.award(brand.id, (1, brand.rule, member.address, 5), {"from": third_party})
    manager.revokeRole(brand.role(ISSUER), third_party, {"from": brand.owner})
    with refused("RoleMissing", third_party, brand.role(ISSUER)):
        world.rules.award.call(brand.id, (2, brand.rule, member.address, 5), {"from": third_party})
    for role in (world.shop.role(ISSUER), OPERATOR, MOA_GUARDIAN, 0):
        with pytest.raises(Exception, match="AccessManagerUnauthorizedAccount"):
            manager.grantRole.call(role, third_party, 0, {"from": brand.owner})


def test_a_delayed_role_announces_its_call_and_waits(world, third_party):
    """SPEC 6.9"""
    brand, rules = world.cafe, world.rules
    world.manager.grantRole(brand.role(OWNER), third_party, 2 * HOUR, {"from": brand.owner})
    data = rules.publish.encode_input(brand.id, rule_terms())
    sender = {"from": third_party}
    with refused("CallNotAnnounced"):
        rules.publish.call(brand.id, rule_terms(), sender)
    with refused("RoleMissing", world.accounts[8], brand.role(OWNER)):
        rules.announce.call(brand.role(OWNER), data, {"from": world.accounts[8]})

    event = rules.announce(brand.role(OWNER), data, sender).events["CallAnnounced"]
    ready = event["readyAt"]
    assert rules.readyAt(event["callHash"]) == ready
    at(ready - 1)
    with refused("CallNotReady"):
        rules.publish.call(brand.id, rule_terms(), sender)
    at(ready)
    rules.publish.call(brand.id, rule_terms(), sender)
    with refused("CallNotAnnounced"):
        rules.publish.call(brand.id, rule_terms(numerator=2), sender)
    at(ready + 7 * DAY - 1)
    rules.publish.call(brand.id, rule_terms(), sender)
    at(ready + 7 * DAY)
    with refused("CallExpired"):
        rules.publish.call(brand.id, rule_terms(), sender)


def test_an_announcement_serves_one_call(world, third_party):
    """SPEC 6.9"""
    brand, rules = world.cafe, world.rules
    world.manager.grantRole(brand.role(OWNER), third_party, HOUR, {"from": brand.owner})
    rules.announce(brand.role(OWNER), rules.publish.encode_input(brand.id, rule_terms()), {"from": third_party})
    later(HOUR)
    rules.publish(brand.id, rule_terms(), {"from": third_party})
    with refused("CallNotAnnounced"):
        rules.publish.call(brand.id, rule_terms(), {"from": third_party})


def test_a_guardian_with_a_delay_stops_at_once(world, third_party):
    """SPEC 6.9"""
    brand = world.cafe
    world.manager.grantRole(brand.role(GUARDIAN), third_party, 10 * DAY, {"from": brand.owner})
    world.registry.stop(brand.id, {"from": third_party})
    assert not world.registry.isIssuing(brand.id)


def test_a_new_treasurer_waits_a_day_once_the_brand_is_five_days_old(world, third_party):
    """SPEC 6.10"""
    brand = world.cafe
    later(5 * DAY)
    world.manager.grantRole(brand.role(TREASURER), third_party, 0, {"from": brand.owner})
    assert not world.manager.hasRole(brand.role(TREASURER), third_party)[0]
    later(DAY)
    assert world.manager.hasRole(brand.role(TREASURER), third_party)[0]
    assert world.manager.hasRole(brand.role(TILL), brand.till)[0]


def test_a_brands_people_have_no_power_over_another_brand(world, member):
    """SPEC 6.11"""
    rule = publish(world, world.shop)
    award(world, world.shop, member, 10)
    with refused("RoleMissing", world.cafe.owner, world.shop.role(ISSUER)):
        world.rules.award.call(world.shop.id, (9, rule, member.address, 5), {"from": world.cafe.owner})
