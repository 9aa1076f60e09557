// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Stands in for libraries/Lots.sol while the token is proved: the same functions, any results.
/// @notice What is proved with it holds whatever the arithmetic of lots gives, so it holds for the real one; and the
/// prover need not look into the arithmetic, which tests/halmos/LotsProof.t.sol proves by itself.
library Lots {
    uint256 internal constant LOTS = 5;
    uint256 internal constant WORDS = 4;
    uint256 internal constant BITS = 48;
    uint256 internal constant TAG_SHIFT = 240;
    uint256 internal constant LOT_MAX = (1 << BITS) - 1;
    uint256 internal constant POINTS_MASK = (1 << TAG_SHIFT) - 1;
    uint256 internal constant EPOCH_MAX = LOTS * (1 << 16) - 1;

    /// @dev halmos' cheat code for a number that may be anything.
    address private constant SVM = address(uint160(uint256(keccak256("svm cheat code"))));

    function firstGroup(uint256 clock) internal pure returns (uint256) {
        return (clock + 1) / LOTS;
    }

    function word(uint256 group, uint256 points) internal pure returns (uint256) {
        return (group << TAG_SHIFT) | points;
    }

    function stored(uint256 group, uint256 points) internal pure returns (uint256) {
        return points == 0 ? 0 : word(group, points);
    }

    function single(uint256, uint256) internal pure returns (uint256) {
        return any() & POINTS_MASK;
    }

    function live(uint256, uint256, uint256) internal pure returns (uint256) {
        return any() & POINTS_MASK;
    }

    function sum(uint256) internal pure returns (uint256) {
        return any();
    }

    function take(uint256, uint256 wanted) internal pure returns (uint256 taken, uint256 got) {
        // All that is wanted, or any part: the caller's loop goes on.
        return (any() & POINTS_MASK, any() & 1 == 0 ? wanted : 0);
    }

    function takeLatest(uint256, uint256 wanted) internal pure returns (uint256 taken, uint256 got) {
        (taken, got) = take(0, wanted);
    }

    function after_(uint256[4] memory, uint256) internal pure returns (uint256[4] memory later) {
        for (uint256 i = 0; i < WORDS; ++i) {
            later[i] = any();
        }
    }

    function merge(uint256, uint256, uint256) internal pure returns (uint256) {
        return any() & POINTS_MASK;
    }

    function split(uint256[4] memory, uint256, uint256)
        internal
        pure
        returns (uint256[4] memory oldest, uint256[4] memory rest)
    {
        for (uint256 i = 0; i < WORDS; ++i) {
            (oldest[i], rest[i]) = (any(), any());
        }
    }

    function total(uint256[4] memory) internal pure returns (uint256) {
        return any();
    }

    function any() private pure returns (uint256) {
        function() view returns (uint256) looking = _any;
        function() pure returns (uint256) pretending;
        // The callers are pure for the real library.
        assembly ("memory-safe") {
            pretending := looking
        }
        return pretending();
    }

    function _any() private view returns (uint256 value) {
        (, bytes memory answer) = SVM.staticcall(abi.encodeWithSignature("createUint256(string)", "any"));
        return abi.decode(answer, (uint256));
    }
}
