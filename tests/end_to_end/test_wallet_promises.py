"""What the wallet promises while things go wrong: nothing counts twice, nothing is lost or said falsely."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from scripts.stack.local_stack import LocalStack
from tests.end_to_end.screen import (
    DESKTOP,
    PHONE,
    WAIT_MS,
    Member,
    Screen,
    as_brand,
    buy,
    picture,
    points,
    spendable,
    still,
    violations,
)

pytestmark = pytest.mark.slow

TOLD_MS = 15_000  # A gateway that is frozen is told after eight seconds.
TABS = 8
# Looks at what the device remembers until it is so.
REMEMBERED = """async () => {
  for (let looks = 0; looks < 300; looks++) {
    const all = await new Promise(told => {
      const asked = indexedDB.open('moa');
      asked.onsuccess = () => {
        const all = asked.result.transaction('known').objectStore('known').getAll();
        all.onsuccess = () => { asked.result.close(); told(all.result); };
      };
    });
    if (CONDITION) return;
    await new Promise(go => setTimeout(go, 100));
  }
  throw new Error('never');
}"""
LINES = 2_000
# What one line takes on the page, opened or not, times those near the screen; and all the rest of it.
NODES_MAX = 2_500


@pytest.fixture
def line(browser: Browser) -> Iterator[Page]:
    """A phone whose line to the gateway can be made bad."""
    with Screen(browser, PHONE, bad_line=True) as page:
        yield page


def remembers(page: Page, condition: str) -> None:
    page.evaluate(REMEMBERED.replace("CONDITION", condition))


def session_of(member: Member) -> dict[str, str]:
    return {"Authorization": f"Bearer {member.link.partition('session=')[2]}"}


def my_holds(demo: LocalStack, member: Member) -> list[dict[str, Any]]:
    answer = httpx.get(f"{demo.url}/v1/me/holds", headers=session_of(member), timeout=20)
    holds: list[dict[str, Any]] = answer.json()["holds"]
    return holds


def set_aside(page: Page, brand: str, amount: str) -> None:
    page.locator(f".card[data-brand={brand}]").get_by_role("button", name="Use points").click()
    page.get_by_role("dialog").get_by_label("Points to set aside").fill(amount)
    page.get_by_role("dialog").get_by_role("button", name="Set aside").click()


def shown(units: int, symbol: str) -> str:
    return f"{units // 100:,}.{units % 100:02d} {symbol}"


def ending(page: Page) -> Any:
    return page.get_by_role("dialog").locator(".outcome")


def loses_answers(page: Page) -> list[str]:
    """What is asked comes there and counts, and no answer comes back, to a question neither."""
    sent: list[str] = []

    def lose(route: Route) -> None:
        sent.append(route.request.headers["idempotency-key"])
        route.fetch(timeout=WAIT_MS)
        route.abort()

    page.route("**/v1/holds", lose)
    page.route("**/v1/me/intentions/**", lambda route: route.abort())
    return sent


def test_an_answer_that_is_lost_spends_once_whatever_is_pressed_and_reloaded(
    demo: LocalStack, member: Member, line: Page
) -> None:
    """SPEC 10.12, 10.14, 10.16"""
    line.goto(member.link)
    before = points(spendable(line, "hanok"))
    sent = loses_answers(line)
    set_aside(line, "hanok", "5")
    expect(ending(line)).to_have_attribute("data-ending", "unknown", timeout=WAIT_MS)
    expect(ending(line)).to_contain_text("Not known yet", timeout=WAIT_MS)
    picture(line, "phone-unknown")
    assert violations(line) == []

    # Closed, reloaded and asked for again: nothing new is offered, and what may be gone is not offered either.
    line.get_by_role("dialog").get_by_role("button", name="Done").click()
    line.reload()
    expect(line.locator(".wish[data-ending=unknown]")).to_have_count(1)
    line.locator(".card[data-brand=hanok]").get_by_role("button", name="Use points").click()
    expect(line.get_by_role("dialog")).to_contain_text("Before anything new")
    expect(line.get_by_label("Points to set aside")).to_have_count(0)
    line.keyboard.press("Escape")
    line.locator(".card[data-brand=cdnow]").get_by_role("button", name="Exchange").click()
    expect(line.get_by_role("dialog")).to_contain_text("Before anything new")
    line.keyboard.press("Escape")
    assert points(spendable(line, "hanok")) <= before - 500

    line.unroute("**/v1/me/intentions/**")
    expect(line.locator(".wish")).to_have_count(0, timeout=WAIT_MS)
    expect(line.locator(".hold-row")).to_have_count(1, timeout=WAIT_MS)
    expect(spendable(line, "hanok")).to_have_text(shown(before - 500, "HNK"))
    assert len(sent) == 1
    assert [hold["points"] for hold in my_holds(demo, member)] == ["500"]


def test_what_never_came_is_sent_by_the_member_alone_or_dropped_for_good(
    demo: LocalStack, member: Member, line: Page
) -> None:
    """SPEC 10.14, 10.16"""
    line.goto(member.link)
    line.route("**/v1/holds", lambda route: route.abort())
    set_aside(line, "hanok", "1")
    expect(line.get_by_role("dialog")).to_contain_text("this never reached us", timeout=WAIT_MS)
    picture(line, "phone-absent")
    line.get_by_role("button", name="Drop it").click()
    expect(line.get_by_role("dialog")).to_contain_text("You dropped it", timeout=WAIT_MS)
    line.get_by_role("dialog").get_by_role("button", name="Done").click()
    expect(line.locator(".wish")).to_have_count(0)

    set_aside(line, "hanok", "2")
    expect(line.get_by_role("dialog")).to_contain_text("this never reached us", timeout=WAIT_MS)
    line.unroute("**/v1/holds")
    line.get_by_role("button", name="Send it now").click()
    expect(line.get_by_role("img", name="Code for the till")).to_be_visible(timeout=WAIT_MS)
    assert [hold["points"] for hold in my_holds(demo, member)] == ["200"]


def test_a_refusal_says_why_and_stays_until_it_is_taken_off(member: Member, line: Page) -> None:
    """SPEC 10.16"""
    line.goto(member.link)
    refusal = {"error": "BacklogFull", "title": "", "status": 429}
    line.route("**/v1/holds", lambda route: route.fulfill(status=429, json=refusal))
    set_aside(line, "hanok", "1")
    expect(ending(line)).to_have_attribute("data-ending", "refused", timeout=WAIT_MS)
    expect(ending(line)).to_contain_text("nothing has changed")
    picture(line, "phone-refused")
    line.get_by_role("dialog").get_by_role("button", name="Done").click()

    line.reload()
    wish = line.locator(".wish[data-ending=refused]")
    expect(wish).to_contain_text("nothing has changed")
    wish.get_by_role("button", name="Take off the list").click()
    expect(wish).to_have_count(0)
    line.reload()
    expect(line.locator(".entry")).not_to_have_count(0)
    expect(wish).to_have_count(0)


def test_a_hold_is_found_again_read_out_taken_and_its_lines_add_up(
    demo: LocalStack, member: Member, page: Page
) -> None:
    """SPEC 9.91, 10.15, 10.23"""
    page.goto(member.link)
    before = points(spendable(page, "cdnow"))
    set_aside(page, "cdnow", "50")
    expect(page.get_by_role("img", name="Code for the till")).to_be_visible(timeout=WAIT_MS)
    page.get_by_role("dialog").get_by_role("button", name="Done").click()
    # Found again after a reload, even without a network.
    remembers(page, "all[0]?.holds?.length === 1")
    page.evaluate("navigator.serviceWorker.ready.then(() => undefined)")
    page.context.set_offline(True)
    page.reload()
    expect(page.locator(".hold-row")).to_contain_text(re.compile(r"\d{3} \d{3} \d{3}"))
    page.context.set_offline(False)
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.locator(".hold-row").click()
    code = page.locator(".hold-code").inner_text().replace("In digits:", "").replace(" ", "").strip()
    expect(page.get_by_role("timer")).to_contain_text("left, until")
    picture(page, "phone-hold")
    assert violations(page) == []

    with as_brand(demo, "cdnow") as till:
        found = till.get("/v1/holds", code=re.sub(r"\D", "", code))
        till.post(f"/v1/holds/{found['id']}/capture", {"points": "2000"}, key=f"{found['id']}-capture", wait_s=20)
    expect(ending(page)).to_contain_text("20.00 CDN spent", timeout=WAIT_MS)
    expect(page.get_by_role("img", name="Code for the till")).to_have_count(0)
    page.get_by_role("dialog").get_by_role("button", name="Done").click()
    expect(page.locator(".hold-row")).to_have_count(0)
    capture = page.locator(".entry[data-kind=capture]")
    expect(capture.locator(".entry-points")).to_contain_text("−20.00")
    expect(page.locator(".entry[data-kind=hold] .entry-points")).to_have_attribute("data-sign", "move")
    for brand, has in (("cdnow", before - 2000), ("hanok", points(spendable(page, "hanok")))):
        expect(page.locator(f".sums [data-brand={brand}]")).to_have_attribute("data-sum", str(has))

    # From the capture to its hold, and from there back.
    capture.get_by_role("button").first.click()
    capture.locator("[data-related]").click()
    sheet = page.get_by_role("dialog")
    expect(sheet.locator(".facts")).to_contain_text("Moved from “to spend” to “on hold”")
    sheet.locator("[data-related]").click()
    expect(sheet.locator(".facts")).to_contain_text("Returned to you")


def test_a_hold_is_cancelled_by_its_member(demo: LocalStack, member: Member, page: Page) -> None:
    """SPEC 9.92, 10.23"""
    page.goto(member.link)
    before = points(spendable(page, "cdnow"))
    set_aside(page, "cdnow", "7")
    page.get_by_role("button", name="Give the points back to me").click(timeout=WAIT_MS)
    expect(ending(page)).to_contain_text("back with you", timeout=WAIT_MS)
    page.get_by_role("dialog").get_by_role("button", name="Done").click()

    expect(page.locator(".hold-row")).to_have_count(0)
    expect(page.locator(".entry[data-kind=release] .entry-points")).to_have_attribute("data-sign", "move")
    expect(spendable(page, "cdnow")).to_have_text(shown(before, "CDN"))
    assert [hold["state"] for hold in my_holds(demo, member)] == ["released"]


def test_back_closes_what_lies_over_the_page_and_stays_on_it(reader: Member, page: Page) -> None:
    """SPEC 10.24"""
    page.goto(reader.bare)
    page.goto(reader.link)
    for name in ("Use points", "Exchange"):
        page.locator(".card[data-brand=cdnow]").get_by_role("button", name=name).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        page.go_back()
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(spendable(page, "cdnow")).to_be_visible()
    depth = page.evaluate("history.length")
    page.locator(".card[data-brand=cdnow]").get_by_role("button", name="Use points").click()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.wait_for_function("history.state === null")
    assert page.evaluate("history.length") <= depth + 1


def test_one_amount_that_cannot_be_read_leaves_the_rest_of_the_page(reader: Member, line: Page) -> None:
    """SPEC 10.20"""

    def spoil(route: Route) -> None:
        told = route.fetch().json()
        told["entries"][0]["points"] = "12.5"
        route.fulfill(json=told)

    def spoil_view(route: Route) -> None:
        told = route.fetch().json()
        told["balances"][0]["spendable"] = "many"
        route.fulfill(json=told)

    line.route("**/v1/me/entries?*", spoil)
    line.route("**/v1/me/view", spoil_view)
    line.route("**/v1/me/stream", lambda route: route.abort())
    line.goto(reader.link)

    expect(line.locator(".entry")).to_have_count(2)
    expect(line.locator(".entry .entry-points .amount").first).to_contain_text("–")
    expect(line.locator(".entry .entry-points .amount").last).to_contain_text("+")
    expect(line.locator(".card")).to_have_count(2)


def test_eight_tabs_of_a_member_all_live(demo: LocalStack, member: Member, browser: Browser) -> None:
    """SPEC 10.21: a browser keeps six connections to a place; the eighth tab needs one to ask anything by."""
    with (screen := Screen(browser, PHONE)) as first:
        tabs = [first, *(screen.another() for _ in range(TABS - 1))]
        for tab in tabs:
            tab.goto(member.link)
            expect(spendable(tab, "cdnow")).to_be_visible(timeout=WAIT_MS)
        buy(demo, "cdnow", member.id, "1000")
        for tab in tabs:
            expect(tab.locator(".entry")).to_have_count(3, timeout=WAIT_MS)
            expect(tab.locator(".freshness")).to_have_attribute("data-state", "live", timeout=WAIT_MS)


def test_a_gateway_that_is_frozen_is_told_soon_and_the_chain_is_not_blamed(
    demo: LocalStack, reader: Member, page: Page
) -> None:
    """SPEC 10.7"""
    page.goto(reader.link)
    expect(page.locator(".freshness")).to_have_attribute("data-state", "live", timeout=WAIT_MS)
    pid = demo.child("gateway").process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        expect(page.locator(".banner")).to_have_attribute("data-cause", "silent", timeout=TOLD_MS)
        expect(page.locator(".freshness")).to_have_attribute("data-state", "silent")
        picture(page, "phone-silent")
    finally:
        os.kill(pid, signal.SIGCONT)
    expect(page.locator(".freshness")).to_have_attribute("data-state", "live", timeout=WAIT_MS)
    expect(page.locator(".banner")).to_have_count(0)


def test_without_a_network_the_wallet_opens_with_the_last_known_figures_marked(reader: Member, page: Page) -> None:
    """SPEC 10.22"""
    page.goto(reader.link)
    known = spendable(page, "cdnow").inner_text()
    page.evaluate("navigator.serviceWorker.ready.then(() => undefined)")
    remembers(page, "all.length === 1")
    page.context.set_offline(True)
    page.reload()

    expect(spendable(page, "cdnow")).to_have_text(known)
    expect(page.locator(".freshness")).to_have_attribute("data-remembered", "true")
    expect(page.locator(".banner")).to_contain_text("offline", timeout=TOLD_MS)
    expect(page.locator(".banner")).to_contain_text("Seen on")
    picture(page, "phone-remembered")
    page.context.set_offline(False)
    expect(page.locator(".freshness")).to_have_attribute("data-remembered", "false", timeout=WAIT_MS)


def test_a_session_that_is_over_leaves_nothing_on_the_device(member: Member, page: Page) -> None:
    """SPEC 10.2, 10.22"""
    page.goto(member.link)
    expect(spendable(page, "cdnow")).to_be_visible()
    token = session_of(member)
    ended = httpx.delete(
        f"{member.bare}v1/me/sessions/{token['Authorization'].split('_')[2]}",
        headers={**token, "Idempotency-Key": "over"},
        timeout=20,
    )
    assert ended.status_code == 200, ended.text

    expect(page.get_by_role("heading", level=1)).to_have_text("Your link has run out", timeout=WAIT_MS)
    remembers(page, "all.length === 0")


def test_a_long_history_takes_no_more_of_the_page_than_a_short_one(reader: Member, line: Page) -> None:
    """SPEC 10.25"""
    [sample] = httpx.get(
        f"{reader.bare}v1/me/entries", params={"limit": 1}, headers=session_of(reader), timeout=20
    ).json()["entries"]
    sizes = {"asked": 0}

    def page_of(route: Route) -> None:
        cursor = re.search(r"cursor=(\d+)", route.request.url)
        first = int(cursor[1]) if cursor else LINES
        sizes["asked"] += 1
        entries = [{**sample, "id": str(number), "related": []} for number in range(first, max(first - 200, 0), -1)]
        left = first - 200
        route.fulfill(json={"entries": entries, "next_cursor": str(left) if left > 0 else None, "as_of": {}})

    line.route("**/v1/me/entries?*", page_of)
    line.route("**/v1/me/stream", lambda route: route.abort())
    line.goto(reader.link)
    history = line.locator(".history")
    for _ in range(LINES // 200 + 5):
        line.evaluate("scrollTo(0, document.body.scrollHeight)")
        line.wait_for_timeout(150)
        if history.get_attribute("data-whole") == "true":
            break
    expect(history).to_have_attribute("data-listed", str(LINES))
    line.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(line.locator(".entry[data-entry='1']")).to_be_visible()

    nodes = line.evaluate("document.querySelectorAll('*').length")
    assert nodes < NODES_MAX, nodes
    line.evaluate("scrollTo(0, 0)")
    expect(line.locator(f".entry[data-entry='{LINES}']")).to_be_visible()


SEVEN = (
    ("cdnow", "CDNOW", "#3b5bdb"), ("hanok", "한옥 베이커리", "#b4532a"),
    ("tea", "The Very Long Name of a Tea House", "#0b7285"),
    ("books", "Books", "#ffd43b"), ("air", "Air", "#212529"), ("gym", "Gym", "#e03131"), ("zoo", "Zoo", "#f1f3f5"),
)  # fmt: skip


def seven_brands(line: Page) -> None:
    def seven(route: Route) -> None:
        told = route.fetch().json()
        one = told["balances"][0]
        told["balances"] = [
            {
                **one,
                "brand": {"slug": slug, "name": name, "symbol": slug[:3].upper(), "colour": colour, "decimals": 2},
                "spendable": str(12_345_678_90 * (place + 1)),
            }
            for place, (slug, name, colour) in enumerate(SEVEN)
        ]
        route.fulfill(json=told)

    line.route("**/v1/me/view", seven)
    line.route("**/v1/me/stream", lambda route: route.abort())


CUT = """() => [...document.querySelectorAll('main *, dialog *')].filter(one => {
  const style = getComputedStyle(one);
  return one.checkVisibility() && one.clientWidth > 0 && style.overflowX !== 'visible' && style.overflowX !== 'auto'
    && one.scrollWidth > one.clientWidth + 1 && !one.closest('.visually-hidden, .hash, .filter, .card')
}).map(one => one.outerHTML.slice(0, 200))"""
BEYOND = """() => [...document.querySelectorAll(
  '.amount, .card-name, .card h3, .entry-kind, .entry-brand, button'
)].filter(one => {
  const box = one.getBoundingClientRect();
  return one.checkVisibility() && !one.closest('.filter, .skip') && (box.left < -1 || box.right > innerWidth + 1)
}).map(one => one.outerHTML.slice(0, 200))"""


@pytest.mark.parametrize(
    ("size", "locale", "scheme"),
    [("phone", "en-US", "light"), ("desktop", "ko-KR", "dark")],
)
def test_seven_brands_and_text_twice_as_large_lay_out(
    reader: Member, browser: Browser, size: str, locale: str, scheme: str
) -> None:
    """SPEC 10.26"""
    screen = PHONE if size == "phone" else DESKTOP
    with Screen(browser, screen, locale=locale, scheme=scheme, bad_line=True) as page:
        seven_brands(page)
        page.goto(reader.link)
        expect(page.locator(".card")).to_have_count(7)
        expect(page.locator(".entry")).to_have_count(2)
        picture(page, f"{size}-seven-{locale[:2]}-{scheme}")
        assert violations(page) == []
        top = page.evaluate("document.querySelector('.history').getBoundingClientRect().top")
        assert top < 1000, "the history is near, however many brands there are"
        page.evaluate("document.documentElement.style.fontSize = '32px'")
        page.locator(".card-fold").nth(2).click()
        still(page)
        picture(page, f"{size}-seven-large-{locale[:2]}-{scheme}")
        assert page.evaluate(CUT) == []
        assert page.evaluate(BEYOND) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_amount_that_could_be_two_is_asked_about(reader: Member, page: Page) -> None:
    """SPEC 10.17"""
    page.goto(reader.link)
    page.locator(".card[data-brand=cdnow]").get_by_role("button", name="Use points").click()
    field = page.get_by_label("Points to set aside")
    for wrong in ("12,50", "0,005"):
        field.fill(wrong)
        page.get_by_role("dialog").get_by_role("button", name="Set aside").click()
        expect(page.get_by_role("dialog")).to_contain_text("not sure which amount you mean")
    field.fill("1,000.50")
    expect(page.get_by_role("dialog")).to_contain_text("1,000.50 CDN of")
