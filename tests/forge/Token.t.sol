// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ILoyaltyToken} from "../../contracts/interfaces/ILoyaltyToken.sol";
import {IAuthorised} from "../../contracts/interfaces/IAuthorised.sol";
import {IRewardRules} from "../../contracts/interfaces/IRewardRules.sol";
import {IBrandAccess} from "../../contracts/interfaces/IBrandAccess.sol";
import {LoyaltyToken} from "../../contracts/LoyaltyToken.sol";
import {Vm} from "./support/Vm.sol";
import {Signing} from "./support/Signing.sol";

/// @title What a member's points do: age, move oldest first, expire at their second.
contract TokenTest is Signing {
    bytes32 private constant TRANSFER = keccak256("Transfer(address,address,uint256)");
    bytes32 private constant LOTS_CHANGED = keccak256("LotsChanged(address,uint256[])");

    LoyaltyToken private cafe;
    uint256 private rule;
    address private ann;
    address private bo;

    function setUp() public {
        build();
        cafe = token(CAFE);
        rule = publish(CAFE, rateRule(1, 1, IRewardRules.Rounding.Down));
        (ann, bo) = (members[0], members[1]);
    }

    /// @notice SPEC 1: the oldest lot goes first and keeps its expiry at the receiver.
    function test_a_transfer_takes_the_oldest_lots_and_they_keep_their_expiry() public {
        award(CAFE, rule, 1, ann, 100);
        vm.warp(block.timestamp + 3 days);
        award(CAFE, rule, 2, ann, 70);
        uint256 young = cafe.expiryEpochOfMint();
        vm.prank(ann);
        cafe.transfer(bo, 110);

        ILoyaltyToken.Lot[] memory lots = cafe.lotsOf(bo);
        vm.assertEq(lots.length, 2, "two lots");
        vm.assertEq(lots[0].expiryEpoch, young - 3, "the oldest, with its expiry");
        vm.assertEq(lots[0].points, 100, "all of the oldest");
        vm.assertEq(lots[1].points, 10, "the rest of the next");
        vm.assertEq(cafe.lotsOf(ann)[0].points, 60, "what is left is the youngest");
    }

    /// @notice SPEC 1: gone at the second of the expiry, there one second before.
    function test_a_lot_is_there_until_its_last_second_and_gone_at_its_expiry() public {
        award(CAFE, rule, 1, ann, 100);
        uint256 expiry = cafe.lotsOf(ann)[0].expiresAt;
        vm.warp(expiry - 1);
        vm.assertEq(cafe.balanceOf(ann), 100, "one second before");
        vm.assertEq(cafe.totalSupply(), 100, "supply one second before");
        vm.warp(expiry);
        vm.assertEq(cafe.balanceOf(ann), 0, "at the second");
        vm.assertEq(cafe.totalSupply(), 0, "supply at the second");
        vm.expectRevert(abi.encodeWithSignature("ERC20InsufficientBalance(address,uint256,uint256)", ann, 0, 1));
        vm.prank(ann);
        cafe.transfer(bo, 1);
    }

    /// @notice SPEC 1: an expired lot never comes back, not even when its word is used again after a turn of the ring.
    function testFuzz_no_expired_point_returns_in_a_later_turn(uint256 amount, uint256 wait) public {
        amount = bound(amount, 1, 2 ** 48 - 1);
        wait = bound(wait, 13 days, 200 days);
        award(CAFE, rule, 1, ann, amount);
        vm.warp(block.timestamp + wait);
        vm.assertEq(cafe.balanceOf(ann), 0, "expired");
        award(CAFE, rule, 2, ann, 5);
        vm.assertEq(cafe.balanceOf(ann), 5, "only the new points");
        vm.assertEq(cafe.lotsOf(ann).length, 1, "one lot");
        vm.prank(ann);
        cafe.transfer(bo, 5);
        vm.assertEq(cafe.balanceOf(ann) + cafe.balanceOf(bo), 5, "the same after moving");
    }

    /// @notice SPEC 1: a movement is one Transfer and one LotsChanged for each account.
    function test_a_movement_is_one_transfer_and_one_lots_changed_an_account() public {
        for (uint256 i = 0; i < 12; ++i) {
            award(CAFE, rule, i, ann, 10);
            vm.warp(block.timestamp + 1 days);
        }
        vm.recordLogs();
        vm.prank(ann);
        cafe.transfer(bo, 105);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 3, "three events");
        vm.assertEq(logs[0].topics[0], TRANSFER, "the transfer first");
        vm.assertEq(logs[1].topics[0], LOTS_CHANGED, "then the sender's lots");
        vm.assertEq(address(uint160(uint256(logs[1].topics[1]))), ann, "the sender's");
        vm.assertEq(address(uint160(uint256(logs[2].topics[1]))), bo, "the receiver's");
    }

    /// @notice SPEC 1: closed means that members do not transfer; leaving stays open, with both signatures.
    function test_a_closed_brand_lets_members_leave_only_with_both_words() public {
        uint256 gallery = publish(GALLERY, rateRule(1, 1, IRewardRules.Rounding.Down));
        award(GALLERY, gallery, 1, ann, 40);
        LoyaltyToken closed = token(GALLERY);
        vm.prank(ann);
        vm.expectPartialRevert(ILoyaltyToken.TransferNotAllowed.selector);
        closed.transfer(bo, 1);

        bytes32 message = leaveHash(ann, bo, 1, block.timestamp);
        bytes memory hers = sign(keys[0], address(closed), message);
        vm.expectRevert(abi.encodeWithSelector(IAuthorised.SignatureInvalid.selector, bo));
        closed.leave(ann, bo, 1, block.timestamp, hers, hers);
        closed.leave(ann, bo, 1, block.timestamp, hers, sign(keys[1], address(closed), message));
        vm.assertEq(closed.balanceOf(bo), 40, "everything moved");
    }

    /// @notice SPEC 6: an authorisation counts once.
    function test_an_authorisation_moves_points_once() public {
        award(CAFE, rule, 1, ann, 100);
        bytes memory word = sign(keys[0], address(cafe), transferHash(ann, bo, 10, 77, block.timestamp));
        cafe.transferWithAuthorisation(ann, bo, 10, 77, block.timestamp, word);
        vm.expectRevert(abi.encodeWithSelector(IAuthorised.AuthorisationUsed.selector, ann, 77));
        cafe.transferWithAuthorisation(ann, bo, 10, 77, block.timestamp, word);
        vm.assertEq(cafe.balanceOf(bo), 10, "once");
    }

    /// @notice SPEC 6: an authorisation is good until its last second and not after.
    function test_an_authorisation_ends_with_its_deadline() public {
        award(CAFE, rule, 1, ann, 100);
        uint256 deadline = block.timestamp + 10;
        bytes memory first = sign(keys[0], address(cafe), transferHash(ann, bo, 10, 1, deadline));
        bytes memory second = sign(keys[0], address(cafe), transferHash(ann, bo, 10, 2, deadline));
        vm.warp(deadline);
        cafe.transferWithAuthorisation(ann, bo, 10, 1, deadline, first);
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(IAuthorised.AuthorisationExpired.selector, deadline, deadline + 1));
        cafe.transferWithAuthorisation(ann, bo, 10, 2, deadline, second);
    }

    /// @notice SPEC 1: no account but the two of a transfer changes, whatever is sent.
    function testFuzz_a_transfer_changes_no_third_account(uint256 amount, uint256 days_) public {
        award(CAFE, rule, 1, ann, 100);
        award(CAFE, rule, 2, members[2], 100);
        vm.warp(block.timestamp + bound(days_, 0, 12) * 1 days);
        award(CAFE, rule, 3, ann, 50);
        bytes32 before = keccak256(abi.encode(cafe.packedLotsOf(members[2])));
        uint256 supply = cafe.totalSupply();
        amount = bound(amount, 0, cafe.balanceOf(ann));
        vm.prank(ann);
        cafe.transfer(bo, amount);
        vm.assertEq(keccak256(abi.encode(cafe.packedLotsOf(members[2]))), before, "a third account");
        vm.assertEq(cafe.totalSupply(), supply, "the supply");
    }

    /// @notice SPEC 6: only Moa's contracts mint and burn.
    function test_nobody_but_moas_contracts_mints_or_burns() public {
        address[4] memory callers = [MALLORY, RELAYER, owner(CAFE), issuer(CAFE)];
        uint256[] memory lines = new uint256[](1);
        lines[0] = (uint256(uint160(MALLORY)) << 96) | 1;
        uint256[4] memory lots = cafe.packedSupply();
        for (uint256 i = 0; i < callers.length; ++i) {
            bytes memory refused = abi.encodeWithSelector(ILoyaltyToken.ModuleOnly.selector, callers[i]);
            vm.startPrank(callers[i]);
            vm.expectRevert(refused);
            cafe.mint(MALLORY, 1);
            vm.expectRevert(refused);
            cafe.mintBatch(lines);
            vm.expectRevert(refused);
            cafe.takeBack(ann, 1, 30, true);
            vm.expectRevert(refused);
            cafe.burn(ann, 1);
            vm.expectRevert(refused);
            cafe.setAside(ann, 1);
            vm.expectRevert(refused);
            cafe.restore(MALLORY, lots, true);
            vm.stopPrank();
        }
    }

    /// @notice SPEC 1.23: nothing can be minted once the clock has run out, and `mintable` says so.
    function test_nothing_is_mintable_once_the_clock_has_run_out() public {
        uint256 begun = cafe.origin();
        // What is minted now ends 1 + lifetime epochs later; the last epoch that a word can name is 327,679.
        uint256 last = 327_679 - 1 - cafe.terms().lifetimeEpochs;
        vm.warp(begun + (last + 1) * cafe.terms().epochSeconds - 1);
        vm.assertEq(cafe.mintable(), 2 ** 48 - 1, "the last second");
        vm.warp(begun + (last + 1) * cafe.terms().epochSeconds);
        vm.expectRevert(abi.encodeWithSelector(ILoyaltyToken.EpochOutOfRange.selector, 327_680));
        cafe.mintable();
    }

    /// @notice SPEC 1.26: the token says what it can do and where its page is, and its owner sets that.
    function test_the_token_tells_what_it_can_do_and_where_its_page_is() public {
        bytes4[5] memory known = [bytes4(0x01ffc9a7), 0x36372b07, 0xa219a025, 0x9d8ff7da, 0x84b0196e];
        for (uint256 i = 0; i < known.length; ++i) {
            vm.assertTrue(cafe.supportsInterface(known[i]), "ERC-165, 20, its metadata, 2612, 5267");
        }
        vm.assertFalse(cafe.supportsInterface(0xffffffff), "and nothing else");
        vm.prank(MALLORY);
        vm.expectPartialRevert(IBrandAccess.RoleMissing.selector);
        cafe.setContractURI("https://mallory.example");
        vm.prank(owner(CAFE));
        vm.expectRevert(abi.encodeWithSelector(ILoyaltyToken.TermsInvalid.selector, "contractURI"));
        cafe.setContractURI(string(new bytes(2_049)));
        vm.prank(owner(CAFE));
        cafe.setContractURI("data:application/json,{}");
        vm.assertEq(bytes(cafe.contractURI()), bytes("data:application/json,{}"), "its page");
        vm.assertEq(cafe.leastLife(), 12 days, "twelve whole days");
        vm.assertEq(token(GALLERY).leastLife(), type(uint256).max, "for ever");
        (uint256 epoch, uint256 room) = cafe.mintLot();
        vm.assertEq(epoch, cafe.expiryEpochOfMint(), "the present lot");
        vm.assertEq(room, cafe.mintable(), "and its room");
    }
}
