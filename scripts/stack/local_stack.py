"""A whole running Moa: node, contracts, worker, gateway, in one folder of state.

The demo, the benchmarks and the end-to-end tests all start this one thing. Everything it starts is stopped, in order,
however the block ends; what it knows lies in its folder, so a second start goes on where the first one ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from chain.base.errors import ChainError
from chain.base.patience import Patience, StandsStill
from chain.contracts.deployment import Deployment
from chain.devnet.supervisor import Anvil, Ganache, Node
from chain.mirror.brands import RegisteredBrand, registered
from chain.node.rpc import Rpc
from chain.storage.keystore import LocalKeystore, signer_ref, till_ref
from scripts.stack.bootstrap import keep
from scripts.stack.gateway import Gateway
from scripts.stack.processes import Child, ChildEnded, running, start, tail

ROOT = Path(__file__).resolve().parents[2]
LOOK_S = 0.1
DEPLOY_CPU_S_MAX = 180.0
# Below what Linux (from 32768) and macOS (from 49152) give out by themselves: between our choice and our listening, and
# while a node that was killed starts again, no other program is given the port, to listen or to connect from.
PORTS = range(20_000, 32_000)
PORT_ATTEMPTS_MAX = 100
TILLS = 1  # hot keys of the relayer that act as tills, and never award
SIGNERS = 2  # hot keys of the relayer: one works, one is in reserve (the benchmark uses it)

DEPLOYED = "deployed.sha256"
HTTP_TIMEOUT_S = 30.0  # of one look; who looks goes on after it

Say = Callable[[str], None]


class LocalStackError(Exception):
    """The system could not be started; the message says which part and what to do."""


@dataclass(frozen=True)
class Plan:
    """Where a world lives and what it stands on. Ports of 0 are chosen free."""

    state: Path
    node: str = "ganache"  # or "anvil"
    rpc_port: int = 0
    port: int = 0
    fresh: bool = False
    settings: dict[str, str] = field(default_factory=dict)  # MOA_… for worker and gateway


@dataclass
class LocalStack:
    """The addresses and keys of a running system."""

    plan: Plan
    rpc_url: str
    url: str
    database_url: str
    deployments: Path
    operator_key: str
    brand_keys: dict[str, str]
    deployment: Deployment
    node: Node
    children: list[Child]
    # By the gateway's names for them.
    brands: dict[str, RegisteredBrand] = field(default_factory=dict)

    def check(self) -> None:
        """Raises ChildEnded when a part of the system is gone."""
        for child in self.children:
            child.check()
        if (returncode := self.node.returncode) is not None:
            raise ChildEnded("node", returncode, self.node.log_path)

    def patience(self) -> Patience:
        """For waiting until the system has brought something about."""
        return Patience([self.node.pid, *(child.process.pid for child in self.children)])

    def block(self) -> int:
        """The block that the mirror is of, as the gateway says; -1 before the first. Grows while anything happens."""
        with httpx.Client(timeout=HTTP_TIMEOUT_S) as http, contextlib.suppress(httpx.TransportError, ValueError):
            as_of = http.get(f"{self.url}/ready").json().get("as_of")
            return -1 if as_of is None else int(as_of["block_number"])
        return -1

    def child(self, name: str) -> Child:
        return next(child for child in self.children if child.name == name)


@contextlib.contextmanager
def stack(plan: Plan, say: Say = lambda _line: None) -> Iterator[LocalStack]:
    """Starts the system that `plan` names and stops it at the end. Raises WorldError or ChildEnded."""
    if plan.fresh:
        shutil.rmtree(plan.state, ignore_errors=True)
    plan.state.mkdir(parents=True, exist_ok=True)
    with _only_one(plan.state), _node(plan) as node, running([]) as children:
        say(f"{plan.node} listens at {node.url}, its state is kept in {_short(plan.state / 'chain')}")
        password = _secret(plan.state / "keystore.password")
        keystore = _keystore(plan.state / "keystore.json", password)
        signers = [keystore.address_of(signer_ref(i)) for i in range(SIGNERS)]
        tills = [keystore.address_of(till_ref(i)) for i in range(TILLS)]

        deployments = plan.state / "deployments"
        if not _is_deployed(plan.state, node.url, node.chain_id, signers + tills):
            deploy(node.url, deployments, signers, plan.state / "log" / "deploy.log", tills=tills)
            _mark_deployed(plan.state, node.chain_id, signers + tills)
        deployment = Deployment.load(deployments, node.chain_id)
        _set_aside_other_chain(plan.state, deployment, say)
        say(f"{len(deployment.contracts)} contracts are on chain {node.chain_id}")

        database_url = f"sqlite:///{plan.state / 'moa.db'}"
        settings = {
            "MOA_DATABASE_URL": database_url,
            "MOA_RPC_URL": node.url,
            "MOA_CHAIN_ID": str(node.chain_id),
            "MOA_DEPLOYMENTS": str(deployments),
            "MOA_KEYSTORE": str(plan.state / "keystore.json"),
            "MOA_KEYSTORE_PASSWORD": password,
            "MOA_CHILD": "1",
            **plan.settings,
        }
        _bootstrap(settings, plan.state / "keys.json")

        port = plan.port or free_port()
        log = plan.state / "log"
        moa = [sys.executable, "-m", "scripts.cli"]
        children.append(start("worker", [*moa, "worker"], log=log / "worker.log", env=settings))
        children.append(start("gateway", [*moa, "gateway", "--port", str(port)], log=log / "gateway.log", env=settings))
        pids = {"node": node.pid, **{child.name: child.process.pid for child in children}}
        _write_whole(plan.state / "pids.json", json.dumps(pids))
        running_world = LocalStack(
            plan=plan,
            rpc_url=node.url,
            url=f"http://127.0.0.1:{port}",
            database_url=database_url,
            deployments=deployments,
            operator_key=json.loads((plan.state / "keys.json").read_text())["operator"],
            brand_keys={},
            deployment=deployment,
            node=node,
            children=children,
        )
        _wait_until_ready(running_world)
        meet_brands(running_world)
        yield running_world


def free_port() -> int:
    """A port that nobody listens on at this moment, that the system gives to nobody by itself, and that free_port gives
    to no other process as long as this one lives."""
    for port in random.SystemRandom().sample(PORTS, PORT_ATTEMPTS_MAX):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _reserve(port)
            return port
    raise LocalStackError(f"No port was free among {PORT_ATTEMPTS_MAX} from {PORTS.start} to {PORTS.stop - 1}.")


def _reserve(port: int) -> None:
    """Holds the port's name until this process ends. Raises OSError when another process was given the port.

    Linux keeps such names without files; elsewhere nothing is held.
    """
    if sys.platform != "linux":
        return
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0moa-port-{port}")
    except OSError:
        name.close()
        raise
    # Nobody closes it but the end of the process.
    name.detach()


def _write_whole(path: Path, content: str) -> None:
    """Whoever reads the file at any moment reads the old content or the new."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(content)
    beside.replace(path)


