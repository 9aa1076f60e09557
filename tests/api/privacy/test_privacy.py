"""Consent is obeyed at the next read, everything is told, and who is forgotten stays forgotten (SPEC 17)."""

from __future__ import annotations

import base64
import hashlib
import io
import random
import shutil
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlmodel import Session
from typer.testing import CliRunner

from api import migrate
from api.identity.links import add, named
from api.identity.resolving import new_member
from api.kit.clock import now_ms
from api.kit.database import Database
from api.privacy import erasure, scanner
from api.privacy.catalogue import DATASETS, SALTS, UNNAMED, labelled
from api.privacy.consents import is_quiet
from api.privacy.tasks import purge
from api.privacy.texts import TEXTS
from api.tables import TABLES
from api.vault.errors import Shredded
from api.vault.sealing import FILE, Vault
from api.vault.subject_keys import FileKeys
from chain.storage.columns import table_of
from chain.storage.keystore import LocalKeystore
from scripts.cli.app import app
from tests.api.auth.test_access import acts, refusal
from tests.api.conftest import Caller, World, Worlds, purchase
from tests.api.conftest import both as kind  # noqa: F401
from tests.api.identity.test_who_is_who import merged, resolve, spendable, vault
from tests.api.sign_in.test_sign_in import BOB, caller, entered, registered
from tests.support.authenticator import Authenticator

SEED = random.randrange(2**32)
CONFIRM = {"confirm": "erase everything"}


@pytest.fixture
def world(make_world: Worlds) -> World:
    return make_world(outbox_shown=True)


def said(
    who: Caller, granted: bool, *, purpose: str = "marketing", channel: str = "email", path: str = "/v1/me"
) -> Any:
    body = {"purpose": purpose, "channel": channel, "granted": granted, "text_version": 1}
    return who.write(f"{path}/consents", body)


def may(brand: Caller, member: str, *, purpose: str = "marketing", channel: str = "email") -> tuple[bool, str]:
    answer = brand.get(f"/v1/members/{member}/consent", purpose=purpose, channel=channel)
    assert answer.status_code == 200, answer.text
    return answer.json()["allowed"], answer.json()["why"]


# Labels and what is made of them


def test_every_table_of_people_is_in_the_catalogue_and_every_personal_field_says_why() -> None:
    """SPEC 20.2: a new table that names a member fails here until it is."""
    known = {one.table.name for one in DATASETS} | {table_of(one).name for one in (*UNNAMED, *SALTS)}
    for model in TABLES:
        table = table_of(model)
        to_member = {key.column.table.name for key in table.foreign_keys} & {"member"}
        if to_member or "member_id" in table.columns:
            assert table.name in known, f"{table.name} names members and is not in api/privacy/catalogue.py"
    fields = list(labelled())
    assert {one.table.name for one in fields} <= known
    assert all(one.label.what and one.label.why and one.label.kept for one in fields)
    sealed = [(one.table.name, one.column) for one in fields if one.label.sealed]
    assert ("identifier_link", "sealed") in sealed
    for dataset in DATASETS:
        assert set(dataset.told) | set(dataset.subject) <= {column.name for column in dataset.table.columns}


def test_the_data_page_is_made_of_the_labels(world: World) -> None:
    """SPEC 20.2"""
    told = world.anyone.get("/v1/privacy/data").json()["fields"]

    assert len(told) == len(list(labelled())) > 10
    value = next(one for one in told if (one["dataset"], one["field"]) == ("identifier_link", "sealed"))
    assert (value["sealed"], value["ground"]) == (True, "contract")
    assert "e-mail" in value["what"]


