"""Badges (SPEC 17): the calls behind their events, made again, and the books set to what the chain states.

A badge's `Transfer` and `Locked` say nothing that `BadgeGiven` and `BadgeWithdrawn` do not: they are not told
(chain.contracts.codec), and so not compared.
"""

from functools import cache
from typing import Any

from chain.contracts.codec import Codec
from chain.model.badges import BADGES, BadgeKind, Definition, Gift, Published, Term
from chain.replay.books import Books
from chain.replay.decoding.shapes import Event
from chain.replay.reexecution.call_context import CallContext

GAP_MAX = 1_000
GIVEN = ("BadgeGiven", "BadgeRefused")
UNTOLD = ("Transfer", "Locked")


def published(books: Books, context: CallContext) -> None:
    """publish"""
    definition = _definition(context.argument("definition", context["definition"]))
    books.badges.publish(context.call, context.argument("brandId", context["brandId"]), definition)


def given(books: Books, context: CallContext) -> None:
    """give, or giveBatch: then some may be refused alone"""
    brand_id, definition_id = _which(context)
    events = [event for event in context.events if event.name in GIVEN]
    for event in events:
        if event.name == "BadgeRefused" and isinstance(event.values["reason"], str):
            event.values["reason"] = _reason(event.values["reason"])
    if context.asked and context.asked.function == "give":
        books.badges.give(context.call, brand_id, definition_id, Gift(*context.asked.values["gift"]))
    else:
        said = [(event.values["operationId"], event.values["member"]) for event in events]
        gifts = [Gift(*gift) for gift in context.argument("gifts", said)]
        books.badges.give_batch(context.call, brand_id, definition_id, gifts)
    _untell(books)


def withdrawn(books: Books, context: CallContext) -> None:
    """withdraw"""
    gift = Gift(*context.argument("gift", (context["operationId"], context["member"])))
    books.badges.withdraw(context.call, *_which(context), gift)
    _untell(books)


def _which(context: CallContext) -> tuple[int, int]:
    return context.argument("brandId", context["brandId"]), context.argument("definitionId", context["definitionId"])


def _definition(values: tuple[Any, ...]) -> Definition:
    return Definition(BadgeKind(values[0]), *values[1:])


def _untell(books: Books) -> None:
    journal = books.journal
    journal.facts = [fact for fact in journal.facts if not (fact.contract == BADGES and fact.name in UNTOLD)]


@cache
def _codec() -> Codec:
    return Codec.load()


def _reason(data: str) -> tuple[str, tuple[Any, ...]]:
    """The encoded error as the model says it."""
    name, values = _codec().revert(bytes.fromhex(data[2:]))
    whole = (int(each) if isinstance(each, str) and each.isdigit() else each for each in values.values())
    return name, tuple(whole)


# --- what the chain states, after a difference


def state_published(books: Books, event: Event, at: int, ran: bool) -> None:
    """The definition as it was published."""
    definitions = books.badges.definitions.setdefault(event.values["brandId"], [])
    number, definition = event.values["definitionId"], _definition(event.values["definition"])
    if not 0 < number <= len(definitions) + GAP_MAX:
        return
    while len(definitions) < number:
        definitions.append(Published(definition))
    definitions[number - 1].definition = definition


def state_given(books: Books, event: Event, at: int, ran: bool) -> None:
    """The member has it until then, and the operation counts."""
    values = event.values
    books.badges.used.add((values["brandId"], values["operationId"]))
    found = _known(books, event)
    if found is not None:
        found.given += not values["renewed"] and values["member"] not in found.terms
        found.terms[values["member"]] = Term(at, values["validUntil"])


def state_withdrawn(books: Books, event: Event, at: int, ran: bool) -> None:
    """The member does not have it."""
    books.badges.used.add((event.values["brandId"], event.values["operationId"]))
    found = _known(books, event)
    if found is not None:
        found.terms.pop(event.values["member"], None)


def _known(books: Books, event: Event) -> Published | None:
    definitions = books.badges.definitions.get(event.values["brandId"], [])
    number = event.values["definitionId"]
    return definitions[number - 1] if 0 < number <= len(definitions) else None
