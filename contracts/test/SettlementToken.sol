// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A stand-in for the stablecoin in which brands settle: anyone may mint. Demo and tests only.
contract SettlementToken is ERC20 {
    constructor() ERC20("Settlement Won", "SKRW") {}

    /// @notice Mints `amount` to `to`.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
