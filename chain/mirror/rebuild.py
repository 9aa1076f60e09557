"""Throwing the mirror away, so that the next run makes it again from the chain, to the same rows."""

from typing import Final

from sqlalchemy import Engine, bindparam, delete, text

from chain.mirror.models import MIRROR_TABLES
from chain.storage.columns import table_of
from chain.storage.database import writing


def forget(engine: Engine) -> None:
    """Empties the mirror's tables. A mirror that is running notices and begins anew, in another generation: whoever
    kept a place in the numbers of before is told so."""
    with writing(engine) as connection:
        names = [table_of(model).name for model in MIRROR_TABLES]
        # The numbering starts again as well: a rebuilt mirror numbers its entries as the first one did.
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"TRUNCATE {', '.join(names)} RESTART IDENTITY"))
            return
        for model in MIRROR_TABLES:
            connection.execute(delete(table_of(model)))
        connection.execute(_FORGET_NUMBERS, {"names": names})


_FORGET_NUMBERS: Final = text("DELETE FROM sqlite_sequence WHERE name IN :names").bindparams(
    bindparam("names", expanding=True)
)
