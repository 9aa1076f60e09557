// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ISnapshots} from "./interfaces/ISnapshots.sol";
import {ILoyaltyToken} from "./interfaces/ILoyaltyToken.sol";
import {IPartnerRegistry} from "./interfaces/IPartnerRegistry.sol";
import {IProgrammeGovernor} from "./interfaces/IProgrammeGovernor.sol";
import {Chunk} from "./libraries/Chunk.sol";
import {Lots} from "./libraries/Lots.sol";
import {TrieProof} from "./libraries/TrieProof.sol";

/// @title Snapshots
/// @dev The governor makes it, and says of a proposal what it must know (`groundOf`): it keeps lists, and nothing else.
contract Snapshots is ISnapshots {
    uint256 private constant LEAVES_MAX = 16 * Chunk.LEAVES;
    uint256 private constant POINTS_AT = 96;
    /// @dev The token's published layout: an account's words lie in the mapping of slot 0, the supply's in slots 1 to 4.
    uint256 private constant LOTS_SLOT = 0;
    uint256 private constant SUPPLY_SLOT = 1;

    /// @dev Two words. A supply has 52 bits at most: sixteen full lots.
    struct List {
        address last;
        uint56 total;
        uint40 completedAt;
        uint32 chunks;
        uint48 accounts;
        bool contradicted;
    }

    /// @dev The list that counts. @param poster 0: none yet.
    struct Adopted {
        address poster;
        uint56 total;
    }

    IProgrammeGovernor private immutable GOVERNOR;
    IPartnerRegistry private immutable REGISTRY;
    uint256 private immutable CHALLENGE_SECONDS;

    mapping(bytes32 key => List list) private _lists;
    mapping(bytes32 key => mapping(uint256 chunk => bytes32 root)) private _chunks;
    mapping(uint256 proposalId => mapping(uint256 brandId => Adopted adopted)) private _adopted;

    constructor(address governor, address registry, uint256 challengeSeconds) {
        GOVERNOR = IProgrammeGovernor(governor);
        REGISTRY = IPartnerRegistry(registry);
        CHALLENGE_SECONDS = challengeSeconds;
    }

    /* READING */

    /// @inheritdoc ISnapshots
    function snapshotOf(uint256 proposalId, uint256 brandId, address poster) external view returns (Snapshot memory) {
        List memory list = _lists[_key(proposalId, brandId, poster)];
        return Snapshot(list.accounts, list.chunks, list.total, list.completedAt, list.contradicted);
    }

    /// @inheritdoc ISnapshots
    function chunkOf(uint256 proposalId, uint256 brandId, address poster, uint256 chunk)
        external
        view
        returns (bytes32)
    {
        return _chunks[_key(proposalId, brandId, poster)][chunk];
    }

    /// @inheritdoc ISnapshots
    function adoptedOf(uint256 proposalId, uint256 brandId) external view returns (address poster, uint256 total) {
        Adopted memory adopted = _adopted[proposalId][brandId];
        return (adopted.poster, adopted.total);
    }

    /* LISTS */

    /// @inheritdoc ISnapshots
    function post(uint256 proposalId, uint256 brandId, uint256[] calldata leaves, bool complete) external {
        _preparing(proposalId, brandId);
        bytes32 key = _key(proposalId, brandId, msg.sender);
        List memory list = _lists[key];
        if (list.completedAt != 0 || list.contradicted) revert SnapshotClosed(proposalId, brandId, msg.sender);
        bool whole = leaves.length % Chunk.LEAVES == 0;
        if (leaves.length == 0 || leaves.length > LEAVES_MAX || !(whole || complete)) {
            revert LeavesWrong(leaves.length, LEAVES_MAX);
        }
        _take(list, leaves);

        uint256 firstChunk = list.chunks;
        bytes32[] memory roots = new bytes32[]((leaves.length + Chunk.LEAVES - 1) / Chunk.LEAVES);
        for (uint256 i = 0; i < roots.length; ++i) {
            uint256 first = i * Chunk.LEAVES;
            uint256 count = leaves.length - first;
            roots[i] = Chunk.root(leaves, first, count < Chunk.LEAVES ? count : Chunk.LEAVES);
            _chunks[key][firstChunk + i] = roots[i];
        }
        // An address space of leaves at 32 bytes of calldata each: nobody posts 2^32 chunks.
        list.chunks += uint32(roots.length);
        if (complete) list.completedAt = uint40(block.timestamp);
        _lists[key] = list;

        emit SnapshotPosted(proposalId, brandId, msg.sender, firstChunk, roots, list.total, complete);
    }

    /// @inheritdoc ISnapshots
    function contradictLeaf(
        uint256 proposalId,
        uint256 brandId,
        address poster,
        uint256 chunk,
        uint256 position,
        uint256 leaf,
        bytes32[8] calldata siblings,
        StateProof calldata proof
    ) external {
        bytes32 blockHash = _preparing(proposalId, brandId);
        bytes32 key = _key(proposalId, brandId, poster);
        if (!Chunk.holds(_chunks[key][chunk], position, leaf, siblings)) revert LeafUnknown(chunk, position);
        if (_lists[key].contradicted) revert SnapshotClosed(proposalId, brandId, poster);
        address account = address(uint160(leaf >> POINTS_AT));
        uint256 first = uint256(keccak256(abi.encode(account, LOTS_SLOT)));
        uint256 proven = _provenPoints(blockHash, brandId, first, proof);
        uint256 stated = uint96(leaf);
        if (proven == stated) revert SnapshotTrue(account, proven);

        _contradict(proposalId, brandId, poster, account, stated, proven);
    }

    /// @inheritdoc ISnapshots
    function contradictTotal(uint256 proposalId, uint256 brandId, address poster, StateProof calldata proof) external {
        bytes32 blockHash = _preparing(proposalId, brandId);
        List memory list = _lists[_key(proposalId, brandId, poster)];
        if (list.completedAt == 0) revert SnapshotIncomplete(proposalId, brandId, poster);
        if (list.contradicted) revert SnapshotClosed(proposalId, brandId, poster);
        uint256 proven = _provenPoints(blockHash, brandId, SUPPLY_SLOT, proof);
        if (proven == list.total) revert SnapshotTrue(address(0), proven);

        _contradict(proposalId, brandId, poster, address(0), list.total, proven);
    }

    /// @inheritdoc ISnapshots
    function adopt(uint256 proposalId, uint256 brandId, address poster) external {
        _preparing(proposalId, brandId);
        List memory list = _lists[_key(proposalId, brandId, poster)];
        if (list.completedAt == 0) revert SnapshotIncomplete(proposalId, brandId, poster);
        if (list.contradicted) revert SnapshotClosed(proposalId, brandId, poster);
        uint256 until = list.completedAt + CHALLENGE_SECONDS;
        if (block.timestamp < until) revert ChallengeRunning(until, block.timestamp);

        _adopted[proposalId][brandId] = Adopted(poster, list.total);

        emit SnapshotAdopted(proposalId, brandId, poster, list.total);
    }

    /* INSIDE */

    /// @dev The hash kept of the block before the proposal. Reverts unless lists may be posted: asked, in time, none adopted.
    function _preparing(uint256 proposalId, uint256 brandId) private view returns (bytes32 blockHash) {
        bool preparing;
        (blockHash, preparing) = GOVERNOR.groundOf(proposalId, brandId);
        bool open = preparing && _adopted[proposalId][brandId].poster == address(0);
        if (!open) revert SnapshotsClosed(proposalId, brandId);
    }

    function _key(uint256 proposalId, uint256 brandId, address poster) private pure returns (bytes32) {
        return keccak256(abi.encode(proposalId, brandId, poster));
    }

    /// @dev Adds leaves to a list in memory: ascending accounts, each with points.
    function _take(List memory list, uint256[] calldata leaves) private pure {
        uint256 previous = uint256(uint160(list.last)) << POINTS_AT;
        uint256 total = list.total;
        for (uint256 i = 0; i < leaves.length; ++i) {
            uint256 leaf = leaves[i];
            uint256 points = uint96(leaf);
            bool ascends = leaf >> POINTS_AT > previous >> POINTS_AT;
            total += points;
            if (!ascends || points == 0 || total > type(uint56).max) revert LeafInvalid(leaf, previous);
            previous = leaf;
        }
        list.last = address(uint160(previous >> POINTS_AT));
        list.total = uint56(total);
        list.accounts += uint48(leaves.length);
    }

    /// @dev The live points of the four words from slot `first` on, in the block before the proposal.
    function _provenPoints(bytes32 blockHash, uint256 brandId, uint256 first, StateProof calldata proof)
        private
        view
        returns (uint256 points)
    {
        (bytes32 root, uint256 clock) = _provenGround(blockHash, brandId, proof);
        uint256 group = Lots.firstGroup(clock);
        for (uint256 k = 0; k < Lots.WORDS; ++k) {
            uint256 place = (group + k) % Lots.WORDS;
            uint256 word = TrieProof.word(root, bytes32(first + place), proof.words[place]);
            points += Lots.sum(Lots.live(word, group + k, clock));
        }
    }

    /// @dev The token's storage root in the block before the proposal, and the token's clock then.
    function _provenGround(bytes32 blockHash, uint256 brandId, StateProof calldata proof)
        private
        view
        returns (bytes32 root, uint256 clock)
    {
        address token = REGISTRY.tokenOf(brandId);
        (bytes32 stateRoot, uint256 timestamp) = TrieProof.header(blockHash, proof.header);
        root = TrieProof.storageRoot(stateRoot, token, proof.account);
        ILoyaltyToken.Terms memory terms = ILoyaltyToken(token).terms();
        // The clock as the token had it then: its terms never change. A token that was not there yet has no storage.
        uint256 origin = ILoyaltyToken(token).origin();
        clock = terms.lifetimeEpochs == 0 || timestamp < origin ? 0 : (timestamp - origin) / terms.epochSeconds;
    }

    function _contradict(
        uint256 proposalId,
        uint256 brandId,
        address poster,
        address account,
        uint256 stated,
        uint256 proven
    ) private {
        _lists[_key(proposalId, brandId, poster)].contradicted = true;

        emit SnapshotContradicted(proposalId, brandId, poster, account, stated, proven);
    }
}