@contextlib.contextmanager
def _only_one(state: Path) -> Iterator[None]:
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalStackError(
                f"Another Moa runs on {_short(state)}. Stop it, or make a second clone: two run side by side."
            ) from None
        yield


def _node(plan: Plan) -> contextlib.AbstractContextManager[Ganache | Anvil]:
    if plan.node == "anvil":
        return Anvil(plan.state / "chain", port=plan.rpc_port)
    return Ganache(plan.state / "chain", port=plan.rpc_port)


def _secret(path: Path) -> str:
    """A random secret kept in a file that only its owner reads."""
    if not path.exists():
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
    return path.read_text()


def _keystore(path: Path, password: str) -> LocalKeystore:
    return LocalKeystore.open(path, password) if path.exists() else LocalKeystore.create(path, password)


def deploy(
    rpc_url: str,
    deployments: Path,
    signers: Sequence[str],
    log: Path,
    *,
    tills: Sequence[str] = (),
    plan: Path | None = None,
) -> None:
    """Puts a plan (scripts/deploy/plan.toml) on the node, or what it lacks of it. Raises WorldError."""
    deployments.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    env = {
        **os.environ,
        "MOA_RPC": rpc_url,
        "MOA_DEPLOYMENTS": str(deployments),
        "MOA_SIGNERS": ",".join(signers),
        "MOA_TILLS": ",".join(tills),
        "MOA_PLAN": str(plan or ""),
    }
    command = [str(ROOT / "scripts" / "brownie"), "run", "deploy/contracts", "--network", "moa"]
    with _brownie_alone(), log.open("wb") as output:
        done = subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )  # fmt: skip
        try:
            patience = Patience([done.pid], cpu_s_max=DEPLOY_CPU_S_MAX)
            while done.poll() is None:
                patience.look(log.stat().st_size)
                time.sleep(LOOK_S)
        except StandsStill as error:
            raise LocalStackError(
                f"The contracts could not be deployed: {error}. The log is {log}.\n{tail(log)}"
            ) from None
        finally:
            if done.poll() is None:
                done.kill()
                done.wait()
    if done.returncode != 0:
        raise LocalStackError(f"The contracts could not be deployed. The log is {log}.\n{tail(log)}")


def _is_deployed(state: Path, rpc_url: str, chain_id: int, signers: Sequence[str]) -> bool:
    """Whether this very plan was put on this very chain: by its mark, and by the code that the node has now."""
    mark, deployments = state / DEPLOYED, state / "deployments"
    if not mark.exists() or mark.read_text() != _deployed_of(state, chain_id, signers):
        return False
    with contextlib.closing(Rpc(rpc_url)) as rpc, contextlib.suppress(ChainError):
        Deployment.load(deployments, chain_id).verify(rpc)
        return True
    return False


