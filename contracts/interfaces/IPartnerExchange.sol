// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IBrandAccess} from "./IBrandAccess.sol";
import {IAuthorised} from "./IAuthorised.sol";

/// @title One brand's points for another's, by an agreement between the two.
/// @notice gross = pointsIn * numerator / denominator, rounded down. fee = gross * feeBps / 10,000, rounded up.
/// out = gross - fee, which is minted in the receiving brand's present epoch. The fee goes to the receiving
/// brand: the obligation is booked for the gross points, gross * valueNumerator / valueDenominator in units of the
/// settlement token, owed by the brand that is left to the brand that is entered. It is rounded up over all exchanges
/// of an agreement together, not each: however an exchange is cut, the debt is the same to the unit.
/// The day's cap is of what flows: points that come back by the agreement the other way give room again.
/// Order of the checks: deadline · nonce · signature · agreement · version · both brands issuing · amounts ·
/// minimum · day's cap · balance · default · exposure · collateral.
/// @dev An exchange's id is keccak256(abi.encode(member, nonce)). The record kept is the hash of an Exchange,
/// which the `Exchanged` event shows whole and `unwind` wants back, with its second and the last of its unwinding.
interface IPartnerExchange is IBrandAccess, IAuthorised {
    /// @notice Proposed: waits for the other brand. Agreed: in force. Ended: for ever.
    enum State {
        None,
        Proposed,
        Agreed,
        Ended
    }

    /// @notice What two brands agree on.
    /// @param numerator, denominator Points of the receiving brand per point of the other; 1 .. 2^48-1 each.
    /// @param feeBps 0 .. 5,000 hundredths of a percent of the gross.
    /// @param dailyCap Most points in, per UTC day, all members together, less what comes back; at most 2^48-1.
    /// @param exposureCap Most that may be owed in this direction at any time, in settlement units; at most 2^96-1.
    /// @param valueNumerator, valueDenominator Settlement units per base unit of the receiving brand's points; 1 .. 2^64-1
    /// and 1 .. 2^32-1.
    /// @param noticeSeconds How long a change or an end waits: 3,600 .. 31,536,000.
    /// @param minimumIn Fewest points in of an exchange: 1 .. 2^40-1.
    /// @param unwindSeconds How long an exchange may be unwound: 0 (never) .. 31,622,400.
    struct Terms {
        uint256 numerator;
        uint256 denominator;
        uint256 feeBps;
        uint256 dailyCap;
        uint256 exposureCap;
        uint256 valueNumerator;
        uint256 valueDenominator;
        uint256 noticeSeconds;
        uint256 minimumIn;
        uint256 unwindSeconds;
    }

    /// @notice A directed agreement.
    struct Agreement {
        uint256 fromBrandId;
        uint256 toBrandId;
        State state;
        uint256 version;
        Terms terms;
    }

    /// @notice What a member signs.
    /// @param version The agreement's version that the quote was made with.
    struct Quote {
        address member;
        uint256 agreementId;
        uint256 version;
        uint256 pointsIn;
        uint256 minimumOut;
        uint256 nonce;
        uint256 deadline;
    }

    /// @notice An exchange as it happened; everything that unwinding needs.
    /// @param lotsIn What was burnt, packed as in ILoyaltyToken.
    /// @param obligation Booked, in settlement units.
    struct Exchange {
        address member;
        uint256 agreementId;
        uint256 version;
        uint256 pointsIn;
        uint256 pointsOut;
        uint256 fee;
        uint256 obligation;
        uint256[4] lotsIn;
    }

