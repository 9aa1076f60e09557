// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A settlement token with habits: any decimals, and a fee on top of what a transfer sends.
contract OddToken is ERC20("Odd", "ODD") {
    uint8 private immutable DECIMALS;
    uint256 private immutable FEE_BPS;

    constructor(uint8 decimals_, uint256 feeBps) {
        DECIMALS = decimals_;
        FEE_BPS = feeBps;
    }

    function decimals() public view override returns (uint8) {
        return DECIMALS;
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function burn(address from, uint256 amount) external {
        _burn(from, amount);
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        uint256 fee = amount * FEE_BPS / 10_000;
        if (fee > 0) _burn(msg.sender, fee);
        return super.transfer(to, amount);
    }
}
