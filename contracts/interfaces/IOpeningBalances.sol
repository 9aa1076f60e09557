// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IBrandAccess} from "./IBrandAccess.sol";

/// @title The points that members had before their brand came to Moa.
/// @notice A brand commits one opening: the Merkle root of its old balances, line by line, and the schedule: how many
/// points there are in all of each expiry epoch. A line is claimed once, by anyone who brings its proof, and its points
/// are the member's with the line's own expiry epochs; points that have ended meanwhile are not minted. Nothing beyond
/// the schedule is ever minted, and after the published end nothing at all.
///
/// A line's leaf is keccak256(keccak256(abi.encode(uint256 index, address member, uint256[4] lots))), with lots packed as
/// in ILoyaltyToken (a word without points is 0). The tree is OpenZeppelin's: complete, leaves in the file's order from
/// the last place of the array on, nodes hashed as sorted pairs. docs/opening-balances.md shows how a member checks the
/// own line with a page of code.
/// @dev Dual run: while `comparing`, the brand still runs its old system beside this one. The root may be replaced as
/// long as it does and nobody has claimed.
interface IOpeningBalances is IBrandAccess {
    /// @notice What a brand commits.
    /// @param root Of the file's lines; not 0. @param lots The schedule, packed: points by expiry epoch, over all lines.
    /// @param lines How many there are: 1 .. 2^32-1; indexes run from 0 to lines - 1.
    /// @param start First second in which lines are claimed. @param end First second in which they no longer are.
    /// @param fileHash keccak256 of the file that lists the lines.
    struct Terms {
        bytes32 root;
        uint256[4] lots;
        uint256 lines;
        uint256 start;
        uint256 end;
        bytes32 fileHash;
    }

    /// @notice One member's old balance.
    struct Line {
        uint256 index;
        address member;
        uint256[4] lots;
    }

    /// @notice An opening as it stands. @param remaining What of the schedule is not claimed, packed.
    struct Opening {
        bytes32 root;
        uint256[4] remaining;
        uint256 lines;
        uint256 claimed;
        uint256 start;
        uint256 end;
        uint256 version;
        bool comparing;
        bytes32 fileHash;
    }

    /// @notice The brand committed an opening (version 1), or replaced what it had committed (a higher version).
    event OpeningCommitted(
        uint256 indexed brandId, uint256 indexed openingId, uint256 version, bool comparing, Terms terms
    );
    /// @notice The brand no longer compares: the root stands.
    event ComparingEnded(uint256 indexed brandId, uint256 indexed openingId);
    /// @notice Lines may be claimed for longer.
    event OpeningProlonged(uint256 indexed brandId, uint256 indexed openingId, uint256 end);
    /// @notice A line was claimed. `points` of its `lots` still lived and were minted; the others had ended.
    /// @dev In a batch all of these come first, then the mints of those with points, in the same order.
    event OpeningClaimed(
        uint256 indexed brandId,
        uint256 indexed openingId,
        address indexed member,
        uint256 index,
        uint256 points,
        uint256[4] lots
    );

    error OpeningUnknown(uint256 brandId, uint256 openingId);
    /// @notice These terms are outside the published bounds; the name of the field.
    error OpeningTermsInvalid(string field);
    /// @notice Lines are claimed from `start` until before `end`.
    error OpeningNotOpen(uint256 start, uint256 end, uint256 timestamp);
    /// @notice What was not claimed before `end` is void.
    error OpeningOver(uint256 end, uint256 timestamp);
    /// @notice The brand has said that it no longer compares.
    error OpeningSettled(uint256 brandId, uint256 openingId);
    /// @notice Lines of this root were claimed: it stands.
    error OpeningBegun(uint256 brandId, uint256 openingId, uint256 claimed);
    /// @notice The lines are not those of the root.
    error OpeningProofInvalid(bytes32 root);
    /// @notice Indexes run from 0 to `lines` - 1.
    error LineUnknown(uint256 index, uint256 lines);
    error LineClaimed(uint256 brandId, uint256 openingId, uint256 index);
    /// @notice Points cannot go there: nobody, or one of Moa's own contracts.
    error MemberInvalid(address member);
    /// @notice Word `place` of the line holds lots that the schedule does not.
    error LineLotsInvalid(uint256 index, uint256 place);
    /// @notice The schedule has `remaining` points left of this expiry epoch.
    error OpeningExceeded(uint256 expiryEpoch, uint256 points, uint256 remaining);
    /// @notice A batch has 1 .. `maximum` lines.
    error BatchSizeWrong(uint256 items, uint256 maximum);

    /* READING */

    /// @notice Number of openings of a brand; ids run from 1 to this.
    function openingCount(uint256 brandId) external view returns (uint256);
    /// @notice Reverts with OpeningUnknown.
    function openingOf(uint256 brandId, uint256 openingId) external view returns (Opening memory);
    function isClaimed(uint256 brandId, uint256 openingId, uint256 index) external view returns (bool);
    /// @notice The leaf of a line, as the tree has it.
    function leafOf(Line calldata line) external pure returns (bytes32);

    /* THE BRAND'S OWNER */

    /// @notice Commits an opening. Owner role. `comparing`: the brand still compares, and may replace it.
    function commit(uint256 brandId, Terms calldata terms, bool comparing) external returns (uint256 openingId);
    /// @notice Commits other terms in its place, while the brand compares and nobody has claimed. Owner role.
    function replace(uint256 brandId, uint256 openingId, Terms calldata terms) external returns (uint256 version);
    /// @notice Ends the comparing, for ever. Owner role.
    function endComparing(uint256 brandId, uint256 openingId) external;
    /// @notice Moves the end to a later second, while it has not come. Owner role.
    function prolong(uint256 brandId, uint256 openingId, uint256 end) external;

    /* ANYONE */

    /// @notice Claims one line for its member. The brand must be issuing.
    function claim(uint256 brandId, uint256 openingId, Line calldata line, bytes32[] calldata proof)
        external
        returns (uint256 points);
    /// @notice Claims 1 .. 200 lines by one multiproof (OpenZeppelin's, lines in ascending order of index). Lines that
    /// were claimed already are passed over: who claims one alone cannot stop a batch. A batch of which no line is new
    /// is refused with the first one's LineClaimed. The brand must be issuing.
    /// @return claimed Lines that counted. @return points Points minted.
    function claimBatch(
        uint256 brandId,
        uint256 openingId,
        Line[] calldata lines,
        bytes32[] calldata proof,
        bool[] calldata flags
    ) external returns (uint256 claimed, uint256 points);
}
