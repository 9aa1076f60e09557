// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Handler} from "./invariants/Handler.sol";
import {Test} from "./support/Test.sol";

/// @title The ledger's invariants, after every call of any sequence of calls, failing ones included.
contract Invariants is Test {
    Handler private handler;

    function setUp() public {
        handler = new Handler();
    }

    function targetContracts() external view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory list) {
        list = new FuzzSelector[](1);
        list[0] = FuzzSelector(address(handler), handler.acts());
    }

    /// @notice SPEC 1-6: the contracts say what a plain model says, and the model's books balance.
    function invariant_the_books_balance_after_every_call() external view {
        handler.check();
    }
}