def test_what_is_kept_long_enough_is_purged_and_nothing_else(world: World) -> None:
    """SPEC 20.3"""
    tokens, again = entered(world), entered(world)
    ada = caller(world, tokens)
    ada.write(f"/v1/me/devices/{again['device']}", method="DELETE")
    state, at_ms = world.app.state.moa, now_ms()
    assert sum(purge(state, at_ms=at_ms).values()) == 0

    removed = purge(state, at_ms=at_ms + 3 * 86_400_000)

    assert removed["challenge"] == removed["outbox_message"] == 2
    assert removed["tried"] > 0
    assert removed["device"] == 0
    assert purge(state, at_ms=at_ms + 91 * 86_400_000)["device"] == 1
    assert [one["id"] for one in ada.get("/v1/me/devices").json()["devices"]] == [tokens["device"]]
    assert world.rows("SELECT COUNT(*) FROM identifier_link") == [(1,)]


# Consent


def test_without_a_word_nothing_may_be_done_and_a_word_counts_from_the_next_read_on(world: World) -> None:
    """SPEC 20.4"""
    member = world.member()
    ada, bob = world.session(member), world.session(world.member("m-2"))
    assert may(world.brand, member["id"]) == (False, "no_consent")

    assert said(ada, True).status_code == 201
    assert may(world.brand, member["id"]) == (True, "granted")
    assert may(world.brand, member["id"], channel="sms") == (False, "no_consent")
    assert may(world.brand, member["id"], purpose="research") == (False, "no_consent")
    assert said(bob, True).status_code == 201
    said(ada, False)
    assert may(world.brand, member["id"]) == (False, "withdrawn")
    words = ada.get("/v1/me/consents").json()["words"]
    assert [(one["granted"], one["source"]) for one in words] == [(True, "member"), (False, "member")]
    assert words[0]["text_sha256"] == TEXTS[0].sha256
    assert [one["detail"]["granted"] for one in acts(world, "consent.said")] == [1, 1, 0]


def test_nobody_else_speaks_for_a_member_and_no_unseen_text_counts(world: World) -> None:
    """SPEC 20.4"""
    member = world.member()
    ada = world.session(member)
    before = world.rows("SELECT COUNT(*) FROM consent_word")
    path = f"/v1/members/{member['id']}"
    assert refusal(said(world.anyone, True)) == (401, "KeyMissing")
    assert refusal(said(world.operator, True)) == (403, "NotYours")
    assert refusal(said(world.other, True, path=path)) == (404, "MemberUnknown")
    assert refusal(world.other.get(f"{path}/consent", purpose="marketing", channel="email")) == (404, "MemberUnknown")
    unseen = {"purpose": "marketing", "channel": "email", "granted": True, "text_version": 2}
    assert refusal(ada.write("/v1/me/consents", unseen)) == (422, "ConsentTextUnknown")
    assert world.rows("SELECT COUNT(*) FROM consent_word") == before

    assert said(world.brand, True, path=path).json()["source"] == "brand/1"
    assert may(world.brand, member["id"]) == (True, "granted")
    said(ada, False)
    assert may(world.brand, member["id"]) == (False, "withdrawn")


def test_no_merge_widens_what_somebody_agreed_to(world: World) -> None:
    """SPEC 20.4: at any moment, in any order, against a plain model."""
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    one, other = world.member("m-1"), world.member("m-2")
    sessions = [world.session(one), world.session(other)]
    model: list[dict[str, bool]] = [{}, {}]
    merge: str | None = None

    for _ in range(40):
        what = dice.choice(("say", "say", "say", "merge"))
        if what == "say":
            who, channel, granted = dice.randrange(2), dice.choice(("email", "any")), dice.random() < 0.5
            assert said(sessions[who], granted, channel=channel).status_code == 201
            for mine in range(2):
                if mine == who or merge is not None:
                    model[mine][channel] = granted
        elif merge is None:
            merge = merged(world, one["id"], other["id"]).json()["id"]
        else:
            world.operator.write(f"/v1/identity/merges/{merge}", method="DELETE")
            merge = None
        for mine, member in enumerate((one, other)):
            words = [*model[mine].values(), *(model[1 - mine].values() if merge is not None else ())]
            assert may(world.brand, member["id"])[0] == (bool(words) and all(words))