def _mark_deployed(state: Path, chain_id: int, signers: Sequence[str]) -> None:
    (state / DEPLOYED).write_text(_deployed_of(state, chain_id, signers))


def _deployed_of(state: Path, chain_id: int, signers: Sequence[str]) -> str:
    """One hash over all that a deployment follows from, and over what it wrote."""
    found = hashlib.sha256("\n".join(signers).encode())
    made_of = ROOT / "scripts" / "deploy"
    sources = [
        made_of / "plan.toml",
        made_of / "contracts.py",
        made_of / "page.py",
        *sorted(ROOT.glob("contracts/**/*.sol")),
    ]
    written = state / "deployments"
    documents = sorted((written / "documents").glob("0x*"))
    for path in (*sources, written / f"{chain_id}.json", *documents):
        found.update(hashlib.sha256(path.read_bytes()).digest() if path.exists() else b"")
    return found.hexdigest()


@contextlib.contextmanager
def _brownie_alone() -> Iterator[None]:
    """One Brownie at a time, and none that remembers the contracts of another chain with the same id.

    Brownie keeps what it deployed in build/deployments/<chain id> and refuses to start where one of these is missing.
    Our own record is the one in MOA_DEPLOYMENTS.
    """
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    with (build / "brownie.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(build / "deployments", ignore_errors=True)
        yield


def _set_aside_other_chain(state: Path, deployment: Deployment, say: Say) -> None:
    """A database that mirrors a chain that is gone is moved away: its rows are true of nothing that exists."""
    here = f"{deployment.genesis_hash} {deployment.start_block}"
    mark = state / "chain.json"
    if mark.exists() and json.loads(mark.read_text()) != here:
        aside = state / f"before-{int(time.time())}"
        aside.mkdir()
        for name in ("moa.db", "moa.db-wal", "moa.db-shm", "keys.json", "played.json"):
            if (state / name).exists():
                (state / name).rename(aside / name)
        say(f"the chain is a new one; the mirror of the old one was moved to {_short(aside)}")
    mark.write_text(json.dumps(here))


def _bootstrap(settings: dict[str, str], path: Path) -> None:
    """The schema, and the operator's key, made once and kept beside the demo's state."""
    # It waits for nobody: what it does ends by itself, however long a busy machine takes.
    done = subprocess.run(
        [sys.executable, "-m", "scripts.cli", "bootstrap", "--keys", str(path)],
        cwd=ROOT, env={**os.environ, **settings}, stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise LocalStackError("The gateway's database could not be prepared.\n" + done.stderr.decode()[-2000:])


def meet_brands(system: LocalStack) -> None:
    """Waits until the gateway has met every brand of the registry, and makes a key for each that has none here."""
    rpc = Rpc(system.rpc_url)
    try:
        there = {brand.id: brand for brand in registered(rpc, system.deployment)}
    finally:
        rpc.close()
    patience = system.patience()
    with Gateway(system.url, system.operator_key) as operator:
        while True:
            system.check()
            met = {int(one["brand_id"]): one["slug"] for one in operator.get("/v1/brands")["brands"]}
            if there.keys() <= met.keys():
                break
            try:
                patience.look(system.block(), len(met))
            except StandsStill as error:
                raise LocalStackError(f"The gateway knows {len(met)} of {len(there)} brands, {error}.") from None
            time.sleep(LOOK_S)
        path = system.plan.state / "keys.json"
        known = json.loads(path.read_text())
        fresh = {
            slug: operator.post(f"/v1/brands/{slug}/keys", {}, key=f"world-{secrets.token_hex(8)}")["key"]
            for slug in met.values()
            if slug not in known
        }
    known = keep(path, fresh)
    system.brands = {met[id]: brand for id, brand in there.items()}
    system.brand_keys = {slug: known[slug] for slug in met.values()}


def _wait_until_ready(system: LocalStack) -> None:
    """Until all is there; given up only when what the parts do brings it no nearer."""
    answer, block, patience = "no answer yet", -1, system.patience()
    with httpx.Client(timeout=HTTP_TIMEOUT_S) as http:
        while True:
            system.check()
            try:
                response = http.get(f"{system.url}/ready")
                answer = response.text
                if response.status_code == 200:
                    return
                block = max(block, int((response.json().get("as_of") or {}).get("block_number", -1)))
            except (httpx.TransportError, ValueError) as error:
                answer = str(error)
            try:
                patience.look(block)
            except StandsStill as error:
                raise LocalStackError(f"The gateway does not become ready, {error}: {answer}") from None
            time.sleep(LOOK_S)


def _short(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.relative_to(ROOT))
    return str(path)


__all__ = ["ChildEnded", "LocalStack", "LocalStackError", "Plan", "free_port", "stack"]
