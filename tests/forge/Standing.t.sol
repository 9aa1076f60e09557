// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IBrandAccess} from "../../contracts/interfaces/IBrandAccess.sol";
import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {ILoyaltyToken} from "../../contracts/interfaces/ILoyaltyToken.sol";
import {IPartnerRegistry} from "../../contracts/interfaces/IPartnerRegistry.sol";
import {IRewardRules} from "../../contracts/interfaces/IRewardRules.sol";
import {Roles} from "../../contracts/libraries/Roles.sol";
import {World} from "./support/World.sol";

/// @title Announced calls that can be retracted, changes that give notice, and collateral that a switch holds back.
contract StandingTest is World {
    uint64 private immutable OWNER = Roles.id(CAFE, Roles.OWNER);
    address private immutable SLOW = address(0x510);
    bytes private call_;

    function setUp() public {
        build();
        vm.prank(owner(CAFE));
        manager.grantRole(OWNER, SLOW, 1 days);
        call_ = abi.encodeCall(IPartnerRegistry.setMetadata, (CAFE, "new"));
    }

    function _announce() private returns (bytes32 callHash) {
        vm.prank(SLOW);
        callHash = registry.announce(OWNER, call_);
    }

    function _made() private returns (bool made) {
        vm.prank(SLOW);
        (made,) = address(registry).call(call_);
    }

    /// @notice SPEC 6.13: the guardian, the owner and the caller itself retract an announced call; nobody else does.
    function test_an_announced_call_is_retracted_by_guardian_owner_or_caller() public {
        address[3] memory may = [guardian(CAFE), owner(CAFE), SLOW];
        for (uint256 i = 0; i < may.length; ++i) {
            bytes32 callHash = _announce();
            vm.prank(MALLORY);
            vm.expectRevert(
                abi.encodeWithSelector(
                    IBrandAccess.RoleMissing.selector, MALLORY, Roles.id(CAFE, Roles.GUARDIAN)
                )
            );
            registry.retract(SLOW, OWNER, call_);
            vm.prank(guardian(BOOKS));
            vm.expectPartialRevert(IBrandAccess.RoleMissing.selector);
            registry.retract(SLOW, OWNER, call_);
            vm.warp(block.timestamp + 1 days);
            vm.prank(may[i]);
            vm.assertEq(registry.retract(SLOW, OWNER, call_), callHash, "this call");
            vm.assertEq(registry.readyAt(callHash), 0, "gone");
            vm.assertFalse(_made(), "a retracted call was made");
            vm.prank(may[i]);
            vm.expectRevert(abi.encodeWithSelector(IBrandAccess.CallNotAnnounced.selector, callHash));
            registry.retract(SLOW, OWNER, call_);
        }
    }

    /// @notice SPEC 6.13: Moa's own announced calls have Moa's guardian's veto.
    function test_moas_guardian_retracts_the_operators_announced_call() public {
        address operator = address(0x511);
        manager.grantRole(Roles.OPERATOR, operator, 1 days);
        bytes memory data = abi.encodeCall(IPartnerRegistry.suspend, (CAFE));
        vm.prank(operator);
        registry.announce(Roles.OPERATOR, data);
        vm.prank(guardian(CAFE));
        vm.expectPartialRevert(IBrandAccess.RoleMissing.selector);
        registry.retract(operator, Roles.OPERATOR, data);
        vm.prank(MOA_GUARDIAN);
        registry.retract(operator, Roles.OPERATOR, data);
        vm.warp(block.timestamp + 1 days);
        vm.prank(operator);
        (bool made,) = address(registry).call(data);
        vm.assertFalse(made, "a retracted call was made");
    }

    /// @notice SPEC 6.14: whoever loses a role loses what it announced, also when the role is given again.
    function test_an_announcement_ends_with_its_role() public {
        _announce();
        vm.startPrank(owner(CAFE));
        manager.revokeRole(OWNER, SLOW);
        vm.warp(block.timestamp + 1 days);
        manager.grantRole(OWNER, SLOW, 1 days);
        vm.stopPrank();
        vm.assertFalse(_made(), "an announcement outlived its role");
        _announce();
        vm.warp(block.timestamp + 1 days);
        vm.assertTrue(_made(), "a new announcement serves");
    }

    /// @notice SPEC 6.6: a treasury waits a week, one at a time; the guardian or the owner takes it back.
    function test_a_treasury_waits_and_can_be_taken_back() public {
        address place = address(0x7EA);
        vm.prank(guardian(CAFE));
        vm.expectPartialRevert(IBrandAccess.RoleMissing.selector);
        registry.announceTreasury(CAFE, place);
        vm.startPrank(owner(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IPartnerRegistry.AddressMissing.selector, "treasury"));
        registry.announceTreasury(CAFE, address(0));
        vm.expectRevert(abi.encodeWithSelector(IPartnerRegistry.TreasuryUnfit.selector, address(house)));
        registry.announceTreasury(CAFE, address(house));
        uint256 at = registry.announceTreasury(CAFE, place);
        vm.expectRevert(abi.encodeWithSelector(IPartnerRegistry.TreasuryPending.selector, place, at));
        registry.announceTreasury(CAFE, MALLORY);
        vm.stopPrank();
        vm.warp(at - 1);
        vm.assertEq(registry.brandOf(CAFE).treasury, treasury(CAFE), "not yet");
        vm.prank(MALLORY);
        vm.expectPartialRevert(IBrandAccess.RoleMissing.selector);
        registry.withdrawTreasury(CAFE);
        vm.prank(guardian(CAFE));
        registry.withdrawTreasury(CAFE);
        vm.prank(guardian(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IPartnerRegistry.NoTreasuryPending.selector, CAFE));
        registry.withdrawTreasury(CAFE);
        vm.warp(at);
        vm.assertEq(registry.brandOf(CAFE).treasury, treasury(CAFE), "taken back");
        vm.prank(owner(CAFE));
        at = registry.announceTreasury(CAFE, place);
        vm.warp(at);
        vm.assertEq(registry.brandOf(CAFE).treasury, place, "by itself");
        vm.prank(owner(CAFE));
        registry.announceTreasury(CAFE, MALLORY);
        vm.assertEq(registry.brandOf(CAFE).treasury, place, "the next one waits as well");
    }

    /// @notice SPEC 5.4: while a switch is thrown no collateral leaves, and a withdrawal names where it goes.
    function test_a_withdrawal_waits_for_every_switch_and_names_its_destination() public {
        collateral(CAFE, 1_000);
        vm.prank(treasurer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.TreasuryOther.selector, MALLORY, treasury(CAFE)));
        house.withdraw(CAFE, 1, MALLORY);
        vm.prank(guardian(CAFE));
        registry.stop(CAFE);
        _frozen();
        vm.prank(owner(CAFE));
        registry.resume(CAFE);
        vm.prank(MOA_GUARDIAN);
        registry.stopByMoa(CAFE);
        _frozen();
        vm.prank(OPERATOR);
        registry.resumeByMoa(CAFE);
        vm.prank(MOA_GUARDIAN);
        registry.stopAll();
        _frozen();
        vm.prank(OPERATOR);
        registry.resumeAll();
        // A brand that is suspended for good takes home what is its own.
        vm.prank(OPERATOR);
        registry.suspend(CAFE);
        vm.prank(treasurer(CAFE));
        house.withdraw(CAFE, 1_000, treasury(CAFE));
        vm.assertEq(won.balanceOf(treasury(CAFE)), 1_000, "home");
    }

    function _frozen() private {
        vm.prank(treasurer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.WithdrawalFrozen.selector, CAFE));
        house.withdraw(CAFE, 1, treasury(CAFE));
    }

    /// @notice SPEC 1.22: a looser policy holds at once, a tighter one after a week; either takes a waiting one's place.
    function test_tightening_a_transfer_policy_gives_notice() public {
        address ann = members[0];
        award(CAFE, publish(CAFE, rateRule(1, 1, IRewardRules.Rounding.Down)), 1, ann, 100);
        vm.prank(owner(CAFE));
        token(CAFE).setPolicy(ILoyaltyToken.Policy.Closed);
        (ILoyaltyToken.Policy waits, uint256 at) = token(CAFE).pendingPolicy();
        vm.assertTrue(waits == ILoyaltyToken.Policy.Closed && at == block.timestamp + 7 days, "announced");
        vm.warp(at - 1);
        vm.prank(ann);
        token(CAFE).transfer(members[1], 1);
        vm.warp(at);
        vm.prank(ann);
        vm.expectPartialRevert(ILoyaltyToken.TransferNotAllowed.selector);
        token(CAFE).transfer(members[1], 1);
        vm.assertTrue(token(CAFE).terms().policy == ILoyaltyToken.Policy.Closed, "in force");
        vm.prank(owner(CAFE));
        token(CAFE).setPolicy(ILoyaltyToken.Policy.Open);
        vm.prank(ann);
        token(CAFE).transfer(members[1], 1);
        vm.prank(owner(CAFE));
        token(CAFE).setPolicy(ILoyaltyToken.Policy.AllowList);
        vm.prank(owner(CAFE));
        token(CAFE).setPolicy(ILoyaltyToken.Policy.Open);
        (, at) = token(CAFE).pendingPolicy();
        vm.assertEq(at, 0, "a looser one takes a waiting one's place");
        vm.warp(block.timestamp + 8 days);
        award(CAFE, 1, 2, ann, 100);
        vm.prank(ann);
        token(CAFE).transfer(members[1], 1);
        vm.assertEq(token(CAFE).terms().epochSeconds, 1 days, "the other terms are as they were");
        vm.assertEq(token(CAFE).terms().brandId, CAFE, "and the brand");
    }

    /// @notice SPEC 1.22: whoever is taken off the list of receivers is on it for a week more.
    function test_taking_an_account_off_the_list_gives_notice() public {
        address ann = members[0];
        award(BOOKS, publish(BOOKS, rateRule(1, 1, IRewardRules.Rounding.Down)), 1, ann, 100);
        vm.startPrank(owner(BOOKS));
        token(BOOKS).setAllowed(members[2], false);
        uint256 until = block.timestamp + 7 days;
        vm.assertEq(token(BOOKS).allowedUntil(members[2]), until, "a week");
        vm.warp(block.timestamp + 1 days);
        token(BOOKS).setAllowed(members[2], false);
        vm.assertEq(token(BOOKS).allowedUntil(members[2]), until, "said again, no longer");
        vm.stopPrank();
        vm.warp(until - 1);
        vm.assertTrue(token(BOOKS).isAllowed(members[2]), "still");
        vm.warp(until);
        vm.assertFalse(token(BOOKS).isAllowed(members[2]), "no longer");
        vm.prank(owner(BOOKS));
        token(BOOKS).setAllowed(members[2], true);
        vm.assertTrue(token(BOOKS).isAllowed(members[2]), "at once");
    }
}
