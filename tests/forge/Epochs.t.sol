// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ILoyaltyToken} from "../../contracts/interfaces/ILoyaltyToken.sol";
import {IERC7818Views} from "../../contracts/interfaces/IERC7818Views.sol";
import {IRewardRules} from "../../contracts/interfaces/IRewardRules.sol";
import {LoyaltyToken} from "../../contracts/LoyaltyToken.sol";
import {Lots} from "../../contracts/libraries/Lots.sol";
import {World} from "./support/World.sol";

/// @title ERC-7818's view functions: what they say is what the lots are.
contract EpochsTest is World {
    LoyaltyToken private cafe;
    uint256 private rule;
    address private ann;

    function setUp() public {
        build();
        cafe = token(CAFE);
        rule = publish(CAFE, rateRule(1, 1, IRewardRules.Rounding.Down));
        ann = members[0];
    }

    /// @notice SPEC 1.27: the brand's terms in the standard's words.
    function test_epochs_are_the_brands_own() public view {
        vm.assertEq(uint256(cafe.epochType()), uint256(IERC7818Views.EPOCH_TYPE.TIME_BASED), "measured in seconds");
        vm.assertEq(uint256(cafe.epochType()), 1, "which is 1 in the standard's ABI");
        vm.assertEq(cafe.epochLength(), 1 days, "a day");
        vm.assertEq(cafe.validityDuration(), 13, "twelve whole days and the one of the award");
        vm.assertEq(token(BOOKS).validityDuration(), 16, "fifteen hours and one");
    }

    /// @notice SPEC 1.27: an epoch is valid until the last second of its points and expired at their end.
    function test_an_epoch_expires_at_the_second_of_its_points() public {
        uint256 epoch = cafe.currentEpoch();
        award(CAFE, rule, 1, ann, 100);
        uint256 end = cafe.lotsOf(ann)[0].expiresAt;
        vm.warp(end - 1);
        vm.assertFalse(cafe.isEpochExpired(epoch), "one second before");
        vm.assertEq(cafe.balanceOfAtEpoch(epoch, ann), 100, "one second before");
        vm.warp(end);
        vm.assertTrue(cafe.isEpochExpired(epoch), "at the second");
        vm.assertEq(cafe.balanceOfAtEpoch(epoch, ann), 0, "at the second");
        vm.assertFalse(cafe.isEpochExpired(epoch + 1), "the next one lives");
        vm.assertEq(cafe.currentEpoch() - epoch, cafe.validityDuration(), "so many epochs later");
    }

    /// @notice SPEC 1.27: of points that awards made, the valid epochs hold the balance, each its lot, and no other any.
    function testFuzz_the_valid_epochs_hold_the_balance(uint256 seed) public {
        for (uint256 i = 0; i < 8; ++i) {
            seed = uint256(keccak256(abi.encode(seed, i)));
            award(CAFE, rule, i, ann, 1 + seed % 1_000);
            vm.warp(block.timestamp + (seed >> 128) % 5 days);
            // Something goes, oldest first, and arrives with its epochs.
            uint256 part = (seed >> 64) % (cafe.balanceOf(ann) + 1);
            vm.prank(ann);
            cafe.transfer(members[1], part);
        }
        uint256[2] memory sums;
        for (uint256 epoch = 0; epoch <= cafe.currentEpoch() + 20; ++epoch) {
            uint256 end = cafe.expiresAt(epoch + cafe.validityDuration());
            vm.assertTrue(cafe.isEpochExpired(epoch) == (end <= block.timestamp), "expired when its points are gone");
            for (uint256 i = 0; i < 2; ++i) {
                uint256 points = cafe.balanceOfAtEpoch(epoch, members[i]);
                vm.assertEq(points, _ending(members[i], end), "the lot that ends then");
                bool valid = epoch <= cafe.currentEpoch() && epoch + cafe.validityDuration() > cafe.currentEpoch();
                vm.assertTrue(valid || points == 0, "none in another epoch");
                sums[i] += points;
            }
        }
        vm.assertEq(sums[0], cafe.balanceOf(ann), "hers");
        vm.assertEq(sums[1], cafe.balanceOf(members[1]), "the receiver's");
    }

    /// @notice SPEC 1.27: epoch 0 of points that never expire has no end.
    function test_points_without_end_lie_in_epoch_0() public {
        LoyaltyToken gallery = token(GALLERY);
        award(GALLERY, publish(GALLERY, rateRule(1, 1, IRewardRules.Rounding.Down)), 1, ann, 40);
        vm.warp(block.timestamp + 100 * 365 days);
        vm.assertEq(gallery.currentEpoch(), 0, "the clock stands");
        vm.assertEq(gallery.epochLength(), type(uint256).max, "no end");
        vm.assertEq(gallery.validityDuration(), 1, "one epoch, that one");
        vm.assertFalse(gallery.isEpochExpired(0), "never");
        vm.assertEq(gallery.balanceOfAtEpoch(0, ann), 40, "all of it");
        vm.assertEq(gallery.balanceOfAtEpoch(1, ann), 0, "and there is no other epoch");
    }

    /// @notice SPEC 1.27: epochs that have not begun, or that no lot can name, hold nothing and have not expired.
    function testFuzz_epochs_to_come_hold_nothing(uint256 epoch) public {
        award(CAFE, rule, 1, ann, 100);
        epoch = bound(epoch, cafe.currentEpoch() + 1, type(uint256).max);
        vm.assertEq(cafe.balanceOfAtEpoch(epoch, ann), 0, "nothing yet");
        vm.assertFalse(cafe.isEpochExpired(epoch), "not even begun");
    }

    /// @notice SPEC 1.27: the last epoch that a lot can name, and those behind it, where a sum could run over.
    function test_epochs_at_the_end_of_the_clock() public {
        uint256 last = Lots.EPOCH_MAX - cafe.validityDuration();
        vm.warp(cafe.origin() + last * 1 days);
        award(CAFE, rule, 1, ann, 100);
        vm.assertEq(cafe.balanceOfAtEpoch(last, ann), 100, "the last that mints");
        uint256[5] memory beyond =
            [last + 1, Lots.EPOCH_MAX, Lots.EPOCH_MAX + 1, type(uint256).max - 12, type(uint256).max];
        for (uint256 i = 0; i < beyond.length; ++i) {
            vm.assertEq(cafe.balanceOfAtEpoch(beyond[i], ann), 0, "none beyond");
        }
    }

    /// @notice SPEC 1.27: old points that end before any that this token minted have no epoch; the lots tell them.
    function test_old_points_that_no_epoch_names_are_told_by_the_lots() public {
        uint256 next = cafe.currentEpoch() + 1;
        vm.assertTrue(next < cafe.validityDuration(), "the token is younger than its points' life");
        ILoyaltyToken.LotsLine[] memory old = new ILoyaltyToken.LotsLine[](1);
        (old[0].member, old[0].points) = (ann, 70);
        old[0].lots[(next / Lots.LOTS) % Lots.WORDS] = Lots.word(next / Lots.LOTS, Lots.single(next, 70));
        vm.prank(address(openings));
        cafe.mintLots(old);
        for (uint256 epoch = 0; epoch < 40; ++epoch) {
            vm.assertEq(cafe.balanceOfAtEpoch(epoch, ann), 0, "no epoch");
        }
        unchecked {
            // No number below 0 names them either: the sum that leads to their lot would run over.
            vm.assertEq(cafe.balanceOfAtEpoch(next - cafe.validityDuration(), ann), 0, "no epoch");
        }
        vm.assertEq(cafe.balanceOf(ann), 70, "balanceOf counts them");
        vm.assertEq(cafe.lotsOf(ann)[0].expiryEpoch, next, "and the lots name them");
    }

    /// @notice SPEC 1.27: points that a grace longer than their life renewed lie in an epoch to come.
    function test_points_of_a_long_grace_lie_in_an_epoch_to_come() public {
        _brand("Short", 1 days, 1, 10 days, ILoyaltyToken.Policy.Open);
        LoyaltyToken short = token(BRANDS + 1);
        vm.prank(address(exchange));
        short.mint(ann, 5);
        uint256[4] memory ended = short.packedLotsOf(ann);
        vm.warp(block.timestamp + 2 days);
        vm.prank(address(desk));
        (, uint256 renewed,) = short.restore(ann, ended, true);
        vm.assertEq(renewed, 5, "the grace of a refund");
        uint256 coming = short.currentEpoch() + 10 - short.validityDuration();
        vm.assertEq(short.balanceOfAtEpoch(coming, ann), 5, "in the last epoch that ends within the grace");
        vm.assertTrue(coming > short.currentEpoch(), "which has not begun");
        vm.assertEq(short.balanceOf(ann), 5, "balanceOf counts them");
    }

    /// @notice SPEC 1.27: what is not true is not there, and ERC-165 does not claim the whole.
    function test_the_rest_of_the_standard_is_neither_there_nor_claimed() public {
        award(CAFE, rule, 1, ann, 100);
        uint256 epoch = cafe.currentEpoch();
        bytes4 one = bytes4(keccak256("transferAtEpoch(uint256,address,uint256)"));
        bytes4 two = bytes4(keccak256("transferFromAtEpoch(uint256,address,address,uint256)"));
        vm.startPrank(ann);
        (bool moved,) = address(cafe).call(abi.encodeWithSelector(one, epoch, members[1], 1));
        vm.assertFalse(moved, "no transfer by epoch");
        (moved,) = address(cafe).call(abi.encodeWithSelector(two, epoch, ann, members[1], 1));
        vm.assertFalse(moved, "nor for another");
        vm.stopPrank();
        vm.assertEq(cafe.balanceOf(ann), 100, "nothing moved");
        bytes4 views = type(IERC7818Views).interfaceId;
        vm.assertFalse(cafe.supportsInterface(views), "a part has no id");
        vm.assertFalse(cafe.supportsInterface(views ^ one ^ two), "and the whole is not claimed");
    }

    /// @dev Points of an account that end at `end`, by its lots.
    function _ending(address account, uint256 end) private view returns (uint256 points) {
        ILoyaltyToken.Lot[] memory lots = cafe.lotsOf(account);
        for (uint256 i = 0; i < lots.length; ++i) {
            if (lots[i].expiresAt == end) points += lots[i].points;
        }
    }
}
