"""A nursery of relayers that are killed: `python dying.py SETTINGS.json`, then one number a line on stdin.

For each number n a process is forked that relays and mirrors until everything is finished, or until SIGKILL, by its own
hand, at the n-th boundary: before a statement that writes, before and after a commit of what was written, before a
transaction is sent and right after its answer. Between two boundaries there are only reads: to die there leaves the
same tables and the same chain behind (`"reads": true` in the settings counts them as well). The answer on stdout is
how the process ended and how many boundaries it passed. 0 never dies.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, text

from chain.base.errors import ChainError
from chain.contracts.deployment import Deployment
from chain.mirror.loop import Mirror
from chain.mirror.settings import MirrorSettings
from chain.node.rpc import Rpc
from chain.relayer.loop import Relayer, RelayerSettings
from chain.storage.database import engine as make_engine
from chain.storage.database import reading
from chain.storage.keystore import LocalKeystore

TIMEOUT_S = 30.0
RELAYER = RelayerSettings(
    signers=2, batch_items_max=2, batch_delay_ms=0, receipt_grace_s=0.0, resend_after_s=0.1, gap_after_s=0.3
)
MIRROR = MirrorSettings(poll_s=0.01, behind_grace_s=0.0)


class Boundaries:
    """Counts them, and ends the process at the one that was asked for."""

    def __init__(self, last: int, reads: bool):
        self.last = last
        self.reads = reads
        self.passed = 0
        self._wrote = self._committed = False

    def pass_one(self) -> None:
        self.passed += 1
        if self.passed == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def statement(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        writes = statement.split(None, 1)[0].upper() in ("INSERT", "UPDATE", "DELETE")
        if writes or self.reads or self._committed:
            self.pass_one()
        self._committed = False
        self._wrote |= writes

    def commit(self, _connection: Any) -> None:
        if self._wrote or self.reads:
            self.pass_one()
        self._committed, self._wrote = self._wrote, False

    def around(self, exchange: Callable[..., Any]) -> Callable[..., Any]:
        """Before the request and after the answer: an answer that nobody reads is an answer lost."""

        def call(*args: Any, reading: bool, **options: Any) -> Any:
            if not reading or self.reads:
                self.pass_one()
            answer = exchange(*args, reading=reading, **options)
            if not reading or self.reads:
                self.pass_one()
            return answer

        return call


def live(given: dict[str, Any], keystore: LocalKeystore, deployment: Deployment, last: int) -> int:
    """Relays until nothing is left to do; the number of boundaries."""
    boundaries = Boundaries(last, given.get("reads", False))
    engine = make_engine(given["database_url"])
    event.listen(engine, "before_cursor_execute", boundaries.statement)
    event.listen(engine, "commit", boundaries.commit)
    Rpc._exchange = boundaries.around(Rpc._exchange)  # type: ignore[method-assign]
    relayer = Relayer(engine, _rpc(given, deployment), deployment, keystore, RELAYER)
    mirror = Mirror(engine, _rpc(given, deployment), deployment, MIRROR)
    until = time.monotonic() + TIMEOUT_S
    while not finished(engine):
        if time.monotonic() > until:
            raise SystemExit(9)
        for work in (relayer.step, mirror.step):
            try:
                work()
            except ChainError:
                time.sleep(0.01)
    return boundaries.passed


def finished(engine: Engine) -> bool:
    with reading(engine) as connection:
        left = connection.execute(
            text(
                "SELECT (SELECT count(*) FROM operation WHERE state NOT IN ('confirmed', 'failed'))"
                " + (SELECT count(*) FROM chain_transaction WHERE state IN ('assigned', 'signed', 'sent', 'filling'))"
            )
        )
        return left.scalar_one() == 0


def _rpc(given: dict[str, Any], deployment: Deployment) -> Rpc:
    return Rpc(given["rpc_url"], timeout_s=10.0, decode_revert=deployment.codec.revert, paced=False)


def main() -> None:
    given = json.loads(Path(sys.argv[1]).read_text())
    keystore = LocalKeystore.open(given["keystore_path"], given["keystore_password"])
    deployment = Deployment.load(Path(given["deployments"]), given["chain_id"])
    # Before the fork, for all of them.
    assert deployment.codec.events
    assert deployment.codec.errors
    for line in sys.stdin:
        count_read, count_write = os.pipe()
        child = os.fork()
        if child == 0:
            passed = live(given, keystore, deployment, int(line))
            os.write(count_write, str(passed).encode())
            os._exit(0)
        os.close(count_write)
        passed = int(os.read(count_read, 100) or 0)
        os.close(count_read)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"ended": os.waitstatus_to_exitcode(status), "passed": passed}), flush=True)


if __name__ == "__main__":
    main()
