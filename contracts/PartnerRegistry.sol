// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {IPartnerRegistry} from "./interfaces/IPartnerRegistry.sol";
import {ILoyaltyToken} from "./interfaces/ILoyaltyToken.sol";
import {BrandAccess} from "./base/BrandAccess.sol";
import {Roles} from "./libraries/Roles.sol";

/// @title PartnerRegistry
/// @dev Holds the AccessManager's admin role, for one purpose: to give each new brand its roles.
contract PartnerRegistry is IPartnerRegistry, BrandAccess {
    /// @dev A treasurer moves collateral: after the manager's setback of 5 days, new ones wait this long.
    uint32 private constant TREASURER_GRANT_DELAY = 1 days;

    /// @inheritdoc IPartnerRegistry
    uint256 public brandCount;
    /// @inheritdoc IPartnerRegistry
    bool public allStopped;
    Modules private _modules;
    mapping(uint256 brandId => Brand brand) private _brands;
    /// @inheritdoc IPartnerRegistry
    mapping(address token => uint256 brandId) public brandIdOf;

    constructor(address manager) BrandAccess(manager) {
        if (manager == address(0)) revert AddressMissing("manager");
    }

    /* READING */

    /// @inheritdoc IPartnerRegistry
    function authority() external view returns (address) {
        return address(MANAGER);
    }

    /// @inheritdoc IPartnerRegistry
    function modules() external view returns (Modules memory) {
        return _modules;
    }

    /// @inheritdoc IPartnerRegistry
    function partnerExchange() external view returns (address) {
        return _modules.partnerExchange;
    }

    /// @inheritdoc IPartnerRegistry
    function brandOf(uint256 brandId) external view returns (Brand memory) {
        return _known(brandId);
    }

    /// @inheritdoc IPartnerRegistry
    function tokenOf(uint256 brandId) external view returns (address) {
        return _known(brandId).token;
    }

    /// @inheritdoc IPartnerRegistry
    function isIssuing(uint256 brandId) external view returns (bool) {
        Brand storage brand = _brands[brandId];
        return brand.status == Status.Active && !brand.brandSwitch && !brand.moaSwitch && !allStopped;
    }

    /// @inheritdoc IPartnerRegistry
    function issuingToken(uint256 brandId) external view returns (address) {
        return _issuing(brandId, allStopped);
    }

    /// @inheritdoc IPartnerRegistry
    function issuingPair(uint256 fromBrandId, uint256 toBrandId)
        external
        view
        returns (address fromToken, address toToken)
    {
        bool stopped = allStopped;
        fromToken = _issuing(fromBrandId, stopped);
        toToken = _issuing(toBrandId, stopped);
    }

    /// @inheritdoc IPartnerRegistry
    function roleOf(uint256 brandId, uint8 kind) external pure returns (uint64) {
        return Roles.id(brandId, kind);
    }

    /* MOA'S OPERATOR */

    /// @inheritdoc IPartnerRegistry
    function seal(Modules calldata modules_) external {
        _checkRole(Roles.OPERATOR);
        if (_modules.tokenImplementation != address(0)) revert AlreadySealed();
        if (modules_.tokenImplementation == address(0)) revert AddressMissing("tokenImplementation");
        if (modules_.rewardRules == address(0)) revert AddressMissing("rewardRules");
        if (modules_.redemptionDesk == address(0)) revert AddressMissing("redemptionDesk");
        if (modules_.partnerExchange == address(0)) revert AddressMissing("partnerExchange");
        if (modules_.clearingHouse == address(0)) revert AddressMissing("clearingHouse");

        _modules = modules_;

        emit ModulesSealed(
            modules_.tokenImplementation,
            modules_.rewardRules,
            modules_.redemptionDesk,
            modules_.partnerExchange,
            modules_.clearingHouse
        );
    }

    /// @inheritdoc IPartnerRegistry
    function invite(Invitation calldata invitation) external returns (uint256 brandId, address token) {
        _checkRole(Roles.OPERATOR);
        address implementation = _modules.tokenImplementation;
        if (implementation == address(0)) revert NotSealed();
        if (invitation.owner == address(0)) revert AddressMissing("owner");
        if (invitation.treasury == address(0)) revert AddressMissing("treasury");

        brandId = ++brandCount;
        token = Clones.clone(implementation);
        Brand storage brand = _brands[brandId];
        brand.token = token;
        brand.status = Status.Invited;
        brand.treasury = invitation.treasury;
        brand.metadataHash = invitation.metadataHash;
        brandIdOf[token] = brandId;

        emit BrandInvited(brandId, token, invitation.owner, invitation.treasury, invitation.metadataHash);

        ILoyaltyToken(token).initialise(
            ILoyaltyToken.Terms({
                name: invitation.name,
                symbol: invitation.symbol,
                brandId: brandId,
                epochSeconds: invitation.epochSeconds,
                lifetimeEpochs: invitation.lifetimeEpochs,
                graceSeconds: invitation.graceSeconds,
                policy: invitation.policy
            })
        );
        _giveRoles(brandId, invitation.owner);
    }

    /// @inheritdoc IPartnerRegistry
    function activate(uint256 brandId) external {
        _checkRole(Roles.OPERATOR);
        Brand storage brand = _known(brandId);
        if (brand.status == Status.Active) revert BrandStatusWrong(brandId, brand.status);

        brand.status = Status.Active;

        emit BrandActivated(brandId);
    }

    /// @inheritdoc IPartnerRegistry
    function suspend(uint256 brandId) external {
        _checkRole(Roles.OPERATOR);
        Brand storage brand = _known(brandId);
        if (brand.status != Status.Active) revert BrandStatusWrong(brandId, brand.status);

        brand.status = Status.Suspended;

        emit BrandSuspended(brandId);
    }

    /* THE BRAND */

    /// @inheritdoc IPartnerRegistry
    function setTreasury(uint256 brandId, address treasury) external {
        Brand storage brand = _known(brandId);
        _checkRole(Roles.id(brandId, Roles.OWNER));
        if (treasury == address(0)) revert AddressMissing("treasury");

        brand.treasury = treasury;

        emit TreasuryChanged(brandId, treasury);
    }

    /// @inheritdoc IPartnerRegistry
    function setMetadata(uint256 brandId, bytes32 metadataHash) external {
        Brand storage brand = _known(brandId);
        _checkRole(Roles.id(brandId, Roles.OWNER));

        brand.metadataHash = metadataHash;

        emit MetadataChanged(brandId, metadataHash);
    }

    /* THE SWITCHES */

    /// @inheritdoc IPartnerRegistry
    function stop(uint256 brandId) external {
        Brand storage brand = _known(brandId);
        _checkRoleAtOnce(Roles.id(brandId, Roles.GUARDIAN));

        brand.brandSwitch = true;

        emit BrandSwitched(brandId, false, true);
    }

    /// @inheritdoc IPartnerRegistry
    function resume(uint256 brandId) external {
        Brand storage brand = _known(brandId);
        _checkRole(Roles.id(brandId, Roles.OWNER));

        brand.brandSwitch = false;

        emit BrandSwitched(brandId, false, false);
    }

    /// @inheritdoc IPartnerRegistry
    function stopByMoa(uint256 brandId) external {
        Brand storage brand = _known(brandId);
        _checkRoleAtOnce(Roles.MOA_GUARDIAN);

        brand.moaSwitch = true;

        emit BrandSwitched(brandId, true, true);
    }

    /// @inheritdoc IPartnerRegistry
    function resumeByMoa(uint256 brandId) external {
        Brand storage brand = _known(brandId);
        _checkRole(Roles.OPERATOR);

        brand.moaSwitch = false;

        emit BrandSwitched(brandId, true, false);
    }

    /// @inheritdoc IPartnerRegistry
    function stopAll() external {
        _checkRoleAtOnce(Roles.MOA_GUARDIAN);

        allStopped = true;

        emit AllSwitched(true);
    }

    /// @inheritdoc IPartnerRegistry
    function resumeAll() external {
        _checkRole(Roles.OPERATOR);

        allStopped = false;

        emit AllSwitched(false);
    }

    /* INSIDE */

    function _known(uint256 brandId) private view returns (Brand storage brand) {
        brand = _brands[brandId];
        if (brand.status == Status.Unknown) revert BrandUnknown(brandId);
    }

    function _issuing(uint256 brandId, bool stopped) private view returns (address) {
        Brand storage brand = _brands[brandId];
        // Token, status and both switches share one slot: one read.
        (address token, Status status, bool switched) = (brand.token, brand.status, brand.brandSwitch || brand.moaSwitch);
        if (status == Status.Unknown) revert BrandUnknown(brandId);
        if (status != Status.Active || switched || stopped) {
            revert BrandNotIssuing(brandId, status, switched, stopped);
        }
        return token;
    }

    /// @dev The owner's role grants the brand's others; the brand's guardian may veto scheduled calls.
    function _giveRoles(uint256 brandId, address owner) private {
        uint64 ownerRole = Roles.id(brandId, Roles.OWNER);
        // First of all: once the owner's role is its own admin, the registry can no longer grant it.
        MANAGER.grantRole(ownerRole, owner, 0);
        for (uint8 kind = Roles.OWNER; kind <= Roles.GUARDIAN; ++kind) {
            uint64 role = Roles.id(brandId, kind);
            MANAGER.setRoleAdmin(role, ownerRole);
            MANAGER.setRoleGuardian(role, Roles.id(brandId, Roles.GUARDIAN));
        }
        MANAGER.setGrantDelay(Roles.id(brandId, Roles.TREASURER), TREASURER_GRANT_DELAY);
    }
}
