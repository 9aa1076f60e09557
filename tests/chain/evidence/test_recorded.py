"""Bundles made of what a node answered once: the same bodies, each proven, and of a node that lies none at all."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import orjson
import pytest

from chain.evidence import programme
from chain.evidence.bundle import Maker, _rule
from chain.evidence.claims import same
from chain.evidence.errors import EvidenceError, EvidenceMissing, Refused
from chain.evidence.verify import verify
from chain.storage.documents import Documents
from tests.chain.evidence.bundles import Bundles
from tests.chain.evidence.recorded import made, tape, write
from tests.chain.evidence.test_evidence import bundles
from tests.support.answers import Answers

__all__ = ["bundles"]  # the fixture

SEED = 20261201
LIES = 40


def test_bundles_of_recorded_answers_are_the_same_and_proven(tmp_path: Path) -> None:
    """SPEC 13.1, 13.3: when the bodies differ, record them anew (recorded.py) and say in the commit what changed."""
    node, deployment, story, bodies = tape(tmp_path)

    documents = made(Maker(node, deployment), story)  # type: ignore[arg-type]

    for name, data in documents.items():
        found = verify(data, registry=deployment.address("PartnerRegistry").lower())
        assert (found.error, found.verdict) == (None, "proven"), name
        assert orjson.loads(data)["body"] == bodies[name], name


def test_an_award_that_no_block_holds_is_missing(tmp_path: Path) -> None:
    """SPEC 13.1"""
    node, deployment, story, _ = tape(tmp_path)
    node.told = {key: [] if "eth_getLogs" in key else value for key, value in node.told.items()}

    with pytest.raises(EvidenceMissing):
        Maker(node, deployment).find_award(*story["award"])  # type: ignore[arg-type]


def test_of_a_node_that_lies_nothing_false_is_made(tmp_path: Path) -> None:
    """SPEC 13.3: each answer, changed in one digit, ends in an error or in the same body, never in another."""
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    node, deployment, story, bodies = tape(tmp_path)
    wrong = 0
    for key in rng.sample(sorted(node.told), LIES):
        lying = Answers({**node.told, key: changed(node.told[key], rng)})
        try:
            documents = made(Maker(lying, deployment), story)  # type: ignore[arg-type]
        except (EvidenceError, ValueError, KeyError, TypeError, AttributeError):
            wrong += 1
            continue
        for name, data in documents.items():
            body = orjson.loads(data)["body"]
            assert body == bodies[name] or verify(data).error is None, (key[:80], name)
    assert wrong > LIES // 2


def changed(value: Any, rng: random.Random) -> Any:
    """The answer with one digit of one text another."""
    text = orjson.dumps(value).decode()
    places = [at for at, sign in enumerate(text) if sign in "123456789abcdef" and text[at - 1] in "0123456789abcdef"]
    if not places:
        return None
    at = rng.choice(places)
    return orjson.loads(text[:at] + ("1" if text[at] != "1" else "2") + text[at + 1 :])


def test_a_value_that_is_refused_is_told_up_to_200_characters() -> None:
    """SPEC 13.3"""
    with pytest.raises(Refused) as refused:
        same("text", "a" * 200, "b" * 201)

    assert str(refused.value).endswith(f"text: claimed {'a' * 200}, proven {'b' * 200}…")


@pytest.mark.slow
@pytest.mark.parametrize("bundles", ["anvil"], indirect=True)
def test_the_recorded_answers_are_of_todays_maker(bundles: Bundles, tmp_path: Path) -> None:
    """The story told on a node of today: its documents have the members of the recorded ones."""
    if os.environ.get("MOA_RECORD"):
        write(bundles.maker._rpc, bundles.maker._deployment, bundles.story)
    _, _, _, bodies = tape(tmp_path)
    for name, body in bodies.items():
        if name in bundles.documents:
            today = orjson.loads(bundles.documents[name])["body"]
            assert [claim["type"] for claim in today["claims"]] == [claim["type"] for claim in body["claims"]], name


@pytest.mark.parametrize(("kind", "rounding"), [(0, 0), (1, 2), (2, 1)])
def test_a_rule_is_told_by_the_bits_of_its_words(kind: int, rounding: int) -> None:
    """SPEC 13.2: each value lies where the contract packed it."""
    rate = 3 | 2 << 48 | 500 << 96 | 900 << 144 | 3_600 << 192 | kind << 224 | rounding << 232
    life = 10_000 | 11 << 112 | 12 << 152 | 5 << 192

    told = _rule("0x" + "aa" * 20, 1, 2, {4: rate, 5: life, 6: 0, 7: 9}, 4, Documents())

    assert (told["kind"], told["rounding"]) == (
        ("rate", "fixed", "correction")[kind],
        ("down", "nearest", "up")[rounding],
    )
    assert (told["numerator"], told["denominator"], told["notice_seconds"]) == ("3", "2", "3600")
    assert (told["cap_per_award"], told["cap_per_member_day"], told["budget"]) == ("500", "900", "10000")
    assert (told["start"], told["end"], told["version"], told["rule_id"]) == ("11", "12", "5", "2")


@pytest.mark.parametrize(("brand_id", "definition_id"), [(1, 2**32), (2**64, 1)])
def test_a_number_that_would_name_anothers_badge_is_refused(brand_id: int, definition_id: int) -> None:
    """SPEC 13.15: a token's id is made of brand, definition and member; none may reach into the others' bits."""

    class Believing:
        def contract(self, address: str, name: str) -> None:
            """Every contract is known."""

        def word(self, address: str, slot: int) -> int:
            raise AssertionError("a word was read of a definition that cannot be")

    claim = {"contract": "0x" + "bb" * 20, "brand_id": str(brand_id), "definition_id": str(definition_id)}
    with pytest.raises(Refused) as refused:
        programme.badge(Believing(), claim)  # type: ignore[arg-type]

    assert "there is no definition" in str(refused.value)
