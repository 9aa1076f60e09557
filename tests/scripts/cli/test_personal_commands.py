"""Commands that read the gateway's database past the gateway: the log of acts says so before they tell anything."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import Result
from sqlalchemy import text
from sqlmodel import Session
from starlette.testclient import TestClient
from typer.testing import CliRunner

from api import migrate
from api.app import create_app
from api.audit_log import names
from api.decisions.models import Award
from api.events import memos
from api.events.models import Event
from api.kit.database import Database
from api.kit.settings import Settings
from api.members import service as identity
from api.members.models import Member
from chain.contracts.deployment import Deployment
from chain.contracts.memos import memo_root, salted
from chain.node.rpc import Rpc
from chain.storage.database import engine as make_engine
from chain.storage.keystore import LocalKeystore
from chain.tlog.notes import Verifier
from scripts.cli.app import app
from tests.chain.conftest import OnChain
from tests.support.databases import Postgres
from tests.support.deployed import PASSWORD, Chain, deployed

pytestmark = pytest.mark.slow
MEMBER = f"mem_{7:032x}"
MEMO = {"item.1": "1 tea, jasmine", "note": "for the third till"}
# SQLite's file says which version of its format may be written. One that no SQLite knows may be read only.
WRITE_VERSION_AT, UNKNOWN_VERSION = 18, 3


@dataclass
class Books:
    """A gateway's database with one purchase and its memo, and the chain that the purchase is on."""

    chain: Chain
    url: str
    operation: str
    address: str
    key: str

    def moa(self, *words: str, url: str | None = None) -> Result:
        told = {
            "MOA_DATABASE_URL": url or self.url,
            "MOA_RPC_URL": self.chain.node.url,
            "MOA_CHAIN_ID": str(self.chain.node.chain_id),
            "MOA_DEPLOYMENTS": str(self.chain.deployments),
        }
        return CliRunner().invoke(app, list(words), env=told)

    def acts(self) -> list[dict[str, Any]]:
        """What was recorded, oldest first; no gateway runs that would put it in order."""
        return [orjson.loads(leaf) for (leaf,) in self.rows("SELECT leaf FROM act_pending ORDER BY id")]

    def rows(self, query: str) -> list[Any]:
        engine = make_engine(self.url)
        with engine.connect() as connection:
            found = list(connection.execute(text(query)))
        engine.dispose()
        return found

    def run(self, statement: str) -> None:
        with closing(Database(self.url)) as database, database.write() as session:
            session.execute(text(statement))

    def named(self) -> str | None:
        """How the log names the member."""
        engine = make_engine(self.url)
        with engine.connect() as connection:
            found = names.name_of(connection, MEMBER)
        engine.dispose()
        return found


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with deployed("anvil", tmp_path_factory.mktemp("anvil")) as chain:
        yield chain


def bought(chain: Chain, url: str, folder: Path) -> Books:
    """One purchase with a memo: on the chain, in the mirror, and in the gateway's own tables."""
    migrate.run(url)
    deployment = Deployment.load(chain.deployments, chain.node.chain_id)
    engine, rpc = make_engine(url), Rpc(chain.node.url, timeout_s=30.0)
    world = OnChain(chain.node, deployment, chain.keystore, engine, rpc, folder, chain.keystore_path, chain.deployments)
    fields = salted(MEMO)
    award = world.award(MEMBER, 5_000)
    award.payload["memo_root"] = "0x" + memo_root(fields).hex()
    (operation,) = world.enqueue(award)
    world.drain()
    world.close()
    with closing(Database(url)) as database:
        made = identity.bootstrap(database, documents=deployment.documents, brand_keys=True)
        with database.write() as session:
            session.add(Member(id=MEMBER, address=world.member(MEMBER).lower(), created_at_ms=1))
            session.flush()
            session.add(
                Event(
                    id=1, source="cdnow", type="purchase", external_id="order-1", subject=MEMBER, occurred_at_ms=1,
                    received_at_ms=1, data={"amount": "5000", "currency": "USD"}, content_hash="00",
                )
            )  # fmt: skip
            session.flush()
            session.add(
                Award(event=1, activity="purchase", rule=1, base_amount="5000", operation=operation, decided_at_ms=1)
            )
            session.flush()
            memos.store(Session(session.connection()), {operation: fields})
            session.execute(text("DELETE FROM act_pending"))
    engine.dispose()
    return Books(chain, url, str(operation), world.member(MEMBER), made.brand_keys["cdnow"] or "")


