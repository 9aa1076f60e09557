"""A brand that comes while everything runs: invited on the chain by the plan, served by the same processes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chain.storage.keystore import LocalKeystore
from scripts.deploy.terms import TERMS
from scripts.stack.gateway import Gateway
from scripts.stack.local_stack import SIGNERS, LocalStack, deploy

pytestmark = pytest.mark.slow
WITHIN_S = 30.0
BRAND = """
[[brands]]
slug = "late-{name}"
name = "Late {name} · 늦은 가게"
symbol = "LATE"
colour = "#7e22ce"
currency = "EUR"
owner = 3
epoch_seconds = 2_592_000
lifetime_epochs = 3
grace_seconds = 0
policy = "closed"
collateral = "1_000"

[brands.rules.purchase]
activity = "purchase"
text = "2 points for each euro ({name})."
kind = "rate"
rounding = "down"
numerator = 2
denominator = 1
cap_per_award = 0
cap_per_member_day = 0
budget = 10_000_000
notice_seconds = 604_800

"""


def until(found: Callable[[], Any]) -> Any:
    """What is looked for, once it is there."""
    end = time.monotonic() + WITHIN_S
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.05)


def test_brand_invited_while_everything_runs_is_served_without_a_restart(demo: LocalStack, tmp_path: Path) -> None:
    """SPEC 7.22, 9.60, 9.61: invited, its rule published, its key made, a purchase, its points."""
    name = secrets.token_hex(3)
    slug, plan = f"late-{name}", tmp_path / "plan.toml"
    plan.write_text(TERMS.read_text().replace("[[agreements]]", BRAND.format(name=name) + "[[agreements]]", 1))
    password = (demo.plan.state / "keystore.password").read_text()
    keystore = LocalKeystore.open(demo.plan.state / "keystore.json", password)
    pids = [child.process.pid for child in demo.children]

    signers = [keystore.address_of(f"signer/{number}") for number in range(SIGNERS)]
    tills = [keystore.address_of("till/0")]
    deploy(demo.rpc_url, demo.deployments, signers, tmp_path / "deploy.log", tills=tills, plan=plan)

    with Gateway(demo.url, demo.operator_key) as operator:

        def met() -> Any:
            return [one for one in operator.get("/v1/brands")["brands"] if one["slug"] == slug]

        [brand] = until(met)
        assert (brand["name"], brand["currency"], brand["symbol"]) == (f"Late {name} · 늦은 가게", "EUR", "LATE")
        key = operator.post(f"/v1/brands/{slug}/keys", {}, key=f"{slug}-key")["key"]
    with Gateway(demo.url, key) as shop:
        member = shop.post("/v1/members", {"identifier": "first"}, key=f"{slug}-member")
        order = {
            "id": "order-1", "member": {"identifier": "first"}, "amount": "1250", "currency": "EUR",
            "occurred_at": "1997-01-01T00:00:00Z",
        }  # fmt: skip
        bought = shop.post("/v1/purchases", order, key=f"{slug}-order", wait_s=20)
        [line] = shop.get(f"/v1/members/{member['id']}/view")["balances"]
        quoted = shop.post("/v1/awards/quote", {"amount": "1250"}, key="unused")
    assert (quoted["points"], quoted["rule"]["currency"]) == ("2500", "EUR")
    assert (bought["operation"]["state"], bought["operation"]["brand"]) == ("confirmed", slug)
    assert (line["brand"]["slug"], line["spendable"]) == (slug, "2500")
    with Gateway(demo.url) as public:

        def compared() -> Any:
            # Who asks begins the next comparison when the node has rested.
            found = [one for one in public.get("/v1/books")["brands"] if one["brand"] == slug]
            return [one for one in found if one["supply_on_chain"] not in (None, "0")]

        [books] = until(compared)
    assert (books["supply_on_chain"], books["sum_in_mirror"], books["drift"]) == ("2500", "2500", "0")
    demo.check()
    assert [child.process.pid for child in demo.children] == pids, "nothing was started again"
