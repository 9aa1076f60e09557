// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IRedemptionDesk} from "./interfaces/IRedemptionDesk.sol";
import {IAuthorised} from "./interfaces/IAuthorised.sol";
import {IPartnerRegistry} from "./interfaces/IPartnerRegistry.sol";
import {ILoyaltyToken} from "./interfaces/ILoyaltyToken.sol";
import {Authorised} from "./base/Authorised.sol";
import {BrandAccess} from "./base/BrandAccess.sol";
import {Lots} from "./libraries/Lots.sol";
import {Roles} from "./libraries/Roles.sol";

/// @title RedemptionDesk
/// @dev The tokens are Moa's own clones and call nobody back, so a token may be asked for lots before the hold is
/// written. Sum of the live lots of all open holds of a brand = the desk's own lots in that brand's token.
contract RedemptionDesk is IRedemptionDesk, EIP712, Authorised, BrandAccess {
    bytes32 private constant HOLD_TYPEHASH = keccak256(
        "Hold(address member,uint256 brandId,uint256 points,bytes32 rewardId,uint256 holdUntil,uint256 nonce,uint256 deadline)"
    );
    uint256 private constant MAXIMUM_HOLD = 90 days;
    /// @dev A refund window that no brand has changed, the longest, and how long a change waits.
    uint256 private constant REFUND_WINDOW = 90 days;
    uint256 private constant REFUND_WINDOW_MAX = 366 days;
    uint256 private constant REFUND_WINDOW_NOTICE = 7 days;
    /// @dev How long after a stop a till may still capture what was held before.
    uint256 private constant CAPTURE_AFTER_STOP = 1 days;

    /// @dev Two words, and the words of lots named by `words` (bit i: word i). Points have 56 bits: sixteen full lots
    /// need 52.
    /// @param epoch The clock when the lots were taken: it tells their order.
    struct Record {
        address member;
        uint56 points;
        uint32 epoch;
        State state;
        uint32 brandId;
        uint40 holdUntil;
        uint56 captured;
        uint56 refunded;
        uint8 words;
        uint40 refundUntil;
    }

    /// @dev `current` counts when `published`, and `next` instead of it from `nextAt` on.
    struct RefundWindow {
        bool published;
        uint32 current;
        uint32 next;
        uint40 nextAt;
    }

    IPartnerRegistry private immutable REGISTRY;

    mapping(bytes32 holdId => Record record) private _records;
    mapping(bytes32 holdId => uint256[4] lots) private _lots;
    /// @inheritdoc IRedemptionDesk
    mapping(uint256 brandId => mapping(address member => uint256 points)) public heldOf;
    mapping(uint256 brandId => RefundWindow window) private _refundWindows;

    constructor(address manager, address registry) EIP712("Moa RedemptionDesk", "1") BrandAccess(manager) {
        REGISTRY = IPartnerRegistry(registry);
    }

    /* READING */

    /// @inheritdoc IRedemptionDesk
    function holdOf(bytes32 holdId) external view returns (Hold memory) {
        Record memory record = _known(holdId);
        return Hold({
            member: record.member,
            brandId: record.brandId,
            state: record.state,
            points: record.points,
            captured: record.captured,
            refunded: record.refunded,
            holdUntil: record.holdUntil,
            refundUntil: record.refundUntil,
            lots: _readLots(holdId, record.words)
        });
    }

    /// @inheritdoc IRedemptionDesk
    function holdIdOf(address member, uint256 nonce) public pure returns (bytes32) {
        return keccak256(abi.encode(member, nonce));
    }

    /// @inheritdoc IAuthorised
    function isNonceUsed(address member, uint256 nonce) external view returns (bool) {
        return _records[holdIdOf(member, nonce)].state != State.None;
    }

    /// @inheritdoc IRedemptionDesk
    function refundWindowOf(uint256 brandId) public view returns (uint256) {
        RefundWindow memory window = _refundWindows[brandId];
        if (window.nextAt != 0 && block.timestamp >= window.nextAt) return window.next;
        return window.published ? window.current : REFUND_WINDOW;
    }

    /// @inheritdoc IRedemptionDesk
    function pendingRefundWindowOf(uint256 brandId) external view returns (uint256 refundSeconds, uint256 inForceAt) {
        RefundWindow memory window = _refundWindows[brandId];
        if (window.nextAt > block.timestamp) (refundSeconds, inForceAt) = (window.next, window.nextAt);
    }

    /* THE BRAND'S OWNER */

    /// @inheritdoc IRedemptionDesk
    function announceRefundWindow(uint256 brandId, uint256 refundSeconds) external returns (uint256 inForceAt) {
        REGISTRY.tokenOf(brandId);
        _checkRole(Roles.id(brandId, Roles.OWNER));
        if (refundSeconds > REFUND_WINDOW_MAX) revert RefundWindowWrong(refundSeconds, REFUND_WINDOW_MAX);
        inForceAt = block.timestamp + REFUND_WINDOW_NOTICE;

        // A year of seconds fits 32 bits, and times 40 until the year 36812.
        // forge-lint: disable-start(unsafe-typecast)
        _refundWindows[brandId] = RefundWindow({
            published: true,
            current: uint32(refundWindowOf(brandId)),
            next: uint32(refundSeconds),
            nextAt: uint40(inForceAt)
        });
        // forge-lint: disable-end(unsafe-typecast)

        emit RefundWindowAnnounced(brandId, refundSeconds, inForceAt);
    }

    /* THE MEMBER */

    /// @inheritdoc IRedemptionDesk
    function hold(HoldRequest calldata request, bytes calldata signature) external returns (bytes32 holdId) {
        _checkDeadline(request.deadline);
        holdId = holdIdOf(request.member, request.nonce);
        if (_records[holdId].state != State.None) revert AuthorisationUsed(request.member, request.nonce);
        _checkSignature(request.member, _hash(request), signature);
        address token = REGISTRY.tokenOf(request.brandId);
        if (request.points == 0) revert PointsMissing();
        uint256 latest = block.timestamp + MAXIMUM_HOLD;
        if (request.holdUntil <= block.timestamp || request.holdUntil > latest) {
            revert HoldUntilWrong(request.holdUntil, block.timestamp + 1, latest);
        }

        (uint256[4] memory lots, uint256 epoch) = ILoyaltyToken(token).setAside(request.member, request.points);

        _write(holdId, request.member, request.brandId, request.points, epoch, lots, State.Held, request.holdUntil);
        heldOf[request.brandId][request.member] += request.points;

        emit HoldPlaced(
            holdId,
            request.brandId,
            request.member,
            request.points,
            request.rewardId,
            request.holdUntil,
            request.nonce,
            lots
        );
    }

    /// @inheritdoc IAuthorised
    function cancelAuthorisation(uint256 nonce) external {
        Record storage record = _records[holdIdOf(msg.sender, nonce)];
        if (record.state != State.None) revert AuthorisationUsed(msg.sender, nonce);

        record.member = msg.sender;
        record.state = State.Cancelled;

        emit AuthorisationCancelled(msg.sender, nonce);
    }

    /* THE TILL */

    /// @inheritdoc IRedemptionDesk
    function capture(bytes32 holdId, uint256 points) external {
        Record memory record = _known(holdId);
        _checkRole(Roles.id(record.brandId, Roles.TILL));
        ILoyaltyToken token = _capturing(holdId, record.brandId);
        if (record.state != State.Held) revert HoldStateWrong(holdId, record.state);
        if (block.timestamp > record.holdUntil) revert HoldOver(holdId, record.holdUntil);
        if (points == 0) revert PointsMissing();
        if (points > record.points) revert CaptureExceedsHold(points, record.points);
        (uint256[4] memory taken, uint256[4] memory rest, uint256 late) = _inTime(holdId, record, token, points);

        record.state = State.Captured;
        // At most record.points, which has 56 bits; a window is a year at most, and times have 40 bits until 36812.
        // forge-lint: disable-start(unsafe-typecast)
        record.captured = uint56(points);
        record.refundUntil = uint40(block.timestamp + refundWindowOf(record.brandId));
        // forge-lint: disable-end(unsafe-typecast)
        if (points < record.points) record.words = _writeLots(holdId, taken, record.words);
        _records[holdId] = record;
        heldOf[record.brandId][record.member] -= record.points;

        token.burnAside(taken);
        (uint256 returned, uint256 lapsed) =
            points + late < record.points ? token.giveBack(record.member, rest) : (0, 0);

        emit HoldCaptured(holdId, record.brandId, record.member, points, returned, 0, lapsed + late);
    }

    /// @inheritdoc IRedemptionDesk
    function release(bytes32 holdId) external {
        Record memory record = _known(holdId);
        bool timedOut = block.timestamp > record.holdUntil;
        if (!timedOut) _checkRelease(holdId, record);
        if (record.state != State.Held) revert HoldStateWrong(holdId, record.state);
        uint256[4] memory lots = _readLots(holdId, record.words);

        record.state = State.Released;
        record.words = 0;
        _records[holdId] = record;
        delete _lots[holdId];
        heldOf[record.brandId][record.member] -= record.points;

        ILoyaltyToken token = ILoyaltyToken(REGISTRY.tokenOf(record.brandId));
        (uint256 returned, uint256 lapsed) = token.giveBack(record.member, lots);

        emit HoldReleased(holdId, record.brandId, record.member, timedOut, returned, 0, lapsed);
    }

    /// @inheritdoc IRedemptionDesk
    function refund(bytes32 holdId, uint256 points, uint256 refundedBefore) external {
        Record memory record = _known(holdId);
        _checkRole(Roles.id(record.brandId, Roles.TILL));
        ILoyaltyToken token = ILoyaltyToken(REGISTRY.issuingToken(record.brandId));
        if (record.state != State.Captured) revert HoldStateWrong(holdId, record.state);
        if (block.timestamp > record.refundUntil) revert RefundOver(holdId, record.refundUntil);
        if (points == 0) revert PointsMissing();
        if (refundedBefore != record.refunded) revert RefundOutOfDate(refundedBefore, record.refunded);
        uint256 refundable = record.captured - record.refunded;
        if (points > refundable) revert RefundExceedsCapture(points, refundable);
        // As if less had been captured: the oldest stay captured, the newest come back.
        (uint256[4] memory kept, uint256[4] memory given) =
            Lots.split(_readLots(holdId, record.words), record.epoch, refundable - points);

        // At most record.captured, which has 56 bits.
        // forge-lint: disable-next-line(unsafe-typecast)
        record.refunded += uint56(points);
        record.words = _writeLots(holdId, kept, record.words);
        _records[holdId] = record;

        (uint256 returned, uint256 renewed, uint256 lapsed) = token.restore(record.member, given, true);

        emit HoldRefunded(
            holdId, record.brandId, record.member, points, record.refunded, returned, renewed, lapsed
        );
    }

    /* PARTNER EXCHANGE */

    /// @inheritdoc IRedemptionDesk
    function pay(bytes32 holdId, uint256 brandId, address member, uint256 points, bytes32 rewardId) external {
        if (msg.sender != REGISTRY.partnerExchange()) revert ExchangeOnly(msg.sender);
        if (_records[holdId].state != State.None) revert HoldStateWrong(holdId, _records[holdId].state);
        if (points == 0) revert PointsMissing();

        (uint256[4] memory lots, uint256 epoch) =
            ILoyaltyToken(REGISTRY.tokenOf(brandId)).burn(member, points);

        _write(holdId, member, brandId, points, epoch, lots, State.Captured, block.timestamp);

        emit HoldPaid(holdId, brandId, member, points, rewardId, lots);
    }

    /* INSIDE */

    function _known(bytes32 holdId) private view returns (Record memory record) {
        record = _records[holdId];
        if (record.state == State.None) revert HoldUnknown(holdId);
    }

    /// @dev The oldest `points` of a hold whose lots' end and grace have not passed, and the others of these.
    /// The points that it is too late for are `late`.
    function _inTime(bytes32 holdId, Record memory record, ILoyaltyToken token, uint256 points)
        private
        view
        returns (uint256[4] memory taken, uint256[4] memory rest, uint256 late)
    {
        uint256[4] memory lots = Lots.after_(_readLots(holdId, record.words), token.graceClock());
        uint256 most = Lots.total(lots);
        if (points > most) revert CaptureTooLate(holdId, points, most);
        late = record.points - most;
        (taken, rest) = Lots.split(lots, record.epoch, points);
    }

    /// @dev The brand's token, unless the brand has been stopped for too long.
    function _capturing(bytes32 holdId, uint256 brandId) private view returns (ILoyaltyToken) {
        (address token, uint256 since) = REGISTRY.standingOf(brandId);
        if (since != 0 && block.timestamp >= since + CAPTURE_AFTER_STOP) {
            revert CaptureStopped(holdId, since + CAPTURE_AFTER_STOP);
        }
        return ILoyaltyToken(token);
    }

    /// @dev Before the deadline only the till releases; a stranger hears that the hold still runs.
    function _checkRelease(bytes32 holdId, Record memory record) private {
        uint64 till = Roles.id(record.brandId, Roles.TILL);
        (bool isTill,) = _standing(till, msg.sender);
        if (!isTill) revert HoldRunning(holdId, record.holdUntil);
        _checkRole(till);
    }

    function _write(
        bytes32 holdId,
        address member,
        uint256 brandId,
        uint256 points,
        uint256 epoch,
        uint256[4] memory lots,
        State state,
        uint256 holdUntil
    ) private {
        uint8 words = _writeLots(holdId, lots, 0);
        // The token has taken `points` out of at most sixteen lots of 48 bits; the registry's ids have 32 bits, an epoch
        // 19, and times 40 until the year 36812.
        // forge-lint: disable-start(unsafe-typecast)
        _records[holdId] = Record({
            member: member,
            points: uint56(points),
            epoch: uint32(epoch),
            state: state,
            brandId: uint32(brandId),
            holdUntil: uint40(holdUntil),
            captured: state == State.Captured ? uint56(points) : 0,
            refunded: 0,
            words: words,
            refundUntil: state == State.Captured ? uint40(block.timestamp + refundWindowOf(brandId)) : 0
        });
        // forge-lint: disable-end(unsafe-typecast)
    }

    function _readLots(bytes32 holdId, uint256 words) private view returns (uint256[4] memory lots) {
        for (uint256 i = 0; i < Lots.WORDS; ++i) {
            if (words & (1 << i) != 0) lots[i] = _lots[holdId][i];
        }
    }

    /// @dev Writes the words that are not empty and clears those named by `before` that are.
    function _writeLots(bytes32 holdId, uint256[4] memory lots, uint256 before) private returns (uint8 words) {
        for (uint256 i = 0; i < Lots.WORDS; ++i) {
            if (lots[i] == 0) {
                if (before & (1 << i) != 0) _lots[holdId][i] = 0;
                continue;
            }
            _lots[holdId][i] = lots[i];
            words |= uint8(1 << i);
        }
    }

    function _hash(HoldRequest calldata request) private pure returns (bytes32) {
        return keccak256(abi.encode(HOLD_TYPEHASH, request));
    }

    function _domainSeparator() internal view override returns (bytes32) {
        return _domainSeparatorV4();
    }
}
