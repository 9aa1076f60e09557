"""Bundles of badges and votes of a real chain: proven by both verifiers, and refused when they lie."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from typer.testing import CliRunner

from chain.base.hashing import keccak
from chain.contracts.deployment import Contract, Deployment
from chain.contracts.snapshots import Snapshot
from chain.devnet.supervisor import Anvil
from chain.evidence import document
from chain.evidence.bundle import Maker, Place
from chain.evidence.errors import EvidenceMissing
from chain.evidence.finding import Finder
from chain.evidence.verify import verify
from chain.model.badges import BadgeKind, Definition, Gift
from chain.node.rpc import Rpc
from scripts.cli.app import app
from tests.audit.test_walked_chain import deployed
from tests.chain.evidence.bundles import verdicts_in_typescript
from tests.differential.voting import VotesWalk
from tests.differential.world import HOUR, TwoSides

pytestmark = pytest.mark.slow

LATER = ("Badges", "ProgrammeGovernor", "Snapshots")


@dataclass
class Programme:
    """What happened, and where."""

    world: TwoSides
    maker: Maker
    ours: dict[str, str]
    places: dict[str, Place]
    proposal: int
    leaves: list[int]
    url: str


@pytest.fixture(scope="module")
def programme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programme]:
    """A tier given and one taken back; a vote carried through."""
    with Anvil(tmp_path_factory.mktemp("anvil")) as node, closing(Rpc(node.url)) as rpc:
        world = TwoSides(rpc, node.chain_id, anvil=True)
        walk = VotesWalk(world, random.Random(1))
        walk.prologue()
        ann, bob = world.cast.members[:2]
        tier = Definition(BadgeKind.TIER, 1, 3, True, 9, world.at + 99 * HOUR, 200 * HOUR, "0x" + "5b" * 32)
        walk.must("Badges", "publish", (1, tier), "owner1")
        walk.must("Badges", "give", (1, 1, Gift(1, ann)), "owner1")
        walk.must("Badges", "give", (1, 1, Gift(2, bob)), "owner1")
        walk.must("Badges", "withdraw", (1, 1, Gift(3, bob)), "owner1")
        # Another badge of his, later: what is told of the first one is not told of it.
        walk.must("Badges", "publish", (1, tier), "owner1")
        walk.must("Badges", "give", (1, 2, Gift(4, bob)), "owner1")
        assert walk.carry_through(1, twice=False) == ""
        maker = Maker(rpc, later(world, rpc))
        assert world.ledger.governor is not None
        proposal = len(world.ledger.governor.snapshots.proposals)
        (posted,) = [each for key, each in world.ledger.governor.snapshots.posted.items() if key[0] == proposal]
        at = world.chain.addresses
        ours = {"registry": at["PartnerRegistry"], "badges": at["Badges"], "governor": at["ProgrammeGovernor"]}
        yield Programme(world, maker, ours, places(rpc, world), proposal, list(posted.leaves), node.url)


def later(world: TwoSides, rpc: Rpc) -> Deployment:
    """The walk's deployment with the contracts that came later."""
    plain = deployed(world, rpc)
    codes = {name: rpc.call("eth_getCode", world.chain.addresses[name], "latest") for name in LATER}
    made = {
        name: Contract(name, world.chain.addresses[name], "0x" + keccak(bytes.fromhex(code[2:])).hex())
        for name, code in codes.items()
    }
    return Deployment(**{**{name: getattr(plain, name) for name in plain.__dataclass_fields__},
                         "contracts": {**plain.contracts, **made}})  # fmt: skip


def places(rpc: Rpc, world: TwoSides) -> dict[str, Place]:
    """Where the last event of each name is."""
    codec, found = world.chain.codec, {}
    for name in LATER:
        for raw in rpc.call("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest", "address": world.chain.addresses[name]}):  # noqa: E501  # fmt: skip
            log = codec.log(raw, name)
            assert log is not None
            found[log.name] = Place(log.block_number, log.tx_hash)
    return found


