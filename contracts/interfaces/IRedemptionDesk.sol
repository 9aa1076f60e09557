// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IBrandAccess} from "./IBrandAccess.sol";
import {IAuthorised} from "./IAuthorised.sol";

/// @title Where members redeem points: hold, then capture or release; refund gives captured points back.
/// @notice Held points lie in the desk's own account of the token: they count in `totalSupply`, not in the
/// member's `balanceOf`, and are shown by `heldOf`. Held lots expire in the token at their own second like
/// all others. What the member was promised does not: until the hold's deadline the till may capture the
/// points as they were set aside, and points that come back after their expiry follow the brand's grace.
/// @dev A hold's id is keccak256(abi.encode(member, nonce)): known before it is mined, and the record is
/// what makes the authorisation count once. Capture takes the oldest lots of a hold; a refund gives the
/// newest captured lots back first, so that the member ends as if less had been captured.
interface IRedemptionDesk is IBrandAccess, IAuthorised {
    /// @notice Held → Captured | Released. Cancelled: the member voided the nonce before it was used.
    enum State {
        None,
        Held,
        Captured,
        Released,
        Cancelled
    }

    /// @notice What a member authorises.
    /// @param rewardId What is redeemed, the brand's own id or hash. Only in the event, not in storage.
    /// @param holdUntil Last second in which the till may capture; after it anyone may release.
    /// Later than now by at most MAXIMUM_HOLD (90 days).
    /// @param deadline Last second in which this authorisation may be submitted.
    struct HoldRequest {
        address member;
        uint256 brandId;
        uint256 points;
        bytes32 rewardId;
        uint256 holdUntil;
        uint256 nonce;
        uint256 deadline;
    }

    /// @notice A hold as the desk remembers it.
    /// @param points Set aside at first. @param captured Of these. @param refunded Of the captured.
    /// @param lots Held: what is set aside. Captured: what is captured and not yet refunded. Packed as in ILoyaltyToken.
    struct Hold {
        address member;
        uint256 brandId;
        State state;
        uint256 points;
        uint256 captured;
        uint256 refunded;
        uint256 holdUntil;
        uint256[4] lots;
    }

    /// @notice Points were set aside. `lots`: what was taken, packed.
    event HoldPlaced(
        bytes32 indexed holdId,
        uint256 indexed brandId,
        address indexed member,
        uint256 points,
        bytes32 rewardId,
        uint256 holdUntil,
        uint256 nonce,
        uint256[4] lots
    );
    /// @notice The till took `captured`; the rest came back: `returned` with its own expiry, `renewed` with grace, `lapsed` gone.
    event HoldCaptured(
        bytes32 indexed holdId,
        uint256 indexed brandId,
        address indexed member,
        uint256 captured,
        uint256 returned,
        uint256 renewed,
        uint256 lapsed
    );
    /// @notice The whole hold came back. `timedOut`: after its deadline, by anyone; else by the till.
    event HoldReleased(
        bytes32 indexed holdId,
        uint256 indexed brandId,
        address indexed member,
        bool timedOut,
        uint256 returned,
        uint256 renewed,
        uint256 lapsed
    );
    /// @notice `points` of the captured were given back; `refundedTotal` after it.
    event HoldRefunded(
        bytes32 indexed holdId,
        uint256 indexed brandId,
        address indexed member,
        uint256 points,
        uint256 refundedTotal,
        uint256 returned,
        uint256 renewed,
        uint256 lapsed
    );
    /// @notice Points of an exchange were redeemed in the same transaction (pay at a partner): captured at once.
    event HoldPaid(
        bytes32 indexed holdId,
        uint256 indexed brandId,
        address indexed member,
        uint256 points,
        bytes32 rewardId,
        uint256[4] lots
    );

    error HoldUnknown(bytes32 holdId);
    error HoldStateWrong(bytes32 holdId, State state);
    /// @notice Points must be more than 0.
    error PointsMissing();
    /// @notice `holdUntil` must lie after now and at most MAXIMUM_HOLD ahead.
    error HoldUntilWrong(uint256 holdUntil, uint256 earliest, uint256 latest);
    /// @notice The hold's last second has passed: it can only be released.
    error HoldOver(bytes32 holdId, uint256 holdUntil);
    /// @notice Only the till may release before the deadline has passed.
    error HoldRunning(bytes32 holdId, uint256 holdUntil);
    error CaptureExceedsHold(uint256 points, uint256 held);
    error RefundExceedsCapture(uint256 points, uint256 refundable);
    /// @notice The refund was made against an older state: so a repeated refund does nothing.
    error RefundOutOfDate(uint256 refundedBefore, uint256 refunded);
    error ExchangeOnly(address caller);

    /* READING */

    /// @notice Reverts with HoldUnknown for an id never used.
    function holdOf(bytes32 holdId) external view returns (Hold memory);
    /// @notice keccak256(abi.encode(member, nonce)).
    function holdIdOf(address member, uint256 nonce) external pure returns (bytes32);
    /// @notice Sum of what `member`'s open holds of a brand set aside, as promised (expired or not).
    function heldOf(uint256 brandId, address member) external view returns (uint256);

    /* THE MEMBER */

    /// @notice Sets the member's points aside. Anyone may submit it; works in every status of the brand.
    /// EIP-712: Hold(address member,uint256 brandId,uint256 points,bytes32 rewardId,uint256 holdUntil,uint256 nonce,uint256 deadline)
    function hold(HoldRequest calldata request, bytes calldata signature) external returns (bytes32 holdId);

    /* THE TILL */

    /// @notice Burns `points` (1 .. held) and gives the rest back. Till role; while `block.timestamp <= holdUntil`.
    function capture(bytes32 holdId, uint256 points) external;
    /// @notice Gives the whole hold back. The till at any time; anyone once `block.timestamp > holdUntil`.
    function release(bytes32 holdId) external;
    /// @notice Gives captured points back, newest captured lots first. Till role; at any time; in all at most what was captured.
    /// @param refundedBefore What was refunded of this hold before; a repeated call is refused by it.
    function refund(bytes32 holdId, uint256 points, uint256 refundedBefore) external;

    /* PARTNER EXCHANGE */

    /// @notice Redeems at once what an exchange has just minted. PartnerExchange only, which checked the member's authorisation.
    function pay(bytes32 holdId, uint256 brandId, address member, uint256 points, bytes32 rewardId) external;
}
