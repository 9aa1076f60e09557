// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ProgrammeGovernor} from "../../../contracts/ProgrammeGovernor.sol";
import {IPartnerExchange} from "../../../contracts/interfaces/IPartnerExchange.sol";
import {IProgrammeGovernor} from "../../../contracts/interfaces/IProgrammeGovernor.sol";
import {ISnapshots} from "../../../contracts/interfaces/ISnapshots.sol";
import {Signing} from "./Signing.sol";
import {Tries} from "./Tries.sol";

/// @title What a vote needs: lists of balances, their chunks, ballots, and proofs of state.
/// @dev A proof is of a small state made from the token's real storage: what lies there is loaded slot by slot, put into
/// a trie, and the block's hash that the governor kept is set to that of a header over it.
abstract contract Voting is Signing {
    uint256 internal constant CHALLENGE = 1 days;
    uint256 internal constant PREPARATION = 3 days;
    uint256 internal constant VOTING = 7 days;
    uint256 internal constant DELAY = 2 days;
    /// @dev Where a proposal's kept hash lies: the third word of its course, in the mapping of this slot.
    uint256 private constant COURSES_SLOT = 5;
    uint256 private constant HASH_WORD = 2;

    ProgrammeGovernor internal governor;
    ISnapshots internal snapshots;

    function buildGovernor() internal {
        governor = makeGovernor(IProgrammeGovernor.Terms(CHALLENGE, PREPARATION, VOTING, DELAY, 1_000, 4_000));
        snapshots = ISnapshots(governor.snapshots());
    }

    function makeGovernor(IProgrammeGovernor.Terms memory terms) internal returns (ProgrammeGovernor) {
        return new ProgrammeGovernor(address(manager), address(registry), address(rules), address(exchange), terms);
    }

    function agreementTerms() internal pure returns (IPartnerExchange.Terms memory terms) {
        (terms.numerator, terms.denominator, terms.feeBps) = (1, 1, 100);
        (terms.dailyCap, terms.exposureCap) = (1e12, 1e20);
        (terms.valueNumerator, terms.valueDenominator, terms.noticeSeconds) = (1, 1, 1 days);
        (terms.minimumIn, terms.unwindSeconds) = (1, 1 days);
    }

    /* LISTS */

    /// @dev All members with points of a brand now, ascending.
    function listOf(uint256 brandId) internal view returns (uint256[] memory leaves) {
        leaves = new uint256[](MEMBERS);
        uint256 count = 0;
        for (uint256 i = 0; i < MEMBERS; ++i) {
            uint256 points = token(brandId).balanceOf(members[i]);
            if (points == 0) continue;
            uint256 leaf = (uint256(uint160(members[i])) << 96) | points;
            uint256 k = count++;
            for (; k > 0 && leaves[k - 1] > leaf; --k) {
                leaves[k] = leaves[k - 1];
            }
            leaves[k] = leaf;
        }
        assembly ("memory-safe") {
            mstore(leaves, count)
        }
    }

    function placeOf(uint256[] memory leaves, address account) internal pure returns (uint256 place) {
        while (address(uint160(leaves[place] >> 96)) != account) ++place;
    }

    /// @dev All levels of the chunk that these leaves fill: 256 leaves, their 128 parents, and so on.
    function levelsOf(uint256[] memory leaves) internal pure returns (bytes32[][9] memory levels) {
        levels[0] = new bytes32[](256);
        for (uint256 i = 0; i < leaves.length; ++i) {
            levels[0][i] = bytes32(leaves[i]);
        }
        for (uint256 level = 1; level < 9; ++level) {
            levels[level] = new bytes32[](256 >> level);
            for (uint256 i = 0; i < levels[level].length; ++i) {
                levels[level][i] =
                    keccak256(abi.encodePacked(levels[level - 1][2 * i], levels[level - 1][2 * i + 1]));
            }
        }
    }

    function chunkRoot(uint256[] memory leaves) internal pure returns (bytes32) {
        return levelsOf(leaves)[8][0];
    }

    function siblingsOf(uint256[] memory leaves, uint256 place) internal pure returns (bytes32[8] memory siblings) {
        bytes32[][9] memory levels = levelsOf(leaves);
        for (uint256 level = 0; level < 8; ++level) {
            siblings[level] = levels[level][(place >> level) ^ 1];
        }
    }

    /* BALLOTS */

    function voteHash(uint256 proposalId, address member, uint256 choice) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("Vote(uint256 proposalId,address member,uint256 choice)"), proposalId, member, choice
            )
        );
    }

    /// @dev The leaf of `member`, signed with key number `who`.
    function ballot(uint256 proposalId, uint256[] memory leaves, uint256 who, address member, uint256 choice)
        internal
        view
        returns (IProgrammeGovernor.Ballot memory made)
    {
        made.position = placeOf(leaves, member);
        made.leaf = leaves[made.position];
        made.choice = choice;
        made.siblings = siblingsOf(leaves, made.position);
        made.signature = sign(keys[who], address(governor), voteHash(proposalId, member, choice));
    }

    /* STATE */

    function accountSlot(address account) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(account, uint256(0))));
    }

    function keepHash(uint256 proposalId, bytes32 blockHash) internal {
        uint256 course = uint256(keccak256(abi.encode(proposalId, COURSES_SLOT)));
        vm.store(address(governor), bytes32(course + HASH_WORD), blockHash);
        vm.assertEq(governor.proposalOf(proposalId).blockHash, blockHash, "the layout that this test knows");
    }

    /// @dev Proves the four words from `first` on as they lie in the token now, at this second, as if that had been the
    /// block before the proposal.
    function proofOf(uint256 proposalId, uint256 brandId, uint256 first)
        internal
        returns (ISnapshots.StateProof memory proof)
    {
        Tries.Trie memory words = _words(brandId, first);
        (bytes32 storageRoot,) = Tries.build(words);
        Tries.Trie memory state;
        state.keys = new bytes32[](2);
        state.values = new bytes[](2);
        state.keys[0] = keccak256(abi.encodePacked(address(token(brandId))));
        state.values[0] = Tries.account(storageRoot);
        state.keys[1] = bytes32(uint256(state.keys[0]) ^ (uint256(5) << 252));
        state.values[1] = Tries.account(keccak256("another"));
        (bytes32 stateRoot,) = Tries.build(state);
        proof.header = Tries.header(stateRoot, block.number - 1, block.timestamp);
        proof.account = Tries.proof(state, state.keys[0]);
        for (uint256 i = 0; i < 4; ++i) {
            proof.words[i] = Tries.proof(words, keccak256(abi.encode(first + i)));
        }
        keepHash(proposalId, keccak256(proof.header));
    }

    /// @dev Those of the four words that are not 0: all others are proven absent.
    function _words(uint256 brandId, uint256 first) private view returns (Tries.Trie memory words) {
        words.keys = new bytes32[](4);
        words.values = new bytes[](4);
        uint256 count = 0;
        for (uint256 i = 0; i < 4; ++i) {
            uint256 word = uint256(vm.load(address(token(brandId)), bytes32(first + i)));
            if (word == 0) continue;
            words.keys[count] = keccak256(abi.encode(first + i));
            words.values[count++] = Tries.number(word);
        }
        (bytes32[] memory keys_, bytes[] memory values) = (words.keys, words.values);
        assembly ("memory-safe") {
            mstore(keys_, count)
            mstore(values, count)
        }
    }

    /// @dev The same nodes under other slots.
    function swapped(ISnapshots.StateProof memory proof) internal pure returns (ISnapshots.StateProof memory) {
        (proof.words[0], proof.words[1]) = (proof.words[1], proof.words[0]);
        (proof.words[2], proof.words[3]) = (proof.words[3], proof.words[2]);
        return proof;
    }
}
