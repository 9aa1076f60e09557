"""Who and whom, as the log names them. A member is named by SHA-256(salt || id); the salt is kept apart, one a member.

Who has the salts can find a member's acts; once a salt is destroyed nobody can, and the log still verifies.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, bindparam, text

MEMBER: Final = "member/"
SALT_BYTES: Final = 32
NAMES_MAX: Final = 1_000
NOBODY: Final = "nobody"

_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_FIND = text("SELECT member_id, salt FROM act_salt WHERE member_id IN :ids").bindparams(_IDS)
_ADD = text("INSERT INTO act_salt (member_id, salt) VALUES (:id, :salt) ON CONFLICT (member_id) DO NOTHING")
_FORGET = text("DELETE FROM act_salt WHERE member_id = :id")


def member(member_id: str) -> str:
    """A member's name before it is hidden."""
    return MEMBER + member_id


def hidden_name(salt_hex: str, member_id: str) -> str:
    """A member's name in the log."""
    return MEMBER + hashlib.sha256(bytes.fromhex(salt_hex) + member_id.encode()).hexdigest()


def hidden(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    """Each name as the log may hold it; salts are made for members who have none."""
    asked = set(names)
    ids = sorted(name.removeprefix(MEMBER) for name in asked if name.startswith(MEMBER))
    found = {name: name for name in asked if not name.startswith(MEMBER)}
    for at in range(0, len(ids), NAMES_MAX):
        some = ids[at : at + NAMES_MAX]
        salts = _salts(connection, some)
        missing = [one for one in some if one not in salts]
        if missing:
            made = [{"id": one, "salt": secrets.token_hex(SALT_BYTES)} for one in missing]
            connection.execute(_ADD, made)
            # Another process may have been first: what is stored counts.
            salts |= _salts(connection, missing)
        found |= {member(one): hidden_name(salts[one], one) for one in some}
    return found


def name_of(connection: Connection, member_id: str) -> str | None:
    """How the log names this member; None when it does not, or when the salt was destroyed."""
    salt = _salts(connection, [member_id]).get(member_id)
    return None if salt is None else hidden_name(salt, member_id)


def forget(connection: Connection, member_id: str) -> bool:
    """Destroys a member's salt; whether there was one."""
    return connection.execute(_FORGET, {"id": member_id}).rowcount > 0


def _salts(connection: Connection, ids: list[str]) -> dict[str, str]:
    return {row.member_id: row.salt for row in connection.execute(_FIND, {"ids": ids})}
