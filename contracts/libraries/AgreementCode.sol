// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IPartnerExchange} from "../interfaces/IPartnerExchange.sol";

/// @title What an exchange must know of its agreement in two words, and the arithmetic of an exchange.
/// @notice rate, from bit 0 up: numerator 48, denominator 48, fee 16, daily cap 48, brand left 32, version 24, minimum
/// in 40. limit: exposure cap 96, value numerator 64, value denominator 32, brand entered 32, seconds to unwind in 31,
/// and above all whether it is open: agreed, and no change and no end waits. Pure.
library AgreementCode {
    struct Code {
        uint256 rate;
        uint256 limit;
    }

    uint256 internal constant AMOUNT_MAX = type(uint48).max;
    uint256 private constant BPS = 10_000;
    /// @dev Half.
    uint256 private constant FEE_BPS_MAX = 5_000;
    uint256 private constant NOTICE_SECONDS_MIN = 1 hours;
    uint256 private constant NOTICE_SECONDS_MAX = 365 days;
    uint256 private constant UNWIND_SECONDS_MAX = 366 days;

    uint256 private constant DENOMINATOR_AT = 48;
    uint256 private constant FEE_AT = 96;
    uint256 private constant DAILY_CAP_AT = 112;
    uint256 private constant FROM_AT = 160;
    uint256 private constant VERSION_AT = 192;
    uint256 private constant MINIMUM_AT = 216;
    uint256 private constant VALUE_NUMERATOR_AT = 96;
    uint256 private constant VALUE_DENOMINATOR_AT = 160;
    uint256 private constant TO_AT = 192;
    uint256 private constant UNWIND_AT = 224;
    uint256 private constant OPEN = 1 << 255;

    /// @notice Reverts with AgreementTermsInvalid for the first field outside its bounds.
    function check(IPartnerExchange.Terms calldata terms) internal pure {
        _bound(terms.numerator, 1, AMOUNT_MAX, "numerator");
        _bound(terms.denominator, 1, AMOUNT_MAX, "denominator");
        _bound(terms.feeBps, 0, FEE_BPS_MAX, "feeBps");
        _bound(terms.dailyCap, 0, AMOUNT_MAX, "dailyCap");
        _bound(terms.exposureCap, 0, type(uint96).max, "exposureCap");
        _bound(terms.valueNumerator, 1, type(uint64).max, "valueNumerator");
        // What is carried from one exchange to the next is less than this, and is kept in as many bits.
        _bound(terms.valueDenominator, 1, type(uint32).max, "valueDenominator");
        _bound(terms.noticeSeconds, NOTICE_SECONDS_MIN, NOTICE_SECONDS_MAX, "noticeSeconds");
        _bound(terms.minimumIn, 1, type(uint40).max, "minimumIn");
        _bound(terms.unwindSeconds, 0, UNWIND_SECONDS_MAX, "unwindSeconds");
    }

    /// @notice Checked terms of two brands as stored, not yet open. The notice is kept elsewhere.
    function encode(
        IPartnerExchange.Terms calldata terms,
        uint256 version_,
        uint256 leftId,
        uint256 enteredId
    ) internal pure returns (Code memory code) {
        code.rate = terms.numerator | (terms.denominator << DENOMINATOR_AT) | (terms.feeBps << FEE_AT)
            | (terms.dailyCap << DAILY_CAP_AT) | (leftId << FROM_AT)
            | ((version_ & type(uint24).max) << VERSION_AT) | (terms.minimumIn << MINIMUM_AT);
        code.limit = terms.exposureCap | (terms.valueNumerator << VALUE_NUMERATOR_AT)
            | (terms.valueDenominator << VALUE_DENOMINATOR_AT) | (enteredId << TO_AT)
            | (terms.unwindSeconds << UNWIND_AT);
    }

    function decode(Code memory code, uint256 noticeSeconds)
        internal
        pure
        returns (IPartnerExchange.Terms memory terms)
    {
        terms.numerator = code.rate & AMOUNT_MAX;
        terms.denominator = (code.rate >> DENOMINATOR_AT) & AMOUNT_MAX;
        terms.feeBps = (code.rate >> FEE_AT) & type(uint16).max;
        terms.dailyCap = dailyCap(code.rate);
        terms.exposureCap = exposureCap(code.limit);
        terms.valueNumerator = (code.limit >> VALUE_NUMERATOR_AT) & type(uint64).max;
        terms.valueDenominator = (code.limit >> VALUE_DENOMINATOR_AT) & type(uint32).max;
        terms.noticeSeconds = noticeSeconds;
        terms.minimumIn = minimumIn(code.rate);
        terms.unwindSeconds = unwindSeconds(code.limit);
    }

    /// @notice What `pointsIn` (at most AMOUNT_MAX) gives: the gross rounds down, the fee up, and the obligation up over
    /// all exchanges of the agreement together.
    /// @param carry What has been booked above the exact debt so far, in 1 / valueDenominator of a settlement unit.
    function compute(Code memory code, uint256 pointsIn, uint256 carry)
        internal
        pure
        returns (uint256 out, uint256 fee, uint256 obligation, uint256 carried)
    {
        uint256 valueNumerator = (code.limit >> VALUE_NUMERATOR_AT) & type(uint64).max;
        uint256 valueDenominator = (code.limit >> VALUE_DENOMINATOR_AT) & type(uint32).max;
        // gross has at most 96 bits: with 16 bits of fee or 64 of value far below 256. No denominator is 0.
        unchecked {
            uint256 gross = pointsIn * (code.rate & AMOUNT_MAX) / ((code.rate >> DENOMINATOR_AT) & AMOUNT_MAX);
            fee = (gross * ((code.rate >> FEE_AT) & type(uint16).max) + BPS - 1) / BPS;
            out = gross - fee;
            uint256 exact = gross * valueNumerator;
            // What was booked too much before is booked less now; the carry stays below the denominator.
            if (exact <= carry) return (out, fee, 0, carry - exact);
            exact -= carry;
            obligation = (exact + valueDenominator - 1) / valueDenominator;
            carried = obligation * valueDenominator - exact;
        }
    }

    function dailyCap(uint256 rate) internal pure returns (uint256) {
        return (rate >> DAILY_CAP_AT) & AMOUNT_MAX;
    }

    function fromBrandId(uint256 rate) internal pure returns (uint256) {
        return (rate >> FROM_AT) & type(uint32).max;
    }

    function toBrandId(uint256 limit) internal pure returns (uint256) {
        return (limit >> TO_AT) & type(uint32).max;
    }

    /// @notice Whether the agreement was marked as open: then these two words tell all that an exchange must know.
    function isOpen(uint256 limit) internal pure returns (bool) {
        return limit & OPEN != 0;
    }

    function marked(uint256 limit, bool open) internal pure returns (uint256) {
        return open ? limit | OPEN : limit & ~OPEN;
    }

    function version(uint256 rate) internal pure returns (uint256) {
        return (rate >> VERSION_AT) & type(uint24).max;
    }

    function minimumIn(uint256 rate) internal pure returns (uint256) {
        return rate >> MINIMUM_AT;
    }

    function unwindSeconds(uint256 limit) internal pure returns (uint256) {
        return (limit >> UNWIND_AT) & type(uint32).max >> 1;
    }

    function exposureCap(uint256 limit) internal pure returns (uint256) {
        return limit & type(uint96).max;
    }

    function _bound(uint256 value, uint256 least, uint256 most, string memory field) private pure {
        if (value < least || value > most) revert IPartnerExchange.AgreementTermsInvalid(field);
    }
}
