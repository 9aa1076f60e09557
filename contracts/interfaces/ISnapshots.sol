// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Who had how many points of a brand at the end of the block before a proposal.
/// @notice Lots have no checkpoints, so the list is made outside and posted: every account with points, ascending by
/// address, in chunks of 256 leaves whose roots the contract makes itself. So nothing of a posted list is hidden, no
/// account is in it twice, and its sum is the contract's own. What it can still be is wrong, and then anyone says so, for
/// nothing but gas, while the challenge lasts: `contradictLeaf` proves another balance of one account, `contradictTotal`
/// another supply, both from the block's hash that was kept when the proposal was made. A list without a wrong leaf
/// whose sum is the supply leaves nobody out. The redemption desk is an account like any other; nobody votes for it.
/// A list that stood until its challenge ended is adopted, by anyone, and then it counts.
/// @dev A leaf is account * 2^96 + points. Lists are told apart by who posted them, so nobody can spoil another's.
interface ISnapshots {
    /// @notice A posted list as it stands. @param completedAt 0: chunks are still to come.
    struct Snapshot {
        uint256 accounts;
        uint256 chunks;
        uint256 total;
        uint256 completedAt;
        bool contradicted;
    }

    /// @notice What proves words of a token's storage in a block.
    /// @param header RLP of the block's header. @param account Nodes from stateRoot to the token.
    /// @param words Nodes from the token's storage root to each of four words.
    struct StateProof {
        bytes header;
        bytes[] account;
        bytes[][4] words;
    }

    /// @notice One or more chunks of a list were posted; `complete`: its last ones.
    event SnapshotPosted(
        uint256 indexed proposalId,
        uint256 indexed brandId,
        address indexed poster,
        uint256 firstChunk,
        bytes32[] roots,
        uint256 total,
        bool complete
    );
    /// @notice The list is wrong: `account` (0: the supply) had `proven` points, not `stated`.
    event SnapshotContradicted(
        uint256 indexed proposalId,
        uint256 indexed brandId,
        address indexed poster,
        address account,
        uint256 stated,
        uint256 proven
    );
    /// @notice The list stood; votes of this brand's members count by it.
    event SnapshotAdopted(
        uint256 indexed proposalId, uint256 indexed brandId, address indexed poster, uint256 total
    );

    /// @notice This poster has posted all of its list, or it was contradicted.
    error SnapshotClosed(uint256 proposalId, uint256 brandId, address poster);
    /// @notice There is no such list, or not all of it.
    error SnapshotIncomplete(uint256 proposalId, uint256 brandId, address poster);
    /// @notice A call brings 1 .. `maximum` leaves, in whole chunks but for the last of the list.
    error LeavesWrong(uint256 leaves, uint256 maximum);
    /// @notice Accounts ascend, each once, and each has points (at most 2^56-1).
    error LeafInvalid(uint256 leaf, uint256 previous);
    /// @notice The leaf is not at this place of the list.
    error LeafUnknown(uint256 chunk, uint256 position);
    /// @notice What was to be contradicted is true.
    error SnapshotTrue(address account, uint256 points);
    /// @notice The challenge lasts until `until`.
    error ChallengeRunning(uint256 until, uint256 timestamp);
    /// @notice Another list was adopted, or the preparation is over.
    error SnapshotsClosed(uint256 proposalId, uint256 brandId);

    /// @notice The list that `poster` posted for a brand and a proposal.
    function snapshotOf(uint256 proposalId, uint256 brandId, address poster) external view returns (Snapshot memory);
    /// @notice Root of a chunk of it.
    function chunkOf(uint256 proposalId, uint256 brandId, address poster, uint256 chunk) external view returns (bytes32);

    /// @notice The list that was adopted for a brand: who posted it, and its sum; 0: none yet.
    function adoptedOf(uint256 proposalId, uint256 brandId) external view returns (address poster, uint256 total);

    /// @notice Posts 1 .. 4,096 leaves of the caller's list. `complete`: the list ends with them.
    function post(uint256 proposalId, uint256 brandId, uint256[] calldata leaves, bool complete) external;
    /// @notice Proves that the account of a posted leaf had other points in the block before the proposal.
    function contradictLeaf(
        uint256 proposalId,
        uint256 brandId,
        address poster,
        uint256 chunk,
        uint256 position,
        uint256 leaf,
        bytes32[8] calldata siblings,
        StateProof calldata proof
    ) external;
    /// @notice Proves that the supply was another than the sum of a complete list.
    function contradictTotal(uint256 proposalId, uint256 brandId, address poster, StateProof calldata proof) external;
    /// @notice Adopts a complete list whose challenge has ended. Anyone.
    function adopt(uint256 proposalId, uint256 brandId, address poster) external;
}
