"""Acts between brands: quotes, exchanges, agreements."""

from dataclasses import replace
from typing import Any

from chain.model.agreements import AgreementState
from chain.model.exchange import Quote
from tests.differential.acts.desk import DeskActs
from tests.differential.chooser import REWARD, Made
from tests.differential.world import DAY, HOUR, agreement


class ExchangeActs(DeskActs):
    """Exchanges and agreements."""

    def quote(self) -> Quote:
        """A quote by the terms in force; at times too dear, late, of another version, of no agreement."""
        agreements = self.world.ledger.agreements.agreements
        number = self.rng.randint(1, len(agreements))
        agreed = [key for key, each in enumerate(agreements, 1) if each.state_at(self.at) == AgreementState.AGREED]
        if agreed and not self.bad(0.05):
            number = int(self.some([each for each in agreed if self._rich(each)] or agreed))
        found = agreements[number - 1]
        terms, version = found.in_force(self.at)
        member = self.owner_of_points(found.from_brand_id)
        points_in = self.points(found.from_brand_id, member)
        if 2_000 < points_in < 2**48 and not self.bad(0.2):
            points_in = self.rng.randint(500, 2_000)
        minimum = terms.give(min(points_in, 2**60), 0).out
        if self.bad(0.5):
            minimum = self.rng.randint(0, max(0, minimum))
        if self.bad(0.03):
            minimum += 1
        if self.bad(0.03):
            version += int(self.some([-1, 1]))
        if self.bad(0.01):
            number = int(self.some([0, 1_000]))
        return Quote(member, number, version, points_in, minimum, self.nonce(), self.deadline())

    def _rich(self, agreement_id: int) -> bool:
        giving = self.world.ledger.agreements.agreement(agreement_id).from_brand_id
        token, issuing = self.world.ledger.tokens[giving], self.world.ledger.registry.is_issuing
        return issuing(giving) and any(token.balance_of(each, self.at) for each in self.world.cast.members)

    def exchange(self) -> Made:
        quote = self.quote()
        return "PartnerExchange", "exchange", (quote, self.signed(quote.member)), self.caller(quote.member)

    def pay_at_partner(self) -> Made:
        quote = self.quote()
        values = quote, REWARD, self.signed(quote.member)
        return "PartnerExchange", "payAtPartner", values, self.caller(quote.member)

    def unwind(self) -> Made:
        exchanges = self.world.ledger.exchanges
        records = exchanges.records
        done = {key: each.exchange for key, each in records.items() if each is not None}
        open_ = {key for key, each in records.items() if each is not None and each.until >= self.at}
        if not done:
            return self.exchange()
        fitting = [
            key
            for key, each in done.items()
            if key in open_ and self._taking(each.agreement_id).balance_of(each.member, self.at) >= each.points_out
        ]
        exchange_id = str(self.some(fitting if fitting and not self.bad(0.1) else list(done)))
        record = done[exchange_id]
        if self.bad(0.04):
            record = replace(record, fee=record.fee + 1)
        if self.bad(0.04):
            closed = [key for key, each in records.items() if each is None]
            exchange_id = str(self.some([*closed[-5:], "0x" + "66" * 32]))
        brand_id = self._taking(record.agreement_id).brand_id
        values = exchange_id, record, self.nonce(), self.deadline(), self.signed(record.member)
        return "PartnerExchange", "unwind", values, self.staff("till", brand_id)

    def _taking(self, agreement_id: int) -> Any:
        ledger = self.world.ledger
        return ledger.tokens[ledger.agreements.agreement(agreement_id).to_brand_id]

    def propose(self) -> Made:
        brands, agreements = list(self.world.ledger.tokens), self.world.ledger.agreements.agreements
        taken = {
            (each.from_brand_id, each.to_brand_id)
            for each in agreements
            if each.state_at(self.at) != AgreementState.ENDED
        }
        free = [(one, other) for one in brands for other in brands if one != other and (one, other) not in taken]
        giving, taking = self.some(free) if free and not self.bad() else (self.brand(), self.brand())
        by = giving if not self.bad(0.1) else self.brand()
        terms = self.some_terms()
        return "PartnerExchange", "propose", (by, giving, taking, terms), self.staff("owner", by)

    def some_terms(self) -> Any:
        """Terms of an agreement; at times with one field out of its bounds."""
        terms = agreement(
            self.rng.randint(1, 20),
            self.rng.randint(1, 20),
            self.rng.choice((0, 33, 250, 5_000)),
            exposure_cap=self.rng.choice((10_000, 300_000, 10**7)),
            daily_cap=self.rng.choice((2_000, 100_000, 10**7)),
            minimum_in=self.rng.choice((1, 1, 50)),
            unwind_s=self.rng.choice((0, 2 * HOUR, 30 * DAY)),
        )
        if self.bad(0.1):
            wrong: dict[str, int] = self.some(
                [
                    {"numerator": 0},
                    {"denominator": 2**48},
                    {"fee_bps": 5_001},
                    {"daily_cap": 2**48},
                    {"exposure_cap": 2**96},
                    {"value_numerator": 0},
                    {"value_denominator": 2**32},
                    {"minimum_in": 0},
                    {"minimum_in": 2**40},
                    {"unwind_s": 366 * DAY + 1},
                    {"notice_s": HOUR - 1},
                ]
            )
            terms = replace(terms, **wrong)
        return terms

    def some_agreement(self, *states: AgreementState) -> int:
        """An agreement in one of these states, if there is one."""
        agreements = self.world.ledger.agreements.agreements
        fitting = [key for key, each in enumerate(agreements, 1) if each.state_at(self.at) in states]
        return int(self.some(fitting)) if fitting and not self.bad(0.05) else self.rng.randint(1, len(agreements))

    def agree(self) -> Made:
        """Whatever two brands can do about an agreement."""
        act = self.some(["propose", "accept", "accept", "change", "accept_change", "accept_change", "withdraw", "end"])
        agreements = self.world.ledger.agreements.agreements
        states = [each.state_at(self.at) for each in agreements]
        agreed_few = states.count(AgreementState.AGREED) < 6
        if act == "propose" or (act == "accept" and AgreementState.PROPOSED not in states and not self.bad()):
            return self.propose()
        if act == "end" and agreed_few and not self.bad(0.3):
            act = "accept"
        waiting = any(each.pending(self.at) for each in agreements)
        if act in ("accept_change", "withdraw") and not waiting and not self.bad():
            act = "change"
        proposed = act == "accept"
        number = self.some_agreement(AgreementState.PROPOSED if proposed else AgreementState.AGREED)
        found = self.world.ledger.agreements.agreement(number)
        changing = [
            key
            for key, each in enumerate(self.world.ledger.agreements.agreements, 1)
            if each.pending(self.at) is not None
        ]
        if act in ("accept_change", "withdraw") and changing:
            number = int(self.some(changing))
            found = self.world.ledger.agreements.agreement(number)
        pair = found.from_brand_id, found.to_brand_id
        if act == "change":
            by = int(self.some([*pair, *pair, self.brand()]))
            values: tuple[Any, ...] = (number, by, self.some_terms())
            return "PartnerExchange", "proposeChange", values, self.staff("owner", by)
        if act in ("withdraw", "end"):
            by = int(self.some([*pair, *pair, self.brand()]))
            name = "withdrawChange" if act == "withdraw" else "end"
            return "PartnerExchange", name, (number, by), self.staff("owner", by)
        change = found.pending(self.at)
        mover = change.by_brand_id if change and act == "accept_change" else found.by_brand_id
        terms = change.terms if change and act == "accept_change" else found.terms
        other = pair[1] if mover == pair[0] else pair[0]
        chosen = terms.hash() if not self.bad(0.08) else "0x" + "11" * 32
        name = "acceptChange" if act == "accept_change" else "accept"
        return "PartnerExchange", name, (number, chosen), self.staff("owner", other)
