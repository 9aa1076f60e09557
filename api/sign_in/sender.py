"""What carries a code to a person: a small protocol. The one here writes an outbox; the demo shows it.

A carrier by SMTP or SMS reads the outbox, or takes its place. A message is written in the transaction of what it tells,
so that no code is sent that does not open, and none opens that was not sent.
"""

from __future__ import annotations

from typing import Final, Protocol

import orjson
from sqlalchemy import delete
from sqlmodel import Session, col, select

from api.kit.clock import now_ms, rfc3339
from api.sign_in.models import OutboxMessage
from api.sign_in.schemas import OutboxList, OutboxShown
from chain.storage.keystore import Keystore

REF: Final = "outbox/0"
BOUND: Final = b"moa-outbox/1"
SHOWN_MAX: Final = 100
KEPT_MS: Final = 24 * 3600 * 1000


class Sender(Protocol):
    """Whoever carries a text to an address."""

    def send(self, session: Session, *, channel: str, to: str, text: str) -> None:
        """Takes the message, inside the caller's transaction."""


class Outbox:
    """Keeps messages for whoever carries them, sealed under a key of the keystore."""

    def __init__(self, keystore: Keystore) -> None:
        self._keystore = keystore

    def send(self, session: Session, *, channel: str, to: str, text: str) -> None:
        """Takes the message, inside the caller's transaction."""
        sealed = self._keystore.seal(REF, orjson.dumps({"to": to, "text": text}), BOUND)
        session.add(OutboxMessage(channel=channel, sealed=sealed, made_at_ms=now_ms()))
        session.flush()

    def shown(self, session: Session) -> OutboxList:
        """The newest messages, as they are sent."""
        rows = session.exec(select(OutboxMessage).order_by(col(OutboxMessage.id).desc()).limit(SHOWN_MAX))
        return OutboxList(
            messages=[
                OutboxShown(
                    id=str(row.id),
                    channel=row.channel,
                    made_at=rfc3339(row.made_at_ms),
                    **orjson.loads(self._keystore.unseal(REF, bytes(row.sealed), BOUND)),
                )
                for row in rows
            ]
        )


def forget(session: Session) -> None:
    """Drops messages of more than a day ago."""
    session.execute(delete(OutboxMessage).where(col(OutboxMessage.made_at_ms) < now_ms() - KEPT_MS))
