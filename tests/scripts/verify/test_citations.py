"""The check of citations itself: what it reads as a rule, what as a citation, and what it finds."""

import pytest

from scripts.verify.citations import cited, findings, rules, undecided


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("SPEC 2.4", {"2.4"}),
        ("SPEC 1.8, 3.6, 3.10: oldest first", {"1.8", "3.6", "3.10"}),
        ("SPEC 1.8 and 3.6", {"1.8", "3.6"}),
        ("SPEC 8.3\n4.4", {"8.3"}),
        ("SPEC 9", set()),
        ("SPECIFICATION 9.1", set()),
        ("see SPEC 7.1; and SPEC 7.2", {"7.1", "7.2"}),
    ],
)
def test_a_citation_is_read_by_its_numbers(text: str, numbers: set[str]) -> None:
    assert cited(text) == numbers


def test_rules_are_read_as_lines_or_as_items_of_a_list() -> None:
    text = "# Moa\n\n1.1 One.\n- 1.2 Two. *(definition)*\n\n- **1.3** Three.\nNot 1.4 a rule.\n"

    assert rules(text) == [("1.1", False), ("1.2", True), ("1.3", False)]


def test_everything_that_can_be_wrong_is_found_and_nothing_else() -> None:
    text = "1.1 One.\n1.2 Two.\n1.2 Two again.\n1.3 Three. *(definition)*\n1.4 Four. *(definition)*\n"
    tests = {"a": '"""SPEC 1.1, 1.4"""', "b": '"""SPEC 9.9"""'}

    assert findings(text, tests) == [
        "SPEC 1.2 stands 2 times",
        "SPEC 1.2 is cited by no test and is not marked *(definition)*",
        "SPEC 1.2 is cited by no test and is not marked *(definition)*",
        "SPEC 1.4 is marked *(definition)* and cited in a",
        "SPEC 9.9 does not exist and is cited in b",
    ]
    assert findings("1.1 One.\n", {"a": "SPEC 1.1"}) == []


def test_decisions_count_up_and_have_a_status() -> None:
    good = "# D\n\n## 1. One\n*In force.*\n\nWhy.\n\n## 2. Two\n*Replaced by 1.*\n\nWhy.\n"
    assert undecided(good) == []
    assert undecided(good.replace("## 2.", "## 3.")) == ["DECISIONS: 'Two' stands at 2 and has number 3"]
    assert undecided(good.replace("## 2. ", "## ")) == ["DECISIONS: 'Two' stands at 2 and has number none"]
    assert undecided(good.replace("*In force.*\n", "")) == [
        "DECISIONS 1 has no status: *In force.* or *Replaced by N.*"
    ]
    assert undecided(good.replace("by 1", "by 9")) == ["DECISIONS 2 is replaced by 9, which does not exist"]