def test_quiet_hours_and_a_pause_are_kept(world: World) -> None:
    """SPEC 20.5"""
    member = world.member()
    ada = world.session(member)
    said(ada, True)
    minute = datetime.now(UTC).hour * 60 + datetime.now(UTC).minute
    clock = [f"{(minute + by) % 1440 // 60:02d}:{(minute + by) % 60:02d}" for by in (-30, 30)]

    quiet = ada.write("/v1/me/preferences", {"quiet_from": clock[0], "quiet_to": clock[1]}, method="PUT")

    assert quiet.json() == {"quiet_from": clock[0], "quiet_to": clock[1], "zone": "UTC", "paused_until": None}
    assert may(world.brand, member["id"]) == (False, "quiet_hours")
    ada.write("/v1/me/preferences", {"paused_until": "2999-01-01T00:00:00Z"}, method="PUT")
    assert may(world.brand, member["id"]) == (False, "paused")
    ada.write("/v1/me/preferences", {}, method="PUT")
    assert may(world.brand, member["id"]) == (True, "granted")
    for wrong in ({"quiet_from": "22:00"}, {"quiet_from": "22:00", "quiet_to": "22:00"}, {"zone": "Asia/Nowhere"}):
        assert refusal(ada.write("/v1/me/preferences", wrong, method="PUT")) == (422, "QuietHoursMalformed")


def test_quiet_hours_go_over_midnight_and_over_a_change_of_the_clock() -> None:
    """SPEC 20.5"""

    def at(text: str) -> int:
        return int(datetime.fromisoformat(text).timestamp() * 1000)

    night = (22 * 60, 8 * 60)
    assert is_quiet(*night, "Asia/Seoul", at("2026-11-30T13:00:00+00:00"))
    assert not is_quiet(*night, "Asia/Seoul", at("2026-11-30T12:59:59+00:00"))
    assert not is_quiet(*night, "Asia/Seoul", at("2026-11-30T23:00:00+00:00"))
    # Berlin put its clocks back on 25 October 2026 at 01:00 UTC.
    assert is_quiet(*night, "Europe/Berlin", at("2026-10-25T06:59:59+00:00"))
    assert not is_quiet(*night, "Europe/Berlin", at("2026-10-25T07:00:00+00:00"))
    assert not is_quiet(None, None, "UTC", 0)


# Who looked, and everything that is kept


def test_a_member_sees_who_looked_and_where_that_stands_in_the_log(world: World) -> None:
    """SPEC 20.6"""
    world.mirror()
    member = world.member()
    ada, bob = world.session(member), world.session(world.member("m-2"))
    world.brand.get(f"/v1/members/{member['id']}/view")
    world.brand.get(f"/v1/members/{member['id']}/view")
    may(world.brand, member["id"])

    seen = [one for one in ada.get("/v1/me/accesses").json()["accesses"] if one["act"] == "personal.seen"]

    assert {(one["route"], one["count"]) for one in seen} == {
        ("/v1/members/{member_id}/view", 2), ("/v1/members/{member_id}/consent", 1),
    }  # fmt: skip
    assert {one["actor"].rsplit("/", 1)[0] for one in seen} == {"brand/cdnow"}
    assert [one for one in bob.get("/v1/me/accesses").json()["accesses"] if one["act"] == "personal.seen"] == []
    made = [one for one in ada.get("/v1/me/accesses").json()["accesses"] if one["act"] == "session.made"]
    for one in made:
        assert one["entry"] is None or world.rows("SELECT COUNT(*) FROM log_entry WHERE seq = :s", s=int(one["entry"]))


