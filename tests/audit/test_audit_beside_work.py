"""An audit beside a relayer and a mirror at work: it agrees as of its pin, and nobody waits for it."""

import threading
from typing import Any

import pytest

pytestmark = pytest.mark.slow


def test_audits_beside_a_working_mirror_agree_and_hold_nobody_up(books: Any) -> None:
    """SPEC 12.5, 12.13"""
    world = books.small.world
    snapshot = world.rpc.call("evm_snapshot")
    world.engine = books.engine
    world.restart()
    done, trouble = threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            for number in range(12):
                world.enqueue(world.award("ada", 100 + number), world.award("hal", 7))
                world.drain()
        except BaseException as error:
            trouble.append(error)
        finally:
            done.set()

    worker = threading.Thread(target=work)
    worker.start()
    reports = [books.audit()]
    while not done.is_set():
        reports.append(books.audit())
    worker.join()
    reports.append(books.audit(pin=world.rpc.call("eth_getBlockByNumber", "latest", False)["hash"]))
    world.restart()
    world.rpc.call("evm_revert", snapshot)

    assert not trouble
    assert all(report.agrees for report in reports), [str(one) for report in reports for one in report.differences]
    assert reports[-1].counts["events"] > reports[0].counts["events"]
