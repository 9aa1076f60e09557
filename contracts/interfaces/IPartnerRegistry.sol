// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IBrandAccess} from "./IBrandAccess.sol";
import {ILoyaltyToken} from "./ILoyaltyToken.sol";

/// @title The brands: their tokens, treasuries and standing, and the switches that stop issuing.
/// @notice A brand is `issuing` when it is Active and neither its own switch nor Moa's nor the switch for all
/// is thrown. Awards and exchanges need issuing brands. Nothing else does: whatever the standing, members
/// hold, tills release and, for a day, capture what was held, deadlines run out, and members leave with
/// their points. So no switch can trap points. What makes points or moves money stops: refunds with every
/// switch and suspension, captures a day later, and a brand's collateral stays while a switch is thrown.
interface IPartnerRegistry is IBrandAccess {
    /// @notice Invited: made, may not issue yet. Active: may. Suspended: may not, by Moa's decision.
    enum Status {
        Unknown,
        Invited,
        Active,
        Suspended
    }

    /// @notice A brand as the registry knows it.
    /// @param brandSwitch Thrown by the brand's guardian. @param moaSwitch Thrown by Moa's guardian.
    struct Brand {
        address token;
        Status status;
        bool brandSwitch;
        bool moaSwitch;
        address treasury;
        bytes32 metadataHash;
    }

    /// @notice What an invitation fixes. The first seven of the token's terms are described in ILoyaltyToken.
    /// @param owner Receives the brand's owner role, which grants its issuer, till, treasurer and guardian roles.
    /// @param treasury Where the brand's collateral returns to.
    /// @param metadataHash keccak256 of the brand's public page (name, logo, colours, contact): nothing personal.
    struct Invitation {
        string name;
        string symbol;
        uint256 epochSeconds;
        uint256 lifetimeEpochs;
        uint256 graceSeconds;
        ILoyaltyToken.Policy policy;
        address owner;
        address treasury;
        bytes32 metadataHash;
    }

    /// @notice Moa's contracts; fixed once by `seal`.
    struct Modules {
        address tokenImplementation;
        address rewardRules;
        address redemptionDesk;
        address partnerExchange;
        address clearingHouse;
    }

    event ModulesSealed(
        address tokenImplementation,
        address rewardRules,
        address redemptionDesk,
        address partnerExchange,
        address clearingHouse
    );
    event BrandInvited(
        uint256 indexed brandId, address indexed token, address indexed owner, address treasury, bytes32 metadataHash
    );
    event BrandActivated(uint256 indexed brandId);
    event BrandSuspended(uint256 indexed brandId);
    /// @notice The brand's collateral returns to `treasury` from `inForceAt` on, without another event.
    event TreasuryAnnounced(uint256 indexed brandId, address treasury, uint256 inForceAt);
    /// @notice A treasury that was announced will not be one.
    event TreasuryWithdrawn(uint256 indexed brandId, address treasury);
    event MetadataChanged(uint256 indexed brandId, bytes32 metadataHash);
    /// @notice A switch of the brand was thrown (true) or put back (false). `byMoa`: Moa's switch, else the brand's own.
    event BrandSwitched(uint256 indexed brandId, bool byMoa, bool stopped);
    /// @notice The switch for all brands was thrown (true) or put back (false).
    event AllSwitched(bool stopped);

    error BrandUnknown(uint256 brandId);
    /// @notice The brand is not in the state that this needs.
    error BrandStatusWrong(uint256 brandId, Status status);
    /// @notice The brand may not issue now: its status, its switches, or the switch for all.
    error BrandNotIssuing(uint256 brandId, Status status, bool brandStopped, bool allStopped);
    error AlreadySealed();
    error NotSealed();
    /// @notice An address that must be given is zero; the name of the field.
    error AddressMissing(string field);
    /// @notice Collateral cannot return there: the clearing house itself.
    error TreasuryUnfit(address treasury);
    /// @notice Another treasury was announced and is in force from `inForceAt` on.
    error TreasuryPending(address treasury, uint256 inForceAt);
    error NoTreasuryPending(uint256 brandId);

    /* READING */

    /// @notice The AccessManager that holds all roles.
    function authority() external view returns (address);
    function modules() external view returns (Modules memory);
    function partnerExchange() external view returns (address);
    /// @notice Number of brands; ids run from 1 to this.
    function brandCount() external view returns (uint256);
    /// @notice Reverts with BrandUnknown for an id never invited.
    function brandOf(uint256 brandId) external view returns (Brand memory);
    /// @notice The brand's token; reverts with BrandUnknown. Works in every status.
    function tokenOf(uint256 brandId) external view returns (address);
    /// @notice The brand's token, and since when awards and exchanges have been stopped: the first of suspension and the
    /// switches that still hold; 0 when none does. Reverts with BrandUnknown.
    function standingOf(uint256 brandId) external view returns (address token, uint256 stoppedSince);
    /// @notice Where the brand's collateral returns to now, and whether a switch holds it back.
    function treasuryOf(uint256 brandId) external view returns (address treasury, bool stopped);
    /// @notice The treasury that waits and the second from which on it is in force; 0 and 0 when none waits.
    function pendingTreasuryOf(uint256 brandId) external view returns (address treasury, uint256 inForceAt);
    /// @notice 0 when `token` is no brand's token.
    function brandIdOf(address token) external view returns (uint256);
    /// @notice True when awards and exchanges of this brand may go through.
    function isIssuing(uint256 brandId) external view returns (bool);
    /// @notice The brand's token; reverts with BrandUnknown or BrandNotIssuing.
    function issuingToken(uint256 brandId) external view returns (address);
    /// @notice Both tokens; reverts as `issuingToken` for the first that is not issuing.
    function issuingPair(uint256 fromBrandId, uint256 toBrandId) external view returns (address fromToken, address toToken);
    function allStopped() external view returns (bool);
    /// @notice The role id of a brand: brandId * 256 + kind (owner 1, issuer 2, till 3, treasurer 4, guardian 5).
    function roleOf(uint256 brandId, uint8 kind) external pure returns (uint64);

    /* MOA'S OPERATOR */

    /// @notice Names Moa's contracts, once for ever. Operator only.
    function seal(Modules calldata modules_) external;
    /// @notice Makes a brand and its token, Invited; ids are dense from 1. Operator only.
    function invite(Invitation calldata invitation) external returns (uint256 brandId, address token);
    /// @notice Invited or Suspended to Active. Operator only.
    function activate(uint256 brandId) external;
    /// @notice Active to Suspended: nobody issues, members still redeem at home. Operator only.
    function suspend(uint256 brandId) external;

    /* THE BRAND */

    /// @notice Announces where collateral returns to from 7 days on. Brand's owner only; one at a time.
    function announceTreasury(uint256 brandId, address treasury) external returns (uint256 inForceAt);
    /// @notice Takes that back before it is in force. The brand's guardian or owner, at once.
    function withdrawTreasury(uint256 brandId) external;
    /// @notice Brand's owner only.
    function setMetadata(uint256 brandId, bytes32 metadataHash) external;

    /* THE SWITCHES */

    /// @notice The brand's guardian throws the brand's own switch. No delay is asked of guardians.
    function stop(uint256 brandId) external;
    /// @notice The brand's owner puts it back.
    function resume(uint256 brandId) external;
    /// @notice Moa's guardian throws Moa's switch for one brand.
    function stopByMoa(uint256 brandId) external;
    /// @notice The operator puts it back.
    function resumeByMoa(uint256 brandId) external;
    /// @notice Moa's guardian stops all brands.
    function stopAll() external;
    /// @notice The operator puts that back.
    function resumeAll() external;
}
