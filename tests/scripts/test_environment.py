"""What every command reads from the environment: as from its options, refused by name, and never over an option."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from typer.testing import CliRunner

from scripts.cli.app import app

ROOT = typer.main.get_command(app)
# Good enough to be parsed; no test here lets a command begin.
VALUES: dict[type, str] = {str: "some-text", int: "7", float: "1.5", Path: "some/path", bool: "1"}


def kind(option: Any) -> type:
    """What the function wants, whether or not it may be None."""
    told = option.type_descriptor.annotation
    return next(one for one in (told, *get_args(told)) if one in VALUES)


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that call it."""
    if hasattr(command, "commands"):  # typer brings a click of its own, whose classes have no public name
        for name, child in sorted(command.commands.items()):
            yield from commands(child, (*words, name))
    else:
        yield words, command


EVERY = list(commands(ROOT))
NAMED = [
    pytest.param(words, command, option, id=" ".join([*words, option.opts[0]]))
    for words, command in EVERY
    for option in command.params
    if option.param_type_name == "option" and option.envvar
]
WHOLE = [one for one in NAMED if kind(one.values[2]) is int]
BOUNDED = [one for one in WHOLE if (one.values[2].min, one.values[2].max) != (None, None)]
DEMANDED = [one for one in NAMED if one.values[2].required]


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No variable of ours is set, and what a command would make would be seen."""
    for one in NAMED:
        monkeypatch.delenv(str(one.values[2].envvar), raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.iterdir()) == []


def environment(command: Any) -> dict[str, str]:
    """A value for everything that the command reads from it."""
    return {
        str(option.envvar): VALUES[kind(option)]
        for option in command.params
        if option.param_type_name == "option" and option.envvar
    }


def arguments(command: Any) -> list[str]:
    """A word for each argument, and a value for what is asked for and can only be an option."""
    words = [VALUES[kind(one)] for one in command.params if one.param_type_name == "argument" and one.required]
    for option in command.params:
        if option.param_type_name == "option" and option.required and not option.envvar:
            words = [option.opts[0], VALUES[kind(option)], *words]
    return words


def test_there_is_much_to_look_at() -> None:
    assert len(EVERY) > 20
    assert len(NAMED) > 60
    assert len(WHOLE) > 20
    assert len(DEMANDED) > 30
    assert len(BOUNDED) > 5


def test_a_variable_is_ours_by_its_name_and_means_one_thing_everywhere() -> None:
    """SPEC 11.12, 7.25"""
    kinds: dict[str, set[type]] = {}
    for one in NAMED:
        option = one.values[2]
        kinds.setdefault(str(option.envvar), set()).add(kind(option))
    assert all(name.startswith("MOA_") for name in kinds)
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}


@pytest.mark.parametrize(("words", "command", "option"), NAMED)
def test_it_is_read_and_an_option_is_stronger(
    words: tuple[str, ...], command: Any, option: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 7.25"""
    for name, value in environment(command).items():
        monkeypatch.setenv(name, value)
    told = "True" if option.is_flag else VALUES[kind(option)]
    other = {"7": "8", "1.5": "2.5"}.get(told, f"other-{told}")

    def parsed(*more: str) -> str:
        with command.make_context(words[-1], [*more, *arguments(command)]) as context:
            value = context.params[option.name or ""]
            return str(value[0] if option.multiple else value)

    assert parsed() == told
    if not option.is_flag:
        assert parsed(option.opts[0], other) == other


@pytest.mark.parametrize("bad", ["seven", "7.5"])
@pytest.mark.parametrize(("words", "command", "option"), WHOLE)
def test_what_is_no_number_ends_with_2_and_the_options_name(
    words: tuple[str, ...], command: Any, option: Any, bad: str
) -> None:
    """SPEC 7.25"""
    env = {**environment(command), str(option.envvar): bad}

    ended = CliRunner().invoke(app, [*words, *arguments(command)], env=env)

    assert ended.exit_code == 2, ended.output
    assert option.opts[0] in ended.output or str(option.envvar) in ended.output


@pytest.mark.parametrize(("words", "command", "option"), BOUNDED)
def test_a_number_out_of_its_bounds_ends_with_2(words: tuple[str, ...], command: Any, option: Any) -> None:
    """SPEC 7.25"""
    beyonds = [bound + off for bound, off in ((option.min, -1), (option.max, 1)) if bound is not None]
    assert beyonds
    for beyond in beyonds:
        env = {**environment(command), str(option.envvar): str(beyond)}
        assert CliRunner().invoke(app, [*words, *arguments(command)], env=env).exit_code == 2


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize(("words", "command", "option"), DEMANDED)
def test_what_is_needed_and_missing_or_empty_is_asked_for_by_name(
    words: tuple[str, ...], command: Any, option: Any, empty: bool
) -> None:
    """SPEC 7.25"""
    env = {name: value for name, value in environment(command).items() if name != option.envvar}
    if empty:
        env[str(option.envvar)] = ""

    ended = CliRunner().invoke(app, [*words, *arguments(command)], env=env)

    assert ended.exit_code == 2, ended.output
    assert option.opts[0] in ended.output
