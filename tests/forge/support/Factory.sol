// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Wallet} from "./Wallet.sol";

/// @title Makes wallets where they are foretold; counts, and calls back whom it is told to.
contract Factory {
    uint256 public made;
    address private at;
    bytes private again;

    function foretold(address key) external view returns (address) {
        bytes memory code = abi.encodePacked(type(Wallet).creationCode, abi.encode(key));
        return address(uint160(uint256(keccak256(abi.encodePacked(hex"ff", this, uint256(7), keccak256(code))))));
    }

    function callBack(address at_, bytes calldata data) external {
        (at, again) = (at_, data);
    }

    function make(address key) external returns (address wallet) {
        ++made;
        bytes memory code = abi.encodePacked(type(Wallet).creationCode, abi.encode(key));
        assembly {
            wallet := create2(0, add(code, 0x20), mload(code), 7)
        }
        if (at == address(0)) return wallet;
        (bool done,) = at.call(again);
        require(done, "the call back failed");
    }
}
