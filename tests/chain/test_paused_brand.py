"""A brand that is paused on a real chain: its awards cost nothing, hold up nobody, and count afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chain.base.clock import now_ms
from chain.node.blocks import mined
from chain.outbox import operations, retries
from chain.relayer import circuit_breaker
from chain.storage.database import writing

pytestmark = pytest.mark.slow
OWNER = 1  # of the first brand, by scripts/deploy/plan.toml; its guardian too


def switch(world: Any, function: str) -> None:
    """The brand's own switch, thrown by its guardian or owner."""
    registry = world.deployment.address("PartnerRegistry")
    data = world.deployment.codec.calldata("PartnerRegistry", function, world.brands["cdnow"].id)
    sender = world.rpc.call("eth_accounts")[OWNER]
    call = {"from": sender, "to": registry, "data": "0x" + data.hex(), "gas": hex(200_000)}
    assert mined(world.rpc, world.rpc.call("eth_sendTransaction", call))["status"] == "0x1"


def states(world: Any, ids: list[int]) -> list[tuple[str, str | None]]:
    return [(found.state, found.error) for found in map(world.operation, ids)]


def test_awards_of_a_paused_brand_cost_no_transaction_and_hold_up_no_other(world: Any) -> None:
    """SPEC 7.34, 7.35, 7.36"""
    world.drain()
    switch(world, "stop")
    world.mirror.catch_up()
    patient = replace(world.award("ada", 1000), retry_until_ms=now_ms() + 600_000)
    ids = world.enqueue(patient, world.award("bob", 1000), world.award("eve", 1200, brand="hanok"))
    world.drain()

    assert states(world, ids) == [("waiting", "BrandNotIssuing"), ("failed", "BrandNotIssuing"), ("confirmed", None)]
    assert world.operation(ids[1]).error_args["brandStopped"] is True
    assert world.count("chain_transaction", "kind = 'batch'") == 1
    assert world.operation(ids[0]).retry_at_ms - now_ms() <= retries.PAUSE_S * 1000

    switch(world, "resume")
    with writing(world.engine) as connection:
        assert operations.again(connection, ids[1])
        later = world.operation(ids[0]).retry_at_ms
        assert operations.again_in_time(connection, later, 10) == 1
    world.drain()
    assert states(world, ids) == [("confirmed", None)] * 3
    assert world.balance_on_chain("ada") == world.balance_on_chain("bob") == 1500
    assert sorted(world.awarded_on_chain()) == ["1", "1", "2"], "each id once for its brand"


def test_a_pause_that_the_mirror_has_not_seen_reverts_a_batch_and_opens_no_breaker(world: Any) -> None:
    """SPEC 7.21, 7.34: what was refused as a whole counts when it is sent again, once."""
    world.drain()
    switch(world, "stop")
    ids = []
    for number in range(world.relayer.settings.breaker_failures_max + 1):
        ids += world.enqueue(world.award(f"m{number}", 100))
        world.drain(mirrored=False)
    assert states(world, ids) == [("failed", "BrandNotIssuing")] * len(ids)
    assert world.relayer.breaker.state == circuit_breaker.CLOSED
    assert world.count("chain_transaction", "state = 'reverted'") == len(ids)

    switch(world, "resume")
    with writing(world.engine) as connection:
        assert all(operations.again(connection, id) for id in ids)
        assert not any(operations.again(connection, id) for id in ids)
    world.drain()
    assert states(world, ids) == [("confirmed", None)] * len(ids)
    assert sorted(map(int, world.awarded_on_chain())) == list(range(1, len(ids) + 1))
    assert world.count("operation_refusal", "transaction_id IS NOT NULL") == len(ids)
