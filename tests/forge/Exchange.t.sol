// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAuthorised} from "../../contracts/interfaces/IAuthorised.sol";
import {IBrandAccess} from "../../contracts/interfaces/IBrandAccess.sol";
import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {ILoyaltyToken} from "../../contracts/interfaces/ILoyaltyToken.sol";
import {IPartnerExchange} from "../../contracts/interfaces/IPartnerExchange.sol";
import {IRedemptionDesk} from "../../contracts/interfaces/IRedemptionDesk.sol";
import {IRewardRules} from "../../contracts/interfaces/IRewardRules.sol";
import {Vm} from "./support/Vm.sol";
import {Signing} from "./support/Signing.sol";

/// @title One brand's points for another's: the agreed fraction, the limits, and the way back.
contract ExchangeTest is Signing {
    uint256 private rule;
    address private ann;

    function setUp() public {
        build();
        rule = publish(CAFE, rateRule(1, 1, IRewardRules.Rounding.Down));
        ann = members[0];
        award(CAFE, rule, 1, ann, 1_000_000);
        collateral(CAFE, 1e20);
    }

    function _terms(uint256 numerator, uint256 denominator, uint256 feeBps)
        private
        pure
        returns (IPartnerExchange.Terms memory)
    {
        return IPartnerExchange.Terms(numerator, denominator, feeBps, 10_000, 1e18, 1, 1, 1 days, 1, 30 days);
    }

    function _quote(uint256 agreementId, uint256 pointsIn, uint256 minimumOut, uint256 nonce)
        private
        view
        returns (IPartnerExchange.Quote memory)
    {
        return IPartnerExchange.Quote(ann, agreementId, 1, pointsIn, minimumOut, nonce, block.timestamp);
    }

    /// @dev By the member itself: no signature is looked at.
    function _exchange(IPartnerExchange.Quote memory quote) private returns (bytes32 id, uint256 out) {
        vm.prank(ann);
        return exchange.exchange(quote, "");
    }

    /// @notice SPEC 4: points out are the agreed fraction less the fee, and no rounding ever favours the caller.
    function testFuzz_no_rounding_favours_the_caller(
        uint256 pointsIn,
        uint256 numerator,
        uint256 denominator,
        uint256 feeBps,
        uint256 valueDenominator
    ) public {
        pointsIn = bound(pointsIn, 1, 10_000);
        numerator = bound(numerator, 1, 1_000);
        denominator = bound(denominator, 1, 1_000);
        feeBps = bound(feeBps, 0, 5_000);
        IPartnerExchange.Terms memory terms = _terms(numerator, denominator, feeBps);
        terms.valueDenominator = bound(valueDenominator, 1, 1_000);
        terms.valueNumerator = 7;
        uint256 gross = pointsIn * numerator / denominator;
        uint256 fee = gross * feeBps / 10_000 + (gross * feeBps % 10_000 > 0 ? 1 : 0);
        vm.assume(gross > fee);
        uint256 id = agree(CAFE, GALLERY, terms);
        (, uint256 out) = _exchange(_quote(id, pointsIn, 1, 1));

        vm.assertEq(out, gross - fee, "out = gross - fee");
        vm.assertLe((out + fee) * denominator, pointsIn * numerator, "the gross is not rounded up");
        vm.assertEq(token(GALLERY).balanceOf(ann), out, "minted there");
        vm.assertEq(token(CAFE).balanceOf(ann), 1_000_000 - pointsIn, "burnt here");
        vm.assertEq(token(CAFE).totalSupply(), 1_000_000 - pointsIn, "gone from the supply");
        uint256 owed = house.obligationOf(CAFE, GALLERY);
        vm.assertGe(owed * terms.valueDenominator, gross * 7, "the obligation is not rounded down");
        vm.assertTrue((owed - 1) * terms.valueDenominator < gross * 7, "nor up by more than one");
    }

    /// @notice SPEC 4: never less than the member's minimum, never at another version than signed.
    function test_an_exchange_keeps_the_members_minimum_and_version() public {
        uint256 id = agree(CAFE, GALLERY, _terms(1, 3, 100));
        IPartnerExchange.Quote memory quote = _quote(id, 1_000, 330, 1);
        vm.prank(ann);
        vm.expectRevert(abi.encodeWithSelector(IPartnerExchange.OutBelowMinimum.selector, 329, 330));
        exchange.exchange(quote, "");
        quote.version = 2;
        vm.prank(ann);
        vm.expectRevert(abi.encodeWithSelector(IPartnerExchange.VersionChanged.selector, 2, 1));
        exchange.exchange(quote, "");
    }

    /// @notice SPEC 4: the day's cap counts all members' points in, and turns at midnight UTC.
    function test_the_daily_cap_holds_to_the_point() public {
        uint256 id = agree(CAFE, GALLERY, _terms(1, 1, 0));
        vm.warp((block.timestamp / 1 days + 1) * 1 days);
        _exchange(_quote(id, 9_999, 1, 1));
        vm.prank(ann);
        vm.expectRevert(abi.encodeWithSelector(IPartnerExchange.DailyCapExceeded.selector, 2, 1));
        exchange.exchange(_quote(id, 2, 1, 2), "");
        _exchange(_quote(id, 1, 1, 2));
        vm.warp(block.timestamp + 1 days);
        _exchange(_quote(id, 10_000, 1, 3));
    }

    /// @notice SPEC 5: an exchange that would exceed exposure or collateral is refused whole.
    function test_exposure_and_collateral_are_never_exceeded() public {
        IPartnerExchange.Terms memory terms = _terms(1, 1, 0);
        terms.exposureCap = 150;
        uint256 id = agree(CAFE, GALLERY, terms);
        _exchange(_quote(id, 100, 1, 1));
        vm.prank(ann);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.ExposureExceeded.selector, CAFE, GALLERY, 151, 150));
        exchange.exchange(_quote(id, 51, 1, 2), "");
        vm.assertEq(token(CAFE).balanceOf(ann), 999_900, "refused whole");

        uint256 free = 1e20 - 100;
        vm.prank(treasurer(CAFE));
        house.withdraw(CAFE, free, treasury(CAFE));
        vm.prank(ann);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.CollateralExceeded.selector, CAFE, 101, 100));
        exchange.exchange(_quote(id, 1, 1, 2), "");
    }

    /// @notice SPEC 6: a quote counts once, and not after its deadline.
    function test_a_quote_counts_once_and_in_time() public {
        uint256 id = agree(CAFE, GALLERY, _terms(1, 1, 0));
        IPartnerExchange.Quote memory quote = _quote(id, 10, 10, 4);
        bytes memory word = sign(keys[0], address(exchange), exchangeHash(quote));
        exchange.exchange(quote, word);
        vm.expectRevert(abi.encodeWithSelector(IAuthorised.AuthorisationUsed.selector, ann, 4));
        exchange.exchange(quote, word);
        quote.nonce = 5;
        word = sign(keys[0], address(exchange), exchangeHash(quote));
        vm.warp(block.timestamp + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IAuthorised.AuthorisationExpired.selector, block.timestamp - 1, block.timestamp)
        );
        exchange.exchange(quote, word);
    }

    /// @notice SPEC 6: a quote for exchange is no word for a payment, nor another's.
    function test_a_quote_serves_its_own_purpose_only() public {
        uint256 id = agree(CAFE, GALLERY, _terms(1, 1, 0));
        IPartnerExchange.Quote memory quote = _quote(id, 10, 10, 4);
        bytes memory word = sign(keys[0], address(exchange), exchangeHash(quote));
        vm.expectRevert(abi.encodeWithSelector(IAuthorised.SignatureInvalid.selector, ann));
        exchange.payAtPartner(quote, "cup", word);
        quote.pointsIn = 11;
        vm.expectRevert(abi.encodeWithSelector(IAuthorised.SignatureInvalid.selector, ann));
        exchange.exchange(quote, word);
    }

    /// @notice SPEC 4.14: unwinding gives the same lots back at the exchange's own rate, once.
    function test_unwinding_restores_the_lots_at_the_original_rate_once() public {
        uint256 id = agree(CAFE, GALLERY, _terms(1, 2, 100));
        bytes32 before = keccak256(abi.encode(token(CAFE).packedLotsOf(ann)));
        (bytes32 exchangeId, IPartnerExchange.Exchange memory record) = _recorded(_quote(id, 1_000, 1, 1));
        bytes memory word = _unwindWord(exchangeId, 2);
        vm.prank(till(CAFE));
        vm.expectPartialRevert(IBrandAccess.RoleMissing.selector);
        exchange.unwind(exchangeId, record, 2, block.timestamp, word);
        _unwind(exchangeId, record, 2);
        vm.assertEq(keccak256(abi.encode(token(CAFE).packedLotsOf(ann))), before, "the same lots");
        vm.assertEq(token(GALLERY).balanceOf(ann), 0, "burnt there");
        vm.assertEq(house.obligationOf(CAFE, GALLERY), 0, "the obligation is gone");
        vm.prank(till(GALLERY));
        vm.expectRevert(abi.encodeWithSelector(IPartnerExchange.ExchangeNotOpen.selector, exchangeId));
        exchange.unwind(exchangeId, record, 2, block.timestamp, word);
    }

    /* UNWINDING IS BOUNDED */

    function _recorded(IPartnerExchange.Quote memory quote)
        private
        returns (bytes32 exchangeId, IPartnerExchange.Exchange memory record)
    {
        vm.recordLogs();
        (exchangeId,) = _exchange(quote);
        record = _recordFrom(vm.getRecordedLogs());
    }

    function _unwindWord(bytes32 exchangeId, uint256 nonce) private view returns (bytes memory) {
        return sign(keys[0], address(exchange), unwindHash(ann, exchangeId, nonce, block.timestamp));
    }

    function _unwind(bytes32 exchangeId, IPartnerExchange.Exchange memory record, uint256 nonce) private {
        bytes memory word = _unwindWord(exchangeId, nonce);
        address by = till(exchange.agreementOf(record.agreementId).toBrandId);
        vm.prank(by);
        exchange.unwind(exchangeId, record, nonce, block.timestamp, word);
    }

    /// @notice SPEC 4.14: unwinding burns what the exchange minted first, then the latest expiry first.
    function test_unwinding_burns_what_the_exchange_minted_first_then_the_latest() public {
        uint256 gold = publish(GALLERY, rateRule(1, 1, IRewardRules.Rounding.Down));
        award(GALLERY, gold, 1, ann, 1_000);
        collateral(GALLERY, 1e20);
        uint256 id = agree(GALLERY, CAFE, _terms(1, 1, 0));
        vm.warp(block.timestamp + 2 days);
        (bytes32 exchangeId, IPartnerExchange.Exchange memory record) = _recorded(_quote(id, 100, 1, 1));
        uint256 mine = token(CAFE).expiryEpochOfMint();
        vm.warp(block.timestamp + 2 days);
        award(CAFE, rule, 7, ann, 50);
        uint256 latest = token(CAFE).expiryEpochOfMint();
        // Of the exchange's points some are spent: the oldest lot goes first, so all of it and a little more.
        IRedemptionDesk.HoldRequest memory request =
            IRedemptionDesk.HoldRequest(ann, CAFE, 1_000_020, "cup", block.timestamp + 1 hours, 3, block.timestamp);
        vm.prank(ann);
        bytes32 holdId = desk.hold(request, "");
        vm.prank(till(CAFE));
        desk.capture(holdId, 1_000_020);
        _unwind(exchangeId, record, 2);
        ILoyaltyToken.Lot[] memory lots = token(CAFE).lotsOf(ann);
        vm.assertEq(lots.length, 1, "the exchange's lot is used up");
        vm.assertEq(lots[0].expiryEpoch, latest, "the rest came from the latest");
        vm.assertEq(lots[0].points, 30, "twenty of fifty");
        vm.assertTrue(mine < latest, "not because it was the oldest");
        vm.assertEq(token(GALLERY).balanceOf(ann), 1_000, "whole again");
    }

    /// @notice SPEC 4.14: points of an older lot stay while those of the exchange are there.
    function test_unwinding_leaves_older_points_alone() public {
        uint256 gold = publish(GALLERY, rateRule(1, 1, IRewardRules.Rounding.Down));
        award(GALLERY, gold, 1, ann, 1_000);
        collateral(GALLERY, 1e20);
        uint256 id = agree(GALLERY, CAFE, _terms(1, 1, 0));
        vm.warp(block.timestamp + 2 days);
        bytes32 before = keccak256(abi.encode(token(CAFE).lotsOf(ann)));
        (bytes32 exchangeId, IPartnerExchange.Exchange memory record) = _recorded(_quote(id, 100, 1, 1));
        _unwind(exchangeId, record, 2);
        vm.assertEq(keccak256(abi.encode(token(CAFE).lotsOf(ann))), before, "as without the exchange");
    }

    /// @notice SPEC 4.16: an exchange is unwound within its agreement's window, as it was when it was made.
    function test_unwinding_ends_with_its_window() public {
        IPartnerExchange.Terms memory terms = _terms(1, 1, 0);
        terms.unwindSeconds = 3 days;
        uint256 id = agree(CAFE, GALLERY, terms);
        (bytes32 first, IPartnerExchange.Exchange memory one) = _recorded(_quote(id, 100, 1, 1));
        (bytes32 second, IPartnerExchange.Exchange memory two) = _recorded(_quote(id, 100, 1, 2));
        uint256 until = block.timestamp + 3 days;
        vm.warp(until);
        _unwind(first, one, 3);
        vm.warp(until + 1);
        bytes memory word = _unwindWord(second, 4);
        vm.prank(till(GALLERY));
        vm.expectRevert(abi.encodeWithSelector(IPartnerExchange.UnwindOver.selector, second, until));
        exchange.unwind(second, two, 4, block.timestamp, word);
    }

    /// @notice SPEC 4.13: a word to unwind counts once and can be cancelled like every other.
    function test_a_word_to_unwind_can_be_cancelled() public {
        uint256 id = agree(CAFE, GALLERY, _terms(1, 1, 0));
        (bytes32 exchangeId, IPartnerExchange.Exchange memory record) = _recorded(_quote(id, 100, 1, 1));
        bytes memory word = _unwindWord(exchangeId, 9);
        vm.prank(ann);
        exchange.cancelAuthorisation(9);
        vm.prank(till(GALLERY));
        vm.expectRevert(abi.encodeWithSelector(IAuthorised.AuthorisationUsed.selector, ann, 9));
        exchange.unwind(exchangeId, record, 9, block.timestamp, word);
        vm.prank(till(GALLERY));
        vm.expectRevert(abi.encodeWithSelector(IAuthorised.SignatureInvalid.selector, ann));
        exchange.unwind(exchangeId, record, 10, block.timestamp, word);
        _unwind(exchangeId, record, 10);
        vm.assertTrue(exchange.isNonceUsed(ann, 10), "spent");
    }

    /// @notice SPEC 5.8: after a default unwinding asks of the creditor exactly what it received.
    function test_unwinding_never_asks_more_back_than_the_creditor_received() public {
        uint256 id = agree(CAFE, GALLERY, _terms(1, 1, 0));
        (bytes32 exchangeId, IPartnerExchange.Exchange memory record) = _recorded(_quote(id, 1_000, 1, 1));
        uint256[] memory creditors = new uint256[](1);
        creditors[0] = GALLERY;
        vm.prank(OPERATOR);
        house.declareDefault(CAFE, creditors);
        bytes memory word = _unwindWord(exchangeId, 2);
        vm.prank(till(GALLERY));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BrandInDefault.selector, CAFE));
        exchange.unwind(exchangeId, record, 2, block.timestamp, word);
        vm.prank(OPERATOR);
        house.cureDefault(CAFE);
        uint256 received = house.accountOf(GALLERY).collateral;
        vm.assertEq(received, 1_000, "the claim was paid whole");
        _unwind(exchangeId, record, 2);
        vm.assertEq(house.obligationOf(GALLERY, CAFE), received, "what it received, and no more");
        vm.assertEq(house.obligationOf(CAFE, GALLERY), 0, "and the claim is gone");
    }

    /* ROUNDING, MINIMUM AND THE DAY */

    /// @notice SPEC 4.8: however an exchange is cut, the debt is the same to the unit.
    function testFuzz_a_cut_exchange_owes_the_same(uint256 cuts, uint256 each, uint256 denominator) public {
        cuts = bound(cuts, 1, 40);
        each = bound(each, 1, 200);
        IPartnerExchange.Terms memory terms = _terms(1, 1, 0);
        terms.valueNumerator = 7;
        terms.valueDenominator = bound(denominator, 1, 1_000);
        uint256 id = agree(CAFE, GALLERY, terms);
        for (uint256 i = 0; i < cuts; ++i) {
            (,, uint256 quoted,) = exchange.quote(id, each);
            uint256 before = house.obligationOf(CAFE, GALLERY);
            _exchange(_quote(id, each, 1, i));
            vm.assertEq(house.obligationOf(CAFE, GALLERY), before + quoted, "as quoted");
            uint256 exact = (i + 1) * each * 7;
            uint256 whole = (exact + terms.valueDenominator - 1) / terms.valueDenominator;
            vm.assertEq(house.obligationOf(CAFE, GALLERY), whole, "as one exchange");
        }
    }

    /// @notice SPEC 4.9: an agreement's minimum holds for each exchange.
    function test_an_exchange_below_the_minimum_is_refused() public {
        IPartnerExchange.Terms memory terms = _terms(1, 1, 0);
        terms.minimumIn = 50;
        uint256 id = agree(CAFE, GALLERY, terms);
        vm.prank(ann);
        vm.expectRevert(abi.encodeWithSelector(IPartnerExchange.PointsInTooFew.selector, 49, 50));
        exchange.exchange(_quote(id, 49, 1, 1), "");
        _exchange(_quote(id, 50, 1, 1));
    }

    /// @notice SPEC 4.1: the two new terms have bounds, and so has the denominator that a carry must stay below.
    function test_terms_outside_their_bounds_are_refused() public {
        IPartnerExchange.Terms memory terms = _terms(1, 1, 0);
        terms.minimumIn = 0;
        _refused(terms, "minimumIn");
        terms.minimumIn = 2 ** 40;
        _refused(terms, "minimumIn");
        (terms.minimumIn, terms.unwindSeconds) = (1, 366 days + 1);
        _refused(terms, "unwindSeconds");
        (terms.unwindSeconds, terms.valueDenominator) = (0, 2 ** 32);
        _refused(terms, "valueDenominator");
    }

    function _refused(IPartnerExchange.Terms memory terms, string memory field) private {
        vm.prank(owner(CAFE));
        vm.expectRevert(abi.encodeWithSelector(IPartnerExchange.AgreementTermsInvalid.selector, field));
        exchange.propose(CAFE, CAFE, GALLERY, terms);
    }

    /// @notice SPEC 5.5, 4.10: 100 round trips lock nobody's collateral and leave the day's caps as they were.
    function test_round_trips_lock_no_collateral_and_use_up_no_day() public {
        collateral(GALLERY, 1_000);
        uint256 there = agree(CAFE, GALLERY, _terms(1, 1, 0));
        uint256 back = agree(GALLERY, CAFE, _terms(1, 1, 0));
        for (uint256 i = 0; i < 100; ++i) {
            _exchange(_quote(there, 1_000, 1, 2 * i));
            vm.assertEq(exchange.usedToday(there), 1_000, "there");
            _exchange(_quote(back, 1_000, 1, 2 * i + 1));
        }
        vm.assertEq(house.accountOf(CAFE).owed, 0, "set off");
        vm.assertEq(house.accountOf(GALLERY).owed, 0, "set off");
        vm.assertEq(exchange.usedToday(there), 0, "what came back gives room");
        vm.assertEq(exchange.usedToday(back), 0, "and is not counted the other way");
        _exchange(_quote(there, 10_000, 1, 1_000));
        vm.prank(ann);
        vm.expectRevert(abi.encodeWithSelector(IPartnerExchange.DailyCapExceeded.selector, 1, 0));
        exchange.exchange(_quote(there, 1, 1, 1_001), "");
        vm.assertEq(house.obligationOf(CAFE, GALLERY), 10_000, "the cap still holds");
    }

    function _recordFrom(Vm.Log[] memory logs) private view returns (IPartnerExchange.Exchange memory record) {
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter != address(exchange)) continue;
            (, record) = abi.decode(logs[i].data, (uint256, IPartnerExchange.Exchange));
        }
    }

    /// @notice SPEC 4: paying at a partner redeems exactly the price; what is above it stays with the member.
    function test_paying_at_a_partner_redeems_the_price_in_one_transaction() public {
        uint256 id = agree(CAFE, GALLERY, _terms(1, 1, 0));
        vm.prank(ann);
        (, bytes32 holdId, uint256 out) = exchange.payAtPartner(_quote(id, 100, 90, 1), "cup", "");
        vm.assertEq(out, 100, "out");
        vm.assertEq(token(GALLERY).balanceOf(ann), 10, "the rest stays");
        vm.assertEq(desk.holdOf(holdId).captured, 90, "captured at once");
        vm.prank(till(GALLERY));
        desk.refund(holdId, 90, 0);
        vm.assertEq(token(GALLERY).balanceOf(ann), 100, "given back by refund");
    }

    /// @notice SPEC 5: a quote says what an exchange then does.
    function testFuzz_a_quote_is_what_the_exchange_gives(uint256 pointsIn, uint256 numerator) public {
        uint256 id = agree(CAFE, GALLERY, _terms(bound(numerator, 100, 500), 100, 37));
        pointsIn = bound(pointsIn, 2, 10_000);
        (uint256 out,, uint256 obligation,) = exchange.quote(id, pointsIn);
        (, uint256 given) = _exchange(_quote(id, pointsIn, out, 1));
        vm.assertEq(given, out, "out");
        vm.assertEq(house.obligationOf(CAFE, GALLERY), obligation, "obligation");
    }

    /// @notice SPEC 4: points minted by an exchange are the receiving brand's own, with its own life.
    function test_points_entered_get_the_receiving_brands_expiry() public {
        uint256 id = agree(CAFE, GALLERY, _terms(1, 1, 0));
        _exchange(_quote(id, 100, 1, 1));
        ILoyaltyToken.Lot[] memory lots = token(GALLERY).lotsOf(ann);
        vm.assertEq(lots[0].expiresAt, type(uint256).max, "never");
    }
}
