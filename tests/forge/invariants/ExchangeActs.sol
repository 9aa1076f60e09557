// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IPartnerExchange} from "../../../contracts/interfaces/IPartnerExchange.sol";
import {AwardActs} from "./AwardActs.sol";
import {DeskActs} from "./DeskActs.sol";
import {ClearingActs} from "./ClearingActs.sol";

/// @title Members exchange, pay at partners, and undo exchanges.
abstract contract ExchangeActs is AwardActs, DeskActs, ClearingActs {
    struct AgreementModel {
        uint256 fromBrandId;
        uint256 toBrandId;
        IPartnerExchange.Terms terms;
        uint256 version;
        uint256 highestCap;
        IPartnerExchange.Terms next;
        uint256 nextAt;
        uint256 carry;
    }

    struct ExchangeModel {
        bytes32 id;
        IPartnerExchange.Exchange record;
        Taken lots;
        bool open;
        uint256 at;
        uint256 until;
    }

    /// @dev Ids from 1.
    AgreementModel[] internal agreements;
    ExchangeModel[] internal exchanges;
    /// @dev A brand's points burnt by exchanges into the other less those minted by exchanges from it.
    mapping(uint256 brandId => mapping(uint256 otherId => mapping(uint256 day => int256 flow))) internal flowOfDay;

    struct Deal {
        uint256 version;
        uint256 member;
        uint256 fromBrandId;
        uint256 toBrandId;
        uint256 out;
        uint256 fee;
        uint256 obligation;
        uint256 carry;
        bool fine;
    }

    function exchangePoints(uint256 seed) external act(seed) {
        (IPartnerExchange.Quote memory quote, Deal memory deal, Word memory word) = _rollQuote();
        seal(word, deal.member, address(exchange), exchangeHash(quote));
        deal.fine = deal.fine && word.valid;
        bytes memory data = abi.encodeCall(IPartnerExchange.exchange, (quote, word.signature));
        call(word.sender, address(exchange), data, deal.fine, "exchange");
        if (deal.fine) _record(quote, deal, true);
    }

    function payAtPartner(uint256 seed) external act(seed) {
        (IPartnerExchange.Quote memory quote, Deal memory deal, Word memory word) = _rollQuote();
        seal(word, deal.member, address(exchange), payHash(quote, "reward"));
        deal.fine = deal.fine && word.valid && quote.minimumOut > 0;
        bytes memory data = abi.encodeCall(IPartnerExchange.payAtPartner, (quote, "reward", word.signature));
        bytes memory result = call(word.sender, address(exchange), data, deal.fine, "payAtPartner");
        if (!deal.fine) return;
        bytes32 id = _record(quote, deal, false);
        (, bytes32 holdId,) = abi.decode(result, (bytes32, bytes32, uint256));
        vm.assertEq(holdId, keccak256(abi.encode(address(exchange), id)), "a payment's hold id is known before");
        Taken memory taken = takeOldest(deal.toBrandId, quote.member, quote.minimumOut);
        burnt(deal.toBrandId, taken);
        rememberPayment(holdId, quote.member, deal.toBrandId, quote.minimumOut, taken);
    }

    function unwind(uint256 seed) external act(seed) {
        if (exchanges.length == 0) return;
        uint256 which = exchanges.length - 1 - roll(_min(exchanges.length, 4));
        // Payments cannot be unwound: mostly the one before.
        for (uint256 k = 0; k < 6 && which > 0 && !exchanges[which].open && roll(6) != 0; ++k) --which;
        ExchangeModel storage x = exchanges[which];
        IPartnerExchange.Exchange memory record = x.record;
        AgreementModel memory agreement = agreements[record.agreementId - 1];
        uint256 member = _memberOf(record.member);
        Word memory word = rollWord(member, address(exchange));
        seal(word, member, address(exchange), unwindHash(record.member, x.id, word.nonce, word.deadline));
        // Only the till of the brand that was entered; the member alone cannot.
        if (word.sender != members[member]) word.sender = roll(6) == 0 ? till(agreement.fromBrandId) : till(agreement.toBrandId);
        bool forged = roll(8) == 0;
        if (forged) ++record.pointsIn;
        bool fine = word.valid && x.open && !forged && word.sender == till(agreement.toBrandId)
            && issuing(agreement.fromBrandId) && issuing(agreement.toBrandId) && block.timestamp <= x.until
            && record.pointsOut <= free(agreement.toBrandId, record.member) && fitsAgain(agreement.fromBrandId, x.lots)
            && mayUnbook(agreement.fromBrandId, agreement.toBrandId, record.obligation);
        bytes memory data = abi.encodeCall(IPartnerExchange.unwind, (x.id, record, word.nonce, word.deadline, word.signature));
        call(word.sender, address(exchange), data, fine, "unwind");
        if (!fine) return;
        x.open = false;
        spentNonce[address(exchange)][record.member][word.nonce] = true;
        uint256 first = lifetime(agreement.toBrandId) == 0
            ? 1
            : (x.at - START) / epochSeconds(agreement.toBrandId) + 1 + lifetime(agreement.toBrandId);
        burnt(agreement.toBrandId, takeLatest(agreement.toBrandId, record.member, record.pointsOut, first));
        mintAgain(agreement.fromBrandId, record.member, x.lots, false);
        unbook(agreement.fromBrandId, agreement.toBrandId, record.obligation);
    }

    /// @notice Both brands agree on other terms; they count after the notice, and quotes of the old version no more.
    function changeAgreement(uint256 seed) external act(seed) {
        uint256 id = 1 + roll(agreements.length);
        _settleAgreement(id);
        AgreementModel storage agreement = agreements[id - 1];
        IPartnerExchange.Terms memory terms = agreement.terms;
        (terms.numerator, terms.feeBps) = (1 + roll(9), roll(2_000));
        (terms.dailyCap, terms.exposureCap) = (20_000 + roll(40_000), 10_000 + roll(30_000));
        bool fine = agreement.nextAt == 0;
        bytes memory data = abi.encodeCall(IPartnerExchange.proposeChange, (id, agreement.toBrandId, terms));
        call(owner(agreement.toBrandId), address(exchange), data, fine, "proposeChange");
        if (!fine) return;
        bytes32 termsHash = keccak256(abi.encode(terms));
        data = abi.encodeCall(IPartnerExchange.acceptChange, (id, termsHash));
        // The brand that proposed it cannot accept it too.
        call(owner(agreement.toBrandId), address(exchange), data, false, "acceptOwnChange");
        call(owner(agreement.fromBrandId), address(exchange), data, true, "acceptChange");
        (agreement.next, agreement.nextAt) = (terms, block.timestamp + terms.noticeSeconds);
    }

    /// @dev Puts terms that count by now in their place.
    function _settleAgreement(uint256 id) private {
        AgreementModel storage agreement = agreements[id - 1];
        if (agreement.nextAt == 0 || agreement.nextAt > block.timestamp) return;
        (agreement.terms, agreement.nextAt, agreement.carry) = (agreement.next, 0, 0);
        ++agreement.version;
        if (agreement.terms.dailyCap > agreement.highestCap) agreement.highestCap = agreement.terms.dailyCap;
    }

    function _rollQuote()
        private
        returns (IPartnerExchange.Quote memory quote, Deal memory deal, Word memory word)
    {
        quote.agreementId = 1 + roll(agreements.length);
        _settleAgreement(quote.agreementId);
        AgreementModel memory agreement = agreements[quote.agreementId - 1];
        deal.version = agreement.version;
        deal.member = rollMember();
        (deal.fromBrandId, deal.toBrandId) = (agreement.fromBrandId, agreement.toBrandId);
        quote.member = members[deal.member];
        quote.version = agreement.version;
        if (roll(16) == 0) quote.version = agreement.version - 1;
        if (roll(16) == 0) quote.version = agreement.version + 1;
        uint256 available = free(deal.fromBrandId, quote.member);
        quote.pointsIn = rollPoints(available);
        if (available > 20_000 && roll(4) != 0) quote.pointsIn = 1 + roll(20_000);
        word = rollWord(deal.member, address(exchange));
        (quote.nonce, quote.deadline) = (word.nonce, word.deadline);
        deal.carry = agreement.carry;
        _price(agreement.terms, quote.pointsIn, deal);
        quote.minimumOut = roll(12) == 0 ? deal.out + 1 : deal.out - (deal.out > 0 ? roll(deal.out) / 3 : 0);
        deal.fine = quote.version == agreement.version && quote.pointsIn > 0 && quote.pointsIn <= available
            && quote.pointsIn <= LOT_MAX && deal.out > 0 && deal.out >= quote.minimumOut && deal.out <= LOT_MAX
            && issuing(deal.fromBrandId) && issuing(deal.toBrandId)
            && quote.pointsIn >= agreement.terms.minimumIn
            && usedToday(deal.fromBrandId, deal.toBrandId) + quote.pointsIn <= agreement.terms.dailyCap
            && minted[deal.toBrandId][mintEpoch(deal.toBrandId)] + deal.out <= LOT_MAX
            && mayBook(deal.fromBrandId, deal.toBrandId, deal.obligation, agreement.terms.exposureCap);
    }

    /// @dev By the agreed fraction; what remains of a division never goes to the caller.
    function _price(IPartnerExchange.Terms memory terms, uint256 pointsIn, Deal memory deal) private pure {
        uint256 gross = pointsIn > LOT_MAX ? 0 : pointsIn * terms.numerator / terms.denominator;
        deal.fee = gross * terms.feeBps / 10_000;
        if (deal.fee * 10_000 < gross * terms.feeBps) ++deal.fee;
        deal.out = gross - deal.fee;
        // What was booked too much before counts: all exchanges together are rounded up once.
        uint256 exact = gross * terms.valueNumerator;
        deal.obligation = exact <= deal.carry ? 0 : (exact - deal.carry) / terms.valueDenominator;
        if (deal.carry + deal.obligation * terms.valueDenominator < exact) ++deal.obligation;
        deal.carry = deal.carry + deal.obligation * terms.valueDenominator - exact;
    }

    function usedToday(uint256 fromBrandId, uint256 toBrandId) internal view returns (uint256) {
        int256 flow = flowOfDay[fromBrandId][toBrandId][block.timestamp / 1 days];
        return flow > 0 ? uint256(flow) : 0;
    }

    function _record(IPartnerExchange.Quote memory quote, Deal memory deal, bool open) private returns (bytes32 id) {
        id = keccak256(abi.encode(quote.member, quote.nonce));
        spentNonce[address(exchange)][quote.member][quote.nonce] = true;
        flowOfDay[deal.fromBrandId][deal.toBrandId][block.timestamp / 1 days] += int256(quote.pointsIn);
        flowOfDay[deal.toBrandId][deal.fromBrandId][block.timestamp / 1 days] -= int256(deal.out);
        agreements[quote.agreementId - 1].carry = deal.carry;
        Taken memory taken = takeOldest(deal.fromBrandId, quote.member, quote.pointsIn);
        burnt(deal.fromBrandId, taken);
        mintOne(deal.toBrandId, quote.member, mintEpoch(deal.toBrandId), deal.out);
        book(deal.fromBrandId, deal.toBrandId, deal.obligation);
        // Points in = points out at the agreed fraction, the fee included, and no remainder goes to the member.
        IPartnerExchange.Terms memory terms = agreements[quote.agreementId - 1].terms;
        vm.assertLe((deal.out + deal.fee) * terms.denominator, quote.pointsIn * terms.numerator, "rounding favours the caller");
        IPartnerExchange.Exchange memory record = IPartnerExchange.Exchange(
            quote.member, quote.agreementId, deal.version, quote.pointsIn, deal.out, deal.fee, deal.obligation, pack(taken)
        );
        uint256 until = block.timestamp + terms.unwindSeconds;
        uint256 kept = (uint256(keccak256(abi.encode(record))) >> 80 << 80) | (block.timestamp << 40) | until;
        bytes32 expected = open ? bytes32(kept) : bytes32(uint256(1));
        vm.assertEq(exchange.recordOf(id), expected, "an exchange is recorded as it happened");
        ExchangeModel storage x = exchanges.push();
        (x.id, x.record, x.lots, x.open) = (id, record, taken, open);
        (x.at, x.until) = (block.timestamp, until);
    }

    function _memberOf(address account) private view returns (uint256 i) {
        while (members[i] != account) ++i;
    }
}
