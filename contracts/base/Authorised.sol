// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IAuthorised} from "../interfaces/IAuthorised.sol";
import {Signatures} from "./Signatures.sol";

/// @title Checks a member's EIP-712 word. Keeps nothing: each contract says how a nonce is spent.
abstract contract Authorised is IAuthorised, Signatures {
    /// @dev Valid while `block.timestamp <= deadline`.
    function _checkDeadline(uint256 deadline) internal view {
        if (block.timestamp > deadline) revert AuthorisationExpired(deadline, block.timestamp);
    }

    /// @dev Reverts unless the caller is `member` or brings the member's signature of `structHash`.
    function _checkSignature(address member, bytes32 structHash, bytes calldata signature) internal {
        if (msg.sender != member) _checkSigned(member, structHash, signature);
    }

    /// @dev Reverts unless `signer` signed `structHash`, whoever calls. Nobody signs for address 0.
    function _checkSigned(address signer, bytes32 structHash, bytes memory signature) internal {
        bytes32 digest = MessageHashUtils.toTypedDataHash(_domainSeparator(), structHash);
        if (!_isSigned(signer, digest, signature)) revert SignatureInvalid(signer);
    }

    /// @dev The EIP-712 domain separator of the contract.
    function _domainSeparator() internal view virtual returns (bytes32);
}
