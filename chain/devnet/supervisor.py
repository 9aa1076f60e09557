"""A node under our supervision: Ganache by default, Anvil as the second.

    with Ganache(Path("var/chain")) as node:
        Rpc(node.url).call("eth_blockNumber")

The chain lies in the state folder and is found there again; `fresh=True` starts anew. A node never outlives the
process that started it, however that process ends.
"""

import json
import os
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from chain.base.errors import ChainError, NodeStartFailed
from chain.base.patience import Patience, StandsStill
from chain.node.rpc import Rpc

LOOK_S: Final = 0.05
STOP_TIMEOUT_S: Final = 10.0
LOG_TAIL_BYTES: Final = 2000
ACCOUNTS: Final = 10
BALANCE_ETHER: Final = 1_000_000
# A batch of 500 awards to new members under capped rules asks for at most 500 x 120,000 gas; the rest is room for
# deploying and for several batches in one block.
BLOCK_GAS_LIMIT: Final = 150_000_000
GANACHE_SCRIPT: Final = Path(__file__).with_name("ganache.cjs")
ROOT: Final = Path(__file__).resolve().parents[2]
MODULES: Final = ROOT / "node_modules"
# The program itself: npm's own starter in .bin runs it as a child, which outlives whoever kills the starter.
ANVIL: Final = next(iter(sorted(MODULES.glob("@foundry-rs/anvil-*/bin/anvil"))), MODULES / ".bin" / "anvil")


