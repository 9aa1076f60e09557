"""The calls behind members' and tills' acts, made again on the model."""

from chain.model.call import NOBODY
from chain.model.desk import HoldRequest
from chain.model.exchange import Exchange, Quote
from chain.model.ids import nonce_id
from chain.model.policy import Policy
from chain.replay.books import Books
from chain.replay.decoding.facts import TOKEN
from chain.replay.reexecution.call_context import CallContext
from chain.replay.tokens import StatedToken

DESK_NAME = "Moa RedemptionDesk"
EXCHANGE_NAME = "Moa PartnerExchange"
# No event tells the nonce that a transfer or a leaving spent.
NO_NONCE = -1
# Nor does one tell an unwinding's; nobody has used the highest number of all.
NONCE_UNTOLD = 2**256 - 1
NO_EXCHANGE = Exchange(NOBODY, 0, 0, 0, 0, 0, 0, (0, 0, 0, 0))


def token_of(books: Books, context: CallContext) -> StatedToken:
    """The token whose contract speaks."""
    return books.token(int(context.named.contract.removeprefix(TOKEN)))


def moved(books: Books, context: CallContext) -> None:
    """transfer, transferFrom or transferWithAuthorisation; without the transaction, the holder's own transfer."""
    token = token_of(books, context)
    holder, receiver, points = context["from"], context["to"], context["value"]
    function = context.asked.function if context.asked else "transfer"
    if function == "transferFrom":
        token.transfer_from(
            context.call,
            context.argument("from", holder),
            context.argument("to", receiver),
            context.argument("value", points),
        )
    elif function == "transferWithAuthorisation" and context.asked:
        asked = context.asked.values
        giver, taker, moved_points, nonce, deadline = (
            asked[name] for name in ("from", "to", "points", "nonce", "deadline")
        )
        signed = context.signature(giver, name_of(token, context), [giver, taker, moved_points, nonce, deadline])
        token.transfer_with_authorisation(context.call, giver, taker, moved_points, nonce, deadline, signed)
    else:
        call = context.call_of(holder)
        token.transfer(call, context.argument("to", receiver), context.argument("value", points))


def left(books: Books, context: CallContext) -> None:
    """leave"""
    token = token_of(books, context)
    member, wallet = context.argument("member", context["member"]), context.argument("wallet", context["wallet"])
    nonce = context.argument("nonce", NO_NONCE)
    values = [member, wallet, nonce, context.deadline]
    name = name_of(token, context)
    signed = context.signature(member, name, values, field_name="memberSignature")
    agreed = context.signature(wallet, name, values, field_name="walletSignature")
    token.leave(context.call_of(member), member, wallet, nonce, context.deadline, signed, agreed)
    token.nonces.used.discard((member, NO_NONCE))


def name_of(token: StatedToken, context: CallContext) -> str:
    """The name under which members sign for this token."""
    return context.facts.terms(token.address).name


def approved(books: Books, context: CallContext) -> None:
    """approve, or permit"""
    token = token_of(books, context)
    if context.asked and context.asked.function == "permit":
        asked = context.asked.values
        token.permit(context.call, asked["owner"], asked["spender"], asked["value"], asked["deadline"], asked["owner"])
        return
    owner = context["owner"]
    token.approve(
        context.call_of(owner),
        context.argument("spender", context["spender"]),
        context.argument("value", context["value"]),
    )


def policy_changed(books: Books, context: CallContext) -> None:
    """setPolicy"""
    token_of(books, context).set_policy(context.call, Policy(context.argument("policy", context["policy"])))


def policy_announced(books: Books, context: CallContext) -> None:
    """setPolicy, tighter"""
    token_of(books, context).set_policy(context.call, Policy(context.argument("policy", context["policy"])))


def allow_list_ending(books: Books, context: CallContext) -> None:
    """setAllowed, of one that was on the list"""
    account = context.argument("account", context["account"])
    token_of(books, context).set_allowed(context.call, account, context.argument("allowed", False))


def allow_list_changed(books: Books, context: CallContext) -> None:
    """setAllowed"""
    account, allowed = context.argument("account", context["account"]), context.argument("allowed", context["allowed"])
    token_of(books, context).set_allowed(context.call, account, allowed)


