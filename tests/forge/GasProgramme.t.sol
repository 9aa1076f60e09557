// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Badges} from "../../contracts/Badges.sol";
import {IBadges} from "../../contracts/interfaces/IBadges.sol";
import {IProgrammeGovernor} from "../../contracts/interfaces/IProgrammeGovernor.sol";
import {IRewardRules} from "../../contracts/interfaces/IRewardRules.sol";
import {IOpeningBalances} from "../../contracts/interfaces/IOpeningBalances.sol";
import {Tree} from "./support/Tree.sol";
import {Voting} from "./support/Voting.sol";

/// @title Gas of opening balances, badges and votes, as in Gas.t.sol: whole transactions, cold storage (`--isolate`).
contract GasProgramme is Voting {
    uint256 private constant BATCH = 100;
    /// @dev A file of 2^20 lines: the tree of the batch's 128, under thirteen more siblings.
    uint256 private constant UPPER = 13;
    uint256 private constant ELECTORATE = 10_000;
    uint256 private constant POSTED = 4_096;

    string private json;

    function setUp() public {
        build();
    }

    function test_gas_of_openings_badges_and_votes() public {
        _openings();
        _badges();
        _votes();
        vm.writeFile("build/gas-programme.json", string.concat("{\n", json, "\n}\n"));
    }

    /* OPENING BALANCES: a million lines, one lot a line, members without points and with some */

    function _openings() private {
        vm.warp(token(CAFE).expiresAt(4));
        bytes32[] memory tree;
        IOpeningBalances.Line[] memory lines;
        (tree, lines) = _file(0xA1000);
        uint256 first = _commit(tree);
        bytes32[] memory proof = _upwards(Tree.proof(tree, 127));
        IOpeningBalances.Line memory single = lines[127];
        vm.prank(MALLORY);
        openings.claim(CAFE, first, single, proof);
        _note("opening_claim_single_new", 1);
        _claimBatch(first, tree, lines);
        _note("opening_claim_in_batch_of_100_new", BATCH);
        uint256 second = _commit(tree);
        _claimBatch(second, tree, lines);
        _note("opening_claim_in_batch_of_100_existing", BATCH);
    }

    function _file(uint256 crowd) private view returns (bytes32[] memory, IOpeningBalances.Line[] memory lines) {
        lines = new IOpeningBalances.Line[](128);
        bytes32[] memory leaves = new bytes32[](128);
        for (uint256 i = 0; i < 128; ++i) {
            uint256[4] memory lots;
            lots[1] = (uint256(1) << 240) | ((123_456 + i) << 48);
            lines[i] = IOpeningBalances.Line(i, address(uint160(uint256(keccak256(abi.encode(crowd + i))))), lots);
            leaves[i] = openings.leafOf(lines[i]);
        }
        return (Tree.build(leaves), lines);
    }

    function _commit(bytes32[] memory tree) private returns (uint256) {
        bytes32 root = tree[0];
        for (uint256 i = 0; i < UPPER; ++i) {
            root = Tree.pair(root, keccak256(abi.encode("sibling", i)));
        }
        uint256[4] memory lots;
        lots[1] = (uint256(1) << 240) | (uint256(1e12) << 48);
        vm.prank(owner(CAFE));
        return openings.commit(
            CAFE, IOpeningBalances.Terms(root, lots, 1 << 20, block.timestamp, type(uint40).max, "file"), false
        );
    }

    function _upwards(bytes32[] memory proof) private pure returns (bytes32[] memory longer) {
        longer = new bytes32[](proof.length + UPPER);
        for (uint256 i = 0; i < longer.length; ++i) {
            longer[i] = i < proof.length ? proof[i] : keccak256(abi.encode("sibling", i - proof.length));
        }
    }

    function _claimBatch(uint256 opening, bytes32[] memory tree, IOpeningBalances.Line[] memory lines) private {
        (bytes32[] memory proof, bool[] memory flags) = Tree.multiproof(tree, 0, BATCH);
        bool[] memory longer = new bool[](flags.length + UPPER);
        for (uint256 i = 0; i < flags.length; ++i) {
            longer[i] = flags[i];
        }
        IOpeningBalances.Line[] memory part = new IOpeningBalances.Line[](BATCH);
        for (uint256 i = 0; i < BATCH; ++i) {
            part[i] = lines[i];
        }
        vm.prank(MALLORY);
        openings.claimBatch(CAFE, opening, part, _upwards(proof), longer);
    }

    /* BADGES: of one definition, to members without a badge and again to the same */

    function _badges() private {
        Badges badges = new Badges(address(manager), address(registry));
        vm.prank(owner(CAFE));
        badges.publish(
            CAFE,
            IBadges.Definition(IBadges.Kind.Tier, 2, 1, true, 1e6, block.timestamp + 1 days, 30 days, keccak256("gold"))
        );
        for (uint256 round = 0; round < 2; ++round) {
            IBadges.Gift[] memory gifts = new IBadges.Gift[](BATCH);
            for (uint256 i = 0; i < BATCH; ++i) {
                gifts[i] = IBadges.Gift(round * BATCH + i, address(uint160(0xB1000 + i)));
            }
            vm.prank(RELAYER);
            badges.giveBatch(CAFE, 1, gifts);
            _note(round == 0 ? "badge_in_batch_of_100_new" : "badge_in_batch_of_100_renewed", BATCH);
        }
    }

    /* VOTES: a list of 10,000 accounts posted, adopted, and a hundred of its members vote, then another hundred */

    function _votes() private {
        buildGovernor();
        (uint256[] memory leaves, uint256[] memory signers) = _electorate();
        IProgrammeGovernor.Action[] memory actions = new IProgrammeGovernor.Action[](1);
        actions[0].target = address(rules);
        actions[0].data =
            abi.encodeCall(rules.announceChange, (CAFE, 1, rateRule(2, 1, IRewardRules.Rounding.Down)));
        vm.prank(owner(CAFE));
        uint256 proposalId = governor.proposeAsBrand(CAFE, actions, "text");
        _note("proposal", 1);
        uint256 posted = 0;
        for (uint256 first = 0; first < ELECTORATE; first += POSTED) {
            uint256 count = ELECTORATE - first < POSTED ? ELECTORATE - first : POSTED;
            uint256[] memory part = new uint256[](count);
            for (uint256 i = 0; i < count; ++i) {
                part[i] = leaves[first + i];
            }
            vm.prank(MALLORY);
            snapshots.post(proposalId, CAFE, part, first + count == ELECTORATE);
            posted += vm.lastCallGas().gasTotalUsed;
        }
        _noteGas("snapshot_of_10000_each", posted, ELECTORATE);
        vm.warp(block.timestamp + CHALLENGE);
        snapshots.adopt(proposalId, CAFE, MALLORY);
        _note("snapshot_adopted", 1);
        uint256 cast = 0;
        bytes32[][9] memory levels = _chunk(leaves);
        for (uint256 round = 0; round < 2; ++round) {
            IProgrammeGovernor.Ballot[] memory ballots = new IProgrammeGovernor.Ballot[](BATCH);
            for (uint256 i = 0; i < BATCH; ++i) {
                ballots[i] = _ballot(proposalId, leaves, levels, signers, round * BATCH + i);
            }
            vm.prank(MALLORY);
            governor.castVotes(proposalId, CAFE, ballots);
            cast = vm.lastCallGas().gasTotalUsed;
            _note(round == 0 ? "vote_in_first_batch_of_100" : "vote_in_batch_of_100", BATCH);
        }
        _noteGas("vote_of_10000_with_snapshot_each", cast * (ELECTORATE / BATCH) + posted, ELECTORATE);
    }

    /// @dev 256 members with keys, in order, and above them accounts of nobody.
    function _electorate() private pure returns (uint256[] memory leaves, uint256[] memory signers) {
        leaves = new uint256[](ELECTORATE);
        signers = new uint256[](256);
        for (uint256 i = 0; i < 256; ++i) {
            uint256 key = uint256(keccak256(abi.encode("voter", i))) >> 8;
            uint256 leaf = (uint256(uint160(vm.addr(key))) << 96) | (12_345 + i);
            uint256 k = i;
            for (; k > 0 && leaves[k - 1] > leaf; --k) {
                (leaves[k], signers[k]) = (leaves[k - 1], signers[k - 1]);
            }
            (leaves[k], signers[k]) = (leaf, key);
        }
        for (uint256 i = 256; i < ELECTORATE; ++i) {
            // The points of real members have two or three bytes; the addresses twenty that are not 0.
            leaves[i] = ((type(uint160).max - 0x0101010101 * (ELECTORATE - i)) << 96) | (54_321 + i);
        }
    }

    function _chunk(uint256[] memory leaves) private pure returns (bytes32[][9] memory) {
        uint256[] memory first = new uint256[](256);
        for (uint256 i = 0; i < 256; ++i) {
            first[i] = leaves[i];
        }
        return levelsOf(first);
    }

    function _ballot(
        uint256 proposalId,
        uint256[] memory leaves,
        bytes32[][9] memory levels,
        uint256[] memory signers,
        uint256 position
    ) private view returns (IProgrammeGovernor.Ballot memory made) {
        (made.position, made.leaf, made.choice) = (position, leaves[position], 1);
        for (uint256 level = 0; level < 8; ++level) {
            made.siblings[level] = levels[level][(position >> level) ^ 1];
        }
        address member = address(uint160(made.leaf >> 96));
        made.signature = sign(signers[position], address(governor), voteHash(proposalId, member, 1));
    }

    /* NOTES */

    /// @dev Gas of the last call; for a batch, of one item, rounded up.
    function _note(string memory name, uint256 items) private {
        _noteGas(name, vm.lastCallGas().gasTotalUsed, items);
    }

    function _noteGas(string memory name, uint256 used, uint256 items) private {
        string memory line = string.concat('  "', name, '": ', vm.toString((used + items - 1) / items));
        json = bytes(json).length == 0 ? line : string.concat(json, ",\n", line);
    }
}
