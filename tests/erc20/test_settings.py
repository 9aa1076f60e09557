"""What `moa mirror` may be told, at its bounds."""

import pytest

from chain.base.errors import ArgumentInvalid
from chain.erc20.follower import FollowerSettings

TOKEN = "0x" + "ab" * 20


def settings(**changes: int) -> FollowerSettings:
    asked = {"from_block": 0, "undo_blocks": 256, **changes}
    return FollowerSettings(rpc_url="http://127.0.0.1:1", database_url="sqlite:///x.db", token=TOKEN, **asked)


@pytest.mark.parametrize("changes", [{"undo_blocks": 1}, {"from_block": 0}, {"from_block": (1 << 63) - 1}])
def test_the_least_and_the_most_are_taken(changes: dict[str, int]) -> None:
    """SPEC 8.36"""
    assert settings(**changes).token == TOKEN


@pytest.mark.parametrize(
    "changes", [{"undo_blocks": 0}, {"undo_blocks": -1}, {"from_block": -1}, {"from_block": 1 << 63}]
)
def test_what_lies_beyond_is_refused(changes: dict[str, int]) -> None:
    """SPEC 8.36"""
    with pytest.raises(ArgumentInvalid):
        settings(**changes)