def test_the_archive_has_everything_that_is_kept_and_nothing_of_others(world: World) -> None:
    """SPEC 20.6"""
    world.mirror()
    tokens = entered(world, label="Ada's telephone")
    ada = caller(world, tokens)
    registered(world, tokens, Authenticator(), label="Ada's key")
    at_shop = resolve(world, ("partner", "m-1"), ("till", "T-0017"))
    merged(world, tokens["member"], at_shop["member"])
    world.brand.write("/v1/purchases", purchase())
    world.entry(at_shop["address"], 4399)
    said(ada, True)
    bob = caller(world, entered(world, BOB))

    answer = ada.get("/v1/me/export")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as zipped:
        files = {name: zipped.read(name) for name in zipped.namelist()}
    manifest = orjson.loads(files["manifest.json"])
    assert {name: hashlib.sha256(files[name]).hexdigest() for name in manifest["files"]} == {
        name: told["sha256"] for name, told in manifest["files"].items()
    }
    assert {f"{one.table.name}.json" for one in DATASETS} <= set(files)
    told = {name: orjson.loads(content) for name, content in files.items()}
    assert {one["value"] for one in told["identifier_link.json"]} == {"ada@example.org", "T0017"}
    assert [one["label"] for one in told["device.json"]] == ["Ada's telephone"]
    assert [one["label"] for one in told["passkey.json"]] == ["Ada's key"]
    assert [one["identifier"] for one in told["enrolment.json"]] == ["m-1"]
    assert [one["external_id"] for one in told["event.json"]] == ["order-1"]
    assert [one["points"] for one in told["entries.json"]] == ["4399"]
    assert "1012345678" not in str(files), "nothing of Bob's"
    assert "secret_hash" not in str(files)
    assert b"m-1" not in bob.get("/v1/me/export").content
    assert refusal(world.brand.get("/v1/me/export")) == (403, "NotYours")
    assert len(acts(world, "personal.exported")) == 2


# To be forgotten


def erased(world: World, who: Caller) -> dict[str, Any]:
    answer = who.write("/v1/me/erasure", CONFIRM)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_who_is_erased_is_nowhere_and_the_books_stay_as_they_are(world: World) -> None:
    """SPEC 20.7"""
    world.mirror()
    tokens = entered(world, label="Ada's telephone")
    ada, member = caller(world, tokens), tokens["member"]
    at_shop = resolve(world, ("partner", "m-1"), ("email", "ada@example.org"))
    merged(world, member, at_shop["member"])
    world.brand.write("/v1/purchases", purchase() | {"memo": {"item.1": "One tea, jasmine"}})
    world.holds_points(at_shop["address"], 30)
    said(ada, True)
    bob = caller(world, entered(world, BOB))
    kept = bytes(world.rows("SELECT sealed FROM identifier_link WHERE member_id = :m", m=member)[0][0])
    books = [*world.rows("SELECT token, points FROM balance"), *world.rows("SELECT id, operation_id FROM operation")]
    facts = world.rows("SELECT id, subject, content_hash FROM event")
    assert refusal(ada.write("/v1/me/erasure", {"confirm": "yes"})) == (422, "ErasureUnconfirmed")
    assert refusal(world.operator.write("/v1/me/erasure", CONFIRM)) == (403, "NotYours")
    assert ada.get("/v1/me/view").status_code == 200

    certificate = erased(world, ada)

    assert ada.get("/v1/me/view").status_code == 401
    assert vault(world).open(member, "identifier/email", kept) is None
    with pytest.raises(Shredded):
        vault(world).seal(member, "identifier/email", "ada@example.org")
    for table in ("device", "consent_word", "member_session", "identifier_link"):
        column = "member_id"
        left = world.rows(f"SELECT COUNT(*) FROM {table} WHERE {column} IN (:a, :b)", a=member, b=at_shop["member"])
        assert left == [(0,)], table
    assert world.rows("SELECT COUNT(*) FROM act_salt WHERE member_id = :m", m=member) == [(0,)]
    assert "jasmine" not in str(world.rows("SELECT fields FROM memo"))
    assert "m-1" not in str(world.rows("SELECT identifier FROM enrolment"))
    assert [one for one in world.rows("SELECT answer FROM idempotent_write") if member in one[0]] == []
    # The chain's books and the facts of a pseudonym are as they were; the log still has its places.
    assert books == [
        *world.rows("SELECT token, points FROM balance"), *world.rows("SELECT id, operation_id FROM operation")
    ]  # fmt: skip
    assert world.rows("SELECT id, subject, content_hash FROM event") == facts
    assert spendable(bob) == {}
    assert refusal(world.operator.write(f"/v1/members/{member}/sessions")) == (404, "MemberUnknown")
    assert refusal(world.brand.write("/v1/members", {"identifier": "m-8", "id": member})) == (404, "MemberUnknown")
    again = entered(world)
    assert again["member"] != member
    assert spendable(caller(world, again)) == {}
    assert world.brand.write("/v1/members", {"identifier": "m-1"}).json()["id"] not in (member, at_shop["member"])
    assert len(acts(world, "member.erased")) == 1
    assert member not in str(acts(world, "member.erased"))
    stated = {name: value for name, value in certificate.items() if name not in ("signature", "nonce")}
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(certificate["public_key"]))
    key.verify(bytes.fromhex(certificate["signature"]), orjson.dumps(stated, option=orjson.OPT_SORT_KEYS))
    assert hashlib.sha256(f"{certificate['nonce']}{member}".encode()).hexdigest() in certificate["subjects"]
    assert certificate["nonce"] not in str(world.rows("SELECT * FROM erasure"))