def bundles(programme: Programme) -> dict[str, bytes]:
    """One of each kind."""
    maker, places_ = programme.maker, programme.places
    ann, bob = programme.world.cast.members[:2]
    cast = [places_["SnapshotPosted"], places_["VoteCast"]]
    return {
        "given": maker.badge(1, 1, ann),
        "withdrawn": maker.badge(1, 1, bob, place=places_["BadgeWithdrawn"]),
        "vote": maker.vote(programme.proposal, 1, leaves=programme.leaves, member=ann, places=cast),
    }


def claims_of(data: bytes, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads(data)["body"]["claims"]
    return [one for one in found if one["type"] == kind]


def test_badges_and_votes_are_proven_to_who_names_their_contracts(programme: Programme) -> None:
    """SPEC 13.15"""
    made = bundles(programme)

    for name, data in made.items():
        found = verify(data, **programme.ours)
        assert (found.verdict, found.error) == ("proven", None), (name, found.detail)
        assert verify(data, registry=programme.ours["registry"]).verdict == "consistent"
    assert (claims_of(made["given"], "badge")[0]["held"], claims_of(made["given"], "badge")[0]["live"]) == (
        "yes",
        "yes",
    )
    assert claims_of(made["withdrawn"], "badge")[0]["held"] == "no"
    assert [one["event"]["event"] for one in claims_of(made["withdrawn"], "event")] == ["BadgeWithdrawn"]
    assert claims_of(made["vote"], "vote")[0]["counted"] == "yes"
    told = {one["event"]["event"] for one in claims_of(made["vote"], "event")}
    assert told == {"SnapshotPosted", "VoteCast"}
    with pytest.raises(EvidenceMissing):
        programme.maker.vote(programme.proposal, 1, leaves=programme.leaves, member="0x" + "99" * 20)


# Kind of claim, field, value: each is refused.
LIES = [
    ("given", "badge", "live", "no"),
    ("given", "badge", "given_at", "1"),
    ("given", "badge", "valid_until", "never"),
    ("given", "badge", "member", "0x" + "99" * 20),
    ("withdrawn", "badge", "held", "yes"),
    ("vote", "tally", "points_for", "1"),
    ("vote", "tally", "total", "1"),
    ("vote", "list", "contradicted", "yes"),
    ("vote", "list", "accounts", "1"),
    ("vote", "vote", "counted", "no"),
    ("vote", "vote", "points", "1"),
    ("vote", "vote", "position", "200"),
]


def test_a_lie_about_badges_and_votes_is_refused_by_both_verifiers_alike(programme: Programme, tmp_path: Path) -> None:
    """SPEC 13.7, 13.15"""
    made, asked, right = bundles(programme), [], []
    for data in made.values():
        asked.append((data, programme.ours))
        right.append(("proven", None))
    for name, kind, field, value in LIES:
        found = orjson.loads(made[name])
        next(one for one in found["body"]["claims"] if one["type"] == kind)[field] = value
        asked.append((document.canonical(document.seal(found["format"], found["body"])), programme.ours))
    first = [(one.verdict, one.error, one.claim) for one in (verify(data, **ours) for data, ours in asked)]

    assert [each[:2] for each in first[: len(right)]] == right
    assert {each[0] for each in first[len(right) :]} == {"refused"}
    # A key that is another one has other nodes on its way.
    assert {each[1] for each in first[len(right) :]} <= {"ClaimFalse", "NodeMissing"}
    assert verdicts_in_typescript(tmp_path, asked) == first


def command(programme: Programme, folder: Path, *arguments: object) -> tuple[int, dict[str, Any]]:
    """Exit code of `moa evidence … --json`, and what it told."""
    deployment = programme.maker._deployment
    file = {
        "chain_id": deployment.chain_id,
        "start_block": deployment.start_block,
        "genesis_hash": deployment.genesis_hash,
        "cover_bps": deployment.cover_bps,
        "contracts": {
            name: {"address": one.address, "bytecode_hash": one.bytecode_hash}
            for name, one in deployment.contracts.items()
        },
    }
    (folder / f"{deployment.chain_id}.json").write_bytes(orjson.dumps(file))
    place = ("--rpc", programme.url, "--chain-id", deployment.chain_id, "--deployments", folder)
    asked = [str(each) for each in ("evidence", *place, *arguments, "--json")]
    done = CliRunner().invoke(app, asked, env={"MOA_DATABASE_URL": "", "MOA_KEYSTORE": ""})
    return done.exit_code, orjson.loads(done.stdout)


def test_the_command_makes_bundles_of_badges_and_votes(programme: Programme, tmp_path: Path) -> None:
    """SPEC 13.16"""
    ann, bob = programme.world.cast.members[:2]
    out, vote = tmp_path / "bundle.json", f"1/{programme.proposal}"

    def made(*arguments: object) -> dict[str, Any]:
        code, told = command(programme, tmp_path, *arguments, "--out", out)
        assert code == 0, told
        data = out.read_bytes()
        found = verify(data, **programme.ours)
        assert (found.verdict, found.error) == ("proven", None), found.detail
        body = orjson.loads(data)
        assert told == {
            "file": str(out),
            "bytes": len(data),
            "format": "moa.evidence/1",
            "digest": body["digest"],
            "chain_id": str(programme.maker._deployment.chain_id),
            "block": body["body"]["block"],
            "claims": [one["type"] for one in body["body"]["claims"]],
        }
        return {one["type"]: one for one in body["body"]["claims"]} | {
            "told": [one["event"]["event"] for one in body["body"]["claims"] if one["type"] == "event"]
        }

    given = made("--badge", "1/1", "--member", ann)
    assert (given["badge"]["held"], given["told"]) == ("yes", [])
    taken = made("--badge", "1/1", "--member", bob, "--events")
    assert (taken["badge"]["held"], taken["told"]) == ("no", ["BadgeWithdrawn"])
    house = made("--vote", vote)
    assert "vote" not in house
    assert int(house["tally"]["total"]) == Snapshot(programme.leaves).total
    voted = made("--vote", vote, "--member", ann, "--events")
    assert (voted["vote"]["counted"], voted["vote"]["member"]) == ("yes", ann.lower())
    assert voted["told"][:2] == ["SnapshotPosted", "SnapshotAdopted"]
    assert set(voted["told"][2:]) == {"VoteCast"}
    # The bundle is JSON by itself.
    code, whole = command(programme, tmp_path, "--vote", vote)
    assert (code, whole["format"]) == (0, "moa.evidence/1")


@pytest.mark.parametrize(
    ("arguments", "detail"),
    [
        (("--badge", "1/1"), "Whose badge? Name the --member too."),
        (("--badge", "1/1", "--vote", "1/1", "--member", "0x" + "99" * 20), "Name one of"),
        (("--badge", "1/1", "--brand", "1", "--member", "0x" + "99" * 20), "Name one of"),
        (("--badge", "1", "--member", "0x" + "99" * 20), "1 is no badge"),
        (("--badge", "1/9", "--member", "0x" + "99" * 20), "there is no such definition"),
        (("--vote", "1/²"), "1/² is no vote"),
        (("--vote", "no-such/1"), "There is no brand no-such."),
        (("--vote", "1/1", "--member", "0x" + "99" * 20), "is not in the list"),
        (("--vote", "1/1", "--member", "mem_1"), "is in the database"),
        ((), "Name one of"),
    ],
)
def test_the_command_says_why_there_is_no_bundle(
    programme: Programme, tmp_path: Path, arguments: tuple[str, ...], detail: str
) -> None:
    """SPEC 13.16"""
    code, told = command(programme, tmp_path, *arguments)

    assert code == 1
    assert set(told) == {"error", "detail"}
    assert told["error"] == "EvidenceMissing"
    assert detail in told["detail"]


def test_a_list_that_no_transaction_carries_is_not_found(programme: Programme) -> None:
    """SPEC 13.16: what the node says of a transaction must have the roots that the event told"""
    maker = programme.maker
    asked: list[str] = []

    class Lying:
        def call(self, method: str, *params: Any) -> Any:
            found = maker._rpc.call(method, *params)
            if method == "eth_getTransactionByHash":
                asked.append(method)
                # One leaf's points are others.
                found["input"] = found["input"][:-1] + format(int(found["input"][-1], 16) ^ 1, "x")
            return found

    finder = Finder(cast(Rpc, Lying()), maker._deployment, maker.head())

    with pytest.raises(EvidenceMissing, match="are not in transaction"):
        finder.adopted(programme.proposal, 1)
    assert asked
