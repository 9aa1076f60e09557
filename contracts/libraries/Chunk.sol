// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title A chunk of a snapshot: 256 leaves under one root, each at its own place.
/// @notice The tree has eight levels, always: what is missing at the end is 0. A node is keccak256 of its two children,
/// left and right as they lie. So a proof has eight siblings, a leaf is never taken for a node, and a leaf has one place.
library Chunk {
    uint256 internal constant LEAVES = 256;
    uint256 internal constant LEVELS = 8;

    /// @notice The root of `count` leaves from `first` on; `count` is at most 256.
    function root(uint256[] calldata leaves, uint256 first, uint256 count) internal pure returns (bytes32) {
        bytes32[LEAVES] memory level;
        for (uint256 i = 0; i < count; ++i) {
            level[i] = bytes32(leaves[first + i]);
        }
        for (uint256 width = LEAVES / 2; width > 0; width /= 2) {
            for (uint256 i = 0; i < width; ++i) {
                level[i] = _node(level[2 * i], level[2 * i + 1]);
            }
        }
        return level[0];
    }

    /// @notice True when the leaf lies at `position` under `root`. What fills up a last chunk is 0, and is nobody's leaf.
    function holds(bytes32 root_, uint256 position, uint256 leaf, bytes32[8] calldata siblings)
        internal
        pure
        returns (bool)
    {
        return position < LEAVES && leaf != 0 && rootOf(leaf, position, siblings) == root_;
    }

    /// @notice The root that a leaf at `position` (0 .. 255) and its siblings, from below, lead to.
    function rootOf(uint256 leaf, uint256 position, bytes32[8] calldata siblings) internal pure returns (bytes32 node) {
        node = bytes32(leaf);
        for (uint256 i = 0; i < LEVELS; ++i) {
            bytes32 sibling = siblings[i];
            node = (position >> i) & 1 == 0 ? _node(node, sibling) : _node(sibling, node);
        }
    }

    function _node(bytes32 left, bytes32 right) private pure returns (bytes32 node) {
        assembly ("memory-safe") {
            mstore(0x00, left)
            mstore(0x20, right)
            node := keccak256(0x00, 0x40)
        }
    }
}
