"""Members enrolled many at a time: one line each, a few statements a chunk."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from pydantic import ValidationError
from sqlalchemy import insert
from sqlmodel import Session, col, select

from api.auth.callers import BrandCaller
from api.kit.addresses import checksum
from api.kit.clock import now_ms, rfc3339
from api.kit.database import lock
from api.kit.problems import Problem, RequestMalformed, of_validation
from api.kit.strict_json import parse
from api.members import service
from api.members.errors import IdentifierTaken, MemberUnknown
from api.members.models import Enrolment, Member
from api.members.schemas import MemberCreate
from api.writes.ndjson import Line, LineMalformed, LinesAnswer, line_to_public, refused_line
from api.writes.unit_of_work import UnitOfWork
from chain.storage.columns import table_of
from chain.storage.keystore import Keystore


def enrol_lines(caller: BrandCaller, write: UnitOfWork) -> LinesAnswer:
    """Enrols the member of each line."""

    def handle(session: Session, lines: Sequence[Line]) -> list[bytes]:
        return enrol_chunk(session, keystore=write.state.keystore, brand=caller.registry_id, lines=lines)

    return LinesAnswer(caller=caller, write=write, handle=handle)


def enrol_chunk(session: Session, *, keystore: Keystore, brand: int, lines: Sequence[Line]) -> list[bytes]:
    """An answer line for each line; new members and enrolments are inserted in bulk."""
    lock(session, f"brand:{brand}")
    slug = service.brand_of(session, brand).slug
    read = [(line, _read(line)) for line in lines]
    asked = [wanted for _, wanted in read if isinstance(wanted, MemberCreate)]
    known = _known(session, slug=slug, identifiers=[wanted.identifier for wanted in asked])
    existing = _existing(session, ids=[wanted.id for wanted in asked if wanted.id is not None])
    at_ms = now_ms()
    members: list[dict[str, object]] = []
    enrolments: list[dict[str, object]] = []
    answers: list[bytes] = []
    for line, wanted in read:
        if isinstance(wanted, Problem):
            answers.append(refused_line(line.number, wanted))
            continue
        before = known.get(wanted.identifier)
        status = "accepted" if before is None else "replayed"
        if before is not None and wanted.id not in (None, before[0]):
            problem = IdentifierTaken("This identifier is another member's here.", identifier=wanted.identifier)
            answers.append(refused_line(line.number, problem))
            continue
        if before is None and wanted.id is not None:
            if wanted.id not in existing:
                answers.append(refused_line(line.number, MemberUnknown("No member has this id.", member=wanted.id)))
                continue
            before = (wanted.id, existing[wanted.id], at_ms)
        elif before is None:
            member_id = f"mem_{uuid.uuid4().hex}"
            address = keystore.address_of(service.member_ref(member_id)).lower()
            members.append({"id": member_id, "address": address, "created_at_ms": at_ms})
            before = (member_id, address, at_ms)
        if status == "accepted":
            known[wanted.identifier] = before
            enrolments.append(
                {"brand": slug, "identifier": wanted.identifier, "member_id": before[0], "created_at_ms": at_ms}
            )
        answers.append(
            line_to_public(
                line.number,
                status,
                member={
                    "id": before[0],
                    "address": checksum(before[1]),
                    "identifier": wanted.identifier,
                    "enrolled_at": rfc3339(before[2]),
                },
            )
        )
    if members:
        session.connection().execute(insert(table_of(Member)), members)
    if enrolments:
        session.connection().execute(insert(table_of(Enrolment)), enrolments)
    return answers


def _read(line: Line) -> MemberCreate | Problem:
    if line.refused is not None:
        return line.refused
    try:
        parse(line.raw)
        return MemberCreate.model_validate_json(line.raw)
    except RequestMalformed as refused:
        return LineMalformed(refused.detail)
    except Problem as refused:
        return refused
    except ValidationError as fault:
        problem = of_validation(fault.errors())
        return LineMalformed(problem.detail, **problem.facts)


def _known(session: Session, *, slug: str, identifiers: Sequence[str]) -> dict[str, tuple[str, str, int]]:
    rows = session.exec(
        select(Enrolment.identifier, Member.id, Member.address, Enrolment.created_at_ms)
        .join(Member, col(Member.id) == col(Enrolment.member_id))
        .where(Enrolment.brand == slug, col(Enrolment.identifier).in_(identifiers))
    )
    return {identifier: (member_id, address, at_ms) for identifier, member_id, address, at_ms in rows}


def _existing(session: Session, *, ids: Sequence[str]) -> dict[str, str]:
    if not ids:
        return {}
    alive = select(Member.id, Member.address).where(col(Member.id).in_(ids), col(Member.erased_at_ms).is_(None))
    return dict(session.exec(alive).all())
