// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ILoyaltyToken} from "../interfaces/ILoyaltyToken.sol";

/// @title Arithmetic of packed lots: pure, without storage, so that it can be proved for all inputs.
/// @notice Expiry epochs come in groups of five: group g holds epochs 5g .. 5g+4. A *word* is a group's tag
/// (16 bits, at 240) over its *points* (five lots of 48 bits, oldest lowest). Four words make a ring: group g
/// lies in word g % 4. The sixteen live epochs clock+1 .. clock+16 always lie in exactly four groups, from
/// (clock+1)/5 on, so no two live groups want the same word.
/// @dev Functions on *points* expect the tag bits to be 0; `word` puts the tag on.
library Lots {
    /// @dev Lots in a word.
    uint256 internal constant LOTS = 5;
    /// @dev Words of an account.
    uint256 internal constant WORDS = 4;
    /// @dev Bits of a lot.
    uint256 internal constant BITS = 48;
    /// @dev Where the tag begins: LOTS * BITS.
    uint256 internal constant TAG_SHIFT = 240;
    /// @dev Most points of a lot: 281,474,976,710,655.
    uint256 internal constant LOT_MAX = (1 << BITS) - 1;
    /// @dev All five lots of a word.
    uint256 internal constant POINTS_MASK = (1 << TAG_SHIFT) - 1;
    /// @dev The last expiry epoch whose group fits the tag: 5 * 2^16 - 1.
    uint256 internal constant EPOCH_MAX = LOTS * (1 << 16) - 1;
    /// @dev The highest bit of each of the five lots.
    uint256 private constant HIGH_BITS = (1 << 47) | (1 << 95) | (1 << 143) | (1 << 191) | (1 << 239);

    /// @notice The oldest group that can hold a live lot.
    function firstGroup(uint256 clock) internal pure returns (uint256) {
        return (clock + 1) / LOTS;
    }

    /// @notice The word of `points` in `group`; a bare tag when there are none.
    function word(uint256 group, uint256 points) internal pure returns (uint256) {
        return (group << TAG_SHIFT) | points;
    }

    /// @notice What is stored for `points` in `group`: 0 when there are none.
    function stored(uint256 group, uint256 points) internal pure returns (uint256) {
        return points == 0 ? 0 : word(group, points);
    }

    /// @notice `amount` (at most LOT_MAX) as the points of the lot of `expiryEpoch`.
    function single(uint256 expiryEpoch, uint256 amount) internal pure returns (uint256) {
        return amount << (BITS * (expiryEpoch % LOTS));
    }

    /// @notice The points of `packed` that count for `group` when the clock stands at `clock`: none if its tag is
    /// another group's, else without the lots whose expiry epoch is not after the clock.
    function live(uint256 packed, uint256 group, uint256 clock) internal pure returns (uint256 points) {
        if (packed >> TAG_SHIFT != group) return 0;
        points = packed & POINTS_MASK;

        // A tag has 16 bits, and after the return the age is below five.
        unchecked {
            uint256 oldest = group * LOTS;
            if (clock < oldest) return points;
            uint256 age = clock - oldest;
            if (age >= LOTS - 1) return 0;
            uint256 shift = BITS * (age + 1);
            return (points >> shift) << shift;
        }
    }

    /// @notice Sum of the five lots.
    function sum(uint256 points) internal pure returns (uint256) {
        // Five numbers of 48 bits: cannot overflow.
        unchecked {
            return (points & LOT_MAX) + ((points >> 48) & LOT_MAX) + ((points >> 96) & LOT_MAX)
                + ((points >> 144) & LOT_MAX) + ((points >> 192) & LOT_MAX);
        }
    }

    /// @notice Takes up to `wanted` of `points`, oldest first.
    /// @return taken The part taken, lot by lot. @return got Its sum: `wanted`, or all there is if that is less.
    function take(uint256 points, uint256 wanted) internal pure returns (uint256 taken, uint256 got) {
        uint256 all = sum(points);
        if (all <= wanted) return (points, all);

        got = wanted;
        // `wanted` is less than the sum, so it is used up within the five lots; a part is at most what is left of it.
        unchecked {
            for (uint256 shift = 0; wanted > 0; shift += BITS) {
                uint256 part = (points >> shift) & LOT_MAX;
                if (part > wanted) part = wanted;
                taken |= part << shift;
                wanted -= part;
            }
        }
    }

    /// @notice Takes up to `wanted` of `points`, latest expiry first.
    /// @return taken The part taken, lot by lot. @return got Its sum.
    function takeLatest(uint256 points, uint256 wanted) internal pure returns (uint256 taken, uint256 got) {
        uint256 all = sum(points);
        if (all <= wanted) return (points, all);

        (uint256 kept,) = take(points, all - wanted);
        // Lot by lot, what is kept is at most what is there.
        return (points - kept, wanted);
    }

    /// @notice Four words without the lots whose expiry epoch is not after `clock`.
    function after_(uint256[4] memory lots, uint256 clock) internal pure returns (uint256[4] memory later) {
        for (uint256 i = 0; i < WORDS; ++i) {
            uint256 group = lots[i] >> TAG_SHIFT;
            later[i] = stored(group, live(lots[i], group, clock));
        }
    }

    /// @notice Adds two groups' points lot by lot. Reverts with LotOverflow for the oldest lot that cannot hold its sum.
    function merge(uint256 group, uint256 a, uint256 b) internal pure returns (uint256 c) {
        // Both are below 2^240, so the sum is below 2^241.
        unchecked {
            c = a + b;
        }
        // The carry out of each bit of an adder is (a & b) | ((a | b) & ~c): one out of a lot's top bit is an overflow.
        if (((a & b) | ((a | b) & ~c)) & HIGH_BITS != 0) _overflow(group, a, b);
    }

    /// @notice Splits four words into the oldest `amount` and the rest, expired or not.
    /// @param clock The clock when the lots were taken: it tells which group is oldest.
    /// @dev `amount` is at most the total of the lots; anything beyond it stays untaken.
    function split(uint256[4] memory lots, uint256 clock, uint256 amount)
        internal
        pure
        returns (uint256[4] memory oldest, uint256[4] memory rest)
    {
        uint256 group = firstGroup(clock);
        for (uint256 k = 0; k < WORDS; ++k) {
            uint256 i = (group + k) % WORDS;
            uint256 points = lots[i] & POINTS_MASK;
            if (points == 0) continue;

            uint256 tag = lots[i] >> TAG_SHIFT;
            (uint256 taken, uint256 got) = take(points, amount);
            amount -= got;
            oldest[i] = stored(tag, taken);
            // Lot by lot, `taken` is at most `points`: no borrow between lots.
            rest[i] = stored(tag, points - taken);
        }
    }

    /// @notice Sum of all points of four words, expired or not.
    function total(uint256[4] memory lots) internal pure returns (uint256 points) {
        for (uint256 i = 0; i < WORDS; ++i) {
            points += sum(lots[i] & POINTS_MASK);
        }
    }

    /// @dev Names the lot that overflowed; apart, because it is never reached in good order.
    function _overflow(uint256 group, uint256 a, uint256 b) private pure {
        for (uint256 lot = 0; lot < LOTS; ++lot) {
            uint256 have = (a >> (BITS * lot)) & LOT_MAX;
            uint256 more = (b >> (BITS * lot)) & LOT_MAX;
            if (have + more > LOT_MAX) revert ILoyaltyToken.LotOverflow(group * LOTS + lot, more, LOT_MAX - have);
        }
    }
}
