// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRewardRules} from "./interfaces/IRewardRules.sol";
import {IPartnerRegistry} from "./interfaces/IPartnerRegistry.sol";
import {ILoyaltyToken} from "./interfaces/ILoyaltyToken.sol";
import {BrandAccess} from "./base/BrandAccess.sol";
import {Roles} from "./libraries/Roles.sol";
import {RuleCode} from "./libraries/RuleCode.sol";

/// @title RewardRules
/// @dev A batch reads a rule once for each run of equal rule ids and a word of operation ids once for each run
/// of 256, keeps both in memory (`Run`), and writes them once: on a node that reads its trie from disk, the
/// number of storage accesses is the speed. Single awards and quotes run the same code.
contract RewardRules is IRewardRules, BrandAccess {
    uint256 private constant BATCH_MAX = 500;
    uint256 private constant DAY = 1 days;
    uint256 private constant DAY_BITS = 32;
    /// @dev With a numerator of 48 bits the product stays below 2^144.
    uint256 private constant BASE_MAX = type(uint96).max;

    /// @dev `code.life` tells whether a change waits in `pending`, and until when.
    struct Rule {
        RuleCode.Code code;
        RuleCode.Code pending;
    }

    /// @dev What a call has read, and changed in memory. Two words of a rule, one word of operation ids.
    /// @param room What the token can still mint in this epoch.
    /// @param promoted `rate` and `life` are an announced change's, in force now and not yet in place.
    /// @param version Of the rule; 0: there is none. @param spent Of its budget, with what this call adds.
    /// @param free The smaller of what budget and room still allow: most items need look at nothing else.
    struct Run {
        uint256 brandId;
        address token;
        uint256 room;
        uint256 ruleId;
        uint256 rate;
        uint256 life;
        bool promoted;
        uint256 version;
        bool inWindow;
        uint256 budget;
        uint256 spent;
        uint256 free;
        uint256 index;
        uint256 bits;
        bool bitsChanged;
    }

    IPartnerRegistry private immutable REGISTRY;
    address private immutable DESK;

    /// @inheritdoc IRewardRules
    mapping(uint256 brandId => uint256 count) public ruleCount;
    mapping(uint256 brandId => mapping(uint256 ruleId => Rule rule)) private _rules;
    mapping(uint256 brandId => mapping(uint256 index => uint256 bits)) private _operations;
    /// @dev The UTC day in the low 32 bits, that day's points above.
    mapping(uint256 brandId => mapping(uint256 ruleId => mapping(address member => uint256 dayAndPoints))) private
        _memberDays;

    constructor(address manager, address registry, address desk) BrandAccess(manager) {
        REGISTRY = IPartnerRegistry(registry);
        DESK = desk;
    }

    /* READING */

    /// @inheritdoc IRewardRules
    function ruleOf(uint256 brandId, uint256 ruleId)
        external
        view
        returns (Terms memory terms, uint256 version, uint256 spent)
    {
        RuleCode.Code memory code = _inForce(brandId, ruleId);
        return (RuleCode.decode(code), RuleCode.version(code.life), RuleCode.spent(code.life));
    }

    /// @inheritdoc IRewardRules
    function pendingOf(uint256 brandId, uint256 ruleId)
        external
        view
        returns (Terms memory terms, uint256 version, uint256 inForceAt)
    {
        RuleCode.Code memory code = _inForce(brandId, ruleId);
        inForceAt = RuleCode.changeAt(code.life);
        if (inForceAt == 0) return (terms, 0, 0);
        code = _rules[brandId][ruleId].pending;
        return (RuleCode.decode(code), RuleCode.version(code.life), inForceAt);
    }

    /// @inheritdoc IRewardRules
    function isOperationUsed(uint256 brandId, uint256 operationId) external view returns (bool) {
        return _operations[brandId][operationId >> 8] & (1 << (operationId & 0xff)) != 0;
    }

    /// @inheritdoc IRewardRules
    function spentToday(uint256 brandId, uint256 ruleId, address member) external view returns (uint256) {
        return _spentToday(brandId, ruleId, member);
    }

    /// @inheritdoc IRewardRules
    function quote(uint256 brandId, Item calldata item)
        external
        view
        returns (uint256 points, uint256 version, bytes memory reason)
    {
        Run memory run = _begin(brandId);
        _readBits(run, item.operationId >> 8);
        _readRule(run, item.ruleId);
        (points, reason) = _assess(run, item);
        version = run.version;
    }

    /* THE BRAND'S OWNER */

    /// @inheritdoc IRewardRules
    function publish(uint256 brandId, Terms calldata terms) external returns (uint256 ruleId) {
        REGISTRY.tokenOf(brandId);
        _checkRole(Roles.id(brandId, Roles.OWNER));
        RuleCode.check(terms);

        ruleId = ++ruleCount[brandId];
        _rules[brandId][ruleId].code = RuleCode.encode(terms, 1);

        emit RulePublished(brandId, ruleId, 1, terms);
    }

    /// @inheritdoc IRewardRules
    function announceChange(uint256 brandId, uint256 ruleId, Terms calldata terms)
        external
        returns (uint256 version, uint256 inForceAt)
    {
        _checkRole(Roles.id(brandId, Roles.OWNER));
        RuleCode.Code memory code = _settle(brandId, ruleId);
        Rule storage rule = _rules[brandId][ruleId];
        uint256 current = RuleCode.version(code.life);
        uint256 last = RuleCode.version(rule.pending.life);
        uint256 waiting = RuleCode.changeAt(code.life);
        if (waiting != 0) revert ChangePending(last, waiting);
        RuleCode.check(terms);
        // A withdrawn version is not used again.
        version = 1 + (last > current ? last : current);
        inForceAt = block.timestamp + RuleCode.noticeSeconds(code.rate);

        rule.pending = RuleCode.encode(terms, version);
        rule.code.life = RuleCode.withChangeAt(code.life, inForceAt);

        emit RuleChangeAnnounced(brandId, ruleId, version, inForceAt, terms);
    }

    /// @inheritdoc IRewardRules
    function withdrawChange(uint256 brandId, uint256 ruleId) external {
        _checkRole(Roles.id(brandId, Roles.OWNER));
        RuleCode.Code memory code = _settle(brandId, ruleId);
        if (RuleCode.changeAt(code.life) == 0) revert NoChangePending(brandId, ruleId);

        Rule storage rule = _rules[brandId][ruleId];
        rule.code.life = RuleCode.withChangeAt(code.life, 0);

        emit RuleChangeWithdrawn(brandId, ruleId, RuleCode.version(rule.pending.life));
    }

    /* THE BRAND'S ISSUER */

    /// @inheritdoc IRewardRules
    function award(uint256 brandId, Item calldata item) external returns (uint256 points) {
        Run memory run = _begin(brandId);
        _checkRole(Roles.id(brandId, Roles.ISSUER));
        _turnTo(run, item);
        bytes memory reason;
        (points, reason) = _assess(run, item);
        if (reason.length > 0) _revertWith(reason);

        _count(run, item, points);
        _writeRule(run);
        _writeBits(run);

        if (points == 0) return 0;
        uint256[] memory mints = new uint256[](1);
        mints[0] = _line(item.member, points);
        ILoyaltyToken(run.token).mintBatch(mints);
    }

    /// @inheritdoc IRewardRules
    function awardBatch(uint256 brandId, Item[] calldata items) external returns (uint256 awarded, uint256 points) {
        Run memory run = _begin(brandId);
        _checkRole(Roles.id(brandId, Roles.ISSUER));
        if (items.length == 0 || items.length > BATCH_MAX) revert BatchSizeWrong(items.length, BATCH_MAX);

        uint256[] memory mints = new uint256[](items.length);
        uint256 minted = 0;
        for (uint256 i = 0; i < items.length; ++i) {
            Item calldata item = items[i];
            _turnTo(run, item);
            (uint256 itemPoints, bytes memory reason) = _assess(run, item);
            if (reason.length > 0) {
                emit AwardRefused(brandId, item.operationId, item.member, item.ruleId, reason);
                continue;
            }
            _count(run, item, itemPoints);
            // At most 500 items of 48 bits each.
            unchecked {
                ++awarded;
                if (itemPoints == 0) continue;
                points += itemPoints;
                mints[minted++] = _line(item.member, itemPoints);
            }
        }
        _writeRule(run);
        _writeBits(run);

        if (minted == 0) return (awarded, 0);
        // Only ever shorter than it was made.
        assembly ("memory-safe") {
            mstore(mints, minted)
        }
        ILoyaltyToken(run.token).mintBatch(mints);
    }

    /* ONE ITEM */

    /// @dev The points that the item earns, or the error that refuses it. Changes nothing.
    function _assess(Run memory run, Item calldata item) private view returns (uint256 points, bytes memory reason) {
        if (run.bits & (1 << (item.operationId & 0xff)) != 0) {
            return (0, abi.encodeWithSelector(OperationUsed.selector, run.brandId, item.operationId));
        }
        address member = item.member;
        if (member == address(0) || member == DESK || member == run.token) {
            return (0, abi.encodeWithSelector(MemberInvalid.selector, member));
        }
        if (!run.inWindow) return (0, _notInForce(run));
        uint256 baseAmount = item.baseAmount;
        if (baseAmount > BASE_MAX) {
            return (0, abi.encodeWithSelector(BaseAmountTooLarge.selector, baseAmount, BASE_MAX));
        }

        uint256 rate = run.rate;
        points = RuleCode.pointsOf(rate, baseAmount);
        uint256 cap = RuleCode.capPerAward(rate);
        if (cap != 0 && points > cap) points = cap;
        if (points > run.free || RuleCode.capPerMemberDay(rate) != 0) {
            reason = _limit(run, member, points);
            if (reason.length > 0) points = 0;
        }
    }

    /// @dev Why no item counts under this rule now: there is none, or its window is shut.
    function _notInForce(Run memory run) private view returns (bytes memory) {
        if (run.version == 0) return abi.encodeWithSelector(RuleUnknown.selector, run.brandId, run.ruleId);
        (uint256 start, uint256 end) = (RuleCode.start(run.life), RuleCode.end(run.life));
        return abi.encodeWithSelector(RuleNotInForce.selector, start, end, block.timestamp);
    }

    /// @dev Empty, or the limit that `points` would exceed.
    function _limit(Run memory run, address member, uint256 points) private view returns (bytes memory reason) {
        if (points > RuleCode.AMOUNT_MAX) {
            return abi.encodeWithSelector(AwardTooLarge.selector, points, RuleCode.AMOUNT_MAX);
        }
        uint256 cap = RuleCode.capPerMemberDay(run.rate);
        if (cap != 0) {
            uint256 left = _less(cap, _spentToday(run.brandId, run.ruleId, member));
            if (points > left) return abi.encodeWithSelector(MemberCapExceeded.selector, points, left);
        }
        uint256 remaining = _less(run.budget, run.spent);
        if (points > remaining) return abi.encodeWithSelector(BudgetExceeded.selector, points, remaining);
        if (points > run.room) return abi.encodeWithSelector(SupplyExceeded.selector, points, run.room);
    }

    /// @dev Counts an item that `_assess` let pass: in memory what the run holds, in storage the member's day.
    function _count(Run memory run, Item calldata item, uint256 points) private {
        run.bits |= 1 << (item.operationId & 0xff);
        run.bitsChanged = true;
        // `_assess` held points against what is free of budget (56 bits) and room.
        unchecked {
            run.spent += points;
            run.room -= points;
            run.free -= points;
        }
        if (RuleCode.capPerMemberDay(run.rate) != 0 && points > 0) {
            uint256 used = _spentToday(run.brandId, run.ruleId, item.member) + points;
            _memberDays[run.brandId][run.ruleId][item.member] = (block.timestamp / DAY) | (used << DAY_BITS);
        }

        emit Awarded(run.brandId, item.operationId, item.member, run.ruleId, run.version, item.baseAmount, points);
    }

    /* A RUN */

    function _begin(uint256 brandId) private view returns (Run memory run) {
        run.brandId = brandId;
        run.token = REGISTRY.issuingToken(brandId);
        run.room = ILoyaltyToken(run.token).mintable();
        // No word has this index: operation ids are below 2^256, their words below 2^248.
        run.index = type(uint256).max;
    }

    /// @dev Brings the item's rule and its word of operation ids into `run`, writing what is left behind.
    function _turnTo(Run memory run, Item calldata item) private {
        uint256 index = item.operationId >> 8;
        if (index != run.index) {
            _writeBits(run);
            _readBits(run, index);
        }
        // Rule ids begin at 1, so an untouched run's 0 is only ever an unknown rule, which reads as version 0 too.
        if (item.ruleId != run.ruleId) {
            _writeRule(run);
            _readRule(run, item.ruleId);
        }
    }

    function _readBits(Run memory run, uint256 index) private view {
        run.index = index;
        run.bits = _operations[run.brandId][index];
        run.bitsChanged = false;
    }

    function _writeBits(Run memory run) private {
        if (run.bitsChanged) _operations[run.brandId][run.index] = run.bits;
    }

    function _readRule(Run memory run, uint256 ruleId) private view {
        Rule storage rule = _rules[run.brandId][ruleId];
        run.ruleId = ruleId;
        run.rate = rule.code.rate;
        run.life = rule.code.life;
        run.promoted = _isDue(run.life);
        if (run.promoted) {
            run.rate = rule.pending.rate;
            run.life = RuleCode.promoted(run.life, rule.pending.life);
        }
        run.version = RuleCode.version(run.life);
        // An unknown rule's window is 0 to 0: shut.
        run.inWindow = block.timestamp >= RuleCode.start(run.life) && block.timestamp < RuleCode.end(run.life);
        run.budget = RuleCode.budget(run.life);
        run.spent = RuleCode.spent(run.life);
        uint256 remaining = _less(run.budget, run.spent);
        run.free = remaining < run.room ? remaining : run.room;
    }

    function _writeRule(Run memory run) private {
        if (!run.promoted && run.spent == RuleCode.spent(run.life)) return;
        Rule storage rule = _rules[run.brandId][run.ruleId];
        rule.code.life = RuleCode.withSpent(run.life, run.spent);
        if (!run.promoted) return;
        rule.code.rate = run.rate;
        rule.code.activity = rule.pending.activity;
        rule.code.textHash = rule.pending.textHash;
    }

    /* RULES */

    function _isDue(uint256 life) private view returns (bool) {
        uint256 changeAt = RuleCode.changeAt(life);
        return changeAt != 0 && block.timestamp >= changeAt;
    }

    /// @dev The code in force at this second. Reverts with RuleUnknown.
    function _inForce(uint256 brandId, uint256 ruleId) private view returns (RuleCode.Code memory code) {
        Rule storage rule = _rules[brandId][ruleId];
        code = rule.code;
        if (RuleCode.version(code.life) == 0) revert RuleUnknown(brandId, ruleId);
        if (_isDue(code.life)) {
            uint256 old = code.life;
            code = rule.pending;
            code.life = RuleCode.promoted(old, code.life);
        }
    }

    /// @dev As `_inForce`, and puts a change that is due in its place.
    function _settle(uint256 brandId, uint256 ruleId) private returns (RuleCode.Code memory code) {
        code = _inForce(brandId, ruleId);
        _rules[brandId][ruleId].code = code;
    }

    function _spentToday(uint256 brandId, uint256 ruleId, address member) private view returns (uint256) {
        uint256 dayAndPoints = _memberDays[brandId][ruleId][member];
        return dayAndPoints & type(uint32).max == block.timestamp / DAY ? dayAndPoints >> DAY_BITS : 0;
    }

    /// @dev A line of the token's batch; an award has at most 48 bits.
    function _line(address member, uint256 points) private pure returns (uint256) {
        return (uint256(uint160(member)) << 96) | points;
    }

    /// @dev a - b, or 0: a change may have lowered a limit below what was used already.
    function _less(uint256 a, uint256 b) private pure returns (uint256) {
        // Compared first.
        unchecked {
            return a > b ? a - b : 0;
        }
    }

    function _revertWith(bytes memory reason) private pure {
        assembly ("memory-safe") {
            revert(add(reason, 32), mload(reason))
        }
    }
}
