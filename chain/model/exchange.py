"""One brand's points for another's: exchange, pay at a partner, unwind (SPEC 4)."""

from dataclasses import astuple, dataclass, field

from chain.model import lots as lot
from chain.model.access import Kind, Signature, role_of
from chain.model.agreements import EXCHANGE, Agreement, Agreements, AgreementState, AgreementTerms, Given
from chain.model.call import Call, Journal
from chain.model.clearing import Clearing
from chain.model.desk import Desk
from chain.model.errors import (
    AgreementStateWrong,
    AuthorisationExpired,
    AuthorisationUsed,
    DailyCapExceeded,
    ExchangeNotOpen,
    ExchangeUnknown,
    OutBelowMinimum,
    OutTooLarge,
    PointsInInvalid,
    PointsInTooFew,
    PointsMissing,
    SignatureInvalid,
    UnwindOver,
    VersionChanged,
)
from chain.model.ids import hash_of, nonce_id
from chain.model.lots import LOT_POINTS_MAX
from chain.model.registry import Registry
from chain.model.token import Back, Token


@dataclass(frozen=True, slots=True)
class Quote:
    """What a member signs."""

    member: str
    agreement_id: int
    version: int
    points_in: int
    minimum_out: int
    nonce: int
    deadline: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """An exchange as it happened, with everything that unwinding needs; lots_in packed."""

    member: str
    agreement_id: int
    version: int
    points_in: int
    points_out: int
    fee: int
    obligation: int
    lots_in: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """An exchange that may be unwound until second `until`; at: when it was made."""

    exchange: Exchange
    at: int
    until: int


