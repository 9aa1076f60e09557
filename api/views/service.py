"""Views and pages of history for whoever may see them. Read from one snapshot each; no session, no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import orjson

from api.auth.callers import MemberCaller, identify
from api.auth.errors import NotYours
from api.auth.tokens import Token
from api.kit.clock import now_ms
from api.kit.container import State
from api.kit.database import Snapshot
from api.members import service as identity
from api.members.errors import BrandUnknown
from api.members.service import KnownMember
from api.programmes.catalogue import BrandCard, Catalogue, Catalogues
from api.views import as_of, cursors, history
from api.views import member_view as views
from api.views.as_of import moment
from api.views.errors import EntryUnknown
from chain.base.scalars import Address

T = TypeVar("T")
_BY_SLUG = "SELECT 1 FROM brand WHERE slug = ?"
_BY_ID = "SELECT 1 FROM brand WHERE registry_id = ?"


async def view(state: State, *, member_id: str, addresses: Sequence[Address], only: int | None) -> bytes:
    """A MemberView in JSON. only: the one brand that the reader may see, by the registry's id."""

    def compose(read: Snapshot) -> dict[str, Any]:
        catalogue = state.singleton(Catalogues).newest(read)
        return views.member_view(
            read, state=state, catalogue=catalogue, member_ids=[member_id], addresses=addresses, only=only
        )

    return orjson.dumps(await _read(state, compose))


async def my_view(state: State, token: Token) -> bytes:
    """The MemberView of whoever holds this token, in JSON."""
    at_ms = now_ms()

    def compose(read: Snapshot) -> dict[str, Any]:
        caller = identify(read, token, at_ms=at_ms)
        if not isinstance(caller, MemberCaller):
            raise NotYours("This needs a member's session.")
        return views.member_view(
            read,
            state=state,
            catalogue=state.singleton(Catalogues).newest(read),
            member_ids=caller.member_ids,
            addresses=caller.addresses,
            only=None,
        )

    return orjson.dumps(await _read(state, compose))


async def entries(
    state: State, *, addresses: Sequence[Address], only: int | None, brand: str | None, cursor: str | None, limit: int
) -> bytes:
    """An EntryPage in JSON, the newest first.

    only: the one brand that the reader may see, by the registry's id. brand: is asked for, by its slug.
    """

    def compose(read: Snapshot) -> dict[str, Any]:
        catalogue = state.singleton(Catalogues).newest(read)
        at = moment(read)
        before = cursors.entry_place(read, at, cursor, first=cursors.SEQ_END)
        token = None
        if only is not None or brand is not None:
            card = _asked(catalogue, only, brand)
            if card is None and _is_named(read, only, brand):
                # A moment ago: later than the catalogue that is kept.
                catalogue = state.singleton(Catalogues).anew(read)
                card = _asked(catalogue, only, brand)
            if card is None:
                raise BrandUnknown(f"No brand is called {brand or only}.", brand=brand or str(only))
            token = card.token
        rows = history.newest(read, accounts=addresses, token=token, before=before, limit=limit + 1)
        told = [
            history.entry_to_public(
                read,
                catalogue=catalogue,
                as_of=at,
                entry=entry,
                only=None if only is None else token,
            )
            for entry in rows[:limit]
        ]
        return {
            "entries": [entry for entry in told if entry is not None],
            "next_cursor": cursors.told(at, rows[limit - 1].seq) if len(rows) > limit else None,
            "as_of": as_of.to_public(at, state),
        }

    return orjson.dumps(await _read(state, compose))


async def entry(state: State, *, addresses: Sequence[Address], entry_id: int) -> bytes:
    """One Entry of the member's in JSON, or EntryUnknown."""

    def compose(read: Snapshot) -> dict[str, Any]:
        found = history.one(read, accounts=addresses, seq=entry_id)
        if found is not None:
            catalogue, at = state.singleton(Catalogues).newest(read), moment(read)
            told = history.entry_to_public(read, catalogue=catalogue, as_of=at, entry=found)
            if told is not None:
                return told
        raise EntryUnknown("There is no such entry of yours.", entry=str(entry_id))

    return orjson.dumps(await _read(state, compose))


async def brands_member(state: State, *, brand: int, member_id: str) -> KnownMember:
    """The member as the brand knows it, or MemberUnknown."""
    return await _read(state, lambda read: identity.member_of(read, brand=brand, member_id=member_id))


def _asked(catalogue: Catalogue, only: int | None, brand: str | None) -> BrandCard | None:
    return catalogue.by_slug.get(brand or "") if only is None else catalogue.by_id.get(only)


def _is_named(read: Snapshot, only: int | None, brand: str | None) -> bool:
    found = read.row(_BY_SLUG, brand) if only is None else read.row(_BY_ID, only)
    return found is not None


async def _read(state: State, compose: Callable[[Snapshot], T]) -> T:
    return await state.database.reads.off_loop(compose)