    event AgreementProposed(
        uint256 indexed agreementId, uint256 indexed fromBrandId, uint256 indexed toBrandId, uint256 byBrandId, Terms terms
    );
    event AgreementAccepted(uint256 indexed agreementId, uint256 version);
    /// @notice One of the brands proposes new terms; nothing changes until the other accepts.
    event ChangeProposed(uint256 indexed agreementId, uint256 version, uint256 byBrandId, Terms terms);
    /// @notice Both agree: in force from `inForceAt` on, without another event.
    event ChangeAccepted(uint256 indexed agreementId, uint256 version, uint256 inForceAt);
    event ChangeWithdrawn(uint256 indexed agreementId, uint256 version);
    /// @notice One brand gave notice; the agreement ends at `endsAt`.
    event AgreementEnding(uint256 indexed agreementId, uint256 byBrandId, uint256 endsAt);
    /// @notice Points were exchanged.
    event Exchanged(
        bytes32 indexed exchangeId, uint256 indexed agreementId, address indexed member, uint256 nonce, Exchange exchange
    );
    /// @notice Points were exchanged and redeemed at once: `holdId` at the desk, `price` points.
    event PaidAtPartner(bytes32 indexed exchangeId, bytes32 indexed holdId, uint256 price, bytes32 rewardId);
    /// @notice An exchange was undone at its own rate.
    event Unwound(
        bytes32 indexed exchangeId,
        uint256 indexed agreementId,
        address indexed member,
        uint256 pointsBurnt,
        uint256 returned,
        uint256 renewed,
        uint256 lapsed
    );

    error AgreementUnknown(uint256 agreementId);
    error AgreementStateWrong(uint256 agreementId, State state);
    error AgreementTermsInvalid(string field);
    /// @notice A brand cannot agree with itself.
    error BrandsEqual(uint256 brandId);
    /// @notice The directed pair has an agreement that is proposed or in force.
    error PairTaken(uint256 agreementId);
    /// @notice This brand proposed it itself; the other accepts.
    error OtherBrandOnly(uint256 agreementId, uint256 byBrandId);
    error NotAParty(uint256 agreementId, uint256 brandId);
    error ExchangeChangePending(uint256 agreementId, uint256 version);
    error NoExchangeChangePending(uint256 agreementId);
    /// @notice The quote was made with another version than the one in force.
    error VersionChanged(uint256 version, uint256 inForce);
    error PointsInInvalid(uint256 pointsIn, uint256 maximum);
    /// @notice The agreement has a minimum for an exchange.
    error PointsInTooFew(uint256 pointsIn, uint256 minimum);
    /// @notice The exchange would give less than the member accepts (or nothing).
    error OutBelowMinimum(uint256 out, uint256 minimum);
    /// @notice The exchange would give more than a lot can hold.
    error OutTooLarge(uint256 out, uint256 maximum);
    error DailyCapExceeded(uint256 pointsIn, uint256 remaining);
    error ExchangeUnknown(bytes32 exchangeId);
    /// @notice The data given is not the exchange with this id, or it was unwound or cancelled.
    error ExchangeNotOpen(bytes32 exchangeId);
    /// @notice The exchange could be unwound until `unwindUntil`.
    error UnwindOver(bytes32 exchangeId, uint256 unwindUntil);

    /* READING */

    /// @notice Number of agreements; ids run from 1 to this.
    function agreementCount() external view returns (uint256);
    /// @notice The agreement as of this second. State is Ended from the end on.
    function agreementOf(uint256 agreementId) external view returns (Agreement memory);
    /// @notice The change that waits; version 0 when none; inForceAt 0 while only proposed.
    function pendingOf(uint256 agreementId)
        external
        view
        returns (Terms memory terms, uint256 version, uint256 byBrandId, uint256 inForceAt);
    /// @notice 0, or the second from which on the agreement is ended.
    function endsAt(uint256 agreementId) external view returns (uint256);
    /// @notice Points in of this UTC day, less what came back by the agreement the other way; 0 if more came back.
    function usedToday(uint256 agreementId) external view returns (uint256);
    /// @notice What an exchange of `pointsIn` gives now: the same code. Does not look at caps, balances or collateral.
    function quote(uint256 agreementId, uint256 pointsIn)
        external
        view
        returns (uint256 out, uint256 fee, uint256 obligation, uint256 version);
    /// @notice keccak256(abi.encode(member, nonce)).
    function exchangeIdOf(address member, uint256 nonce) external pure returns (bytes32);
    /// @notice The desk's hold id of a payment: keccak256(abi.encode(this contract, exchangeId)).
    function paymentIdOf(bytes32 exchangeId) external view returns (bytes32);
    /// @notice 1 when unwound, cancelled or paid; 0 when unknown; else, from bit 0 up: the last second in which it may be
    /// unwound (40 bits), the second of the exchange (40), and the upper 176 bits of keccak256(abi.encode(exchange)).
    function recordOf(bytes32 exchangeId) external view returns (bytes32);

