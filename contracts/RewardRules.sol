// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {IAuthorised} from "./interfaces/IAuthorised.sol";
import {IRewardRules} from "./interfaces/IRewardRules.sol";
import {IPartnerRegistry} from "./interfaces/IPartnerRegistry.sol";
import {ILoyaltyToken} from "./interfaces/ILoyaltyToken.sol";
import {BrandAccess} from "./base/BrandAccess.sol";
import {Signatures} from "./base/Signatures.sol";
import {AwardTree} from "./libraries/AwardTree.sol";
import {Roles} from "./libraries/Roles.sol";
import {RuleCode} from "./libraries/RuleCode.sol";
import {Words} from "./libraries/Words.sol";

/// @title RewardRules
/// @dev A batch reads a rule once for each run of equal rule ids and a word of operation ids once for each run
/// of 256, keeps both in memory (`Run`), and writes them once: on a node that reads its trie from disk, the
/// number of storage accesses is the speed. Single awards and quotes run the same code.
/// An award that may come back is remembered by nothing but its call's Merkle root: a return brings the award's own words.
contract RewardRules is IRewardRules, BrandAccess, Signatures {
    bytes32 private constant CORRECTION_TYPEHASH = keccak256(
        "Correction(uint256 brandId,uint256 operationId,uint256 ruleId,address member,uint256 baseAmount,uint256 deadline)"
    );
    /// @dev Below the 255 places of a root's word; and so that no batch, whatever is in it, is above 16.7 million gas.
    uint256 private constant BATCH_MAX = 250;
    uint256 private constant DAY_BITS = 32;
    /// @dev With a numerator of 48 bits the product stays below 2^144.
    uint256 private constant BASE_MAX = type(uint96).max;
    /// @dev A root's word: this bit says that it is one.
    uint256 private constant COMMITTED = 1 << 255;

    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    /// @dev `code.life` tells whether a change waits in `pending`, and until when. The third words stand behind both, so
    /// that the others lie where proofs have always looked for them.
    struct Rule {
        RuleCode.Code code;
        RuleCode.Code pending;
        uint256 more;
        uint256 pendingMore;
    }

    /// @dev What a call has read, and changed in memory. Three words of a rule, one word of operation ids.
    /// @param room What the token can still mint in this epoch. @param expiryEpoch Of what it mints.
    /// @param signed Two have signed.
    /// @param promoted `rate`, `life` and `more` are an announced change's, in force now and not yet in place.
    /// @param version Of the rule; 0: there is none. @param spent Of its budget, with what this call adds.
    /// @param free The smaller of what budget and room still allow: most items need look at nothing else.
    /// @param ruleTail Of `Awarded`'s word what this rule's awards share.
    /// @param lotTail Of a leaf's second word what this rule's awards share now. @param termsTail Of its third word,
    /// likewise; 0: none of them may come back.
    /// @param leaf Where the four words of a leaf lie in memory; the last one stays while the rule does.
    /// @param lines Of the token's batch. @param leaves Of the awards that may come back.
    /// @param numerator Of a rule in force whose points are a rate rounded down without a cap a day; likewise its
    /// denominator, which is 0 for every other rule, and the most that an award of it gives.
    struct Run {
        uint256 brandId;
        address token;
        uint256 room;
        uint256 expiryEpoch;
        bool signed;
        uint256 ruleId;
        uint256 rate;
        uint256 life;
        uint256 more;
        bool promoted;
        uint256 version;
        bool inWindow;
        uint256 budget;
        uint256 spent;
        uint256 free;
        uint256 index;
        uint256 bits;
        bool bitsChanged;
        uint256 ruleTail;
        uint256 lotTail;
        uint256 termsTail;
        uint256 leaf;
        uint256[] lines;
        uint256[] leaves;
        uint256 numerator;
        uint256 denominator;
        uint256 ceiling;
    }

    // Where `_countFrom` finds these of a Run, in bytes: each of its members is a word of memory.
    uint256 private constant TOKEN_AT = 0x20;
    uint256 private constant RULE_ID_AT = 0xa0;
    uint256 private constant FREE_AT = 0x1c0;
    uint256 private constant INDEX_AT = 0x1e0;
    uint256 private constant BITS_AT = 0x200;
    uint256 private constant RULE_TAIL_AT = 0x240;
    uint256 private constant LOT_TAIL_AT = 0x260;
    uint256 private constant TERMS_TAIL_AT = 0x280;
    uint256 private constant LEAF_AT = 0x2a0;
    uint256 private constant LINES_AT = 0x2c0;
    uint256 private constant LEAVES_AT = 0x2e0;
    uint256 private constant NUMERATOR_AT = 0x300;
    uint256 private constant DENOMINATOR_AT = 0x320;
    uint256 private constant CEILING_AT = 0x340;

    IPartnerRegistry private immutable REGISTRY;
    address private immutable DESK;

    /// @inheritdoc IRewardRules
    mapping(uint256 brandId => uint256 count) public ruleCount;
    mapping(uint256 brandId => mapping(uint256 ruleId => Rule rule)) private _rules;
    mapping(uint256 brandId => mapping(uint256 index => uint256 bits)) private _operations;
    /// @dev The rule's day in the low 32 bits, that day's points above.
    mapping(uint256 brandId => mapping(uint256 ruleId => mapping(address member => uint256 dayAndPoints))) private
        _memberDays;
    /// @inheritdoc IRewardRules
    mapping(uint256 brandId => mapping(bytes32 root => uint256 word)) public rootOf;
    /// @inheritdoc IRewardRules
    mapping(uint256 brandId => mapping(uint256 operationId => uint256 baseAmount)) public returnedOf;

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
        (RuleCode.Code memory code, uint256 more) = _inForce(brandId, ruleId);
        return (RuleCode.decode(code, more), RuleCode.version(code.life), RuleCode.spent(code.life));
    }

    /// @inheritdoc IRewardRules
    function pendingOf(uint256 brandId, uint256 ruleId)
        external
        view
        returns (Terms memory terms, uint256 version, uint256 inForceAt)
    {
        (RuleCode.Code memory code,) = _inForce(brandId, ruleId);
        inForceAt = RuleCode.changeAt(code.life);
        if (inForceAt == 0) return (terms, 0, 0);
        Rule storage rule = _rules[brandId][ruleId];
        code = rule.pending;
        return (RuleCode.decode(code, rule.pendingMore), RuleCode.version(code.life), inForceAt);
    }

    /// @inheritdoc IRewardRules
    function isOperationUsed(uint256 brandId, uint256 operationId) external view returns (bool) {
        return _operations[brandId][operationId >> 8] & (1 << (operationId & 0xff)) != 0;
    }

    /// @inheritdoc IRewardRules
    function spentToday(uint256 brandId, uint256 ruleId, address member) external view returns (uint256) {
        Rule storage rule = _rules[brandId][ruleId];
        uint256 more = _isDue(rule.code.life) ? rule.pendingMore : rule.more;
        return _spentToday(brandId, ruleId, member, more);
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

    /// @inheritdoc IERC5267
    function eip712Domain()
        external
        view
        returns (bytes1, string memory, string memory, uint256, address, bytes32, uint256[] memory)
    {
        // 0x0f: name, version, chain id and contract, no salt. Computed, so that no storage shifts.
        return (hex"0f", "Moa RewardRules", "1", block.chainid, address(this), bytes32(0), new uint256[](0));
    }

    /* THE BRAND'S OWNER */

    /// @inheritdoc IRewardRules
    function publish(uint256 brandId, Terms calldata terms) external returns (uint256 ruleId) {
        REGISTRY.tokenOf(brandId);
        _checkRole(Roles.id(brandId, Roles.OWNER));
        _checkTerms(brandId, terms);

        ruleId = ++ruleCount[brandId];
        Rule storage rule = _rules[brandId][ruleId];
        (rule.code, rule.more) = RuleCode.encode(terms, 1);

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
        _checkTerms(brandId, terms);
        // A withdrawn version is not used again.
        version = 1 + (last > current ? last : current);
        inForceAt = block.timestamp + RuleCode.noticeSeconds(code.rate);

        (rule.pending, rule.pendingMore) = RuleCode.encode(terms, version);
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
        return _awardOne(run, item);
    }

    /// @inheritdoc IRewardRules
    function correct(uint256 brandId, Item calldata item, address signer, uint256 deadline, bytes calldata signature)
        external
        returns (uint256 points)
    {
        Run memory run = _begin(brandId);
        _checkRole(Roles.id(brandId, Roles.ISSUER));
        _checkSecond(brandId, item, signer, deadline, signature);
        run.signed = true;
        return _awardOne(run, item);
    }

    /// @inheritdoc IRewardRules
    function awardBatch(uint256 brandId, Item[] calldata items) external returns (uint256 awarded, uint256 points) {
        Run memory run = _begin(brandId);
        _checkRole(Roles.id(brandId, Roles.ISSUER));
        if (items.length == 0 || items.length > BATCH_MAX) revert BatchSizeWrong(items.length, BATCH_MAX);
        _makeRoom(run, items.length);

        for (uint256 i = 0; i < items.length; ++i) {
            {
                (uint256 plain, uint256 sum) = _countPlain(run, items, i);
                // At most 250 items of 48 bits each.
                unchecked {
                    (i, awarded, points) = (i + plain, awarded + plain, points + sum);
                }
                if (i == items.length) break;
            }
            Item calldata item = items[i];
            if (item.operationId >> 8 != run.index || item.ruleId != run.ruleId) _turnTo(run, item);
            (uint256 itemPoints, bytes memory reason) = _assess(run, item);
            if (reason.length > 0) {
                emit AwardRefused(brandId, item.operationId, item.member, item.ruleId, reason);
                continue;
            }
            _count(run, item, itemPoints);
            // At most 250 items of 48 bits each.
            unchecked {
                ++awarded;
                points += itemPoints;
            }
        }
        _end(run);
    }

    function _awardOne(Run memory run, Item calldata item) private returns (uint256 points) {
        _makeRoom(run, 1);
        _turnTo(run, item);
        bytes memory reason;
        (points, reason) = _assess(run, item);
        if (reason.length > 0) _revertWith(reason);

        _count(run, item, points);
        _end(run);
    }

    /* THE BRAND'S TILL */

    /// @inheritdoc IRewardRules
    function takeReturn(
        uint256 brandId,
        uint256 returnId,
        uint256 baseAmount,
        uint256[4] calldata award_,
        bytes32[] calldata proof
    ) external returns (uint256 taken, uint256 owed, uint256 forgiven) {
        address token = REGISTRY.issuingToken(brandId);
        _checkRole(Roles.id(brandId, Roles.TILL));
        _spend(brandId, returnId);
        AwardTree.Award memory given = AwardTree.decode(award_);
        bytes32 root = AwardTree.rootOf(award_, proof);
        return _return(token, brandId, returnId, baseAmount, given, root);
    }

    function _return(
        address token,
        uint256 brandId,
        uint256 returnId,
        uint256 baseAmount,
        AwardTree.Award memory given,
        bytes32 root
    ) private returns (uint256 taken, uint256 owed, uint256 forgiven) {
        (uint256 points, uint256 standing) = _takeOut(brandId, baseAmount, given, root);
        (taken, owed, forgiven) = ILoyaltyToken(token).takeBack(
            given.member, points, given.expiryEpoch, given.shortfall == uint256(Shortfall.Debt)
        );
        // What is forgiven is part of what was to be taken.
        unchecked {
            _free(brandId, given, points - forgiven);
        }

        emit Returned(
            brandId,
            given.operationId,
            given.member,
            returnId,
            AwardTree.amounts(baseAmount, standing, taken, owed, forgiven)
        );
    }

    /// @dev Spends an operation id, or refuses it.
    function _spend(uint256 brandId, uint256 operationId) private {
        uint256 bit = 1 << (operationId & 0xff);
        Words.Word storage word = Words.at(_operations[brandId], operationId >> 8);
        uint256 bits = word.value;
        if (bits & bit != 0) revert OperationUsed(brandId, operationId);

        word.value = bits | bit;
    }

    /// @dev Counts what comes back of an award that is the brand's.
    /// @return points What the award stood at above that. @return standing What it stands at now.
    function _takeOut(uint256 brandId, uint256 baseAmount, AwardTree.Award memory given, bytes32 root)
        private
        returns (uint256 points, uint256 standing)
    {
        uint256 word = rootOf[brandId][root];
        if (word == 0) revert AwardUnknown(brandId, given.operationId);
        _checkWindow(given.awardedAt, given.returnWindow);
        uint256 bit = 1 << given.place;
        if (word & bit != 0) revert ReturnExceedsAward(baseAmount, 0);
        Words.Word storage parts = Words.at(returnedOf[brandId], given.operationId);
        uint256 back = parts.value;
        uint256 before;
        // Parts are together less than the whole: the last one sets the bit. No more comes back than is left.
        unchecked {
            uint256 left = given.baseAmount - back;
            if (baseAmount > left) revert ReturnExceedsAward(baseAmount, left);
            if (baseAmount == 0 && left != 0) revert BaseAmountMissing();

            if (baseAmount == left) rootOf[brandId][root] = word | bit;
            else parts.value = back + baseAmount;

            // The whole award stands at its points, also one for nothing; what is wholly back at none.
            standing = RuleCode.standing(given.rate, given.points, left - baseAmount);
            before = back == 0 ? given.points : RuleCode.standing(given.rate, given.points, left);
        }
        // Falls with what was kept; checked all the same, so that no return can take more than the award gave.
        points = before - standing;
    }

    function _checkWindow(uint256 awardedAt, uint256 window) private view {
        // 40 and 32 bits.
        unchecked {
            uint256 until = awardedAt + window;
            if (block.timestamp > until) revert ReturnTooLate(until, block.timestamp);
        }
    }

    /// @dev What was taken, or is owed, may be awarded again: of the budget, and of the member's day if it is that day's.
    function _free(uint256 brandId, AwardTree.Award memory given, uint256 points) private {
        if (points == 0) return;
        RuleCode.Code storage code = _rules[brandId][given.ruleId].code;
        uint256 life = code.life;
        // Every award has added its points to `spent`, and gives back at most these.
        unchecked {
            code.life = RuleCode.withSpent(life, RuleCode.spent(life) - points);
        }
        if (RuleCode.capPerMemberDay(given.rate) == 0) return;
        uint256 dayAndPoints = _memberDays[brandId][given.ruleId][given.member];
        if (dayAndPoints & type(uint32).max != RuleCode.day(given.awardedAt, given.dayStart)) return;
        _memberDays[brandId][given.ruleId][given.member] = dayAndPoints - (points << DAY_BITS);
    }

    /// @dev The second signature, by a holder of the owner's role that waits for nothing, and not the caller's.
    function _checkSecond(
        uint256 brandId,
        Item calldata item,
        address signer,
        uint256 deadline,
        bytes calldata signature
    ) private {
        if (block.timestamp > deadline) revert IAuthorised.AuthorisationExpired(deadline, block.timestamp);
        uint64 owner = Roles.id(brandId, Roles.OWNER);
        (bool isOwner, uint256 delay) = _standing(owner, signer);
        if (!isOwner || delay > 0) revert RoleMissing(signer, owner);
        bytes32 structHash = keccak256(
            abi.encode(
                CORRECTION_TYPEHASH, brandId, item.operationId, item.ruleId, item.member, item.baseAmount, deadline
            )
        );
        if (signer == msg.sender || !_isSigned(signer, MessageHashUtils.toTypedDataHash(_domainSeparator(), structHash), signature)) {
            revert IAuthorised.SignatureInvalid(signer);
        }
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
        // Every Correction has a cap per member and day.
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
        if (RuleCode.isCorrection(run.rate) && !run.signed && points > RuleCode.secondAbove(run.more)) {
            return abi.encodeWithSelector(SecondSignatureMissing.selector, points, RuleCode.secondAbove(run.more));
        }
        uint256 cap = RuleCode.capPerMemberDay(run.rate);
        if (cap != 0) {
            uint256 left = _less(cap, _spentToday(run.brandId, run.ruleId, member, run.more));
            if (points > left) return abi.encodeWithSelector(MemberCapExceeded.selector, points, left);
        }
        uint256 remaining = _less(run.budget, run.spent);
        if (points > remaining) return abi.encodeWithSelector(BudgetExceeded.selector, points, remaining);
        if (points > run.room) return abi.encodeWithSelector(SupplyExceeded.selector, points, run.room);
    }

    /// @dev Counts an item that `_assess` let pass: in memory what the run holds, in storage the member's day.
    function _count(Run memory run, Item calldata item, uint256 points) private {
        uint256 operationId = item.operationId;
        address member = item.member;
        // `_assess` held points against what is free of budget (56 bits) and room.
        unchecked {
            run.bits |= 1 << (operationId & 0xff);
            run.bitsChanged = true;
            run.spent += points;
            run.room -= points;
            run.free -= points;
        }
        uint256 word = item.baseAmount | (points << AwardTree.POINTS_AT) | run.ruleTail;

        _tell(run.brandId, operationId, member, word);

        if (points == 0) return;
        if (RuleCode.capPerMemberDay(run.rate) != 0) _countDay(run, member, points);
        uint256 account = uint256(uint160(member)) << 96;
        _push(run.lines, account | points);
        uint256 tail = run.termsTail;
        if (tail == 0) return;
        (uint256[] memory leaves, uint256 data) = (run.leaves, run.leaf);
        account |= run.lotTail;
        word |= tail | (leaves.length << AwardTree.PLACE_AT);
        // As AwardTree.leaf, and `_push`: every gas here counts for every award.
        assembly ("memory-safe") {
            mstore(data, operationId)
            mstore(add(data, 0x20), account)
            mstore(add(data, 0x40), word)
            let count := add(mload(leaves), 1)
            mstore(leaves, count)
            mstore(add(leaves, shl(5, count)), keccak256(data, 0x80))
        }
    }

    /// @dev What `_turnTo`, `_assess` and `_count` do, for the items from `first` on that turn nothing, meet no limit and
    /// earn by a plain rate: a fifth of their steps, which on an interpreter are the time of a batch. The first item that
    /// is another is left to them.
    /// @return counted How many. @return sum Their points.
    function _countPlain(Run memory run, Item[] calldata items, uint256 first)
        private
        returns (uint256 counted, uint256 sum)
    {
        uint256 at;
        uint256 end;
        assembly ("memory-safe") {
            at := add(items.offset, shl(7, first))
            end := add(items.offset, shl(7, items.length))
        }
        (at, sum) = _countFrom(run, at, end, DESK);
        assembly ("memory-safe") {
            counted := sub(shr(7, sub(at, items.offset)), first)
        }
    }

    /// @dev As `_countPlain`, by where the items lie. @return next Where the first one lies that is left.
    function _countFrom(Run memory run, uint256 at, uint256 end, address desk)
        private
        returns (uint256 next, uint256 sum)
    {
        bytes32 topic = Awarded.selector;
        assembly ("memory-safe") {
            for {} lt(at, end) { at := add(at, 0x80) } {
                let operationId := calldataload(at)
                let member := calldataload(add(at, 0x40))
                let base := calldataload(add(at, 0x60))
                let points
                {
                    let bits := mload(add(run, BITS_AT))
                    let bit := shl(and(operationId, 0xff), 1)
                    // Another word of ids or another rule, an id that is used, a number too large, no receiver.
                    let unfit := xor(shr(8, operationId), mload(add(run, INDEX_AT)))
                    unfit := or(unfit, xor(calldataload(add(at, 0x20)), mload(add(run, RULE_ID_AT))))
                    unfit := or(unfit, or(and(bits, bit), or(shr(96, base), shr(160, member))))
                    unfit := or(unfit, or(iszero(member), or(eq(member, desk), eq(member, mload(add(run, TOKEN_AT))))))
                    // 96 and 48 bits. By a denominator of 0 it gives 0.
                    points := div(mul(base, mload(add(run, NUMERATOR_AT))), mload(add(run, DENOMINATOR_AT)))
                    if gt(points, mload(add(run, CEILING_AT))) { points := mload(add(run, CEILING_AT)) }
                    if or(unfit, or(iszero(points), gt(points, mload(add(run, FREE_AT))))) { break }
                    mstore(add(run, BITS_AT), or(bits, bit))
                }
                sum := add(sum, points)
                mstore(add(run, FREE_AT), sub(mload(add(run, FREE_AT)), points))
                base := or(or(base, shl(96, points)), mload(add(run, RULE_TAIL_AT)))
                mstore(0, base)
                log4(0, 0x20, topic, mload(run), operationId, member)
                member := shl(96, member)
                {
                    let list := mload(add(run, LINES_AT))
                    let count := add(mload(list), 1)
                    mstore(list, count)
                    mstore(add(list, shl(5, count)), or(member, points))
                }
                // From here on `points` are the terms' part of a leaf.
                points := mload(add(run, TERMS_TAIL_AT))
                if points {
                    let list := mload(add(run, LEAVES_AT))
                    let count := mload(list)
                    points := or(points, shl(240, count))
                    count := add(count, 1)
                    mstore(list, count)
                    list := add(list, shl(5, count))
                    count := mload(add(run, LEAF_AT))
                    mstore(count, operationId)
                    mstore(add(count, 0x20), or(member, mload(add(run, LOT_TAIL_AT))))
                    mstore(add(count, 0x40), or(base, points))
                    mstore(list, keccak256(count, 0x80))
                }
            }
            next := at
        }
        if (sum == 0) return (next, 0);
        // `free` was held against each; what it is of is counted once for all.
        unchecked {
            run.bitsChanged = true;
            run.spent += sum;
            run.room -= sum;
        }
    }

    /// @dev `Awarded`, without the encoder's way through free memory.
    function _tell(uint256 brandId, uint256 operationId, address member, uint256 word) private {
        bytes32 topic = Awarded.selector;
        assembly ("memory-safe") {
            mstore(0, word)
            log4(0, 0x20, topic, brandId, operationId, member)
        }
    }

    function _countDay(Run memory run, address member, uint256 points) private {
        uint256 used = _spentToday(run.brandId, run.ruleId, member, run.more) + points;
        uint256 today = RuleCode.day(block.timestamp, RuleCode.dayStart(run.more));
        _memberDays[run.brandId][run.ruleId][member] = today | (used << DAY_BITS);
    }

    /* A RUN */

    function _begin(uint256 brandId) private view returns (Run memory run) {
        run.brandId = brandId;
        run.token = REGISTRY.issuingToken(brandId);
        (run.expiryEpoch, run.room) = ILoyaltyToken(run.token).mintLot();
        run.leaf = AwardTree.room();
        // No word has this index: operation ids are below 2^256, their words below 2^248.
        run.index = type(uint256).max;
    }

    /// @dev Makes room for `items` lines and leaves. Before the lines lie the two words that make them the calldata of
    /// `mintBatch`, so that nothing is copied.
    function _makeRoom(Run memory run, uint256 items) private pure {
        uint256[] memory lines;
        uint256[] memory leaves;
        uint32 selector = uint32(ILoyaltyToken.mintBatch.selector);
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, selector)
            mstore(add(data, 0x20), 0x20)
            lines := add(data, 0x40)
            mstore(lines, 0)
            leaves := add(lines, add(0x20, shl(5, items)))
            mstore(leaves, 0)
            // Eight words more than leaves: AwardTree.root wants them.
            mstore(0x40, add(leaves, add(0x120, shl(5, items))))
        }
        run.lines = lines;
        run.leaves = leaves;
    }

    /// @dev Adds to an array of `_makeRoom`, which has room for every item.
    function _push(uint256[] memory list, uint256 value) private pure {
        assembly ("memory-safe") {
            let count := add(mload(list), 1)
            mstore(list, count)
            mstore(add(list, shl(5, count)), value)
        }
    }

    /// @dev Writes what the run changed, commits what may come back, and mints.
    function _end(Run memory run) private {
        _writeRule(run);
        _writeBits(run);
        uint256 leaves = run.leaves.length;
        if (leaves > 0) {
            bytes32 root = AwardTree.root(run.leaves);
            rootOf[run.brandId][root] = COMMITTED;

            emit AwardsCommitted(run.brandId, root, leaves);
        }
        if (run.lines.length > 0) _mint(run.token, run.lines);
    }

    /// @dev `mintBatch`, with the lines where they lie.
    function _mint(address token, uint256[] memory lines) private {
        assembly ("memory-safe") {
            let done := call(gas(), token, 0, sub(lines, 0x24), add(0x44, shl(5, mload(lines))), 0, 0)
            if iszero(done) {
                let data := mload(0x40)
                returndatacopy(data, 0, returndatasize())
                revert(data, returndatasize())
            }
        }
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
        run.more = rule.more;
        run.promoted = _isDue(run.life);
        if (run.promoted) {
            run.rate = rule.pending.rate;
            run.more = rule.pendingMore;
            run.life = RuleCode.promoted(run.life, rule.pending.life);
        }
        run.version = RuleCode.version(run.life);
        run.ruleTail = AwardTree.ruleTail(ruleId, run.version);
        AwardTree.setRate(run.leaf, run.rate);
        uint256 window = RuleCode.returnWindow(run.more);
        run.termsTail = window == 0 ? 0 : AwardTree.termsTail(window, RuleCode.shortfall(run.more));
        run.lotTail = AwardTree.lotTail(run.expiryEpoch, RuleCode.dayStart(run.more));
        // An unknown rule's window is 0 to 0: shut.
        run.inWindow = block.timestamp >= RuleCode.start(run.life) && block.timestamp < RuleCode.end(run.life);
        run.budget = RuleCode.budget(run.life);
        run.spent = RuleCode.spent(run.life);
        uint256 remaining = _less(run.budget, run.spent);
        run.free = remaining < run.room ? remaining : run.room;
        (run.numerator, run.denominator) = run.inWindow ? RuleCode.plainRate(run.rate) : (0, 0);
        uint256 cap = RuleCode.capPerAward(run.rate);
        run.ceiling = cap == 0 ? type(uint256).max : cap;
    }

    function _writeRule(Run memory run) private {
        if (!run.promoted && run.spent == RuleCode.spent(run.life)) return;
        Rule storage rule = _rules[run.brandId][run.ruleId];
        rule.code.life = RuleCode.withSpent(run.life, run.spent);
        if (!run.promoted) return;
        rule.code.rate = run.rate;
        rule.more = run.more;
        rule.code.activity = rule.pending.activity;
        rule.code.textHash = rule.pending.textHash;
    }

    /* RULES */

    function _isDue(uint256 life) private view returns (bool) {
        uint256 changeAt = RuleCode.changeAt(life);
        return changeAt != 0 && block.timestamp >= changeAt;
    }

    /// @dev The code in force at this second. Reverts with RuleUnknown.
    function _inForce(uint256 brandId, uint256 ruleId)
        private
        view
        returns (RuleCode.Code memory code, uint256 more)
    {
        Rule storage rule = _rules[brandId][ruleId];
        (code, more) = (rule.code, rule.more);
        if (RuleCode.version(code.life) == 0) revert RuleUnknown(brandId, ruleId);
        if (_isDue(code.life)) {
            uint256 old = code.life;
            (code, more) = (rule.pending, rule.pendingMore);
            code.life = RuleCode.promoted(old, code.life);
        }
    }

    /// @dev As `_inForce`, and puts a change that is due in its place.
    function _settle(uint256 brandId, uint256 ruleId) private returns (RuleCode.Code memory code) {
        uint256 more;
        (code, more) = _inForce(brandId, ruleId);
        Rule storage rule = _rules[brandId][ruleId];
        (rule.code, rule.more) = (code, more);
    }

    function _spentToday(uint256 brandId, uint256 ruleId, address member, uint256 more)
        private
        view
        returns (uint256)
    {
        uint256 dayAndPoints = _memberDays[brandId][ruleId][member];
        uint256 today = RuleCode.day(block.timestamp, RuleCode.dayStart(more));
        return dayAndPoints & type(uint32).max == today ? dayAndPoints >> DAY_BITS : 0;
    }

    /// @dev The terms' own bounds, and that no point of an award can expire while it may come back.
    function _checkTerms(uint256 brandId, Terms calldata terms) private view {
        RuleCode.check(terms);
        if (terms.returnWindow > 0 && terms.returnWindow > ILoyaltyToken(REGISTRY.tokenOf(brandId)).leastLife()) {
            revert RuleTermsInvalid("returnWindow");
        }
    }

    /// @dev a - b, or 0: a change may have lowered a limit below what was used already.
    function _less(uint256 a, uint256 b) private pure returns (uint256) {
        // Compared first.
        unchecked {
            return a > b ? a - b : 0;
        }
    }

    function _domainSeparator() private view returns (bytes32) {
        return keccak256(
            abi.encode(
                DOMAIN_TYPEHASH, keccak256("Moa RewardRules"), keccak256("1"), block.chainid, address(this)
            )
        );
    }

    function _revertWith(bytes memory reason) private pure {
        assembly ("memory-safe") {
            revert(add(reason, 32), mload(reason))
        }
    }
}
