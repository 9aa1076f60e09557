// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title An award as a leaf, and the Merkle tree of a call's awards: pure.
/// @notice A leaf is keccak256 of four words, an inner node of its two neighbours in their order: no node passes for a
/// leaf. Where a level's last node has no neighbour, 0 is its right one. A single leaf is its own root.
/// Words, each from bit 0 up: operation id 256 | start of the day 24, timestamp 40, expiry epoch 32, member 160 | base
/// amount 96, points 48, rule id 32, version 24, return window 32, shortfall 8, place among the leaves 8 | first word of the terms 256.
library AwardTree {
    /// @dev A call has at most 250 awards.
    uint256 private constant PROOF_MAX = 8;
    uint256 internal constant POINTS_AT = 96;
    uint256 private constant RULE_AT = 144;
    uint256 private constant VERSION_AT = 176;
    uint256 private constant WINDOW_AT = 200;
    uint256 private constant SHORTFALL_AT = 232;
    uint256 internal constant PLACE_AT = 240;
    uint256 private constant TAKEN_AT = 144;
    uint256 private constant MISSING_AT = 192;
    uint256 private constant OWED_AT = 240;
    uint256 private constant TIME_AT = 24;
    uint256 private constant EPOCH_AT = 64;
    uint256 private constant MEMBER_AT = 96;

    /// @dev What a leaf says.
    struct Award {
        uint256 operationId;
        address member;
        uint256 expiryEpoch;
        uint256 awardedAt;
        uint256 dayStart;
        uint256 baseAmount;
        uint256 points;
        uint256 ruleId;
        uint256 returnWindow;
        uint256 shortfall;
        uint256 place;
        uint256 rate;
    }

    /// @notice Of the word of the event `Awarded` what all awards of a rule's version share.
    function ruleTail(uint256 ruleId, uint256 version) internal pure returns (uint256) {
        return (ruleId << RULE_AT) | (version << VERSION_AT);
    }

    /// @notice The word of the event `Returned`. Of `owed` and `forgiven` one is 0.
    function amounts(uint256 baseAmount, uint256 standing, uint256 taken, uint256 owed, uint256 forgiven)
        internal
        pure
        returns (uint256 packed)
    {
        packed = baseAmount | (standing << POINTS_AT) | (taken << TAKEN_AT) | ((owed | forgiven) << MISSING_AT);
        if (owed > 0) packed |= 1 << OWED_AT;
    }

    /// @notice The second word but for the member: in which lot, when, and when the day began.
    function lotTail(uint256 expiryEpoch, uint256 dayStart) internal view returns (uint256) {
        return (expiryEpoch << EPOCH_AT) | (block.timestamp << TIME_AT) | dayStart;
    }

    /// @notice The upper part of the third word, but for the place.
    function termsTail(uint256 returnWindow, uint256 shortfall) internal pure returns (uint256) {
        return (returnWindow << WINDOW_AT) | (shortfall << SHORTFALL_AT);
    }

    /// @notice Memory for the four words of a leaf.
    function room() internal pure returns (uint256 data) {
        assembly ("memory-safe") {
            data := mload(0x40)
            mstore(0x40, add(data, 0x80))
        }
    }

    /// @notice Sets the fourth word in memory of `room`.
    function setRate(uint256 data, uint256 rate) internal pure {
        assembly ("memory-safe") {
            mstore(add(data, 0x60), rate)
        }
    }

    function leaf(uint256 first, uint256 second, uint256 third, uint256 fourth) internal pure returns (uint256 hash) {
        // Behind the free memory, which stays free.
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, first)
            mstore(add(data, 0x20), second)
            mstore(add(data, 0x40), third)
            mstore(add(data, 0x60), fourth)
            hash := keccak256(data, 0x80)
        }
    }

    function decode(uint256[4] calldata words) internal pure returns (Award memory award) {
        (uint256 second, uint256 third) = (words[1], words[2]);
        award.operationId = words[0];
        // The upper 160 bits.
        // forge-lint: disable-next-line(unsafe-typecast)
        award.member = address(uint160(second >> MEMBER_AT));
        award.expiryEpoch = (second >> EPOCH_AT) & type(uint32).max;
        award.awardedAt = (second >> TIME_AT) & type(uint40).max;
        award.dayStart = second & type(uint24).max;
        award.baseAmount = third & type(uint96).max;
        award.points = (third >> POINTS_AT) & type(uint48).max;
        award.ruleId = (third >> RULE_AT) & type(uint32).max;
        award.returnWindow = (third >> WINDOW_AT) & type(uint32).max;
        award.shortfall = (third >> SHORTFALL_AT) & type(uint8).max;
        award.place = third >> PLACE_AT;
        award.rate = words[3];
    }

    /// @notice The root that `proof` leads to from this leaf; 0, which is none, when the proof is too long for a call.
    function rootOf(uint256[4] calldata words, bytes32[] calldata proof) internal pure returns (bytes32) {
        if (proof.length > PROOF_MAX) return 0;
        uint256 node = leaf(words[0], words[1], words[2], words[3]);
        assembly ("memory-safe") {
            // The leaf's place says on which side it is: from the lowest bit up, which is shifted to 32 or 0.
            let sides := shl(5, shr(PLACE_AT, calldataload(add(words, 0x40))))
            let end := add(proof.offset, shl(5, proof.length))
            for { let at := proof.offset } lt(at, end) {} {
                let side := and(sides, 0x20)
                mstore(side, node)
                mstore(xor(side, 0x20), calldataload(at))
                node := keccak256(0, 0x40)
                sides := shr(1, sides)
                at := add(at, 0x20)
            }
        }
        return bytes32(node);
    }

    /// @notice The root of at least one leaf, level by level in their own array, which is used up. Behind the array is
    /// room for eight words more.
    function root(uint256[] memory nodes) internal pure returns (bytes32 top) {
        assembly ("memory-safe") {
            let first := add(nodes, 0x20)
            let count := mload(nodes)
            for {} gt(count, 1) {} {
                let end := add(first, shl(5, count))
                // A last one without a neighbour has 0 for one.
                if and(count, 1) { mstore(end, 0) }
                let to := first
                // Four pairs a turn: those beyond the last are hashed for nothing, and land beyond what the level keeps.
                for { let from := first } lt(from, end) { from := add(from, 0x100) } {
                    mstore(to, keccak256(from, 0x40))
                    mstore(add(to, 0x20), keccak256(add(from, 0x40), 0x40))
                    mstore(add(to, 0x40), keccak256(add(from, 0x80), 0x40))
                    mstore(add(to, 0x60), keccak256(add(from, 0xc0), 0x40))
                    to := add(to, 0x80)
                }
                count := shr(1, add(count, 1))
            }
            top := mload(first)
        }
    }
}
