"""An entry that time alone made, proven to its member by the node: on each node, from each database."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from api.kit.database import Database
from api.views.proofs import prove
from api.views.schemas import EntryProof

pytestmark = pytest.mark.slow


class Asker:
    """What the route does, with these books and their node."""

    def __init__(self, books: Any) -> None:
        url = books.engine.url.render_as_string(hide_password=False).replace("postgresql+psycopg", "postgresql")
        world = books.small.world
        node = SimpleNamespace(rpc=world.rpc)
        self.database = Database(url)
        self._state: Any = SimpleNamespace(database=self.database, deployment=world.deployment, node=node)

    def __call__(self, row: Any) -> tuple[EntryProof, dict[str, bool]]:
        told = prove(self._state, addresses=[row.account], entry_id=row.seq)
        return told, {check.name: check.ok for check in told.checks}


@pytest.fixture
def asker(books: Any) -> Iterator[Asker]:
    made = Asker(books)
    yield made
    made.database.close()


def test_an_end_is_proven_by_two_blocks_and_the_lot_between_them(books: Any, asker: Asker) -> None:
    """SPEC 9.81: and what was made up is not."""
    row = books.one("SELECT seq, account, block_number, points FROM entry WHERE kind = 'expire' ORDER BY seq LIMIT 1")
    told, checks = asker(row)
    assert (told.verified, checks) == (True, {"chain": True, "end": True, "lot": True})
    assert (told.receipt.tx_hash, told.receipt.log_index, told.receipt.block_number) == (None, None, row.block_number)

    books.run(f"UPDATE entry SET points = '{int(row.points) - 1}' WHERE seq = {row.seq}")
    assert asker(row)[1] == {"chain": True, "end": True, "lot": False}

    books.run(f"UPDATE entry SET points = '{row.points}', block_hash = '0x00' WHERE seq = {row.seq}")
    assert asker(row)[1] == {"chain": False, "end": True, "lot": True}

    after = f"(SELECT hash FROM mirror_block WHERE number = {row.block_number} + 1)"
    books.run(f"UPDATE entry SET block_number = block_number + 1, block_hash = {after} WHERE seq = {row.seq}")
    told, checks = asker(row)
    assert (told.verified, checks) == (False, {"chain": True, "end": False, "lot": True})
