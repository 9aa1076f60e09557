"""The books set to what the chain states of points, holds, exchanges and clearing, after a difference.

Each function takes the stated event as it is, whether the model made the call (and went another way) or refused it:
absolute values replace, relative ones move by what is stated less what the books hold already.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chain.model import lots as lot
from chain.model.agreements import Given
from chain.model.clearing import Statement
from chain.model.desk import Hold, HoldState, RefundWindow
from chain.model.exchange import Exchange, Record
from chain.replay.books import Books
from chain.replay.decoding.facts import TOKEN
from chain.replay.decoding.shapes import Event

Lots = dict[int, int]


def lots_changed(books: Books, event: Event, at: int, ran: bool) -> None:
    """The account's words."""
    token = books.token(int(event.contract.removeprefix(TOKEN)))
    token.accept(event.values["account"], event.values["words"], at)


def debt_changed(books: Books, event: Event, at: int, ran: bool) -> None:
    """What a member owes from now on."""
    token, member, debt = (
        books.token(int(event.contract.removeprefix(TOKEN))),
        event.values["member"],
        event.values["debt"],
    )
    token.debts.pop(member, None)
    if debt:
        token.debts[member] = debt


def returned(books: Books, event: Event, at: int, ran: bool) -> None:
    """A return as the chain counts it; what the award then stands at follows from what is back of it."""
    values = event.values
    award = books.rules.awards.get((values["brandId"], values["operationId"]))
    books.rules.used.add((values["brandId"], values["returnId"]))
    if award is None or ran:
        return
    back = award.item.base_amount - award.left + values["baseAmount"]
    award.returned = back if back < award.item.base_amount else None
    rule = books.rules.rule(values["brandId"], award.item.rule_id)
    forgiven = 0 if values["owes"] else values["missing"]
    rule.spent = max(0, rule.spent - values["taken"] - values["missing"] + forgiven)


# --- holds


def hold_placed(books: Books, event: Event, at: int, ran: bool) -> None:
    """A hold as it was set aside."""
    _put_hold(books, event.values, HoldState.HELD, event.values["holdUntil"], 0)


def hold_paid(books: Books, event: Event, at: int, ran: bool) -> None:
    """A payment at a partner: captured in the same second."""
    _put_hold(books, event.values, HoldState.CAPTURED, at, event.values["points"])


def _put_hold(books: Books, values: Mapping[str, Any], state: HoldState, until: int, captured: int) -> None:
    books.desk.holds[values["holdId"]] = Hold(
        member=values["member"],
        brand_id=values["brandId"],
        state=state,
        points=values["points"],
        captured=captured,
        refunded=0,
        hold_until=until,
        lots=lot.unpacked(values["lots"]),
        refund_until=until + books.desk.refund_window_of(values["brandId"], until) if captured else 0,
    )


def _hold(books: Books, values: Mapping[str, Any]) -> Hold:
    """The hold, or one of which nothing is known but what the event says."""
    blank = Hold(values["member"], values["brandId"], HoldState.HELD, 0, 0, 0, 0, {})
    return books.desk.holds.setdefault(values["holdId"], blank)


def refund_window_announced(books: Books, event: Event, at: int, ran: bool) -> None:
    """The window that waits."""
    values = event.values
    before = books.desk.refund_window_of(values["brandId"], at)
    books.desk.windows[values["brandId"]] = RefundWindow(before, values["refundSeconds"], values["inForceAt"])


def hold_captured(books: Books, event: Event, at: int, ran: bool) -> None:
    """Captured; of the lots the oldest, as far as they go."""
    hold, points = _hold(books, event.values), event.values["captured"]
    if not ran:
        hold.lots = _part(hold.lots, points)
        hold.refund_until = at + books.desk.refund_window_of(hold.brand_id, at)
    hold.state, hold.captured = HoldState.CAPTURED, points


def hold_released(books: Books, event: Event, at: int, ran: bool) -> None:
    """Released."""
    hold = _hold(books, event.values)
    hold.state, hold.lots = HoldState.RELEASED, {}


def hold_refunded(books: Books, event: Event, at: int, ran: bool) -> None:
    """Refunded so far; of the lots the newest go, as far as there are any."""
    hold = _hold(books, event.values)
    if not ran:
        hold.state = HoldState.CAPTURED
        hold.captured = hold.captured or event.values["refundedTotal"]
        # A refund that was stated before takes nothing again.
        back, held = max(0, event.values["refundedTotal"] - hold.refunded), lot.total(hold.lots)
        hold.lots = _part(hold.lots, held - back) if back <= held else hold.lots
    hold.refunded = event.values["refundedTotal"]


def _part(lots: Mapping[int, int], points: int) -> Lots:
    """The oldest of the lots: so many points, or all."""
    return lot.oldest(lots, min(points, lot.total(lots)))


