// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ILoyaltyToken} from "../../contracts/interfaces/ILoyaltyToken.sol";
import {IAuthorised} from "../../contracts/interfaces/IAuthorised.sol";
import {IBrandAccess} from "../../contracts/interfaces/IBrandAccess.sol";
import {IPartnerRegistry} from "../../contracts/interfaces/IPartnerRegistry.sol";
import {IRedemptionDesk} from "../../contracts/interfaces/IRedemptionDesk.sol";
import {IRewardRules} from "../../contracts/interfaces/IRewardRules.sol";
import {Roles} from "../../contracts/libraries/Roles.sol";
import {Signing} from "./support/Signing.sol";

/// @title Holds, captures, releases and refunds at their edges.
contract DeskTest is Signing {
    uint256 private rule;
    address private ann;

    function setUp() public {
        build();
        rule = publish(CAFE, rateRule(1, 1, IRewardRules.Rounding.Down));
        ann = members[0];
        award(CAFE, rule, 1, ann, 100);
    }

    function _hold(uint256 points, uint256 nonce, uint256 lasts) private returns (bytes32) {
        IRedemptionDesk.HoldRequest memory request = IRedemptionDesk.HoldRequest(
            ann, CAFE, points, "cup", block.timestamp + lasts, nonce, block.timestamp
        );
        return desk.hold(request, sign(keys[0], address(desk), holdHash(request)));
    }

    function _capture(bytes32 id, uint256 points) private {
        vm.prank(till(CAFE));
        desk.capture(id, points);
    }

    /// @notice SPEC 3: held points are not spendable, and are shown apart.
    function test_held_points_are_set_aside() public {
        _hold(60, 1, 1 hours);
        vm.assertEq(token(CAFE).balanceOf(ann), 40, "free");
        vm.assertEq(desk.heldOf(CAFE, ann), 60, "held");
        vm.assertEq(token(CAFE).totalSupply(), 100, "owned");
    }

    /// @notice SPEC 3: a refund counts once, and never above what was captured.
    function test_a_refund_counts_once_and_never_above_the_capture() public {
        bytes32 id = _hold(60, 1, 1 hours);
        _capture(id, 50);
        vm.prank(till(CAFE));
        desk.refund(id, 30, 0);
        vm.prank(till(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.RefundOutOfDate.selector, 0, 30));
        desk.refund(id, 20, 0);
        vm.prank(till(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.RefundExceedsCapture.selector, 21, 20));
        desk.refund(id, 21, 30);
        vm.prank(till(CAFE));
        desk.refund(id, 20, 30);
        vm.prank(till(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.RefundExceedsCapture.selector, 1, 0));
        desk.refund(id, 1, 50);
        vm.assertEq(token(CAFE).balanceOf(ann), 100, "everything came back, once");
    }

    /// @notice SPEC 3: refunded lots are the newest captured, with their own expiry.
    function test_a_refund_gives_the_newest_captured_lots_back() public {
        vm.warp(block.timestamp + 2 days);
        award(CAFE, rule, 2, ann, 100);
        uint256 young = token(CAFE).expiryEpochOfMint();
        bytes32 id = _hold(150, 1, 1 hours);
        _capture(id, 150);
        vm.prank(till(CAFE));
        desk.refund(id, 60, 0);
        ILoyaltyToken.Lot[] memory lots = token(CAFE).lotsOf(ann);
        vm.assertEq(lots[0].expiryEpoch, young - 2, "ten of the older came back last");
        vm.assertEq(lots[0].points, 10, "ten");
        vm.assertEq(lots[1].points, 100, "the newest are whole again");
    }

    /// @notice SPEC 3: captured at most what is held, once, and until the last second.
    function test_a_capture_is_once_within_the_hold_and_in_time() public {
        bytes32 id = _hold(60, 1, 1 hours);
        vm.prank(till(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.CaptureExceedsHold.selector, 61, 60));
        desk.capture(id, 61);
        vm.warp(block.timestamp + 1 hours);
        _capture(id, 60);
        vm.prank(till(CAFE));
        vm.expectRevert(
            abi.encodeWithSelector(IRedemptionDesk.HoldStateWrong.selector, id, IRedemptionDesk.State.Captured)
        );
        desk.capture(id, 1);
        bytes32 late = _hold(10, 2, 1 hours);
        uint256 until = block.timestamp + 1 hours;
        vm.warp(until + 1);
        vm.prank(till(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.HoldOver.selector, late, until));
        desk.capture(late, 10);
    }

    /// @notice SPEC 3: nobody but the brand's till captures and refunds; a stranger releases after the deadline only.
    function test_only_the_till_acts_before_the_deadline_and_anyone_releases_after_it() public {
        bytes32 id = _hold(60, 1, 1 hours);
        uint64 role = Roles.id(CAFE, Roles.TILL);
        vm.startPrank(till(BOOKS));
        vm.expectRevert(abi.encodeWithSelector(IBrandAccess.RoleMissing.selector, till(BOOKS), role));
        desk.capture(id, 10);
        vm.expectRevert(abi.encodeWithSelector(IBrandAccess.RoleMissing.selector, till(BOOKS), role));
        desk.refund(id, 10, 0);
        vm.expectPartialRevert(IRedemptionDesk.HoldRunning.selector);
        desk.release(id);
        vm.warp(block.timestamp + 1 hours);
        vm.expectPartialRevert(IRedemptionDesk.HoldRunning.selector);
        desk.release(id);
        vm.warp(block.timestamp + 1);
        desk.release(id);
        vm.stopPrank();
        vm.assertEq(token(CAFE).balanceOf(ann), 100, "back");
    }

    /* EXPIRY IS NOT OPTIONAL */

    /// @notice SPEC 3.7: a release gives the same lots with their own expiry; what expired while held is gone, grace or not.
    function test_a_release_gives_no_new_life() public {
        uint256 ends = token(CAFE).lotsOf(ann)[0].expiresAt;
        for (uint256 round = 1; round <= 62; ++round) {
            vm.warp(ends - 1);
            bytes32 id = _hold(60, round, 1);
            vm.warp(block.timestamp + 2);
            desk.release(id);
            ILoyaltyToken.Lot[] memory lots = token(CAFE).lotsOf(ann);
            if (lots.length == 0) return;
            ends = lots[0].expiresAt;
        }
        vm.assertTrue(false, "62 rounds of a hold and a stranger's release kept points alive");
    }

    /// @notice SPEC 3.13: what a part capture leaves comes back with its own expiry too.
    function test_the_rest_of_a_capture_gets_no_new_life() public {
        vm.warp(token(CAFE).lotsOf(ann)[0].expiresAt - 10);
        bytes32 id = _hold(60, 1, 1 hours);
        vm.warp(block.timestamp + 20);
        _capture(id, 10);
        vm.assertEq(token(CAFE).balanceOf(ann), 0, "fifty that had ended stay gone");
    }

    /// @notice SPEC 3.5: a lot may be captured until its end and the grace, to the second, and no longer.
    function test_a_capture_after_a_lots_end_and_grace_is_refused() public {
        uint256 ends = token(CAFE).lotsOf(ann)[0].expiresAt;
        vm.warp(ends - 1);
        bytes32 first = _hold(30, 1, 90 days);
        bytes32 second = _hold(30, 2, 90 days);
        vm.warp(ends + 2 days - 1);
        _capture(first, 30);
        vm.warp(ends + 2 days);
        vm.prank(till(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.CaptureTooLate.selector, second, 30, 0));
        desk.capture(second, 30);
    }

    /// @notice SPEC 3.5: with no grace a till captures nothing that has ended.
    function test_without_grace_nothing_that_ended_is_captured() public {
        uint256 other = publish(BOOKS, rateRule(1, 1, IRewardRules.Rounding.Down));
        award(BOOKS, other, 1, ann, 100);
        IRedemptionDesk.HoldRequest memory request =
            IRedemptionDesk.HoldRequest(ann, BOOKS, 100, "cup", block.timestamp + 90 days, 1, block.timestamp);
        vm.prank(ann);
        bytes32 id = desk.hold(request, "");
        vm.warp(token(BOOKS).lotsOf(address(desk))[0].expiresAt);
        vm.prank(till(BOOKS));
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.CaptureTooLate.selector, id, 1, 0));
        desk.capture(id, 1);
    }

    /// @notice SPEC 3.6: of a hold with lots too late and lots in time the oldest in time are captured, the rest lapses.
    function test_a_capture_passes_over_lots_that_are_too_late() public {
        vm.warp(block.timestamp + 5 days);
        award(CAFE, rule, 2, ann, 100);
        ILoyaltyToken.Lot[] memory lots = token(CAFE).lotsOf(ann);
        vm.warp(lots[0].expiresAt - 1);
        bytes32 id = _hold(200, 1, 90 days);
        vm.warp(lots[0].expiresAt + 2 days);
        vm.prank(till(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.CaptureTooLate.selector, id, 101, 100));
        desk.capture(id, 101);
        _capture(id, 40);
        vm.assertEq(token(CAFE).balanceOf(ann), 60, "the young lot's rest is back");
        vm.assertEq(token(CAFE).lotsOf(ann)[0].expiresAt, lots[1].expiresAt, "with its own expiry");
        vm.assertEq(token(CAFE).balanceOf(address(desk)), 0, "the desk keeps nothing");
    }

    /// @notice SPEC 3.14: a refund renews within the lot's end and grace: never past them, not by a second.
    function testFuzz_a_refunds_grace_is_counted_to_the_second(uint256 late) public {
        uint256 ends = token(CAFE).lotsOf(ann)[0].expiresAt;
        vm.warp(ends - 1);
        bytes32 id = _hold(60, 1, 1 hours);
        _capture(id, 60);
        late = bound(late, 0, 4 days);
        vm.warp(ends + late);
        vm.prank(till(CAFE));
        desk.refund(id, 60, 0);
        ILoyaltyToken.Lot[] memory lots = token(CAFE).lotsOf(ann);
        if (late < 2 days) {
            vm.assertEq(lots[0].points, 60, "within the grace");
            vm.assertLe(lots[0].expiresAt, ends + 2 days, "and never longer than the grace");
        } else {
            vm.assertEq(lots.length, 0, "after the grace nothing comes back");
        }
    }

    /// @notice SPEC 3.14: a lot has its grace once: points that grace renewed lapse when their new end has passed.
    function test_a_lots_grace_is_given_once() public {
        vm.warp(token(CAFE).lotsOf(ann)[0].expiresAt - 1);
        bytes32 id = _hold(60, 1, 1 hours);
        _capture(id, 60);
        vm.warp(block.timestamp + 1);
        vm.prank(till(CAFE));
        desk.refund(id, 60, 0);
        vm.warp(token(CAFE).lotsOf(ann)[0].expiresAt - 1);
        id = _hold(60, 2, 1 hours);
        _capture(id, 60);
        vm.warp(block.timestamp + 1);
        vm.prank(till(CAFE));
        desk.refund(id, 60, 0);
        vm.assertEq(token(CAFE).balanceOf(ann), 0, "no second grace");
    }

    /* A TILL'S POWER IS BOUNDED */

    /// @notice SPEC 3.16: a refund comes within the window that its capture carries, or not at all.
    function test_a_refund_is_refused_after_its_captures_window() public {
        bytes32 id = _hold(60, 1, 1 hours);
        _capture(id, 60);
        uint256 until = block.timestamp + 90 days;
        vm.assertEq(desk.holdOf(id).refundUntil, until, "the capture carries it");
        vm.warp(until);
        vm.prank(till(CAFE));
        desk.refund(id, 1, 0);
        vm.warp(until + 1);
        vm.prank(till(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.RefundOver.selector, id, until));
        desk.refund(id, 1, 1);
        vm.warp(block.timestamp + 3_650 days);
        vm.prank(till(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.RefundOver.selector, id, until));
        desk.refund(id, 1, 1);
    }

    /// @notice SPEC 3.17: the window is the brand's published terms; a change waits, and reaches no earlier capture.
    function test_a_refund_window_changes_with_notice_and_for_later_captures_only() public {
        bytes32 before = _hold(10, 1, 30 days);
        _capture(before, 10);
        vm.prank(till(CAFE));
        vm.expectPartialRevert(IBrandAccess.RoleMissing.selector);
        desk.announceRefundWindow(CAFE, 1 days);
        vm.prank(owner(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.RefundWindowWrong.selector, 366 days + 1, 366 days));
        desk.announceRefundWindow(CAFE, 366 days + 1);
        vm.prank(owner(CAFE));
        uint256 inForceAt = desk.announceRefundWindow(CAFE, 1 days);
        vm.assertEq(inForceAt, block.timestamp + 7 days, "waits");
        bytes32 held = _hold(10, 2, 30 days);
        vm.warp(inForceAt - 1);
        vm.assertEq(desk.refundWindowOf(CAFE), 90 days, "not yet");
        vm.warp(inForceAt);
        vm.assertEq(desk.refundWindowOf(CAFE), 1 days, "in force");
        _capture(held, 10);
        vm.assertEq(desk.holdOf(held).refundUntil, block.timestamp + 1 days, "later captures have the new one");
        vm.prank(till(CAFE));
        desk.refund(before, 10, 0);
    }

    /// @notice SPEC 3.18: whichever switch is thrown, a stolen till gives nothing back.
    function test_refunds_stop_with_every_switch() public {
        bytes32 id = _hold(60, 1, 1 hours);
        _capture(id, 60);
        vm.prank(guardian(CAFE));
        registry.stop(CAFE);
        _refundStopped(id);
        vm.prank(owner(CAFE));
        registry.resume(CAFE);
        vm.prank(MOA_GUARDIAN);
        registry.stopByMoa(CAFE);
        _refundStopped(id);
        vm.startPrank(OPERATOR);
        registry.resumeByMoa(CAFE);
        registry.suspend(CAFE);
        vm.stopPrank();
        _refundStopped(id);
        vm.prank(OPERATOR);
        registry.activate(CAFE);
        vm.prank(MOA_GUARDIAN);
        registry.stopAll();
        _refundStopped(id);
        vm.prank(OPERATOR);
        registry.resumeAll();
        vm.prank(till(CAFE));
        desk.refund(id, 60, 0);
    }

    function _refundStopped(bytes32 id) private {
        vm.prank(till(CAFE));
        vm.expectPartialRevert(IPartnerRegistry.BrandNotIssuing.selector);
        desk.refund(id, 60, 0);
    }

    /// @notice SPEC 3.18: a stopped brand's till captures what was begun for a day, and then no more; members get theirs.
    function test_captures_stop_a_day_after_a_switch() public {
        bytes32 first = _hold(10, 1, 60 days);
        bytes32 second = _hold(10, 2, 60 days);
        bytes32 third = _hold(10, 3, 3 days);
        vm.prank(guardian(CAFE));
        registry.stop(CAFE);
        uint256 since = block.timestamp;
        vm.warp(since + 12 hours);
        vm.prank(MOA_GUARDIAN);
        registry.stopAll();
        vm.warp(since + 1 days - 1);
        _capture(first, 10);
        vm.warp(since + 1 days);
        vm.prank(till(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRedemptionDesk.CaptureStopped.selector, second, since + 1 days));
        desk.capture(second, 10);
        vm.prank(till(CAFE));
        desk.release(second);
        vm.warp(since + 3 days + 1);
        desk.release(third);
        vm.prank(owner(CAFE));
        registry.resume(CAFE);
        vm.prank(OPERATOR);
        registry.resumeAll();
        _capture(_hold(10, 4, 1 hours), 10);
    }

    /// @notice SPEC 6: a hold needs the member's own, fresh word.
    function test_a_hold_needs_the_members_word_once_and_in_time() public {
        IRedemptionDesk.HoldRequest memory request =
            IRedemptionDesk.HoldRequest(ann, CAFE, 10, "cup", block.timestamp + 1 hours, 5, block.timestamp);
        bytes memory forged = sign(keys[1], address(desk), holdHash(request));
        vm.expectRevert(abi.encodeWithSelector(IAuthorised.SignatureInvalid.selector, ann));
        desk.hold(request, forged);
        bytes memory word = sign(keys[0], address(desk), holdHash(request));
        desk.hold(request, word);
        vm.expectRevert(abi.encodeWithSelector(IAuthorised.AuthorisationUsed.selector, ann, 5));
        desk.hold(request, word);
        request.nonce = 6;
        word = sign(keys[0], address(desk), holdHash(request));
        vm.warp(block.timestamp + 1);
        vm.expectPartialRevert(IAuthorised.AuthorisationExpired.selector);
        desk.hold(request, word);
    }

    /// @notice SPEC 3: what is held is what is remembered, even beyond the most that one lot can hold.
    function test_a_hold_of_more_than_a_lot_can_hold_is_remembered_whole_or_refused() public {
        uint256 most = 2 ** 48 - 1;
        vm.warp(block.timestamp + 1 days);
        award(CAFE, rule, 2, ann, most);
        IRedemptionDesk.HoldRequest memory request =
            IRedemptionDesk.HoldRequest(ann, CAFE, most + 100, "cup", block.timestamp + 1 hours, 5, block.timestamp);
        vm.prank(ann);
        try desk.hold(request, "") returns (bytes32 id) {
            vm.assertEq(desk.holdOf(id).points, most + 100, "what is held is what is remembered");
        } catch {
            vm.assertEq(token(CAFE).balanceOf(ann), most + 100, "refused: nothing changed");
        }
    }

    /// @notice SPEC 6: no switch traps points: a stopped, suspended brand's members still redeem and leave.
    function test_no_switch_traps_points() public {
        vm.prank(OPERATOR);
        registry.suspend(CAFE);
        vm.prank(MOA_GUARDIAN);
        registry.stopAll();
        bytes32 id = _hold(60, 1, 1 hours);
        _capture(id, 10);
        bytes32 other = _hold(60, 2, 1 hours);
        vm.warp(block.timestamp + 1 hours + 1);
        desk.release(other);
        bytes32 message = leaveHash(ann, members[1], 1, block.timestamp);
        bytes memory hers = sign(keys[0], address(token(CAFE)), message);
        bytes memory wallets = sign(keys[1], address(token(CAFE)), message);
        token(CAFE).leave(ann, members[1], 1, block.timestamp, hers, wallets);
        vm.assertEq(token(CAFE).balanceOf(members[1]), 90, "left with everything");
    }
}
