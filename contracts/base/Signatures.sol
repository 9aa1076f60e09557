// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {CounterfactualWallets} from "./CounterfactualWallets.sol";

/// @title Asks whether a signature is an account's: a plain key's, a smart wallet's, or one's that is yet to be deployed.
/// @notice In this order: 65 bytes r, s, v (v 27 or 28, s in the lower half) of the account's own key, whether it has
/// code or not (an EIP-7702 account keeps its key); ERC-1271 where it has code; ERC-6492 (what ends in its 32 bytes of
/// magic). A wallet is asked with bounded gas, and of its answer one word is read.
abstract contract Signatures {
    /// @dev Enough for a P-256 signature checked in Solidity, twice; not enough to eat up a relayer's transaction.
    uint256 private constant WALLET_GAS = 1_000_000;
    /// @dev Deploying a wallet and asking it.
    uint256 private constant DEPLOY_GAS = 3_000_000;
    bytes32 private constant MAGIC_6492 = 0x6492649264926492649264926492649264926492649264926492649264926492;

    /// @dev Deploys and asks a wallet in a call that always reverts: nothing that a foreign factory does is left.
    CounterfactualWallets private immutable WALLETS = new CounterfactualWallets();

    /// @dev Whether `signature` is `signer`'s for `digest`. Nobody signs for address 0.
    function _isSigned(address signer, bytes32 digest, bytes memory signature) internal returns (bool) {
        (address key, ECDSA.RecoverError error,) = ECDSA.tryRecover(digest, signature);
        if (error == ECDSA.RecoverError.NoError && key == signer) return true;
        if (_endsIn6492(signature)) {
            bytes memory ask = abi.encodeCall(CounterfactualWallets.ask, (signer, digest, signature));
            return _firstWord(address(WALLETS), ask, DEPLOY_GAS, false) == CounterfactualWallets.Signed.selector;
        }
        if (signer.code.length == 0) return false;
        bytes memory question = abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
        return _firstWord(signer, question, WALLET_GAS, true) == IERC1271.isValidSignature.selector;
    }

    /// @dev The first word of the answer, and never more of it: of a static call that must succeed, or of a call that
    /// must revert. 0 else.
    function _firstWord(address target, bytes memory data, uint256 gas_, bool asking) private returns (bytes32 word) {
        assembly ("memory-safe") {
            let done := 0
            mstore(0, 0)
            switch asking
            case 1 { done := staticcall(gas_, target, add(data, 0x20), mload(data), 0, 0x20) }
            default { done := iszero(call(gas_, target, 0, add(data, 0x20), mload(data), 0, 0x20)) }
            // ERC-1271 answers a whole word; the other call reverts with four bytes.
            if and(done, gt(returndatasize(), mul(asking, 0x1f))) { word := mload(0) }
        }
    }

    function _endsIn6492(bytes memory signature) private pure returns (bool) {
        if (signature.length < 32) return false;
        bytes32 end;
        assembly ("memory-safe") {
            end := mload(add(signature, mload(signature)))
        }
        return end == MAGIC_6492;
    }
}