def test_an_erasure_holds_against_a_database_from_before_it(world: World) -> None:
    """SPEC 20.8"""
    world.mirror()
    tokens = entered(world)
    ada, member = caller(world, tokens), tokens["member"]
    name = world.rows("SELECT salt FROM act_salt WHERE member_id = :m", m=member)[0][0]
    backup = {
        table: [dict(row._mapping) for row in world.rows(f"SELECT * FROM {table}")]
        for table in ("identifier_link", "act_salt")
    }
    erased(world, ada)
    # What a restored copy would have: the rows, the salt, no mark of an erasure.
    world.run("UPDATE member SET erased_at_ms = NULL, proven_at_ms = 1 WHERE id = :m", m=member)
    for table, rows in backup.items():
        for row in rows:
            if row["member_id"] == member:
                columns = ", ".join(row)
                world.run(f"INSERT INTO {table} ({columns}) VALUES ({', '.join(f':{one}' for one in row)})", **row)
    sealed = bytes(world.rows("SELECT sealed FROM identifier_link WHERE member_id = :m", m=member)[0][0])
    assert vault(world).open(member, "identifier/email", sealed) is None, "unreadable at once, before anything is done"
    assert name

    done = erasure.reapply(world.app.state.moa, vault(world))

    assert done == 1
    assert erasure.reapply(world.app.state.moa, vault(world)) == 0
    assert world.rows("SELECT COUNT(*) FROM identifier_link WHERE member_id = :m", m=member) == [(0,)]
    assert world.rows("SELECT COUNT(*) FROM act_salt WHERE member_id = :m", m=member) == [(0,)]
    assert entered(world)["member"] != member


def test_a_gateway_that_starts_on_an_old_copy_erases_before_it_serves(make_world: Worlds) -> None:
    """SPEC 20.8"""
    world = make_world(outbox_shown=True)
    tokens = entered(world)
    erased(world, caller(world, tokens))
    world.run("UPDATE member SET erased_at_ms = NULL WHERE id = :m", m=tokens["member"])
    world.client.__exit__(None, None, None)

    world.client.__enter__()

    assert world.rows("SELECT COUNT(*) FROM member WHERE erased_at_ms IS NULL") == [(0,)]


def test_keys_are_one_a_person_sealed_and_shredded_for_ever(tmp_path: Path) -> None:
    """SPEC 20.1, 20.8"""
    path = tmp_path / "keys.db"
    keys = FileKeys(path, LocalKeystore(b"\x07" * 32))
    one, other = keys.make("mem_1"), keys.make("mem_2")
    assert (one != other, keys.make("mem_1") == one, path.stat().st_mode & 0o077) == (True, True, 0)
    assert one not in path.read_bytes()
    sealed = keys._run("SELECT sealed FROM subject_key WHERE subject = ?", "mem_1")[0][0]
    stranger = FileKeys(shutil.copy(path, tmp_path / "copy.db"), LocalKeystore(b"\x08" * 32))
    with pytest.raises(Exception, match="does not open"):
        stranger.find("mem_1")

    keys.shred("mem_1")
    keys.shred("mem_1")

    assert bytes(sealed) not in path.read_bytes(), "overwritten"  # type: ignore[arg-type]
    assert (keys.find("mem_1"), keys.find("mem_2"), keys.find("nobody")) == (None, other, None)
    with pytest.raises(Shredded):
        keys.make("mem_1")
    assert list(keys.gone(after="", limit=9)) == ["mem_1"]
    assert list(keys.gone(after="mem_1", limit=9)) == []


