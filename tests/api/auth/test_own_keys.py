"""A brand has its own keys in hand, and nobody else's (SPEC 23.1)."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tests.api.auth.test_access import END, acts, id_of, refusal
from tests.api.conftest import Caller, World
from tests.api.test_databases import world as either_world

both = either_world
PATH = "/v1/keys"


def further(world: World, slug: str = "cdnow") -> Caller:
    made = world.operator.write(f"/v1/brands/{slug}/keys")
    assert made.status_code == 201, made.text
    return Caller(world.client, made.json()["key"], made.json()["id"])


def test_a_rotated_key_and_its_successor_both_open_until_the_overlap_is_over(world: World) -> None:
    """SPEC 23.1"""
    old = further(world)
    path = f"{PATH}/{id_of(old)}/rotate"
    made = old.write(path, {"overlap_s": 600}, key="rotation")
    successor = Caller(world.client, made.json()["key"], "successor")

    assert made.status_code == 201, made.text
    assert old.get(PATH).status_code == successor.get(PATH).status_code == 200
    listed = {one["id"]: one for one in successor.get(PATH).json()["keys"]}
    assert listed[id_of(old)]["revoked_at"] is not None
    assert listed[id_of(successor)]["revoked_at"] is None
    assert successor.key.split("_", 3)[3] not in successor.get(PATH).text
    again = old.write(path, {"overlap_s": 600}, key="rotation")
    assert (again.status_code, again.json()["key"]) == (201, None), "the secret is shown once"
    assert refusal(successor.write(path)) == (409, "KeyEnded")

    world.run(
        "UPDATE api_key SET revoked_at_ms = :past WHERE id = :id", past=int(time.time() * 1000) - 1, id=id_of(old)
    )
    assert refusal(old.get(PATH)) == (401, "KeyInvalid")
    [act] = acts(world, "key.revoked")
    assert (act["subject"], "ends_at" in act["detail"]) == (f"key/{id_of(old)}", True)


def test_a_key_is_ended_at_once_also_within_its_overlap_by_the_brand_or_the_operator(world: World) -> None:
    """SPEC 23.1"""
    for ender, path in ((world.brand, PATH), (world.operator, "/v1/brands/cdnow/keys")):
        old = further(world)
        assert old.write(f"{PATH}/{id_of(old)}/rotate", {"overlap_s": 604_800}).status_code == 201
        assert old.get(PATH).status_code == 200
        assert ender.write(f"{path}/{id_of(old)}", method=END).status_code == 200
        assert refusal(old.get(PATH)) == (401, "KeyInvalid")


def test_nobody_else_sees_rotates_or_ends_a_brands_keys(world: World) -> None:
    """SPEC 23.1"""
    operators, own = id_of(world.operator), id_of(world.brand)
    member = world.session(world.member())
    auditor = Caller(world.client, world.operator.write("/v1/auditors/keys").json()["key"])
    columns = "name, symbol, colour, currency, country, decimals, created_at_ms"
    world.run(
        f"INSERT INTO brand (slug, registry_id, token, {columns})"
        f" SELECT 'hanok', 9, '0x{'9' * 40}', {columns} FROM brand WHERE slug = 'cdnow'"
    )
    hanoks = id_of(further(world, "hanok"))
    before = world.everything()
    for caller, refused in (
        (world.anyone, (401, "KeyMissing")), (world.operator, (403, "NotYours")),
        (auditor, (403, "NotYours")), (member, (403, "NotYours")),
    ):  # fmt: skip
        assert refusal(caller.get(PATH)) == refused
        assert refusal(caller.write(f"{PATH}/{own}/rotate")) == refused
        assert refusal(caller.write(f"{PATH}/{own}", method=END)) == refused
    for foreign in ("0" * 12, operators, hanoks):
        assert refusal(world.brand.write(f"{PATH}/{foreign}/rotate")) == (404, "KeyUnknown")
        assert refusal(world.brand.write(f"{PATH}/{foreign}", method=END)) == (404, "KeyUnknown")
    assert refusal(world.brand.write(f"{PATH}/{own}/rotate", {"overlap_s": 604_801})) == (422, "RequestMalformed")
    assert world.everything() == before


def test_two_rotations_of_one_key_at_once_make_one_successor(both: World) -> None:
    """SPEC 23.1"""
    path, together = f"{PATH}/{id_of(both.brand)}/rotate", threading.Barrier(2)

    def rotate(_: int) -> int:
        together.wait(30)
        return both.brand.write(path).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(rotate, range(2))) == [201, 409]
    assert len(both.brand.get(PATH).json()["keys"]) == 2
