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
    /// @dev How long a new treasury waits: whoever holds a stolen owner's key is seen before collateral goes there.
    uint256 private constant TREASURY_NOTICE = 7 days;

    /// @dev A Brand and what tells since when: the first slot is all that an exchange reads.
    /// @param stoppedAt When the brand was stopped by suspension or a switch of its own; 0: it is not.
    /// @param treasuryAt From when on `nextTreasury` is the treasury; 0: none was announced.
    struct Record {
        address token;
        Status status;
        bool brandSwitch;
        bool moaSwitch;
        uint40 stoppedAt;
        address treasury;
        bytes32 metadataHash;
        address nextTreasury;
        uint40 treasuryAt;
    }

    /// @inheritdoc IPartnerRegistry
    uint256 public brandCount;
    /// @inheritdoc IPartnerRegistry
    address public partnerExchange;
    /// @dev When all brands were stopped; 0: they are not. Beside the exchange's address: who asks for one asks for both.
    uint40 private _allStoppedAt;
    Modules private _modules;
    mapping(uint256 brandId => Record brand) private _brands;
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
    function allStopped() public view returns (bool) {
        return _allStoppedAt != 0;
    }

    /// @inheritdoc IPartnerRegistry
    function brandOf(uint256 brandId) external view returns (Brand memory) {
        Record storage brand = _known(brandId);
        return Brand({
            token: brand.token,
            status: brand.status,
            brandSwitch: brand.brandSwitch,
            moaSwitch: brand.moaSwitch,
            treasury: _treasuryOf(brand),
            metadataHash: brand.metadataHash
        });
    }

    /// @inheritdoc IPartnerRegistry
    function treasuryOf(uint256 brandId) external view returns (address treasury, bool stopped) {
        Record storage brand = _known(brandId);
        return (_treasuryOf(brand), brand.brandSwitch || brand.moaSwitch || _allStoppedAt != 0);
    }

    /// @inheritdoc IPartnerRegistry
    function pendingTreasuryOf(uint256 brandId) external view returns (address treasury, uint256 inForceAt) {
        Record storage brand = _known(brandId);
        if (brand.treasuryAt > block.timestamp) (treasury, inForceAt) = (brand.nextTreasury, brand.treasuryAt);
    }

    /// @inheritdoc IPartnerRegistry
    function standingOf(uint256 brandId) external view returns (address token, uint256 stoppedSince) {
        Record storage brand = _known(brandId);
        token = brand.token;
        stoppedSince = brand.stoppedAt;
        uint256 allSince = _allStoppedAt;
        if (stoppedSince == 0 || (allSince != 0 && allSince < stoppedSince)) stoppedSince = allSince;
    }

    /// @inheritdoc IPartnerRegistry
    function tokenOf(uint256 brandId) external view returns (address) {
        return _known(brandId).token;
    }

    /// @inheritdoc IPartnerRegistry
    function isIssuing(uint256 brandId) external view returns (bool) {
        Record storage brand = _brands[brandId];
        return brand.status == Status.Active && !brand.brandSwitch && !brand.moaSwitch && _allStoppedAt == 0;
    }

    /// @inheritdoc IPartnerRegistry
    function issuingToken(uint256 brandId) external view returns (address) {
        return _issuing(brandId, _allStoppedAt != 0);
    }

    /// @inheritdoc IPartnerRegistry
    function issuingPair(uint256 fromBrandId, uint256 toBrandId)
        external
        view
        returns (address fromToken, address toToken)
    {
        bool stopped = _allStoppedAt != 0;
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
        partnerExchange = modules_.partnerExchange;

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
        _checkTreasury(invitation.treasury);

        brandId = ++brandCount;
        token = Clones.clone(implementation);
        Record storage brand = _brands[brandId];
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
        Record storage brand = _known(brandId);
        if (brand.status == Status.Active) revert BrandStatusWrong(brandId, brand.status);

        brand.status = Status.Active;
        _noteStop(brand);

        emit BrandActivated(brandId);
    }

    /// @inheritdoc IPartnerRegistry
    function suspend(uint256 brandId) external {
        _checkRole(Roles.OPERATOR);
        Record storage brand = _known(brandId);
        if (brand.status != Status.Active) revert BrandStatusWrong(brandId, brand.status);

        brand.status = Status.Suspended;
        _noteStop(brand);

        emit BrandSuspended(brandId);
    }

    /* THE BRAND */

    /// @inheritdoc IPartnerRegistry
    function announceTreasury(uint256 brandId, address treasury) external returns (uint256 inForceAt) {
        Record storage brand = _known(brandId);
        _checkRole(Roles.id(brandId, Roles.OWNER));
        _checkTreasury(treasury);
        if (brand.treasuryAt > block.timestamp) revert TreasuryPending(brand.nextTreasury, brand.treasuryAt);
        inForceAt = block.timestamp + TREASURY_NOTICE;

        brand.treasury = _treasuryOf(brand);
        brand.nextTreasury = treasury;
        // Times have 40 bits until the year 36812.
        // forge-lint: disable-next-line(unsafe-typecast)
        brand.treasuryAt = uint40(inForceAt);

        emit TreasuryAnnounced(brandId, treasury, inForceAt);
    }

    /// @inheritdoc IPartnerRegistry
    function withdrawTreasury(uint256 brandId) external {
        Record storage brand = _known(brandId);
        (bool isGuardian,) = _standing(Roles.id(brandId, Roles.GUARDIAN), msg.sender);
        if (!isGuardian) _checkRoleAtOnce(Roles.id(brandId, Roles.OWNER));
        if (brand.treasuryAt <= block.timestamp) revert NoTreasuryPending(brandId);

        brand.treasuryAt = 0;

        emit TreasuryWithdrawn(brandId, brand.nextTreasury);
    }

    /// @inheritdoc IPartnerRegistry
    function setMetadata(uint256 brandId, bytes32 metadataHash) external {
        Record storage brand = _known(brandId);
        _checkRole(Roles.id(brandId, Roles.OWNER));

        brand.metadataHash = metadataHash;

        emit MetadataChanged(brandId, metadataHash);
    }

    /* THE SWITCHES */

    /// @inheritdoc IPartnerRegistry
    function stop(uint256 brandId) external {
        Record storage brand = _known(brandId);
        _checkRoleAtOnce(Roles.id(brandId, Roles.GUARDIAN));

        brand.brandSwitch = true;
        _noteStop(brand);

        emit BrandSwitched(brandId, false, true);
    }

    /// @inheritdoc IPartnerRegistry
    function resume(uint256 brandId) external {
        Record storage brand = _known(brandId);
        _checkRole(Roles.id(brandId, Roles.OWNER));

        brand.brandSwitch = false;
        _noteStop(brand);

        emit BrandSwitched(brandId, false, false);
    }

    /// @inheritdoc IPartnerRegistry
    function stopByMoa(uint256 brandId) external {
        Record storage brand = _known(brandId);
        _checkRoleAtOnce(Roles.MOA_GUARDIAN);

        brand.moaSwitch = true;
        _noteStop(brand);

        emit BrandSwitched(brandId, true, true);
    }

    /// @inheritdoc IPartnerRegistry
    function resumeByMoa(uint256 brandId) external {
        Record storage brand = _known(brandId);
        _checkRole(Roles.OPERATOR);

        brand.moaSwitch = false;
        _noteStop(brand);

        emit BrandSwitched(brandId, true, false);
    }

    /// @inheritdoc IPartnerRegistry
    function stopAll() external {
        _checkRoleAtOnce(Roles.MOA_GUARDIAN);

        // forge-lint: disable-next-line(unsafe-typecast)
        if (_allStoppedAt == 0) _allStoppedAt = uint40(block.timestamp);

        emit AllSwitched(true);
    }

    /// @inheritdoc IPartnerRegistry
    function resumeAll() external {
        _checkRole(Roles.OPERATOR);

        _allStoppedAt = 0;

        emit AllSwitched(false);
    }

    /* INSIDE */

    function _known(uint256 brandId) private view returns (Record storage brand) {
        brand = _brands[brandId];
        if (brand.status == Status.Unknown) revert BrandUnknown(brandId);
    }

    function _treasuryOf(Record storage brand) private view returns (address) {
        bool due = brand.treasuryAt != 0 && block.timestamp >= brand.treasuryAt;
        return due ? brand.nextTreasury : brand.treasury;
    }

    /// @dev Collateral paid to the house itself would be nobody's.
    function _checkTreasury(address treasury) private view {
        if (treasury == address(0)) revert AddressMissing("treasury");
        if (treasury == _modules.clearingHouse) revert TreasuryUnfit(treasury);
    }

    /// @dev Keeps since when the brand has been stopped: from the first of suspension and its switches to the last.
    function _noteStop(Record storage brand) private {
        bool stopped = brand.status == Status.Suspended || brand.brandSwitch || brand.moaSwitch;
        if (!stopped) brand.stoppedAt = 0;
        // forge-lint: disable-next-line(unsafe-typecast)
        else if (brand.stoppedAt == 0) brand.stoppedAt = uint40(block.timestamp);
    }

    function _issuing(uint256 brandId, bool stopped) private view returns (address) {
        Record storage brand = _brands[brandId];
        uint256 word;
        assembly ("memory-safe") {
            word := sload(brand.slot)
        }
        // Token, status, both switches and since when it has been stopped share one slot: nearly always nothing is
        // above the token but that the brand is active.
        // forge-lint: disable-next-line(unsafe-typecast)
        if (!stopped && word >> 160 == uint256(Status.Active)) return address(uint160(word));
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
