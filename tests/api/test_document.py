"""The guard that compares every answer of these tests with the document would notice one that is not in it."""

from __future__ import annotations

import pytest

from tests.api.conftest import PATHS, World


@pytest.mark.parametrize(("path", "status"), [("/health", "200"), ("/v1/me/view", "401")])
def test_an_answer_that_is_not_in_the_document_fails_the_test(
    world: World, monkeypatch: pytest.MonkeyPatch, path: str, status: str
) -> None:
    """SPEC 9.49"""
    world.client.get(path)
    monkeypatch.delitem(PATHS[path]["get"]["responses"], status)

    with pytest.raises(AssertionError, match=f"answered {status}"):
        world.client.get(path)


def test_an_error_that_is_not_in_the_document_fails_the_test(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 9.49"""
    told = PATHS["/v1/me/view"]["get"]["responses"]["401"]["content"]["application/problem+json"]["examples"]
    monkeypatch.delitem(told, "KeyMissing")

    with pytest.raises(AssertionError, match="KeyMissing"):
        world.client.get("/v1/me/view")
