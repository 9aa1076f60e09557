"""An entry verified in the browser itself: by the second verifier, from bytes, under the wallet's own policy."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, Route

from chain.evidence.verify import verify
from tests.end_to_end.screen import DESKTOP, PHONE, WAIT_MS, Member, Screen, picture

pytestmark = pytest.mark.slow
SAID = {
    "en-US": ("Verify on this device", "Proven on this device."),
    "ko-KR": ("이 기기에서 검증", "이 기기에서 증명됐어요."),
}


def opened(page: Page, member: Member) -> None:
    """The newest entry's details."""
    page.goto(member.link)
    page.locator(".entry").first.get_by_role("button").first.click(timeout=WAIT_MS)


@pytest.mark.parametrize("locale", ["en-US", "ko-KR"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_an_entry_is_proven_on_the_page(browser: Browser, member: Member, size: dict[str, int], locale: str) -> None:
    """SPEC 13.7, 13.8"""
    ask, told = SAID[locale]
    with Screen(browser, size, locale=locale) as page:
        opened(page, member)
        with page.expect_response(lambda answer: "/v1/me/evidence" in answer.url) as waited:
            page.get_by_role("button", name=ask).first.click()

        verdict = page.locator(".verdict[data-verified=true]").first
        verdict.wait_for(timeout=WAIT_MS)
        assert told in verdict.inner_text()
        found = verify(waited.value.body())
        assert (found.verdict, found.error) == ("consistent", None)
        assert str(found.registry) in verdict.inner_text()
        picture(page, f"verified-{'phone' if size is PHONE else 'desktop'}-{locale[:2]}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"]


def test_a_bundle_that_was_changed_on_the_way_is_not_believed(page: Page, member: Member) -> None:
    """SPEC 13.7"""

    def changed(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.body().replace(b'"points":"', b'"points":"9', 1))

    page.route("**/v1/me/evidence*", changed)
    opened(page, member)
    page.get_by_role("button", name="Verify on this device").first.click()

    verdict = page.locator(".verdict[data-verified=false]").first
    verdict.wait_for(timeout=WAIT_MS)
    assert "DigestWrong" in verdict.inner_text()


def test_a_bundle_of_another_registry_is_not_believed(page: Page, member: Member) -> None:
    """SPEC 13.11"""

    def another(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "registry": "0x" + "66" * 20})

    page.route("**/.well-known/moa-keys.json", another)
    opened(page, member)
    page.get_by_role("button", name="Verify on this device").first.click()

    verdict = page.locator(".verdict[data-verified=false]").first
    verdict.wait_for(timeout=WAIT_MS)
    assert "RegistryMismatch" in verdict.inner_text()
