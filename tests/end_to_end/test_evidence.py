"""Evidence on the running system: over HTTP and by command, checked with nothing but the bytes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from click.testing import Result
from typer.testing import CliRunner

from chain.evidence.verify import verify
from scripts.cli.app import app
from scripts.stack.local_stack import LocalStack
from tests.support.callers import Caller, live

pytestmark = pytest.mark.slow
MEMO = {"receipt": "No. 4711", "item.1": "1 tea, jasmine", "item.2": "2 한과", "note": "for Mrs Kim"}


@pytest.fixture(scope="module", params=["ganache", "anvil"])
def demo(request: pytest.FixtureRequest) -> LocalStack:
    """Every test here on both nodes."""
    running: LocalStack = request.getfixturevalue(f"demo_on_{request.param}")
    return running


@pytest.fixture(scope="module")
def shop(demo: LocalStack) -> Iterator[Caller]:
    caller = live(demo.url, demo.brand_keys["cdnow"])
    yield caller
    caller.client.close()


@pytest.fixture(scope="module")
def hanok(demo: LocalStack) -> Iterator[Caller]:
    caller = live(demo.url, demo.brand_keys["hanok"])
    yield caller
    caller.client.close()


@pytest.fixture(scope="module")
def member(demo: LocalStack, shop: Caller) -> Iterator[tuple[Caller, str, str]]:
    """A member with one purchase that has a memo: (the member, identifier, the purchase's operation)."""
    identifier = f"e-{secrets.token_hex(6)}"
    made = shop.write("/v1/members", {"identifier": identifier}).json()
    bought = shop.write("/v1/purchases", purchase(identifier, memo=MEMO))
    assert bought.status_code == 201, bought.text
    operator = live(demo.url, demo.operator_key)
    session = operator.write(f"/v1/members/{made['id']}/sessions").json()
    operator.client.close()
    caller = live(demo.url, session["token"])
    yield caller, identifier, bought.json()["operation"]["id"]
    caller.client.close()


@pytest.fixture
def registry(demo: LocalStack) -> str:
    return demo.deployment.address("PartnerRegistry").lower()


def purchase(identifier: str, order: str | None = None, **values: Any) -> dict[str, Any]:
    return {
        "id": order or f"o-{secrets.token_hex(8)}",
        "member": {"identifier": identifier},
        "amount": "100000",
        "currency": "USD",
        "occurred_at": "1997-01-01T00:00:00Z",
        **values,
    }


def claims(data: bytes, kind: str) -> list[dict[str, Any]]:
    return [one for one in orjson.loads(data)["body"]["claims"] if one["type"] == kind]


def moa(demo: LocalStack, *arguments: str, chain: bool = True) -> Result:
    """A command; without `chain` it is told nothing of node and database."""
    settings = {
        "MOA_RPC_URL": demo.rpc_url,
        "MOA_CHAIN_ID": str(demo.deployment.chain_id),
        "MOA_DEPLOYMENTS": str(demo.deployments),
        "MOA_DATABASE_URL": demo.database_url,
    }
    return CliRunner().invoke(app, arguments, env=settings if chain else {})


def test_a_member_takes_the_evidence_home(demo: LocalStack, member: tuple[Caller, str, str]) -> None:
    """SPEC 13.8"""
    me, _, _ = member
    pinned = httpx.get(f"{demo.url}/.well-known/moa-keys.json", timeout=60).json()
    names = {"registry": "PartnerRegistry", "badges": "Badges", "governor": "ProgrammeGovernor"}
    ours = {option: demo.deployment.address(name).lower() for option, name in names.items()}
    assert {option: pinned[option] for option in names} == ours

    answer = me.client.get("/v1/me/evidence")
    verdict = verify(answer.content, key=pinned["receipts"], registry=pinned["registry"])

    assert (answer.status_code, verdict.verdict, verdict.error) == (200, "proven", None)
    assert "no-store" in answer.headers["cache-control"]
    view = me.client.get("/v1/me/view").json()
    shown = {line["brand"]["slug"]: line["spendable"] for line in view["balances"] if line["spendable"] != "0"}
    tokens = {brand.token: slug for slug, brand in demo.brands.items()}
    proven = {tokens[one["token"]]: one["points"] for one in claims(answer.content, "balance") if one["points"] != "0"}
    assert proven == shown
    assert claims(answer.content, "history")[0]["events"][0]["event"] == "Awarded"


def test_evidence_needs_a_member_and_a_block_that_is_there(
    demo: LocalStack, member: tuple[Caller, str, str], shop: Caller
) -> None:
    """SPEC 13.8"""
    me, _, _ = member

    assert httpx.get(f"{demo.url}/v1/me/evidence", timeout=60).json()["error"] == "KeyMissing"
    assert shop.client.get("/v1/me/evidence").json()["error"] == "NotYours"
    assert me.client.get("/v1/me/evidence?block=999999").json()["error"] == "EvidenceUnavailable"
    assert me.client.get("/v1/me/evidence?block=-1").json()["error"] == "RequestMalformed"


def test_one_field_of_a_memo_is_proven_over_http_and_only_to_those_it_concerns(
    member: tuple[Caller, str, str], shop: Caller, hanok: Caller, registry: str
) -> None:
    """SPEC 13.9, 13.14"""
    me, _, operation = member
    path = f"/v1/operations/{operation}"

    data = shop.client.get(f"{path}/evidence?show=item.2").content
    assert verify(data, registry=registry).verdict == "proven"
    assert [(one["name"], one["value"]) for one in claims(data, "memo")[0]["fields"]] == [("item.2", "2 한과")]
    assert b"Mrs Kim" not in data
    assert verify(me.client.get(f"{path}/evidence").content, registry=registry).verdict == "proven"
    assert claims(me.client.get(f"{path}/evidence").content, "memo") == []
    for caller in (me, shop):
        kept = caller.client.get(f"{path}/memo").json()
        assert {one["name"]: one["value"] for one in kept["fields"]} == MEMO
        assert kept["memo_root"] == claims(data, "memo")[0]["memo_root"]
    for other in (f"{path}/memo", f"{path}/evidence", f"{path}/evidence?show=note", f"{path}/receipt"):
        assert hanok.client.get(other).json()["error"] == "OperationUnknown"
    assert hanok.write(f"{path}/memo", method="DELETE").json()["error"] == "OperationUnknown"
    assert shop.client.get(f"{path}/evidence?show=nothing").json()["error"] == "MemoUnproven"


def test_an_erased_memo_is_gone_and_the_purchase_remains(
    member: tuple[Caller, str, str], shop: Caller, registry: str
) -> None:
    """SPEC 13.9"""
    _, identifier, _ = member
    order, memo = f"o-{secrets.token_hex(8)}", {"note": "a secret of somebody's"}
    body = purchase(identifier, order, memo=memo)
    operation = shop.write("/v1/purchases", body).json()["operation"]["id"]
    path = f"/v1/operations/{operation}"
    other = shop.write("/v1/purchases", purchase(identifier, order, memo={"note": "another"})).json()
    none = shop.write("/v1/purchases", purchase(identifier, order)).json()

    erased = shop.write(f"{path}/memo", method="DELETE")

    assert erased.status_code == 200
    assert (other["error"], none["error"]) == ("PurchaseConflict", "PurchaseConflict")
    assert shop.client.get(f"{path}/memo").json()["error"] == "MemoMissing"
    assert shop.client.get(f"{path}/evidence?show=note").json()["error"] == "MemoMissing"
    assert verify(shop.client.get(f"{path}/evidence").content, registry=registry).verdict == "proven"
    assert shop.write(f"{path}/memo", method="DELETE").status_code == 200
    assert shop.write("/v1/purchases", body).json()["operation"]["id"] == operation


@pytest.mark.parametrize(
    ("memo", "error"),
    [
        ({"Upper": "x"}, "MemoMalformed"),
        ({"": "x"}, "MemoMalformed"),
        ({"a": ""}, "MemoMalformed"),
        ({"a": "x\x00"}, "CharacterRefused"),
        ({"a": "x\ty"}, "CharacterRefused"),
        ({"a": "x" * 1025}, "MemoTooLarge"),
        ({f"a{index}": "x" for index in range(33)}, "MemoTooLarge"),
        ({f"a{index}": "한" * 200 for index in range(30)}, "MemoTooLarge"),
        ({"a": 1}, "RequestMalformed"),
        ({"a": None}, "RequestMalformed"),
        (["a"], "RequestMalformed"),
        ("text", "RequestMalformed"),
    ],
)
def test_a_memo_beyond_its_bounds_is_refused(
    shop: Caller, member: tuple[Caller, str, str], memo: Any, error: str
) -> None:
    """SPEC 13.9"""
    answer = shop.write("/v1/purchases", purchase(member[1], memo=memo))

    assert (answer.status_code, answer.json()["error"]) == (422, error)


def test_lines_carry_memos_too(shop: Caller, member: tuple[Caller, str, str], registry: str) -> None:
    """SPEC 13.9"""
    lines = [purchase(member[1], memo={"line": f"number {number}"}) for number in range(3)]
    lines.append(purchase(member[1], memo={"LINE": "x"}))
    body = b"\n".join(map(orjson.dumps, lines))
    headers = {"Idempotency-Key": secrets.token_hex(8), "Content-Type": "application/x-ndjson"}
    told = [
        orjson.loads(line) for line in shop.client.post("/v1/purchases", content=body, headers=headers).iter_lines()
    ]

    assert [one["status"] for one in told] == ["accepted"] * 3 + ["refused"]
    assert told[3]["problem"]["error"] == "MemoMalformed"
    # The line itself, sent again and waited for: another purchase would go past the lines.
    again = shop.write("/v1/purchases", lines[1])
    assert (again.status_code, again.json()["operation"]["id"]) == (201, told[1]["operation"])
    data = shop.client.get(f"/v1/operations/{told[1]['operation']}/evidence?show=line").content
    assert verify(data, registry=registry).verdict == "proven"
    assert claims(data, "memo")[0]["fields"][0]["value"] == "number 1"


def test_receipts_are_signed_bound_to_a_block_and_never_contradict_each_other(
    demo: LocalStack, member: tuple[Caller, str, str]
) -> None:
    """SPEC 13.10"""
    me, _, operation = member
    key = httpx.get(f"{demo.url}/.well-known/moa-keys.json", timeout=60).json()["receipts"]

    first, again = (me.client.get(f"/v1/operations/{operation}/receipt").content for _ in range(2))
    view = me.client.get("/v1/me/receipt").content

    body = orjson.loads(first)["body"]
    assert verify(first, key=key, pin=body["block_hash"]).verdict == "signed"
    assert first == again
    content = {one["name"]: one["value"] for one in body["content"]}
    assert (content["event"], content["args.points"]) == ("Awarded", "150000")
    assert body["subject"].startswith("award:1:")
    assert verify(view, key=key).verdict == "signed"
    assert orjson.loads(view)["body"]["subject"].startswith("member:0x")
    assert me.client.get("/v1/operations/999999/receipt").json()["error"] == "OperationUnknown"


def test_commands_make_and_check_evidence_without_the_running_parts(
    demo: LocalStack, member: tuple[Caller, str, str], tmp_path: Path, registry: str
) -> None:
    """SPEC 13.8, 13.11, 13.12"""
    operation = member[2]
    address = claims(member[0].client.get("/v1/me/evidence").content, "history")[0]["account"]
    made = {
        "member": ("evidence", "--member", address),
        "brand": ("evidence", "--brand", "hanok"),
        "operation": ("evidence", "--operation", operation),
        "memo": ("memo", "prove", operation, "item.1"),
    }
    for name, arguments in made.items():
        path = str(tmp_path / f"{name}.json")
        done = moa(demo, *arguments, "--out", path)
        assert done.exit_code == 0, done.output
        checked = moa(demo, "verify", path, "--json", "--registry", registry, chain=False)
        assert checked.exit_code == 0, checked.stdout
        told = orjson.loads(checked.stdout)
        assert (told["verdict"], told["pinned"]) == ("proven", False)
        # Where the deployment file is, it says whose registry it must be; where nobody says so, nothing is proven.
        assert moa(demo, "verify", path).exit_code == 0
        assert moa(demo, "verify", path, chain=False).exit_code == 5
        assert moa(demo, "verify", path, "--pin", "0x" + "ab" * 32, chain=False).exit_code == 1
    assert "1 tea, jasmine" in moa(demo, "memo", "show", operation).stdout
    assert moa(demo, "evidence", "--member", "0x12").exit_code == 1
    assert moa(demo, "evidence", "--member", "mem_" + "0" * 32).exit_code == 1
    assert moa(demo, "evidence", "--operation", "cdnow/999999").exit_code == 1
    assert moa(demo, "evidence", "--brand", "nobody").exit_code == 1
    assert moa(demo, "evidence").exit_code == 1
    assert moa(demo, "verify", str(tmp_path / "none.json"), chain=False).exit_code == 2
