// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Rlp} from "./Rlp.sol";

/// @title Reads one word of a contract's storage out of a block's hash: header, account, storage, as `eth_getProof` gives them.
/// @notice Keys are keccak-256 hashes, 64 nibbles, so a value never lies in a branch. What is not in the trie is proven
/// absent by the same nodes, and reads as 0.
library TrieProof {
    /// @notice The header is not the block's.
    error HeaderInvalid(bytes32 blockHash);
    /// @notice Node `depth` does not follow from the one above it, or there are nodes too many or too few.
    error ProofInvalid(uint256 depth);

    /// @dev keccak256 of the RLP of an empty string: the root of an empty trie.
    bytes32 private constant EMPTY_ROOT = 0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421;
    uint256 private constant NIBBLES = 64;
    uint256 private constant STATE_ROOT_FIELD = 3;
    uint256 private constant TIMESTAMP_FIELD = 11;
    uint256 private constant STORAGE_ROOT_FIELD = 2;

    /// @dev Where a walk down a trie stands. @param nibble How many of the key's are behind it. @param at Place of the
    /// next node in the present bytes; 0: the next bytes, whose hash is `expected`. @param found The end: the value lies
    /// from `start` to `end`, and there is none where they are equal.
    struct Walk {
        bytes32 key;
        bytes32 expected;
        uint256 nibble;
        uint256 at;
        bool found;
        uint256 start;
        uint256 end;
    }

    /// @notice State root and time of the block with this hash.
    function header(bytes32 blockHash, bytes calldata rlp) internal pure returns (bytes32 stateRoot, uint256 timestamp) {
        if (keccak256(rlp) != blockHash) revert HeaderInvalid(blockHash);
        uint256 at = Rlp.skip(rlp, Rlp.list(rlp), STATE_ROOT_FIELD);
        uint256 root;
        (root, at) = Rlp.number(rlp, at);
        (timestamp,) = Rlp.number(rlp, Rlp.skip(rlp, at, TIMESTAMP_FIELD - STATE_ROOT_FIELD - 1));
        stateRoot = bytes32(root);
    }

    /// @notice The storage root of `account`; of an account that is not there, the empty trie's.
    function storageRoot(bytes32 stateRoot, address account, bytes[] calldata nodes) internal pure returns (bytes32) {
        bytes calldata value = get(stateRoot, keccak256(abi.encodePacked(account)), nodes);
        if (value.length == 0) return EMPTY_ROOT;
        (uint256 root,) = Rlp.number(value, Rlp.skip(value, Rlp.list(value), STORAGE_ROOT_FIELD));
        return bytes32(root);
    }

    /// @notice The word at `slot`.
    function word(bytes32 root, bytes32 slot, bytes[] calldata nodes) internal pure returns (uint256 value) {
        bytes calldata found = get(root, keccak256(abi.encode(slot)), nodes);
        if (found.length == 0) return 0;
        (value,) = Rlp.number(found, 0);
    }

    /// @notice The value under `key`, or nothing. All nodes are needed, from the root down.
    function get(bytes32 root, bytes32 key, bytes[] calldata nodes) internal pure returns (bytes calldata value) {
        value = msg.data[0:0];
        if (nodes.length == 0) {
            if (root != EMPTY_ROOT) revert ProofInvalid(0);
            return value;
        }
        Walk memory walk;
        walk.key = key;
        walk.expected = root;
        uint256 depth = 0;
        while (true) {
            bytes calldata node = nodes[depth];
            // A node of less than 32 bytes lies within the one above it, which `at` then points into.
            if (walk.at == 0 && keccak256(node) != walk.expected) revert ProofInvalid(depth);
            _step(walk, node);
            if (walk.found) {
                if (depth + 1 != nodes.length) revert ProofInvalid(depth + 1);
                return node[walk.start:walk.end];
            }
            if (walk.at == 0 && ++depth == nodes.length) revert ProofInvalid(depth);
        }
    }

    /// @dev One node, at `walk.at` in `node`. Either the end is found (a value, or nothing), or the next node is named:
    /// by its hash, or by its place in the same bytes.
    function _step(Walk memory walk, bytes calldata node) private pure {
        (bool isList, uint256 start, uint256 end) = Rlp.item(node, walk.at);
        // The empty trie's only node is an empty string.
        if (!isList) {
            walk.found = true;
            return;
        }
        uint256 second = Rlp.skip(node, start, 1);
        if (Rlp.skip(node, second, 1) == end) {
            _stepOfTwo(walk, node, start, second);
            return;
        }
        if (walk.nibble >= NIBBLES) revert Rlp.RlpInvalid();
        uint256 child = Rlp.skip(node, start, _nibble(walk.key, walk.nibble));
        if (child >= end) revert Rlp.RlpInvalid();
        if (uint8(node[child]) == 0x80) {
            walk.found = true;
            return;
        }
        ++walk.nibble;
        (walk.expected, walk.at) = _child(node, child);
    }

    /// @dev A leaf or an extension: its path at `start`, its value or child at `second`.
    function _stepOfTwo(Walk memory walk, bytes calldata node, uint256 start, uint256 second) private pure {
        (bool isLeaf, bool matches, uint256 nibble) = _path(node, start, walk.key, walk.nibble);
        walk.nibble = nibble;
        walk.found = isLeaf || !matches;
        if (!matches) return;
        if (isLeaf) {
            (, walk.start, walk.end) = Rlp.item(node, second);
        } else {
            (walk.expected, walk.at) = _child(node, second);
        }
    }

    /// @dev The path of a leaf or an extension (hex-prefix) beside the key from `nibble` on.
    function _path(bytes calldata node, uint256 at, bytes32 key, uint256 nibble)
        private
        pure
        returns (bool isLeaf, bool matches, uint256 next)
    {
        (bool isList, uint256 start, uint256 end) = Rlp.item(node, at);
        if (isList || start == end) revert Rlp.RlpInvalid();
        uint256 flag = uint8(node[start]) >> 4;
        isLeaf = flag & 2 != 0;
        // An odd path begins in the first byte, an even one after it.
        uint256 position = 2 * start + (flag & 1 != 0 ? 1 : 2);
        for (; position < 2 * end; ++position) {
            uint256 half = uint8(node[position / 2]) >> (position % 2 == 0 ? 4 : 0);
            if (nibble >= NIBBLES || half & 0xf != _nibble(key, nibble)) return (isLeaf, false, 0);
            ++nibble;
        }
        return (isLeaf, !isLeaf || nibble == NIBBLES, nibble);
    }

    /// @dev Where a child is: its hash, or its place in the same bytes.
    function _child(bytes calldata node, uint256 at) private pure returns (bytes32 expected, uint256 next) {
        (bool isList, uint256 start, uint256 end) = Rlp.item(node, at);
        if (isList) return (0, at);
        if (end - start != 32) revert Rlp.RlpInvalid();
        return (bytes32(node[start:end]), 0);
    }

    function _nibble(bytes32 key, uint256 index) private pure returns (uint256) {
        return (uint256(key) >> (4 * (NIBBLES - 1 - index))) & 0xf;
    }
}
