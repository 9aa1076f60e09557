"""The file of an opening: one way to write it, and a member checks a line with the page's own programs."""

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.base.errors import ArgumentInvalid
from chain.contracts.opening_file import read, write
from chain.model import merkle

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "contracts" / "OPENINGS.md").read_text()
SEED = 11


def member(number: int) -> str:
    return f"0x{number:040x}"


def a_file(lines: int) -> bytes:
    rng = random.Random(SEED)
    return write(
        (member(rng.getrandbits(160)), {rng.randint(1, 16): rng.randint(1, 2**48 - 1) for _ in range(1 + n % 3)})
        for n in range(lines)
    )


def program(language: str) -> str:
    """The program that the page prints."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("lines", [1, 2, 7])
@pytest.mark.parametrize(("language", "command"), [("python", [sys.executable]), ("javascript", ["node"])])
def test_the_pages_programs_find_the_same_line(tmp_path: Path, language: str, command: list[str], lines: int) -> None:
    """SPEC 16.1"""
    content = a_file(lines)
    (tmp_path / "opening.jsonl").write_bytes(content)
    name = "check.py" if language == "python" else "check.mjs"
    (tmp_path / name).write_text(program(language))
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    index = lines - 1

    told = subprocess.run(
        [*command, name, "opening.jsonl", str(index)], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    file = read(content)
    expected = [("file", file.file_hash), ("root", file.root), ("leaf", "0x" + file.lines[index].leaf().hex())]
    expected += [("proof", sibling) for sibling in file.proof(index)]
    assert [tuple(line.split()) for line in told.stdout.splitlines()] == expected


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"\n",
        a_file(2)[:-1],
        a_file(1).replace(b'"index":0', b'"index":1'),
        a_file(1).replace(b'"index":0', b'"index": 0'),
        a_file(1).replace(b'"index":0', b'"index":0,"index":0'),
        write([("0x" + "AB" * 20, {6: 1})]),
        write([("0x" + "ab" * 19, {6: 1})]),
        write([(member(1), {})]),
        write([(member(1), {6: 0})]),
        write([(member(1), {6: 2**48})]),
        write([(member(1), {0: 5})]),
        write([(member(1), {1: 5, 21: 5})]),
        write([(member(1), {6: 5, 7: 5})]).replace(b'"6":"5","7":"5"', b'"7":"5","6":"5"'),
        write([(member(1), {6: 5})]).replace(b'"5"', b"5"),
        write([(member(1), {6: 5})]).replace(b'"5"', b'"05"'),
        a_file(1) + b"[]\n",
    ],
)
def test_what_is_no_file_of_an_opening_is_refused(wrong: bytes) -> None:
    """SPEC 16.1"""
    with pytest.raises(ArgumentInvalid):
        read(wrong)


@given(st.integers(1, 40), st.data())
def test_proofs_lead_to_the_root_and_no_other_line_does(size: int, data: st.DataObject) -> None:
    """SPEC 16.8, 16.11"""
    file = read(a_file(size))
    leaves = [line.leaf() for line in file.lines]
    one = data.draw(st.integers(0, size - 1))
    many = sorted(data.draw(st.sets(st.integers(0, size - 1), min_size=1)))
    siblings, flags = merkle.multiproof(file.places, many)

    assert merkle.root_of(leaves[one], merkle.proof(file.places, one)) == file.places[0]
    assert merkle.root_of_many([leaves[index] for index in many], siblings, flags) == file.places[0]
    if size > 1:
        other = leaves[(one + 1) % size]
        assert merkle.root_of(other, merkle.proof(file.places, one)) != file.places[0]
        changed = [leaves[index] for index in many]
        changed[0] = other if other not in changed else b"\1" * 32
        assert merkle.root_of_many(changed, siblings, flags) != file.places[0]
    assert merkle.root_of_many([leaves[one]], [*siblings, b"\2" * 32], flags) is None or len(many) == 2


def test_the_schedule_is_the_sum_of_the_lines() -> None:
    """SPEC 16.1"""
    file = read(write([(member(1), {6: 5, 9: 7}), (member(2), {6: 1}), (member(1), {11: 3})]))

    assert file.schedule == {6: 6, 9: 7, 11: 3}
