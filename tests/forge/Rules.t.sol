// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRewardRules} from "../../contracts/interfaces/IRewardRules.sol";
import {IBrandAccess} from "../../contracts/interfaces/IBrandAccess.sol";
import {IPartnerRegistry} from "../../contracts/interfaces/IPartnerRegistry.sol";
import {Roles} from "../../contracts/libraries/Roles.sol";
import {IAuthorised} from "../../contracts/interfaces/IAuthorised.sol";
import {Signing} from "./support/Signing.sol";
import {Vm} from "./support/Vm.sol";

/// @title What a brand awards: by a rule, once, rounded as published, within caps and budgets.
contract RulesTest is Signing {
    address private ann;

    function setUp() public {
        build();
        ann = members[0];
    }

    /// @notice SPEC 2: an operation id counts once, over single awards and batches.
    function test_an_operation_id_counts_once() public {
        uint256 rule = publish(CAFE, rateRule(1, 1, IRewardRules.Rounding.Down));
        award(CAFE, rule, 300, ann, 10);
        vm.prank(issuer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRewardRules.OperationUsed.selector, CAFE, 300));
        rules.award(CAFE, IRewardRules.Item(300, rule, ann, 10));
        IRewardRules.Item[] memory items = new IRewardRules.Item[](4);
        items[0] = IRewardRules.Item(300, rule, ann, 10);
        items[1] = IRewardRules.Item(301, rule, ann, 10);
        items[2] = IRewardRules.Item(301, rule, ann, 10);
        items[3] = IRewardRules.Item(700, rule, ann, 10);
        vm.prank(issuer(CAFE));
        (uint256 awarded, uint256 points) = rules.awardBatch(CAFE, items);
        vm.assertEq(awarded, 2, "two were new");
        vm.assertEq(points, 20, "their points");
        vm.assertEq(token(CAFE).balanceOf(ann), 30, "each id once");
    }

    /// @notice SPEC 2: only an issuer of the brand awards.
    function test_nobody_awards_without_the_issuers_role() public {
        uint256 rule = publish(CAFE, rateRule(1, 1, IRewardRules.Rounding.Down));
        address[4] memory callers = [MALLORY, till(CAFE), issuer(BOOKS), owner(CAFE)];
        IRewardRules.Item[] memory items = new IRewardRules.Item[](1);
        items[0] = IRewardRules.Item(1, rule, ann, 10);
        bytes memory refused;
        for (uint256 i = 0; i < callers.length; ++i) {
            refused =
                abi.encodeWithSelector(IBrandAccess.RoleMissing.selector, callers[i], Roles.id(CAFE, Roles.ISSUER));
            vm.startPrank(callers[i]);
            vm.expectRevert(refused);
            rules.award(CAFE, items[0]);
            vm.expectRevert(refused);
            rules.awardBatch(CAFE, items);
            vm.stopPrank();
        }
        vm.assertEq(token(CAFE).totalSupply(), 0, "nothing was minted");
    }

    /// @notice SPEC 2: rounding is the published one, for every base amount and fraction.
    function testFuzz_points_are_rounded_as_published(uint96 base, uint48 numerator, uint48 denominator, uint8 mode)
        public
    {
        numerator = uint48(bound(numerator, 1, type(uint24).max));
        denominator = uint48(bound(denominator, 1, type(uint48).max));
        base = uint96(bound(base, 0, type(uint24).max));
        IRewardRules.Rounding rounding = IRewardRules.Rounding(mode % 3);
        uint256 rule = publish(CAFE, rateRule(numerator, denominator, rounding));
        uint256 product = uint256(base) * numerator;
        vm.assume(product / denominator < 2 ** 48 - 2);
        uint256 points = award(CAFE, rule, 1, ann, base);
        if (rounding == IRewardRules.Rounding.Down) {
            vm.assertTrue(points * denominator <= product && product < (points + 1) * denominator, "down");
        } else if (rounding == IRewardRules.Rounding.Up) {
            vm.assertTrue(points * denominator >= product, "up");
            vm.assertTrue(points == 0 || (points - 1) * denominator < product, "not further than up");
        } else {
            uint256 twice = 2 * points * denominator;
            vm.assertTrue(twice <= 2 * product + denominator && 2 * product < twice + denominator, "nearest, half up");
        }
        vm.assertEq(token(CAFE).balanceOf(ann), points, "what was computed was minted");
    }

    /// @notice SPEC 2: caps and budgets hold to the point, and the day turns at midnight UTC.
    function test_caps_and_budgets_hold_to_the_point() public {
        IRewardRules.Terms memory terms = rateRule(1, 1, IRewardRules.Rounding.Down);
        (terms.capPerAward, terms.capPerMemberDay, terms.budget) = (60, 100, 150);
        uint256 rule = publish(CAFE, terms);
        vm.warp((block.timestamp / 1 days + 1) * 1 days);
        vm.assertEq(award(CAFE, rule, 1, ann, 80), 60, "cut to the cap");
        vm.prank(issuer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRewardRules.MemberCapExceeded.selector, 41, 40));
        rules.award(CAFE, IRewardRules.Item(2, rule, ann, 41));
        award(CAFE, rule, 2, ann, 40);
        vm.warp(block.timestamp + 1 days);
        vm.prank(issuer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRewardRules.BudgetExceeded.selector, 51, 50));
        rules.award(CAFE, IRewardRules.Item(3, rule, ann, 51));
        award(CAFE, rule, 3, ann, 50);
        vm.prank(issuer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRewardRules.BudgetExceeded.selector, 1, 0));
        rules.award(CAFE, IRewardRules.Item(4, rule, members[1], 1));
    }

    /// @notice SPEC 2: a change waits its notice, and what was spent of the budget stays spent.
    function test_a_change_waits_its_notice_and_keeps_what_was_spent() public {
        IRewardRules.Terms memory terms = rateRule(1, 1, IRewardRules.Rounding.Down);
        terms.budget = 100;
        uint256 rule = publish(CAFE, terms);
        award(CAFE, rule, 1, ann, 60);
        terms.numerator = 2;
        vm.prank(owner(CAFE));
        (, uint256 inForceAt) = rules.announceChange(CAFE, rule, terms);
        vm.assertEq(inForceAt, block.timestamp + 1 days, "the notice");
        vm.warp(inForceAt - 1);
        vm.assertEq(award(CAFE, rule, 2, ann, 10), 10, "the old rate to its last second");
        vm.warp(inForceAt);
        vm.assertEq(award(CAFE, rule, 3, ann, 10), 20, "the new rate from its second");
        vm.prank(issuer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRewardRules.BudgetExceeded.selector, 12, 10));
        rules.award(CAFE, IRewardRules.Item(4, rule, ann, 6));
    }

    /// @notice SPEC 6: a suspended or stopped brand awards nothing.
    function test_a_brand_that_may_not_issue_awards_nothing() public {
        uint256 rule = publish(CAFE, rateRule(1, 1, IRewardRules.Rounding.Down));
        vm.prank(guardian(CAFE));
        registry.stop(CAFE);
        vm.prank(issuer(CAFE));
        vm.expectPartialRevert(IPartnerRegistry.BrandNotIssuing.selector);
        rules.award(CAFE, IRewardRules.Item(1, rule, ann, 1));
        vm.prank(owner(CAFE));
        registry.resume(CAFE);
        vm.prank(MOA_GUARDIAN);
        registry.stopAll();
        vm.prank(issuer(CAFE));
        vm.expectPartialRevert(IPartnerRegistry.BrandNotIssuing.selector);
        rules.award(CAFE, IRewardRules.Item(1, rule, ann, 1));
    }

    /* CORRECTIONS */

    function _correction() private returns (uint256 rule) {
        IRewardRules.Terms memory terms = rateRule(1, 1, IRewardRules.Rounding.Down);
        (terms.kind, terms.capPerAward, terms.capPerMemberDay) = (IRewardRules.Kind.Correction, 1_000, 1_500);
        (terms.budget, terms.secondAbove) = (2_000, 200);
        return publish(CAFE, terms);
    }

    function _seal(uint256 key, IRewardRules.Item memory item) private view returns (bytes memory) {
        bytes32 typeHash = keccak256(
            "Correction(uint256 brandId,uint256 operationId,uint256 ruleId,address member,uint256 baseAmount,uint256 deadline)"
        );
        return sign(
            key,
            address(rules),
            keccak256(
                abi.encode(
                    typeHash, CAFE, item.operationId, item.ruleId, item.member, item.baseAmount, block.timestamp
                )
            )
        );
    }

    /// @notice SPEC 2.1: what is given by hand is bounded per award, per member and day, and by its budget.
    function test_a_correction_is_bounded() public {
        IRewardRules.Terms memory terms = rateRule(1, 1, IRewardRules.Rounding.Down);
        (terms.kind, terms.capPerAward, terms.capPerMemberDay) = (IRewardRules.Kind.Correction, 1_000, 1_500);
        string[5] memory fields = ["numerator", "denominator", "capPerAward", "capPerMemberDay", "secondAbove"];
        for (uint256 i = 0; i < 5; ++i) {
            IRewardRules.Terms memory wrong = abi.decode(abi.encode(terms), (IRewardRules.Terms));
            if (i == 0) wrong.numerator = 2;
            if (i == 1) wrong.denominator = 2;
            if (i == 2) wrong.capPerAward = 0;
            if (i == 3) wrong.capPerMemberDay = 0;
            if (i == 4) wrong.secondAbove = 1_001;
            vm.prank(owner(CAFE));
            vm.expectRevert(abi.encodeWithSelector(IRewardRules.RuleTermsInvalid.selector, fields[i]));
            rules.publish(CAFE, wrong);
        }
        uint256 rule = _correction();
        vm.assertEq(award(CAFE, rule, 1, ann, 200), 200, "to the limit one signs");
    }

    /// @notice SPEC 2.30: above the limit a second key signs, an owner's and not the caller's; the caps hold all the same.
    function test_a_correction_above_its_limit_needs_two() public {
        uint256 rule = _correction();
        IRewardRules.Item memory item = IRewardRules.Item(1, rule, ann, 201);
        vm.prank(issuer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRewardRules.SecondSignatureMissing.selector, 201, 200));
        rules.award(CAFE, item);
        address boss = vm.addr(77);
        bytes memory signature = _seal(77, item);
        vm.prank(issuer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IBrandAccess.RoleMissing.selector, boss, Roles.id(CAFE, Roles.OWNER)));
        rules.correct(CAFE, item, boss, block.timestamp, signature);
        vm.prank(owner(CAFE));
        manager.grantRole(Roles.id(CAFE, Roles.OWNER), boss, 0);
        vm.prank(issuer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IAuthorised.AuthorisationExpired.selector, block.timestamp - 1, block.timestamp));
        rules.correct(CAFE, item, boss, block.timestamp - 1, signature);
        item.baseAmount = 202;
        vm.prank(issuer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IAuthorised.SignatureInvalid.selector, boss));
        rules.correct(CAFE, item, boss, block.timestamp, signature);
        item.baseAmount = 201;
        vm.prank(MALLORY);
        vm.expectPartialRevert(IBrandAccess.RoleMissing.selector);
        rules.correct(CAFE, item, boss, block.timestamp, signature);
        vm.prank(owner(CAFE));
        manager.grantRole(Roles.id(CAFE, Roles.ISSUER), boss, 0);
        vm.prank(boss);
        vm.expectRevert(abi.encodeWithSelector(IAuthorised.SignatureInvalid.selector, boss));
        rules.correct(CAFE, item, boss, block.timestamp, signature);
        vm.prank(issuer(CAFE));
        rules.correct(CAFE, item, boss, block.timestamp, signature);
        vm.assertEq(token(CAFE).balanceOf(ann), 201, "two signed");
        vm.prank(issuer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRewardRules.OperationUsed.selector, CAFE, 1));
        rules.correct(CAFE, item, boss, block.timestamp, signature);
        item = IRewardRules.Item(2, rule, ann, 1_300);
        signature = _seal(77, item);
        vm.prank(issuer(CAFE));
        rules.correct(CAFE, item, boss, block.timestamp, signature);
        vm.assertEq(token(CAFE).balanceOf(ann), 1_201, "cut to the cap per award");
        item = IRewardRules.Item(3, rule, ann, 300);
        signature = _seal(77, item);
        vm.prank(issuer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRewardRules.MemberCapExceeded.selector, 300, 299));
        rules.correct(CAFE, item, boss, block.timestamp, signature);
    }

    /// @notice SPEC 2.31: a lock is published like all terms, and nothing here waits for it.
    function test_a_lock_is_published_and_kept_by_the_gateway() public {
        IRewardRules.Terms memory terms = rateRule(1, 1, IRewardRules.Rounding.Down);
        terms.lockSeconds = 365 days;
        uint256 rule = publish(CAFE, terms);
        (IRewardRules.Terms memory said,,) = rules.ruleOf(CAFE, rule);
        vm.assertEq(said.lockSeconds, 365 days, "as published");
        award(CAFE, rule, 1, ann, 7);
        vm.assertEq(token(CAFE).balanceOf(ann), 7, "at once, whoever asks");
    }

    /// @notice SPEC 2.7: a batch has at most 250 items.
    function test_a_batch_has_at_most_250_items() public {
        uint256 rule = publish(CAFE, rateRule(1, 1, IRewardRules.Rounding.Down));
        IRewardRules.Item[] memory items = new IRewardRules.Item[](251);
        for (uint256 i = 0; i < 251; ++i) {
            items[i] = IRewardRules.Item(i, rule, ann, 1);
        }
        vm.prank(issuer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IRewardRules.BatchSizeWrong.selector, 251, 250));
        rules.awardBatch(CAFE, items);
    }

    /* A BATCH IS ITS ITEMS */

    /// @notice SPEC 2.14: a batch counts and refuses what its items would one by one, each after those before it. A batch
    /// takes most of its items by a shorter way (`_countPlain`): here they are mixed with all that it must leave alone.
    function testFuzz_a_batch_counts_what_its_items_would_one_by_one(uint256 seed) public {
        uint256 alike = _alike();
        IRewardRules.Item[] memory items = new IRewardRules.Item[](24);
        bytes[] memory told = new bytes[](items.length);
        for (uint256 i = 0; i < items.length; ++i) {
            items[i] = _anyItem(uint256(keccak256(abi.encode(seed, i))));
            // The same under the rules' twins, and ids far away.
            IRewardRules.Item memory twin = IRewardRules.Item(
                items[i].operationId + (1 << 20), items[i].ruleId + alike, items[i].member, items[i].baseAmount
            );
            vm.prank(issuer(CAFE));
            try rules.award(CAFE, twin) returns (uint256 got) {
                told[i] = abi.encode(got);
            } catch (bytes memory reason) {
                told[i] = _withoutIds(reason);
            }
        }
        vm.recordLogs();
        vm.prank(issuer(CAFE));
        rules.awardBatch(CAFE, items);
        _compare(items, told);
        for (uint256 k = 1; k <= alike; ++k) {
            (,, uint256 spent) = rules.ruleOf(CAFE, k);
            (,, uint256 twins) = rules.ruleOf(CAFE, k + alike);
            vm.assertEq(spent, twins, "of the budget");
        }
    }

    /// @dev Four rules, and the same four again. @return count Four.
    function _alike() private returns (uint256 count) {
        count = 4;
        for (uint256 k = 0; k < 2 * count; ++k) {
            IRewardRules.Terms memory terms = rateRule(3, 2, IRewardRules.Rounding.Down);
            if (k % count == 0) (terms.capPerAward, terms.returnWindow) = (400, 10 days);
            if (k % count == 1) terms.rounding = IRewardRules.Rounding.Up;
            if (k % count == 2) terms.budget = 900;
            if (k % count == 3) terms.capPerMemberDay = 700;
            vm.assertEq(publish(CAFE, terms), k + 1, "in order");
        }
    }

    /// @dev Ids that come twice, in two words; one rule of ten unknown; receivers that are none; amounts far too large.
    function _anyItem(uint256 roll) private view returns (IRewardRules.Item memory item) {
        item.operationId = 240 + roll % 32;
        item.ruleId = (roll >> 32) % 10 == 0 ? 99 : 1 + ((roll >> 64) % 4) / (1 + (roll >> 96) % 3);
        address[6] memory to = [address(0), address(desk), address(token(CAFE)), members[0], members[1], members[2]];
        item.member = to[(roll >> 128) % 4 == 0 ? (roll >> 160) % 6 : 3 + (roll >> 160) % 3];
        item.baseAmount = (roll >> 192) % 500;
        if ((roll >> 224) % 12 == 0) item.baseAmount = [uint256(0), 1 << 60, 1 << 96, type(uint256).max][(roll >> 240) % 4];
    }

    /// @dev What was told of each item, in order, is what it came to alone.
    function _compare(IRewardRules.Item[] memory items, bytes[] memory told) private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 next = 0;
        for (uint256 i = 0; i < logs.length; ++i) {
            bool awarded = logs[i].topics[0] == IRewardRules.Awarded.selector;
            if (!awarded && logs[i].topics[0] != IRewardRules.AwardRefused.selector) continue;
            vm.assertEq(uint256(logs[i].topics[2]), items[next].operationId, "of this item");
            vm.assertEq(logs[i].topics[3], bytes32(uint256(uint160(items[next].member))), "of this member");
            if (awarded) {
                uint256 word = abi.decode(logs[i].data, (uint256));
                vm.assertEq(abi.encode((word >> 96) & type(uint48).max), told[next], "as much");
                vm.assertEq(word & type(uint96).max, items[next].baseAmount, "of as much");
                vm.assertEq((word >> 144) & type(uint32).max, items[next].ruleId, "under its rule");
            } else {
                (, bytes memory reason) = abi.decode(logs[i].data, (uint256, bytes));
                vm.assertEq(_withoutIds(reason), told[next], "refused alike");
            }
            ++next;
        }
        vm.assertEq(next, items.length, "each was told of");
    }

    /// @dev An error without what differs between twins: the ids that it names.
    function _withoutIds(bytes memory reason) private pure returns (bytes memory) {
        bytes4 selector = bytes4(reason);
        bool named = selector == IRewardRules.OperationUsed.selector || selector == IRewardRules.RuleUnknown.selector;
        return named ? abi.encode(selector) : reason;
    }
}
