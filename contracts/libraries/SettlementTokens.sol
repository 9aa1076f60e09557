// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IERC7818Views} from "../interfaces/IERC7818Views.sol";

/// @title Which ERC-20 may settle what brands owe each other.
/// @notice Fit is a contract that tells `decimals` of at most 18, `totalSupply` and `balanceOf`, and is no brand's
/// points. A token that takes a fee of a transfer, or on top of it, is fit: what arrives and what leaves is counted.
/// So is one whose balances change by themselves: a shortfall is shared, a surplus skimmed. One that calls its sender
/// or receiver is fit as well: the house is shut while it calls.
library SettlementTokens {
    uint256 private constant DECIMALS_MAX = 18;

    /// @notice Reverts with SettlementTokenUnfit and what is amiss.
    function check(address token) internal view {
        if (token.code.length == 0) revert IClearingHouse.SettlementTokenUnfit(token, "code");
        (bool told, uint256 decimals) = _ask(token, abi.encodeCall(IERC20Metadata.decimals, ()));
        if (!told || decimals > DECIMALS_MAX) revert IClearingHouse.SettlementTokenUnfit(token, "decimals");
        (told,) = _ask(token, abi.encodeCall(IERC20.totalSupply, ()));
        if (!told) revert IClearingHouse.SettlementTokenUnfit(token, "totalSupply");
        (told,) = _ask(token, abi.encodeCall(IERC20.balanceOf, (address(this))));
        if (!told) revert IClearingHouse.SettlementTokenUnfit(token, "balanceOf");
        // Points expire: whoever holds them as collateral would hold less by itself.
        (told,) = _ask(token, abi.encodeCall(IERC7818Views.currentEpoch, ()));
        if (told) revert IClearingHouse.SettlementTokenUnfit(token, "points");
    }

    /// @dev What one word a view tells, if it tells one.
    function _ask(address token, bytes memory data) private view returns (bool told, uint256 value) {
        bytes memory answer;
        (told, answer) = token.staticcall(data);
        told = told && answer.length == 32;
        if (told) value = abi.decode(answer, (uint256));
    }
}
