"""Events replayed: a brand's own, in the order of their numbers, none that comes in between later."""

from __future__ import annotations

import threading

from api.auth.callers import BrandCaller
from api.ingest import taking
from api.ingest.reading import read
from chain.base.scalars import RegistryId
from tests.api.conftest import World
from tests.api.conftest import both as kind  # noqa: F401
from tests.api.ingest.test_events import event, page, report

# So long a transaction that should wait is given to show that it does not.
GRACE_S = 0.5


def test_pages_go_on_where_they_ended(world: World) -> None:
    """SPEC 22.10"""
    world.member("m-1")
    other = world.member("m-2")
    sent = [event("app.session", f"e-{number}", subject=f"m-{number % 2 + 1}") for number in range(6)]
    numbers = [one["number"] for one in report(world.brand, *sent, event("stock.changed", "e-9"))]

    found, after = [], "0"
    while True:
        told = world.brand.get(f"/v1/events?after={after}&limit=2").json()
        if not told["events"]:
            assert told["next_after"] == after
            break
        found += [one["number"] for one in told["events"]]
        after = told["next_after"]

    assert found == numbers
    assert [one["id"] for one in page(world.brand, "?type=stock.changed")] == ["e-9"]
    assert [one["id"] for one in page(world.brand, f"?member={other['id']}")] == ["e-1", "e-3", "e-5"]
    assert page(world.other) == []
    for query in ("limit=0", "limit=201", "after=-1", "after=x", "type=A", "member=m-1", "colour=red"):
        assert world.brand.get(f"/v1/events?{query}").status_code == 422, query
    assert world.brand.get(f"/v1/events?member=mem_{0:032x}").json()["error"] == "MemberUnknown"
    assert world.other.get(f"/v1/events?member={other['id']}").json()["error"] == "MemberUnknown"


def test_no_event_appears_below_one_that_was_told(world: World) -> None:
    """SPEC 22.10: who writes second is numbered second, and seen second, though its work was done first."""
    world.member()
    state = world.app.state.moa
    caller = BrandCaller("cdnow", "0" * 12, RegistryId(1))

    def take(id_: str, begun: threading.Event | None = None, end: threading.Event | None = None) -> None:
        wanted = [read(event("app.session", id_), programme_start=world.settings.programme_start)]
        with world.database.write() as session:
            taking.take(session, state=state, caller=caller, wanted=wanted)
            if begun is not None and end is not None:
                begun.set()
                assert end.wait(60)

    begun, end = threading.Event(), threading.Event()
    first = threading.Thread(target=take, args=("e-1", begun, end))
    second = threading.Thread(target=take, args=("e-2",))
    first.start()
    assert begun.wait(60)
    second.start()
    second.join(GRACE_S)
    between = page(world.brand)
    end.set()
    first.join()
    second.join()

    assert between == []
    assert [one["id"] for one in page(world.brand)] == ["e-1", "e-2"]
