// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ILoyaltyToken} from "../../contracts/interfaces/ILoyaltyToken.sol";
import {IAuthorised} from "../../contracts/interfaces/IAuthorised.sol";
import {IBrandAccess} from "../../contracts/interfaces/IBrandAccess.sol";
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

    /// @notice SPEC 3: points that expired while held come back with the brand's grace, where it gives one.
    function test_points_that_expired_while_held_come_back_with_grace() public {
        vm.warp(token(CAFE).lotsOf(ann)[0].expiresAt - 10);
        bytes32 id = _hold(60, 1, 1 hours);
        vm.warp(block.timestamp + 2 hours);
        vm.assertEq(token(CAFE).totalSupply(), 0, "expired while held");
        desk.release(id);
        vm.assertEq(token(CAFE).balanceOf(ann), 60, "renewed");
        vm.assertGe(token(CAFE).lotsOf(ann)[0].expiresAt, block.timestamp + 2 days, "for the grace at least");
        vm.assertLe(token(CAFE).lotsOf(ann)[0].expiresAt, block.timestamp + 3 days, "and less than an epoch more");
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
        vm.prank(till(CAFE));
        desk.refund(id, 10, 0);
        bytes32 other = _hold(60, 2, 1 hours);
        vm.warp(block.timestamp + 1 hours + 1);
        desk.release(other);
        bytes32 message = leaveHash(ann, members[1], 1, block.timestamp);
        bytes memory hers = sign(keys[0], address(token(CAFE)), message);
        bytes memory wallets = sign(keys[1], address(token(CAFE)), message);
        token(CAFE).leave(ann, members[1], 1, block.timestamp, hers, wallets);
        vm.assertEq(token(CAFE).balanceOf(members[1]), 100, "left with everything");
    }
}
