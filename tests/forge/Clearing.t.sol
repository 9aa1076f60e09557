// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IBrandAccess} from "../../contracts/interfaces/IBrandAccess.sol";
import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {Roles} from "../../contracts/libraries/Roles.sol";
import {ClearingHouse} from "../../contracts/ClearingHouse.sol";
import {OddToken} from "./support/OddToken.sol";
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
            uint256 amount = bound(amounts[i], 0, 500);
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

    /// @notice SPEC 5.2, 5.4: collateral carries all that is owed, netted or not.
    function test_collateral_that_covers_a_debt_does_not_leave() public {
        _owe(CAFE, BOOKS, 801);
        vm.prank(treasurer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.CollateralExceeded.selector, CAFE, 1_001, 1_000));
        house.withdraw(CAFE, 200, treasury(CAFE));
        vm.prank(treasurer(CAFE));
        house.withdraw(CAFE, 199, treasury(CAFE));
        _net(1);
        vm.prank(treasurer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.CollateralExceeded.selector, CAFE, 802, 801));
        house.withdraw(CAFE, 1, treasury(CAFE));
    }

    /// @notice SPEC 5.12: in a default every creditor has its claim whole, exchange stops, and others are unharmed.
    function test_a_default_pays_its_creditors_whole_and_touches_no_one_else() public {
        _owe(CAFE, BOOKS, 600);
        _owe(CAFE, GALLERY, 350);
        _owe(BOOKS, CAFE, 100);
        _owe(BOOKS, GALLERY, 50);
        vm.prank(OPERATOR);
        house.declareDefault(CAFE, _list(BOOKS, GALLERY));
        // The hundred that Books owed was set off when it was booked.
        vm.assertEq(house.accountOf(CAFE).collateral, 150, "what is left is its own");
        vm.assertEq(house.accountOf(CAFE).owed, 0, "nothing is owed");
        vm.assertEq(house.accountOf(BOOKS).collateral, 1_500, "five hundred");
        vm.assertEq(house.accountOf(GALLERY).collateral, 1_350, "all of it");
        vm.assertEq(house.obligationOf(BOOKS, GALLERY), 50, "others are untouched");
        vm.assertEq(house.accountOf(BOOKS).owed, 50, "others are untouched");
        vm.prank(address(exchange));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BrandInDefault.selector, CAFE));
        house.book(GALLERY, CAFE, 1, 1e18, "x");
        vm.prank(treasurer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BrandInDefault.selector, CAFE));
        house.withdraw(CAFE, 1, treasury(CAFE));
        vm.prank(OPERATOR);
        house.cureDefault(CAFE);
        _owe(GALLERY, CAFE, 1);
    }

    /// @notice SPEC 5.13: a default goes in steps; a claim that was not named stays a claim, also after the cure.
    function test_a_default_goes_in_steps_and_unpaid_claims_stay_claims() public {
        _owe(CAFE, BOOKS, 600);
        _owe(CAFE, GALLERY, 300);
        vm.startPrank(OPERATOR);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BrandNotInDefault.selector, CAFE));
        house.payClaims(CAFE, _list(BOOKS, GALLERY));
        house.declareDefault(CAFE, new uint256[](0));
        vm.assertEq(house.accountOf(CAFE).owed, 900, "all claims stay");
        uint256[] memory one = new uint256[](1);
        one[0] = GALLERY;
        house.payClaims(CAFE, one);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AmountMissing.selector));
        house.payClaims(CAFE, one);
        house.cureDefault(CAFE);
        vm.stopPrank();
        vm.assertEq(house.obligationOf(CAFE, BOOKS), 600, "stays a claim");
        vm.assertEq(house.accountOf(CAFE).owed, 600, "and is owed");
        vm.prank(treasurer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.CollateralExceeded.selector, CAFE, 701, 700));
        house.withdraw(CAFE, 101, treasury(CAFE));
        vm.startPrank(OPERATOR);
        house.declareDefault(CAFE, _list(BOOKS, GALLERY));
        vm.assertEq(house.accountOf(BOOKS).collateral, 1_600, "paid after all");
        house.cureDefault(CAFE);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BrandNotInDefault.selector, CAFE));
        house.cureDefault(CAFE);
        vm.stopPrank();
    }

    /// @notice SPEC 5.12: more than 64 creditors are paid in steps of 64.
    function test_a_default_with_a_hundred_creditors_is_paid_in_two_steps() public {
        collateral(CAFE, 100_000);
        uint256[] memory first = new uint256[](64);
        uint256[] memory second = new uint256[](36);
        for (uint256 i = 0; i < 100; ++i) {
            _owe(CAFE, 1_000 + i, 7);
            if (i < 64) first[i] = 1_000 + i;
            else second[i - 64] = 1_000 + i;
        }
        vm.startPrank(OPERATOR);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BrandListWrong.selector, 65, 64));
        house.declareDefault(CAFE, new uint256[](65));
        house.declareDefault(CAFE, first);
        vm.assertEq(house.accountOf(CAFE).owed, 36 * 7, "what the step left");
        house.payClaims(CAFE, second);
        vm.stopPrank();
        vm.assertEq(house.accountOf(CAFE).owed, 0, "all");
        vm.assertEq(house.accountOf(1_099).collateral, 7, "the last one");
    }

    /// @notice SPEC 5.9: a ring of 64 brands is netted to nothing, in one transaction that fits.
    function test_a_ring_of_brands_is_netted() public {
        uint256[2] memory sizes = [uint256(33), 64];
        for (uint256 k = 0; k < 2; ++k) {
            uint256[] memory ring = new uint256[](sizes[k]);
            for (uint256 i = 0; i < ring.length; ++i) {
                ring[i] = 10 + i;
            }
            for (uint256 i = 0; i < ring.length; ++i) {
                _fund(ring[i]);
                _owe(ring[i], ring[(i + 1) % ring.length], 500);
            }
            vm.prank(OPERATOR);
            int256[] memory positions = house.net(k + 1, ring);
            vm.assertLe(vm.lastCallGas().gasTotalUsed, 15_000_000, "fits into a block's transaction");
            for (uint256 i = 0; i < ring.length; ++i) {
                vm.assertEq(positions[i], 0, "a ring owes nothing");
                vm.assertEq(house.accountOf(ring[i]).owed, 0, "and nothing is locked");
            }
        }
    }

    /// @dev Collateral without a deposit, for a brand that the registry need not know.
    function _fund(uint256 brandId) private {
        vm.store(address(house), keccak256(abi.encode(brandId, uint256(1))), bytes32(uint256(1_000)));
    }

    function _list(uint256 one, uint256 other) private pure returns (uint256[] memory list) {
        list = new uint256[](2);
        (list[0], list[1]) = (one, other);
    }

    /* WHAT IS BOOKED */

    /// @notice SPEC 5.5: debts both ways are one; the smaller is set off when it is booked.
    function testFuzz_debts_both_ways_are_set_off(uint256 there, uint256 back) public {
        there = bound(there, 0, 1_000);
        back = bound(back, 0, 1_000);
        _owe(CAFE, BOOKS, there);
        _owe(BOOKS, CAFE, back);
        vm.assertEq(house.obligationOf(CAFE, BOOKS), there > back ? there - back : 0, "one way");
        vm.assertEq(house.obligationOf(BOOKS, CAFE), back > there ? back - there : 0, "or the other");
        vm.assertEq(house.accountOf(CAFE).owed, house.obligationOf(CAFE, BOOKS), "owed");
        vm.assertEq(house.accountOf(BOOKS).owed, house.obligationOf(BOOKS, CAFE), "owed");
    }

    /// @notice SPEC 5.16: what is netted and waits for settlement counts against the exposure cap.
    function test_an_unsettled_netting_makes_no_room_for_new_debt() public {
        vm.prank(address(exchange));
        house.book(CAFE, BOOKS, 300, 300, "x");
        int256[] memory positions = _net(1);
        vm.prank(address(exchange));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.ExposureExceeded.selector, CAFE, BOOKS, 301, 300));
        house.book(CAFE, BOOKS, 1, 300, "x");
        house.settle(1, all, positions);
        vm.prank(address(exchange));
        house.book(CAFE, BOOKS, 300, 300, "x");
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
        house.withdraw(CAFE, 1, MALLORY);
        vm.expectRevert(refused);
        house.payClaims(CAFE, new uint256[](0));
        vm.stopPrank();
    }

    /* THE SETTLEMENT TOKEN */

    /// @dev A call of its own: with forge's dynamic linking a constructor that reverts would end the test itself.
    function houseOf(address token_, uint256 cover, address reserve) external returns (ClearingHouse) {
        return new ClearingHouse(address(manager), address(registry), token_, cover, reserve);
    }

    function _unfit(address token_, string memory reason) private {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.SettlementTokenUnfit.selector, token_, reason));
        this.houseOf(token_, 10_000, RESERVE);
    }

    /// @notice SPEC 5.17: which tokens are fit is checked when the house is made.
    function test_a_token_that_cannot_settle_is_refused() public {
        _unfit(MALLORY, "code");
        _unfit(address(registry), "decimals");
        _unfit(address(token(CAFE)), "points");
        _unfit(address(new OddToken(19, 0)), "decimals");
        this.houseOf(address(new OddToken(18, 0)), 10_000, RESERVE);
    }

    /// @notice SPEC 5.2: cover below the whole is refused, and so is a surplus that goes nowhere.
    function test_cover_below_the_whole_is_refused() public {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.CoverWrong.selector, 9_999, 10_000));
        this.houseOf(address(won), 9_999, RESERVE);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.ReserveMissing.selector));
        this.houseOf(address(won), 10_000, address(0));
    }

    function _odd(uint256 feeBps) private returns (OddToken odd, ClearingHouse odds) {
        odd = new OddToken(18, feeBps);
        odds = this.houseOf(address(odd), 10_000, RESERVE);
        odd.mint(address(this), 10_000);
        odd.approve(address(odds), 10_000);
        odds.deposit(CAFE, 1_000);
        odds.deposit(BOOKS, 1_000);
    }

    /// @notice SPEC 5.18: a fee on top of what is paid out is the brand's own, never another brand's collateral.
    function test_a_fee_on_top_is_debited_from_the_brand_that_withdraws() public {
        (OddToken odd, ClearingHouse odds) = _odd(1_000);
        vm.prank(treasurer(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.CollateralExceeded.selector, CAFE, 100, 0));
        odds.withdraw(CAFE, 1_000, treasury(CAFE));
        vm.prank(treasurer(CAFE));
        odds.withdraw(CAFE, 900, treasury(CAFE));
        vm.assertEq(odds.accountOf(CAFE).collateral, 10, "ninety of fee");
        vm.assertEq(odd.balanceOf(address(odds)), 1_010, "what the house has is what it owes back");
        vm.assertEq(odds.collateralTotal(), 1_010, "what the house has is what it owes back");
    }

    /// @notice SPEC 5.19: a shortfall is shown, and whoever withdraws bears its share.
    function test_a_shortfall_is_shared_pro_rata_and_shown() public {
        (OddToken odd, ClearingHouse odds) = _odd(0);
        odd.burn(address(odds), 500);
        vm.assertEq(odds.shortfall(), 500, "shown");
        vm.prank(treasurer(CAFE));
        odds.withdraw(CAFE, 1_000, treasury(CAFE));
        vm.assertEq(odd.balanceOf(treasury(CAFE)), 750, "three quarters");
        vm.prank(treasurer(BOOKS));
        odds.withdraw(BOOKS, 1_000, treasury(BOOKS));
        vm.assertEq(odd.balanceOf(treasury(BOOKS)), 750, "and the other the same");
        vm.assertEq(odds.shortfall(), 0, "gone");
    }

    /// @notice SPEC 5.20: what nobody deposited goes to the reserve, and nothing else does.
    function test_a_surplus_is_skimmed_to_the_reserve() public {
        (OddToken odd, ClearingHouse odds) = _odd(0);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AmountMissing.selector));
        odds.skim();
        odd.mint(address(odds), 70);
        odds.skim();
        vm.assertEq(odd.balanceOf(RESERVE), 70, "skimmed");
        vm.assertEq(odd.balanceOf(address(odds)), 2_000, "the collateral stays");
    }
}
