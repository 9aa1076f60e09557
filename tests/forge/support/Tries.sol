// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Small tries and headers, written from the yellow paper's rules: one branch at the root, a leaf or nothing below.
/// @dev A value that is 0 is not in the trie. Two keys never share their first nibble here: the caller chooses them so,
/// or the build reverts.
library Tries {
    struct Trie {
        bytes32[] keys;
        bytes[] values;
    }

    /// @return root The trie's root. @return branch Its only branch, RLP.
    function build(Trie memory trie) internal pure returns (bytes32 root, bytes memory branch) {
        bytes[] memory slots = new bytes[](17);
        for (uint256 i = 0; i < 17; ++i) {
            slots[i] = hex"80";
        }
        for (uint256 i = 0; i < trie.keys.length; ++i) {
            uint256 nibble = uint256(trie.keys[i]) >> 252;
            require(keccak256(slots[nibble]) == keccak256(hex"80"), "two keys of one nibble");
            bytes memory leaf = leafOf(trie.keys[i], trie.values[i]);
            slots[nibble] = leaf.length < 32 ? leaf : text(abi.encodePacked(keccak256(leaf)));
        }
        branch = list(slots);
        root = keccak256(branch);
    }

    /// @notice The nodes to `key`: the branch, and the leaf where there is one.
    function proof(Trie memory trie, bytes32 key) internal pure returns (bytes[] memory nodes) {
        (, bytes memory branch) = build(trie);
        for (uint256 i = 0; i < trie.keys.length; ++i) {
            if (uint256(trie.keys[i]) >> 252 != uint256(key) >> 252) continue;
            bytes memory leaf = leafOf(trie.keys[i], trie.values[i]);
            nodes = new bytes[](2);
            (nodes[0], nodes[1]) = (branch, leaf);
            return nodes;
        }
        nodes = new bytes[](1);
        nodes[0] = branch;
    }

    /// @dev 63 nibbles are left below the branch: an odd path, flag 3.
    function leafOf(bytes32 key, bytes memory value) internal pure returns (bytes memory) {
        bytes memory path = abi.encodePacked(key);
        path[0] = bytes1(uint8(path[0]) & 0x0f | 0x30);
        bytes[] memory two = new bytes[](2);
        (two[0], two[1]) = (text(path), text(value));
        return list(two);
    }

    function account(bytes32 storageRoot) internal pure returns (bytes memory) {
        bytes[] memory four = new bytes[](4);
        (four[0], four[1]) = (number(1), number(0));
        (four[2], four[3]) = (text(abi.encodePacked(storageRoot)), text(abi.encodePacked(keccak256("code"))));
        return list(four);
    }

    function header(bytes32 stateRoot, uint256 blockNumber, uint256 timestamp) internal pure returns (bytes memory) {
        bytes[] memory fields = new bytes[](16);
        for (uint256 i = 0; i < 16; ++i) {
            fields[i] = text(abi.encodePacked(keccak256(abi.encode("field", i))));
        }
        fields[2] = text(abi.encodePacked(bytes20("coinbase")));
        fields[3] = text(abi.encodePacked(stateRoot));
        fields[6] = text(new bytes(256));
        fields[7] = number(0);
        fields[8] = number(blockNumber);
        fields[9] = number(30_000_000);
        fields[10] = number(21_000);
        fields[11] = number(timestamp);
        return list(fields);
    }

    function number(uint256 value) internal pure returns (bytes memory) {
        bytes memory whole = abi.encodePacked(value);
        uint256 zeros = 0;
        while (zeros < 32 && whole[zeros] == 0) ++zeros;
        bytes memory short = new bytes(32 - zeros);
        for (uint256 i = 0; i < short.length; ++i) {
            short[i] = whole[zeros + i];
        }
        return text(short);
    }

    function text(bytes memory value) internal pure returns (bytes memory) {
        if (value.length == 1 && uint8(value[0]) < 0x80) return value;
        return abi.encodePacked(prefix(value.length, 0x80), value);
    }

    function list(bytes[] memory items) internal pure returns (bytes memory all) {
        for (uint256 i = 0; i < items.length; ++i) {
            all = abi.encodePacked(all, items[i]);
        }
        return abi.encodePacked(prefix(all.length, 0xc0), all);
    }

    function prefix(uint256 length, uint256 base) internal pure returns (bytes memory) {
        if (length < 56) return abi.encodePacked(uint8(base + length));
        if (length < 256) return abi.encodePacked(uint8(base + 56), uint8(length));
        return abi.encodePacked(uint8(base + 57), uint16(length));
    }
}
