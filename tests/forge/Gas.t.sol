// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRewardRules} from "../../contracts/interfaces/IRewardRules.sol";
import {IPartnerExchange} from "../../contracts/interfaces/IPartnerExchange.sol";
import {IRedemptionDesk} from "../../contracts/interfaces/IRedemptionDesk.sol";
import {Returning} from "./support/Returning.sol";
import {Signing} from "./support/Signing.sol";

/// @title Gas of whole transactions (21,000 and calldata included), beside OpenZeppelin's ERC-20 in the same run.
/// @dev Run with `--isolate`: then every call from here is a transaction of its own, with cold storage. One test
/// measures all and writes build/gas.json; scripts/verify/gas.py holds the figures against the bars and the snapshot.
contract Gas is Signing, Returning {
    uint256 private constant BATCH = 100;
    uint256 private constant PART = 10;

    string private json;
    uint256 private rule;
    uint256 private returnable;
    uint256 private operations;
    uint256 private agreement;

    function setUp() public {
        build();
        rule = publish(CAFE, rateRule(1, 1, IRewardRules.Rounding.Down));
        IRewardRules.Terms memory terms = rateRule(1, 1, IRewardRules.Rounding.Down);
        (terms.returnWindow, terms.shortfall) = (10 days, IRewardRules.Shortfall.Debt);
        returnable = publish(CAFE, terms);
        // A rate of 1, 1 % of fee, caps far away.
        agreement = agree(CAFE, GALLERY, IPartnerExchange.Terms(1, 1, 100, 1e12, 1e20, 1, 1, 1 days, 1, 30 days));
        collateral(CAFE, 1e20);
    }

    function test_gas_of_every_kind_of_transaction() public {
        _plainTransfers();
        _transfers();
        _plainBatch();
        _awards();
        _returns();
        _worstBatch();
        _exchanges();
        _redemption();
        vm.writeFile("build/gas.json", string.concat("{\n", json, "\n}\n"));
    }

    /* OPENZEPPELIN */

    function _plainTransfers() private {
        address sender = address(0x51);
        won.mint(sender, 1e9);
        vm.prank(sender);
        won.transfer(address(0x52), PART);
        _note("oz_transfer_new");
        vm.prank(sender);
        won.transfer(address(0x52), PART);
        _note("oz_transfer_existing");
    }

    function _plainBatch() private {
        address[] memory to = _crowd(0x61000);
        won.mintBatch(to, PART);
        _noteShare("oz_mint_in_batch_of_100_new", BATCH);
        won.mintBatch(to, PART);
        _noteShare("oz_mint_in_batch_of_100_existing", BATCH);
    }

    /* TRANSFERS: all lots of the sender move but some points of the newest */

    function _transfers() private {
        _transfer("1_lot", 1, 0);
        // Four lots in a row lie in one word or in two.
        _transfer("4_lots_one_word", 4, 0);
        _transfer("4_lots_two_words", 4, 3);
        // The lifetime of Books is 15 hours: sixteen lots live at once. Four words hold them, whatever the alignment.
        _sixteen();
    }

    /// @param residue Position of the first lot within its word.
    function _transfer(string memory name, uint256 lots, uint256 residue) private {
        address sender = address(uint160(0x71000 + lots * 16 + residue));
        address receiver = address(uint160(0x72000 + lots * 16 + residue));
        while (token(CAFE).expiryEpochOfMint() % 5 != residue) vm.warp(block.timestamp + 1 days);
        _fill(CAFE, rule, sender, lots, 1 days);
        _fill(CAFE, rule, sender, 0, 0);
        vm.prank(sender);
        token(CAFE).transfer(receiver, lots * 100 - 50);
        _note(string.concat("transfer_", name, "_new"));
        vm.warp(block.timestamp + 1 days);
        while (token(CAFE).expiryEpochOfMint() % 5 != residue) vm.warp(block.timestamp + 1 days);
        address second = address(uint160(uint160(sender) + 0x1000000));
        _fillBoth(CAFE, rule, second, receiver, lots, 1 days);
        vm.prank(second);
        token(CAFE).transfer(receiver, lots * 100 - 50);
        _note(string.concat("transfer_", name, "_existing"));
    }

    function _sixteen() private {
        uint256 books = publish(BOOKS, rateRule(1, 1, IRewardRules.Rounding.Down));
        vm.prank(owner(BOOKS));
        token(BOOKS).setAllowed(address(0x74), true);
        _fill(BOOKS, books, address(0x73), 16, 1 hours);
        vm.assertEq(token(BOOKS).lotsOf(address(0x73)).length, 16, "sixteen lots live");
        vm.prank(address(0x73));
        token(BOOKS).transfer(address(0x74), 16 * 100 - 50);
        _note("transfer_16_lots_new");
        vm.warp(block.timestamp + 20 hours);
        _fillBoth(BOOKS, books, address(0x75), address(0x74), 16, 1 hours);
        vm.prank(address(0x75));
        token(BOOKS).transfer(address(0x74), 16 * 100 - 50);
        _note("transfer_16_lots_existing");
    }

    function _fill(uint256 brandId, uint256 ruleId, address to, uint256 lots, uint256 epochSeconds) private {
        for (uint256 i = 0; i < lots; ++i) {
            if (i > 0) vm.warp(block.timestamp + epochSeconds);
            award(brandId, ruleId, ++operations, to, 100);
        }
    }

    function _fillBoth(uint256 brandId, uint256 ruleId, address one, address other, uint256 lots, uint256 epochSeconds)
        private
    {
        for (uint256 i = 0; i < lots; ++i) {
            if (i > 0) vm.warp(block.timestamp + epochSeconds);
            award(brandId, ruleId, ++operations, one, 100);
            award(brandId, ruleId, ++operations, other, 100);
        }
    }

    /* AWARDS */

    function _awards() private {
        operations = 256 * 8;
        vm.prank(RELAYER);
        rules.awardBatch(CAFE, _items(0x81000, rule));
        _noteShare("award_in_batch_of_100_new", BATCH);
        vm.prank(RELAYER);
        rules.awardBatch(CAFE, _items(0x81000, rule));
        _noteShare("award_in_batch_of_100_existing", BATCH);
        uint256 plain = vm.lastCallGas().gasTotalUsed;
        // From the beginning of a word of operation ids, like the two above.
        operations = 256 * 16;
        vm.prank(RELAYER);
        rules.awardBatch(CAFE, _items(0x91000, returnable));
        _noteShare("award_with_root_in_batch_of_100_new", BATCH);
        vm.prank(RELAYER);
        rules.awardBatch(CAFE, _items(0x91000, returnable));
        _noteShare("award_with_root_in_batch_of_100_existing", BATCH);
        _add("root_share_in_batch_of_100", (vm.lastCallGas().gasTotalUsed - plain) / BATCH);
        award(CAFE, rule, ++operations, address(0x82), 100);
        _note("award_single_new");
        award(CAFE, rule, ++operations, address(0x82), 100);
        _note("award_single_existing");
    }

    /// @dev Of batches of 100: whole, a first part, the rest; then one whose points are gone, and awards beside and
    /// for its debtor.
    function _returns() private {
        Kept[] memory kept;
        for (uint256 round = 0; round < 2; ++round) {
            kept = _awardKept(CAFE, _items(0x92000, returnable));
        }
        _return(kept, 7, 2_933, "return_whole");
        _return(kept, 8, 1_000, "return_first_part");
        _return(kept, 8, 900, "return_second_part");
        _return(kept, 8, 1_033, "return_rest");
        address spender = kept[9].item.member;
        uint256 balance = token(CAFE).balanceOf(spender);
        vm.prank(spender);
        token(CAFE).transfer(members[0], balance - 5);
        _return(kept, 9, 2_933, "return_of_spent_points");
        vm.prank(RELAYER);
        rules.awardBatch(CAFE, _items(0x81000, returnable));
        _noteShare("award_beside_a_debtor_in_batch_of_100", BATCH);
        award(CAFE, returnable, ++operations, spender, 1_000);
        _note("award_single_to_a_debtor");
    }

    /// @dev The dearest batch that a relayer forms: each item under a rule of its own with a cap per day, for a new
    /// member; and then again, each for a debtor, on the next day and in a lot of another word.
    function _worstBatch() private {
        uint256 items = 200;
        IRewardRules.Terms memory terms = rateRule(1, 1, IRewardRules.Rounding.Down);
        (terms.returnWindow, terms.shortfall, terms.capPerMemberDay) = (10 days, IRewardRules.Shortfall.Debt, 1e9);
        IRewardRules.Item[] memory batch = new IRewardRules.Item[](items);
        operations = 256 * 40;
        for (uint256 i = 0; i < items; ++i) {
            batch[i] = IRewardRules.Item(operations++, publish(CAFE, terms), address(uint160(0xb1000 + i)), 2_933);
        }
        vm.prank(RELAYER);
        rules.awardBatch(CAFE, batch);
        _add("worst_batch_of_200", vm.lastCallGas().gasTotalUsed);
        Kept[] memory kept = keptOf(CAFE, batch);
        operations = 256 * 42;
        for (uint256 i = 0; i < items; ++i) {
            address member = batch[i].member;
            uint256 balance = token(CAFE).balanceOf(member);
            vm.prank(member);
            token(CAFE).transfer(members[0], balance);
            (uint256[4] memory words, bytes32[] memory proof) = provenOf(kept, i);
            vm.prank(TILLS);
            rules.takeReturn(CAFE, operations++, 2_933, words, proof);
        }
        vm.warp(block.timestamp + 5 days);
        operations = 256 * 44;
        for (uint256 i = 0; i < items; ++i) {
            (batch[i].operationId, batch[i].baseAmount) = (operations++, 3_000);
        }
        vm.prank(RELAYER);
        rules.awardBatch(CAFE, batch);
        _add("worst_batch_of_200_debtors", vm.lastCallGas().gasTotalUsed);
    }

    function _return(Kept[] memory kept, uint256 place, uint256 base, string memory name) private {
        (uint256[4] memory words, bytes32[] memory proof) = provenOf(kept, place);
        vm.prank(TILLS);
        rules.takeReturn(CAFE, ++operations, base, words, proof);
        _note(name);
    }

    function _awardKept(uint256 brandId, IRewardRules.Item[] memory items) private returns (Kept[] memory) {
        vm.prank(RELAYER);
        rules.awardBatch(brandId, items);
        return keptOf(brandId, items);
    }

    function _items(uint256 crowd, uint256 ruleId) private returns (IRewardRules.Item[] memory items) {
        items = new IRewardRules.Item[](BATCH);
        for (uint256 i = 0; i < BATCH; ++i) {
            items[i] = IRewardRules.Item(operations++, ruleId, address(uint160(crowd + i)), 2_933);
        }
    }

    /* EXCHANGE AND REDEMPTION */

    function _exchanges() private {
        for (uint256 i = 0; i < 2; ++i) {
            award(CAFE, rule, ++operations, members[i], 10_000);
        }
        // The first exchange of an agreement and of a member writes what no later one has to.
        _exchange(members[0], keys[0], 1, "exchange_first_of_agreement");
        _exchange(members[1], keys[1], 1, "exchange_new_receiver");
        _exchange(members[0], keys[0], 2, "exchange_existing");
        vm.warp(block.timestamp + 1 days);
        award(CAFE, rule, ++operations, members[0], 10_000);
        _exchange(members[0], keys[0], 3, "exchange_existing_first_of_day");
        IPartnerExchange.Quote memory quote =
            IPartnerExchange.Quote(members[0], agreement, 1, 1_000, 990, 4, block.timestamp);
        bytes memory signature = sign(keys[0], address(exchange), payHash(quote, "cup"));
        vm.prank(RELAYER);
        exchange.payAtPartner(quote, "cup", signature);
        _note("pay_at_partner");
    }

    function _exchange(address member, uint256 key, uint256 nonce, string memory name) private {
        IPartnerExchange.Quote memory quote =
            IPartnerExchange.Quote(member, agreement, 1, 1_000, 990, nonce, block.timestamp);
        bytes memory signature = sign(key, address(exchange), exchangeHash(quote));
        vm.prank(RELAYER);
        exchange.exchange(quote, signature);
        _note(name);
    }

    function _redemption() private {
        bytes32 first = _hold(1, "hold");
        vm.prank(TILLS);
        desk.capture(first, 500);
        _note("capture_whole");
        vm.prank(TILLS);
        desk.refund(first, 200, 0);
        _note("refund");
        bytes32 second = _hold(2, "hold_existing");
        vm.prank(TILLS);
        desk.release(second);
        _note("release");
    }

    function _hold(uint256 nonce, string memory name) private returns (bytes32 holdId) {
        IRedemptionDesk.HoldRequest memory request = IRedemptionDesk.HoldRequest(
            members[0], CAFE, 500, "cup", block.timestamp + 1 hours, nonce, block.timestamp
        );
        bytes memory signature = sign(keys[0], address(desk), holdHash(request));
        vm.prank(RELAYER);
        holdId = desk.hold(request, signature);
        _note(name);
    }

    /* NOTES */

    function _crowd(uint256 first) private pure returns (address[] memory to) {
        to = new address[](BATCH);
        for (uint256 i = 0; i < BATCH; ++i) {
            to[i] = address(uint160(first + i));
        }
    }

    function _note(string memory name) private {
        _noteShare(name, 1);
    }

    /// @dev Gas of the last call; for a batch, of one item, rounded up.
    function _noteShare(string memory name, uint256 items) private {
        uint256 used = vm.lastCallGas().gasTotalUsed;
        _add(name, (used + items - 1) / items);
    }

    function _add(string memory name, uint256 gas) private {
        string memory line = string.concat('  "', name, '": ', vm.toString(gas));
        json = bytes(json).length == 0 ? line : string.concat(json, ",\n", line);
    }
}
