// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title The role ids of brands and of Moa in the AccessManager.
library Roles {
    /// @dev The AccessManager's own: may grant every role.
    uint64 internal constant ADMIN = 0;
    /// @dev Invites, activates, suspends, resumes, nets.
    uint64 internal constant OPERATOR = 1;
    /// @dev Throws Moa's switches.
    uint64 internal constant MOA_GUARDIAN = 2;

    uint8 internal constant OWNER = 1;
    uint8 internal constant ISSUER = 2;
    uint8 internal constant TILL = 3;
    uint8 internal constant TREASURER = 4;
    uint8 internal constant GUARDIAN = 5;

    /// @notice The role id of `kind` in a brand: 257 is the owner of brand 1. Never one of Moa's own.
    function id(uint256 brandId, uint8 kind) internal pure returns (uint64) {
        // Brand ids are dense from 1 and held in 32 bits; a larger one is no brand's, and its role has no holder.
        // forge-lint: disable-next-line(unsafe-typecast)
        return brandId == 0 || brandId > type(uint32).max ? type(uint64).max - 1 : uint64(brandId * 256 + kind);
    }
}
