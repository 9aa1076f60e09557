"""A person is forgotten: key and salts destroyed, sessions ended, words deleted; chain, books and log stay verifiable.

What stays names nobody: an address with its points until they expire, facts of a pseudonym, hashes in the log that
nothing leads to. The key is destroyed last and outside the database: a copy of the database from before holds only what
nobody can read, and a gateway that is started on it erases again whoever's key is gone, before it serves.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from typing import Any, Final

import orjson
from sqlalchemy import delete, or_, select, update
from sqlmodel import Session, col

from api import audit_log
from api.audit_log import names
from api.events import memos
from api.events.memos import Memo
from api.identity import merges
from api.identity.links import UNNAMED
from api.identity.models import IdentifierLink
from api.ingest.models import ReportedEvent
from api.kit.clock import now_ms, rfc3339
from api.kit.container import State
from api.kit.database import lock
from api.members.models import Device, Enrolment, Member, MemberSession, RefreshToken
from api.privacy.models import ConsentWord, Erasure, Preference
from api.sign_in.models import Challenge, Passkey
from api.staff import service as staff
from api.staff.models import StaffRole, StaffSession
from api.vault.sealing import Vault
from api.writes.idempotency import IdempotentWrite
from chain.outbox.models import Operation
from chain.storage.columns import table_of
from chain.storage.keystore import Keystore

REF: Final = "privacy/0"
FORMAT: Final = "moa-erasure/1"
CHUNK: Final = 500
# Rows of these tables are the person's alone.
OWN: Final = (IdentifierLink, Passkey, Challenge, MemberSession, StaffSession, ConsentWord, Preference)


def erase(
    session: Session, vault: Vault, keystore: Keystore, *, member_ids: Sequence[str], actor: str
) -> dict[str, Any]:
    """Forgets these members and whoever else is the same person by now; the signed certificate. Twice is once more,
    and finds nothing."""
    # Nobody becomes this person, and nobody comes in as it, while it is being forgotten.
    lock(session, merges.LOCK)
    member_ids = _whole(session, member_ids)
    return _erase(session, vault, keystore, member_ids=member_ids, actor=actor)


def _whole(session: Session, member_ids: Sequence[str]) -> list[str]:
    """All members that are the same person as any of these now, the first one's root first."""
    known = session.execute(select(col(Member.id), col(Member.survivor_id)).where(col(Member.id).in_(member_ids)))
    roots = {id_: survivor_id or id_ for id_, survivor_id in known}
    stands = or_(col(Member.id).in_(roots.values()), col(Member.survivor_id).in_(roots.values()))
    rows = session.execute(select(col(Member.id)).where(stands)).scalars()
    first = roots[member_ids[0]]
    return [first, *sorted(one for one in rows if one != first)]


def _erase(
    session: Session, vault: Vault, keystore: Keystore, *, member_ids: Sequence[str], actor: str
) -> dict[str, Any]:
    """Forgets these members and nobody else."""
    session.execute(select(col(Member.id)).where(col(Member.id).in_(member_ids)).order_by(Member.id).with_for_update())
    connection = session.connection()
    audit_log.record(connection, "member.erased", actor=actor, subject=names.member(member_ids[0]))
    counts = {"devices": _end_devices(session, member_ids), "staff_role": _end_roles(session, member_ids, actor)}
    for model in OWN:
        table = table_of(model)
        counts[str(table.name)] = connection.execute(delete(table).where(table.c.member_id.in_(member_ids))).rowcount
    counts["enrolment"] = _unname(session, member_ids)
    counts["memo"] = _forget_memos(session, member_ids)
    counts["words"] = _forget_words(session, member_ids)
    counts["answers"] = _forget_answers(session, member_ids)
    for member_id in member_ids:
        names.forget(connection, member_id)
    connection.execute(
        update(table_of(Member)).where(col(Member.id).in_(member_ids)).values(erased_at_ms=now_ms(), proven_at_ms=None)
    )
    told = _certificate(session, keystore, member_ids, counts)
    # Last: what comes after can only be the commit, and if that fails, whoever starts next finishes it (reapply).
    # All keys of the person at once: whoever starts next must not find one half of it forgotten and the other alive.
    vault.shred(*member_ids)
    return told


