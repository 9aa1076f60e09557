// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Vm} from "./Vm.sol";

/// @title Base of the Solidity tests: the cheat codes and what forge asks of an invariant test.
/// @dev Assertions are forge's own cheat codes (`vm.assertEq`): they revert with both values and the text given.
abstract contract Test {
    /// @dev What an invariant test lets forge call, and by whom.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    // forge-lint: disable-next-line(mixed-case-function)
    function IS_TEST() external pure returns (bool) {
        return true;
    }

    /// @dev `seed` brought into [least, most], with both ends likely.
    function bound(uint256 seed, uint256 least, uint256 most) internal pure returns (uint256) {
        if (seed >= least && seed <= most) return seed;
        uint256 span = most - least + 1;
        if (seed % 16 == 0) return least;
        if (seed % 16 == 1) return most;
        return span == 0 ? seed : least + (seed / 16) % span;
    }
}
