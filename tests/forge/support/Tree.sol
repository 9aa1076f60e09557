// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title OpenZeppelin's Merkle tree, built from its description: complete, in one array, the leaves from its end on.
library Tree {
    function build(bytes32[] memory leaves) internal pure returns (bytes32[] memory tree) {
        tree = new bytes32[](2 * leaves.length - 1);
        for (uint256 i = 0; i < leaves.length; ++i) {
            tree[tree.length - 1 - i] = leaves[i];
        }
        for (uint256 k = leaves.length - 1; k > 0; --k) {
            tree[k - 1] = pair(tree[2 * k - 1], tree[2 * k]);
        }
    }

    function pair(bytes32 a, bytes32 b) internal pure returns (bytes32) {
        return a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
    }

    function proof(bytes32[] memory tree, uint256 leaf) internal pure returns (bytes32[] memory path) {
        path = new bytes32[](64);
        uint256 count = 0;
        for (uint256 k = tree.length - 1 - leaf; k > 0; k = (k - 1) / 2) {
            path[count++] = tree[k % 2 == 0 ? k - 1 : k + 1];
        }
        cut(path, count);
    }

    /// @dev Of leaves `first` to `first + count - 1`.
    function multiproof(bytes32[] memory tree, uint256 first, uint256 count)
        internal
        pure
        returns (bytes32[] memory path, bool[] memory flags)
    {
        uint256[] memory queue = new uint256[](2 * count + 64 * 2);
        for (uint256 i = 0; i < count; ++i) {
            queue[i] = tree.length - 1 - first - i;
        }
        path = new bytes32[](count + 128);
        flags = new bool[](count + 128);
        (uint256 head, uint256 tail, uint256 paths, uint256 steps) = (0, count, 0, 0);
        while (queue[head] > 0) {
            uint256 k = queue[head++];
            uint256 sibling = k % 2 == 0 ? k - 1 : k + 1;
            if (head < tail && queue[head] == sibling) {
                flags[steps] = true;
                ++head;
            } else {
                path[paths++] = tree[sibling];
            }
            ++steps;
            queue[tail++] = (k - 1) / 2;
        }
        cut(path, paths);
        assembly ("memory-safe") {
            mstore(flags, steps)
        }
    }

    function cut(bytes32[] memory list, uint256 length) internal pure {
        assembly ("memory-safe") {
            mstore(list, length)
        }
    }
}
