// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title What the exchanges between two brands, both ways, have done today and leave over, in one word.
/// @notice From bit 0 up: UTC day 32, then of the brand with the smaller id and of the other: the flow (80 bits,
/// signed) of its points this day, burnt by exchanges less minted by them; then, of each brand's agreement into the
/// other, the carry (32 bits) as in AgreementCode. Pure.
library FlowCode {
    uint256 private constant FLOW_LOW_AT = 32;
    uint256 private constant FLOW_HIGH_AT = 112;
    uint256 private constant CARRY_LOW_AT = 192;
    uint256 private constant CARRY_HIGH_AT = 224;

    /// @notice What is carried in the agreement of one side.
    function carry(uint256 word, bool low) internal pure returns (uint256) {
        return (word >> (low ? CARRY_LOW_AT : CARRY_HIGH_AT)) & type(uint32).max;
    }

    function withoutCarry(uint256 word, bool low) internal pure returns (uint256) {
        return word & ~(uint256(type(uint32).max) << (low ? CARRY_LOW_AT : CARRY_HIGH_AT));
    }

    /// @notice Points of one side that left on `day` and have not come back; more that came back gives nothing.
    function used(uint256 word, bool low, uint256 day) internal pure returns (uint256) {
        if (word & type(uint32).max != day) return 0;
        int256 left = _flow(word, low ? FLOW_LOW_AT : FLOW_HIGH_AT);
        // Above 0.
        // forge-lint: disable-next-line(unsafe-typecast)
        return left > 0 ? uint256(left) : 0;
    }

    /// @notice The word after `burnt` points of one side became `minted` points of the other.
    /// @param carried At most 2^32-1.
    function count(uint256 word, bool low, uint256 day, uint256 burnt, uint256 minted, uint256 carried)
        internal
        pure
        returns (uint256)
    {
        bool today = word & type(uint32).max == day;
        uint256 carries = withoutCarry(word, low) >> CARRY_LOW_AT << CARRY_LOW_AT;
        // Amounts have 48 bits: 80 hold the sum of two thousand million of them, and the sign.
        unchecked {
            // forge-lint: disable-next-line(unsafe-typecast)
            int256 change = low ? int256(burnt) : -int256(minted);
            // forge-lint: disable-next-line(unsafe-typecast)
            int256 other = low ? -int256(minted) : int256(burnt);
            if (today) (change, other) = (change + _flow(word, FLOW_LOW_AT), other + _flow(word, FLOW_HIGH_AT));
            // A day of 32 bits lasts ten million years.
            return carries | (carried << (low ? CARRY_LOW_AT : CARRY_HIGH_AT)) | (day & type(uint32).max)
                | _bits(change, FLOW_LOW_AT) | _bits(other, FLOW_HIGH_AT);
        }
    }

    function _flow(uint256 word, uint256 at) private pure returns (int256) {
        // The 80 bits as they are, sign and all.
        // forge-lint: disable-next-line(unsafe-typecast)
        return int80(uint80(word >> at));
    }

    function _bits(int256 flow, uint256 at) private pure returns (uint256) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint256(uint80(int80(flow))) << at;
    }
}
