// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRewardRules} from "../../contracts/interfaces/IRewardRules.sol";
import {ILoyaltyToken} from "../../contracts/interfaces/ILoyaltyToken.sol";
import {IBrandAccess} from "../../contracts/interfaces/IBrandAccess.sol";
import {IPartnerRegistry} from "../../contracts/interfaces/IPartnerRegistry.sol";
import {IRedemptionDesk} from "../../contracts/interfaces/IRedemptionDesk.sol";
import {Roles} from "../../contracts/libraries/Roles.sol";
import {Returning} from "./support/Returning.sol";
import {Signing} from "./support/Signing.sol";
import {Vm} from "./support/Vm.sol";

/// @title Goods come back: an award is taken back only against itself, exactly, from the right lots, and what was spent
/// is forgiven or owed.
contract ReturnsTest is Signing, Returning {
    uint256 private constant WINDOW = 10 days;

    address private ann;
    address private ben;
    uint256 private debt;
    uint256 private forgive;

    function setUp() public {
        build();
        (ann, ben) = (members[0], members[1]);
        IRewardRules.Terms memory terms = rateRule(3, 7, IRewardRules.Rounding.Up);
        (terms.returnWindow, terms.shortfall, terms.capPerAward) = (WINDOW, IRewardRules.Shortfall.Debt, 5_000);
        debt = publish(CAFE, terms);
        terms.shortfall = IRewardRules.Shortfall.Forgive;
        forgive = publish(CAFE, terms);
    }

    function _award(uint256 ruleId, uint256 operationId, address member, uint256 base)
        private
        returns (Kept[] memory kept)
    {
        kept = keptOf(CAFE, operationId, ruleId, member, base);
        award(CAFE, ruleId, operationId, member, base);
    }

    function _takeBack(Kept[] memory kept, uint256 returnId, uint256 base)
        private
        returns (uint256 taken, uint256 owed, uint256 forgiven)
    {
        return _takeBackOf(kept, 0, returnId, base);
    }

    function _takeBackOf(Kept[] memory kept, uint256 item, uint256 returnId, uint256 base)
        private
        returns (uint256 taken, uint256 owed, uint256 forgiven)
    {
        (uint256[4] memory words, bytes32[] memory proof) = provenOf(kept, item);
        vm.prank(till(CAFE));
        return rules.takeReturn(CAFE, returnId, base, words, proof);
    }

    function _refuse(Kept[] memory kept, uint256 returnId, uint256 base, bytes memory reason) private {
        (uint256[4] memory words, bytes32[] memory proof) = provenOf(kept, 0);
        vm.prank(till(CAFE));
        vm.expectRevert(reason);
        rules.takeReturn(CAFE, returnId, base, words, proof);
    }

    /* WHO, WHOSE, WHEN, HOW MUCH */

    /// @notice SPEC 2.20: only the brand's till takes returns, and only while the brand may issue.
    function test_nobody_takes_returns_but_the_till_of_a_brand_that_may_issue() public {
        Kept[] memory kept = _award(debt, 1, ann, 700);
        (uint256[4] memory words, bytes32[] memory proof) = provenOf(kept, 0);
        address[4] memory callers = [MALLORY, issuer(CAFE), till(BOOKS), ann];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.prank(callers[i]);
            vm.expectRevert(
                abi.encodeWithSelector(IBrandAccess.RoleMissing.selector, callers[i], Roles.id(CAFE, Roles.TILL))
            );
            rules.takeReturn(CAFE, 2, 700, words, proof);
        }
        vm.prank(guardian(CAFE));
        registry.stop(CAFE);
        vm.prank(till(CAFE));
        vm.expectPartialRevert(IPartnerRegistry.BrandNotIssuing.selector);
        rules.takeReturn(CAFE, 2, 700, words, proof);
        vm.assertEq(token(CAFE).balanceOf(ann), 300, "nothing was taken");
    }

    /// @notice SPEC 2.21: an award of another brand, one that was never made, or one with any word changed is unknown.
    function test_only_an_award_of_this_brand_comes_back() public {
        Kept[] memory kept = _award(debt, 1, ann, 700);
        (uint256[4] memory words, bytes32[] memory proof) = provenOf(kept, 0);
        bytes memory unknown = abi.encodeWithSelector(IRewardRules.AwardUnknown.selector, BOOKS, 1);
        vm.prank(till(BOOKS));
        vm.expectRevert(unknown);
        rules.takeReturn(BOOKS, 2, 700, words, proof);
        for (uint256 word = 0; word < 4; ++word) {
            for (uint256 bit = 0; bit < 256; bit += 17) {
                words[word] ^= 1 << bit;
                vm.prank(till(CAFE));
                vm.expectPartialRevert(IRewardRules.AwardUnknown.selector);
                rules.takeReturn(CAFE, 2, 700, words, proof);
                words[word] ^= 1 << bit;
            }
        }
    }

    /// @notice SPEC 2.21: the proof of another batch, a node for a leaf, and a proof too long prove nothing.
    function test_a_proof_of_another_batch_proves_nothing() public {
        Kept[] memory one = _batch(debt, 100, 5);
        Kept[] memory other = _batch(debt, 200, 5);
        (uint256[4] memory words,) = provenOf(one, 3);
        (, bytes32[] memory proof) = provenOf(other, 3);
        vm.prank(till(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRewardRules.AwardUnknown.selector, CAFE, 103));
        rules.takeReturn(CAFE, 900, 1, words, proof);
        (, proof) = provenOf(one, 2);
        vm.prank(till(CAFE));
        vm.expectPartialRevert(IRewardRules.AwardUnknown.selector);
        rules.takeReturn(CAFE, 900, 1, words, proof);
        vm.prank(till(CAFE));
        vm.expectPartialRevert(IRewardRules.AwardUnknown.selector);
        rules.takeReturn(CAFE, 900, 1, words, new bytes32[](9));
        _takeBackOf(one, 3, 900, 1);
    }

    /// @notice SPEC 2.22: a return may come to the last second of the window, and not a second later.
    function test_a_return_may_come_to_the_last_second() public {
        Kept[] memory kept = _award(debt, 1, ann, 700);
        uint256 until = block.timestamp + WINDOW;
        vm.warp(until);
        _takeBack(kept, 2, 350);
        vm.warp(until + 1);
        _refuse(kept, 3, 350, abi.encodeWithSelector(IRewardRules.ReturnTooLate.selector, until, until + 1));
    }

    /// @notice SPEC 2.18: a window may not be longer than points surely live; without one an award cannot come back.
    function test_no_window_outlives_the_points() public {
        IRewardRules.Terms memory terms = rateRule(1, 1, IRewardRules.Rounding.Down);
        terms.returnWindow = 12 days + 1;
        vm.prank(owner(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRewardRules.RuleTermsInvalid.selector, "returnWindow"));
        rules.publish(CAFE, terms);
        vm.prank(owner(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRewardRules.RuleTermsInvalid.selector, "returnWindow"));
        rules.announceChange(CAFE, debt, terms);
        terms.returnWindow = 12 days;
        publish(CAFE, terms);
        // What never expires may come back for a year.
        terms.returnWindow = 365 days + 1;
        vm.prank(owner(GALLERY));
        vm.expectRevert(abi.encodeWithSelector(IRewardRules.RuleTermsInvalid.selector, "returnWindow"));
        rules.publish(GALLERY, terms);
        terms.returnWindow = 0;
        uint256 never = publish(CAFE, terms);
        Kept[] memory kept = _award(never, 1, ann, 700);
        _refuse(kept, 2, 700, abi.encodeWithSelector(IRewardRules.AwardUnknown.selector, CAFE, 1));
    }

    /// @notice SPEC 2.23: no more comes back than was bought, in one part or many, and no return counts twice.
    function test_no_more_comes_back_than_was_bought() public {
        Kept[] memory kept = _award(debt, 1, ann, 700);
        _refuse(kept, 2, 701, abi.encodeWithSelector(IRewardRules.ReturnExceedsAward.selector, 701, 700));
        _refuse(kept, 2, 0, abi.encodeWithSelector(IRewardRules.BaseAmountMissing.selector));
        _refuse(kept, 1, 7, abi.encodeWithSelector(IRewardRules.OperationUsed.selector, CAFE, 1));
        _takeBack(kept, 2, 300);
        _refuse(kept, 2, 300, abi.encodeWithSelector(IRewardRules.OperationUsed.selector, CAFE, 2));
        _refuse(kept, 3, 401, abi.encodeWithSelector(IRewardRules.ReturnExceedsAward.selector, 401, 400));
        vm.assertEq(rules.returnedOf(CAFE, 1), 300, "a part");
        _takeBack(kept, 3, 400);
        vm.assertEq(token(CAFE).balanceOf(ann), 0, "all parts give back exactly the award");
        _refuse(kept, 4, 1, abi.encodeWithSelector(IRewardRules.ReturnExceedsAward.selector, 1, 0));
        vm.assertTrue(rules.isOperationUsed(CAFE, 3), "a return's id is spent like an award's");
        // An award under a return's id is refused as well.
        vm.prank(issuer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRewardRules.OperationUsed.selector, CAFE, 3));
        rules.award(CAFE, IRewardRules.Item(3, debt, ann, 1));
    }

    /// @notice SPEC 2.24: a fixed award stands whole until all goods are back; one for nothing comes back once.
    function test_a_fixed_award_stands_until_all_is_back() public {
        IRewardRules.Terms memory terms = rateRule(50, 1, IRewardRules.Rounding.Down);
        (terms.kind, terms.returnWindow) = (IRewardRules.Kind.Fixed, WINDOW);
        uint256 fixedRule = publish(CAFE, terms);
        Kept[] memory kept = _award(fixedRule, 1, ann, 700);
        _takeBack(kept, 2, 699);
        vm.assertEq(token(CAFE).balanceOf(ann), 50, "one piece of it was kept");
        _takeBack(kept, 3, 1);
        vm.assertEq(token(CAFE).balanceOf(ann), 0, "nothing was kept");
        kept = _award(fixedRule, 4, ann, 0);
        _takeBack(kept, 5, 0);
        vm.assertEq(token(CAFE).balanceOf(ann), 0, "a fact that did not happen");
        _refuse(kept, 6, 0, abi.encodeWithSelector(IRewardRules.ReturnExceedsAward.selector, 0, 0));
    }

    /* HOW MUCH, EXACTLY */

    /// @notice SPEC 2.24: after any returns in any order the award stands at what its own version pays for what was kept,
    /// whatever has become of the rule.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_what_a_return_takes_does_not_depend_on_the_order(uint256 seed) public {
        IRewardRules.Terms memory terms =
            rateRule(1 + seed % 9, 1 + (seed >> 8) % 9, IRewardRules.Rounding((seed >> 16) % 3));
        (terms.returnWindow, terms.capPerAward) = (WINDOW, (seed >> 24) % 3 == 0 ? 200 : 0);
        uint256 rule = publish(CAFE, terms);
        uint256 base = 1 + (seed >> 32) % 1_000;
        Kept[] memory kept = _award(rule, 1, ann, base);
        // What earned nothing is no leaf.
        vm.assume(kept[0].points > 0);
        vm.prank(owner(CAFE));
        terms.numerator += 5;
        rules.announceChange(CAFE, rule, terms);
        vm.warp(block.timestamp + 2 days);
        uint256 before = standing(kept[0].terms, base);
        uint256 returned = 0;
        for (uint256 id = 2; returned < base; ++id) {
            uint256 part = 1 + uint256(keccak256(abi.encode(seed, id))) % (base - returned);
            (uint256 taken,,) = _takeBack(kept, id, part);
            returned += part;
            uint256 now_ = standing(kept[0].terms, base - returned);
            vm.assertEq(taken, before - now_, "this return's part");
            vm.assertEq(token(CAFE).balanceOf(ann), now_, "what was kept, by the award's own version");
            before = now_;
        }
        (,, uint256 spent) = rules.ruleOf(CAFE, rule);
        vm.assertEq(spent, 0, "the budget is free again");
    }

    /// @notice SPEC 2.16: every award of a call of any size is a leaf that can be proved.
    /// forge-config: default.fuzz.runs = 24
    function testFuzz_every_award_of_a_batch_can_be_proved(uint8 size, uint8 at) public {
        uint256 count = 1 + size % 250;
        Kept[] memory kept = _batch(debt, 256, count);
        _takeBackOf(kept, at % count, 1, kept[at % count].item.baseAmount);
    }

    /// @notice SPEC 2.16, 2.19: refused items and those under a rule without returns are no leaves.
    function test_what_cannot_come_back_is_no_leaf() public {
        uint256 plain = publish(CAFE, rateRule(1, 1, IRewardRules.Rounding.Down));
        IRewardRules.Item[] memory items = new IRewardRules.Item[](4);
        items[0] = IRewardRules.Item(10, plain, ann, 5);
        items[1] = IRewardRules.Item(11, debt, ann, 700);
        items[2] = IRewardRules.Item(11, debt, ann, 700);
        items[3] = IRewardRules.Item(12, debt, ann, 0);
        Kept[] memory kept = keptOf(CAFE, 11, debt, ann, 700);
        vm.recordLogs();
        vm.prank(issuer(CAFE));
        rules.awardBatch(CAFE, items);
        (uint256[4] memory words,) = provenOf(kept, 0);
        bytes32 root = keccak256(abi.encode(words));
        vm.assertEq(rules.rootOf(CAFE, root), 1 << 255, "one leaf is its own root");
        _takeBack(kept, 2, 700);
        vm.assertEq(rules.rootOf(CAFE, root), (1 << 255) | 1, "wholly back");
    }

    /* WHERE THE POINTS COME FROM */

    /// @notice SPEC 2.25: from the award's own lot, then from the others, latest expiry first; held points stay.
    function test_points_come_from_the_awards_lot_then_from_the_latest() public {
        uint256 plain = publish(CAFE, rateRule(1, 1, IRewardRules.Rounding.Down));
        // Four lots of one word.
        while (token(CAFE).expiryEpochOfMint() % 5 != 0) vm.warp(block.timestamp + 1 days);
        award(CAFE, plain, 1, ann, 40);
        vm.warp(block.timestamp + 1 days);
        Kept[] memory kept = _award(debt, 2, ann, 700);
        vm.warp(block.timestamp + 1 days);
        award(CAFE, plain, 3, ann, 50);
        vm.warp(block.timestamp + 1 days);
        award(CAFE, plain, 4, ann, 60);
        // 40, 300, 50, 60; of the oldest 140 are held: 0, 200, 50, 60 are free.
        _hold(140);
        (uint256 taken, uint256 owed,) = _takeBack(kept, 5, 700);
        vm.assertEq(taken, 300, "all of it");
        vm.assertEq(owed, 0, "nothing is missing");
        ILoyaltyToken.Lot[] memory lots = token(CAFE).lotsOf(ann);
        vm.assertEq(lots.length, 1, "200 of its own lot, 60 of the latest, 40 of the next");
        vm.assertEq(lots[0].points, 10, "the rest of the next");
        vm.assertEq(lots[0].expiryEpoch, token(CAFE).expiryEpochOfMint() - 1, "not of the latest");
        vm.assertEq(token(CAFE).balanceOf(address(desk)), 140, "held points are not touched");
    }

    /// @notice SPEC 2.26: what is missing is forgiven under such terms, and stays spent of the budget.
    function test_what_is_missing_is_forgiven_by_such_terms() public {
        Kept[] memory kept = _award(forgive, 1, ann, 700);
        vm.prank(ann);
        token(CAFE).transfer(ben, 250);
        (uint256 taken, uint256 owed, uint256 forgiven) = _takeBack(kept, 2, 700);
        vm.assertEq(taken, 50, "what was there");
        vm.assertEq(owed, 0, "no debt");
        vm.assertEq(forgiven, 250, "the rest");
        vm.assertEq(token(CAFE).debtOf(ann), 0, "no debt");
        (,, uint256 spent) = rules.ruleOf(CAFE, forgive);
        vm.assertEq(spent, 250, "what was forgiven was given");
    }

    /// @notice SPEC 2.27: a debt is what was missing, of this member and this brand; later awards pay it first, once.
    function test_a_debt_is_paid_by_later_awards_and_only_once() public {
        Kept[] memory kept = _award(debt, 1, ann, 700);
        vm.prank(ann);
        token(CAFE).transfer(ben, 250);
        (uint256 taken, uint256 owed,) = _takeBack(kept, 2, 700);
        vm.assertEq(taken, 50, "what was there");
        vm.assertEq(owed, 250, "what was missing");
        vm.assertEq(token(CAFE).debtOf(ann), 250, "owed here");
        vm.assertEq(token(BOOKS).debtOf(ann), 0, "and nowhere else");
        (,, uint256 spent) = rules.ruleOf(CAFE, debt);
        vm.assertEq(spent, 0, "what is owed is free again");
        // A transfer does not pay it, nor does it grow.
        vm.prank(ben);
        token(CAFE).transfer(ann, 30);
        vm.assertEq(token(CAFE).debtOf(ann), 250, "only awards pay");
        uint256 supply = token(CAFE).totalSupply();
        _award(debt, 3, ann, 350);
        vm.assertEq(token(CAFE).debtOf(ann), 100, "the first pays 150");
        vm.assertEq(token(CAFE).balanceOf(ann), 30, "and gives nothing");
        vm.assertEq(token(CAFE).totalSupply(), supply, "nor to the supply");
        _batch(debt, 10, 3);
        _award(debt, 4, ann, 350);
        vm.assertEq(token(CAFE).debtOf(ann), 0, "the second pays the rest");
        vm.assertEq(token(CAFE).balanceOf(ann), 80, "and gives what is above");
        _award(debt, 5, ann, 350);
        vm.assertEq(token(CAFE).balanceOf(ann), 230, "the third gives all");
    }

    /// @notice SPEC 2.27: whatever the order, balance minus debt is what the kept goods pay.
    /// forge-config: default.fuzz.runs = 48
    function testFuzz_balance_minus_debt_knows_no_order(uint256 seed) public {
        Kept[][4] memory kept;
        uint256 id = 0;
        uint256[4] memory left;
        uint256 wanted = 0;
        for (uint256 step = 0; step < 24; ++step) {
            uint256 roll = uint256(keccak256(abi.encode(seed, step)));
            uint256 place = roll % 4;
            if (roll >> 8 & 3 == 0 && token(CAFE).balanceOf(ann) > 0) {
                // Points go away and come back: that is no award.
                uint256 part = 1 + (roll >> 16) % token(CAFE).balanceOf(ann);
                vm.prank(ann);
                token(CAFE).transfer(ben, part);
                if (roll >> 10 & 1 == 0) continue;
                vm.prank(ben);
                token(CAFE).transfer(ann, part);
            } else if (left[place] == 0) {
                left[place] = 1 + (roll >> 16) % 2_000;
                kept[place] = _award(debt, ++id, ann, left[place]);
                wanted += kept[place][0].points;
            } else {
                uint256 part = 1 + (roll >> 16) % left[place];
                wanted -= standing(kept[place][0].terms, left[place]);
                _takeBack(kept[place], ++id, part);
                left[place] -= part;
                wanted += standing(kept[place][0].terms, left[place]);
            }
            vm.warp(block.timestamp + (roll >> 32) % 5 hours);
            vm.assertEq(
                token(CAFE).balanceOf(ann) + token(CAFE).balanceOf(ben),
                wanted + token(CAFE).debtOf(ann),
                "balance minus debt"
            );
            vm.assertEq(token(CAFE).totalSupply(), wanted + token(CAFE).debtOf(ann), "supply");
        }
    }

    /// @notice SPEC 2.28, 2.29: what comes back on its day is free in the day's cap, and later it is not.
    function test_the_days_cap_is_free_again_on_the_same_day() public {
        IRewardRules.Terms memory terms = rateRule(1, 1, IRewardRules.Rounding.Down);
        (terms.returnWindow, terms.capPerMemberDay, terms.dayStart) = (WINDOW, 100, 54_000);
        uint256 rule = publish(CAFE, terms);
        // An hour before midnight in Seoul.
        vm.warp((block.timestamp / 1 days + 2) * 1 days + 54_000 - 1 hours);
        Kept[] memory kept = _award(rule, 1, ann, 100);
        vm.assertEq(rules.spentToday(CAFE, rule, ann), 100, "used");
        _takeBack(kept, 2, 60);
        vm.assertEq(rules.spentToday(CAFE, rule, ann), 40, "free again");
        award(CAFE, rule, 3, ann, 60);
        vm.prank(issuer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRewardRules.MemberCapExceeded.selector, 1, 0));
        rules.award(CAFE, IRewardRules.Item(4, rule, ann, 1));
        vm.warp(block.timestamp + 1 hours - 1);
        vm.prank(issuer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRewardRules.MemberCapExceeded.selector, 1, 0));
        rules.award(CAFE, IRewardRules.Item(4, rule, ann, 1));
        vm.warp(block.timestamp + 1);
        vm.assertEq(rules.spentToday(CAFE, rule, ann), 0, "a new day in Seoul");
        award(CAFE, rule, 4, ann, 70);
        _takeBack(kept, 5, 40);
        vm.assertEq(rules.spentToday(CAFE, rule, ann), 70, "yesterday's goods free nothing today");
    }

    /// @notice SPEC 2.20: the event leads to the award.
    function test_a_return_tells_its_award_and_what_became_of_it() public {
        Kept[] memory kept = _award(debt, 77, ann, 700);
        vm.prank(ann);
        token(CAFE).transfer(ben, 280);
        (uint256[4] memory words, bytes32[] memory proof) = provenOf(kept, 0);
        vm.recordLogs();
        vm.prank(till(CAFE));
        rules.takeReturn(CAFE, 78, 350, words, proof);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        Vm.Log memory last = logs[logs.length - 1];
        vm.assertEq(last.topics[2], bytes32(uint256(77)), "the award's operation");
        vm.assertEq(last.topics[3], bytes32(uint256(uint160(ann))), "its member");
        (uint256 returnId, uint256 amounts) = abi.decode(last.data, (uint256, uint256));
        vm.assertEq(returnId, 78, "the return's own");
        vm.assertEq(
            amounts, 350 | (150 << 96) | (20 << 144) | (130 << 192) | (1 << 240), "base, standing, taken, missing, owed"
        );
    }

    function _batch(uint256 ruleId, uint256 first, uint256 count) private returns (Kept[] memory kept) {
        IRewardRules.Item[] memory items = new IRewardRules.Item[](count);
        for (uint256 i = 0; i < count; ++i) {
            items[i] = IRewardRules.Item(first + i, ruleId, address(uint160(0xA0000 + i)), 7 * (i + 1));
        }
        kept = keptOf(CAFE, items);
        vm.prank(issuer(CAFE));
        rules.awardBatch(CAFE, items);
    }

    function _hold(uint256 points) private {
        IRedemptionDesk.HoldRequest memory request = IRedemptionDesk.HoldRequest(
            ann, CAFE, points, "cup", block.timestamp + 1 hours, 1, block.timestamp
        );
        vm.prank(ann);
        desk.hold(request, "");
    }
}
