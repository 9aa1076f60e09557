// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRewardRules} from "../../../contracts/interfaces/IRewardRules.sol";
import {Returning} from "../support/Returning.sol";
import {Acts} from "./Acts.sol";

/// @title Brands award by their rules, single and in batches, with bad items among good ones; and goods come back.
abstract contract AwardActs is Acts, Returning {
    mapping(uint256 brandId => IRewardRules.Terms[] terms) internal ruleTerms;
    mapping(uint256 brandId => mapping(uint256 ruleId => uint256 points)) internal spent;
    /// @dev The highest budget that a rule ever had: a change may lower it below what is spent.
    mapping(uint256 brandId => mapping(uint256 ruleId => uint256 points)) internal highestBudget;
    mapping(uint256 brandId => mapping(uint256 operationId => bool counted)) internal counted;
    mapping(uint256 brandId => uint256 count) private operations;
    mapping(uint256 brandId => mapping(uint256 ruleId => mapping(address member => mapping(uint256 day => uint256))))
        internal dayPoints;
    /// @dev A change that waits: its terms, and from when on they count.
    mapping(uint256 brandId => mapping(uint256 ruleId => IRewardRules.Terms)) private waiting;
    mapping(uint256 brandId => mapping(uint256 ruleId => uint256 inForceAt)) private waitingUntil;

    /// @dev Points that a member owes a brand, and what its kept goods pay it: balance less debt, whatever the order.
    mapping(uint256 brandId => mapping(address member => uint256 points)) internal owes;
    /// @dev Who came to owe a brand last: buys there again now and then.
    mapping(uint256 brandId => address member) private lastDebtor;
    /// @dev The awards that may come back: of a call all lie one after another, from `firstOf` on.
    Kept[] private keptAwards;
    mapping(uint256 index => uint256 first) private firstOf;
    mapping(uint256 index => uint256 size) private sizeOf;
    mapping(uint256 index => uint256 brandId) private brandOfKept;
    mapping(uint256 index => uint256 baseAmount) private backOf;
    mapping(uint256 index => bool whole) private wholeOf;

    function awardOne(uint256 seed) external act(seed) {
        uint256 brandId = rollBrand();
        IRewardRules.Item memory item = _rollItem(brandId);
        address sender = roll(16) == 0 ? till(brandId) : RELAYER;
        (bool fine, uint256 value) = _assess(brandId, item);
        fine = fine && sender == RELAYER && issuing(brandId);
        bytes memory result =
            call(sender, address(rules), abi.encodeCall(IRewardRules.award, (brandId, item)), fine, "award");
        if (!fine) return;
        vm.assertEq(abi.decode(result, (uint256)), value, "an award pays what its rule says");
        uint256 first = keptAwards.length;
        _count(brandId, item, value, first);
        _closeCall(first);
    }

    function awardMany(uint256 seed) external act(seed) {
        uint256 brandId = rollBrand();
        IRewardRules.Item[] memory items = new IRewardRules.Item[](roll(8));
        for (uint256 i = 0; i < items.length; ++i) {
            items[i] = _rollItem(brandId);
        }
        address sender = roll(16) == 0 ? MALLORY : issuer(brandId);
        bool fine = sender != MALLORY && items.length > 0 && issuing(brandId);
        bytes memory data = abi.encodeCall(IRewardRules.awardBatch, (brandId, items));
        bytes memory result = call(sender, address(rules), data, fine, "awardBatch");
        if (!fine) return;
        uint256 awarded = 0;
        uint256 sum = 0;
        uint256 first = keptAwards.length;
        for (uint256 i = 0; i < items.length; ++i) {
            (bool counts, uint256 value) = _assess(brandId, items[i]);
            if (!counts) continue;
            _count(brandId, items[i], value, first);
            ++awarded;
            sum += value;
        }
        _closeCall(first);
        (uint256 awardedThere, uint256 sumThere) = abi.decode(result, (uint256, uint256));
        vm.assertEq(awardedThere, awarded, "a bad item is refused alone, an operation counts once");
        vm.assertEq(sumThere, sum, "a batch pays what its rules say");
    }

    /// @notice Goods come back: of any award that may, whole, in parts, too much, too late, twice, by another's till.
    function takeReturn(uint256 seed) external act(seed) {
        uint256 total = keptAwards.length;
        if (total == 0) return;
        // Mostly of the last awards: the window of the first is over.
        uint256 index = roll(3) == 0 ? roll(total) : total - 1 - roll(total < 12 ? total : 12);
        uint256 brandId = brandOfKept[index];
        Kept memory kept = keptAwards[index];
        uint256 left = wholeOf[index] ? 0 : kept.item.baseAmount - backOf[index];
        uint256 base = roll(4) == 0 ? left : roll(left + 2);
        uint256 returnId = roll(12) == 0 ? kept.item.operationId : 5_000_000 + times[keccak256("takeReturn")];
        address sender = roll(12) == 0 ? issuer(brandId) : till(brandId);
        bool fine = sender == till(brandId) && issuing(brandId) && !counted[brandId][returnId] && !wholeOf[index]
            && block.timestamp <= kept.awardedAt + kept.terms.returnWindow && base <= left && (base > 0 || left == 0);
        bytes memory result = call(sender, address(rules), _returnCall(index, brandId, returnId, base), fine, "takeReturn");
        if (!fine) return;
        counted[brandId][returnId] = true;
        _takeBack(index, brandId, kept, base, left, abi.decode(result, (uint256)));
    }

    function _returnCall(uint256 index, uint256 brandId, uint256 returnId, uint256 base)
        private
        view
        returns (bytes memory)
    {
        uint256 first = firstOf[index];
        Kept[] memory calls = new Kept[](sizeOf[first]);
        for (uint256 i = 0; i < calls.length; ++i) {
            calls[i] = keptAwards[first + i];
        }
        (uint256[4] memory words, bytes32[] memory proof) = provenOf(calls, index - first);
        return abi.encodeCall(IRewardRules.takeReturn, (brandId, returnId, base, words, proof));
    }

    function _takeBack(uint256 index, uint256 brandId, Kept memory kept, uint256 base, uint256 left, uint256 taken)
        private
    {
        uint256 before = backOf[index] == 0 ? kept.points : standing(kept.terms, left);
        uint256 value = before - standing(kept.terms, left - base);
        if (base == left) wholeOf[index] = true;
        else backOf[index] += base;
        address member = kept.item.member;
        uint256 missing = value;
        // Its own lot first, then the latest.
        missing -= _burnFrom(brandId, member, kept.expiryEpoch, missing);
        for (uint256 k = WINDOW; k > 0; --k) {
            missing -= _burnFrom(brandId, member, clock(brandId) + k, missing);
        }
        vm.assertEq(taken, value - missing, "a return takes what is there");
        bool owe = kept.terms.shortfall == IRewardRules.Shortfall.Debt;
        if (owe) owes[brandId][member] += missing;
        if (owe && missing > 0) lastDebtor[brandId] = member;
        uint256 freed = owe ? value : value - missing;
        spent[brandId][kept.item.ruleId] -= freed;
        if (kept.terms.capPerMemberDay > 0) {
            dayPoints[brandId][kept.item.ruleId][member][_dayOf(kept.terms, kept.awardedAt)] -= freed;
        }
    }

    function _burnFrom(uint256 brandId, address member, uint256 epoch, uint256 wanted) private returns (uint256 part) {
        if (epoch <= clock(brandId)) return 0;
        part = points[brandId][member][epoch];
        if (part > wanted) part = wanted;
        points[brandId][member][epoch] -= part;
        minted[brandId][epoch] -= part;
    }

    /// @dev All that were kept since `first` are leaves of one tree.
    function _closeCall(uint256 first) private {
        if (keptAwards.length > first) sizeOf[first] = keptAwards.length - first;
    }

    function _keep(uint256 brandId, IRewardRules.Item memory item, uint256 value, uint256 first) private {
        IRewardRules.Terms memory terms = _termsOf(brandId, item.ruleId);
        if (terms.returnWindow == 0 || value == 0) return;
        (, uint256 version,) = rules.ruleOf(brandId, item.ruleId);
        uint256 index = keptAwards.length;
        keptAwards.push(
            Kept(item, terms, version, value, mintEpoch(brandId), block.timestamp, index - first)
        );
        (firstOf[index], brandOfKept[index]) = (first, brandId);
    }

    function _dayOf(IRewardRules.Terms memory terms, uint256 at) private pure returns (uint256) {
        return (at - terms.dayStart) / 1 days;
    }

    function changeRule(uint256 seed) external act(seed) {
        uint256 brandId = rollBrand();
        uint256 ruleId = 1 + roll(ruleTerms[brandId].length);
        IRewardRules.Terms memory terms = _termsOf(brandId, ruleId);
        terms.numerator = 1 + roll(5);
        // Possibly below what is spent already: then nothing more is awarded.
        if (terms.budget < 1e9) terms.budget = roll(8e6);
        bool free_ = waitingUntil[brandId][ruleId] <= block.timestamp;
        bytes memory data = abi.encodeCall(IRewardRules.announceChange, (brandId, ruleId, terms));
        call(owner(brandId), address(rules), data, free_, "announceChange");
        if (!free_) return;
        ruleTerms[brandId][ruleId - 1] = _termsOf(brandId, ruleId);
        waiting[brandId][ruleId] = terms;
        if (terms.budget > highestBudget[brandId][ruleId]) highestBudget[brandId][ruleId] = terms.budget;
        waitingUntil[brandId][ruleId] = block.timestamp + terms.noticeSeconds;
    }

    function _rollItem(uint256 brandId) private returns (IRewardRules.Item memory item) {
        // Ids grow as a gateway's do, from below the edge of a bitmap word; some come twice. Rules that do not exist as well.
        item.operationId = 236 + operations[brandId] + roll(20);
        item.ruleId = 1 + roll(ruleTerms[brandId].length + (roll(8) == 0 ? 1 : 0));
        uint256 who = roll(20);
        item.member = who == 0 ? address(0) : who == 1 ? address(desk) : who == 2 ? MALLORY : members[who % MEMBERS];
        if (who > 16 && lastDebtor[brandId] != address(0)) item.member = lastDebtor[brandId];
        item.baseAmount = roll(20_000);
        if (roll(24) == 0) item.baseAmount = 2 ** 96;
        // Fills a lot with two; where nothing expires, for good.
        if (brandId != CAFE && roll(brandId == BOOKS ? 40 : 400) == 0) item.baseAmount = 2 ** 47 + roll(2 ** 47);
    }

    function _termsOf(uint256 brandId, uint256 ruleId) private view returns (IRewardRules.Terms memory) {
        uint256 at = waitingUntil[brandId][ruleId];
        return at != 0 && at <= block.timestamp ? waiting[brandId][ruleId] : ruleTerms[brandId][ruleId - 1];
    }

    /// @dev Would the item count now, and for how many points? Division and remainder by hand.
    function _assess(uint256 brandId, IRewardRules.Item memory item) private view returns (bool, uint256 value) {
        if (counted[brandId][item.operationId]) return (false, 0);
        if (item.member == address(0) || item.member == address(desk)) return (false, 0);
        if (item.ruleId > ruleTerms[brandId].length) return (false, 0);
        IRewardRules.Terms memory terms = _termsOf(brandId, item.ruleId);
        if (block.timestamp < terms.start || block.timestamp >= terms.end) return (false, 0);
        if (item.baseAmount >= 2 ** 96) return (false, 0);
        value = terms.numerator;
        if (terms.kind == IRewardRules.Kind.Rate) {
            uint256 product = item.baseAmount * terms.numerator;
            uint256 remainder = product % terms.denominator;
            value = (product - remainder) / terms.denominator;
            if (terms.rounding == IRewardRules.Rounding.Up && remainder > 0) ++value;
            if (terms.rounding == IRewardRules.Rounding.Nearest && remainder * 2 >= terms.denominator) ++value;
        }
        if (terms.capPerAward > 0 && value > terms.capPerAward) value = terms.capPerAward;
        if (value > LOT_MAX) return (false, 0);
        uint256 today = dayPoints[brandId][item.ruleId][item.member][_dayOf(terms, block.timestamp)];
        if (terms.capPerMemberDay > 0 && today + value > terms.capPerMemberDay) return (false, 0);
        if (value > 0 && spent[brandId][item.ruleId] + value > terms.budget) return (false, 0);
        return (minted[brandId][mintEpoch(brandId)] + value <= LOT_MAX, value);
    }

    function _count(uint256 brandId, IRewardRules.Item memory item, uint256 value, uint256 first) private {
        counted[brandId][item.operationId] = true;
        ++operations[brandId];
        spent[brandId][item.ruleId] += value;
        IRewardRules.Terms memory terms = _termsOf(brandId, item.ruleId);
        if (terms.capPerMemberDay > 0) {
            dayPoints[brandId][item.ruleId][item.member][_dayOf(terms, block.timestamp)] += value;
        }
        _keep(brandId, item, value, first);
        // A debt is paid first.
        uint256 pays = owes[brandId][item.member];
        if (pays > value) pays = value;
        owes[brandId][item.member] -= pays;
        if (pays > 0) ++times[keccak256("debt paid")];
        mintOne(brandId, item.member, mintEpoch(brandId), value - pays);
    }
}