@dataclass(slots=True)
class Exchanges:
    """All exchanges by id; one that is unwound, cancelled or paid is None."""

    address: str
    agreements: Agreements
    registry: Registry
    tokens: dict[int, Token]
    clearing: Clearing
    desk: Desk
    journal: Journal
    records: dict[str, Record | None] = field(default_factory=dict)

    def payment_id(self, exchange_id: str) -> str:
        """The desk's hold id of a payment."""
        return hash_of(["address", "bytes32"], self.address, bytes.fromhex(exchange_id[2:]))

    def quote(self, call: Call, agreement_id: int, points_in: int) -> tuple[Given, int]:
        """What an exchange gives now, and the version in force; caps, balances and collateral aside."""
        agreement = self._agreed(call, agreement_id)
        terms, version = agreement.in_force(call.at)
        return self._give(terms, points_in, agreement.carry_at(call.at)), version

    def exchange(self, call: Call, quote: Quote, signature: Signature) -> tuple[str, Exchange]:
        """Burns here, mints there, books the obligation: all or nothing."""
        exchange_id, done = self._exchange(call, quote, signature)
        terms, _ = self.agreements.agreement(quote.agreement_id).in_force(call.at)
        self.records[exchange_id] = Record(done, call.at, call.at + terms.unwind_s)
        return exchange_id, done

    def pay_at_partner(self, call: Call, quote: Quote, reward_id: str, signature: Signature) -> tuple[str, Exchange]:
        """Exchanges, and redeems exactly the quote's minimum at the receiving brand."""
        exchange_id, done = self._exchange(call, quote, signature, paying=True)
        self.records[exchange_id] = None
        brand_id = self.agreements.agreement(quote.agreement_id).to_brand_id
        hold_id = self.payment_id(exchange_id)
        self.desk.pay(call, hold_id, brand_id, quote.member, quote.minimum_out, reward_id)
        self._say("PaidAtPartner", exchange_id, hold_id, quote.minimum_out, reward_id)
        return exchange_id, done

    def unwind(
        self, call: Call, exchange_id: str, exchange: Exchange, nonce: int, deadline: int, signature: Signature
    ) -> Back:
        """Undoes an exchange at its own rate, once and in its window, with the member's authorisation."""
        if exchange_id not in self.records:
            raise ExchangeUnknown(exchange_id)
        record = self.records[exchange_id]
        if record is None or record.exchange != exchange:
            raise ExchangeNotOpen(exchange_id)
        agreement = self.agreements.agreement(exchange.agreement_id)
        use = self.agreements.announcements.check(call, role_of(agreement.to_brand_id, Kind.TILL))
        if call.at > deadline:
            raise AuthorisationExpired(deadline, call.at)
        word_id = nonce_id(exchange.member, nonce)
        if word_id in self.records:
            raise AuthorisationUsed(exchange.member, nonce)
        if call.by != exchange.member and signature != exchange.member:
            raise SignatureInvalid(exchange.member)
        if call.at > record.until:
            raise UnwindOver(exchange_id, record.until)
        home, away = self._issuing(agreement)
        away.check_balance(exchange.member, exchange.points_out, call.at)
        lots_in = lot.unpacked(exchange.lots_in)
        home.check_back(exchange.member, lots_in, call.at, graced=False)
        pair = agreement.from_brand_id, agreement.to_brand_id
        self.clearing.check_unbook(*pair, exchange.obligation)

        use()
        self.records[exchange_id] = self.records[word_id] = None
        away.burn_latest(exchange.member, exchange.points_out, away.clock.expiry_of_mint(record.at), call.at)
        back = home.restore(exchange.member, lots_in, call.at, graced=False)
        self.clearing.unbook(*pair, exchange.obligation, exchange_id)
        self._say(
            "Unwound",
            exchange_id,
            exchange.agreement_id,
            exchange.member,
            exchange.points_out,
            back.returned,
            back.renewed,
            back.lapsed,
        )
        return back

    def cancel_authorisation(self, call: Call, nonce: int) -> None:
        """The member voids a nonce of its own that no exchange has used."""
        exchange_id = nonce_id(call.by, nonce)
        if exchange_id in self.records:
            raise AuthorisationUsed(call.by, nonce)
        self.records[exchange_id] = None
        self._say("AuthorisationCancelled", call.by, nonce)

    def _exchange(
        self, call: Call, quote: Quote, signature: Signature, *, paying: bool = False
    ) -> tuple[str, Exchange]:
        exchange_id = nonce_id(quote.member, quote.nonce)
        self._check_authorised(call, quote, exchange_id, signature)
        agreement = self._agreed(call, quote.agreement_id)
        terms, version = agreement.in_force(call.at)
        if quote.version != version:
            raise VersionChanged(quote.version, version)
        home, away = self._issuing(agreement)
        given = self._give(terms, quote.points_in, agreement.carry_at(call.at))
        if given.out < max(1, quote.minimum_out):
            raise OutBelowMinimum(given.out, quote.minimum_out)
        if given.out > LOT_POINTS_MAX:
            raise OutTooLarge(given.out, LOT_POINTS_MAX)
        remaining = max(0, terms.daily_cap - self.agreements.used_today(quote.agreement_id, call.at))
        if quote.points_in > remaining:
            raise DailyCapExceeded(quote.points_in, remaining)
        home.check_balance(quote.member, quote.points_in, call.at)
        debt = agreement.from_brand_id, agreement.to_brand_id, given.obligation, terms.exposure_cap
        away.check_room(quote.member, given.out, call.at)
        self.clearing.check_book(*debt)
        if paying and quote.minimum_out == 0:
            raise PointsMissing()

        self.agreements.count(quote.agreement_id, given, quote.points_in, call.at)
        burnt = home.burn(quote.member, quote.points_in, call.at)
        away.mint(quote.member, given.out, call.at)
        self.clearing.book(*debt, exchange_id)
        done = Exchange(
            member=quote.member,
            agreement_id=quote.agreement_id,
            version=version,
            points_in=quote.points_in,
            points_out=given.out,
            fee=given.fee,
            obligation=given.obligation,
            lots_in=lot.packed(burnt),
        )
        self._say("Exchanged", exchange_id, quote.agreement_id, quote.member, quote.nonce, astuple(done))
        return exchange_id, done

    def _check_authorised(self, call: Call, quote: Quote, exchange_id: str, signature: Signature) -> None:
        if call.at > quote.deadline:
            raise AuthorisationExpired(quote.deadline, call.at)
        if exchange_id in self.records:
            raise AuthorisationUsed(quote.member, quote.nonce)
        if call.by != quote.member and signature != quote.member:
            raise SignatureInvalid(quote.member)

    def _agreed(self, call: Call, agreement_id: int) -> Agreement:
        agreement = self.agreements.agreement(agreement_id)
        state = agreement.state_at(call.at)
        if state != AgreementState.AGREED:
            raise AgreementStateWrong(agreement_id, state)
        return agreement

    def _issuing(self, agreement: Agreement) -> tuple[Token, Token]:
        self.registry.check_issuing(agreement.from_brand_id)
        self.registry.check_issuing(agreement.to_brand_id)
        return self.tokens[agreement.from_brand_id], self.tokens[agreement.to_brand_id]

    def _give(self, terms: AgreementTerms, points_in: int, carry: int) -> Given:
        if not 1 <= points_in <= LOT_POINTS_MAX:
            raise PointsInInvalid(points_in, LOT_POINTS_MAX)
        if points_in < terms.minimum_in:
            raise PointsInTooFew(points_in, terms.minimum_in)
        return terms.give(points_in, carry)

    def _say(self, name: str, *values: object) -> None:
        self.journal.say(EXCHANGE, name, *values)
