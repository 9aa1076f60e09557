"""The calls behind members' and tills' acts, made again on the model."""

from chain.model.call import NOBODY
from chain.model.desk import HoldRequest
from chain.model.exchange import Exchange, Quote
from chain.model.policy import Policy
from chain.replay.books import Books
from chain.replay.decoding.facts import TOKEN
from chain.replay.reexecution.call_context import Scene
from chain.replay.tokens import StatedToken

DESK_NAME = "Moa RedemptionDesk"
EXCHANGE_NAME = "Moa PartnerExchange"
# No event tells the nonce that a transfer or a leaving spent.
NO_NONCE = -1
NO_EXCHANGE = Exchange(NOBODY, 0, 0, 0, 0, 0, 0, (0, 0, 0, 0))


def token_of(books: Books, scene: Scene) -> StatedToken:
    """The token whose contract speaks."""
    return books.token(int(scene.named.contract.removeprefix(TOKEN)))


def moved(books: Books, scene: Scene) -> None:
    """transfer, transferFrom or transferWithAuthorisation; without the transaction, the holder's own transfer."""
    token = token_of(books, scene)
    holder, receiver, points = scene["from"], scene["to"], scene["value"]
    function = scene.asked.function if scene.asked else "transfer"
    if function == "transferFrom":
        token.transfer_from(
            scene.call, scene.argument("from", holder), scene.argument("to", receiver), scene.argument("value", points)
        )
    elif function == "transferWithAuthorisation" and scene.asked:
        asked = scene.asked.values
        giver, taker, moved_points, nonce, deadline = (
            asked[name] for name in ("from", "to", "points", "nonce", "deadline")
        )
        signed = scene.signature(giver, name_of(token, scene), [giver, taker, moved_points, nonce, deadline])
        token.transfer_with_authorisation(scene.call, giver, taker, moved_points, nonce, deadline, signed)
    else:
        call = scene.call_of(holder)
        token.transfer(call, scene.argument("to", receiver), scene.argument("value", points))


def left(books: Books, scene: Scene) -> None:
    """leave"""
    token = token_of(books, scene)
    member, wallet = scene.argument("member", scene["member"]), scene.argument("wallet", scene["wallet"])
    nonce = scene.argument("nonce", NO_NONCE)
    values = [member, wallet, nonce, scene.deadline]
    name = name_of(token, scene)
    signed = scene.signature(member, name, values, field_name="memberSignature")
    agreed = scene.signature(wallet, name, values, field_name="walletSignature")
    token.leave(scene.call_of(member), member, wallet, nonce, scene.deadline, signed, agreed)
    token.nonces.used.discard((member, NO_NONCE))


def name_of(token: StatedToken, scene: Scene) -> str:
    """The name under which members sign for this token."""
    return scene.facts.terms(token.address).name


def approved(books: Books, scene: Scene) -> None:
    """approve, or permit"""
    token = token_of(books, scene)
    if scene.asked and scene.asked.function == "permit":
        asked = scene.asked.values
        token.permit(scene.call, asked["owner"], asked["spender"], asked["value"], asked["deadline"], asked["owner"])
        return
    owner = scene["owner"]
    token.approve(
        scene.call_of(owner), scene.argument("spender", scene["spender"]), scene.argument("value", scene["value"])
    )


def policy_changed(books: Books, scene: Scene) -> None:
    """setPolicy"""
    token_of(books, scene).set_policy(scene.call, Policy(scene.argument("policy", scene["policy"])))


def allow_list_changed(books: Books, scene: Scene) -> None:
    """setAllowed"""
    account, allowed = scene.argument("account", scene["account"]), scene.argument("allowed", scene["allowed"])
    token_of(books, scene).set_allowed(scene.call, account, allowed)


def cancelled(books: Books, scene: Scene) -> None:
    """cancelAuthorisation, at a token, the desk or the exchange"""
    call, nonce = scene.call_of(scene["member"]), scene.argument("nonce", scene["nonce"])
    if scene.named.contract == "RedemptionDesk":
        books.desk.cancel_authorisation(call, nonce)
    elif scene.named.contract == "PartnerExchange":
        books.exchanges.cancel_authorisation(call, nonce)
    else:
        token_of(books, scene).nonces.cancel_authorisation(call, nonce)


# --- the desk


def hold_placed(books: Books, scene: Scene) -> None:
    """hold"""
    said = tuple(scene[name] for name in ("member", "brandId", "points", "rewardId", "holdUntil", "nonce"))
    request = HoldRequest(*scene.argument("request", (*said, scene.deadline)))
    values = [getattr(request, name) for name in request.__slots__]
    signed = scene.signature(request.member, DESK_NAME, values)
    books.desk.hold(scene.call_of(request.member), request, signed)


def hold_captured(books: Books, scene: Scene) -> None:
    """capture"""
    hold_id = scene.argument("holdId", scene["holdId"])
    books.desk.capture(scene.call, hold_id, scene.argument("points", scene["captured"]))


def hold_released(books: Books, scene: Scene) -> None:
    """release"""
    books.desk.release(scene.call, scene.argument("holdId", scene["holdId"]))


def hold_refunded(books: Books, scene: Scene) -> None:
    """refund"""
    hold_id, points = scene.argument("holdId", scene["holdId"]), scene.argument("points", scene["points"])
    before = scene.argument("refundedBefore", scene["refundedTotal"] - scene["points"])
    books.desk.refund(scene.call, hold_id, points, before)


# --- the exchange


def exchanged(books: Books, scene: Scene) -> None:
    """exchange, or payAtPartner"""
    _, agreement_id, version, points_in, points_out, *_ = scene["exchange"]
    paid = scene.first("PaidAtPartner")
    payment = scene.first("HoldPaid")
    least = paid.values["price"] if paid else payment.values["points"] if payment else min(1, points_out)
    said = scene["member"], agreement_id, version, points_in, least, scene["nonce"], scene.deadline
    quote = Quote(*scene.argument("quote_", said))
    values = [getattr(quote, name) for name in quote.__slots__]
    call = scene.call_of(quote.member)
    if paid or payment:
        reward = (paid or payment).values["rewardId"]  # type: ignore[union-attr]
        reward = scene.argument("rewardId", reward)
        signed = scene.signature(quote.member, EXCHANGE_NAME, [*values[:5], reward, *values[5:]])
        books.exchanges.pay_at_partner(call, quote, reward, signed)
    else:
        signed = scene.signature(quote.member, EXCHANGE_NAME, values)
        books.exchanges.exchange(call, quote, signed)


def unwound(books: Books, scene: Scene) -> None:
    """unwind"""
    exchange_id = scene.argument("exchangeId", scene["exchangeId"])
    record = books.exchanges.records.get(exchange_id) or NO_EXCHANGE
    if scene.asked:
        record = Exchange(*scene.asked.values["exchange_"])
    signed = scene.signature(record.member, EXCHANGE_NAME, [record.member, exchange_id, scene.deadline])
    books.exchanges.unwind(scene.call, exchange_id, record, scene.deadline, signed)
