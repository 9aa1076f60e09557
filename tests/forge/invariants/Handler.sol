// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ILoyaltyToken} from "../../../contracts/interfaces/ILoyaltyToken.sol";
import {IRewardRules} from "../../../contracts/interfaces/IRewardRules.sol";
import {IRedemptionDesk} from "../../../contracts/interfaces/IRedemptionDesk.sol";
import {IPartnerExchange} from "../../../contracts/interfaces/IPartnerExchange.sol";
import {IClearingHouse} from "../../../contracts/interfaces/IClearingHouse.sol";
import {AuthorityActs} from "./AuthorityActs.sol";

/// @title What forge calls in any order, and the comparison of the contracts with the model after each call.
contract Handler is AuthorityActs {
    constructor() {
        build();
        for (uint256 i = 0; i < MEMBERS; ++i) {
            actors.push(members[i]);
        }
        actors.push(MALLORY);
        actors.push(address(exchange));
        actors.push(address(desk));
        policy[CAFE] = ILoyaltyToken.Policy.Open;
        policy[BOOKS] = ILoyaltyToken.Policy.AllowList;
        listedUntil[BOOKS][members[0]] = listedUntil[BOOKS][members[2]] = type(uint256).max;
        _publishAll();
        _agreeAll();
        for (uint256 brandId = 1; brandId <= BRANDS; ++brandId) {
            collateral(brandId, 15_000);
            deposited[brandId] = 15_000;
        }
    }

    /// @dev What forge may call; what makes the books interesting more often than the rest.
    function acts() external pure returns (bytes4[] memory list) {
        list = new bytes4[](41);
        (list[0], list[1], list[2]) = (this.wait.selector, this.wait.selector, this.standing.selector);
        (list[3], list[4], list[5]) = (this.awardOne.selector, this.awardMany.selector, this.awardMany.selector);
        (list[6], list[7], list[8]) = (this.transfer.selector, this.transferFrom.selector, this.approve.selector);
        (list[9], list[10]) = (this.transferWithAuthorisation.selector, this.leave.selector);
        (list[11], list[12]) = (this.hold.selector, this.capture.selector);
        (list[13], list[14]) = (this.release.selector, this.refund.selector);
        (list[15], list[16]) = (this.exchangePoints.selector, this.payAtPartner.selector);
        (list[17], list[18]) = (this.unwind.selector, this.net.selector);
        (list[19], list[20]) = (this.settle.selector, this.deposit.selector);
        (list[21], list[22]) = (this.withdraw.selector, this.declareDefault.selector);
        (list[23], list[24]) = (this.cureDefault.selector, this.attack.selector);
        (list[25], list[26], list[27]) = (this.rare.selector, this.hold.selector, this.hold.selector);
        (list[28], list[29]) = (this.capture.selector, this.exchangePoints.selector);
        list[30] = this.declareDefault.selector;
        (list[31], list[32], list[33]) = (this.takeReturn.selector, this.takeReturn.selector, this.awardMany.selector);
        (list[34], list[35], list[36]) = (this.awardMany.selector, this.awardMany.selector, this.awardOne.selector);
        (list[37], list[38], list[39]) =
            (this.exchangePoints.selector, this.payAtPartner.selector, this.cureDefault.selector);
        list[40] = this.unwind.selector;
    }

    /// @dev Rare acts take turns in one place of the list.
    function rare(uint256 seed) external {
        if (seed % 4 == 0) this.setPolicy(seed);
        else if (seed % 4 == 1) this.changeRule(seed);
        else if (seed % 4 == 2) this.changeAgreement(seed);
        else this.cancel(seed);
    }

    function _publishAll() private {
        IRewardRules.Terms memory terms = rateRule(3, 2, IRewardRules.Rounding.Down);
        (terms.budget, terms.returnWindow, terms.shortfall) = (4_000_000, 9 days, IRewardRules.Shortfall.Debt);
        _publish(CAFE, terms);
        terms = rateRule(50, 1, IRewardRules.Rounding.Down);
        (terms.kind, terms.capPerMemberDay, terms.budget) = (IRewardRules.Kind.Fixed, 120, 2_000);
        (terms.returnWindow, terms.dayStart) = (12 days, 54_000);
        _publish(CAFE, terms);
        terms = rateRule(1, 3, IRewardRules.Rounding.Nearest);
        (terms.capPerAward, terms.budget, terms.end) = (900, 8_000_000, block.timestamp + 120 days);
        (terms.returnWindow, terms.shortfall) = (8 days, IRewardRules.Shortfall.Debt);
        _publish(CAFE, terms);
        terms = rateRule(7, 10, IRewardRules.Rounding.Up);
        (terms.returnWindow, terms.shortfall) = (15 hours, IRewardRules.Shortfall.Debt);
        _publish(BOOKS, terms);
        terms = rateRule(1, 1, IRewardRules.Rounding.Down);
        terms.returnWindow = 100 days;
        _publish(GALLERY, terms);
    }

    function _publish(uint256 brandId, IRewardRules.Terms memory terms) private {
        highestBudget[brandId][publish(brandId, terms)] = terms.budget;
        ruleTerms[brandId].push(terms);
    }

    function _agreeAll() private {
        _agree(CAFE, GALLERY, IPartnerExchange.Terms(3, 7, 125, 40_000, 20_000, 2, 3, 1 days, 3, 30 days));
        _agree(GALLERY, BOOKS, IPartnerExchange.Terms(10, 3, 0, 60_000, 30_000, 1, 7, 1 days, 1, 30 days));
        _agree(BOOKS, CAFE, IPartnerExchange.Terms(1, 1, 5_000, 50_000, 25_000, 1, 1, 1 days, 1, 2 days));
    }

    function _agree(uint256 fromBrandId, uint256 toBrandId, IPartnerExchange.Terms memory terms) private {
        agree(fromBrandId, toBrandId, terms);
        AgreementModel storage agreement = agreements.push();
        (agreement.fromBrandId, agreement.toBrandId) = (fromBrandId, toBrandId);
        (agreement.terms, agreement.version, agreement.highestCap) = (terms, 1, terms.dailyCap);
    }

    /* THE INVARIANTS */

    function check() external view {
        for (uint256 brandId = 1; brandId <= BRANDS; ++brandId) {
            _checkLots(brandId);
            _checkRules(brandId);
            _checkBooks(brandId);
        }
        _checkHolds();
        _checkNetting();
        for (uint256 i = 0; i < agreements.length; ++i) {
            uint256 used = exchange.usedToday(i + 1);
            vm.assertEq(used, usedToday(agreements[i].fromBrandId, agreements[i].toBrandId), "used of the day's cap");
            vm.assertLe(used, agreements[i].highestCap, "an exchange's daily cap is exceeded");
        }
    }

    /// @dev Supply = sum of balances per expiry bucket, nobody has what the model does not know, nothing expired counts.
    function _checkLots(uint256 brandId) private view {
        uint256 first = clock(brandId) + 1;
        uint256[16] memory sums;
        uint256 total = 0;
        for (uint256 i = 0; i < actors.length; ++i) {
            ILoyaltyToken.Lot[] memory lots = token(brandId).lotsOf(actors[i]);
            uint256 balance = 0;
            for (uint256 k = 0; k < lots.length; ++k) {
                uint256 epoch = lots[k].expiryEpoch;
                vm.assertTrue(lots[k].expiresAt > block.timestamp, "an expired lot counts");
                vm.assertTrue(k == 0 || epoch > lots[k - 1].expiryEpoch, "lots are not oldest first");
                sums[epoch - first] += lots[k].points;
                balance += lots[k].points;
                vm.assertEq(lots[k].points, points[brandId][actors[i]][epoch], "a lot is not what the acts made it");
            }
            vm.assertEq(balance, free(brandId, actors[i]), "a member's points changed without a rule or a word");
            vm.assertEq(token(brandId).balanceOf(actors[i]), balance, "balance = sum of lots");
            vm.assertEq(token(brandId).debtOf(actors[i]), owes[brandId][actors[i]], "a debt is what was missing");
            total += balance;
        }
        _checkSupply(brandId, first, sums, total);
    }

    function _checkSupply(uint256 brandId, uint256 first, uint256[16] memory sums, uint256 total) private view {
        vm.assertEq(token(brandId).totalSupply(), total, "supply = sum of balances");
        ILoyaltyToken.Lot[] memory lots = token(brandId).supplyByExpiry();
        for (uint256 k = 0; k < lots.length; ++k) {
            vm.assertEq(lots[k].points, sums[lots[k].expiryEpoch - first], "supply = sum of balances in every bucket");
            sums[lots[k].expiryEpoch - first] = 0;
        }
        for (uint256 k = 0; k < WINDOW; ++k) {
            vm.assertEq(sums[k], 0, "a bucket is missing in the supply");
        }
    }

    /// @dev Budgets are never exceeded, and the contract's count is the model's.
    function _checkRules(uint256 brandId) private view {
        for (uint256 ruleId = 1; ruleId <= ruleTerms[brandId].length; ++ruleId) {
            (,, uint256 spentThere) = rules.ruleOf(brandId, ruleId);
            vm.assertEq(spentThere, spent[brandId][ruleId], "spent of a rule's budget");
            vm.assertLe(spentThere, highestBudget[brandId][ruleId], "a budget is exceeded");
        }
    }

    /// @dev held + free = owned: the desk has, lot by lot, what open holds set aside and has not expired.
    function _checkHolds() private view {
        uint256[16][4] memory aside;
        for (uint256 i = 0; i < holds.length; ++i) {
            HoldModel storage h = holds[i];
            IRedemptionDesk.Hold memory there = desk.holdOf(h.id);
            vm.assertTrue(there.state == h.state, "state of a hold");
            vm.assertEq(there.captured, h.captured, "captured of a hold");
            vm.assertEq(there.refunded, h.refunded, "refunded of a hold");
            vm.assertEq(there.refundUntil, h.refundUntil, "a capture's refund window");
            vm.assertLe(there.captured, there.points, "captured more than held");
            vm.assertLe(there.refunded, there.captured, "refunded more than captured");
            if (h.state != IRedemptionDesk.State.Held) continue;
            vm.assertEq(keccak256(abi.encode(there.lots)), keccak256(abi.encode(pack(h.lots))), "lots of a hold");
            uint256 first = clock(h.brandId) + 1;
            for (uint256 k = 0; k < WINDOW; ++k) {
                uint256 epoch = h.lots.clock + 1 + k;
                if (epoch >= first) aside[h.brandId][epoch - first] += h.lots.points[k];
            }
        }
        for (uint256 brandId = 1; brandId <= BRANDS; ++brandId) {
            uint256 first = clock(brandId) + 1;
            for (uint256 k = 0; k < WINDOW; ++k) {
                vm.assertEq(points[brandId][address(desk)][first + k], aside[brandId][k], "held + free = owned");
            }
            for (uint256 i = 0; i < MEMBERS; ++i) {
                vm.assertEq(desk.heldOf(brandId, members[i]), held[brandId][members[i]], "held of a member");
            }
        }
    }

    function _checkBooks(uint256 brandId) private view {
        IClearingHouse.Account memory account = house.accountOf(brandId);
        vm.assertEq(account.collateral, deposited[brandId], "collateral");
        vm.assertEq(account.owed, owed[brandId], "owed");
        vm.assertEq(account.due, due[brandId], "due");
        vm.assertTrue(account.inDefault == inDefault[brandId], "default");
        vm.assertLe(account.owed, account.collateral, "a debt is not covered");
        uint256 sum = account.due;
        for (uint256 other = 1; other <= BRANDS; ++other) {
            uint256 there = house.obligationOf(brandId, other);
            vm.assertEq(there, obligation[brandId][other], "obligation");
            sum += there;
        }
        vm.assertEq(sum, account.owed, "owed = obligations and netted debts");
    }

    /// @dev Net positions sum to 0 at every moment; the house holds what it owes back.
    function _checkNetting() private view {
        uint256[] memory brandIds = new uint256[](3);
        (brandIds[0], brandIds[1], brandIds[2]) = (1, 2, 3);
        (int256[] memory positions,) = house.positionsOf(brandIds);
        vm.assertEq(positions[0] + positions[1] + positions[2], 0, "net positions sum to 0");
        int256 open = 0;
        for (uint256 i = 0; i < statements.length; ++i) {
            if (!statements[i].open) continue;
            for (uint256 j = 0; j < statements[i].positions.length; ++j) {
                open += statements[i].positions[j];
            }
        }
        vm.assertEq(open, 0, "a statement does not sum to 0");
        uint256 sum = deposited[1] + deposited[2] + deposited[3];
        vm.assertEq(won.balanceOf(address(house)), sum, "collateral = what the house holds");
        vm.assertEq(house.collateralTotal(), sum, "collateral of all");
    }
}