@pytest.fixture
def on_sqlite(chain: Chain, tmp_path: Path) -> Iterator[Books]:
    rpc = Rpc(chain.node.url)
    snapshot = rpc.call("evm_snapshot")
    yield bought(chain, f"sqlite:///{tmp_path / 'moa.db'}", tmp_path)
    rpc.call("evm_revert", snapshot)
    rpc.close()


@pytest.fixture
def on_postgresql(chain: Chain, postgres_server: Postgres, tmp_path: Path) -> Iterator[Books]:
    rpc = Rpc(chain.node.url)
    snapshot = rpc.call("evm_snapshot")
    url = postgres_server.copy("migrated", migrate.run)
    yield bought(chain, url, tmp_path)
    postgres_server.drop(url)
    rpc.call("evm_revert", snapshot)
    rpc.close()


@pytest.fixture(params=["on_sqlite", "on_postgresql"])
def books(request: pytest.FixtureRequest) -> Books:
    """The purchase in each database."""
    found: Books = request.getfixturevalue(request.param)
    return found


def asked(books: Books, folder: Path) -> dict[str, tuple[str, ...]]:
    """Each command that tells what is personal, or the books as files, and what it is asked."""
    return {
        "memo-show": ("memo", "show", books.operation),
        "memo-prove": ("memo", "prove", books.operation, "note", "--out", str(folder / "memo.json")),
        "evidence": ("evidence", "--member", MEMBER, "--out", str(folder / "member.json")),
        "export-write": ("export", "write", str(folder / "out"), "--brand", "1"),
    }


def test_every_command_that_tells_what_is_personal_or_exports_is_an_act(books: Books, tmp_path: Path) -> None:
    """SPEC 14.16, 14.11"""
    for words in asked(books, tmp_path).values():
        done = books.moa(*words)
        assert done.exit_code == 0, (words, done.output)

    told = books.acts()
    assert [act["actor"] for act in told] == [
        *(f"command/{name}" for name in asked(books, tmp_path)),
        "command/export-write",
    ]
    *_, export, sealed = told
    acts = {act["actor"]: act for act in told[:-2]}
    last = books.rows("SELECT block_number FROM mirror_checkpoint")[0].block_number
    assert (export["act"], export["subject"]) == ("export.made", "")
    assert export["detail"] == {"what": "books", "brand": "cdnow", "block_number": last}
    raw = (tmp_path / "out" / "manifest.json").read_bytes()
    rows = sum(file["rows"] for file in orjson.loads(raw)["files"])
    digest = hashlib.sha256(raw).hexdigest()
    assert (sealed["act"], sealed["subject"]) == ("export.sealed", "")
    assert sealed["detail"] == export["detail"] | {"rows": rows, "digest": digest}
    for actor, act in acts.items():
        route = "moa " + actor.removeprefix("command/").replace("-", " ")
        assert (act["act"], act["subject"]) == ("personal.seen", books.named())
        assert act["detail"] == {"method": "command", "route": route, "count": 1}
    logged = orjson.dumps(books.acts()).decode()
    for personal in (MEMBER, books.address.lower(), *MEMO.values()):
        assert personal not in logged.lower()


def test_an_export_is_signed_by_the_log_of_the_gateways_keystore(on_sqlite: Books, tmp_path: Path) -> None:
    """SPEC 15.12"""
    books, folder = on_sqlite, str(tmp_path / "out")
    deployment = Deployment.load(books.chain.deployments, books.chain.node.chain_id)
    origin = f"moa/{deployment.chain_id}/{deployment.genesis_hash[2:18]}"
    keys = ("--keystore", str(books.chain.keystore_path), "--keystore-password", PASSWORD)
    signed = LocalKeystore.open(books.chain.keystore_path, PASSWORD)
    log, other = (Verifier(origin, signed.public_key(f"log/{number}")).vkey for number in (0, 1))

    assert books.moa("export", "write", folder, *keys).exit_code == 0
    checked = books.moa("export", "check", folder, "--log-key", log, "--json")
    unnamed, wrong = books.moa("export", "check", folder), books.moa("export", "check", folder, "--log-key", other)

    assert (checked.exit_code, orjson.loads(checked.stdout)["signed_by"]) == (0, origin)
    assert (unnamed.exit_code, "nobody says" in unnamed.stdout) == (0, True)
    assert (wrong.exit_code, "manifest.note" in wrong.stdout) == (1, True)
    assert books.moa("export", "check", folder, "--log-key", "nonsense").exit_code == 2
    unsigned = str(tmp_path / "unsigned")
    assert books.moa("export", "write", unsigned).exit_code == 0
    assert books.moa("export", "check", unsigned).exit_code == 0
    assert books.moa("export", "check", unsigned, "--log-key", log).exit_code == 1