# --- exchanges


def exchanged(books: Books, event: Event, at: int, ran: bool) -> None:
    """The record that unwinding asks for, and the day's use."""
    record = Exchange(*event.values["exchange"])
    exchange_id = event.values["exchangeId"]
    unwind_s = 0
    if 0 < record.agreement_id <= len(books.agreements.agreements):
        agreement = books.agreements.agreement(record.agreement_id)
        unwind_s = agreement.in_force(at)[0].unwind_s
        if not ran and exchange_id not in books.exchanges.records:
            carried = agreement.carry_at(at)
            books.agreements.count(record.agreement_id, Given(record.points_out, 0, 0, carried), record.points_in, at)
    books.exchanges.records[exchange_id] = Record(record, at, at + unwind_s)


def exchange_closed(books: Books, event: Event, at: int, ran: bool) -> None:
    """Paid or unwound: there is nothing to unwind."""
    books.exchanges.records[event.values["exchangeId"]] = None


# --- clearing


def obligation(books: Books, event: Event, at: int, ran: bool) -> None:
    """What one brand owes the other; what it owes in all moves with it."""
    values = event.values
    _owe(books, values["debtorId"], values["creditorId"], values["outstanding"])


def _owe(books: Books, debtor_id: int, creditor_id: int, outstanding: int) -> None:
    account = books.clearing.account_of(debtor_id)
    account.owed = max(0, account.owed + outstanding - books.clearing.obligation_of(debtor_id, creditor_id))
    books.clearing.obligations[debtor_id, creditor_id] = outstanding


def collateral(books: Books, event: Event, at: int, ran: bool) -> None:
    """A brand's collateral after a deposit, a withdrawal, a claim paid or a position settled."""
    brand_id = event.values.get("creditorId", event.values["brandId"])
    books.clearing.account_of(brand_id).collateral = event.values["collateral"]
    brand = books.registry.brands.get(brand_id)
    if event.name == "CollateralWithdrawn" and brand is not None:
        books.registry.brands[brand_id] = replace(brand, treasury=event.values["to"], next_treasury=None)


def position_settled(books: Books, event: Event, at: int, ran: bool) -> None:
    """A position: collateral, and a debtor's debts."""
    account = books.clearing.account_of(event.values["brandId"])
    account.collateral = event.values["collateral"]
    if not ran:
        paid = max(0, -event.values["position"])
        account.owed, account.due = max(0, account.owed - paid), max(0, account.due - paid)


def claim_paid(books: Books, event: Event, at: int, ran: bool) -> None:
    """A creditor's part, from the brand's collateral; what is left of the claim stays."""
    values = event.values
    collateral(books, event, at, ran)
    if not ran:
        debtor = books.clearing.account_of(values["brandId"])
        debtor.collateral = max(0, debtor.collateral - values["paid"])
    _owe(books, values["brandId"], values["creditorId"], max(0, values["claim"] - values["paid"]))


def period_netted(books: Books, event: Event, at: int, ran: bool) -> None:
    """A statement as the chain has it."""
    clearing, values = books.clearing, event.values
    brand_ids, positions = values["brandIds"], values["positions"]
    if not ran and values["period"] < clearing.next_period:
        return
    made = clearing.statements.get(values["period"]) if ran else None
    before = dict(zip(made.brand_ids, made.positions, strict=True)) if made else {}
    for one in brand_ids:
        for other in brand_ids:
            if clearing.obligation_of(one, other):
                _owe(books, one, other, 0)
    for brand_id, position in zip(brand_ids, positions, strict=False):
        debt = max(0, -position) - max(0, -before.get(brand_id, 0))
        account = clearing.account_of(brand_id)
        account.owed, account.due = max(0, account.owed + debt), max(0, account.due + debt)
    clearing.statements[values["period"]] = Statement(brand_ids, positions)
    clearing.next_period = values["period"] + 1


def period_settled(books: Books, event: Event, at: int, ran: bool) -> None:
    """The period is over."""
    books.clearing.statements.pop(event.values["period"], None)


def brand_defaulted(books: Books, event: Event, at: int, ran: bool) -> None:
    """In default; what was not paid is still owed."""
    account = books.clearing.account_of(event.values["brandId"])
    account.in_default, account.owed = True, max(0, event.values["claims"] - event.values["paid"])


def claims_paid(books: Books, event: Event, at: int, ran: bool) -> None:
    """A further step: what is still owed."""
    books.clearing.account_of(event.values["brandId"]).owed = event.values["owed"]


def default_cured(books: Books, event: Event, at: int, ran: bool) -> None:
    """No longer in default."""
    books.clearing.account_of(event.values["brandId"]).in_default = False
