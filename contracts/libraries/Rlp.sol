// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Reads RLP where it lies in calldata. It does not ask for the shortest encoding: what is read here is bound by
/// a hash, and only Ethereum's own bytes have it.
library Rlp {
    /// @notice These bytes are no RLP of the shape expected.
    error RlpInvalid();

    /// @dev Longest length of a length: no header and no node comes near 2^32 bytes.
    uint256 private constant LENGTH_BYTES_MAX = 4;

    /// @notice The item at `at`: its kind, and where its payload begins and ends.
    function item(bytes calldata data, uint256 at) internal pure returns (bool isList, uint256 start, uint256 end) {
        if (at >= data.length) revert RlpInvalid();
        uint256 tag = uint8(data[at]);
        if (tag < 0x80) return (false, at, at + 1);
        isList = tag >= 0xc0;
        uint256 short = tag - (isList ? 0xc0 : 0x80);
        if (short < 56) {
            start = at + 1;
            end = start + short;
        } else {
            start = at + 1 + (short - 55);
            end = start + _length(data, at + 1, short - 55);
        }
        if (end > data.length) revert RlpInvalid();
    }

    /// @notice Where the payload of the whole list `data` begins.
    function list(bytes calldata data) internal pure returns (uint256 start) {
        bool isList;
        uint256 end;
        (isList, start, end) = item(data, 0);
        if (!isList || end != data.length) revert RlpInvalid();
    }

    /// @notice The string at `at` as a number of at most 32 bytes, and where the next item begins.
    function number(bytes calldata data, uint256 at) internal pure returns (uint256 value, uint256 next) {
        (bool isList, uint256 start, uint256 end) = item(data, at);
        if (isList || end - start > 32) revert RlpInvalid();
        return (uint256(bytes32(data[start:end])) >> (8 * (32 - (end - start))), end);
    }

    /// @notice Where the item `count` places after the one at `at` begins.
    function skip(bytes calldata data, uint256 at, uint256 count) internal pure returns (uint256) {
        for (uint256 i = 0; i < count; ++i) {
            (,, at) = item(data, at);
        }
        return at;
    }

    function _length(bytes calldata data, uint256 at, uint256 size) private pure returns (uint256 length) {
        if (size > LENGTH_BYTES_MAX || at + size > data.length) revert RlpInvalid();
        for (uint256 i = 0; i < size; ++i) {
            length = (length << 8) | uint8(data[at + i]);
        }
    }
}