def test_what_tells_nothing_personal_is_no_act(books: Books, tmp_path: Path) -> None:
    """SPEC 14.16"""
    out = ("--out", str(tmp_path / "document.json"))
    for words in (
        ("evidence", "--member", books.address, *out),
        ("evidence", "--brand", "cdnow", *out),
        ("evidence", "--operation", books.operation, *out),
        ("as-of", "supply"),
        ("report", "liability", "--brand", "cdnow"),
    ):
        done = books.moa(*words)
        assert done.exit_code == 0, (words, done.output)
    assert books.moa("memo", "show", "999999").exit_code == 1
    assert books.moa("evidence", "--member", "mem_" + "0" * 32).exit_code == 1
    assert books.moa("export", "write", str(tmp_path / "out"), "--brand", "nobody").exit_code == 2
    assert books.acts() == []


def test_fields_of_a_memo_that_are_proven_to_a_brand_over_http_are_a_look(on_sqlite: Books) -> None:
    """SPEC 14.10"""
    books = on_sqlite
    settings = Settings(
        database_url=books.url,
        rpc_url=books.chain.node.url,
        chain_id=books.chain.node.chain_id,
        deployments=books.chain.deployments,
        keystore_path=books.chain.keystore_path,
        keystore_password=PASSWORD,
        refusal_window=timedelta(hours=1),
    )
    path = f"/v1/operations/{books.operation}/evidence"
    with TestClient(create_app(settings), headers={"Authorization": f"Bearer {books.key}"}) as brand:
        assert brand.get(path).status_code == 200
        assert books.rows("SELECT count FROM act_tally") == [], "without fields of the memo it tells nothing personal"
        for _ in range(2):
            answer = brand.get(path, params={"show": "note"})
            assert (answer.status_code, MEMO["note"] in answer.text) == (200, True), answer.text
        (look,) = books.rows("SELECT act, subject, detail, count FROM act_tally")
    assert (look.act, look.subject, look.count) == ("personal.seen", books.named(), 2)
    assert orjson.loads(look.detail)["route"] == "/v1/operations/{operation_id}/evidence"


def read_only(books: Books, folder: Path) -> str:
    """The address of these books where nothing can be written."""
    if books.url.startswith("sqlite"):
        copy = folder / "copy.db"
        with closing(make_engine(books.url).connect()) as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(books.url.removeprefix("sqlite:///"), copy)
        data = bytearray(copy.read_bytes())
        data[WRITE_VERSION_AT] = UNKNOWN_VERSION
        copy.write_bytes(data)
        return f"sqlite:///{copy}"
    return f"{books.url}&options=-c%20default_transaction_read_only%3Don"


def without_log(books: Books, _folder: Path) -> str:
    """The address of these books without the tables of the log."""
    books.run("DROP TABLE act_pending")
    return books.url


@pytest.mark.parametrize("spoilt", [read_only, without_log])
def test_where_the_log_cannot_be_told_nothing_is_told(
    books: Books, tmp_path: Path, spoilt: Callable[[Books, Path], str]
) -> None:
    """SPEC 14.16: a copy that can only be read, and a database that has no log."""
    url = spoilt(books, tmp_path)
    assert books.moa("as-of", "supply", url=url).exit_code == 0, "it can be read, and only that"
    for name, words in asked(books, tmp_path).items():
        done = books.moa(*words, url=url)
        assert done.exit_code == (2 if name in ("memo-show", "export-write") else 1), (name, done.output)
        assert isinstance(done.exception, SystemExit), (name, done.exception)
        assert "The log of acts must say so first" in done.output
        assert not any(value in done.output for value in MEMO.values())
    assert not (tmp_path / "memo.json").exists()
    assert not (tmp_path / "member.json").exists()
    assert not any((tmp_path / "out").glob("*"))


def test_a_database_that_is_not_there_is_told_so_and_not_made(books: Books, tmp_path: Path) -> None:
    """SPEC 14.16"""
    missing = tmp_path / "missing.db"
    for name, words in asked(books, tmp_path).items():
        done = books.moa(*words, url=f"sqlite:///{missing}")
        assert done.exit_code == (2 if name in ("memo-show", "export-write") else 1), (name, done.output)
        assert "there is no file" in done.output, (name, done.output)
    assert not missing.exists()
