"""Contracts that break their own rules, in histories whose every hash is right: the replay or storage names them."""

from collections.abc import Callable
from typing import Any

import pytest

from chain.base.difference import CONTRACT, STATE
from chain.proofs import layout
from tests.audit.liars import Forged

pytestmark = pytest.mark.slow


@pytest.fixture
def ledger(books: Any) -> Any:
    """These lies too on both nodes, against the mirror in both databases."""
    return books


WORD = 64


def topic(ledger: Any, name: str) -> str:
    """The topic of an event."""
    return next(shape.topic for shape in ledger.small.deployment.codec.events.values() if shape.name == name)


def with_word(log: dict[str, Any], word: int, change: Callable[[int], int]) -> None:
    """Changes one word of a log's data."""
    data = log["data"][2:]
    value = change(int(data[WORD * word : WORD * (word + 1)], 16))
    log["data"] = "0x" + data[: WORD * word] + f"{value:064x}" + data[WORD * (word + 1) :]


def words(log: dict[str, Any]) -> list[str]:
    """A log's data, word by word."""
    data = log["data"][2:]
    return [data[start : start + WORD] for start in range(0, len(data), WORD)]


def signed(word: str) -> int:
    """A word as int256."""
    return int.from_bytes(bytes.fromhex(word), signed=True)


def forged(ledger: Any, name: str, change: Callable[[dict[str, Any]], None]) -> Any:
    """An audit of the history in which the first event of this name was changed, by that history's own pin."""
    wanted, done = topic(ledger, name), []

    def forge(number: int, receipts: list[dict[str, Any]]) -> None:
        for receipt in receipts:
            for log in receipt["logs"]:
                if not done and log["topics"][0] == wanted:
                    change(log)
                    done.append((number, receipt["transactionHash"]))

    history = Forged(ledger.small.chain.node.url, forge)
    assert done, f"there was no {name}"
    report = ledger.audit(history.rpc, pin=history.pin)
    assert report.finished, [str(one) for one in report.differences]
    return report, done[0]


def broken(report: Any) -> list[Any]:
    """The rules that were broken."""
    return [one for one in report.differences if one.kind == CONTRACT]


def test_an_award_above_its_rule_is_named_with_the_right_points(ledger: Any) -> None:
    """SPEC 12.4, 2.9"""
    # Awarded: one word, base amount 96, points 48, rule and version.
    report, (number, tx_hash) = forged(ledger, "Awarded", lambda log: with_word(log, 0, lambda word: word + (1 << 96)))

    first = broken(report)[0]
    assert (first.where.block, first.where.tx, first.where.contract) == (number, tx_hash, "RewardRules")
    assert int(first.said) == int(first.right) + 1
    assert first.rule.startswith("2.")


def test_another_root_and_another_number_of_awards_are_named(ledger: Any) -> None:
    """SPEC 12.4, 2.16"""
    # AwardsCommitted: leaves; LotNamed: transfers. The rest is in topics.
    for name in ("AwardsCommitted", "LotNamed"):
        report, (number, _) = forged(ledger, name, lambda log: with_word(log, 0, lambda count: count + 1))

        first = broken(report)[0]
        assert (first.where.block, first.rule) == (number, "2.16"), name


def test_a_refund_beyond_its_capture_is_named(ledger: Any) -> None:
    """SPEC 12.4, 3.9"""
    report, (number, _) = forged(ledger, "HoldRefunded", lambda log: with_word(log, 0, lambda points: points + 1_000))

    first = broken(report)[0]
    assert (first.where.block, first.where.contract) == (number, "RedemptionDesk")
    assert first.rule.startswith("3.")


def without_an_obligation(log: dict[str, Any]) -> None:
    """A statement that leaves the first brand's debts out: what it would pay is taken from who would be paid."""
    # PeriodNetted: where the ids begin, where the positions begin, grossTotal; then each list with its length before.
    at = int(words(log)[1], 16) * 2 // WORD
    count = int(words(log)[at], 16)
    positions = {place: signed(words(log)[place]) for place in range(at + 1, at + 1 + count)}
    payer, payee, *_ = [place for place, position in positions.items() if position]
    moved = positions[payer]
    with_word(log, payer, lambda _: 0)
    with_word(log, payee, lambda _: (positions[payee] + moved) % 2**256)


def test_an_obligation_dropped_from_a_statement_is_named(ledger: Any) -> None:
    """SPEC 12.4, 5.9"""
    report, (number, tx_hash) = forged(ledger, "PeriodNetted", without_an_obligation)

    (first,) = broken(report)
    assert (first.where.block, first.where.tx, first.where.contract) == (number, tx_hash, "ClearingHouse")
    assert (first.what, first.rule) == ("positions of a statement", "5.9")
    assert first.said != first.right


