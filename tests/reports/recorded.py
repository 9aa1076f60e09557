"""
A mirror of a walk as a file, with what the chain answered: reports are tried on it in seconds and without a node.

`python -m tests.reports.recorded` walks on Anvil and writes both anew; that is due when a table of the mirror or a
contract changes, and `test_the_recorded_mirror_has_todays_tables` says so.
"""

import gzip
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
from sqlmodel import SQLModel

import chain.tables  # noqa: F401 - makes the tables known
from chain.contracts.codec import Codec
from chain.contracts.deployment import Contract, Deployment
from chain.devnet.supervisor import Anvil
from chain.mirror.loop import Mirror
from chain.mirror.settings import MirrorSettings
from chain.node.rpc import Rpc
from chain.storage.database import engine as make_engine
from tests.differential.run import run
from tests.differential.world import TwoSides
from tests.support.answers import Answers, question

FOLDER = Path(__file__).parent
ROWS = FOLDER / "recorded.db.gz"
ANSWERS = FOLDER / "recorded.json.gz"
SEED = 7
STEPS = 300


def deployment_of(world: TwoSides, rpc: Rpc, chain_id: int) -> Deployment:
    """The walk's contracts as a deployment file would name them; all brands are learnt from the chain."""
    return deployment(
        chain_id, rpc.call("eth_getBlockByNumber", "0x0", False)["hash"], dict(world.chain.addresses.items())
    )


def deployment(chain_id: int, genesis_hash: str, addresses: dict[str, str]) -> Deployment:
    """A deployment of nothing but addresses."""
    return Deployment(
        chain_id=chain_id,
        start_block=0,
        genesis_hash=genesis_hash,
        contracts={name: Contract(name, address, "0x" + "00" * 32) for name, address in addresses.items()},
        codec=Codec.load(),
    )


def recorded(folder: Path) -> tuple[str, Deployment, Answers]:
    """The URL of a copy of the mirror in this folder, the deployment, and the node's answers."""
    (folder / "mirror.db").write_bytes(gzip.decompress(ROWS.read_bytes()))
    told = orjson.loads(gzip.decompress(ANSWERS.read_bytes()))
    made = deployment(told["chain_id"], told["genesis_hash"], told["addresses"])
    return f"sqlite:///{folder}/mirror.db", made, Answers(told["answers"])


def main() -> None:
    """Walks, mirrors, asks, writes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Anvil(folder) as node, closing(Rpc(node.url, timeout_s=30)) as rpc:
            world = run(rpc, node.chain_id, seed=SEED, steps=STEPS, anvil=True)
            made = deployment_of(world, rpc, node.chain_id)
            engine = make_engine(f"sqlite:///{folder}/mirror.db")
            SQLModel.metadata.create_all(engine)
            Mirror(engine, rpc, made, MirrorSettings()).catch_up(timeout_s=120)
            engine.dispose()
            told = {
                "chain_id": node.chain_id,
                "genesis_hash": made.genesis_hash,
                "addresses": dict(world.chain.addresses.items()),
                "answers": answers(rpc, made, folder / "mirror.db"),
            }
        with closing(sqlite3.connect(folder / "mirror.db")) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("VACUUM")
        ROWS.write_bytes(gzip.compress((folder / "mirror.db").read_bytes(), 9, mtime=0))
    ANSWERS.write_bytes(gzip.compress(orjson.dumps(told), 9, mtime=0))
    print(f"{ROWS.name}: {ROWS.stat().st_size} bytes; {ANSWERS.name}: {ANSWERS.stat().st_size} bytes")


def answers(rpc: Rpc, made: Deployment, file: Path) -> dict[str, Any]:
    """Supply and held points of every token, and the number of brands, at every block."""
    codec, desk = made.codec, made.address("RedemptionDesk")
    with closing(sqlite3.connect(file)) as connection:
        tokens = [row[0] for row in connection.execute("SELECT token FROM brand_token ORDER BY token")]
    asked: list[tuple[str, list[Any]]] = []
    registry = {
        "to": made.address("PartnerRegistry"),
        "data": "0x" + codec.calldata("PartnerRegistry", "brandCount").hex(),
    }
    calls = [registry]
    for token in tokens:
        for function, values in (("totalSupply", ()), ("balanceOf", (desk,))):
            calls.append({"to": token, "data": "0x" + codec.calldata("LoyaltyToken", function, *values).hex()})
    for block in range(int(rpc.call("eth_blockNumber"), 16) + 1):
        asked += [("eth_call", [call, hex(block)]) for call in calls]
    asked += returned(codec, file)
    found: dict[str, Any] = {}
    for start in range(0, len(asked), 500):
        part = asked[start : start + 500]
        for (method, params), answer in zip(part, rpc.batch(part), strict=True):
            found[question(method, params)] = answer
    return found


def returned(codec: Codec, file: Path) -> list[tuple[str, list[Any]]]:
    """The lots of each member whose goods came back, before and after, and the debt before each change of it."""
    with closing(sqlite3.connect(file)) as connection:
        token_of = dict(connection.execute("SELECT brand_id, token FROM brand_token"))
        rows = connection.execute(
            "SELECT block_number, name, address, args FROM ledger_event WHERE name IN ('Returned', 'DebtChanged')"
            " ORDER BY block_number, log_index"
        ).fetchall()
    asked: list[tuple[str, list[Any]]] = []
    for block, name, address, args in rows:
        values = orjson.loads(args)
        token, function, blocks = (
            (token_of[values["brandId"]], "packedLotsOf", (block - 1, block))
            if name == "Returned"
            else (address, "debtOf", (block - 1,))
        )
        call = {"to": token, "data": "0x" + codec.calldata("LoyaltyToken", function, values["member"]).hex()}
        asked += [("eth_call", [call, hex(at)]) for at in blocks]
    return asked


if __name__ == "__main__":
    main()
