"""Where the relayer stops, says so and goes on: fees, balances, gas, gaps, refusals, a node that lost its state."""

from __future__ import annotations

import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from eth_account import Account
from sqlalchemy import Engine, select, text

from chain.base.errors import ChainReplaced
from chain.node.rpc import Rpc
from chain.outbox import calls, operations, transactions
from chain.outbox.operations import NewOperation, OperationView
from chain.relayer import circuit_breaker
from chain.relayer.loop import Relayer
from chain.relayer.scheduler import QUEUE_WINDOW
from chain.relayer.signer import Fees, fees_of, is_fill, sign
from chain.storage.database import reading, writing
from chain.storage.keystore import LocalKeystore, till_ref
from tests.chain.relayer.test_relayer_faults import RELAYER, Rig
from tests.support.scripted_node import faults
from tests.support.scripted_node.brands import BRAND_ID, RULE_ID, Brand
from tests.support.scripted_node.faults import SEND, Behaviour
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.pool import GETH

# Long enough for five steps on a machine that is busy with something else.
PAUSE_S = 2.0


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> LocalKeystore:
    return LocalKeystore.create(tmp_path_factory.mktemp("keys") / "keystore.json", "a password for tests")


@pytest.fixture
def node() -> Iterator[ScriptedNode]:
    with ScriptedNode(seed=9, dialect=GETH) as running:
        yield running


@pytest.fixture
def rig(node: ScriptedNode, engine: Engine, keystore: LocalKeystore) -> Iterator[Rig]:
    made = Rig(node, Brand(node), engine, keystore)
    yield made
    for rpc in made.rpcs:
        rpc.close()


def use(rig: Rig, **changes: Any) -> None:
    """A relayer with other settings from here on."""
    rpc = rig.relayer.node_state.rpc
    rig.relayer = Relayer(rig.engine, rpc, rig.brand.deployment, rig.keystore, replace(RELAYER, **changes))


