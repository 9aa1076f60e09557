"""What the browser tests share: a member with a link, a page that tolerates no fault, and what it shows."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page

from scripts.stack.gateway import Gateway
from scripts.stack.local_stack import LocalStack

ROOT = Path(__file__).resolve().parents[2]
SCREENS = ROOT / "build" / "screens"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = os.environ.get("MOA_CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}
WAIT_S = 20
CURRENCY = {"cdnow": "USD", "hanok": "KRW"}
WAIT_MS = 20_000


@dataclass(frozen=True)
class Member:
    """Someone with points at two brands, and the link that opens their wallet."""

    id: str
    address: str
    link: str
    bare: str


class Screen:
    """A page of a fresh browser profile; a fault in its scripts or a breach of its policy fails the test.

    bad_line: what is asked of the gateway can be changed by `page.route`; nothing is kept for offline then.
    """

    def __init__(
        self,
        browser: Browser,
        size: dict[str, int],
        *,
        locale: str = "en-US",
        scheme: str = "light",
        bad_line: bool = False,
    ):
        self._context = browser.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            locale=locale,
            color_scheme="dark" if scheme == "dark" else "light",
            device_scale_factor=2 if size is PHONE else 1,
            service_workers="block" if bad_line else "allow",
        )
        self._faults: list[str] = []

    def __enter__(self) -> Page:
        SCREENS.mkdir(parents=True, exist_ok=True)
        return self.another()

    def another(self) -> Page:
        """One more tab of the same profile."""
        page = self._context.new_page()
        page.on("pageerror", lambda error: self._faults.append(str(error)))
        page.on("console", lambda said: self._faults.append(said.text) if "Content Security" in said.text else None)
        return page

    def __exit__(self, *_: object) -> None:
        self._context.close()
        assert self._faults == []


def as_brand(demo: LocalStack, slug: str) -> Gateway:
    return Gateway(demo.url, demo.brand_keys[slug])


def order(brand: str, member: str, amount: str) -> dict[str, object]:
    """A new order of `amount` cents or won, as a shop tells it."""
    return {
        "id": f"order-{secrets.token_hex(8)}", "member": {"id": member}, "amount": amount,
        "currency": CURRENCY[brand], "occurred_at": "2026-11-21T12:00:00Z",
    }  # fmt: skip


def buy(demo: LocalStack, brand: str, member: str, amount: str) -> None:
    """A purchase, waited for until it is mirrored."""
    told = order(brand, member, amount)
    with as_brand(demo, brand) as shop:
        done = shop.post("/v1/purchases", told, key=str(told["id"]), wait_s=WAIT_S)
    assert done["operation"]["state"] == "confirmed", done


def spendable(page: Page, brand: str) -> Locator:
    return page.locator(f".card[data-brand={brand}] .card-figure .amount")


def points(amount: Locator) -> int:
    """Base units of an amount on the screen; every brand of the demo has two decimals."""
    return int(re.sub(r"[^0-9]", "", amount.inner_text()))


def still(page: Page) -> None:
    """Returns when nothing moves any more, however slowly it is drawn."""
    page.evaluate(
        """Promise.all(document.getAnimations()
          .filter(one => one.effect.getComputedTiming().iterations !== Infinity)
          .map(one => one.finished.catch(() => undefined)))"""
    )


def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 A and AA."""
    page.wait_for_timeout(800)  # Entrances are over: a fading text has no contrast of its own.
    still(page)
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})")
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def picture(page: Page, name: str) -> None:
    """Takes a picture for build/screens once nothing moves any more."""
    still(page)
    page.screenshot(path=SCREENS / f"{name}.png")
