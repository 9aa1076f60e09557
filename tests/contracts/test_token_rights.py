"""LoyaltyToken: policy, signatures, leaving, and the published storage."""

import pytest
from brownie import web3
from eth_abi import encode
from eth_account import Account

from tests.contracts.world import (
    ALLOW_LIST,
    CLOSED,
    DAY,
    FOREVER,
    NOBODY,
    OPEN,
    OWNER,
    award,
    domain,
    later,
    now,
    refused,
    sign,
)


@pytest.fixture
def token(world, member):
    """The cafe's points, of which the member has 100."""
    award(world, world.cafe, member, 100)
    return world.cafe.token


def transfer(world, token, member, to, points=10, nonce=1, deadline=FOREVER, signature=None):
    """Arguments of a signed transfer."""
    values = (member.address, to, points, nonce, deadline)
    return (*values, signature or sign(member, token, "TransferAuthorisation", *values))


def leaving(token, member, wallet, nonce=1, deadline=FOREVER):
    """Arguments of a leave, signed by both."""
    values = (member.address, wallet.address, nonce, deadline)
    return (*values, sign(member, token, "Leave", *values), sign(wallet, token, "Leave", *values))


# Policy


def test_closed_points_move_only_through_moa(world, token, member, other, third_party):
    """SPEC 1.15, 1.22"""
    token.setPolicy(CLOSED, {"from": world.cafe.owner})
    later(7 * DAY)

    with refused("TransferNotAllowed", third_party, other, CLOSED):
        token.transfer.call(other.address, 0, {"from": third_party})
    with refused("TransferNotAllowed", member, other, CLOSED):
        token.transferWithAuthorisation.call(*transfer(world, token, member, other.address), {"from": third_party})


def test_listed_receivers_only(world, token, member, other, third_party):
    """SPEC 1.15"""
    token.setPolicy(ALLOW_LIST, {"from": world.cafe.owner})
    later(7 * DAY)
    award(world, world.cafe, member, 100)
    signed = transfer(world, token, member, other.address)
    with refused("TransferNotAllowed", member, other, ALLOW_LIST):
        token.transferWithAuthorisation.call(*signed, {"from": third_party})

    token.setAllowed(other.address, True, {"from": world.cafe.owner})
    token.transferWithAuthorisation(*signed, {"from": third_party})

    assert token.isAllowed(other.address)
    assert token.balanceOf(other.address) == 10


def test_only_the_brands_owner_sets_policy_and_list(world, token, third_party):
    """SPEC 1.22"""
    for caller in (third_party, world.shop.owner, world.operator):
        with refused("RoleMissing", caller, world.cafe.role(OWNER)):
            token.setPolicy.call(OPEN, {"from": caller})
        with refused("RoleMissing", caller, world.cafe.role(OWNER)):
            token.setAllowed.call(third_party, True, {"from": caller})


# Signed transfers


def test_a_signed_transfer_counts_once_until_its_deadline_and_only_as_signed(world, token, member, other, third_party):
    """SPEC 1.17, 1.19"""
    late = transfer(world, token, member, other.address, deadline=now() - 1)
    with refused("AuthorisationExpired"):
        token.transferWithAuthorisation.call(*late, {"from": third_party})
    values = (member.address, other.address, 11, 1, FOREVER)
    with refused("SignatureInvalid", member):
        wrong = transfer(world, token, member, other.address)[-1]
        token.transferWithAuthorisation.call(*values, wrong, {"from": third_party})
    with refused("SignatureInvalid", member):
        by_other = sign(other, token, "TransferAuthorisation", *values)
        token.transferWithAuthorisation.call(*values, by_other, {"from": third_party})

    signed = transfer(world, token, member, other.address)
    token.transferWithAuthorisation(*signed, {"from": third_party})

    assert token.isNonceUsed(member.address, 1)
    with refused("AuthorisationUsed", member, 1):
        token.transferWithAuthorisation.call(*signed, {"from": third_party})
    assert token.balanceOf(other.address) == 10


def test_it_is_still_valid_in_the_second_of_its_deadline(world, token, member, other, third_party):
    """SPEC 1.19"""
    signed = transfer(world, token, member, other.address, deadline=now())
    token.transferWithAuthorisation.call(*signed, {"from": third_party})
    later(1)
    with refused("AuthorisationExpired", now() - 1, now()):
        token.transferWithAuthorisation.call(*signed, {"from": third_party})


def test_a_signature_for_one_brands_points_is_worth_nothing_for_anothers(world, token, member, other, third_party):
    """SPEC 1.21"""
    award(world, world.shop, member, 100)
    signed = transfer(world, token, member, other.address)

    with refused("SignatureInvalid", member):
        world.shop.token.transferWithAuthorisation.call(*signed, {"from": third_party})


def test_nonces_have_no_order_and_can_be_cancelled(world, token, member, other, third_party):
    """SPEC 1.19, 1.20"""
    for nonce in (2**255, 7, 0, 255, 256):
        token.transferWithAuthorisation(
            *transfer(world, token, member, other.address, points=1, nonce=nonce), {"from": third_party}
        )
    token.cancelAuthorisation(9, {"from": third_party})

    assert token.isNonceUsed(third_party, 9)
    assert not token.isNonceUsed(member.address, 9)
    with refused("AuthorisationUsed", third_party, 9):
        token.cancelAuthorisation.call(9, {"from": third_party})