def steps_until(rig: Rig, condition: Callable[[], bool], *, mine: bool = True, timeout_s: float = 45.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, (rig.states(), told(rig))
        if mine:
            rig.step()
        else:
            rig.relayer.step()
        time.sleep(0.005)


def told(rig: Rig) -> dict[str, tuple[str, str]]:
    """What the heartbeat says, by name."""
    with reading(rig.engine) as connection:
        rows = connection.execute(text("SELECT name, state, detail FROM heartbeat"))
        return {name: (state, detail) for name, state, detail in rows}


def transaction_states(rig: Rig) -> list[str]:
    with reading(rig.engine) as connection:
        return list(connection.execute(text("SELECT state FROM chain_transaction ORDER BY id")).scalars())


def refusing(message: str, when: Callable[[str], bool]) -> Behaviour:
    """Refuses what is sent and meets the condition, in these words."""

    def act(request: Any, go_on: Any, methods: Any) -> Any:
        return faults.Failure(-32000, message) if when(request.params[0]) else go_on()

    return Behaviour(message, act, (SEND,))


# Fees


def test_a_stuck_transaction_is_replaced_by_one_that_pays_at_least_an_eighth_more(rig: Rig):
    """SPEC 7.18"""
    rig.award(2)
    rig.drain()
    rig.award(2)
    offers: dict[tuple[str, int], list[int]] = defaultdict(list)

    def stuck_ones_were_offered_again() -> bool:
        offers.clear()
        for sent in rig.node.pool.accepted:
            offers[sent.sender, sent.nonce].append(sent.fee_cap_wei)
        return max(map(len, offers.values())) > 2

    steps_until(rig, stuck_ones_were_offered_again, mine=False)
    replaced = [fees for fees in offers.values() if len(fees) > 1]
    assert replaced
    assert all(later * 8 >= earlier * 9 for fees in replaced for earlier, later in itertools.pairwise(fees))
    rig.drain()
    rig.check()


def test_at_the_fee_cap_it_stops_raising_and_says_so(rig: Rig):
    """SPEC 7.18"""
    cap = 3 * 10**9
    rig.award(2)
    rig.drain()
    use(rig, fee_cap_wei=cap, replace_after_s=0.05, resend_after_s=0.05)
    rig.node.pool.base_fee_wei = 10 * cap
    rig.award(1)
    steps_until(rig, lambda: told(rig).get("signers", ("", ""))[0] == "capped")
    assert f"fee cap of {cap} wei" in told(rig)["signers"][1]
    rig.node.pool.base_fee_wei = 10**9
    rig.drain()
    steps_until(rig, lambda: told(rig)["signers"][0] == "able")
    assert max(sent.fee_cap_wei for sent in rig.node.pool.accepted[-2:]) <= cap
    rig.check()


def test_at_the_fee_cap_it_says_so_also_while_the_node_holds_the_transaction(rig: Rig):
    """SPEC 7.18: the pool took it before the base fee rose, and knows it already at every later offer."""
    cap = 3 * 10**9
    rig.award(2)
    rig.drain()
    use(rig, fee_cap_wei=cap, replace_after_s=0.05, resend_after_s=0.05)
    rig.award(1)
    steps_until(rig, lambda: told(rig).get("signers", ("", ""))[0] == "capped", mine=False)
    for _ in range(20):
        rig.relayer.step()
        assert told(rig)["signers"][0] == "capped"
    rig.drain()
    steps_until(rig, lambda: told(rig)["signers"][0] == "able")
    rig.check()


@pytest.mark.parametrize("trouble", ["above the cap", "no money", "nonce too high"])
def test_what_waiting_may_help_is_offered_again_after_a_pause_and_logged_once(
    rig: Rig, trouble: str, caplog: pytest.LogCaptureFixture
):
    """SPEC 7.18: an outage of hours costs the node an offer a second, and the log a line."""
    rig.award(2)
    rig.drain()
    use(rig, signers=1, fee_cap_wei=3 * 10**9, offer_again_s=0.5)
    signer = next(iter(rig.relayer.refs))
    if trouble == "above the cap":
        rig.node.pool.base_fee_wei = 30 * 10**9
    elif trouble == "no money":
        rig.node.pool.poor.add(signer)
    else:
        rig.node.faults.add(refusing("nonce too high", lambda raw: True))
    rig.award(1)
    steps_until(rig, lambda: rig.states().get("assigned") == 1)
    # An offer of the first round, one above it, and what two pauses let through.
    before, end = rig.node.log.count(SEND), time.monotonic() + 1.2
    while time.monotonic() < end:
        rig.step()
    assert 1 <= rig.node.log.count(SEND) - before <= 4
    assert sum("must wait" in record.message for record in caplog.records) == 1
    rig.node.pool.base_fee_wei = 10**9
    rig.node.pool.poor.clear()
    rig.node.faults.clear()
    rig.drain()
    rig.check()


# Balances


def test_a_signer_below_the_least_balance_takes_no_new_work_says_so_and_goes_on_when_filled(rig: Rig):
    """SPEC 7.19"""
    rig.award(2)
    rig.drain()
    balances = defaultdict(lambda: 10**24)
    rig.node.methods._table["eth_getBalance"] = lambda params, top: hex(balances[params[0]])
    for signer in rig.relayer.refs:
        balances[signer] = 1_000
    steps_until(rig, lambda: told(rig)["signers"][0] == "low")
    rig.award(3)
    for _ in range(20):
        rig.step()
    assert rig.states()["queued"] == 3
    assert "1000 wei" in told(rig)["signers"][1]
    balances.clear()
    rig.drain()
    rig.check()


def senders(rig: Rig) -> list[str]:
    """The keys that award; a till's key is not one of them (SPEC 6.15)."""
    tills = {rig.keystore.address_of(till_ref(i)) for i in range(rig.relayer.settings.tills)}
    return [address for address in rig.relayer.refs if address not in tills]


def test_the_work_of_a_poor_signer_goes_through_the_others(rig: Rig):
    """SPEC 7.19"""
    rig.award(2)
    rig.drain()
    poor, *others = senders(rig)
    rig.node.methods._table["eth_getBalance"] = lambda params, top: hex(0 if params[0] == poor else 10**24)
    steps_until(rig, lambda: told(rig)["signers"][0] == "low")
    before = len(rig.node.pool.accepted)
    rig.award(12)
    rig.drain()
    assert {sent.sender for sent in rig.node.pool.accepted[before:]} == set(others)
    rig.check()


# Gas


def test_a_batch_that_a_block_cannot_carry_goes_again_in_smaller_ones(rig: Rig):
    """SPEC 7.5, 7.20"""
    rig.award(2)
    rig.drain()
    message = "exceeds block gas limit"
    with rig.node.faults.add(refusing(message, lambda raw: len(raw) > 2 * (4 + 3 * 32 + 128 * 4))):
        rig.award(16)
        rig.drain()
    sizes = [(len(sent.data) - 100) // 128 for sent in rig.node.pool.accepted if len(sent.data) > 4]
    assert max(sizes) < 4
    assert "filled" in transaction_states(rig)
    rig.check()


def test_batches_are_cut_to_the_blocks_gas_limit(rig: Rig):
    """SPEC 7.5"""
    room = calls.BATCH_BASE_GAS + 3 * calls.ITEM_GAS
    real = rig.node.methods._table["eth_getBlockByNumber"]

    def limited(params: list[Any], top: int) -> Any:
        block = orjson.loads(orjson.dumps(real(params, top)))
        return {**block, "gasLimit": hex(int(room / 0.9) + 1)}

    rig.node.methods._table["eth_getBlockByNumber"] = limited
    rig.award(20)
    rig.drain()
    sizes = [(len(sent.data) - 100) // 128 for sent in rig.node.pool.accepted if len(sent.data) > 4]
    assert max(sizes) == 3
    rig.check()


# Nonces


def third_party(rig: Rig, signer: str, nonce: int) -> str:
    """A transaction of somebody else with the same key."""
    signed = sign(
        rig.keystore, rig.relayer.refs[signer], chain_id=rig.brand.deployment.chain_id, nonce=nonce, target=signer,
        calldata=b"\x01", gas=30_000, fees=Fees(4 * 10**9, 10**9),
    )  # fmt: skip
    rig.relayer.node_state.rpc.call(SEND, signed.raw)
    return signed.tx_hash


def test_nonces_that_a_reorg_took_from_a_stranger_are_filled_and_later_ones_go_on(rig: Rig):
    """SPEC 7.20"""
    rig.award(4)
    rig.drain()
    signer = max(rig.relayer.refs, key=lambda one: rig.node.chain.nonces[one])
    nonce = rig.node.chain.nonces[signer]
    for further in range(2):
        third_party(rig, signer, nonce + further)
    rig.node.mine_pool()
    rig.award(8)
    rig.drain()
    rig.node.reorg_pool(3, back=False)
    rig.drain()
    steps_until(rig, lambda: not {"filling", "assigned", "signed", "sent"} & set(transaction_states(rig)))
    with reading(rig.engine) as connection:
        following = transactions.next_nonces(connection)[signer]
    assert rig.node.chain.nonces[signer] == following
    rig.check()


def test_a_transaction_that_can_never_be_sent_gives_its_nonce_up_and_fails_typed(rig: Rig):
    """SPEC 7.20"""
    rig.award(2)
    rig.drain()
    use(rig, batch_items_max=1)
    member = rig.brand.accounts[0]
    with writing(rig.engine) as connection:
        asked = [
            calls.award(key=f"n {n}", brand=BRAND_ID, member=member, rule=RULE_ID, base_amount=points)
            for n, points in enumerate((5, 777, 6))
        ]
        ids = operations.enqueue_many(connection, asked)
    marked = f"{777:064x}"
    with rig.node.faults.add(refusing("oversized data: transaction size 1, limit 0", lambda raw: marked in raw)):
        rig.drain()
    with reading(rig.engine) as connection:
        found = operations.get_many(connection, ids)
    assert [found[id].state for id in ids] == ["confirmed", "failed", "confirmed"]
    assert found[ids[1]].error == "TransactionRefused"
    with reading(rig.engine) as connection:
        raws = list(connection.execute(text("SELECT raw FROM chain_transaction_hash")).scalars())
    assert sum(is_fill(raw) for raw in raws) == len(rig.relayer.refs) + 1


def test_what_was_given_up_and_counted_all_the_same_counts_once(rig: Rig):
    """SPEC 7.20: the node refused it in one answer and had taken it in another."""
    rig.award(2)
    rig.drain()
    rig.award(2)
    with rig.node.faults.add(faults.loses_answer(faults.error(-32000, "exceeds block gas limit")), times=2):
        rig.drain()
    rig.check()


def test_replaced_offers_are_read_back_from_what_was_signed(keystore: LocalKeystore):
    """SPEC 7.18"""
    address = keystore.address_of("signer/0")
    fees = Fees(max_fee=7 * 10**9, tip=10**9)
    signed = sign(keystore, "signer/0", chain_id=1, nonce=9, target=address, calldata=b"", gas=21_000, fees=fees)
    other = sign(keystore, "signer/0", chain_id=1, nonce=9, target=address, calldata=b"\x01", gas=21_000, fees=fees)
    assert fees_of(signed.raw) == fees
    assert (is_fill(signed.raw), is_fill(other.raw)) == (True, False)
    assert Account.recover_transaction(signed.raw).lower() == address
    assert all(
        raised * 8 >= paid * 9 for paid in (1, 10**9, 7 * 10**9) for raised in [Fees(paid, 0).raised(10**12).max_fee]
    )


def test_a_receipt_of_a_block_that_is_gone_is_taken_back(rig: Rig):
    """SPEC 7.10: the mirror never saw the block, so no rollback of its own tells."""
    rig.award(2)
    rig.drain()
    rig.award(5)
    for _ in range(3):
        rig.relayer.step()
    rig.node.mine_pool()
    steps_until(rig, lambda: rig.states().get("mined", 0) == 5, mine=False)
    rig.node.reorg_pool(1, blocks=2, back=False)
    rig.mirror.step()
    rig.relayer.step()
    assert rig.states() == {"confirmed": 2, "sent": 5}
    rig.drain()
    rig.check()


def test_what_the_mirror_saw_mined_before_it_was_stored_as_sent_stays_mined(rig: Rig):
    """SPEC 7.7: the mirror's word is newer than the node's answer to the offer."""
    rig.award(2)
    rig.drain()
    before = transaction_states(rig)
    with reading(rig.engine) as connection:
        rows = connection.execute(select(*transactions.FIELDS)).all()
    with writing(rig.engine) as connection:
        for row in rows:
            transactions.keep_sent(connection, transactions.Transaction(*row))
    assert "mined" in before
    assert transaction_states(rig) == before


# The node


@pytest.mark.parametrize("count", [hex(2**63), hex(2**300), "-0x1"])
def test_a_count_that_no_chain_can_have_is_waited_out(rig: Rig, count: str):
    """SPEC 7.13: no table could hold it, and no nonce may be chosen by it."""
    rig.award(2)
    rig.drain()
    real = rig.node.methods._table["eth_getTransactionCount"]
    rig.node.methods._table["eth_getTransactionCount"] = lambda params, top: count
    rig.award(2)
    for _ in range(5):
        rig.step()
        rig.award(1)
    rig.node.methods._table["eth_getTransactionCount"] = real
    rig.drain()
    rig.check()


def test_a_brand_that_the_whole_mirror_does_not_know_is_refused_and_costs_nothing(rig: Rig):
    """SPEC 7.22"""
    use(rig, simulation_patience_s=0.0)
    rig.mirror.catch_up()
    member = rig.brand.accounts[0]
    known = calls.award(key="known", brand=BRAND_ID, member=member, rule=RULE_ID, base_amount=3)
    unknown = calls.award(key="unknown", brand=BRAND_ID + 1, member=member, rule=RULE_ID, base_amount=3)
    with writing(rig.engine) as connection:
        ids = operations.enqueue_many(connection, [known, unknown])
    rig.drain()
    with reading(rig.engine) as connection:
        found = operations.get_many(connection, ids)
    assert [(found[id].state, found[id].error) for id in ids] == [("confirmed", None), ("failed", "OperationInvalid")]


def test_an_operation_waits_for_a_brand_that_the_mirror_lost_and_gets_again(rig: Rig):
    """SPEC 7.22: a rebuild, a reorg or a node that lags takes the brand's row away for a while."""
    rig.mirror.catch_up()
    with writing(rig.engine) as connection:
        kept = connection.execute(text("SELECT * FROM brand_token")).mappings().one()
        connection.execute(text("DELETE FROM brand_token"))
    member = rig.brand.accounts[0]
    asked = calls.award(key="waits", brand=BRAND_ID, member=member, rule=RULE_ID, base_amount=3)
    with writing(rig.engine) as connection:
        id = operations.enqueue(connection, asked)
    for _ in range(3):
        rig.relayer.step()
    with reading(rig.engine) as connection:
        assert operations.get_many(connection, [id])[id].state == "queued"
    with writing(rig.engine) as connection:
        names = ", ".join(kept)
        connection.execute(
            text(f"INSERT INTO brand_token ({names}) VALUES ({', '.join(f':{name}' for name in kept)})"), dict(kept)
        )
    rig.drain()
    with reading(rig.engine) as connection:
        assert operations.get_many(connection, [id])[id].state == "confirmed"


def test_a_node_that_lost_its_state_stops_the_relayer_which_says_so(rig: Rig, keystore: LocalKeystore):
    """SPEC 7.23"""
    rig.award(3)
    rig.drain()
    with ScriptedNode(seed=77, dialect=GETH, chain=None) as other:
        rpc = Rpc(other.url, timeout_s=1.0, paced=False)
        settings = replace(RELAYER, replaced_after_s=0.2)
        relayer = Relayer(rig.engine, rpc, rig.brand.deployment, keystore, settings)
        rig.award(1)
        with pytest.raises(ChainReplaced):
            relayer.run(threading.Event())
        rpc.close()
        assert other.pool.accepted == []
    state, detail = told(rig)["relayer"]
    assert state == "stopped"
    assert detail.startswith("ChainReplaced")


def test_refusals_in_a_row_open_the_breaker_which_says_so_and_closes_when_the_node_takes_again(rig: Rig):
    """SPEC 7.21"""
    rig.award(2)
    rig.drain()
    use(rig, breaker_failures_max=4, breaker_pause_s=PAUSE_S, breaker_pause_s_max=PAUSE_S)
    rig.award(4)
    with rig.node.faults.add(refusing("computer says no", lambda raw: True)):
        steps_until(rig, lambda: told(rig).get("breaker", ("", ""))[0] == "open")
        assert "computer says no" in told(rig)["breaker"][1]
        sent = rig.node.log.count(SEND)
        for _ in range(5):
            rig.relayer.step()
        assert rig.node.log.count(SEND) == sent
    rig.drain()
    steps_until(rig, lambda: told(rig)["breaker"][0] == "closed")
    rig.check()


def test_reverts_that_are_not_in_a_row_do_not_open_the_breaker(rig: Rig):
    """SPEC 7.21: the mirror tells first of what was mined, and that counts as well as a receipt."""
    rig.award(2)
    rig.drain()
    use(rig, breaker_failures_max=3, receipt_grace_s=5.0)
    for _ in range(4):
        rig.relayer.breaker.failed(circuit_breaker.REVERTED, "a race that was lost")
        rig.award(4)
        rig.drain()
    assert rig.relayer.breaker.state == circuit_breaker.CLOSED
    rig.check()


def test_a_breaker_that_reverts_opened_closes_when_the_mirror_tells_that_the_probe_worked(rig: Rig):
    """SPEC 7.21"""
    rig.award(2)
    rig.drain()
    use(rig, breaker_failures_max=1, breaker_pause_s=0.05, receipt_grace_s=5.0)
    rig.relayer.breaker.failed(circuit_breaker.REVERTED, "a race that was lost")
    rig.award(4)
    rig.drain()
    steps_until(rig, lambda: told(rig)["breaker"][0] == "closed")
    rig.check()


# Several signers, several relayers


def test_what_a_signer_has_under_way_is_finished_when_fewer_signers_are_asked_for(rig: Rig):
    """SPEC 7.17: else its operations would wait for ever, and with them everything behind them."""
    rig.award(4)
    rig.drain()
    with rig.node.faults.add(refusing("computer says no", lambda raw: True)):
        rig.award(8)
        steps_until(rig, lambda: rig.states().get("assigned") == 8)
    both = senders(rig)
    use(rig, signers=1)
    before = len(rig.node.pool.accepted)
    rig.award(8)
    rig.drain()
    rig.check()
    (left,) = senders(rig)
    last = {sent.sender: sent.nonce for sent in rig.node.pool.accepted[before:]}
    with reading(rig.engine) as connection:
        nonces = transactions.next_nonces(connection)
    assert {sender: nonces[sender] for sender in both} == {sender: nonce + 1 for sender, nonce in last.items()}
    assert left in last


def test_a_signer_that_is_no_longer_asked_for_may_be_empty(rig: Rig):
    """SPEC 7.19: nobody waits for it."""
    rig.award(4)
    rig.drain()
    (_, retired) = senders(rig)
    use(rig, signers=1)
    rig.node.methods._table["eth_getBalance"] = lambda params, top: hex(0 if params[0] == retired else 10**24)
    rig.award(4)
    rig.drain()
    assert told(rig)["signers"][0] == "able"


def test_several_signers_keep_the_order_of_every_member(rig: Rig):
    """SPEC 7.17"""
    use(rig, signers=3, batch_items_max=3, in_flight_max=4)
    for _ in range(12):
        rig.award(10)
        rig.relayer.step()
        if rig.node.pool.waiting:
            rig.node.mine_pool(2)
    rig.drain()
    order = defaultdict(list)
    for block in rig.node.chain.blocks:
        for found in block.logs:
            if len(found.log.topics) == 4 and found.log.address == rig.brand.addresses["RewardRules"]:
                order[found.log.topics[3]].append(int(found.log.topics[2], 16))
    assert len({sent.sender for sent in rig.node.pool.accepted}) > 1
    assert all(ids == sorted(ids) for ids in order.values())
    rig.check()


def test_two_relayers_that_both_believe_they_lead_double_nothing(rig: Rig, keystore: LocalKeystore):
    """SPEC 7.14"""
    rpcs = [Rpc(rig.node.url, timeout_s=5.0, paced=False) for _ in range(2)]
    stop = threading.Event()
    failures: list[BaseException] = []

    def run(relayer: Relayer) -> None:
        try:
            relayer.run(stop)
        except BaseException as error:
            failures.append(error)

    both = [Relayer(rig.engine, rpc, rig.brand.deployment, keystore, RELAYER) for rpc in rpcs]
    threads = [threading.Thread(target=run, args=(relayer,)) for relayer in both]
    for thread in threads:
        thread.start()
    try:
        end = time.monotonic() + 60
        for _ in range(10):
            rig.award(9)
            rig.node.mine_pool()
            rig.mirror.step()
            time.sleep(0.02)
        while not rig.finished():
            assert time.monotonic() < end, rig.states()
            if rig.node.pool.waiting:
                rig.node.mine_pool()
            while rig.mirror.step():
                pass
            time.sleep(0.01)
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
        for rpc in rpcs:
            rpc.close()
    assert not failures
    rig.check()
    with reading(rig.engine) as connection:
        nonces = connection.execute(text("SELECT signer, nonce FROM chain_transaction")).all()
        sizes = connection.execute(text("SELECT count(*), sum(operations) FROM chain_transaction")).one()
    assert len(nonces) == len(set(nonces)) == sizes[0]
    assert sizes[1] == rig.asked


def test_an_operation_that_cannot_be_encoded_fails_and_leaves_its_batch_alone(rig: Rig):
    """SPEC 7.6"""
    member = rig.brand.accounts[0]
    good = calls.award(key="good", brand=BRAND_ID, member=member, rule=RULE_ID, base_amount=3)
    bad = NewOperation(
        "bad", "award", BRAND_ID, member, {"member": member, "rule": RULE_ID, "base_amount": str(2**256)}
    )
    with writing(rig.engine) as connection:
        ids = operations.enqueue_many(connection, [good, bad])
    rig.drain()
    with reading(rig.engine) as connection:
        found = operations.get_many(connection, ids)
    assert (found[ids[0]].state, found[ids[1]].state, found[ids[1]].error) == (
        "confirmed",
        "failed",
        "OperationInvalid",
    )


MISFITS = {
    "no JSON": "[1, 2",
    "a number that no double holds": '{"member": "%s", "rule": 1, "base_amount": 1e400}',
    "a list": "[1]",
    "nothing": "null",
    "a rule that is text": '{"member": "%s", "rule": "1", "base_amount": "1"}',
    "a rule that is a list": '{"member": "%s", "rule": [], "base_amount": "1"}',
    "a rule with a fraction": '{"member": "%s", "rule": 1.5, "base_amount": "1"}',
    "an amount with a fraction": '{"member": "%s", "rule": 1, "base_amount": 1.5}',
    "an amount below zero": '{"member": "%s", "rule": 1, "base_amount": "-1"}',
    "an address too short": '{"member": "0x1234", "rule": 1, "base_amount": "1"}',
    "an address too long": '{"member": "%s00", "rule": 1, "base_amount": "1"}',
    "a memo that is a number": '{"member": "%s", "rule": 1, "base_amount": "1", "memo_root": 5}',
}


@pytest.mark.parametrize("payload", MISFITS.values(), ids=MISFITS.keys())
def test_whatever_stands_in_a_payload_fails_alone(rig: Rig, payload: str):
    """SPEC 7.6"""
    member = rig.brand.accounts[0]
    asked = [calls.award(key=f"n {n}", brand=BRAND_ID, member=member, rule=RULE_ID, base_amount=3) for n in range(3)]
    with writing(rig.engine) as connection:
        ids = operations.enqueue_many(connection, asked)
        statement = text("UPDATE operation SET payload = :payload WHERE id = :id")
        connection.execute(statement, {"payload": payload.replace("%s", member), "id": ids[1]})
    rig.drain()
    with reading(rig.engine) as connection:
        rows = connection.execute(text("SELECT state, error FROM operation ORDER BY id")).all()
    assert rows == [("confirmed", None), ("failed", "OperationInvalid"), ("confirmed", None)]
    assert sorted(rig.brand.awarded()) == [1, 3]


# The queue


def test_a_ordering_key_with_a_long_queue_holds_up_no_other(rig: Rig):
    """SPEC 7.4"""
    rig.award(1)
    rig.drain()
    busy, other, further = rig.brand.accounts[:3]
    hold = "0x" + "11" * 32
    long = [
        calls.release(key=f"{ordering_key} {n}", brand=BRAND_ID, member=ordering_key, hold_id=hold)
        for ordering_key in (busy, other)
        for n in range(QUEUE_WINDOW + 100)
    ]  # fmt: skip
    with writing(rig.engine) as connection:
        operations.enqueue_many(connection, long)
        good = calls.award(key="good", brand=BRAND_ID, member=further, rule=RULE_ID, base_amount=3)
        (id,) = operations.enqueue_many(connection, [good])
    # Nothing but the first of each ordering key may go, as long as it is not mined.
    rig.node.methods._table["eth_call"] = lambda params, top: "0x"

    def counted() -> bool:
        with reading(rig.engine) as connection:
            found = operations.get(connection, id)
        return found is not None and found.state == "sent"

    steps_until(rig, counted, mine=False)
    assert rig.states() == {"confirmed": 1, "sent": 3, "queued": len(long) - 2}


def test_operations_that_the_node_cannot_simulate_take_no_place_of_others(rig: Rig):
    """SPEC 7.6"""
    rig.award(1)
    rig.drain()
    use(rig, singles_max=2, signers=1)
    hold = "0x" + "11" * 32
    asked = [calls.release(key=f"n {n}", brand=BRAND_ID, member=rig.brand.accounts[n], hold_id=hold) for n in range(4)]
    with writing(rig.engine) as connection:
        ids = operations.enqueue_many(connection, asked)
    rig.node.methods._table["eth_call"] = lambda params, top: "0x"
    rig.node.faults.add(faults.error(-32603, "internal error"), "eth_call", times=2)
    rig.relayer.step()
    rig.relayer.step()
    with reading(rig.engine) as connection:
        found = operations.get_many(connection, ids)
    assert [found[id].state for id in ids] == ["queued", "queued", "sent", "sent"]


def release(rig: Rig, signature_bytes: int = 0) -> int:
    """An operation of its own in the queue; with a signature it is a transfer."""
    member = rig.brand.accounts[0]
    asked = calls.release(key="single", brand=BRAND_ID, member=member, hold_id="0x" + "11" * 32)
    if signature_bytes:
        asked = calls.transfer(
            key="single", brand=BRAND_ID, member=member, to=member, points=1, nonce=1, deadline=1,
            signature="0x" + "11" * signature_bytes,
        )  # fmt: skip
    with writing(rig.engine) as connection:
        return operations.enqueue(connection, asked)


def view(rig: Rig, id: int) -> OperationView:
    with reading(rig.engine) as connection:
        found = operations.get(connection, id)
    assert found is not None
    return found


def test_an_operation_that_no_node_would_take_fails_before_any_node_is_asked(rig: Rig):
    """SPEC 7.6: a node may cut the connection instead of answering, and would then be waited for without end."""
    rig.award(1)
    rig.drain()
    id = release(rig, signature_bytes=200_000)
    rig.award(2)
    with rig.node.faults.add(faults.reset(), "eth_call"):
        rig.drain()
    assert (view(rig, id).state, view(rig, id).error) == ("failed", "OperationInvalid")
    assert sorted(rig.brand.awarded()) == [1, 2, 3]


def test_what_would_revert_on_a_chain_that_the_mirror_has_not_yet_followed_is_asked_again(rig: Rig):
    """SPEC 7.6, 7.10: a reorg took what the operation stands on, and what was taken is on its way back."""
    rig.award(3)
    rig.drain()
    rig.node.reorg_pool(1, back=False)
    missing = faults.Failure(3, "execution reverted", "0x" + "00" * 4)
    id = release(rig)
    with rig.node.faults.add(Behaviour("reverts", lambda request, go_on, methods: missing, ("eth_call",))) as fault:
        for _ in range(3):
            rig.relayer.step()
        assert fault.hits == 1
    assert view(rig, id).state == "queued"
    rig.node.methods._table["eth_call"] = lambda params, top: "0x"
    steps_until(rig, lambda: view(rig, id).state == "sent")


def test_what_would_revert_on_the_chain_that_the_mirror_follows_fails_at_once(rig: Rig):
    """SPEC 7.6"""
    rig.award(3)
    rig.drain()
    missing = faults.Failure(3, "execution reverted", "0x" + "00" * 4)
    id = release(rig)
    with rig.node.faults.add(Behaviour("reverts", lambda request, go_on, methods: missing, ("eth_call",))):
        rig.relayer.step()
    assert view(rig, id).state == "failed"
