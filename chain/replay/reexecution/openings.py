"""Opening balances (SPEC 16): the calls behind their events, made again, and the books set to what the chain states."""

from chain.model.openings import POINTS_MASK, Line, Opening, OpeningTerms
from chain.replay.books import Books
from chain.replay.decoding.shapes import Event
from chain.replay.reexecution.call_context import CallContext

# A chain that numbers its openings wildly is followed this far beyond what is known.
GAP_MAX = 1_000
NOTHING = OpeningTerms("0x" + "00" * 32, (0, 0, 0, 0), 0, 0, 0, "0x" + "00" * 32)


def committed(books: Books, context: CallContext) -> None:
    """commit, or replace: then the version is above 1"""
    brand_id = context.argument("brandId", context["brandId"])
    terms = OpeningTerms(*context.argument("terms", context["terms"]))
    if context.asked.function == "replace" if context.asked else context["version"] > 1:
        books.openings.replace(context.call, brand_id, context.argument("openingId", context["openingId"]), terms)
    else:
        books.openings.commit(context.call, brand_id, terms, context.argument("comparing", context["comparing"]))


def comparing_ended(books: Books, context: CallContext) -> None:
    """endComparing"""
    books.openings.end_comparing(context.call, *_which(context))


def prolonged(books: Books, context: CallContext) -> None:
    """prolong"""
    books.openings.prolong(context.call, *_which(context), context.argument("end", context["end"]))


def claimed(books: Books, context: CallContext) -> None:
    """claim or claimBatch, with their proofs; without the transaction the lines that the events name"""
    brand_id, opening_id = _which(context)
    if context.asked is None:
        books.openings.claim_proven(
            context.call, brand_id, opening_id, [_line(event) for event in context.all("OpeningClaimed")]
        )
        return
    asked = context.asked.values
    proof = [bytes.fromhex(node[2:]) for node in asked["proof"]]
    if context.asked.function == "claim":
        books.openings.claim(context.call, brand_id, opening_id, Line(*asked["line"]), proof)
    else:
        lines = [Line(*line) for line in asked["lines"]]
        books.openings.claim_batch(context.call, brand_id, opening_id, lines, proof, asked["flags"])


def _which(context: CallContext) -> tuple[int, int]:
    return context.argument("brandId", context["brandId"]), context.argument("openingId", context["openingId"])


def _line(event: Event) -> Line:
    return Line(event.values["index"], event.values["member"], event.values["lots"])


# --- what the chain states, after a difference


def state_committed(books: Books, event: Event, at: int, ran: bool) -> None:
    """The opening as it was committed or replaced."""
    values = event.values
    terms = OpeningTerms(*values["terms"])
    stated = Opening(terms, values["comparing"], list(terms.lots), terms.end, values["version"])
    _put(books, event, stated)


def state_comparing_ended(books: Books, event: Event, at: int, ran: bool) -> None:
    """It no longer compares."""
    opening = _known(books, event)
    if opening is not None:
        opening.comparing = False


def state_prolonged(books: Books, event: Event, at: int, ran: bool) -> None:
    """Its end."""
    opening = _known(books, event)
    if opening is not None:
        opening.end = event.values["end"]


def state_claimed(books: Books, event: Event, at: int, ran: bool) -> None:
    """The line counts; what the schedule has left goes down lot by lot, never below nothing."""
    opening = _known(books, event)
    if opening is None or event.values["index"] in opening.claimed:
        return
    opening.claimed.add(event.values["index"])
    for place, word in enumerate(event.values["lots"]):
        left = opening.remaining[place]
        opening.remaining[place] = left - min(left & POINTS_MASK, word & POINTS_MASK)


def _known(books: Books, event: Event) -> Opening | None:
    openings = books.openings.openings.get(event.values["brandId"], [])
    number = event.values["openingId"]
    return openings[number - 1] if 0 < number <= len(openings) else None


def _put(books: Books, event: Event, opening: Opening) -> None:
    openings = books.openings.openings.setdefault(event.values["brandId"], [])
    number = event.values["openingId"]
    if number > len(openings) + GAP_MAX:
        return
    while len(openings) < number:
        openings.append(Opening(NOTHING, False, [0, 0, 0, 0], 0))
    openings[number - 1] = opening