class Node:
    """What every supervised node has: `url`, `port`, `chain_id`, `pid`, start and stop."""

    title = "Node"

    def __init__(self, state: Path, *, port: int = 0, fresh: bool = False, chain_id: int = 1337):
        self.state = state
        self.chain_id = chain_id
        self.port = port
        self._asked_port = port
        self._fresh = fresh
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the node answers, on loopback only."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process started here."""
        assert self._process is not None, "the node has not been started"
        return self._process.pid

    @property
    def mnemonic(self) -> str:
        """The words the node's funded accounts come from; made once and kept in the state folder."""
        path = self.state / "mnemonic"
        if not path.exists():
            from eth_account.hdaccount.mnemonic import Mnemonic

            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(Mnemonic().generate(12))
        return path.read_text().strip()

    @property
    def log_path(self) -> Path:
        """What the node writes about itself."""
        return self.state / "node.log"

    def start(self) -> Self:
        """Returns when the node answers; raises NodeStartFailed with its last words when it gets nowhere."""
        if self._fresh:
            shutil.rmtree(self.state, ignore_errors=True)
            self._fresh = False
        self.state.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._process = self._spawn(log)
        try:
            patience = Patience([self._process.pid])
            self.port = self._await_port(patience)
            self._await_answer(patience)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends the node cleanly, by force after a named time. Safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        self.port = self._asked_port

    def kill(self) -> None:
        """Ends the node as a crash would (SIGKILL)."""
        assert self._process is not None, "the node has not been started"
        self._process.kill()
        self._process.wait()
        self.stop()

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process is not None and self.returncode is None

    @property
    def returncode(self) -> int | None:
        """How the process ended, a signal as a negative number; None while it runs, or after a stop."""
        return None if self._process is None else self._process.poll()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _spawn(self, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        raise NotImplementedError

    def _await_port(self, patience: Patience) -> int:
        raise NotImplementedError

    def _await_answer(self, patience: Patience) -> None:
        # Not paced: the process is our own, and asking it every moment costs nobody anything.
        rpc = Rpc(self.url, timeout_s=5.0, paced=False)
        try:
            while True:
                try:
                    found = int(rpc.call("eth_chainId"), 16)
                    break
                except ChainError as error:
                    if not self.alive():
                        raise self._failed(str(error)) from error
                    self._look(patience)
                    time.sleep(LOOK_S)
        finally:
            rpc.close()
        if found != self.chain_id:
            raise self._failed(f"it serves chain {found}, not {self.chain_id}; the state folder is another chain's")

    def _look(self, patience: Patience) -> None:
        """Goes on waiting while the process works at it."""
        try:
            patience.look(self.log_path.stat().st_size)
        except StandsStill as error:
            raise self._failed(f"not ready: {error}") from error

    def _failed(self, reason: str) -> NodeStartFailed:
        text = self.log_path.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace") if self.log_path.exists() else ""
        return NodeStartFailed(self.title, reason, text.strip())


class Ganache(Node):
    """Ganache 7.9.2 with a write-through cache; survives kill -9 with everything it acknowledged.

    cache=False leaves plain LevelDB, for comparison. instamine "strict" answers a sent transaction before it is
    mined, so that a nonce gap cannot hang the sender; "eager" is Ganache's own default.
    """

    title = "Ganache"

    def __init__(
        self,
        state: Path,
        *,
        port: int = 0,
        fresh: bool = False,
        chain_id: int = 1337,
        cache: bool = True,
        instamine: str = "strict",
    ):
        super().__init__(state, port=port, fresh=fresh, chain_id=chain_id)
        self._cache = cache
        self._instamine = instamine

    def _spawn(self, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        node = shutil.which("node")
        if node is None:
            raise NodeStartFailed(self.title, "Node.js is not on the PATH", "")
        settings: dict[str, Any] = {
            "state": str(self.state),
            "chainId": self.chain_id,
            "mnemonic": self.mnemonic,
            "accounts": ACCOUNTS,
            "balanceEther": BALANCE_ETHER,
            "blockGasLimit": BLOCK_GAS_LIMIT,
            "instamine": self._instamine,
            "cache": self._cache,
            "port": self._asked_port,
        }
        process = subprocess.Popen(
            [node, str(GANACHE_SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=ROOT
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(settings).encode() + b"\n")
        process.stdin.flush()
        return process

    def _await_port(self, patience: Patience) -> int:
        assert self._process is not None
        assert self._process.stdout is not None
        stdout = self._process.stdout.fileno()
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([stdout], [], [], LOOK_S)
            if not ready:
                self._look(patience)
                continue
            chunk = os.read(stdout, 4096)
            if not chunk:
                raise self._failed("it ended")
            line += chunk
        answer = json.loads(line)
        if "error" in answer:
            raise self._failed(str(answer["error"]))
        return int(answer["port"])


class Anvil(Node):
    """Anvil 1.7.1, for tests and benchmarks: its chain is written to the state folder only at a clean stop."""

    title = "Anvil"
    # What a subclass asks of it besides.
    options: tuple[str, ...] = ()

    @property
    def _past(self) -> Path:
        """Where it keeps states of past blocks while it runs: gigabytes, by itself in the home folder, for ever."""
        return self.state / "past"

    def stop(self) -> None:
        """As Node.stop; what it kept of past blocks goes with it."""
        super().stop()
        shutil.rmtree(self._past, ignore_errors=True)

    def _spawn(self, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        if not ANVIL.exists():
            raise NodeStartFailed(self.title, "node_modules has no anvil; install the npm packages", "")
        self._log_start = log.tell()
        shutil.rmtree(self._past, ignore_errors=True)
        command = [str(ANVIL), "--host", "127.0.0.1", "--port", str(self._asked_port), "--hardfork", "shanghai"]
        command += ["--chain-id", str(self.chain_id), "--gas-limit", str(BLOCK_GAS_LIMIT), "--mnemonic", self.mnemonic]
        command += ["--accounts", str(ACCOUNTS), "--balance", str(BALANCE_ETHER)]
        command += ["--state", str(self.state / "anvil.json"), "--cache-path", str(self._past), *self.options]
        keeper = [sys.executable, "-m", "chain.devnet.parent_watchdog", *command]
        return subprocess.Popen(keeper, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=ROOT)

    def _await_port(self, patience: Patience) -> int:
        while True:
            text = self.log_path.read_bytes()[self._log_start :]
            if found := re.search(rb"Listening on 127\.0\.0\.1:(\d+)", text):
                return int(found[1])
            if not self.alive():
                raise self._failed("it ended")
            self._look(patience)
            time.sleep(LOOK_S)
