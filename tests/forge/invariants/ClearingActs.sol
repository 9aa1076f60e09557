// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IClearingHouse} from "../../../contracts/interfaces/IClearingHouse.sol";
import {Acts} from "./Acts.sol";

/// @title Collateral, netting, settlement, default: the books of what brands owe each other.
abstract contract ClearingActs is Acts {
    struct Statement {
        uint256 period;
        uint256[] brandIds;
        int256[] positions;
        bool open;
    }

    mapping(uint256 debtorId => mapping(uint256 creditorId => uint256 amount)) internal obligation;
    mapping(uint256 brandId => uint256 amount) internal owed;
    mapping(uint256 brandId => uint256 amount) internal due;
    mapping(uint256 brandId => uint256 amount) internal deposited;
    mapping(uint256 brandId => bool) internal inDefault;
    Statement[] internal statements;

    function deposit(uint256 seed) external act(seed) {
        uint256 brandId = rollBrand();
        uint256 amount = 1 + roll(20_000);
        won.mint(RELAYER, amount);
        vm.prank(RELAYER);
        won.approve(address(house), amount);
        vm.prank(RELAYER);
        house.deposit(brandId, amount);
        deposited[brandId] += amount;
    }

    function withdraw(uint256 seed) external act(seed) {
        uint256 brandId = rollBrand();
        uint256 most = deposited[brandId] - _min(deposited[brandId], required(brandId, 0));
        uint256 amount = rollPoints(most / (1 + roll(3)));
        address sender = roll(6) == 0 ? owner(brandId) : treasurer(brandId);
        address to = roll(8) == 0 ? MALLORY : treasury(brandId);
        bool fine = sender == treasurer(brandId) && amount > 0 && amount <= most && !inDefault[brandId]
            && to == treasury(brandId) && !frozen(brandId);
        call(sender, address(house), abi.encodeCall(IClearingHouse.withdraw, (brandId, amount, to)), fine, "withdraw");
        if (fine) deposited[brandId] -= amount;
    }

    function net(uint256 seed) external act(seed) {
        uint256[] memory brandIds = _rollBrands();
        uint256 period = statements.length + 1;
        if (roll(12) == 0) ++period;
        int256[] memory positions = new int256[](brandIds.length);
        bool fine = period == statements.length + 1;
        int256 sum = 0;
        for (uint256 i = 0; i < brandIds.length; ++i) {
            positions[i] = _positionOf(brandIds, brandIds[i]);
            sum += positions[i];
        }
        vm.assertEq(sum, 0, "net positions sum to 0");
        address sender = roll(8) == 0 ? MALLORY : OPERATOR;
        fine = fine && sender == OPERATOR;
        bytes memory data = abi.encodeCall(IClearingHouse.net, (period, brandIds));
        bytes memory result = call(sender, address(house), data, fine, "net");
        if (!fine) return;
        vm.assertEq(result, abi.encode(positions), "positions are what obligations say");
        for (uint256 i = 0; i < brandIds.length; ++i) {
            _close(brandIds, brandIds[i], positions[i]);
        }
        Statement storage statement = statements.push();
        (statement.period, statement.brandIds, statement.positions, statement.open) =
            (period, brandIds, positions, true);
    }

    function settle(uint256 seed) external act(seed) {
        if (statements.length == 0) return;
        uint256 which = statements.length - 1 - roll(_min(statements.length, 3));
        // Else the oldest that waits: what is never settled keeps its brands from ever defaulting.
        if (roll(2) == 0) for (which = 0; which + 1 < statements.length && !statements[which].open; ++which) {}
        Statement storage s = statements[which];
        int256[] memory positions = s.positions;
        bool forged = roll(8) == 0;
        if (forged) (++positions[0], --positions[1]);
        bytes memory data = abi.encodeCall(IClearingHouse.settle, (s.period, s.brandIds, positions));
        bool fine = s.open && !forged;
        call(MALLORY, address(house), data, fine, "settle");
        if (!fine) return;
        s.open = false;
        for (uint256 i = 0; i < positions.length; ++i) {
            uint256 brandId = s.brandIds[i];
            if (positions[i] > 0) {
                deposited[brandId] += uint256(positions[i]);
                continue;
            }
            uint256 paid = uint256(-positions[i]);
            deposited[brandId] -= paid;
            owed[brandId] -= paid;
            due[brandId] -= paid;
        }
    }

    /// @notice A default, and its further steps.
    function declareDefault(uint256 seed) external act(seed) {
        uint256 brandId = rollBrand();
        // Mostly a brand that owes something, first of all one in default.
        for (uint256 k = 0; k < 2 * BRANDS; ++k) {
            if (owed[brandId] > 0 && due[brandId] == 0 && (k >= BRANDS || inDefault[brandId])) break;
            brandId = 1 + brandId % BRANDS;
        }
        bool more = inDefault[brandId];
        if (!more && owed[brandId] == 0 && roll(8) != 0) return;
        // Mostly nobody is paid in the first step, so that there are others.
        uint256[] memory creditorIds = more || roll(8) == 0 ? _others(brandId) : new uint256[](roll(4) == 0 ? 1 : 0);
        if (creditorIds.length == 1) creditorIds[0] = _others(brandId)[roll(2)];
        address sender = roll(8) == 0 ? MALLORY : OPERATOR;
        uint256 claims = 0;
        for (uint256 i = 0; i < creditorIds.length; ++i) {
            claims += obligation[brandId][creditorIds[i]];
        }
        bool fine = sender == OPERATOR && (more ? claims > 0 : due[brandId] == 0);
        bytes memory data = more
            ? abi.encodeCall(IClearingHouse.payClaims, (brandId, creditorIds))
            : abi.encodeCall(IClearingHouse.declareDefault, (brandId, creditorIds));
        call(sender, address(house), data, fine, more ? "payClaims" : "declareDefault");
        if (fine) _default(brandId, creditorIds);
    }

    function cureDefault(uint256 seed) external act(seed) {
        uint256 brandId = rollBrand();
        // A brand that still owes something mostly pays before it is cured.
        if (inDefault[brandId] && owed[brandId] > due[brandId] && roll(8) != 0) {
            uint256[] memory creditorIds = _others(brandId);
            bytes memory claims = abi.encodeCall(IClearingHouse.payClaims, (brandId, creditorIds));
            call(OPERATOR, address(house), claims, true, "payClaims");
            _default(brandId, creditorIds);
            return;
        }
        bytes memory data = abi.encodeCall(IClearingHouse.cureDefault, (brandId));
        call(OPERATOR, address(house), data, inDefault[brandId], "cureDefault");
        inDefault[brandId] = false;
    }

    /* WHAT EXCHANGES ASK */

    function mayBook(uint256 debtorId, uint256 creditorId, uint256 amount, uint256 exposureCap)
        internal
        view
        returns (bool)
    {
        if (inDefault[debtorId] || inDefault[creditorId]) return false;
        uint256 more = amount - _min(amount, obligation[creditorId][debtorId]);
        return more == 0
            || (obligation[debtorId][creditorId] + more + due[debtorId] <= exposureCap
                && required(debtorId, more) <= deposited[debtorId]);
    }

    /// @dev Two brands owe each other one net amount.
    function book(uint256 debtorId, uint256 creditorId, uint256 amount) internal {
        uint256 setOff = _min(amount, obligation[creditorId][debtorId]);
        obligation[creditorId][debtorId] -= setOff;
        owed[creditorId] -= setOff;
        obligation[debtorId][creditorId] += amount - setOff;
        owed[debtorId] += amount - setOff;
    }

    function mayUnbook(uint256 debtorId, uint256 creditorId, uint256 amount) internal view returns (bool) {
        if (inDefault[debtorId] || inDefault[creditorId]) return false;
        uint256 back = amount - _min(amount, obligation[debtorId][creditorId]);
        return back == 0 || required(creditorId, back) <= deposited[creditorId];
    }

    function unbook(uint256 debtorId, uint256 creditorId, uint256 amount) internal {
        book(creditorId, debtorId, amount);
    }

    /// @dev Everything that is owed, netted or not.
    function required(uint256 brandId, uint256 more) internal view returns (uint256) {
        return owed[brandId] + more;
    }

    /* INSIDE */

    function _rollBrands() private returns (uint256[] memory brandIds) {
        uint256 kind = roll(5);
        if (kind >= 2) {
            brandIds = new uint256[](3);
            (brandIds[0], brandIds[1], brandIds[2]) = (1, 2, 3);
        } else {
            brandIds = new uint256[](2);
            (brandIds[0], brandIds[1]) = kind == 0 ? (1, 2) : (2, 3);
        }
    }

    function _positionOf(uint256[] memory brandIds, uint256 brandId) private view returns (int256 position) {
        for (uint256 j = 0; j < brandIds.length; ++j) {
            position += int256(obligation[brandIds[j]][brandId]) - int256(obligation[brandId][brandIds[j]]);
        }
    }

    function _grossOf(uint256[] memory brandIds, uint256 brandId) private view returns (uint256 gross) {
        for (uint256 j = 0; j < brandIds.length; ++j) {
            gross += obligation[brandId][brandIds[j]];
        }
    }

    function _close(uint256[] memory brandIds, uint256 brandId, int256 position) private {
        uint256 debt = position < 0 ? uint256(-position) : 0;
        owed[brandId] = owed[brandId] - _grossOf(brandIds, brandId) + debt;
        due[brandId] += debt;
        for (uint256 j = 0; j < brandIds.length; ++j) {
            obligation[brandId][brandIds[j]] = 0;
        }
    }

    function _others(uint256 brandId) private pure returns (uint256[] memory list) {
        list = new uint256[](2);
        (list[0], list[1]) = brandId == 1 ? (2, 3) : brandId == 2 ? (1, 3) : (1, 2);
    }

    function _default(uint256 brandId, uint256[] memory creditorIds) private {
        for (uint256 i = 0; i < creditorIds.length; ++i) {
            uint256 claim = obligation[brandId][creditorIds[i]];
            obligation[brandId][creditorIds[i]] = 0;
            deposited[creditorIds[i]] += claim;
            deposited[brandId] -= claim;
            owed[brandId] -= claim;
        }
        inDefault[brandId] = true;
    }

    function _min(uint256 a, uint256 b) internal pure returns (uint256) {
        return a < b ? a : b;
    }
}