def cancelled(books: Books, context: CallContext) -> None:
    """cancelAuthorisation, at a token, the desk or the exchange"""
    call, nonce = context.call_of(context["member"]), context.argument("nonce", context["nonce"])
    if context.named.contract == "RedemptionDesk":
        books.desk.cancel_authorisation(call, nonce)
    elif context.named.contract == "PartnerExchange":
        books.exchanges.cancel_authorisation(call, nonce)
    elif context.named.contract == "ProgrammeGovernor" and books.governor is not None:
        books.governor.nonces.cancel_authorisation(call, nonce)
    else:
        token_of(books, context).nonces.cancel_authorisation(call, nonce)


def contract_uri(books: Books, context: CallContext) -> None:
    """setContractURI"""
    token_of(books, context).set_contract_uri(context.call, context.argument("uri", ""))


def returned(books: Books, context: CallContext) -> None:
    """takeReturn"""
    words = context.argument("award_", (context["operationId"],))
    books.rules.take_return(
        context.call,
        context.argument("brandId", context["brandId"]),
        context.argument("returnId", context["returnId"]),
        context.argument("baseAmount", context["baseAmount"]),
        words[0],
    )


# --- the desk


def hold_placed(books: Books, context: CallContext) -> None:
    """hold"""
    said = tuple(context[name] for name in ("member", "brandId", "points", "rewardId", "holdUntil", "nonce"))
    request = HoldRequest(*context.argument("request", (*said, context.deadline)))
    values = [getattr(request, name) for name in request.__slots__]
    signed = context.signature(request.member, DESK_NAME, values)
    books.desk.hold(context.call_of(request.member), request, signed)


def refund_window_announced(books: Books, context: CallContext) -> None:
    """announceRefundWindow"""
    brand_id, seconds = (context.argument(name, context[name]) for name in ("brandId", "refundSeconds"))
    books.desk.announce_refund_window(context.call, brand_id, seconds)


def hold_captured(books: Books, context: CallContext) -> None:
    """capture"""
    hold_id = context.argument("holdId", context["holdId"])
    books.desk.capture(context.call, hold_id, context.argument("points", context["captured"]))


def hold_released(books: Books, context: CallContext) -> None:
    """release"""
    books.desk.release(context.call, context.argument("holdId", context["holdId"]))


def hold_refunded(books: Books, context: CallContext) -> None:
    """refund"""
    hold_id, points = context.argument("holdId", context["holdId"]), context.argument("points", context["points"])
    before = context.argument("refundedBefore", context["refundedTotal"] - context["points"])
    books.desk.refund(context.call, hold_id, points, before)


# --- the exchange


def exchanged(books: Books, context: CallContext) -> None:
    """exchange, or payAtPartner"""
    _, agreement_id, version, points_in, points_out, *_ = context["exchange"]
    paid = context.first("PaidAtPartner")
    payment = context.first("HoldPaid")
    least = paid.values["price"] if paid else payment.values["points"] if payment else min(1, points_out)
    said = context["member"], agreement_id, version, points_in, least, context["nonce"], context.deadline
    quote = Quote(*context.argument("quote_", said))
    values = [getattr(quote, name) for name in quote.__slots__]
    call = context.call_of(quote.member)
    if paid or payment:
        reward = (paid or payment).values["rewardId"]  # type: ignore[union-attr]
        reward = context.argument("rewardId", reward)
        signed = context.signature(quote.member, EXCHANGE_NAME, [*values[:5], reward, *values[5:]])
        books.exchanges.pay_at_partner(call, quote, reward, signed)
    else:
        signed = context.signature(quote.member, EXCHANGE_NAME, values)
        books.exchanges.exchange(call, quote, signed)


def unwound(books: Books, context: CallContext) -> None:
    """unwind"""
    exchange_id = context.argument("exchangeId", context["exchangeId"])
    kept = books.exchanges.records.get(exchange_id)
    record = kept.exchange if kept else NO_EXCHANGE
    if context.asked:
        record = Exchange(*context.asked.values["exchange_"])
    nonce = context.argument("nonce", NONCE_UNTOLD)
    signed = context.signature(record.member, EXCHANGE_NAME, [record.member, exchange_id, nonce, context.deadline])
    books.exchanges.unwind(context.call, exchange_id, record, nonce, context.deadline, signed)
    books.exchanges.records.pop(nonce_id(record.member, NONCE_UNTOLD), None)
