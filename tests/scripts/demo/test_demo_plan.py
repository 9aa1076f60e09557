"""The demo's expectation, from the file alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from scripts.console.printed import points
from scripts.demo.plan import BACK_POINTS, EXCHANGE_POINTS, HOLD_POINTS, Agreement, expect, points_of
from scripts.demo.purchases import CDNOW_MEMBERS, CDNOW_PURCHASES, Purchase, cdnow, hanok
from scripts.demo.verdict import Line
from scripts.deploy.terms import terms

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
RULE = {"numerator": 3, "denominator": 2, "rounding": "down", "shortfall": "debt"}
RULES = {"cdnow": RULE, "hanok": RULE}
AGREEMENTS = {("cdnow", "hanok"): Agreement(4, 5, 200), ("hanok", "cdnow"): Agreement(6, 5, 200)}


def test_the_sample_has_the_purchases_and_members_that_its_readme_names() -> None:
    """SPEC 11.1"""
    orders = list(cdnow())

    assert len(orders) == CDNOW_PURCHASES == 6_919
    assert len({order.member for order in orders}) == CDNOW_MEMBERS == 2_357
    assert len({order.id for order in orders}) == 6_919, "two equal lines are two purchases"
    assert sum(order.amount == 0 for order in orders) == 8
    assert sum(order.amount for order in orders) == 24_409_194  # cents, by awk over the file


@pytest.mark.parametrize(
    "line",
    ["", "00004 0001 19970101 2", " 00004 0001 19970101  2   29.3", " 00004 0001 19970101  2  -1.00", "a b c d e"],
)
def test_a_line_that_is_no_purchase_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "sample.txt"
    file.write_text(" 00004 0001 19970101  2   29.33\n" + line + "\n")

    with pytest.raises(ValueError, match="line 2"):
        list(cdnow(file))


def test_only_an_order_of_value_nothing_says_free() -> None:
    """SPEC 9: an amount of 0 is refused unless the purchase says that it means it."""
    assert Purchase("1", "m", 0, "USD", "1997-01-01T12:00:00Z").as_json()["free"] is True
    assert "free" not in Purchase("1", "m", 1, "USD", "1997-01-01T12:00:00Z").as_json()


def test_points_round_down_and_no_other_rounding_is_guessed() -> None:
    order = Purchase("1", "m", 2_933, "USD", "1997-01-01T12:00:00Z")

    assert points_of(order, RULE) == 4_399
    with pytest.raises(ValueError, match="up"):
        points_of(order, {**RULE, "rounding": "up"})


def test_an_exchange_rounds_the_gross_down_and_the_fee_up() -> None:
    """SPEC 4"""
    assert Agreement(2, 3, 100).out(100) == 66 - 1
    assert Agreement(1, 1, 0).out(7) == 7


def test_the_plan_conserves_points_but_for_captures_fees_and_rates() -> None:
    """SPEC 11.3, 11.4"""
    orders = {"cdnow": list(cdnow()), "hanok": list(hanok())}

    plan = expect(orders, RULES, AGREEMENTS)

    captured = sum(one.capture - one.refund for one in plan.redemptions)
    away = EXCHANGE_POINTS * len(plan.exchanges)
    back = sum(one.minimum_out for one in plan.returns)
    bought = {one.id: one.amount for one in orders["cdnow"]}
    # By fractions of another form: what is kept of an order earns its floor, and all else of its award goes back.
    gone = sum(
        bought[one.order] * 3 // 2 - (0 if one.amount is None else (bought[one.order] - one.amount) * 3 // 2)
        for one in plan.goods_back
    )
    owed = sum(plan.debts["cdnow"].values())
    assert plan.supply["cdnow"] == plan.awarded["cdnow"] - captured - away + back - (gone - owed)
    assert plan.supply["hanok"] == plan.awarded["hanok"] + sum(
        one.minimum_out for one in plan.exchanges
    ) - BACK_POINTS * len(plan.returns)
    assert min(min(balances.values()) for balances in plan.balances.values()) >= 0
    assert {one.capture for one in plan.redemptions} == {0, 900, HOLD_POINTS}, "every way a hold can end is played"
    assert len(plan.exchanges) > 50
    assert len(plan.returns) > 10


def test_goods_come_back_whole_in_part_and_after_their_points_were_spent() -> None:
    """SPEC 2.24, 2.25, 11.3"""
    orders = {"cdnow": list(cdnow()), "hanok": list(hanok())}

    plan = expect(orders, RULES, AGREEMENTS)
    forgiving = expect(orders, {**RULES, "cdnow": {**RULE, "shortfall": "forgive"}}, AGREEMENTS)

    owing = {member: owed for member, owed in plan.debts["cdnow"].items() if owed}
    assert len([one for one in plan.goods_back if one.amount is None]) > 50
    assert len([one for one in plan.goods_back if one.amount is not None]) > 50
    assert len(owing) > 10
    # All their goods came back, and all that they had: what they redeemed is what they owe.
    assert all((plan.balances["cdnow"][member], owed) == (0, HOLD_POINTS) for member, owed in owing.items())
    assert forgiving.supply == plan.supply
    assert not any(forgiving.debts["cdnow"].values())
    assert len({one.order for one in plan.goods_back}) == len({one.id for one in plan.goods_back})


def test_the_same_file_gives_the_same_plan_and_another_file_another() -> None:
    """SPEC 11.3"""
    orders = {"cdnow": list(cdnow()), "hanok": list(hanok())}
    shorter = {**orders, "cdnow": orders["cdnow"][:-1_000]}

    plan, again = (expect(orders, RULES, AGREEMENTS) for _ in range(2))

    assert plan == again
    assert expect(shorter, RULES, AGREEMENTS).redemptions != plan.redemptions


def test_what_is_expected_is_computed_without_the_system_that_is_checked() -> None:
    """SPEC 11.4"""
    ours = ("chain", "api", "scripts", "httpx", "sqlalchemy", "sqlite3")
    for name in ("plan", "purchases"):
        tree = ast.parse((SCRIPTS / "demo" / f"{name}.py").read_text())
        imported = {
            module
            for node in ast.walk(tree)
            for module in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])
            + ([one.name for one in node.names] if isinstance(node, ast.Import) else [])
        }
        assert not {one for one in imported if one.split(".")[0] in ours} - {"scripts.demo.purchases"}


def test_the_second_brand_has_purchases_a_rule_and_agreements_of_its_own() -> None:
    """SPEC 11.2"""
    published = terms()
    orders = list(hanok())

    assert [brand["slug"] for brand in published["brands"]] == ["cdnow", "hanok"]
    assert published["brands"][0]["rules"]["purchase"] != published["brands"][1]["rules"]["purchase"]
    assert {(one["from"], one["to"]) for one in published["agreements"]} == {("cdnow", "hanok"), ("hanok", "cdnow")}
    assert len(orders) == len({order.id for order in orders}) == 200
    assert {order.currency for order in orders} == {"KRW"}
    for order in [*orders[:50], *list(cdnow())[:50]]:
        assert order.as_json()["amount"] == str(order.amount), "whole units of the currency's smallest coin, as text"


def test_the_verdict_falls_when_any_one_figure_differs() -> None:
    """SPEC 11.5: each of the four sums, the count of awards and the members must agree."""
    right = {
        "brand": "cdnow", "expected": 7, "supply_on_chain": 7, "sum_on_chain": 7, "sum_in_mirror": 7,
        "awards_on_chain": 3, "awards_expected": 3, "members_right": 2, "members": 2,
    }  # fmt: skip

    assert Line(**right).holds  # type: ignore[arg-type]
    for name in right:
        if name != "brand":
            assert not Line(**{**right, name: 1_000}).holds, name  # type: ignore[arg-type]


def test_points_are_shown_with_two_decimals_and_never_as_floats() -> None:
    assert points(439_950) == "4,399.50"
    assert points(-5) == "-0.05"
    assert points(10**30 + 1) == f"{10**28:,}.01"
