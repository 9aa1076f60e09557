// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title How a contract asks whether the caller may act for a brand.
/// @notice Roles live in one OpenZeppelin AccessManager. A brand's role id is `brandId * 256 + kind`:
/// owner 1, issuer 2, till 3, treasurer 4, guardian 5. Moa's own: operator 1, guardian 2; admin 0.
/// @dev A role granted with an execution delay is honoured here: its holder must `announce` the exact
/// call, wait that delay, and then make it within `ANNOUNCEMENT_LIFE` (7 days). Each announcement serves one call, and
/// only while its caller has held the role without a break. The role's guardian and its admin may retract it.
interface IBrandAccess {
    /// @notice `caller` will make the call with this hash (of caller, role and calldata) from `readyAt` on.
    event CallAnnounced(address indexed caller, bytes32 indexed callHash, uint256 readyAt);

    /// @notice An announced call was retracted by `by`: it may not be made.
    event CallRetracted(address indexed by, bytes32 indexed callHash);

    /// @notice The caller does not hold `role`.
    error RoleMissing(address caller, uint64 role);
    /// @notice The caller's role has an execution delay, and this call was not announced.
    error CallNotAnnounced(bytes32 callHash);
    /// @notice The announced call may be made from `readyAt` on.
    error CallNotReady(bytes32 callHash, uint256 readyAt);
    /// @notice The announced call was to be made before `expiredAt`.
    error CallExpired(bytes32 callHash, uint256 expiredAt);

    /// @notice Announces a call that the caller's delayed `role` will make to this contract.
    /// @param role The role id that the call needs.
    /// @param data The full calldata of the call, selector first.
    /// @return callHash keccak256(abi.encode(caller, role, data)).
    function announce(uint64 role, bytes calldata data) external returns (bytes32 callHash);

    /// @notice Retracts a call that `caller` announced: by itself, by the guardian of `role` or by its admin (of a
    /// brand's roles its owner), at once. Reverts with CallNotAnnounced when there is none.
    function retract(address caller, uint64 role, bytes calldata data) external returns (bytes32 callHash);

    /// @notice First second at which an announced call may be made; 0 when there is none.
    function readyAt(bytes32 callHash) external view returns (uint256);
}
