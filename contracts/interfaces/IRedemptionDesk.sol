// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IBrandAccess} from "./IBrandAccess.sol";
import {IAuthorised} from "./IAuthorised.sol";

/// @title Where members redeem points: hold, then capture or release; refund gives captured points back.
/// @notice Held points lie in the desk's own account of the token: they count in `totalSupply`, not in the
/// member's `balanceOf`, and are shown by `heldOf`. Held lots expire in the token at their own second like
/// all others. A hold gives no lot new life: what it gives back has its own expiry. Only a till's acts have the
/// brand's grace: it captures a held lot until the lot's end and the grace have passed, and its refund gives a lot
/// back within the same. A capture carries the brand's refund window of its second; refunds stop with every switch
/// and with suspension, captures a day after.
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
    /// @param refundUntil Captured: last second in which the till may refund; else 0.
    /// @param lots Held: what is set aside. Captured: what is captured and not yet refunded. Packed as in ILoyaltyToken.
    struct Hold {
        address member;
        uint256 brandId;
        State state;
        uint256 points;
        uint256 captured;
        uint256 refunded;
        uint256 holdUntil;
        uint256 refundUntil;
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
    /// @notice The till took `captured`; the rest came back: `returned` with its own expiry, `lapsed` gone; `renewed` is 0.
    event HoldCaptured(
        bytes32 indexed holdId,
        uint256 indexed brandId,
        address indexed member,
        uint256 captured,
        uint256 returned,
        uint256 renewed,
        uint256 lapsed
    );
    /// @notice The whole hold came back. `timedOut`: after its deadline, by anyone; else by the till. `renewed` is 0.
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

    /// @notice Captures from `inForceAt` on carry a refund window of `refundSeconds`.
    event RefundWindowAnnounced(uint256 indexed brandId, uint256 refundSeconds, uint256 inForceAt);

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
    /// @notice Of the hold only `inTime` points lie in lots whose end and grace have not passed.
    error CaptureTooLate(bytes32 holdId, uint256 points, uint256 inTime);
    /// @notice The brand has been stopped, and its till might capture until `stoppedAt` only.
    error CaptureStopped(bytes32 holdId, uint256 stoppedAt);
    /// @notice The capture's refund window has passed.
    error RefundOver(bytes32 holdId, uint256 refundUntil);
    error RefundWindowWrong(uint256 refundSeconds, uint256 maximum);
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

    /// @notice The refund window that a capture of this brand carries now, in seconds; 90 days unless the brand said otherwise.
    function refundWindowOf(uint256 brandId) external view returns (uint256);
    /// @notice The window that waits, and from when on it is in force; 0 and 0 when none waits.
    function pendingRefundWindowOf(uint256 brandId) external view returns (uint256 refundSeconds, uint256 inForceAt);

    /* THE BRAND'S OWNER */

    /// @notice Publishes the refund window (0 .. 366 days) of captures from 7 days on; takes the place of one that waits.
    function announceRefundWindow(uint256 brandId, uint256 refundSeconds) external returns (uint256 inForceAt);

    /* THE MEMBER */

    /// @notice Sets the member's points aside. Anyone may submit it; works in every status of the brand.
    /// EIP-712: Hold(address member,uint256 brandId,uint256 points,bytes32 rewardId,uint256 holdUntil,uint256 nonce,uint256 deadline)
    function hold(HoldRequest calldata request, bytes calldata signature) external returns (bytes32 holdId);

    /* THE TILL */

    /// @notice Burns `points` (1 .. held) and gives the rest back. Till role; while `block.timestamp <= holdUntil`, of
    /// lots whose end and grace have not passed, and at most a day after the brand was stopped.
    function capture(bytes32 holdId, uint256 points) external;
    /// @notice Gives the whole hold back. The till at any time; anyone once `block.timestamp > holdUntil`.
    function release(bytes32 holdId) external;
    /// @notice Gives captured points back, newest captured lots first. Till role; brand issuing; within the capture's
    /// refund window; in all at most what was captured.
    /// @param refundedBefore What was refunded of this hold before; a repeated call is refused by it.
    function refund(bytes32 holdId, uint256 points, uint256 refundedBefore) external;

    /* PARTNER EXCHANGE */

    /// @notice Redeems at once what an exchange has just minted. PartnerExchange only, which checked the member's authorisation.
    function pay(bytes32 holdId, uint256 brandId, address member, uint256 points, bytes32 rewardId) external;
}
