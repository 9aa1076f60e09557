"""Events taken: one code for one event, a batch and ten thousand lines.

A chunk is a handful of statements in one transaction: which are known, who their members are, the purchases and returns
by the code of their own routes, and one insert of all that is new. A refused event changes nothing; the others count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
from sqlmodel import Session, col, select

from api.auth.callers import BrandCaller
from api.events.errors import CurrencyWrong
from api.events.kinds import PURCHASE as PURCHASES
from api.events.schemas import LineStatus, PurchaseCreate, ReturnCreate, is_late
from api.identity import resolving
from api.identity.schemas import IdentifierGiven
from api.ingest.errors import EventConflict
from api.ingest.kinds import PURCHASE, RETURN
from api.ingest.models import WORDS, ReportedEvent
from api.ingest.payloads import Purchase, Return
from api.ingest.reading import Reported, content
from api.kit.clock import now_ms, rfc3339
from api.kit.container import State
from api.kit.database import lock
from api.kit.problems import Problem
from api.members import service as members
from api.members.errors import MemberUnknown
from api.members.living import refuse_erased
from api.members.models import Brand
from api.members.schemas import MemberReference
from api.points import facts, goods_returns
from api.vault.errors import Shredded
from api.vault.sealing import Vault, vault_of
from chain.storage import bulk
from chain.storage.columns import table_of

MEMBER_ID: Final = "mem_"
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Taken:
    """An event that counts."""

    status: LineStatus
    event: ReportedEvent


@dataclass(slots=True)
class _New:
    """An event that is not known yet, on its way to its row."""

    reported: Reported
    member_id: str | None
    content_hash: str
    status: LineStatus = "accepted"
    operation: int | None = None
    refused: Problem | None = None
    row: ReportedEvent | None = None


def take(
    session: Session, *, state: State, caller: BrandCaller, wanted: Sequence[Reported | Problem], lines: bool = False
) -> list[Taken | Problem]:
    """What becomes of each event, in their order. lines: they are lines of a file."""
    return _Chunk(session, state, caller, lines=lines).take(wanted)


class _Chunk:
    """The events of one transaction."""

    def __init__(self, session: Session, state: State, caller: BrandCaller, *, lines: bool) -> None:
        self._session = session
        self._state = state
        self._caller = caller
        self._lines = lines
        self._vault: Vault = vault_of(state)
        self._at_ms = now_ms()
        # Under it a brand's events get their numbers, so that these appear in their order.
        lock(session, f"brand:{caller.registry_id}")
        self._brand: Brand = members.brand_of(session, caller.registry_id)

    def take(self, wanted: Sequence[Reported | Problem]) -> list[Taken | Problem]:
        reported = [one for one in wanted if isinstance(one, Reported)]
        known = self._known(reported)
        named = self._named(reported)
        fresh: dict[Key, _New] = {}
        places: list[Problem | ReportedEvent | _New] = []
        for one in wanted:
            places.append(one if isinstance(one, Problem) else self._place(one, known, named, fresh))
        repeated = self._repeated(places, wanted)
        self._count([*fresh.values(), *repeated])
        self._store([one for one in fresh.values() if one.refused is None])
        return self._told(places, {id(one.row): one for one in repeated})

    def _known(self, reported: Sequence[Reported]) -> dict[Key, ReportedEvent]:
        ids = sorted({one.envelope.id for one in reported})
        rows = select(ReportedEvent).where(
            col(ReportedEvent.brand_id) == self._caller.registry_id, col(ReportedEvent.external_id).in_(ids)
        )
        return {(row.source, row.external_id): row for row in self._session.exec(rows)} if ids else {}

    def _named(self, reported: Sequence[Reported]) -> Mapping[tuple[str, str], tuple[str, Any]]:
        references = [_reference(one.envelope.subject) for one in reported if one.envelope.subject is not None]
        return members.addresses(self._session, slug=self._brand.slug, references=references)

    def _place(
        self,
        one: Reported,
        known: Mapping[Key, ReportedEvent],
        named: Mapping[tuple[str, str], tuple[str, Any]],
        fresh: dict[Key, _New],
    ) -> Problem | ReportedEvent | _New:
        envelope, key = one.envelope, (one.envelope.source, one.envelope.id)
        member_id: str | None = None
        whose = ""
        if envelope.subject is not None:
            found = named.get(_how(envelope.subject))
            if found is None:
                return MemberUnknown("This brand knows no such member; enrol it first.")
            member_id = whose = found[0]
        elif envelope.anonymousid is not None:
            # Whose a cookie is changes at a sign-in: the same event stays the same all the same.
            whose = self._vault.lookup("cookie", envelope.anonymousid)
        content_hash = self._vault.lookup("event", content(one, whose).decode())
        before = known.get(key)
        if before is not None:
            return before if before.content_hash == content_hash else self._conflict(one, kept=_shown(before))
        beside = fresh.get(key)
        if beside is not None:
            return beside if beside.content_hash == content_hash else self._conflict(one, kept=_said(beside.reported))
        if envelope.anonymousid is not None:
            try:
                member_id = self._visitor(envelope.anonymousid)
            except Problem as refused:
                return refused
        fresh[key] = made = _New(one, member_id, content_hash)
        return made

    def _visitor(self, anonymous_id: str) -> str:
        """The member who stands for whoever has this cookie, until a sign-in tells more (SPEC 19.11)."""
        return resolving.resolve(
            self._session,
            vault=self._vault,
            keystore=self._state.keystore,
            brand_id=self._caller.registry_id,
            wanted=[IdentifierGiven(kind="cookie", value=anonymous_id)],
            actor=self._caller.actor,
        ).member_id

    def _conflict(self, one: Reported, *, kept: dict[str, Any]) -> EventConflict:
        source, id_ = one.envelope.source, one.envelope.id
        return EventConflict(
            f"{source} reported {id_} before with another content; it counts once.",
            source=source,
            id=id_,
            kept=kept,
            sent=_said(one),
        )

    def _repeated(
        self,
        places: Sequence[Problem | ReportedEvent | _New],
        wanted: Sequence[Reported | Problem],
    ) -> list[_New]:
        """Purchases and returns that are known: asked again, as their routes do with what was refused (9.20)."""
        found: dict[int, _New] = {}
        for place, one in zip(places, wanted, strict=True):
            if isinstance(place, ReportedEvent) and isinstance(one, Reported) and place.operation is not None:
                made = _New(one, place.member_id, place.content_hash, "replayed", place.operation, row=place)
                found.setdefault(id(place), made)
        return list(found.values())

    def _count(self, events: Sequence[_New]) -> None:
        """Purchases by the code of POST /v1/purchases, then returns by that of POST /v1/returns."""
        bought = [one for one in events if one.reported.kind is PURCHASE]
        if bought:
            results = facts.count(
                self._session,
                settings=self._state.settings,
                brand=self._caller.registry_id,
                kind=PURCHASES,
                wanted=[_purchase(one) for one in bought],
                bulk=self._lines,
            )
            for one, result in zip(bought, results, strict=True):
                if isinstance(result, Problem):
                    one.refused = result
                    continue
                one.operation = result.operation
                if one.row is not None:
                    one.status = result.status
        for one in events:
            if one.reported.kind is RETURN:
                self._return(one)

    def _return(self, one: _New) -> None:
        said = one.reported.payload
        assert isinstance(said, Return), "the kind's schema"
        if said.currency != self._brand.currency:
            one.refused = CurrencyWrong(
                f"{self._brand.slug} counts in {self._brand.currency}.",
                currency=said.currency,
                wanted=self._brand.currency,
            )
            return
        wanted = ReturnCreate.model_construct(
            id=said.id,
            occurred_at=one.reported.envelope.time,
            order=said.order,
            amount=said.amount,
            retry_for_s=None,
        )
        try:
            with self._session.begin_nested():
                goods_returns.take(self._session, settings=self._state.settings, caller=self._caller, wanted=wanted)
                told = goods_returns.told_return(self._session, brand=self._caller.registry_id, id=said.id)
                if one.member_id != told.member:
                    raise MemberUnknown(f"Order {said.order} is of another member.", order=said.order)
        except Problem as refused:
            one.refused = refused
            return
        one.operation = int(told.operation.id)

    def _store(self, events: Sequence[_New]) -> None:
        rows = []
        written: list[_New] = []
        people = sorted({one.member_id for one in events if one.member_id is not None})
        if people:
            refuse_erased(self._session, *people)
        for one in events:
            try:
                rows.append(self._row(one))
            except Shredded:
                one.refused = MemberUnknown("This brand knows no such member; enrol it first.")
            else:
                written.append(one)
        made = bulk.insert_returning(
            self._session.connection(), table_of(ReportedEvent), rows, ("source", "external_id", "id")
        )
        numbers = {(source, external_id): number for source, external_id, number in made}
        for one, row in zip(written, rows, strict=True):
            one.row = ReportedEvent(id=numbers[row["source"], row["external_id"]], **row)

    def _row(self, one: _New) -> dict[str, Any]:
        envelope, words = one.reported.envelope, one.reported.words
        sealed = None
        if words:
            assert one.member_id is not None, "words are kept only of a member"
            sealed = self._vault.seal(one.member_id, WORDS, orjson.dumps(words).decode())
        return {
            "brand_id": self._caller.registry_id,
            "source": envelope.source,
            "type": one.reported.kind.name,
            "external_id": envelope.id,
            "member_id": one.member_id,
            "occurred_at_ms": one.reported.occurred_at_ms,
            "received_at_ms": self._at_ms,
            "data": one.reported.plain,
            "words": sealed,
            "content_hash": one.content_hash,
            "operation": one.operation,
        }

    @staticmethod
    def _told(places: Sequence[Problem | ReportedEvent | _New], repeated: Mapping[int, _New]) -> list[Taken | Problem]:
        told: list[Taken | Problem] = []
        seen: set[int] = set()
        for place in places:
            if isinstance(place, Problem):
                told.append(place)
            elif isinstance(place, ReportedEvent):
                again = repeated.get(id(place))
                if again is not None and again.refused is not None:
                    told.append(again.refused)
                else:
                    told.append(Taken("replayed" if again is None else again.status, place))
            elif place.refused is not None:
                told.append(place.refused)
            else:
                assert place.row is not None, "what is not refused was stored"
                taken = Taken(place.status, place.row)
                told.append(replace(taken, status="replayed") if id(place) in seen else taken)
                seen.add(id(place))
        return told


def late(event: ReportedEvent) -> bool:
    return is_late(occurred_at_ms=event.occurred_at_ms, received_at_ms=event.received_at_ms)


def _how(subject: str) -> tuple[str, str]:
    return ("id", subject) if subject.startswith(MEMBER_ID) else ("identifier", subject)


def _reference(subject: str) -> MemberReference:
    how, name = _how(subject)
    return MemberReference.model_construct(
        id=name if how == "id" else None, identifier=name if how == "identifier" else None
    )


def _purchase(one: _New) -> PurchaseCreate:
    """The purchase as POST /v1/purchases would be told it."""
    said = one.reported.payload
    assert isinstance(said, Purchase), "the kind's schema"
    return PurchaseCreate.model_construct(
        id=said.order,
        occurred_at=one.reported.envelope.time,
        member=MemberReference.model_construct(id=one.member_id, identifier=None),
        memo=None,
        retry_for_s=None,
        amount=said.counts,
        currency=said.currency,
        free=said.counts == 0,
    )


def _shown(event: ReportedEvent) -> dict[str, Any]:
    """What is kept, without what is sealed."""
    return {
        "type": event.type,
        "member": event.member_id,
        "occurred_at": rfc3339(event.occurred_at_ms),
        "data": event.data,
    }


def _said(reported: Reported) -> dict[str, Any]:
    """The same of what is sent."""
    return {
        "type": reported.kind.name,
        "subject": reported.envelope.subject,
        "occurred_at": rfc3339(reported.occurred_at_ms),
        "data": reported.plain,
    }
