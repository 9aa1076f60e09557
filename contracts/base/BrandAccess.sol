// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";
import {IBrandAccess} from "../interfaces/IBrandAccess.sol";

/// @title Asks the AccessManager whether the caller may act for a brand, and honours execution delays.
/// @dev The announcements lie at their own slot, so that a contract with a published layout can inherit this.
abstract contract BrandAccess is IBrandAccess {
    /// @dev How long an announced call may still be made.
    uint256 internal constant ANNOUNCEMENT_LIFE = 7 days;
    /// @dev An announcement: when it is ready in the low 48 bits, above them since when the caller has had the role.
    uint256 private constant SINCE_AT = 48;
    uint256 private constant READY_MASK = type(uint48).max;
    /// @dev keccak256("moa.BrandAccess.announcements"), far from any slot that Solidity gives out.
    bytes32 private constant ANNOUNCEMENTS = keccak256("moa.BrandAccess.announcements");

    IAccessManager internal immutable MANAGER;

    constructor(address manager) {
        MANAGER = IAccessManager(manager);
    }

    /// @inheritdoc IBrandAccess
    function announce(uint64 role, bytes calldata data) external returns (bytes32 callHash) {
        (bool isMember, uint256 delay) = _standing(role, msg.sender);
        if (!isMember) revert RoleMissing(msg.sender, role);

        callHash = keccak256(abi.encode(msg.sender, role, data));
        uint256 ready = block.timestamp + delay;

        _announcements()[callHash] = ready | (_since(role, msg.sender) << SINCE_AT);

        emit CallAnnounced(msg.sender, callHash, ready);
    }

    /// @inheritdoc IBrandAccess
    function retract(address caller, uint64 role, bytes calldata data) external returns (bytes32 callHash) {
        if (msg.sender != caller) _checkVeto(role);
        callHash = keccak256(abi.encode(caller, role, data));
        if (_announcements()[callHash] == 0) revert CallNotAnnounced(callHash);

        delete _announcements()[callHash];

        emit CallRetracted(msg.sender, callHash);
    }

    /// @inheritdoc IBrandAccess
    function readyAt(bytes32 callHash) external view returns (uint256) {
        return _announcements()[callHash] & READY_MASK;
    }

    /// @dev Reverts unless the caller holds `role`; with an execution delay, unless this very call was announced in time.
    function _checkRole(uint64 role) internal {
        (bool isMember, uint256 delay) = _standing(role, msg.sender);
        if (!isMember) revert RoleMissing(msg.sender, role);
        if (delay > 0) _useAnnouncement(role);
    }

    /// @dev As `_checkRole`, but asks no delay: an emergency stop must not wait.
    function _checkRoleAtOnce(uint64 role) internal view {
        (bool isMember,) = _standing(role, msg.sender);
        if (!isMember) revert RoleMissing(msg.sender, role);
    }

    function _useAnnouncement(uint64 role) private {
        bytes32 callHash = keccak256(abi.encode(msg.sender, role, msg.data));
        uint256 announced = _announcements()[callHash];
        uint256 ready = announced & READY_MASK;
        // Whoever lost the role and was given it anew announces anew.
        if (ready == 0 || announced >> SINCE_AT != _since(role, msg.sender)) revert CallNotAnnounced(callHash);
        if (block.timestamp < ready) revert CallNotReady(callHash, ready);
        if (block.timestamp >= ready + ANNOUNCEMENT_LIFE) revert CallExpired(callHash, ready + ANNOUNCEMENT_LIFE);

        delete _announcements()[callHash];
    }

    /// @dev The role's guardian and its admin (a brand's owner) retract what its holders announced, at once.
    function _checkVeto(uint64 role) private view {
        uint64 guardian = MANAGER.getRoleGuardian(role);
        (bool isGuardian,) = _standing(guardian, msg.sender);
        if (isGuardian) return;
        (bool isAdmin,) = _standing(MANAGER.getRoleAdmin(role), msg.sender);
        if (!isAdmin) revert RoleMissing(msg.sender, guardian);
    }

    /// @dev `MANAGER.hasRole`, once and without the encoder: nearly every call of a brand's asks it.
    function _standing(uint64 role, address account) internal view returns (bool isMember, uint256 delay) {
        (address manager, bytes4 selector) = (address(MANAGER), IAccessManager.hasRole.selector);
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, selector)
            mstore(add(data, 0x04), role)
            mstore(add(data, 0x24), account)
            let told := staticcall(gas(), manager, data, 0x44, 0, 0x40)
            // Whatever is no answer of two words is none.
            if iszero(and(told, gt(returndatasize(), 0x3f))) { revert(0, 0) }
            isMember := mload(0)
            delay := mload(0x20)
        }
    }

    /// @dev Since when `account` has held `role` without a break.
    function _since(uint64 role, address account) private view returns (uint256) {
        (uint48 since,,,) = MANAGER.getAccess(role, account);
        return since;
    }

    function _announcements() private pure returns (mapping(bytes32 => uint256) storage map) {
        bytes32 slot = ANNOUNCEMENTS;
        assembly ("memory-safe") {
            map.slot := slot
        }
    }
}
