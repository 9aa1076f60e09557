// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IBrandAccess} from "../../contracts/interfaces/IBrandAccess.sol";
import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {Roles} from "../../contracts/libraries/Roles.sol";
import {World} from "./support/World.sol";

/// @title What brands owe each other, and how it comes to nought.
contract ClearingTest is World {
    uint256[] private all;

    function setUp() public {
        build();
        all = [CAFE, BOOKS, GALLERY];
        for (uint256 brandId = 1; brandId <= BRANDS; ++brandId) {
            collateral(brandId, 1_000);
        }
    }

    function _owe(uint256 debtorId, uint256 creditorId, uint256 amount) private {
        vm.prank(address(exchange));
        house.book(debtorId, creditorId, amount, 1e18, "x");
    }

    function _net(uint256 period) private returns (int256[] memory positions) {
        vm.prank(OPERATOR);
        return house.net(period, all);
    }

    /// @notice SPEC 5: who is owed receives, who owes pays, and the positions sum to 0.
    function testFuzz_positions_are_receipts_less_debts_and_sum_to_zero(uint256[6] memory amounts) public {
        uint256[2][6] memory pairs = [[CAFE, BOOKS], [CAFE, GALLERY], [BOOKS, CAFE], [BOOKS, GALLERY], [GALLERY, CAFE], [GALLERY, BOOKS]];
        int256[4] memory expected;
        for (uint256 i = 0; i < 6; ++i) {
            uint256 amount = bound(amounts[i], 0, 600);
            if (amount == 0) continue;
            _owe(pairs[i][0], pairs[i][1], amount);
            expected[pairs[i][0]] -= int256(amount);
            expected[pairs[i][1]] += int256(amount);
        }
        for (uint256 i = 1; i < 4; ++i) {
            if (expected[i] < -1_000) return;
        }
        int256[] memory positions = _net(1);
        vm.assertEq(positions[0] + positions[1] + positions[2], 0, "the sum");
        for (uint256 i = 0; i < 3; ++i) {
            vm.assertEq(positions[i], expected[i + 1], "receipts less debts");
            vm.assertEq(house.obligationOf(pairs[i][0], pairs[i][1]), 0, "nothing is left between them");
        }
        house.settle(1, all, positions);
        for (uint256 i = 0; i < 3; ++i) {
            uint256 there = house.accountOf(all[i]).collateral;
            vm.assertEq(int256(there), 1_000 + positions[i], "paid from collateral");
            vm.assertEq(house.accountOf(all[i]).owed, 0, "nothing is owed");
        }
    }

    /// @notice SPEC 5: a statement is settled once, and only as it was netted.
    function test_a_statement_is_settled_once_as_it_was_netted() public {
        _owe(CAFE, BOOKS, 300);
        int256[] memory positions = _net(1);
        int256[] memory forged = new int256[](3);
        (forged[0], forged[1]) = (int256(300), int256(-300));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.StatementUnknown.selector, 1));
        house.settle(1, all, forged);
        house.settle(1, all, positions);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.StatementUnknown.selector, 1));
        house.settle(1, all, positions);
        vm.assertEq(house.accountOf(CAFE).collateral, 700, "paid once");
        vm.assertEq(house.accountOf(BOOKS).collateral, 1_300, "received once");
    }

    /// @notice SPEC 5: collateral covers eight tenths of what is owed, and the whole of what is netted.
    function test_collateral_that_covers_a_debt_does_not_leave() public {
        _owe(CAFE, BOOKS, 1_001);
        vm.prank(treasurer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.CollateralExceeded.selector, CAFE, 1_001, 1_000));
        house.withdraw(CAFE, 200);
        vm.prank(treasurer(CAFE));
        house.withdraw(CAFE, 199);
        vm.prank(OPERATOR);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.CollateralExceeded.selector, CAFE, 1_001, 801));
        house.net(1, all);
        collateral(CAFE, 200);
        _net(1);
        vm.prank(treasurer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.CollateralExceeded.selector, CAFE, 1_002, 1_001));
        house.withdraw(CAFE, 1);
    }

    /// @notice SPEC 5: in a default the creditors share the collateral, exchange stops, and others are unharmed.
    function test_a_default_is_shared_among_its_creditors_and_no_one_else() public {
        _owe(CAFE, BOOKS, 900);
        _owe(CAFE, GALLERY, 350);
        _owe(BOOKS, CAFE, 100);
        _owe(BOOKS, GALLERY, 50);
        uint256[] memory creditors = new uint256[](2);
        (creditors[0], creditors[1]) = (BOOKS, GALLERY);
        vm.prank(OPERATOR);
        house.declareDefault(CAFE, creditors);
        // Claims 800 and 350 on a pool of 1,000.
        vm.assertEq(house.accountOf(CAFE).collateral, 0, "used");
        vm.assertEq(house.accountOf(BOOKS).collateral, 1_695, "eight hundred of 1,150");
        vm.assertEq(house.accountOf(GALLERY).collateral, 1_305, "the rest, to the unit");
        vm.assertEq(house.obligationOf(BOOKS, GALLERY), 50, "others are untouched");
        vm.assertEq(house.accountOf(BOOKS).owed, 50, "set off");
        vm.prank(address(exchange));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BrandInDefault.selector, CAFE));
        house.book(GALLERY, CAFE, 1, 1e18, "x");
        vm.prank(OPERATOR);
        house.cureDefault(CAFE);
        _owe(GALLERY, CAFE, 1);
    }

    /// @notice SPEC 5: only the exchange books, only the operator nets and declares, only the treasurer withdraws.
    function test_each_act_of_clearing_needs_its_role() public {
        vm.startPrank(MALLORY);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.ExchangeContractOnly.selector, MALLORY));
        house.book(CAFE, BOOKS, 1, 1e18, "x");
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.ExchangeContractOnly.selector, MALLORY));
        house.unbook(CAFE, BOOKS, 1, "x");
        bytes memory refused = abi.encodeWithSelector(IBrandAccess.RoleMissing.selector, MALLORY, Roles.OPERATOR);
        vm.expectRevert(refused);
        house.net(1, all);
        vm.expectRevert(refused);
        house.declareDefault(CAFE, new uint256[](0));
        vm.expectRevert(refused);
        house.cureDefault(CAFE);
        vm.expectRevert(
            abi.encodeWithSelector(IBrandAccess.RoleMissing.selector, MALLORY, Roles.id(CAFE, Roles.TREASURER))
        );
        house.withdraw(CAFE, 1);
        vm.stopPrank();
    }
}
