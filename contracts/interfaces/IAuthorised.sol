// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";

/// @title What every contract that acts on a member's word has in common.
/// @notice A member authorises with an EIP-712 signature (an EOA's, or a smart wallet's through
/// ERC-1271) under the domain that `eip712Domain` (ERC-5267) tells. Anyone may submit it. If the caller is the member, the signature is not looked at and
/// may be empty; the nonce is still spent.
/// @dev Nonces are unordered: any uint256 that this member has not used in this contract. A nonce is
/// spent by its first success and never again; a refused call spends nothing.
interface IAuthorised is IERC5267 {
    /// @notice The member withdrew an authorisation before it was used.
    event AuthorisationCancelled(address indexed member, uint256 indexed nonce);

    /// @notice The last valid second has passed: valid while `block.timestamp <= deadline`.
    error AuthorisationExpired(uint256 deadline, uint256 timestamp);
    /// @notice This member has used or cancelled this nonce here.
    error AuthorisationUsed(address member, uint256 nonce);
    /// @notice The signature is not the member's for exactly these values.
    error SignatureInvalid(address member);

    /// @notice True when `nonce` is spent or cancelled for `member` in this contract.
    function isNonceUsed(address member, uint256 nonce) external view returns (bool);

    /// @notice Spends the caller's own `nonce` without effect, so that a signature given away is void.
    function cancelAuthorisation(uint256 nonce) external;
}
