// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAuthorised} from "../../contracts/interfaces/IAuthorised.sol";
import {IBrandAccess} from "../../contracts/interfaces/IBrandAccess.sol";
import {IPartnerExchange} from "../../contracts/interfaces/IPartnerExchange.sol";
import {IPartnerRegistry} from "../../contracts/interfaces/IPartnerRegistry.sol";
import {IProgrammeGovernor} from "../../contracts/interfaces/IProgrammeGovernor.sol";
import {IRewardRules} from "../../contracts/interfaces/IRewardRules.sol";
import {ISnapshots} from "../../contracts/interfaces/ISnapshots.sol";
import {Roles} from "../../contracts/libraries/Roles.sol";
import {TrieProof} from "../../contracts/libraries/TrieProof.sol";
import {Factory} from "./support/Factory.sol";
import {Voting} from "./support/Voting.sol";

/// @title Votes: proposed by whom it concerns, weighed by a list that anyone contradicts, counted once, carried out.
contract GovernorTest is Voting {
    bytes32 private constant MAGIC = 0x6492649264926492649264926492649264926492649264926492649264926492;
    uint256 private rule;
    address private ann;
    address private bob;
    IProgrammeGovernor.Action[] private actions;

    function setUp() public {
        build();
        buildGovernor();
        rule = publish(CAFE, rateRule(1, 1, IRewardRules.Rounding.Down));
        (ann, bob) = (members[0], members[1]);
        // Ann 600, Bob 300, the smart wallet 100: of these the wallet last.
        award(CAFE, rule, 1, ann, 600);
        award(CAFE, rule, 2, bob, 300);
        award(CAFE, rule, 3, members[3], 100);
        _subject(CAFE);
        actions.push(_ruleChange(CAFE, rule, 3));
    }

    /* PROPOSING */

    /// @notice SPEC 18.3, 18.4: a brand of the electorate proposes by its owner; nobody else, and for no other brand.
    function test_only_who_is_concerned_proposes() public {
        address[4] memory callers = [MALLORY, issuer(CAFE), owner(BOOKS), OPERATOR];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.prank(callers[i]);
            vm.expectRevert(
                abi.encodeWithSelector(IBrandAccess.RoleMissing.selector, callers[i], Roles.id(CAFE, Roles.OWNER))
            );
            governor.proposeAsBrand(CAFE, actions, "text");
        }
        vm.prank(owner(BOOKS));
        vm.expectRevert(abi.encodeWithSelector(IProgrammeGovernor.BrandNotAsked.selector, 0, BOOKS));
        governor.proposeAsBrand(BOOKS, actions, "text");
        vm.expectRevert(abi.encodeWithSelector(IPartnerRegistry.BrandUnknown.selector, 9));
        governor.proposeAsBrand(9, actions, "text");
        vm.expectRevert(abi.encodeWithSelector(IProgrammeGovernor.ProposalUnknown.selector, 1));
        governor.proposalOf(1);
    }

    /// @notice SPEC 18.5: a member proposes with the threshold of points, by signature, once.
    function test_a_member_proposes_above_the_threshold() public {
        uint256 deadline = block.timestamp + 1;
        bytes memory signature = _signProposal(1, bob, CAFE, 7, deadline);
        // The threshold is 10 %: of 1,000 points the wallet has exactly 100, and of 1,001 one too few.
        vm.prank(MALLORY);
        vm.expectRevert(abi.encodeWithSelector(IAuthorised.SignatureInvalid.selector, bob));
        governor.proposeAsMember(bob, CAFE, actions, "other", 7, deadline, signature);
        vm.prank(MALLORY);
        uint256 proposalId = governor.proposeAsMember(bob, CAFE, actions, "text", 7, deadline, signature);
        vm.assertEq(proposalId, 1, "the first");
        vm.expectRevert(abi.encodeWithSelector(IAuthorised.AuthorisationUsed.selector, bob, 7));
        governor.proposeAsMember(bob, CAFE, actions, "text", 7, deadline, signature);
        vm.warp(deadline + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IAuthorised.AuthorisationExpired.selector, deadline, block.timestamp)
        );
        governor.proposeAsMember(bob, CAFE, actions, "text", 8, deadline, signature);
        deadline = block.timestamp;
        signature = _signProposal(3, members[3], CAFE, 1, deadline);
        governor.proposeAsMember(members[3], CAFE, actions, "text", 1, deadline, signature);
        award(CAFE, rule, 4, ann, 1);
        signature = _signProposal(3, members[3], CAFE, 2, deadline);
        vm.expectRevert(abi.encodeWithSelector(IProgrammeGovernor.BelowThreshold.selector, 100, 101));
        governor.proposeAsMember(members[3], CAFE, actions, "text", 2, deadline, signature);
        vm.prank(MALLORY);
        vm.expectRevert(abi.encodeWithSelector(IProgrammeGovernor.BelowThreshold.selector, 0, 101));
        governor.proposeAsMember(MALLORY, CAFE, actions, "text", 2, deadline, "");
        vm.prank(MALLORY);
        governor.cancelAuthorisation(3);
        vm.assertTrue(governor.isNonceUsed(MALLORY, 3), "cancelled");
    }

    /// @notice SPEC 18.2: votes decide on rules, awards, agreements and the text, and on nothing else.
    function test_no_vote_decides_on_anything_else() public {
        IProgrammeGovernor.Action memory action = actions[0];
        action.target = address(manager);
        action.data = abi.encodeWithSignature("grantRole(uint64,address,uint32)", 0, MALLORY, 0);
        _refused(action, IProgrammeGovernor.ActionNotAllowed.selector);
        action.target = address(rules);
        action.data = abi.encodeCall(rules.publish, (CAFE, rateRule(1, 1, IRewardRules.Rounding.Up)));
        _refused(action, IProgrammeGovernor.ActionNotAllowed.selector);
        action.data = abi.encodePacked(IRewardRules.award.selector);
        _refused(action, IProgrammeGovernor.ActionNotAllowed.selector);
        action.data = "";
        _refused(action, IProgrammeGovernor.ActionNotAllowed.selector);
        action.target = address(governor);
        action.data = abi.encodeCall(governor.cancelAuthorisation, (1));
        _refused(action, IProgrammeGovernor.ActionNotAllowed.selector);
        action.target = address(exchange);
        action.data = abi.encodeCall(exchange.end, (1, CAFE));
        _refused(action, IProgrammeGovernor.ActionNotAllowed.selector);
        action.data = abi.encodeCall(exchange.acceptChange, (99, "terms"));
        _refused(action, IPartnerExchange.AgreementUnknown.selector);
        vm.startPrank(owner(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IProgrammeGovernor.ActionsWrong.selector, 0, 8));
        governor.proposeAsBrand(CAFE, new IProgrammeGovernor.Action[](0), "text");
        vm.expectRevert(abi.encodeWithSelector(IProgrammeGovernor.ActionsWrong.selector, 9, 8));
        governor.proposeAsBrand(CAFE, new IProgrammeGovernor.Action[](9), "text");
        vm.stopPrank();
    }

    /// @notice SPEC 18.2: at most two brands, and a text alone, are asked at once.
    function test_no_proposal_mixes_electorates() public {
        actions.push(_ruleChange(BOOKS, 1, 1));
        vm.startPrank(owner(CAFE));
        governor.proposeAsBrand(CAFE, actions, "two brands");
        actions.push(_ruleChange(GALLERY, 1, 1));
        vm.expectRevert(IProgrammeGovernor.ElectorateMixed.selector);
        governor.proposeAsBrand(CAFE, actions, "three");
        actions.pop();
        actions.push(_textChange("new"));
        vm.expectRevert(IProgrammeGovernor.ElectorateMixed.selector);
        governor.proposeAsBrand(CAFE, actions, "a text and brands");
        vm.stopPrank();
        vm.prank(MALLORY);
        vm.expectRevert(abi.encodeWithSelector(IProgrammeGovernor.TimelockOnly.selector, MALLORY));
        governor.setProgrammeText("by hand");
    }

    /* SNAPSHOTS */

    /// @notice SPEC 18.8: a list ascends, each account once, each with points, in whole chunks, and is closed when complete.
    function test_a_list_is_posted_in_order() public {
        uint256 proposalId = _propose();
        uint256[] memory leaves = listOf(CAFE);
        (leaves[0], leaves[1]) = (leaves[1], leaves[0]);
        vm.expectRevert(abi.encodeWithSelector(ISnapshots.LeafInvalid.selector, leaves[1], leaves[0]));
        snapshots.post(proposalId, CAFE, leaves, true);
        leaves[0] = leaves[1];
        vm.expectRevert(abi.encodeWithSelector(ISnapshots.LeafInvalid.selector, leaves[1], leaves[0]));
        snapshots.post(proposalId, CAFE, leaves, true);
        leaves = listOf(CAFE);
        leaves[2] &= ~uint256(type(uint96).max);
        vm.expectRevert(abi.encodeWithSelector(ISnapshots.LeafInvalid.selector, leaves[2], leaves[1]));
        snapshots.post(proposalId, CAFE, leaves, true);
        leaves[2] |= type(uint56).max;
        vm.expectRevert(abi.encodeWithSelector(ISnapshots.LeafInvalid.selector, leaves[2], leaves[1]));
        snapshots.post(proposalId, CAFE, leaves, true);
        leaves = listOf(CAFE);
        vm.expectRevert(abi.encodeWithSelector(ISnapshots.LeavesWrong.selector, 3, 4_096));
        snapshots.post(proposalId, CAFE, leaves, false);
        vm.expectRevert(abi.encodeWithSelector(ISnapshots.LeavesWrong.selector, 0, 4_096));
        snapshots.post(proposalId, CAFE, new uint256[](0), true);
        vm.expectRevert(abi.encodeWithSelector(ISnapshots.LeavesWrong.selector, 4_352, 4_096));
        snapshots.post(proposalId, CAFE, new uint256[](4_352), true);
        snapshots.post(proposalId, CAFE, leaves, true);
        vm.expectRevert(
            abi.encodeWithSelector(ISnapshots.SnapshotClosed.selector, proposalId, CAFE, address(this))
        );
        snapshots.post(proposalId, CAFE, leaves, true);
        ISnapshots.Snapshot memory list = snapshots.snapshotOf(proposalId, CAFE, address(this));
        vm.assertEq(list.total, 1_000, "their sum");
        vm.assertEq(list.accounts, 3, "three accounts");
        vm.assertEq(snapshots.chunkOf(proposalId, CAFE, address(this), 0), chunkRoot(leaves), "the chunk's root");
        vm.expectRevert(abi.encodeWithSelector(IProgrammeGovernor.BrandNotAsked.selector, proposalId, BOOKS));
        snapshots.post(proposalId, BOOKS, leaves, true);
    }

    /// @notice SPEC 18.8: a list of many chunks, in several calls, is one list; order holds across calls.
    function test_a_list_of_several_chunks() public {
        uint256 proposalId = _propose();
        uint256[] memory first = new uint256[](512);
        for (uint256 i = 0; i < 512; ++i) {
            first[i] = ((i + 1) << 96) | 1;
        }
        snapshots.post(proposalId, CAFE, first, false);
        uint256[] memory second = new uint256[](2);
        second[0] = (uint256(512) << 96) | 1;
        second[1] = (uint256(513) << 96) | 1;
        vm.expectRevert(
            abi.encodeWithSelector(ISnapshots.LeafInvalid.selector, second[0], uint256(512) << 96)
        );
        snapshots.post(proposalId, CAFE, second, true);
        second[0] = (uint256(513) << 96) | 5;
        second[1] = (uint256(514) << 96) | 1;
        snapshots.post(proposalId, CAFE, second, true);
        ISnapshots.Snapshot memory list = snapshots.snapshotOf(proposalId, CAFE, address(this));
        vm.assertEq(list.chunks, 3, "three chunks");
        vm.assertEq(list.total, 518, "one sum");
        vm.assertEq(snapshots.chunkOf(proposalId, CAFE, address(this), 2), chunkRoot(second), "the last one");
    }

    /// @notice SPEC 18.9, 18.10: one wrong leaf, too high or too low, is proven wrong from the block's hash; a right one is not.
    function test_a_leaf_above_its_balance_is_contradicted() public {
        uint256 proposalId = _propose();
        uint256[] memory leaves = listOf(CAFE);
        uint256 place = placeOf(leaves, bob);
        leaves[place] += 1;
        vm.prank(MALLORY);
        snapshots.post(proposalId, CAFE, leaves, true);
        // The state of the block before: Bob's words as they lie in storage now.
        ISnapshots.StateProof memory proof = proofOf(proposalId, CAFE, accountSlot(bob));
        snapshots.contradictLeaf(proposalId, CAFE, MALLORY, 0, place, leaves[place], siblingsOf(leaves, place), proof);
        vm.assertTrue(snapshots.snapshotOf(proposalId, CAFE, MALLORY).contradicted, "it is out");
        vm.warp(block.timestamp + CHALLENGE);
        bytes memory closed = abi.encodeWithSelector(ISnapshots.SnapshotClosed.selector, proposalId, CAFE, MALLORY);
        vm.expectRevert(closed);
        snapshots.adopt(proposalId, CAFE, MALLORY);
        vm.prank(MALLORY);
        vm.expectRevert(closed);
        snapshots.post(proposalId, CAFE, leaves, true);
    }

    /// @notice SPEC 18.10: what is true is not contradicted: the leaf as it was, at its own place.
    function test_a_true_leaf_stands() public {
        uint256 proposalId = _propose();
        uint256[] memory leaves = listOf(CAFE);
        uint256 place = placeOf(leaves, bob);
        snapshots.post(proposalId, CAFE, leaves, true);
        ISnapshots.StateProof memory proof = proofOf(proposalId, CAFE, accountSlot(bob));
        vm.expectRevert(abi.encodeWithSelector(ISnapshots.SnapshotTrue.selector, bob, 300));
        snapshots.contradictLeaf(
            proposalId, CAFE, address(this), 0, place, leaves[place], siblingsOf(leaves, place), proof
        );
        // Another's leaf, another place, another amount, what fills up the chunk.
        uint256[4] memory others = [leaves[0] + 1, leaves[place] + 1, uint256(0), leaves[place]];
        uint256[4] memory places = [uint256(0), place, 200, 256 + place];
        for (uint256 i = 0; i < 4; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ISnapshots.LeafUnknown.selector, 0, places[i]));
            snapshots.contradictLeaf(
                proposalId, CAFE, address(this), 0, places[i], others[i], siblingsOf(leaves, places[i] % 256), proof
            );
        }
    }

    /// @notice SPEC 18.9: nothing but the very block's state proves anything.
    function test_a_proof_of_another_state_proves_nothing() public {
        uint256 proposalId = _propose();
        uint256[] memory leaves = listOf(CAFE);
        uint256 place = placeOf(leaves, bob);
        leaves[place] += 1;
        snapshots.post(proposalId, CAFE, leaves, true);
        bytes32[8] memory siblings = siblingsOf(leaves, place);
        bytes32 kept = governor.proposalOf(proposalId).blockHash;
        ISnapshots.StateProof memory proof = proofOf(proposalId, CAFE, accountSlot(bob));
        // A header that is not the block's: here the kept hash is put back to what it was.
        keepHash(proposalId, kept);
        vm.expectRevert(abi.encodeWithSelector(TrieProof.HeaderInvalid.selector, kept));
        snapshots.contradictLeaf(proposalId, CAFE, address(this), 0, place, leaves[place], siblings, proof);
        proof = proofOf(proposalId, CAFE, accountSlot(bob));
        ISnapshots.StateProof memory other = proof;
        bytes memory node = other.words[0][other.words[0].length - 1];
        node[node.length - 1] ^= 0x01;
        vm.expectPartialRevert(TrieProof.ProofInvalid.selector);
        snapshots.contradictLeaf(proposalId, CAFE, address(this), 0, place, leaves[place], siblings, other);
        node[node.length - 1] ^= 0x01;
        other.words[0] = new bytes[](0);
        vm.expectRevert(abi.encodeWithSelector(TrieProof.ProofInvalid.selector, 0));
        snapshots.contradictLeaf(proposalId, CAFE, address(this), 0, place, leaves[place], siblings, other);
        // Another account's words do not prove this one's.
        proof = proofOf(proposalId, CAFE, accountSlot(ann));
        vm.expectPartialRevert(TrieProof.ProofInvalid.selector);
        snapshots.contradictLeaf(proposalId, CAFE, address(this), 0, place, leaves[place], siblings, swapped(proof));
    }

    /// @notice SPEC 18.11: a list that leaves somebody out has another sum than the supply, and that is proven.
    function test_a_list_that_leaves_somebody_out_is_contradicted() public {
        uint256 proposalId = _propose();
        uint256[] memory all = listOf(CAFE);
        uint256[] memory fewer = new uint256[](2);
        (fewer[0], fewer[1]) = (all[0], all[2]);
        vm.prank(MALLORY);
        snapshots.post(proposalId, CAFE, fewer, true);
        snapshots.post(proposalId, CAFE, all, true);
        ISnapshots.StateProof memory proof = proofOf(proposalId, CAFE, 1);
        vm.expectRevert(abi.encodeWithSelector(ISnapshots.SnapshotTrue.selector, address(0), 1_000));
        snapshots.contradictTotal(proposalId, CAFE, address(this), proof);
        vm.expectRevert(abi.encodeWithSelector(ISnapshots.SnapshotIncomplete.selector, proposalId, CAFE, ann));
        snapshots.contradictTotal(proposalId, CAFE, ann, proof);
        snapshots.contradictTotal(proposalId, CAFE, MALLORY, proof);
        vm.expectRevert(abi.encodeWithSelector(ISnapshots.SnapshotClosed.selector, proposalId, CAFE, MALLORY));
        snapshots.contradictTotal(proposalId, CAFE, MALLORY, proof);
    }

    /// @notice SPEC 18.12: a list is adopted when it has stood its challenge, one only, and before the preparation ends.
    function test_a_list_is_adopted_after_its_challenge() public {
        uint256 proposalId = _propose();
        uint256[] memory leaves = listOf(CAFE);
        vm.expectRevert(
            abi.encodeWithSelector(ISnapshots.SnapshotIncomplete.selector, proposalId, CAFE, address(this))
        );
        snapshots.adopt(proposalId, CAFE, address(this));
        snapshots.post(proposalId, CAFE, leaves, true);
        vm.prank(MALLORY);
        snapshots.post(proposalId, CAFE, leaves, true);
        uint256 until = block.timestamp + CHALLENGE;
        vm.warp(until - 1);
        vm.expectRevert(abi.encodeWithSelector(ISnapshots.ChallengeRunning.selector, until, until - 1));
        snapshots.adopt(proposalId, CAFE, address(this));
        vm.warp(until);
        snapshots.adopt(proposalId, CAFE, address(this));
        bytes memory closed = abi.encodeWithSelector(ISnapshots.SnapshotsClosed.selector, proposalId, CAFE);
        vm.expectRevert(closed);
        snapshots.adopt(proposalId, CAFE, MALLORY);
        vm.expectRevert(closed);
        snapshots.post(proposalId, CAFE, leaves, true);
        uint256 late = _propose();
        vm.warp(block.timestamp + PREPARATION);
        vm.expectRevert(abi.encodeWithSelector(ISnapshots.SnapshotsClosed.selector, late, CAFE));
        snapshots.post(late, CAFE, leaves, true);
    }

    /* VOTING */

    /// @notice SPEC 18.14: a vote counts once, alone and in batches, by its points.
    function test_a_vote_counts_once() public {
        (uint256 proposalId, uint256[] memory leaves) = _voting();
        IProgrammeGovernor.Ballot[] memory ballots = new IProgrammeGovernor.Ballot[](3);
        ballots[0] = ballot(proposalId, leaves, 0, ann, 1);
        ballots[1] = ballot(proposalId, leaves, 1, bob, 0);
        ballots[2] = ballot(proposalId, leaves, 0, ann, 1);
        vm.assertEq(governor.castVotes(proposalId, CAFE, ballots), 2, "the third is the first again");
        vm.expectRevert(abi.encodeWithSelector(IProgrammeGovernor.VoteUsed.selector, proposalId, CAFE, ann));
        governor.castVote(proposalId, CAFE, ballots[0]);
        ballots[0] = ballot(proposalId, leaves, 0, ann, 0);
        vm.expectRevert(abi.encodeWithSelector(IProgrammeGovernor.VoteUsed.selector, proposalId, CAFE, ann));
        governor.castVotes(proposalId, CAFE, ballots);
        IProgrammeGovernor.Tally memory tally = governor.tallyOf(proposalId, CAFE);
        vm.assertEq(tally.pointsFor, 600, "hers");
        vm.assertEq(tally.pointsAgainst, 300, "his");
        vm.assertTrue(governor.hasVoted(proposalId, CAFE, 0, placeOf(leaves, ann)), "told");
        // The smart wallet signs by ERC-1271, and sends its own.
        ballots[0] = ballot(proposalId, leaves, 3, members[3], 2);
        governor.castVote(proposalId, CAFE, ballots[0]);
        vm.assertEq(governor.tallyOf(proposalId, CAFE).pointsAbstaining, 100, "counted");
    }

    /// @notice SPEC 18.14: nobody votes for another, with other points, another choice, or from a list not adopted.
    function test_nobody_votes_for_another() public {
        (uint256 proposalId, uint256[] memory leaves) = _voting();
        IProgrammeGovernor.Ballot memory vote = ballot(proposalId, leaves, 1, bob, 1);
        IProgrammeGovernor.Ballot memory wrong = ballot(proposalId, leaves, 1, ann, 1);
        vm.expectRevert(abi.encodeWithSelector(IAuthorised.SignatureInvalid.selector, ann));
        governor.castVote(proposalId, CAFE, wrong);
        wrong = ballot(proposalId + 1, leaves, 1, bob, 1);
        vm.expectRevert(abi.encodeWithSelector(IAuthorised.SignatureInvalid.selector, bob));
        governor.castVote(proposalId, CAFE, wrong);
        vote.choice = 0;
        vm.expectRevert(abi.encodeWithSelector(IAuthorised.SignatureInvalid.selector, bob));
        governor.castVote(proposalId, CAFE, vote);
        vote.choice = 3;
        vm.expectRevert(abi.encodeWithSelector(IProgrammeGovernor.ChoiceInvalid.selector, 3));
        governor.castVote(proposalId, CAFE, vote);
        vote.choice = 1;
        vote.leaf += 1;
        vm.expectRevert(abi.encodeWithSelector(ISnapshots.LeafUnknown.selector, 0, vote.position));
        governor.castVote(proposalId, CAFE, vote);
        vote.leaf -= 1;
        vote.position += 256;
        vm.expectRevert(abi.encodeWithSelector(ISnapshots.LeafUnknown.selector, 0, vote.position));
        governor.castVote(proposalId, CAFE, vote);
        vote.position -= 256;
        vote.chunk = 1;
        vm.expectRevert(abi.encodeWithSelector(ISnapshots.LeafUnknown.selector, 1, vote.position));
        governor.castVote(proposalId, CAFE, vote);
        vm.expectRevert(abi.encodeWithSelector(IProgrammeGovernor.BatchSizeWrong.selector, 0, 200));
        governor.castVotes(proposalId, CAFE, new IProgrammeGovernor.Ballot[](0));
        vm.expectRevert(abi.encodeWithSelector(IProgrammeGovernor.BatchSizeWrong.selector, 201, 200));
        governor.castVotes(proposalId, CAFE, new IProgrammeGovernor.Ballot[](201));
        // The member itself needs no signature.
        vote.chunk = 0;
        vote.signature = "";
        vm.prank(bob);
        governor.castVote(proposalId, CAFE, vote);
    }

    /// @notice SPEC 18.14, 6.16: what a wallet's factory does while a vote is counted is undone: no vote is lost or doubled.
    function test_a_factory_that_votes_in_between_changes_nothing() public {
        Factory factory = new Factory();
        address wallet = factory.foretold(vm.addr(99));
        award(CAFE, rule, 900, wallet, 50);
        uint256 proposalId = _propose();
        uint256[] memory leaves = new uint256[](2);
        (leaves[0], leaves[1]) = ((uint256(uint160(wallet)) << 96) | 50, (uint256(uint160(bob)) << 96) | 300);
        if (leaves[0] > leaves[1]) (leaves[0], leaves[1]) = (leaves[1], leaves[0]);
        snapshots.post(proposalId, CAFE, leaves, true);
        vm.warp(block.timestamp + CHALLENGE);
        snapshots.adopt(proposalId, CAFE, address(this));
        IProgrammeGovernor.Ballot[] memory ballots = new IProgrammeGovernor.Ballot[](1);
        ballots[0] = ballot(proposalId, leaves, 0, wallet, 1);
        bytes memory word = sign(99, address(governor), voteHash(proposalId, wallet, 1));
        bytes memory make = abi.encodeCall(Factory.make, (vm.addr(99)));
        ballots[0].signature = abi.encodePacked(abi.encode(address(factory), make, word), MAGIC);
        IProgrammeGovernor.Ballot memory bobs = ballot(proposalId, leaves, 1, bob, 0);
        factory.callBack(address(governor), abi.encodeCall(governor.castVote, (proposalId, CAFE, bobs)));
        vm.assertEq(governor.castVotes(proposalId, CAFE, ballots), 1, "the wallet's own");
        IProgrammeGovernor.Tally memory tally = governor.tallyOf(proposalId, CAFE);
        vm.assertEq(tally.pointsFor, 50, "once");
        vm.assertEq(tally.pointsAgainst, 0, "his was undone");
        vm.assertFalse(governor.hasVoted(proposalId, CAFE, 0, placeOf(leaves, bob)), "wholly");
        governor.castVote(proposalId, CAFE, bobs);
        vm.assertEq(governor.tallyOf(proposalId, CAFE).pointsAgainst, 300, "and counts when he brings it");
    }

    /// @notice SPEC 18.13, 18.14: votes count from the adoption until the voting ends, voices until then too.
    function test_votes_count_within_the_voting_only() public {
        uint256 proposalId = _propose();
        uint256[] memory leaves = listOf(CAFE);
        IProgrammeGovernor.Ballot memory vote = ballot(proposalId, leaves, 0, ann, 1);
        uint256 until = governor.proposalOf(proposalId).votedUntil;
        _closed(proposalId, vote, until);
        snapshots.post(proposalId, CAFE, leaves, true);
        _closed(proposalId, vote, until);
        vm.warp(block.timestamp + CHALLENGE);
        snapshots.adopt(proposalId, CAFE, address(this));
        vm.warp(until - 1);
        governor.castVote(proposalId, CAFE, vote);
        vm.warp(until);
        _closed(proposalId, ballot(proposalId, leaves, 1, bob, 1), until);
        vm.prank(owner(CAFE));
        vm.expectRevert(
            abi.encodeWithSelector(IProgrammeGovernor.VotingClosed.selector, proposalId, CAFE, until, until)
        );
        governor.castVoice(proposalId, CAFE, 1);
    }

    /// @notice SPEC 18.15: a brand has one voice, its owner's.
    function test_a_brand_has_one_voice() public {
        uint256 proposalId = _propose();
        address[3] memory callers = [MALLORY, issuer(CAFE), owner(BOOKS)];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.prank(callers[i]);
            vm.expectRevert(
                abi.encodeWithSelector(IBrandAccess.RoleMissing.selector, callers[i], Roles.id(CAFE, Roles.OWNER))
            );
            governor.castVoice(proposalId, CAFE, 1);
        }
        vm.prank(owner(BOOKS));
        vm.expectRevert(abi.encodeWithSelector(IProgrammeGovernor.BrandNotAsked.selector, proposalId, BOOKS));
        governor.castVoice(proposalId, BOOKS, 1);
        vm.startPrank(owner(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IProgrammeGovernor.ChoiceInvalid.selector, 3));
        governor.castVoice(proposalId, CAFE, 3);
        governor.castVoice(proposalId, CAFE, 1);
        vm.expectRevert(abi.encodeWithSelector(IProgrammeGovernor.VoiceUsed.selector, proposalId, CAFE));
        governor.castVoice(proposalId, CAFE, 1);
        vm.stopPrank();
        vm.assertEq(governor.proposalOf(proposalId).voicesFor, 1, "one");
    }

    /* THE OUTCOME */

    /// @notice SPEC 18.16, 18.17, 18.18: both houses agree, the timelock waits, the rule's change is announced.
    function test_an_agreed_change_of_a_rule_is_carried_out() public {
        uint256 proposalId = _agreed();
        vm.expectRevert(
            abi.encodeWithSelector(
                IProgrammeGovernor.ProposalStateWrong.selector, proposalId, IProgrammeGovernor.State.Agreed
            )
        );
        governor.execute(proposalId, actions);
        IProgrammeGovernor.Action[] memory others = new IProgrammeGovernor.Action[](1);
        others[0] = _ruleChange(CAFE, rule, 4);
        vm.expectPartialRevert(IProgrammeGovernor.ActionsUnknown.selector);
        governor.queue(proposalId, others);
        vm.prank(MALLORY);
        uint256 readyAt = governor.queue(proposalId, actions);
        vm.assertEq(readyAt, block.timestamp + DELAY, "the timelock's delay");
        vm.warp(readyAt - 1);
        vm.expectRevert();
        governor.execute(proposalId, actions);
        vm.warp(readyAt);
        vm.expectPartialRevert(IProgrammeGovernor.ActionsUnknown.selector);
        governor.execute(proposalId, others);
        governor.execute(proposalId, actions);
        (IRewardRules.Terms memory terms, uint256 version,) = rules.pendingOf(CAFE, rule);
        vm.assertEq(version, 2, "announced");
        vm.assertEq(terms.numerator, 3, "as voted");
        bytes memory done = abi.encodeWithSelector(
            IProgrammeGovernor.ProposalStateWrong.selector, proposalId, IProgrammeGovernor.State.Executed
        );
        vm.expectRevert(done);
        governor.execute(proposalId, actions);
        vm.expectRevert(done);
        governor.queue(proposalId, actions);
    }

    /// @notice SPEC 18.16: a house that does not agree, by majority, quorum or voice, refuses.
    function testFuzz_both_houses_must_agree(uint8 annSays, uint8 bobSays, uint8 walletSays, uint8 brandSays) public {
        (uint256 proposalId, uint256[] memory leaves) = _voting();
        uint8[3] memory says = [annSays % 4, bobSays % 4, walletSays % 4];
        uint256[3] memory who = [uint256(0), 1, 3];
        uint256[4] memory points;
        for (uint256 i = 0; i < 3; ++i) {
            if (says[i] == 3) continue;
            governor.castVote(proposalId, CAFE, ballot(proposalId, leaves, who[i], members[who[i]], says[i]));
            points[says[i]] += [uint256(600), 300, 100][i];
        }
        if (brandSays % 4 != 3) {
            vm.prank(owner(CAFE));
            governor.castVoice(proposalId, CAFE, brandSays % 4);
        }
        bool members_ = points[1] > points[0] && points[0] + points[1] + points[2] >= 400;
        (bool membersAgree, bool brandsAgree) = governor.outcomeOf(proposalId);
        vm.assertTrue(membersAgree == members_, "the members' house");
        vm.assertTrue(brandsAgree == (brandSays % 4 == 1), "the brands' house");
        vm.expectPartialRevert(IProgrammeGovernor.VotingRunning.selector);
        governor.queue(proposalId, actions);
        vm.warp(governor.proposalOf(proposalId).votedUntil);
        if (members_ && brandSays % 4 == 1) {
            governor.queue(proposalId, actions);
        } else {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IProgrammeGovernor.ProposalStateWrong.selector, proposalId, IProgrammeGovernor.State.Refused
                )
            );
            governor.queue(proposalId, actions);
        }
    }

    /// @notice SPEC 18.2, 18.16: an agreement asks the members and the owners of both its brands.
    function test_an_agreements_limits_are_changed_by_both_brands() public {
        IPartnerExchange.Terms memory terms = agreementTerms();
        uint256 agreement = agree(CAFE, BOOKS, terms);
        _subject(BOOKS);
        uint256 booksRule = publish(BOOKS, rateRule(1, 1, IRewardRules.Rounding.Down));
        award(BOOKS, booksRule, 1, bob, 50);
        terms.dailyCap = 77;
        IProgrammeGovernor.Action[] memory both = new IProgrammeGovernor.Action[](2);
        both[0].target = both[1].target = address(exchange);
        both[0].data = abi.encodeCall(exchange.proposeChange, (agreement, CAFE, terms));
        both[1].data = abi.encodeCall(exchange.acceptChange, (agreement, keccak256(abi.encode(terms))));
        vm.prank(owner(BOOKS));
        uint256 proposalId = governor.proposeAsBrand(BOOKS, both, "limits");
        uint256[] memory cafe = listOf(CAFE);
        uint256[] memory books = listOf(BOOKS);
        snapshots.post(proposalId, CAFE, cafe, true);
        snapshots.post(proposalId, BOOKS, books, true);
        vm.warp(block.timestamp + CHALLENGE);
        snapshots.adopt(proposalId, CAFE, address(this));
        snapshots.adopt(proposalId, BOOKS, address(this));
        governor.castVote(proposalId, CAFE, ballot(proposalId, cafe, 0, ann, 1));
        vm.prank(owner(CAFE));
        governor.castVoice(proposalId, CAFE, 1);
        (bool membersAgree, bool brandsAgree) = governor.outcomeOf(proposalId);
        vm.assertFalse(membersAgree || brandsAgree, "one of two is not more than half");
        governor.castVote(proposalId, BOOKS, ballot(proposalId, books, 1, bob, 1));
        vm.prank(owner(BOOKS));
        governor.castVoice(proposalId, BOOKS, 1);
        vm.warp(governor.proposalOf(proposalId).votedUntil);
        vm.warp(governor.queue(proposalId, both));
        governor.execute(proposalId, both);
        (IPartnerExchange.Terms memory pending,,, uint256 inForceAt) = exchange.pendingOf(agreement);
        vm.assertEq(pending.dailyCap, 77, "as voted");
        vm.assertTrue(inForceAt > block.timestamp, "accepted, after its notice");
    }

    /// @notice SPEC 18.2, 18.17: a spend from a rule's budget, and the programme's text, which asks all brands.
    function test_a_spend_and_a_text_are_carried_out() public {
        delete actions;
        IProgrammeGovernor.Action memory spend;
        spend.target = address(rules);
        IRewardRules.Item memory item;
        (item.operationId, item.ruleId, item.member, item.baseAmount) = (9_999, rule, bob, 70);
        spend.data = abi.encodeCall(rules.award, (CAFE, item));
        actions.push(spend);
        uint256 proposalId = _agreed();
        vm.warp(governor.queue(proposalId, actions));
        governor.execute(proposalId, actions);
        vm.assertEq(token(CAFE).balanceOf(bob), 370, "out of the rule's budget");

        delete actions;
        actions.push(_textChange(keccak256("the programme")));
        vm.prank(owner(GALLERY));
        proposalId = governor.proposeAsBrand(GALLERY, actions, "text");
        uint256[] memory leaves = listOf(CAFE);
        snapshots.post(proposalId, CAFE, leaves, true);
        vm.warp(block.timestamp + CHALLENGE);
        snapshots.adopt(proposalId, CAFE, address(this));
        governor.castVote(proposalId, CAFE, ballot(proposalId, leaves, 0, ann, 1));
        for (uint256 brandId = CAFE; brandId <= BOOKS; ++brandId) {
            vm.prank(owner(brandId));
            governor.castVoice(proposalId, brandId, 1);
        }
        (bool membersAgree, bool brandsAgree) = governor.outcomeOf(proposalId);
        vm.assertTrue(brandsAgree, "two brands of three");
        vm.assertFalse(membersAgree, "the members of one of three");
        vm.warp(governor.proposalOf(proposalId).votedUntil);
        vm.expectPartialRevert(IProgrammeGovernor.ProposalStateWrong.selector);
        governor.queue(proposalId, actions);
    }

    /// @notice SPEC 18.17: the programme's text is what was voted, by most brands and most brands' members.
    function test_the_programmes_text_is_what_was_voted() public {
        uint256 booksRule = publish(BOOKS, rateRule(1, 1, IRewardRules.Rounding.Down));
        award(BOOKS, booksRule, 1, bob, 50);
        delete actions;
        actions.push(_textChange(keccak256("the programme")));
        vm.prank(owner(GALLERY));
        uint256 proposalId = governor.proposeAsBrand(GALLERY, actions, "text");
        for (uint256 brandId = CAFE; brandId <= BOOKS; ++brandId) {
            snapshots.post(proposalId, brandId, listOf(brandId), true);
            vm.prank(owner(brandId));
            governor.castVoice(proposalId, brandId, 1);
        }
        // What of the weights ends while the vote lasts counts all the same: it is of the block before.
        uint256[] memory books = listOf(BOOKS);
        vm.warp(block.timestamp + CHALLENGE);
        snapshots.adopt(proposalId, CAFE, address(this));
        snapshots.adopt(proposalId, BOOKS, address(this));
        governor.castVote(proposalId, CAFE, ballot(proposalId, listOf(CAFE), 0, ann, 1));
        governor.castVote(proposalId, BOOKS, ballot(proposalId, books, 1, bob, 1));
        vm.warp(governor.proposalOf(proposalId).votedUntil);
        vm.warp(governor.queue(proposalId, actions));
        governor.execute(proposalId, actions);
        (bytes32 textHash, uint256 version) = governor.programmeText();
        vm.assertEq(textHash, keccak256("the programme"), "as voted");
        vm.assertEq(version, 1, "the first");
    }

    /// @notice SPEC 18.19: a guardian of the electorate, or Moa's, stops a proposal until it is executed; nobody else does.
    function test_a_guardian_stops_a_proposal() public {
        uint256 proposalId = _agreed();
        governor.queue(proposalId, actions);
        vm.prank(MALLORY);
        vm.expectPartialRevert(IBrandAccess.RoleMissing.selector);
        governor.veto(proposalId, CAFE);
        vm.prank(guardian(BOOKS));
        vm.expectRevert(abi.encodeWithSelector(IProgrammeGovernor.BrandNotAsked.selector, proposalId, BOOKS));
        governor.veto(proposalId, BOOKS);
        vm.prank(guardian(CAFE));
        vm.expectPartialRevert(IBrandAccess.RoleMissing.selector);
        governor.veto(proposalId, 0);
        vm.prank(guardian(CAFE));
        governor.veto(proposalId, CAFE);
        bytes memory stopped = abi.encodeWithSelector(
            IProgrammeGovernor.ProposalStateWrong.selector, proposalId, IProgrammeGovernor.State.Vetoed
        );
        vm.warp(block.timestamp + DELAY);
        vm.expectRevert(stopped);
        governor.execute(proposalId, actions);
        vm.prank(MOA_GUARDIAN);
        vm.expectRevert(stopped);
        governor.veto(proposalId, 0);
        uint256 other = _propose();
        vm.prank(MOA_GUARDIAN);
        governor.veto(other, 0);
        uint256[] memory leaves = listOf(CAFE);
        vm.expectRevert(abi.encodeWithSelector(ISnapshots.SnapshotsClosed.selector, other, CAFE));
        snapshots.post(other, CAFE, leaves, true);
    }

    /// @notice SPEC 18.18: what is not queued or executed within thirty days is not executed any more.
    function test_an_old_decision_is_not_carried_out() public {
        uint256 proposalId = _agreed();
        uint256 queued = _agreed();
        uint256 readyAt = governor.queue(queued, actions);
        vm.warp(governor.proposalOf(proposalId).votedUntil + 30 days);
        vm.expectRevert(
            abi.encodeWithSelector(
                IProgrammeGovernor.ProposalStateWrong.selector, proposalId, IProgrammeGovernor.State.Stale
            )
        );
        governor.queue(proposalId, actions);
        vm.warp(readyAt + 30 days);
        vm.expectRevert(
            abi.encodeWithSelector(
                IProgrammeGovernor.ProposalStateWrong.selector, queued, IProgrammeGovernor.State.Stale
            )
        );
        governor.execute(queued, actions);
    }

    /// @notice SPEC 18.1: terms outside the bounds make no governor.
    function test_terms_outside_the_bounds_make_no_governor() public {
        string[6] memory fields = [
            "challengeSeconds",
            "preparationSeconds",
            "votingSeconds",
            "delaySeconds",
            "thresholdBps",
            "quorumBps"
        ];
        for (uint256 i = 0; i < 6; ++i) {
            IProgrammeGovernor.Terms memory terms = governor.terms();
            if (i == 0) terms.challengeSeconds = 1 hours - 1;
            if (i == 1) terms.preparationSeconds = terms.challengeSeconds;
            if (i == 2) terms.votingSeconds = 365 days + 1;
            if (i == 3) terms.delaySeconds = 0;
            if (i == 4) terms.thresholdBps = 10_001;
            if (i == 5) terms.quorumBps = 0;
            vm.expectRevert(
                abi.encodeWithSelector(IProgrammeGovernor.GovernorTermsInvalid.selector, fields[i])
            );
            makeGovernor(terms);
        }
    }

    /* SHORTHANDS */

    function _propose() private returns (uint256) {
        vm.prank(owner(CAFE));
        return governor.proposeAsBrand(CAFE, actions, "text");
    }

    /// @dev A proposal whose list is adopted.
    function _voting() private returns (uint256 proposalId, uint256[] memory leaves) {
        proposalId = _propose();
        leaves = listOf(CAFE);
        snapshots.post(proposalId, CAFE, leaves, true);
        vm.warp(block.timestamp + CHALLENGE);
        snapshots.adopt(proposalId, CAFE, address(this));
    }

    /// @dev A proposal to which both houses said yes, and whose voting is over.
    function _agreed() private returns (uint256 proposalId) {
        uint256[] memory leaves;
        (proposalId, leaves) = _voting();
        governor.castVote(proposalId, CAFE, ballot(proposalId, leaves, 0, ann, 1));
        vm.prank(owner(CAFE));
        governor.castVoice(proposalId, CAFE, 1);
        vm.warp(governor.proposalOf(proposalId).votedUntil);
    }

    /// @dev The brand puts itself under the programme's votes.
    function _subject(uint256 brandId) private {
        vm.startPrank(owner(brandId));
        manager.grantRole(Roles.id(brandId, Roles.OWNER), governor.timelock(), 0);
        manager.grantRole(Roles.id(brandId, Roles.ISSUER), governor.timelock(), 0);
        vm.stopPrank();
    }

    function _ruleChange(uint256 brandId, uint256 ruleId, uint256 numerator)
        private
        view
        returns (IProgrammeGovernor.Action memory action)
    {
        action.target = address(rules);
        action.data = abi.encodeCall(
            rules.announceChange, (brandId, ruleId, rateRule(numerator, 1, IRewardRules.Rounding.Down))
        );
    }

    function _textChange(bytes32 textHash) private view returns (IProgrammeGovernor.Action memory action) {
        action.target = address(governor);
        action.data = abi.encodeCall(governor.setProgrammeText, (textHash));
    }

    function _refused(IProgrammeGovernor.Action memory action, bytes4 selector) private {
        IProgrammeGovernor.Action[] memory one = new IProgrammeGovernor.Action[](1);
        one[0] = action;
        vm.startPrank(owner(CAFE));
        vm.expectPartialRevert(selector);
        governor.proposeAsBrand(CAFE, one, "text");
        vm.stopPrank();
    }

    function _closed(uint256 proposalId, IProgrammeGovernor.Ballot memory vote, uint256 until) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                IProgrammeGovernor.VotingClosed.selector, proposalId, CAFE, until, block.timestamp
            )
        );
        governor.castVote(proposalId, CAFE, vote);
    }

    function _signProposal(uint256 who, address member, uint256 brandId, uint256 nonce, uint256 deadline)
        private
        view
        returns (bytes memory)
    {
        return sign(
            keys[who],
            address(governor),
            keccak256(
                abi.encode(
                    keccak256(
                        "ProposeAsMember(address member,uint256 brandId,bytes32 actionsHash,bytes32 textHash,uint256 nonce,uint256 deadline)"
                    ),
                    member,
                    brandId,
                    keccak256(abi.encode(actions)),
                    bytes32("text"),
                    nonce,
                    deadline
                )
            )
        );
    }
}
