// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @title Asks a wallet that is not deployed yet (ERC-6492), and leaves nothing behind.
/// @dev Holds no right and no point, so that what a foreign factory is called with can be anything; and `ask` always
/// reverts, so that whatever it did is undone, the wallet's deployment included.
contract CounterfactualWallets {
    /// @notice The wallet says that the signature is its own.
    error Signed();
    /// @notice It does not.
    error NotSigned();

    /// @param signature (factory, calldata for it, signature) as the ABI encodes them, then the 32 bytes of magic.
    function ask(address signer, bytes32 digest, bytes calldata signature) external {
        (address factory, bytes memory data, bytes memory inner) =
            abi.decode(signature[:signature.length - 32], (address, bytes, bytes));
        if (signer.code.length == 0) {
            (bool made,) = factory.call(data);
            if (!made || signer.code.length == 0) revert NotSigned();
        }
        (bool answered, bytes memory answer) =
            signer.staticcall(abi.encodeCall(IERC1271.isValidSignature, (digest, inner)));
        bool valid = answered && answer.length >= 32
            && abi.decode(answer, (bytes32)) == bytes32(IERC1271.isValidSignature.selector);
        if (valid) revert Signed();
        revert NotSigned();
    }
}
