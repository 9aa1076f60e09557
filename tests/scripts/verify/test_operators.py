"""Faults that `make mutate` plants: one thing is another, everything else is as it was."""

import ast

import pytest

from scripts.verify.operators import mutated, sites

SOURCE = '''
def f(a: int | None = 1, b=2):
    """Not 3 < 4."""
    log.warning("told %d", a + 1)
    assert a < 9, f"{a + b}"
    return BODY
'''


def others(body: str) -> set[str]:
    """What the expression may become."""
    source = SOURCE.replace("BODY", body)
    found = set()
    for site in sites(source):
        function = ast.parse(mutated(source, site)).body[0]
        assert isinstance(function, ast.FunctionDef)
        last = function.body[-1]
        assert isinstance(last, ast.Return)
        assert last.value is not None
        found.add(ast.unparse(last.value))
    # The assertion's own comparison and bound are places too, and leave the expression alone.
    return found - {ast.unparse(ast.parse(body))}


@pytest.mark.parametrize(
    ("body", "become"),
    [
        ("a < b", {"a <= b"}),
        ("a <= b < 7", {"a < b < 7", "a <= b <= 7", "a <= b < 8"}),
        ("a + b", {"a - b"}),
        ("a // b", {"a * b"}),
        ("a and b", {"a or b"}),
        ("not a", {"a"}),
        ("a in b", {"a not in b"}),
        ("a is None", {"a is not None"}),
        ("min(a, 5)", {"max(a, 5)", "min(a, 6)"}),
        ("a or True", {"a and True", "a or False"}),
        ("'x' + a", set()),
        ("f'{a + 1}'", set()),
        ("a | b", set()),
    ],
)
def test_an_expression_becomes_its_neighbours_one_at_a_time(body: str, become: set[str]) -> None:
    assert others(body) == become


def test_what_is_only_told_annotated_or_a_default_is_left_alone() -> None:
    assert [site.says for site in sites(SOURCE.replace("BODY", "a"))] == ["a < 9 -> a <= 9", "9 -> 10"]


def test_a_place_is_known_by_its_function_wherever_that_stands() -> None:
    source = "class C:\n    @property\n    def f(self):\n        return 1 + x\n"
    [plus, one] = sites(source)

    assert (plus.function, plus.line, plus.name) == (2, 4, "C.f")
    assert plus.key == "C.f: 1 + x -> 1 - x"
    assert [site.key for site in sites("\n\n" + source)] == [plus.key, one.key]