def reapply(state: State, vault: Vault) -> int:
    """Erases again whose key is gone and who is in the database all the same: it came back from a backup. How many."""
    done, after = 0, ""
    while gone := vault.keys.gone(after=after, limit=CHUNK):
        after = gone[-1]
        with state.database.write() as session:
            back = session.execute(
                select(col(Member.id)).where(col(Member.id).in_(gone), col(Member.erased_at_ms).is_(None))
            ).scalars()
            members = sorted(back)
            if members:
                # Of an older merge than the erasure there may be somebody here who was not part of it.
                merges.part(session, member_ids=members, actor="gateway")
            for member_id in members:
                _erase(session, vault, state.keystore, member_ids=[member_id], actor="gateway")
                done += 1
    return done


def _end_devices(session: Session, member_ids: Sequence[str]) -> int:
    device, token = table_of(Device), table_of(RefreshToken)
    mine = select(device.c.id).where(device.c.member_id.in_(member_ids))
    session.connection().execute(delete(token).where(token.c.device_id.in_(mine)))
    return session.connection().execute(delete(device).where(device.c.member_id.in_(member_ids))).rowcount


def _end_roles(session: Session, member_ids: Sequence[str], actor: str) -> int:
    """Roles that the person took up are taken back: the address is in them, and whoever proves it next is another."""
    found = session.execute(select(col(StaffRole.id)).where(col(StaffRole.member_id).in_(member_ids))).scalars().all()
    for role_id in sorted(found):
        staff.take_back(session, role_id=role_id, brand_id=None, actor=actor)
    return len(found)


def _unname(session: Session, member_ids: Sequence[str]) -> int:
    """Brands' names for the person become names of nobody; who comes under the same name is somebody new."""
    table = table_of(Enrolment)
    mine = (
        session.connection()
        .execute(select(table.c.brand, table.c.identifier).where(table.c.member_id.in_(member_ids)))
        .all()
    )
    for brand, identifier in mine:
        session.connection().execute(
            update(table)
            .where(table.c.brand == brand, table.c.identifier == identifier)
            .values(identifier=f"{UNNAMED}erased-{secrets.token_hex(12)}")
        )
    return len(mine)


def _forget_memos(session: Session, member_ids: Sequence[str]) -> int:
    memo, operation, member = table_of(Memo), table_of(Operation), table_of(Member)
    addresses = select(member.c.address).where(member.c.id.in_(member_ids))
    mine = (
        session.connection()
        .execute(
            select(memo.c.operation)
            .join(operation, operation.c.id == memo.c.operation)
            .where(operation.c.ordering_key.in_(addresses), memo.c.erased_at_ms.is_(None))
        )
        .scalars()
        .all()
    )
    for one in mine:
        memos.erase(session, one)
    return len(mine)


def _forget_words(session: Session, member_ids: Sequence[str]) -> int:
    """What the person said, in every event that had it; what happened stays, as facts do."""
    table = table_of(ReportedEvent)
    mine = (table.c.member_id.in_(member_ids), table.c.words.is_not(None))
    return session.connection().execute(update(table).where(*mine).values(words=None, content_hash="")).rowcount


def _forget_answers(session: Session, member_ids: Sequence[str]) -> int:
    """Answers kept for retries that name the person: a brand's name for a member is in some."""
    table = table_of(IdempotentWrite)
    principals = [f"member:{member_id}" for member_id in member_ids]
    named = [table.c.answer.like(f"%{member_id}%") for member_id in member_ids]
    # Not the request that asks for it: its answer is not written yet.
    whose = or_(table.c.principal.in_(principals), *named)
    return session.connection().execute(delete(table).where(whose, table.c.status != 0)).rowcount


def _certificate(
    session: Session, keystore: Keystore, member_ids: Sequence[str], counts: dict[str, int]
) -> dict[str, Any]:
    """What was done, signed. Only who has the nonce, which is told and not kept, can tie it to a member."""
    at_ms, nonce = now_ms(), secrets.token_hex(16)
    stated = {
        "format": FORMAT,
        "id": f"ers_{uuid.uuid4().hex}",
        "erased_at": rfc3339(at_ms),
        "subjects": [hashlib.sha256(f"{nonce}{member_id}".encode()).hexdigest() for member_id in member_ids],
        "removed": counts,
        "public_key": keystore.public_key(REF).hex(),
    }
    signed = orjson.dumps(stated, option=orjson.OPT_SORT_KEYS)
    certificate = {**stated, "signature": keystore.sign_message(REF, signed).hex()}
    kept = orjson.dumps(certificate, option=orjson.OPT_SORT_KEYS).decode()
    session.add(Erasure(id=str(stated["id"]), certificate=kept, made_at_ms=at_ms))
    session.flush()
    return {**certificate, "nonce": nonce}
