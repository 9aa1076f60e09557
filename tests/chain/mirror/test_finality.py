"""How sure a block is, and what happens when the node takes back what it may not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from chain.base.errors import AnswerInconsistent, FinalityBroken, ReorgTooDeep
from chain.health.loops import system_health
from chain.mirror.loop import Mirror
from chain.mirror.settings import DEPTH, TAGS, MirrorSettings
from chain.node.rpc import Rpc
from chain.storage.database import reading, snapshot, writing
from tests.chain.following import follow
from tests.support.scripted_node import faults
from tests.support.scripted_node.brands import Brand
from tests.support.scripted_node.node import ScriptedNode


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database_url(request: pytest.FixtureRequest, tmp_path: object) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql"))
    return f"sqlite:///{tmp_path}/moa.db"


@pytest.fixture
def node() -> Iterator[ScriptedNode]:
    with ScriptedNode(seed=6) as running:
        running.chain.safe_depth, running.chain.final_depth = 3, 6
        yield running


@pytest.fixture
def brand(node: ScriptedNode) -> Brand:
    return Brand(node, members=8)


@pytest.fixture
def rpc(node: ScriptedNode) -> Iterator[Rpc]:
    opened = Rpc(node.url, timeout_s=10.0)
    yield opened
    opened.close()


def mirror_of(engine: Engine, rpc: Rpc, brand: Brand, **changes: object) -> Mirror:
    settings = {"undo_blocks_max": 20, "behind_grace_s": 0.0, **changes}
    return Mirror(engine, rpc, brand.deployment, MirrorSettings(**settings))  # type: ignore[arg-type]


def levels(engine: Engine) -> tuple[int, int, int]:
    with reading(engine) as connection:
        row = connection.execute(text("SELECT block_number, safe_number, final_number FROM mirror_checkpoint")).one()
        return row[0], row[1], row[2]


def troubles(engine: Engine) -> str:
    with snapshot(engine) as connection:
        return " ".join(system_health(connection).troubles())


def test_tags_are_not_asked_for_unless_they_are_chosen(
    node: ScriptedNode, brand: Brand, engine: Engine, rpc: Rpc
) -> None:
    """SPEC 8.16"""
    brand.mine(12, 1)
    follow(mirror_of(engine, rpc, brand, finality=DEPTH, safe_depth=1, final_depth=2))

    number = brand.chain.head.number
    assert levels(engine) == (number, number - 1, number - 2)


def test_the_nodes_own_tags_count_when_they_are_chosen(brand: Brand, engine: Engine, rpc: Rpc) -> None:
    """SPEC 8.16"""
    mirror = mirror_of(engine, rpc, brand, finality=TAGS, range_blocks_max=4)
    brand.mine(12, 1)
    follow(mirror)
    number = brand.chain.head.number
    assert levels(engine) == (number, number - 3, number - 6)
    brand.mine(2, 1)
    follow(mirror)

    assert levels(engine) == (number + 2, number - 1, number - 4)


def test_a_mirror_behind_calls_nothing_final_that_it_has_not_read(brand: Brand, engine: Engine, rpc: Rpc) -> None:
    """SPEC 8.16"""
    brand.mine(30, 1)
    mirror = mirror_of(engine, rpc, brand, finality=TAGS, range_blocks_max=4)
    mirror.step()

    block, safe, final = levels(engine)
    assert block == safe == final < brand.chain.head.number - 6


def test_a_node_without_such_tags_is_waited_for_and_said(
    node: ScriptedNode, brand: Brand, engine: Engine, rpc: Rpc
) -> None:
    """SPEC 8.16"""
    brand.mine(4, 1)
    mirror = mirror_of(engine, rpc, brand, finality=TAGS)
    follow(mirror_of(engine, rpc, brand))
    brand.mine(1, 1)

    def by_tag(request: Any, methods: object) -> bool:
        return request.params[0] in ("safe", "finalized")

    untagged = node.faults.add(faults.answers(None, faults.BY_NUMBER), when=by_tag)
    with untagged, pytest.raises(AnswerInconsistent, match="choose finality by depth"):
        mirror.step()
    follow(mirror)
    assert levels(engine)[1] == brand.chain.head.number - 3


def test_what_was_called_final_and_is_taken_back_stops_the_mirror(brand: Brand, engine: Engine, rpc: Rpc) -> None:
    """SPEC 8.16, 8.6"""
    mirror = mirror_of(engine, rpc, brand, finality=TAGS)
    brand.mine(15, 2)
    follow(mirror)
    before = levels(engine)
    brand.reorg(5, "others")
    follow(mirror)
    assert levels(engine)[0] == before[0] + 1, "what was not final may be taken back"

    brand.reorg(12, "others")
    with pytest.raises(FinalityBroken) as caught:
        follow(mirror)

    assert caught.value.common_number < caught.value.final_number
    assert "called block" in troubles(engine)
    assert levels(engine)[0] == before[0] + 1


def test_a_reorg_too_deep_is_shown_and_a_node_that_comes_to_reason_is_followed_again(
    brand: Brand, engine: Engine, rpc: Rpc
) -> None:
    """SPEC 8.6, 8.20"""
    mirror = mirror_of(engine, rpc, brand)
    brand.mine(40, 1)
    follow(mirror)
    left = brand.reorg(30, "others", blocks=30).removed
    with pytest.raises(ReorgTooDeep):
        follow(mirror)
    assert "more than 20 blocks below block" in troubles(engine)
    assert "stopped" in troubles(engine)

    # The node's operator puts the right chain back; the worker is started again.
    brand.chain.restore(left)
    follow(mirror_of(engine, rpc, brand))

    assert "stopped at" not in troubles(engine)
    with reading(engine) as connection:
        assert connection.execute(text("SELECT state, reason FROM mirror_checkpoint")).one() == ("live", None)


def test_a_mirror_that_began_at_the_head_of_an_idle_chain_is_live(brand: Brand, engine: Engine, rpc: Rpc) -> None:
    """SPEC 8.20: nothing more will ever be mined, and that is no trouble."""
    brand.mine(2, 1)
    follow(mirror_of(engine, rpc, brand))
    with writing(engine) as connection:
        connection.execute(text("UPDATE mirror_checkpoint SET state = 'backfilling', head_number = 99"))

    follow(mirror_of(engine, rpc, brand))

    with reading(engine) as connection:
        state, head = connection.execute(text("SELECT state, head_number FROM mirror_checkpoint")).one()
    assert (state, head) == ("live", brand.chain.head.number)