    /* THE BRANDS' OWNERS */

    /// @notice Proposes exchange from one brand into another, on behalf of `byBrandId` (one of the two). Its owner role.
    function propose(uint256 byBrandId, uint256 fromBrandId, uint256 toBrandId, Terms calldata terms)
        external
        returns (uint256 agreementId);
    /// @notice The other brand accepts: in force at once, version 1. Its owner role.
    /// @param termsHash keccak256(abi.encode(terms)) of what is accepted.
    function accept(uint256 agreementId, bytes32 termsHash) external;
    /// @notice Proposes new terms for an agreement in force. Owner role of `byBrandId`.
    function proposeChange(uint256 agreementId, uint256 byBrandId, Terms calldata terms) external returns (uint256 version);
    /// @notice The other brand accepts the new terms; they wait the notice of the version in force.
    function acceptChange(uint256 agreementId, bytes32 termsHash) external returns (uint256 inForceAt);
    /// @notice Takes a change back before it is in force: the proposer while only proposed, and either brand's
    /// refusal likewise. An accepted change stays. Owner role of `byBrandId`.
    function withdrawChange(uint256 agreementId, uint256 byBrandId) external;
    /// @notice Gives notice: a proposal ends at once, an agreement after its notice. Owner role of `byBrandId`.
    function end(uint256 agreementId, uint256 byBrandId) external returns (uint256 endsAt_);

    /* THE MEMBER */

    /// @notice Burns here, mints there, books the obligation: all or nothing. Anyone may submit it.
    /// EIP-712: Exchange(address member,uint256 agreementId,uint256 version,uint256 pointsIn,uint256 minimumOut,uint256 nonce,uint256 deadline)
    function exchange(Quote calldata quote_, bytes calldata signature)
        external
        returns (bytes32 exchangeId, uint256 out);

    /// @notice Exchanges and redeems exactly `quote_.minimumOut` (the price) at the receiving brand in one
    /// transaction; anything above it stays with the member. Anyone may submit it. A payment is given back by the
    /// desk's refund, not by unwinding.
    /// EIP-712: PayAtPartner(address member,uint256 agreementId,uint256 version,uint256 pointsIn,uint256 price,bytes32 rewardId,uint256 nonce,uint256 deadline)
    function payAtPartner(Quote calldata quote_, bytes32 rewardId, bytes calldata signature)
        external
        returns (bytes32 exchangeId, bytes32 holdId, uint256 out);

    /// @notice Undoes an exchange at its own rate, once, within the agreement's `unwindSeconds` of the exchange: burns
    /// `pointsOut` from the member (first of the lot that the exchange minted, then the latest expiry first), restores
    /// `lotsIn` (fee and all; expired ones stay gone), takes the obligation back. Till role of the receiving brand, and
    /// the member's authorisation, whose nonce is one of those of exchanges; both brands must be issuing.
    /// EIP-712: Unwind(address member,bytes32 exchangeId,uint256 nonce,uint256 deadline)
    function unwind(
        bytes32 exchangeId,
        Exchange calldata exchange_,
        uint256 nonce,
        uint256 deadline,
        bytes calldata signature
    ) external;
}