def test_an_obligation_booked_as_if_nothing_were_owed_is_named(ledger: Any) -> None:
    """SPEC 12.4, 5.5"""
    # ObligationBooked: amount, outstanding.
    report, (number, _) = forged(ledger, "ObligationBooked", lambda log: with_word(log, 1, lambda _outstanding: 0))

    first = broken(report)[0]
    assert (first.where.block, first.where.contract) == (number, "ClearingHouse")
    assert (first.what, int(first.said), first.rule) == ("outstanding of an obligation", 0, "5.5")


def test_a_lot_moved_to_another_date_in_the_contract_is_named(ledger: Any) -> None:
    """SPEC 12.4, 1.4"""
    # LotsChanged: offset, length, the word: its tag is the group of epochs.
    report, (number, _) = forged(ledger, "LotsChanged", lambda log: with_word(log, 2, lambda word: word + (4 << 240)))

    assert broken(report)[0].where.block == number
    assert broken(report)[0].rule.startswith("1.")


@pytest.fixture
def storage(ledger: Any) -> Any:
    """Writes a contract's storage behind its back; gone after the test."""
    rpc = ledger.small.world.new_rpc()
    snapshot = rpc.call("evm_snapshot")
    method = "anvil_setStorageAt" if "anvil" in rpc.call("web3_clientVersion").lower() else "evm_setAccountStorageAt"

    def write(address: str, slot: int, value: int) -> str:
        rpc.call(method, address, f"0x{slot:064x}", f"0x{value:064x}")
        rpc.call("evm_mine")
        ledger.small.world.engine = ledger.engine
        ledger.small.world.new_mirror().catch_up()
        return str(rpc.call("eth_getBlockByNumber", "latest", False)["hash"])

    yield write
    rpc.call("evm_revert", snapshot)


def test_lots_that_no_event_tells_of_are_found_in_storage(ledger: Any, storage: Any) -> None:
    """SPEC 12.6"""
    token, account, lots = ledger.one("SELECT token, account, lots FROM balance WHERE points <> '0' LIMIT 1")
    words = [int(lots[start : start + 64], 16) for start in range(0, 256, 64)]
    place = next(index for index, word in enumerate(words) if word)
    pin = storage(token, layout.lots(account)[place], words[place] + 1)

    report = ledger.audit(pin=pin)

    (difference,) = report.differences
    assert (difference.kind, difference.what) == (STATE, "lots")
    assert (int(difference.said), int(difference.right)) == (words[place] + 1, words[place])
    assert difference.where.key == (account, place)


@pytest.mark.parametrize("what", ["obligation", "words of the supply", "role since", "budget spent", "points on hold"])
def test_storage_that_says_otherwise_is_named(ledger: Any, storage: Any, what: str) -> None:
    """SPEC 12.6"""
    deployment = ledger.small.deployment
    address, slot = {
        "obligation": ("ClearingHouse", layout.obligation(1, 2)),
        "words of the supply": ("LoyaltyToken", layout.supply()[0]),
        "role since": ("AccessManager", layout.role(1, ledger.small.accounts[0]).slot),
        "budget spent": ("RewardRules", layout.rule(1, 1)[1]),
        "points on hold": ("RedemptionDesk", layout.held(1, ledger.small.world.member("eve"))),
    }[what]
    at = ledger.small.world.brands["cdnow"].token if address == "LoyaltyToken" else deployment.address(address)
    now = int(ledger.small.world.rpc.call("eth_getStorageAt", at, f"0x{slot:064x}", "latest")[2:] or "0", 16)
    # One more in the lowest bit of what is looked at: the budget lies above 56 bits of budget.
    pin = storage(at, slot, now ^ (1 << 56 if what == "budget spent" else 1))

    report = ledger.audit(pin=pin)

    assert what in {one.what for one in report.differences}
    assert {one.kind for one in report.differences} == {STATE}


def test_other_code_than_the_deployments_is_found_before_anything_else(ledger: Any) -> None:
    """SPEC 12.6"""
    rpc = ledger.small.world.new_rpc()
    snapshot = rpc.call("evm_snapshot")
    rules = ledger.small.deployment.address("RewardRules")
    code = rpc.call("eth_getCode", rules, "latest")
    method = "anvil_setCode" if "anvil" in rpc.call("web3_clientVersion").lower() else "evm_setAccountCode"
    rpc.call(method, rules, code[:-2] + "ff")
    rpc.call("evm_mine")
    pin = rpc.call("eth_getBlockByNumber", "latest", False)["hash"]

    report = ledger.audit(pin=pin)
    rpc.call("evm_revert", snapshot)

    (difference,) = report.differences
    assert (difference.what, difference.where.contract) == ("code", "RewardRules")
