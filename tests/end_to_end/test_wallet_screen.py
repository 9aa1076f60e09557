"""The member's wallet in a real browser against the running system. Pictures go to build/screens/."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from scripts.stack.local_stack import LocalStack
from tests.end_to_end.screen import PHONE, WAIT_MS, Member, Screen, as_brand, buy, order, picture, points, spendable

pytestmark = pytest.mark.slow

BANNER_MS = 30_000


def test_without_a_session_the_wallet_says_what_to_do(demo: LocalStack, page: Page) -> None:
    """SPEC 10.2"""
    answer = page.goto(f"{demo.url}/")

    assert answer is not None
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    expect(page.get_by_role("heading", level=1)).to_have_text("Open your wallet with your own link")
    expect(page.locator(".card")).to_have_count(0)


def test_a_session_that_nobody_knows_shows_nothing_and_is_forgotten(demo: LocalStack, page: Page) -> None:
    """SPEC 10.2"""
    page.goto(f"{demo.url}/#session=moa_m_000000000000_{'0' * 43}")

    expect(page.get_by_role("heading", level=1)).to_have_text("Your link has run out")
    expect(page.locator(".card")).to_have_count(0)
    assert page.evaluate("sessionStorage.getItem('moa.session')") is None


def test_the_session_leaves_the_address_and_outlives_a_reload(member: Member, page: Page) -> None:
    """SPEC 10.1"""
    page.goto(member.link)

    expect(spendable(page, "cdnow")).to_be_visible()
    assert page.url == member.bare
    page.reload()
    expect(spendable(page, "cdnow")).to_be_visible()
    assert page.evaluate("localStorage.getItem('moa.session')") is None


def test_a_link_opened_without_a_network_shows_the_points_as_soon_as_there_is_one(member: Member, page: Page) -> None:
    """SPEC 10.1, 10.7"""
    page.goto(member.bare)
    page.context.set_offline(True)
    page.evaluate("hash => { location.hash = hash }", member.link.removeprefix(member.bare))

    expect(page.get_by_role("heading", level=1)).to_have_text("We cannot reach your points just now")
    assert page.url == member.bare
    page.context.set_offline(False)
    expect(spendable(page, "cdnow")).to_be_visible(timeout=WAIT_MS)


def test_points_arrive_without_a_reload_and_are_proved_by_the_node(
    demo: LocalStack, member: Member, page: Page
) -> None:
    """SPEC 10.6, 10.10"""
    page.goto(member.link)
    expect(page.locator(".freshness")).to_have_attribute("data-state", "live", timeout=WAIT_MS)
    before = points(spendable(page, "cdnow"))
    expect(page.locator(".entry")).to_have_count(2)
    page.evaluate("window.stillHere = true")

    buy(demo, "cdnow", member.id, "2933")

    newest = page.locator(".entry").first
    expect(page.locator(".entry")).to_have_count(3, timeout=WAIT_MS)
    expect(newest).to_have_attribute("data-new", "true")
    expect(newest).to_contain_text("29.33 USD × 1.5")
    expect(page.locator(".entry[data-brand=hanok]")).to_contain_text("4,200 KRW ÷ 120")
    gained = points(newest.locator(".entry-points .amount"))
    assert gained > 0
    expect(page.locator("[aria-live=polite].visually-hidden")).to_contain_text("CDNOW")
    assert points(spendable(page, "cdnow")) == before + gained
    assert page.evaluate("window.stillHere") is True
    picture(page, "phone-arrived")

    newest.get_by_role("button").first.click()
    told = {
        fact: newest.locator(f"[data-proof={fact}]").get_attribute("data-value")
        for fact in ("tx_hash", "block_number", "block_hash", "log_index", "contract")
    }
    receipt = _rpc(demo, "eth_getTransactionReceipt", told["tx_hash"])
    log = next(log for log in receipt["logs"] if int(log["logIndex"], 16) == int(told["log_index"] or "-1"))
    assert receipt["status"] == "0x1"
    assert receipt["blockHash"] == told["block_hash"]
    assert int(receipt["blockNumber"], 16) == int(told["block_number"] or "-1")
    assert log["address"].lower() == (told["contract"] or "").lower()
    assert member.address.lower()[2:] in "".join([*log["topics"], log["data"]])
    canonical = _rpc(demo, "eth_getBlockByNumber", receipt["blockNumber"], False)
    assert canonical["hash"] == told["block_hash"]

    newest.get_by_role("button", name="Check on the chain").click()
    expect(newest.locator(".verdict")).to_have_attribute("data-verified", "true")
    picture(page, "phone-proof")


def test_an_offer_is_seen_and_then_exchanged(member: Member, page: Page) -> None:
    """SPEC 10.3, 10.8, 10.11"""
    page.goto(member.link)
    given, received = points(spendable(page, "cdnow")), points(spendable(page, "hanok"))
    page.locator(".card[data-brand=cdnow]").get_by_role("button", name="Exchange").click()
    sheet = page.get_by_role("dialog")

    for wrong in ("", "0", "1.234", "-5", "ten", "99999999"):
        sheet.get_by_label("Points to give").fill(wrong)
        sheet.get_by_role("button", name="See the offer").click()
        expect(sheet.get_by_label("Points to give")).to_have_attribute("aria-invalid", "true")
    sheet.get_by_label("Points to give").fill("20.50")
    sheet.get_by_role("button", name="See the offer").click()
    offered = points(sheet.locator(".offer-receive .amount"))
    expect(sheet.get_by_role("timer")).to_contain_text("Offer holds for")
    picture(page, "phone-offer")
    sheet.get_by_role("button", name="Exchange now").click()

    expect(sheet.locator(".outcome-text")).to_contain_text("are yours", timeout=WAIT_MS)
    sheet.get_by_role("button", name="Done").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".entry[data-kind=exchange_out]")).to_have_count(1, timeout=WAIT_MS)
    expect(page.locator(".entry[data-kind=exchange_in]")).to_have_count(1, timeout=WAIT_MS)
    assert points(spendable(page, "cdnow")) == given - 2050
    assert points(spendable(page, "hanok")) == received + offered


def test_an_offer_whose_time_is_over_cannot_be_accepted(member: Member, page: Page) -> None:
    """SPEC 10.11"""
    page.clock.install()
    page.goto(member.link)
    page.locator(".card[data-brand=cdnow]").get_by_role("button", name="Exchange").click()
    sheet = page.get_by_role("dialog")
    sheet.get_by_label("Points to give").fill("1")
    sheet.get_by_role("button", name="See the offer").click()
    expect(sheet.get_by_role("button", name="Exchange now")).to_be_visible()

    page.clock.fast_forward("10:00")

    expect(sheet.get_by_role("timer")).to_have_text("This offer has run out.")
    expect(sheet.get_by_role("button", name="Exchange now")).to_have_count(0)
    sheet.get_by_role("button", name="Get a new offer").click()
    expect(sheet.get_by_role("button", name="Exchange now")).to_be_visible()


def test_points_are_set_aside_with_a_code_for_the_till(member: Member, page: Page) -> None:
    """SPEC 10.8"""
    page.goto(member.link)
    card = page.locator(".card[data-brand=hanok]")
    before = points(spendable(page, "hanok"))
    card.get_by_role("button", name="Use points").click()
    sheet = page.get_by_role("dialog")
    sheet.get_by_label("Points to set aside").fill("5")
    sheet.get_by_role("button", name="Set aside").click()

    expect(sheet.get_by_role("img", name="Code for the till")).to_be_visible(timeout=WAIT_MS)
    expect(sheet.locator(".hold-code")).to_have_text(re.compile(r"\d{3} \d{3} \d{3}$"))
    sheet.get_by_role("button", name="Done").click()
    expect(card.locator(".card-split dd").first).to_have_text("5.00", timeout=WAIT_MS)
    assert points(spendable(page, "hanok")) == before - 500


def test_a_lost_line_keeps_the_figures_and_brings_what_was_missed(demo: LocalStack, member: Member, page: Page) -> None:
    """SPEC 10.6, 10.7"""
    page.goto(member.link)
    expect(page.locator(".freshness")).to_have_attribute("data-state", "live", timeout=WAIT_MS)
    before = points(spendable(page, "cdnow"))

    page.context.set_offline(True)
    expect(page.locator(".banner")).to_be_visible(timeout=BANNER_MS)
    assert points(spendable(page, "cdnow")) == before
    picture(page, "phone-offline")
    buy(demo, "cdnow", member.id, "1000")
    page.context.set_offline(False)

    expect(page.locator(".entry")).to_have_count(3, timeout=WAIT_MS)
    expect(page.locator(".banner")).to_have_count(0, timeout=WAIT_MS)
    assert points(spendable(page, "cdnow")) > before


def test_a_quiet_chain_is_not_called_lost(member: Member, page: Page) -> None:
    """SPEC 10.7"""
    page.clock.install()
    page.goto(member.link)
    expect(page.locator(".freshness")).to_have_attribute("data-state", "live", timeout=WAIT_MS)

    for _ in range(6):
        page.clock.run_for(5_000)
        page.wait_for_timeout(200)

    expect(page.locator(".freshness")).to_have_attribute("data-state", "live")
    expect(page.locator(".banner")).to_have_count(0)


def test_the_lots_of_a_balance_open_and_add_up(member: Member, page: Page) -> None:
    """SPEC 10.8"""
    page.goto(member.link)
    card = page.locator(".card[data-brand=cdnow]")
    card.get_by_text(re.compile(r"^[\d.,]+ expire \d+ \w+ \d{4}$")).click()

    lots = card.locator(".lots li .amount")
    expect(lots.first).to_be_visible()
    assert sum(points(lot) for lot in lots.all()) == points(spendable(page, "cdnow"))


def test_a_long_history_comes_page_by_page_without_a_gap(demo: LocalStack, member: Member, page: Page) -> None:
    """SPEC 10.15, 10.25"""
    with as_brand(demo, "cdnow") as shop:
        lines = [order("cdnow", member.id, str(100 + place)) for place in range(105)]
        answers = shop.post_lines("/v1/purchases", lines, key=f"many-{member.id}")
    assert {answer["status"] for answer in answers} == {"accepted"}
    page.goto(member.link)
    # 105 purchases of 1.00 to 2.04, three points for two cents, each rounded down, beside the first one.
    has = 18_075 + sum((100 + place) * 3 // 2 for place in range(105))
    expect(spendable(page, "cdnow")).to_have_text(f"{has // 100}.{has % 100:02d} CDN", timeout=WAIT_MS)
    page.reload()
    history = page.locator(".history")
    expect(history).to_have_attribute("data-listed", "50")

    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(history).to_have_attribute("data-listed", "100")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(history).to_have_attribute("data-whole", "true")
    expect(history).to_have_attribute("data-listed", "107")
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)
    # Not a line too many or too few: together they are the balance.
    expect(page.locator(".sums [data-brand=cdnow]")).to_have_attribute("data-sum", str(has))
    ids = [int(entry.get_attribute("data-entry") or "0") for entry in page.locator(".entry").all()]
    assert ids == sorted(set(ids), reverse=True)


def test_one_brand_can_be_shown_alone(member: Member, page: Page) -> None:
    page.goto(member.link)
    expect(page.locator(".entry")).to_have_count(2)

    page.get_by_role("group", name="Show one brand").get_by_role("button").nth(1).click()
    expect(page.locator(".entry")).to_have_count(1)

    page.get_by_role("group", name="Show one brand").get_by_role("button", name="All").click()
    expect(page.locator(".entry")).to_have_count(2)


def test_the_screen_speaks_korean_and_remembers_it(member: Member, browser: Browser) -> None:
    """SPEC 10.4"""
    with Screen(browser, PHONE) as page:
        page.goto(member.link)
        page.get_by_role("button", name="한국어").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("내 포인트")
        assert page.evaluate("document.documentElement.lang") == "ko"
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_have_text("내 포인트")
    with Screen(browser, PHONE, locale="ko-KR") as page:
        page.goto(member.link)
        expect(page.get_by_role("heading", level=1)).to_have_text("내 포인트")


def _rpc(demo: LocalStack, method: str, *params: object) -> Any:
    asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return httpx.post(demo.rpc_url, json=asked, timeout=10).json()["result"]
