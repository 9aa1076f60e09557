// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {WalletSignatures} from "./WalletSignatures.sol";

/// @title Asks whether a signature is an account's: a plain key's, a smart wallet's, or one's that is yet to be deployed.
/// @notice In this order: 65 bytes r, s, v (v 27 or 28, s in the lower half) of the account's own key, whether it has
/// code or not (an EIP-7702 account keeps its key); then what WalletSignatures knows, ERC-6492 and ERC-1271.
abstract contract Signatures {
    /// @dev Holds no right and no point: what a wallet or its factory does when asked is done by nobody.
    WalletSignatures private immutable WALLETS = new WalletSignatures();

    /// @dev Whether `signature` is `signer`'s for `digest`. Nobody signs for address 0.
    function _isSigned(address signer, bytes32 digest, bytes memory signature) internal returns (bool) {
        (address key, ECDSA.RecoverError error,) = ECDSA.tryRecover(digest, signature);
        if (error == ECDSA.RecoverError.NoError && key == signer) return true;
        return WALLETS.isSigned(signer, digest, signature);
    }
}
