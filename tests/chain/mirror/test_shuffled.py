"""What the chain room reads does not depend on where rows lie (SPEC 9.32), a memo's path least of all (SPEC 13.9)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from api.events import memos as kept
from chain.contracts import memos
from chain.evidence.bundle import Maker, Memo, Place
from chain.evidence.verify import verify
from chain.mirror import books, history
from chain.mirror.digest import digest
from chain.reports import datasets
from chain.storage.database import snapshot, writing
from tests.chain.evidence.bundles import anchor
from tests.support.shuffling import shuffled

pytestmark = pytest.mark.slow
# More points than a lot can hold: the contract refuses that item, and its row is written at another time.
TOO_MUCH = 2**60


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'moa.db'}"
    url: str = request.getfixturevalue("postgresql")
    return url


def reads(world: Any) -> dict[str, Any]:
    """All that is read of the mirror, in the order in which it is given."""
    with snapshot(world.engine) as connection:
        last = history.span(connection).last.number
        found: dict[str, Any] = {
            "digest": digest(connection).sha256,
            "holds": history.holds(connection, last),
            "rules": history.rules(connection, last),
            "agreements": history.agreements(connection, last),
            "obligations": history.obligations(connection, last),
            "standings": history.standings(connection, last),
        }
        for token in history.tokens(connection, last):
            found[f"accounts of {token['symbol']}"] = list(history.accounts(connection, token["token"], last))
            found[f"supply of {token['symbol']}"] = history.supply(connection, token["token"], last)
        scope = datasets.Scope(last)
        for name, one in datasets.DATASETS.items():
            found[name] = list(one.rows(connection, scope))
    found["books"] = books.books(world.rpc, world.engine, world.deployment)
    return found


def test_every_reading_is_the_same_wherever_rows_lie(world: Any, database_url: str) -> None:
    """SPEC 9.32, 13.9: and each memo of a batch with a refused item in the middle is proven."""
    fields = {}
    asked = []
    for number in range(7):
        one = world.award(f"m{number}", TOO_MUCH if number == 3 else 1_000 + number)
        fields[one.key] = memos.salted({"receipt": f"No. {number}"})
        one.payload["memo_root"] = "0x" + memos.memo_root(fields[one.key]).hex()
        asked.append(one)
    ids = dict(zip(world.enqueue(*asked), fields.values(), strict=True))
    world.drain()
    assert [world.operation(id).state for id in ids] == ["confirmed"] * 3 + ["failed"] + ["confirmed"] * 3
    hold, _ = world.hold("m0", 300)
    world.enqueue(hold, world.exchange("m1", 300), world.award("m2", 9, brand="hanok"))
    world.drain()
    before = reads(world)
    maker = Maker(world.rpc, world.deployment)

    with shuffled(world.engine, database_url, 7):
        assert reads(world) == before
        for id, memo in ids.items():
            row = world.operation(id)
            with Session(world.engine) as session:
                items = kept.items(session, id)
            assert [operation_id for operation_id, _ in items] == list(range(1, 8))
            if row.state == "confirmed":
                place, award = Place(row.block_number, row.tx_hash), (1, int(row.operation_id))
                document = maker.operation(place, award=award, memo=Memo(memo, ["receipt"], items))
                registry = world.deployment.address("PartnerRegistry")
                assert verify(document, pin=anchor(document), registry=registry).verdict == "proven"


def test_a_batch_is_what_was_signed_whatever_became_of_its_items(world: Any, engine: Any) -> None:
    """SPEC 13.9: an item that went into another transaction since is still the leaf that it was."""
    ids = world.enqueue(*(world.award(f"m{number}", 10 + number) for number in range(4)))
    world.drain()
    with writing(engine) as connection:
        connection.execute(text("UPDATE operation SET transaction_id = NULL WHERE id = :id"), {"id": ids[1]})
    with Session(engine) as session:
        assert [number for number, _ in kept.items(session, ids[2])] == [1, 2, 3, 4]
        assert kept.items(session, ids[1]) == [], "nothing carried it"
