// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IOpeningBalances} from "../../contracts/interfaces/IOpeningBalances.sol";
import {IBrandAccess} from "../../contracts/interfaces/IBrandAccess.sol";
import {ILoyaltyToken} from "../../contracts/interfaces/ILoyaltyToken.sol";
import {IPartnerRegistry} from "../../contracts/interfaces/IPartnerRegistry.sol";
import {Roles} from "../../contracts/libraries/Roles.sol";
import {Tree} from "./support/Tree.sol";
import {World} from "./support/World.sol";

/// @title Old points: committed as a whole, claimed line by line, once, by anyone, until the published end.
contract OpeningsTest is World {
    uint256 private constant LINES = 11;

    IOpeningBalances.Line[] private lines;
    bytes32[] private tree;
    uint256[4] private schedule;
    uint256 private opening;

    function setUp() public {
        build();
        // Two lots a line, in the word of group 1 (epochs 5 to 9 of Cafe's days) or across groups 1 and 2.
        vm.warp(token(CAFE).expiresAt(4));
        for (uint256 i = 0; i < LINES; ++i) {
            IOpeningBalances.Line memory line = IOpeningBalances.Line(i, i == 0 ? members[0] : _crowd(i), _none());
            _add(line.lots, 6, 100 + i);
            _add(line.lots, i % 2 == 0 ? 9 : 11, 1_000 * (i + 1));
            lines.push(line);
        }
        _commitTree();
        opening = _commit(CAFE, _terms(), false);
    }

    /* NEGATIVE SPACE */

    /// @notice SPEC 16.3: only the brand's owner commits, replaces, ends the comparing and prolongs.
    function test_only_the_brands_owner_commits() public {
        address[4] memory callers = [MALLORY, issuer(CAFE), owner(BOOKS), OPERATOR];
        for (uint256 i = 0; i < callers.length; ++i) {
            bytes memory refused =
                abi.encodeWithSelector(IBrandAccess.RoleMissing.selector, callers[i], Roles.id(CAFE, Roles.OWNER));
            vm.startPrank(callers[i]);
            vm.expectRevert(refused);
            openings.commit(CAFE, _terms(), true);
            vm.expectRevert(refused);
            openings.replace(CAFE, opening, _terms());
            vm.expectRevert(refused);
            openings.endComparing(CAFE, opening);
            vm.expectRevert(refused);
            openings.prolong(CAFE, opening, type(uint40).max);
            vm.stopPrank();
        }
        vm.prank(owner(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IPartnerRegistry.BrandUnknown.selector, 99));
        openings.commit(99, _terms(), true);
    }

    /// @notice SPEC 16.2: terms outside the bounds are refused with the name of the field.
    function test_terms_outside_the_bounds_are_refused() public {
        IOpeningBalances.Terms memory terms = _terms();
        terms.root = 0;
        _refused(terms, "root");
        terms = _terms();
        terms.lots = _none();
        _refused(terms, "lots");
        // Epoch 4 has begun: a lot that ends with it is gone.
        _add(terms.lots, 4, 1);
        _refused(terms, "lots");
        terms.lots = _none();
        _add(terms.lots, token(CAFE).expiryEpochOfMint() + 1, 1);
        _refused(terms, "lots");
        terms.lots = _none();
        terms.lots[2] = (uint256(1) << 240) | (1 << 48);
        _refused(terms, "lots");
        terms = _terms();
        terms.lines = 0;
        _refused(terms, "lines");
        terms.lines = uint256(type(uint32).max) + 1;
        _refused(terms, "lines");
        terms = _terms();
        terms.end = terms.start;
        _refused(terms, "end");
        (terms.start, terms.end) = (block.timestamp - 2, block.timestamp);
        _refused(terms, "end");
        terms.end = uint256(type(uint40).max) + 1;
        _refused(terms, "end");
    }

    /// @notice SPEC 16.8: nothing of a line may be other than in the file: member, amount, index, brand, opening.
    function test_a_line_that_the_root_does_not_have_is_refused() public {
        bytes32 root = tree[0];
        bytes memory refused = abi.encodeWithSelector(IOpeningBalances.OpeningProofInvalid.selector, root);
        bytes32[] memory proof = Tree.proof(tree, 3);
        IOpeningBalances.Line memory line = lines[3];
        line.member = MALLORY;
        vm.expectRevert(refused);
        openings.claim(CAFE, opening, line, proof);
        line = lines[3];
        _add(line.lots, 6, 1);
        vm.expectRevert(refused);
        openings.claim(CAFE, opening, line, proof);
        line = lines[3];
        line.index = 4;
        vm.expectRevert(refused);
        openings.claim(CAFE, opening, line, proof);
        // An inner node is no line: leaves are hashed twice, nodes once.
        line = lines[3];
        vm.expectRevert(refused);
        openings.claim(CAFE, opening, line, Tree.proof(tree, 2));
        vm.expectRevert(abi.encodeWithSelector(IOpeningBalances.OpeningUnknown.selector, CAFE, opening + 1));
        openings.claim(CAFE, opening + 1, line, proof);
        vm.expectRevert(abi.encodeWithSelector(IOpeningBalances.OpeningUnknown.selector, BOOKS, opening));
        openings.claim(BOOKS, opening, line, proof);
        vm.assertEq(token(CAFE).totalSupply(), 0, "nothing was minted");
    }

    /// @notice SPEC 16.9: a line counts once, alone and in batches.
    function test_a_line_is_claimed_once() public {
        _claim(3);
        uint256 balance = token(CAFE).balanceOf(_crowd(3));
        bytes32[] memory proof = Tree.proof(tree, 3);
        vm.expectRevert(abi.encodeWithSelector(IOpeningBalances.LineClaimed.selector, CAFE, opening, 3));
        openings.claim(CAFE, opening, lines[3], proof);
        (uint256 claimed, uint256 points) = _claimBatch(2, 3);
        vm.assertEq(claimed, 2, "the batch passes over the line that was claimed");
        vm.assertEq(points, 102 + 3_000 + 104 + 5_000, "and mints the others");
        vm.assertEq(token(CAFE).balanceOf(_crowd(3)), balance, "a second claim mints nothing");
        (bytes32[] memory siblings, bool[] memory flags) = Tree.multiproof(tree, 2, 3);
        IOpeningBalances.Line[] memory part = _part(2, 3);
        vm.expectRevert(abi.encodeWithSelector(IOpeningBalances.LineClaimed.selector, CAFE, opening, 2));
        openings.claimBatch(CAFE, opening, part, siblings, flags);
        vm.assertEq(openings.openingOf(CAFE, opening).claimed, 3, "three lines count");
    }

    /// @notice SPEC 16.7: lines are claimed from start until before end, by whoever; what is left is void.
    function test_lines_are_claimed_within_the_window_only() public {
        IOpeningBalances.Terms memory terms = _terms();
        (terms.start, terms.end) = (block.timestamp + 10, block.timestamp + 20);
        uint256 late = _commit(CAFE, terms, false);
        bytes32[] memory proof = Tree.proof(tree, 0);
        vm.warp(terms.start - 1);
        _notOpen(late, terms, proof);
        vm.warp(terms.start);
        vm.prank(MALLORY);
        openings.claim(CAFE, late, lines[0], proof);
        vm.assertEq(token(CAFE).balanceOf(members[0]), 1_100, "who claims does not matter");
        vm.warp(terms.end - 1);
        openings.claim(CAFE, late, lines[1], Tree.proof(tree, 1));
        vm.warp(terms.end);
        _notOpen(late, terms, Tree.proof(tree, 0));
        vm.prank(owner(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IOpeningBalances.OpeningOver.selector, terms.end, terms.end));
        openings.prolong(CAFE, late, terms.end + 10);
    }

    /// @notice SPEC 16.6: the end moves only to a later second.
    function test_the_end_moves_only_later() public {
        uint256 end = openings.openingOf(CAFE, opening).end;
        vm.startPrank(owner(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IOpeningBalances.OpeningTermsInvalid.selector, "end"));
        openings.prolong(CAFE, opening, end);
        openings.prolong(CAFE, opening, end + 1);
        vm.stopPrank();
        vm.warp(end);
        _claim(2);
    }

    /// @notice SPEC 16.10: no claim takes more of a lot than the schedule has left, whatever the file says.
    function test_the_schedule_bounds_the_mint_lot_by_lot() public {
        IOpeningBalances.Terms memory terms = _terms();
        // The file's lots of epoch 6 make 1,155; the brand committed 1,154.
        terms.lots[1] -= 1 << 48;
        uint256 short = _commit(CAFE, terms, false);
        for (uint256 i = 0; i + 1 < LINES; ++i) {
            openings.claim(CAFE, short, lines[i], Tree.proof(tree, i));
        }
        bytes32[] memory proof = Tree.proof(tree, LINES - 1);
        vm.expectRevert(abi.encodeWithSelector(IOpeningBalances.OpeningExceeded.selector, 6, 110, 109));
        openings.claim(CAFE, short, lines[LINES - 1], proof);
        vm.assertEq(openings.openingOf(CAFE, short).claimed, LINES - 1, "the others count");
    }

    /// @notice SPEC 16.10: a line whose lots are not packed as the schedule is refused.
    function test_a_line_outside_the_schedule_is_refused() public {
        lines[0].lots[1] = (uint256(5) << 240) | 1;
        lines[1].lots[3] = (uint256(3) << 240) | (1 << 48);
        lines[2].lots[1] = uint256(1) << 240;
        _commitTree();
        uint256 odd = _commit(CAFE, _terms(), false);
        for (uint256 i = 0; i < 3; ++i) {
            bytes32[] memory proof = Tree.proof(tree, i);
            uint256 place = i == 1 ? 3 : 1;
            vm.expectRevert(abi.encodeWithSelector(IOpeningBalances.LineLotsInvalid.selector, i, place));
            openings.claim(CAFE, odd, lines[i], proof);
        }
    }

    /// @notice SPEC 16.8: an index beyond the lines, and members whom no points reach.
    function test_a_line_of_nobody_and_an_index_beyond_are_refused() public {
        lines[0].member = address(0);
        lines[1].member = address(desk);
        lines[2].member = address(token(CAFE));
        lines[3].index = LINES;
        _commitTree();
        uint256 odd = _commit(CAFE, _terms(), false);
        for (uint256 i = 0; i < 4; ++i) {
            bytes32[] memory proof = Tree.proof(tree, i);
            vm.expectRevert(
                i < 3
                    ? abi.encodeWithSelector(IOpeningBalances.MemberInvalid.selector, lines[i].member)
                    : abi.encodeWithSelector(IOpeningBalances.LineUnknown.selector, LINES, LINES)
            );
            openings.claim(CAFE, odd, lines[i], proof);
        }
    }

    /// @notice SPEC 16.11: a batch has 1 to 200 lines, and a proof of a wrong shape is none.
    function test_a_batch_of_a_wrong_size_or_shape_is_refused() public {
        (bytes32[] memory proof, bool[] memory flags) = Tree.multiproof(tree, 2, 3);
        vm.expectRevert(abi.encodeWithSelector(IOpeningBalances.BatchSizeWrong.selector, 0, 200));
        openings.claimBatch(CAFE, opening, new IOpeningBalances.Line[](0), proof, flags);
        vm.expectRevert(abi.encodeWithSelector(IOpeningBalances.BatchSizeWrong.selector, 201, 200));
        openings.claimBatch(CAFE, opening, new IOpeningBalances.Line[](201), proof, flags);
        IOpeningBalances.Line[] memory part = _part(2, 3);
        bytes memory refused = abi.encodeWithSelector(IOpeningBalances.OpeningProofInvalid.selector, tree[0]);
        vm.expectRevert(refused);
        openings.claimBatch(CAFE, opening, part, proof, new bool[](flags.length));
        vm.expectRevert(refused);
        openings.claimBatch(CAFE, opening, part, new bytes32[](0), flags);
        vm.expectRevert(refused);
        openings.claimBatch(CAFE, opening, part, new bytes32[](proof.length), flags);
        vm.expectRevert(refused);
        openings.claimBatch(CAFE, opening, _part(3, 3), proof, flags);
        openings.claimBatch(CAFE, opening, part, proof, flags);
    }

    /// @notice SPEC 16.7: a brand that is stopped mints no old points either.
    function test_a_stopped_brand_claims_nothing() public {
        vm.prank(guardian(CAFE));
        registry.stop(CAFE);
        bytes32[] memory proof = Tree.proof(tree, 0);
        vm.expectPartialRevert(IPartnerRegistry.BrandNotIssuing.selector);
        openings.claim(CAFE, opening, lines[0], proof);
        vm.prank(owner(CAFE));
        registry.resume(CAFE);
        _claim(0);
    }

    /// @notice SPEC 1.23: nobody but OpeningBalances mints lots.
    function test_nobody_else_mints_lots() public {
        ILoyaltyToken.LotsLine[] memory mints = new ILoyaltyToken.LotsLine[](1);
        mints[0] = ILoyaltyToken.LotsLine(MALLORY, 100, lines[0].lots);
        address[5] memory callers = [MALLORY, owner(CAFE), address(rules), address(exchange), address(desk)];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.prank(callers[i]);
            vm.expectRevert(abi.encodeWithSelector(ILoyaltyToken.ModuleOnly.selector, callers[i]));
            token(CAFE).mintLots(mints);
        }
    }

    /* DUAL RUN */

    /// @notice SPEC 16.4, 16.5: the root is replaced while the brand compares and nobody has claimed, and never else.
    function test_the_root_is_replaced_only_while_comparing_and_unclaimed() public {
        IOpeningBalances.Terms memory terms = _terms();
        uint256 dual = _commit(CAFE, terms, true);
        uint256 settled = _commit(CAFE, terms, true);
        bytes32 before = tree[0];
        lines[0].lots = _none();
        _keep(lines[0].lots, 6, 7);
        _commitTree();
        vm.startPrank(owner(CAFE));
        vm.assertEq(openings.replace(CAFE, dual, _terms()), 2, "a new version");
        openings.endComparing(CAFE, settled);
        bytes memory over = abi.encodeWithSelector(IOpeningBalances.OpeningSettled.selector, CAFE, settled);
        vm.expectRevert(over);
        openings.replace(CAFE, settled, _terms());
        vm.expectRevert(over);
        openings.endComparing(CAFE, settled);
        vm.stopPrank();
        vm.assertEq(openings.openingOf(CAFE, settled).root, before, "the root stands");

        openings.claim(CAFE, dual, lines[0], Tree.proof(tree, 0));
        vm.assertEq(token(CAFE).balanceOf(members[0]), 7, "the new line counts");
        vm.prank(owner(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IOpeningBalances.OpeningBegun.selector, CAFE, dual, 1));
        openings.replace(CAFE, dual, terms);
    }

    /* WHAT A CLAIM GIVES */

    /// @notice SPEC 16.12: the points have the line's own expiry; what has ended is not minted, and counts as claimed.
    function test_old_points_keep_their_expiry() public {
        _claim(1);
        ILoyaltyToken.Lot[] memory lots = token(CAFE).lotsOf(_crowd(1));
        vm.assertEq(lots.length, 2, "two lots");
        vm.assertEq(lots[0].expiryEpoch, 6, "the first ends first");
        vm.assertEq(lots[0].points, 101, "its points");
        vm.assertEq(lots[1].expiryEpoch, 11, "the second");
        vm.warp(token(CAFE).expiresAt(6));
        bytes32[] memory proof = Tree.proof(tree, 2);
        vm.assertEq(openings.claim(CAFE, opening, lines[2], proof), 3_000, "the live lot is minted");
        vm.assertEq(token(CAFE).balanceOf(_crowd(2)), 3_000, "and only that");
        vm.warp(token(CAFE).expiresAt(11));
        vm.assertEq(_claim(4), 0, "a line that has ended mints nothing");
        vm.assertTrue(openings.isClaimed(CAFE, opening, 4), "and is claimed all the same");
        vm.assertEq(token(CAFE).totalSupply(), 0, "all have ended");
    }

    /// @notice SPEC 16.10, 16.12: in any order, alone or together, at any time, all lines claimed are the schedule, and supply is what lives.
    function testFuzz_all_lines_together_are_the_schedule(uint256 seed) public {
        uint256[LINES] memory order;
        for (uint256 i = 0; i < LINES; ++i) {
            order[i] = i;
        }
        uint256 from = seed % LINES;
        uint256 count = 1 + (seed >> 8) % (LINES - from);
        uint256 batchAt = (seed >> 16) % LINES;
        uint256 minted = 0;
        for (uint256 i = LINES; i > 0; --i) {
            uint256 k = uint256(keccak256(abi.encode(seed, i))) % i;
            (order[i - 1], order[k]) = (order[k], order[i - 1]);
            if (i - 1 == batchAt) minted += _claimWhatIsLeft(from, count);
            if (!openings.isClaimed(CAFE, opening, order[i - 1])) minted += _claim(order[i - 1]);
            if (uint256(keccak256(abi.encode(seed))) % 3 == 0) vm.warp(block.timestamp + (seed >> 32) % 1 days);
        }
        uint256[4] memory left = openings.openingOf(CAFE, opening).remaining;
        for (uint256 i = 0; i < 4; ++i) {
            vm.assertEq(left[i] & ((1 << 240) - 1), 0, "all of the schedule is claimed");
        }
        uint256 scheduled = 0;
        for (uint256 i = 0; i < LINES; ++i) {
            scheduled += 100 + i + 1_000 * (i + 1);
            vm.assertTrue(openings.isClaimed(CAFE, opening, i), "every line is claimed");
        }
        vm.assertLe(minted, scheduled, "never more than the schedule");
        if (token(CAFE).currentEpoch() < 6) {
            vm.assertEq(minted, scheduled, "all of it before the first end");
            vm.assertEq(token(CAFE).totalSupply(), scheduled, "and the supply");
        }
    }

    /// @notice SPEC 16.2: points that never expire lie in expiry epoch 1.
    function test_points_that_never_expire() public {
        delete lines;
        lines.push(IOpeningBalances.Line(0, members[1], _none()));
        _keep(lines[0].lots, 1, 500);
        _commitTree();
        uint256 gallery = _commit(GALLERY, _terms(), false);
        openings.claim(GALLERY, gallery, lines[0], new bytes32[](0));
        vm.warp(block.timestamp + 3_650 days);
        vm.assertEq(token(GALLERY).balanceOf(members[1]), 500, "still there");
    }

    /* SHORTHANDS */

    function _crowd(uint256 i) private pure returns (address) {
        return address(uint160(0x91000 + i));
    }

    function _none() private pure returns (uint256[4] memory words) {}

    function _add(uint256[4] memory words, uint256 epoch, uint256 points) private pure {
        uint256 group = epoch / 5;
        words[group % 4] = ((words[group % 4] | (group << 240)) + (points << (48 * (epoch % 5))));
    }

    function _keep(uint256[4] storage words, uint256 epoch, uint256 points) private {
        uint256 group = epoch / 5;
        words[group % 4] = ((words[group % 4] | (group << 240)) + (points << (48 * (epoch % 5))));
    }

    /// @dev The tree of the lines, and the schedule that they make up.
    function _commitTree() private {
        bytes32[] memory leaves = new bytes32[](lines.length);
        delete schedule;
        for (uint256 i = 0; i < lines.length; ++i) {
            leaves[i] = keccak256(
                abi.encode(keccak256(abi.encode(lines[i].index, lines[i].member, lines[i].lots)))
            );
            vm.assertEq(leaves[i], openings.leafOf(lines[i]), "the leaf as published");
            for (uint256 epoch = 0; epoch < 20; ++epoch) {
                uint256 word = lines[i].lots[(epoch / 5) % 4];
                uint256 points = word >> 240 == epoch / 5 ? (word >> (48 * (epoch % 5))) & (2 ** 48 - 1) : 0;
                if (points > 0 && word >> 240 < 3) _keep(schedule, epoch, points);
            }
        }
        tree = Tree.build(leaves);
    }

    function _terms() private view returns (IOpeningBalances.Terms memory terms) {
        terms.root = tree[0];
        terms.lots = schedule;
        terms.lines = lines.length;
        terms.start = block.timestamp;
        terms.end = block.timestamp + 30 days;
        terms.fileHash = keccak256("file");
    }

    function _commit(uint256 brandId, IOpeningBalances.Terms memory terms, bool comparing) private returns (uint256) {
        vm.prank(owner(brandId));
        return openings.commit(brandId, terms, comparing);
    }

    function _refused(IOpeningBalances.Terms memory terms, string memory field) private {
        vm.startPrank(owner(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IOpeningBalances.OpeningTermsInvalid.selector, field));
        openings.commit(CAFE, terms, false);
        vm.stopPrank();
    }

    function _notOpen(uint256 late, IOpeningBalances.Terms memory terms, bytes32[] memory proof) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                IOpeningBalances.OpeningNotOpen.selector, terms.start, terms.end, block.timestamp
            )
        );
        openings.claim(CAFE, late, lines[0], proof);
    }

    function _claim(uint256 i) private returns (uint256) {
        return openings.claim(CAFE, opening, lines[i], Tree.proof(tree, i));
    }

    function _part(uint256 first, uint256 count) private view returns (IOpeningBalances.Line[] memory part) {
        part = new IOpeningBalances.Line[](count);
        for (uint256 i = 0; i < count; ++i) {
            part[i] = lines[first + i];
        }
    }

    /// @dev A batch, unless no line of it is new.
    function _claimWhatIsLeft(uint256 first, uint256 count) private returns (uint256 points) {
        bool fresh = false;
        for (uint256 i = first; i < first + count; ++i) {
            fresh = fresh || !openings.isClaimed(CAFE, opening, i);
        }
        if (fresh) (, points) = _claimBatch(first, count);
    }

    function _claimBatch(uint256 first, uint256 count) private returns (uint256, uint256) {
        (bytes32[] memory proof, bool[] memory flags) = Tree.multiproof(tree, first, count);
        return openings.claimBatch(CAFE, opening, _part(first, count), proof, flags);
    }
}
