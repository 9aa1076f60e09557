"""One running Moa for the whole session (real Ganache, worker, gateway, the plan's two brands), and a browser."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from scripts.stack.gateway import Gateway
from scripts.stack.local_stack import LocalStack, Plan, stack
from tests.end_to_end.screen import CHROMIUM, FLAGS, PHONE, WAIT_MS, Member, Screen, as_brand, buy

# Playwright's own 5 s are short for a screen beside a node, a worker and a gateway on the same two cores.
expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="session")
def demo_on_ganache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A LocalStack: url, rpc_url, operator_key, brand_keys["cdnow" | "hanok"], deployment. Stopped at the end."""
    state: Path = tmp_path_factory.mktemp("moa")
    with stack(Plan(state=state)) as running:
        yield running


@pytest.fixture(scope="session")
def demo_on_anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The same on the second node."""
    state: Path = tmp_path_factory.mktemp("moa-anvil")
    with stack(Plan(state=state, node="anvil")) as running:
        yield running


@pytest.fixture(scope="session")
def demo(demo_on_ganache: LocalStack) -> LocalStack:
    """The default node."""
    return demo_on_ganache


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def member(demo: LocalStack) -> Member:
    """A new member of both brands with one purchase at each, confirmed."""
    return new_member(demo)


@pytest.fixture(scope="module")
def reader(demo: LocalStack) -> Member:
    """The same for tests that change nothing of the member's: one for all of them."""
    return new_member(demo)


def new_member(demo: LocalStack) -> Member:
    name = f"wallet-{secrets.token_hex(6)}"
    with as_brand(demo, "cdnow") as cdnow, as_brand(demo, "hanok") as hanok:
        made = cdnow.post("/v1/members", {"identifier": name}, key=f"{name}-cdnow")
        hanok.post("/v1/members", {"identifier": name, "id": made["id"]}, key=f"{name}-hanok")
    for brand, amount in (("cdnow", "12050"), ("hanok", "4200")):
        buy(demo, brand, made["id"], amount)
    with Gateway(demo.url, demo.operator_key) as operator:
        session = operator.post(f"/v1/members/{made['id']}/sessions", {}, key=f"{name}-session")
    return Member(made["id"], made["address"], f"{demo.url}/#session={session['token']}", f"{demo.url}/")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with Screen(browser, PHONE) as phone:
        yield phone
