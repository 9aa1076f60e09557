// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @title Asks a smart wallet whether a signature is its own (ERC-1271), one that is not deployed yet too (ERC-6492).
/// @notice A wallet is asked with bounded gas, and of its answer one word is read. A contract of its own, so that those
/// who ask stay small, and what a foreign factory is called by has no right anywhere.
contract WalletSignatures {
    /// @dev Enough for a P-256 signature checked in Solidity, twice; not enough to eat up a relayer's transaction.
    uint256 private constant WALLET_GAS = 1_000_000;
    /// @dev Deploying a wallet and asking it.
    uint256 private constant DEPLOY_GAS = 3_000_000;
    bytes32 private constant MAGIC_6492 = 0x6492649264926492649264926492649264926492649264926492649264926492;

    /// @notice The wallet says that the signature is its own.
    error Signed();
    /// @notice It does not.
    error NotSigned();

    /// @notice Whether the wallet `signer` says that `signature` is its own for `digest`. Changes nothing.
    function isSigned(address signer, bytes32 digest, bytes calldata signature) external returns (bool) {
        if (_endsIn6492(signature)) {
            bytes memory ask_ = abi.encodeCall(this.ask, (signer, digest, signature));
            return _firstWord(address(this), ask_, DEPLOY_GAS, false) == Signed.selector;
        }
        if (signer.code.length == 0) return false;
        bytes memory question = abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
        return _firstWord(signer, question, WALLET_GAS, true) == IERC1271.isValidSignature.selector;
    }

    /// @notice Deploys the wallet if it has no code, and asks it. Always reverts, with `Signed` or `NotSigned`: nothing
    /// that a foreign factory does is left, the wallet's deployment included.
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

    function _endsIn6492(bytes calldata signature) private pure returns (bool) {
        return signature.length >= 32 && bytes32(signature[signature.length - 32:]) == MAGIC_6492;
    }
}
