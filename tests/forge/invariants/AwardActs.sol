// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRewardRules} from "../../../contracts/interfaces/IRewardRules.sol";
import {Acts} from "./Acts.sol";

/// @title Brands award by their rules, single and in batches, with bad items among good ones.
abstract contract AwardActs is Acts {
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
        _count(brandId, item, value);
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
        for (uint256 i = 0; i < items.length; ++i) {
            (bool counts, uint256 value) = _assess(brandId, items[i]);
            if (!counts) continue;
            _count(brandId, items[i], value);
            ++awarded;
            sum += value;
        }
        (uint256 awardedThere, uint256 sumThere) = abi.decode(result, (uint256, uint256));
        vm.assertEq(awardedThere, awarded, "a bad item is refused alone, an operation counts once");
        vm.assertEq(sumThere, sum, "a batch pays what its rules say");
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
        uint256 today = dayPoints[brandId][item.ruleId][item.member][block.timestamp / 1 days];
        if (terms.capPerMemberDay > 0 && today + value > terms.capPerMemberDay) return (false, 0);
        if (value > 0 && spent[brandId][item.ruleId] + value > terms.budget) return (false, 0);
        return (minted[brandId][mintEpoch(brandId)] + value <= LOT_MAX, value);
    }

    function _count(uint256 brandId, IRewardRules.Item memory item, uint256 value) private {
        counted[brandId][item.operationId] = true;
        ++operations[brandId];
        spent[brandId][item.ruleId] += value;
        if (_termsOf(brandId, item.ruleId).capPerMemberDay > 0) {
            dayPoints[brandId][item.ruleId][item.member][block.timestamp / 1 days] += value;
        }
        mintOne(brandId, item.member, mintEpoch(brandId), value);
    }
}
