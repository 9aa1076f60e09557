// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title A word of a mapping, found once and then read and written where it lies.
library Words {
    struct Word {
        uint256 value;
    }

    /// @notice Where `map` keeps `key`: Solidity's own slot, keccak256 of key and the mapping's slot.
    function at(mapping(uint256 => uint256) storage map, uint256 key) internal pure returns (Word storage word) {
        assembly ("memory-safe") {
            mstore(0, key)
            mstore(0x20, map.slot)
            word.slot := keccak256(0, 0x40)
        }
    }
}
