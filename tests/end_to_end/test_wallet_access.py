"""Whether everyone can read and use the wallet: axe-core's rules, target sizes, keyboard, no sideways scrolling."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.end_to_end.screen import DESKTOP, PHONE, Member, Screen, picture, violations

pytestmark = pytest.mark.slow

TARGET_PX = 44


@pytest.mark.parametrize(
    ("locale", "size", "scheme"),
    [
        ("en-US", "phone", "light"),
        ("ko-KR", "phone", "dark"),
        ("ko-KR", "desktop", "light"),
        ("en-US", "desktop", "dark"),
    ],
)
def test_everyone_can_read_and_use_it(member: Member, browser: Browser, locale: str, size: str, scheme: str) -> None:
    """SPEC 10.9"""
    with Screen(browser, PHONE if size == "phone" else DESKTOP, locale=locale, scheme=scheme) as page:
        page.goto(member.link)
        expect(page.locator(".entry")).to_have_count(2)
        page.locator(".entry-row").first.click()
        picture(page, f"{size}-{locale[:2]}-{scheme}")

        assert violations(page) == []
        assert _small_targets(page) == []
        page.locator(".card-button").last.click()
        expect(page.get_by_role("dialog")).to_be_visible()
        page.wait_for_timeout(600)  # The sheet has risen: contrast is measured on what stands still.
        assert violations(page) == []
        assert _small_targets(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert page.evaluate("document.activeElement.className") == "card-button"


def _small_targets(page: Page) -> list[str]:
    script = """least => [...document.querySelectorAll('button, summary, select, a:not(.skip, .related a)')]
      .filter(element => element.checkVisibility() && element.getBoundingClientRect().height < least)
      .map(element => element.outerHTML)"""
    small: list[str] = page.evaluate(script, TARGET_PX)
    return small