def test_a_smart_wallet_signs_by_its_own_word(world, member, other, third_party):
    """SPEC 6.11"""
    wallet = world.build.SmartWallet.deploy(member.address, {"from": third_party})
    award(world, world.cafe, wallet.address, 100)
    token = world.cafe.token
    values = (wallet.address, other.address, 10, 1, FOREVER)

    with refused("SignatureInvalid", wallet):
        by_other = sign(other, token, "TransferAuthorisation", *values)
        token.transferWithAuthorisation.call(*values, by_other, {"from": third_party})
    by_owner = sign(member, token, "TransferAuthorisation", *values)
    token.transferWithAuthorisation(*values, by_owner, {"from": third_party})

    assert token.balanceOf(other.address) == 10


# Leaving


def test_leaving_needs_both_signatures_and_something_to_leave_with(world, token, member, other, third_party):
    """SPEC 1.18"""
    values = (member.address, other.address, 1, FOREVER)
    both = leaving(token, member, other)
    with refused("SignatureInvalid", other):
        token.leave.call(*values, both[4], both[4], {"from": third_party})
    with refused("SignatureInvalid", member):
        token.leave.call(*values, both[5], both[5], {"from": third_party})
    with refused("ERC20InvalidReceiver", member):
        token.leave.call(*leaving(token, member, member), {"from": third_party})
    with refused("ERC20InsufficientBalance", other, 0, 1):
        token.leave.call(*leaving(token, other, member), {"from": third_party})
    with refused("AuthorisationExpired"):
        token.leave.call(*leaving(token, member, other, deadline=now() - 1), {"from": third_party})


def test_nothing_keeps_a_member_from_leaving(world, token, member, third_party):
    """SPEC 1.18, 6.2"""
    wallet = Account.from_key("0x" + "c3" * 32)
    token.setPolicy(CLOSED, {"from": world.cafe.owner})
    later(7 * DAY)
    award(world, world.cafe, member, 100)
    later(DAY)
    award(world, world.cafe, member, 50)
    before = token.lotsOf(member.address)
    world.registry.suspend(world.cafe.id, {"from": world.operator})
    world.registry.stopAll({"from": world.moa_guardian})

    tx = token.leave(*leaving(token, member, wallet), {"from": third_party})

    assert token.balanceOf(member.address) == 0
    assert token.lotsOf(wallet.address) == before
    assert dict(tx.events["Left"]) == {"member": member.address, "wallet": wallet.address, "points": 150}
    with refused("AuthorisationUsed", member, 1):
        token.leave.call(*leaving(token, member, wallet), {"from": third_party})


# ERC-2612 and ERC-5267


def test_a_permit_works_on_a_clone_once_and_in_time(world, token, member, third_party):
    """SPEC 1.21"""
    values = (member.address, third_party.address, 40, 0, FOREVER)
    signature = sign(member, token, "Permit", *values)
    v, r, s = signature[64], signature[:32], signature[32:64]
    with refused("ERC2612ExpiredSignature", now() - 1):
        token.permit.call(member.address, third_party, 40, now() - 1, v, r, s, {"from": third_party})

    token.permit(member.address, third_party, 40, FOREVER, v, r, s, {"from": third_party})
    token.transferFrom(member.address, third_party, 40, {"from": third_party})

    assert token.nonces(member.address) == 1
    assert token.balanceOf(third_party) == 40
    with refused("SignatureInvalid", member.address):
        token.permit.call(member.address, third_party, 40, FOREVER, v, r, s, {"from": third_party})


def test_each_clone_has_a_domain_of_its_own(world):
    """SPEC 1.21"""
    one, two = domain(world.cafe.token), domain(world.shop.token)
    assert one == {"name": "Cafe", "version": "1", "chainId": 1337, "verifyingContract": world.cafe.token.address}
    assert one != two
    assert world.cafe.token.DOMAIN_SEPARATOR() != world.shop.token.DOMAIN_SEPARATOR()


# Storage


def raw(token, slot: int) -> int:
    """A storage slot as eth_getProof gives it."""
    proof = web3.provider.make_request("eth_getProof", [token.address, [hex(slot)], "latest"])["result"]
    return int(proof["storageProof"][0]["value"], 16)


def points_of_words(words, clock: int) -> int:
    """Sum of the live lots, from contracts/README alone."""
    total = 0
    for word in words:
        group = word >> 240
        for lot in range(5):
            if clock < group * 5 + lot <= clock + 16:
                total += (word >> (48 * lot)) & (2**48 - 1)
    return total


def test_balances_can_be_read_from_raw_storage(world, token, member, other, third_party):
    """contracts/README, storage layout"""
    for _ in range(5):
        later(DAY)
        award(world, world.cafe, member, 77)
    token.transferWithAuthorisation(*transfer(world, token, member, other.address), {"from": third_party})
    packed = raw(token, 6)
    origin, epoch_seconds = packed & (2**48 - 1), (packed >> 48) & (2**32 - 1)
    clock = (now() - origin) // epoch_seconds

    for who in (member.address, other.address, NOBODY):
        base = int.from_bytes(web3.keccak(encode(["address", "uint256"], [who, 0])), "big")
        assert points_of_words([raw(token, base + i) for i in range(4)], clock) == token.balanceOf(who)
    assert points_of_words([raw(token, 1 + i) for i in range(4)], clock) == token.totalSupply()
    assert (packed >> 80) & 0xFF == 3
    assert (packed >> 88) & (2**32 - 1) == 2 * DAY
    assert (packed >> 120) & 0xFF == OPEN
    assert (packed >> 128) & (2**32 - 1) == world.cafe.id
    used = int.from_bytes(web3.keccak(encode(["address", "uint256"], [member.address, 8])), "big")
    bits = int.from_bytes(web3.keccak(encode(["uint256", "uint256"], [0, used])), "big")
    assert raw(token, bits) == 1 << 1