# The scanner


def test_no_personal_value_is_where_none_may_be(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """SPEC 20.9"""
    world.mirror()
    with caplog.at_level("INFO"):
        entered(world, label="Ada's telephone")
        entered(world, BOB)
        resolve(world, ("email", "ada.lovelace@example.org"), ("partner", "m-1"), ("card", "9410-7788"))
        world.brand.write("/v1/purchases", purchase() | {"memo": {"item.1": "One tea, jasmine"}})
        world.brand.write("/v1/members", {"identifier": "nobody", "id": "mem_" + "0" * 32})
    with Session(world.database.engine) as session:
        values = list(scanner.values_of(session, vault(world)))
        texts = [*scanner.stored(session), ("log", caplog.text), ("metrics", world.operator.get("/metrics").text)]

    assert {shown for _, shown in values} >= {"a…@example.org", "…5678"}
    assert any(value == "One tea, jasmine" for value, _ in values)
    assert len(texts) > 10
    assert scanner.leaks(values, texts) == []


@pytest.mark.parametrize(
    ("hidden", "spelling"),
    [
        (lambda value: value.upper(), "plain"),
        (lambda value: value.encode().hex(), "hex"),
        (lambda value: base64.b64encode(value.encode()).decode(), "base64"),
        (lambda value: hashlib.sha256(value.encode()).hexdigest(), "sha256"),
    ],
    ids=["plain", "hex", "base64", "sha256"],
)
def test_the_scanner_finds_what_hides(hidden: Any, spelling: str) -> None:
    """SPEC 20.9"""
    value = "ada.lovelace@example.org"

    [found] = scanner.leaks([(value, "a…@example.org")], [("here", f"xx{hidden(value)}yy"), ("there", "nothing")])

    assert (found.place, found.spelling, found.value) == ("here", spelling, "a…@example.org")


def test_the_command_finds_what_a_log_file_tells(tmp_path: Path) -> None:
    """SPEC 20.9"""
    url, path = f"sqlite:///{tmp_path}/moa.db", tmp_path / "keystore.json"
    migrate.run(url)
    keystore = LocalKeystore.create(path, "a password")
    keys = Vault(FileKeys(tmp_path / FILE, keystore), keystore)
    with closing(Database(url)) as store, store.write() as session:
        member = new_member(session, keystore=keystore)
        given = named(keys, kind="email", value="ada.lovelace@example.org")
        add(session, keys, member_id=member.id, scope="", given=given)
    clean, told = tmp_path / "clean.log", tmp_path / "told.log"
    clean.write_text("nothing here")
    told.write_text("sent to Ada.Lovelace@example.org")
    env = {"MOA_DATABASE_URL": url, "MOA_KEYSTORE": str(path), "MOA_KEYSTORE_PASSWORD": "a password"}

    well = CliRunner().invoke(app, ["privacy", "scan", str(clean)], env=env)
    ill = CliRunner().invoke(app, ["privacy", "scan", "--json", str(clean), str(told)], env=env)
    away = CliRunner().invoke(app, ["privacy", "scan"], env=env | {"MOA_DATABASE_URL": f"sqlite:///{tmp_path}/no.db"})

    assert (well.exit_code, ill.exit_code, away.exit_code) == (0, 1, 2), well.output + ill.output
    [leak] = orjson.loads(ill.stdout)["leaks"]
    assert leak == {"value": "a…@example.org", "place": str(told), "spelling": "plain"}
    assert "lovelace" not in ill.stdout
