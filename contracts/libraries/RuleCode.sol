// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRewardRules} from "../interfaces/IRewardRules.sol";

/// @title A rule's terms in three words that an award reads and two that it does not, and the arithmetic of points.
/// @notice rate, from bit 0 up: numerator 48, denominator 48, cap per award 48, cap per member and day 48,
/// notice 32, kind 8, rounding 8. life: budget 56, spent 56, start 40, end 40, version 24, second at which a
/// change is in force 40. more: return window 32, shortfall 8, lock 32, start of the day 24, points above which a
/// second signature is asked 48. Pure.
library RuleCode {
    struct Code {
        uint256 rate;
        uint256 life;
        bytes32 activity;
        bytes32 textHash;
    }

    uint256 internal constant AMOUNT_MAX = type(uint48).max;
    uint256 internal constant BUDGET_MAX = type(uint56).max;
    uint256 internal constant TIME_MAX = type(uint40).max;
    uint256 private constant NOTICE_SECONDS_MIN = 1 hours;
    uint256 private constant NOTICE_SECONDS_MAX = 365 days;

    uint256 private constant DENOMINATOR_AT = 48;
    uint256 private constant CAP_AT = 96;
    uint256 private constant DAY_CAP_AT = 144;
    uint256 private constant NOTICE_AT = 192;
    uint256 private constant KIND_AT = 224;
    uint256 private constant ROUNDING_AT = 232;

    uint256 private constant SPENT_AT = 56;
    uint256 private constant START_AT = 112;
    uint256 private constant END_AT = 152;
    uint256 private constant VERSION_AT = 192;
    uint256 private constant CHANGE_AT = 216;

    uint256 private constant SHORTFALL_AT = 32;
    uint256 private constant LOCK_AT = 40;
    uint256 private constant DAY_START_AT = 72;
    uint256 private constant SECOND_ABOVE_AT = 96;

    uint256 private constant DAY = 1 days;
    /// @dev A return may come, and a lock may last, for a year.
    uint256 private constant WINDOW_MAX = 365 days;

    /// @notice Reverts with RuleTermsInvalid for the first field outside its bounds.
    function check(IRewardRules.Terms calldata terms) internal pure {
        bool correction = terms.kind == IRewardRules.Kind.Correction;
        if (terms.numerator == 0 || terms.numerator > AMOUNT_MAX || (correction && terms.numerator != 1)) {
            revert IRewardRules.RuleTermsInvalid("numerator");
        }
        if (terms.denominator == 0 || terms.denominator > AMOUNT_MAX) {
            revert IRewardRules.RuleTermsInvalid("denominator");
        }
        if (terms.kind != IRewardRules.Kind.Rate && terms.denominator != 1) {
            revert IRewardRules.RuleTermsInvalid("denominator");
        }
        // What is given by hand is bounded twice.
        if (terms.capPerAward > AMOUNT_MAX || (correction && terms.capPerAward == 0)) {
            revert IRewardRules.RuleTermsInvalid("capPerAward");
        }
        if (terms.capPerMemberDay > AMOUNT_MAX || (correction && terms.capPerMemberDay == 0)) {
            revert IRewardRules.RuleTermsInvalid("capPerMemberDay");
        }
        if (terms.budget > BUDGET_MAX) revert IRewardRules.RuleTermsInvalid("budget");
        if (terms.end > TIME_MAX || terms.start >= terms.end) revert IRewardRules.RuleTermsInvalid("end");
        if (terms.noticeSeconds < NOTICE_SECONDS_MIN || terms.noticeSeconds > NOTICE_SECONDS_MAX) {
            revert IRewardRules.RuleTermsInvalid("noticeSeconds");
        }
        if (terms.returnWindow > WINDOW_MAX) revert IRewardRules.RuleTermsInvalid("returnWindow");
        if (terms.lockSeconds > WINDOW_MAX) revert IRewardRules.RuleTermsInvalid("lockSeconds");
        if (terms.dayStart >= DAY) revert IRewardRules.RuleTermsInvalid("dayStart");
        if (terms.secondAbove > (correction ? terms.capPerAward : 0)) {
            revert IRewardRules.RuleTermsInvalid("secondAbove");
        }
    }

    /// @notice Checked terms as stored, nothing spent, no change waiting.
    function encode(IRewardRules.Terms calldata terms, uint256 version_)
        internal
        pure
        returns (Code memory code, uint256 more)
    {
        code.rate = terms.numerator | (terms.denominator << DENOMINATOR_AT) | (terms.capPerAward << CAP_AT)
            | (terms.capPerMemberDay << DAY_CAP_AT) | (terms.noticeSeconds << NOTICE_AT)
            | (uint256(terms.kind) << KIND_AT) | (uint256(terms.rounding) << ROUNDING_AT);
        code.life =
            terms.budget | (terms.start << START_AT) | (terms.end << END_AT) | ((version_ & 0xffffff) << VERSION_AT);
        more = terms.returnWindow | (uint256(terms.shortfall) << SHORTFALL_AT) | (terms.lockSeconds << LOCK_AT)
            | (terms.dayStart << DAY_START_AT) | (terms.secondAbove << SECOND_ABOVE_AT);
        code.activity = terms.activity;
        code.textHash = terms.textHash;
    }

    function decode(Code memory code, uint256 more) internal pure returns (IRewardRules.Terms memory terms) {
        terms.activity = code.activity;
        terms.kind = IRewardRules.Kind((code.rate >> KIND_AT) & 0xff);
        terms.rounding = IRewardRules.Rounding((code.rate >> ROUNDING_AT) & 0xff);
        terms.numerator = code.rate & AMOUNT_MAX;
        terms.denominator = (code.rate >> DENOMINATOR_AT) & AMOUNT_MAX;
        terms.capPerAward = capPerAward(code.rate);
        terms.capPerMemberDay = capPerMemberDay(code.rate);
        terms.budget = budget(code.life);
        terms.start = start(code.life);
        terms.end = end(code.life);
        terms.noticeSeconds = noticeSeconds(code.rate);
        terms.textHash = code.textHash;
        terms.returnWindow = returnWindow(more);
        terms.shortfall = IRewardRules.Shortfall(shortfall(more));
        terms.lockSeconds = (more >> LOCK_AT) & type(uint32).max;
        terms.dayStart = dayStart(more);
        terms.secondAbove = secondAbove(more);
    }

    /// @notice What an award of `points` for `baseAmount` stands at when the member kept `kept` of it: what the same
    /// terms pay for that, cut to their cap. A fixed award stands whole until all goods are back.
    /// @dev Falls from `points` to 0 as `kept` falls from the whole to 0, and knows nothing of the parts between.
    function standing(uint256 rate, uint256 points, uint256 kept) internal pure returns (uint256) {
        if (kept == 0) return 0;
        uint256 paid = pointsOf(rate, kept);
        return paid < points ? paid : points;
    }

    /// @notice The day of `timestamp` where days begin `dayStart_` seconds after midnight UTC.
    function day(uint256 timestamp, uint256 dayStart_) internal pure returns (uint256) {
        // A start is less than a day, and no block is from the first day of 1970.
        unchecked {
            return (timestamp - dayStart_) / DAY;
        }
    }

    /// @notice The points that `baseAmount` (below 2^96) earns, rounded as the rule says, before any cap.
    function pointsOf(uint256 rate, uint256 baseAmount) internal pure returns (uint256) {
        uint256 numerator = rate & AMOUNT_MAX;
        if ((rate >> KIND_AT) & 0xff == uint256(IRewardRules.Kind.Fixed)) return numerator;

        uint256 denominator = (rate >> DENOMINATOR_AT) & AMOUNT_MAX;
        uint256 rounding = (rate >> ROUNDING_AT) & 0xff;
        // 96 and 48 bits, doubled at most: far below 256. The denominator is never 0.
        unchecked {
            uint256 product = baseAmount * numerator;
            if (rounding == uint256(IRewardRules.Rounding.Down)) return product / denominator;
            if (rounding == uint256(IRewardRules.Rounding.Up)) return (product + denominator - 1) / denominator;
            return (2 * product + denominator) / (2 * denominator);
        }
    }

    /// @notice Numerator and denominator of a rate that rounds down and has no cap per member and day; else 0 and 0.
    function plainRate(uint256 rate) internal pure returns (uint256 numerator, uint256 denominator) {
        bool plain = (rate >> KIND_AT) & 0xff == uint256(IRewardRules.Kind.Rate)
            && (rate >> ROUNDING_AT) & 0xff == uint256(IRewardRules.Rounding.Down) && capPerMemberDay(rate) == 0;
        if (plain) (numerator, denominator) = (rate & AMOUNT_MAX, (rate >> DENOMINATOR_AT) & AMOUNT_MAX);
    }

    /// @notice The life of an announced change once it is in force: its own terms, what was spent before it.
    function promoted(uint256 old, uint256 announced) internal pure returns (uint256) {
        return announced | (old & (BUDGET_MAX << SPENT_AT));
    }

    function withSpent(uint256 life, uint256 spent_) internal pure returns (uint256) {
        return (life & ~(BUDGET_MAX << SPENT_AT)) | (spent_ << SPENT_AT);
    }

    function withChangeAt(uint256 life, uint256 timestamp) internal pure returns (uint256) {
        return (life & ~(TIME_MAX << CHANGE_AT)) | (timestamp << CHANGE_AT);
    }

    function capPerAward(uint256 rate) internal pure returns (uint256) {
        return (rate >> CAP_AT) & AMOUNT_MAX;
    }

    function capPerMemberDay(uint256 rate) internal pure returns (uint256) {
        return (rate >> DAY_CAP_AT) & AMOUNT_MAX;
    }

    function noticeSeconds(uint256 rate) internal pure returns (uint256) {
        return (rate >> NOTICE_AT) & type(uint32).max;
    }

    function budget(uint256 life) internal pure returns (uint256) {
        return life & BUDGET_MAX;
    }

    function spent(uint256 life) internal pure returns (uint256) {
        return (life >> SPENT_AT) & BUDGET_MAX;
    }

    function start(uint256 life) internal pure returns (uint256) {
        return (life >> START_AT) & TIME_MAX;
    }

    function end(uint256 life) internal pure returns (uint256) {
        return (life >> END_AT) & TIME_MAX;
    }

    /// @notice 0: there is no such rule.
    function version(uint256 life) internal pure returns (uint256) {
        return (life >> VERSION_AT) & type(uint24).max;
    }

    /// @notice 0: no change waits.
    function changeAt(uint256 life) internal pure returns (uint256) {
        return (life >> CHANGE_AT) & TIME_MAX;
    }

    /// @notice Seconds within which a return may come; 0: none may.
    function returnWindow(uint256 more) internal pure returns (uint256) {
        return more & type(uint32).max;
    }

    /// @notice What becomes of points that a return finds spent.
    function shortfall(uint256 more) internal pure returns (uint256) {
        return (more >> SHORTFALL_AT) & 0xff;
    }

    function dayStart(uint256 more) internal pure returns (uint256) {
        return (more >> DAY_START_AT) & type(uint24).max;
    }

    function secondAbove(uint256 more) internal pure returns (uint256) {
        return (more >> SECOND_ABOVE_AT) & AMOUNT_MAX;
    }

    function isCorrection(uint256 rate) internal pure returns (bool) {
        return (rate >> KIND_AT) & 0xff == uint256(IRewardRules.Kind.Correction);
    }
}
