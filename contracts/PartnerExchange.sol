// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IPartnerExchange} from "./interfaces/IPartnerExchange.sol";
import {IAuthorised} from "./interfaces/IAuthorised.sol";
import {IPartnerRegistry} from "./interfaces/IPartnerRegistry.sol";
import {IRedemptionDesk} from "./interfaces/IRedemptionDesk.sol";
import {IClearingHouse} from "./interfaces/IClearingHouse.sol";
import {ILoyaltyToken} from "./interfaces/ILoyaltyToken.sol";
import {Authorised} from "./base/Authorised.sol";
import {BrandAccess} from "./base/BrandAccess.sol";
import {AgreementCode} from "./libraries/AgreementCode.sol";
import {FlowCode} from "./libraries/FlowCode.sol";
import {Roles} from "./libraries/Roles.sol";
import {Words} from "./libraries/Words.sol";

/// @title PartnerExchange
/// @dev Calls only Moa's own contracts, none of which calls back; so the lots that a burn returns may be awaited
/// before the record is written.
contract PartnerExchange is IPartnerExchange, EIP712, Authorised, BrandAccess {
    bytes32 private constant EXCHANGE_TYPEHASH = keccak256(
        "Exchange(address member,uint256 agreementId,uint256 version,uint256 pointsIn,uint256 minimumOut,uint256 nonce,uint256 deadline)"
    );
    bytes32 private constant PAY_TYPEHASH = keccak256(
        "PayAtPartner(address member,uint256 agreementId,uint256 version,uint256 pointsIn,uint256 price,bytes32 rewardId,uint256 nonce,uint256 deadline)"
    );
    bytes32 private constant UNWIND_TYPEHASH =
        keccak256("Unwind(address member,bytes32 exchangeId,uint256 nonce,uint256 deadline)");

    uint256 private constant DAY = 1 days;
    /// @dev A record that can no longer be unwound.
    bytes32 private constant CLOSED = bytes32(uint256(1));
    /// @dev Where a Told's lots lie in it.
    uint256 private constant LOTS_AT = 0x100;
    /// @dev Of a record: the second of the exchange lies above the last of its unwinding, the hash above both.
    uint256 private constant RECORD_AT = 40;
    uint256 private constant RECORD_HASH_AT = 80;

    /// @dev What the two words of the terms do not tell: an exchange looks here only where they are not marked as open.
    /// @param changeAt Second at which the pending terms are in force; 0: none accepted.
    /// @param endsAt Second from which on the agreement is ended; 0: none.
    struct Course {
        uint32 fromBrandId;
        uint32 toBrandId;
        State state;
        uint40 changeAt;
        uint40 endsAt;
        uint32 noticeSeconds;
    }

    /// @dev What an exchange shows: the data of `Exchanged` word by word, so that nothing is encoded. From `member` on
    /// an Exchange.
    struct Told {
        uint256 nonce;
        address member;
        uint256 agreementId;
        uint256 version;
        uint256 pointsIn;
        uint256 pointsOut;
        uint256 fee;
        uint256 obligation;
        // lotsIn
        uint256 lots0;
        uint256 lots1;
        uint256 lots2;
        uint256 lots3;
    }

    /// @param byBrandId Who proposed it; 0: nothing waits.
    struct Change {
        AgreementCode.Code code;
        uint32 byBrandId;
        uint32 noticeSeconds;
        bytes32 termsHash;
    }

    IPartnerRegistry private immutable REGISTRY;
    IRedemptionDesk private immutable DESK;
    IClearingHouse private immutable HOUSE;

    /// @inheritdoc IPartnerExchange
    uint256 public agreementCount;
    mapping(uint256 agreementId => AgreementCode.Code code) private _codes;
    mapping(uint256 agreementId => Course course) private _courses;
    mapping(uint256 agreementId => Change change) private _changes;
    /// @dev The last agreement of a directed pair.
    mapping(uint256 fromBrandId => mapping(uint256 toBrandId => uint256 agreementId)) private _pairs;
    mapping(uint256 lowBrandId => mapping(uint256 highBrandId => uint256 word)) private _flows;
    /// @inheritdoc IPartnerExchange
    mapping(bytes32 exchangeId => bytes32 record) public recordOf;

    constructor(address manager, address registry, address desk, address house)
        EIP712("Moa PartnerExchange", "1")
        BrandAccess(manager)
    {
        REGISTRY = IPartnerRegistry(registry);
        DESK = IRedemptionDesk(desk);
        HOUSE = IClearingHouse(house);
    }

    /* READING */

    /// @inheritdoc IPartnerExchange
    function agreementOf(uint256 agreementId) external view returns (Agreement memory) {
        (AgreementCode.Code memory code, Course memory course,) = _inForce(agreementId);
        return Agreement({
            fromBrandId: course.fromBrandId,
            toBrandId: course.toBrandId,
            state: course.state,
            version: AgreementCode.version(code.rate),
            terms: AgreementCode.decode(code, course.noticeSeconds)
        });
    }

    /// @inheritdoc IPartnerExchange
    function pendingOf(uint256 agreementId)
        external
        view
        returns (Terms memory terms, uint256 version, uint256 byBrandId, uint256 inForceAt)
    {
        (, Course memory course, bool due) = _inForce(agreementId);
        Change memory change = _changes[agreementId];
        if (due || change.byBrandId == 0) return (terms, 0, 0, 0);
        return (
            AgreementCode.decode(change.code, change.noticeSeconds),
            AgreementCode.version(change.code.rate),
            change.byBrandId,
            course.changeAt
        );
    }

    /// @inheritdoc IPartnerExchange
    function endsAt(uint256 agreementId) external view returns (uint256) {
        return _courses[agreementId].endsAt;
    }

    /// @inheritdoc IPartnerExchange
    function usedToday(uint256 agreementId) external view returns (uint256) {
        Course storage course = _courses[agreementId];
        (Words.Word storage flows, bool low) = _flowsOf(course.fromBrandId, course.toBrandId);
        return FlowCode.used(flows.value, low, block.timestamp / DAY);
    }

    /// @inheritdoc IPartnerExchange
    function quote(uint256 agreementId, uint256 pointsIn)
        external
        view
        returns (uint256 out, uint256 fee, uint256 obligation, uint256 version)
    {
        (AgreementCode.Code memory code, Course memory course, bool due) = _inForce(agreementId);
        _checkAgreed(agreementId, course);
        REGISTRY.issuingPair(course.fromBrandId, course.toBrandId);
        (Words.Word storage flows, bool low) = _flowsOf(course.fromBrandId, course.toBrandId);
        (out, fee, obligation,) = _compute(code, pointsIn, 1, due ? 0 : FlowCode.carry(flows.value, low));
        version = AgreementCode.version(code.rate);
    }

    /// @inheritdoc IPartnerExchange
    function exchangeIdOf(address member, uint256 nonce) public pure returns (bytes32) {
        return keccak256(abi.encode(member, nonce));
    }

    /// @inheritdoc IPartnerExchange
    function paymentIdOf(bytes32 exchangeId) public view returns (bytes32) {
        return keccak256(abi.encode(address(this), exchangeId));
    }

    /// @inheritdoc IAuthorised
    function isNonceUsed(address member, uint256 nonce) external view returns (bool) {
        return recordOf[exchangeIdOf(member, nonce)] != 0;
    }

    /* THE BRANDS' OWNERS */

    /// @inheritdoc IPartnerExchange
    function propose(uint256 byBrandId, uint256 fromBrandId, uint256 toBrandId, Terms calldata terms)
        external
        returns (uint256 agreementId)
    {
        REGISTRY.tokenOf(fromBrandId);
        REGISTRY.tokenOf(toBrandId);
        if (fromBrandId == toBrandId) revert BrandsEqual(fromBrandId);
        if (byBrandId != fromBrandId && byBrandId != toBrandId) revert NotAParty(0, byBrandId);
        _checkRole(Roles.id(byBrandId, Roles.OWNER));
        AgreementCode.check(terms);
        _checkPairFree(fromBrandId, toBrandId);

        agreementId = ++agreementCount;
        _pairs[fromBrandId][toBrandId] = agreementId;
        _codes[agreementId] = AgreementCode.encode(terms, 1, fromBrandId, toBrandId);
        Course storage course = _courses[agreementId];
        // The registry knows both, and its ids have 32 bits; a notice is a year at most.
        // forge-lint: disable-start(unsafe-typecast)
        course.fromBrandId = uint32(fromBrandId);
        course.toBrandId = uint32(toBrandId);
        course.noticeSeconds = uint32(terms.noticeSeconds);
        course.state = State.Proposed;
        _changes[agreementId].byBrandId = uint32(byBrandId);
        // forge-lint: disable-end(unsafe-typecast)
        _changes[agreementId].termsHash = keccak256(abi.encode(terms));

        emit AgreementProposed(agreementId, fromBrandId, toBrandId, byBrandId, terms);
    }

    /// @inheritdoc IPartnerExchange
    function accept(uint256 agreementId, bytes32 termsHash) external {
        (, Course memory course,) = _inForce(agreementId);
        if (course.state != State.Proposed) revert AgreementStateWrong(agreementId, course.state);
        Change storage change = _changes[agreementId];
        _checkRole(Roles.id(_other(course, change.byBrandId), Roles.OWNER));
        if (termsHash != change.termsHash) revert AgreementTermsInvalid("termsHash");

        _courses[agreementId].state = State.Agreed;
        _mark(agreementId);
        delete _changes[agreementId];
        _dropCarry(course);

        emit AgreementAccepted(agreementId, 1);
    }

    /// @inheritdoc IPartnerExchange
    function proposeChange(uint256 agreementId, uint256 byBrandId, Terms calldata terms)
        external
        returns (uint256 version)
    {
        (AgreementCode.Code memory code, Course memory course) = _settle(agreementId);
        _checkAgreed(agreementId, course);
        _checkParty(agreementId, course, byBrandId);
        Change storage change = _changes[agreementId];
        uint256 last = AgreementCode.version(change.code.rate);
        if (change.byBrandId != 0) revert ExchangeChangePending(agreementId, last);
        AgreementCode.check(terms);
        uint256 current = AgreementCode.version(code.rate);
        // A withdrawn version is not used again.
        version = 1 + (last > current ? last : current);

        change.code = AgreementCode.encode(terms, version, course.fromBrandId, course.toBrandId);
        // A party's id, and a year at most.
        // forge-lint: disable-start(unsafe-typecast)
        change.byBrandId = uint32(byBrandId);
        change.noticeSeconds = uint32(terms.noticeSeconds);
        // forge-lint: disable-end(unsafe-typecast)
        change.termsHash = keccak256(abi.encode(terms));

        emit ChangeProposed(agreementId, version, byBrandId, terms);
    }

    /// @inheritdoc IPartnerExchange
    function acceptChange(uint256 agreementId, bytes32 termsHash) external returns (uint256 inForceAt) {
        (, Course memory course) = _settle(agreementId);
        _checkAgreed(agreementId, course);
        Change storage change = _changes[agreementId];
        uint256 byBrandId = change.byBrandId;
        if (byBrandId == 0 || course.changeAt != 0) revert NoExchangeChangePending(agreementId);
        _checkRole(Roles.id(_other(course, byBrandId), Roles.OWNER));
        if (termsHash != change.termsHash) revert AgreementTermsInvalid("termsHash");
        inForceAt = block.timestamp + course.noticeSeconds;

        // A notice is a year at most: 40 bits last until the year 36812.
        // forge-lint: disable-next-line(unsafe-typecast)
        _courses[agreementId].changeAt = uint40(inForceAt);
        _mark(agreementId);

        emit ChangeAccepted(agreementId, AgreementCode.version(change.code.rate), inForceAt);
    }

    /// @inheritdoc IPartnerExchange
    function withdrawChange(uint256 agreementId, uint256 byBrandId) external {
        (, Course memory course) = _settle(agreementId);
        _checkParty(agreementId, course, byBrandId);
        Change storage change = _changes[agreementId];
        if (course.state != State.Agreed || change.byBrandId == 0 || course.changeAt != 0) {
            revert NoExchangeChangePending(agreementId);
        }

        // The code stays, so that its version number is not used again.
        change.byBrandId = 0;
        change.termsHash = 0;

        emit ChangeWithdrawn(agreementId, AgreementCode.version(change.code.rate));
    }

    /// @inheritdoc IPartnerExchange
    function end(uint256 agreementId, uint256 byBrandId) external returns (uint256 endsAt_) {
        (, Course memory course) = _settle(agreementId);
        _checkParty(agreementId, course, byBrandId);
        if (course.state == State.Ended || course.endsAt != 0) revert AgreementStateWrong(agreementId, State.Ended);
        endsAt_ = block.timestamp + (course.state == State.Proposed ? 0 : course.noticeSeconds);

        // As for a change: 40 bits are enough.
        // forge-lint: disable-next-line(unsafe-typecast)
        _courses[agreementId].endsAt = uint40(endsAt_);
        if (course.state == State.Proposed) _courses[agreementId].state = State.Ended;
        _mark(agreementId);

        emit AgreementEnding(agreementId, byBrandId, endsAt_);
    }

    /* THE MEMBER */

    /// @inheritdoc IPartnerExchange
    function exchange(Quote calldata quote_, bytes calldata signature)
        external
        returns (bytes32 exchangeId, uint256 out)
    {
        exchangeId = _open(quote_);
        _checkSignature(quote_.member, _exchangeHash(quote_), signature);

        (Told memory done,, uint256 unwindSeconds) = _exchange(exchangeId, quote_);
        out = done.pointsOut;
        recordOf[exchangeId] = _record(_tell(exchangeId, done), block.timestamp, unwindSeconds);
    }

    /// @inheritdoc IPartnerExchange
    function payAtPartner(Quote calldata quote_, bytes32 rewardId, bytes calldata signature)
        external
        returns (bytes32 exchangeId, bytes32 holdId, uint256 out)
    {
        exchangeId = _open(quote_);
        _checkSignature(quote_.member, _payHash(quote_, rewardId), signature);

        (Told memory done, uint256 toBrandId,) = _exchange(exchangeId, quote_);
        recordOf[exchangeId] = CLOSED;
        holdId = paymentIdOf(exchangeId);
        out = done.pointsOut;

        _tell(exchangeId, done);
        emit PaidAtPartner(exchangeId, holdId, quote_.minimumOut, rewardId);

        DESK.pay(holdId, toBrandId, quote_.member, quote_.minimumOut, rewardId);
    }

    /// @inheritdoc IPartnerExchange
    function unwind(
        bytes32 exchangeId,
        Exchange calldata exchange_,
        uint256 nonce,
        uint256 deadline,
        bytes calldata signature
    ) external {
        uint256 record = _openRecord(exchangeId, exchange_);
        Course memory course = _courses[exchange_.agreementId];
        _checkRole(Roles.id(course.toBrandId, Roles.TILL));
        _checkDeadline(deadline);
        bytes32 nonceId = exchangeIdOf(exchange_.member, nonce);
        if (recordOf[nonceId] != 0) revert AuthorisationUsed(exchange_.member, nonce);
        bytes32 structHash = keccak256(abi.encode(UNWIND_TYPEHASH, exchange_.member, exchangeId, nonce, deadline));
        _checkSignature(exchange_.member, structHash, signature);
        uint256 until = record & type(uint40).max;
        if (block.timestamp > until) revert UnwindOver(exchangeId, until);

        recordOf[exchangeId] = CLOSED;
        recordOf[nonceId] = CLOSED;

        _undo(exchangeId, exchange_, course, (record >> RECORD_AT) & type(uint40).max);
    }

    /// @inheritdoc IAuthorised
    function cancelAuthorisation(uint256 nonce) external {
        bytes32 exchangeId = exchangeIdOf(msg.sender, nonce);
        if (recordOf[exchangeId] != 0) revert AuthorisationUsed(msg.sender, nonce);

        recordOf[exchangeId] = CLOSED;

        emit AuthorisationCancelled(msg.sender, nonce);
    }

    /* ONE EXCHANGE */

    /// @dev Deadline and nonce. The signature is the caller's to check, for each message has its own type.
    function _open(Quote calldata quote_) private view returns (bytes32 exchangeId) {
        _checkDeadline(quote_.deadline);
        exchangeId = exchangeIdOf(quote_.member, quote_.nonce);
        if (recordOf[exchangeId] != 0) revert AuthorisationUsed(quote_.member, quote_.nonce);
    }

    /// @dev Everything between the signature and the record.
    function _exchange(bytes32 exchangeId, Quote calldata quote_)
        private
        returns (Told memory done, uint256 toBrandId, uint256 unwindSeconds)
    {
        (done.nonce, done.member) = (quote_.nonce, quote_.member);
        (done.agreementId, done.version, done.pointsIn) = (quote_.agreementId, quote_.version, quote_.pointsIn);
        uint256 fromBrandId;
        AgreementCode.Code memory code;
        (code, fromBrandId, toBrandId) = _agreed(done.agreementId);
        uint256 version = AgreementCode.version(code.rate);
        if (done.version != version) revert VersionChanged(done.version, version);
        (address fromToken, address toToken) = REGISTRY.issuingPair(fromBrandId, toBrandId);
        unwindSeconds = AgreementCode.unwindSeconds(code.limit);

        _price(done, code, fromBrandId, toBrandId, quote_.minimumOut);

        _move(fromToken, ILoyaltyToken.burn.selector, done, done.pointsIn, 0x80);
        _move(toToken, ILoyaltyToken.mint.selector, done, done.pointsOut, 0);
        HOUSE.book(fromBrandId, toBrandId, done.obligation, AgreementCode.exposureCap(code.limit), exchangeId);
    }

    /// @dev What the member and the brands get, within the minimum and the day's cap; the day and the carry are counted.
    function _price(
        Told memory done,
        AgreementCode.Code memory code,
        uint256 fromBrandId,
        uint256 toBrandId,
        uint256 minimum
    ) private {
        (Words.Word storage flows, bool low) = _flowsOf(fromBrandId, toBrandId);
        uint256 word = flows.value;
        uint256 carried;
        (done.pointsOut, done.fee, done.obligation, carried) =
            _compute(code, done.pointsIn, minimum, FlowCode.carry(word, low));
        uint256 today = block.timestamp / DAY;
        _checkDay(FlowCode.used(word, low, today), AgreementCode.dailyCap(code.rate), done.pointsIn);

        flows.value = FlowCode.count(word, low, today, done.pointsIn, done.pointsOut, carried);
    }

    /// @dev `burn` or `mint` of the member's points, without the encoder. @param kept How much of the answer is kept as
    /// lots: four words, or none.
    function _move(address token, bytes4 selector, Told memory done, uint256 points, uint256 kept) private {
        address member = done.member;
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, selector)
            mstore(add(data, 0x04), member)
            mstore(add(data, 0x24), points)
            // The token is a registered brand's: it has code, and answers as it says or reverts.
            if iszero(call(gas(), token, 0, data, 0x44, add(done, LOTS_AT), kept)) {
                returndatacopy(data, 0, returndatasize())
                revert(data, returndatasize())
            }
        }
    }

    function _checkDay(uint256 used, uint256 cap, uint256 pointsIn) private pure {
        // A change may have lowered the cap below what was used already.
        uint256 remaining = used < cap ? cap - used : 0;
        if (pointsIn > remaining) revert DailyCapExceeded(pointsIn, remaining);
    }

    /// @dev Burns there, restores here, takes the debt back.
    /// @param at When the exchange was made.
    function _undo(bytes32 exchangeId, Exchange calldata exchange_, Course memory course, uint256 at) private {
        ILoyaltyToken home = _burnBack(exchange_, course, at);
        (uint256 returned,, uint256 lapsed) = home.restore(exchange_.member, exchange_.lotsIn, false);
        HOUSE.unbook(course.fromBrandId, course.toBrandId, exchange_.obligation, exchangeId);

        emit Unwound(exchangeId, exchange_.agreementId, exchange_.member, exchange_.pointsOut, returned, 0, lapsed);
    }

    /// @dev First of the lot that the exchange minted, then the latest expiry first: the member ends as without it.
    /// Gives the token of the brand that was left.
    function _burnBack(Exchange calldata exchange_, Course memory course, uint256 at)
        private
        returns (ILoyaltyToken home)
    {
        (address fromToken, address toToken) = REGISTRY.issuingPair(course.fromBrandId, course.toBrandId);
        home = ILoyaltyToken(fromToken);
        ILoyaltyToken token = ILoyaltyToken(toToken);

        uint256 burnt = token.burnLatest(exchange_.member, exchange_.pointsOut, token.expiryEpochOf(at));
        if (burnt < exchange_.pointsOut) {
            revert IERC20Errors.ERC20InsufficientBalance(exchange_.member, burnt, exchange_.pointsOut);
        }
    }

    /// @dev The amounts, or why not. Nothing for something is never an exchange, whatever the minimum.
    function _compute(AgreementCode.Code memory code, uint256 pointsIn, uint256 minimum, uint256 carry)
        private
        pure
        returns (uint256 out, uint256 fee, uint256 obligation, uint256 carried)
    {
        if (pointsIn == 0 || pointsIn > AgreementCode.AMOUNT_MAX) {
            revert PointsInInvalid(pointsIn, AgreementCode.AMOUNT_MAX);
        }
        uint256 least = AgreementCode.minimumIn(code.rate);
        if (pointsIn < least) revert PointsInTooFew(pointsIn, least);
        (out, fee, obligation, carried) = AgreementCode.compute(code, pointsIn, carry);
        if (out < minimum || out == 0) revert OutBelowMinimum(out, minimum);
        if (out > AgreementCode.AMOUNT_MAX) revert OutTooLarge(out, AgreementCode.AMOUNT_MAX);
    }

    /// @dev The pair's word, and whether the brand that is left has the smaller id.
    function _flowsOf(uint256 fromBrandId, uint256 toBrandId)
        private
        view
        returns (Words.Word storage word, bool low)
    {
        low = fromBrandId < toBrandId;
        word = low ? Words.at(_flows[fromBrandId], toBrandId) : Words.at(_flows[toBrandId], fromBrandId);
    }

    /// @dev Another version, and another agreement of the pair, begin without what was carried.
    function _dropCarry(Course memory course) private {
        (Words.Word storage flows, bool low) = _flowsOf(course.fromBrandId, course.toBrandId);
        flows.value = FlowCode.withoutCarry(flows.value, low);
    }

    /// @dev Exchanged, and the hash of what it shows: an Exchange as the ABI encodes it, behind the nonce.
    function _tell(bytes32 exchangeId, Told memory done) private returns (bytes32 hash) {
        bytes32 topic = Exchanged.selector;
        uint256 agreementId = done.agreementId;
        address member = done.member;
        assembly ("memory-safe") {
            hash := keccak256(add(done, 0x20), 0x160)
            log4(done, 0x180, topic, exchangeId, agreementId, member)
        }
    }

    /// @dev The seven words of a Quote behind its type.
    function _exchangeHash(Quote calldata quote_) private pure returns (bytes32 hash) {
        bytes32 typeHash = EXCHANGE_TYPEHASH;
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, typeHash)
            calldatacopy(add(data, 0x20), quote_, 0xe0)
            hash := keccak256(data, 0x100)
        }
    }

    function _record(bytes32 hash, uint256 at, uint256 unwindSeconds) private pure returns (bytes32) {
        uint256 kept = (uint256(hash) >> RECORD_HASH_AT) << RECORD_HASH_AT;
        return bytes32(kept | (at << RECORD_AT) | (at + unwindSeconds));
    }

    /// @dev The record of an exchange that is open and is `exchange_`.
    function _openRecord(bytes32 exchangeId, Exchange calldata exchange_) private view returns (uint256 record) {
        record = uint256(recordOf[exchangeId]);
        if (record == 0) revert ExchangeUnknown(exchangeId);
        uint256 hash = uint256(keccak256(abi.encode(exchange_)));
        if (record >> RECORD_HASH_AT != hash >> RECORD_HASH_AT) revert ExchangeNotOpen(exchangeId);
    }

    function _payHash(Quote calldata quote_, bytes32 rewardId) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                PAY_TYPEHASH,
                quote_.member,
                quote_.agreementId,
                quote_.version,
                quote_.pointsIn,
                quote_.minimumOut,
                rewardId,
                quote_.nonce,
                quote_.deadline
            )
        );
    }

    /* AGREEMENTS */

    /// @dev Terms and course as of this second. @return due The terms are an accepted change's, not yet in place.
    function _inForce(uint256 agreementId)
        private
        view
        returns (AgreementCode.Code memory code, Course memory course, bool due)
    {
        course = _courses[agreementId];
        if (course.state == State.None) revert AgreementUnknown(agreementId);
        if (course.endsAt != 0 && block.timestamp >= course.endsAt) course.state = State.Ended;
        due = course.changeAt != 0 && block.timestamp >= course.changeAt;
        if (!due) {
            code = _codes[agreementId];
        } else {
            code = _changes[agreementId].code;
            course.noticeSeconds = _changes[agreementId].noticeSeconds;
        }
    }

    /// @dev The terms and the brands of an agreement in force; a change that is due is put in its place.
    function _agreed(uint256 agreementId)
        private
        returns (AgreementCode.Code memory code, uint256 fromBrandId, uint256 toBrandId)
    {
        code = _codes[agreementId];
        // Agreed, and nothing waits: what nearly every exchange finds.
        if (!AgreementCode.isOpen(code.limit)) {
            Course memory course;
            (code, course) = _settle(agreementId);
            _checkAgreed(agreementId, course);
        }
        (fromBrandId, toBrandId) = (AgreementCode.fromBrandId(code.rate), AgreementCode.toBrandId(code.limit));
    }

    /// @dev As `_inForce`, with a change that is due put in its place.
    function _settle(uint256 agreementId) private returns (AgreementCode.Code memory code, Course memory course) {
        bool due;
        (code, course, due) = _inForce(agreementId);
        if (due) _promote(agreementId, code, course);
    }

    function _promote(uint256 agreementId, AgreementCode.Code memory code, Course memory course) private {
        course.changeAt = 0;
        _courses[agreementId] = course;
        _codes[agreementId] = code;
        _mark(agreementId);
        delete _changes[agreementId];
        _dropCarry(course);
    }

    /// @dev Marks the terms in place as open or not, as the course now is. Whoever changes a course calls it.
    function _mark(uint256 agreementId) private {
        Course storage course = _courses[agreementId];
        bool open = course.state == State.Agreed && course.changeAt == 0 && course.endsAt == 0;
        AgreementCode.Code storage code = _codes[agreementId];
        code.limit = AgreementCode.marked(code.limit, open);
    }

    function _checkAgreed(uint256 agreementId, Course memory course) private pure {
        if (course.state != State.Agreed) revert AgreementStateWrong(agreementId, course.state);
    }

    function _checkParty(uint256 agreementId, Course memory course, uint256 byBrandId) private {
        if (byBrandId != course.fromBrandId && byBrandId != course.toBrandId) revert NotAParty(agreementId, byBrandId);
        _checkRole(Roles.id(byBrandId, Roles.OWNER));
    }

    /// @dev The pair's last agreement must have ended.
    function _checkPairFree(uint256 fromBrandId, uint256 toBrandId) private view {
        uint256 last = _pairs[fromBrandId][toBrandId];
        if (last == 0) return;
        Course memory course = _courses[last];
        bool ended = course.state == State.Ended || (course.endsAt != 0 && block.timestamp >= course.endsAt);
        if (!ended) revert PairTaken(last);
    }

    function _other(Course memory course, uint256 byBrandId) private pure returns (uint256) {
        return byBrandId == course.fromBrandId ? course.toBrandId : course.fromBrandId;
    }

    function _domainSeparator() internal view override returns (bytes32) {
        return _domainSeparatorV4();
    }
}
