// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title The settlement token of the tests, and OpenZeppelin's plain ERC-20 to measure against.
contract Won is ERC20("Won", "KRW") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// @dev What a plain loyalty token would do with a batch.
    function mintBatch(address[] calldata to, uint256 amount) external {
        for (uint256 i = 0; i < to.length; ++i) {
            _mint(to[i], amount);
        }
    }
}
