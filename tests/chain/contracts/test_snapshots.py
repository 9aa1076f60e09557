"""Lists of balances: ascending, each leaf at its one place, and siblings that lead to the chunk's root and no other."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.contracts.snapshots import CHUNK_LEAVES, Snapshot, root_of

ACCOUNTS = st.integers(1, 2**160 - 1).map(lambda number: f"0x{number:040x}")


@given(st.dictionaries(ACCOUNTS, st.integers(0, 2**48 - 1), min_size=1, max_size=40))
def test_a_list_has_every_account_with_points_once_and_in_order(balances: dict[str, int]) -> None:
    """SPEC 18.8, 18.11"""
    snapshot = Snapshot.of(balances)

    assert snapshot.total == sum(balances.values())
    assert list(snapshot.leaves) == sorted(snapshot.leaves)
    assert len(snapshot.leaves) == sum(points > 0 for points in balances.values())
    for account, points in balances.items():
        if points:
            assert snapshot.leaf_at(*snapshot.place_of(account)) & 2**96 - 1 == points
        else:
            with pytest.raises(KeyError):
                snapshot.place_of(account)


@settings(max_examples=20)
@given(st.integers(1, 600), st.data())
def test_a_leaf_is_under_its_chunks_root_at_one_place_only(size: int, data: st.DataObject) -> None:
    """SPEC 18.14"""
    snapshot = Snapshot.of({f"0x{number:040x}": number for number in range(1, size + 1)})
    chunk, position = divmod(data.draw(st.integers(0, size - 1)), CHUNK_LEAVES)
    leaf, siblings = snapshot.leaf_at(chunk, position), snapshot.siblings(chunk, position)

    assert len(snapshot.roots) == -(-size // CHUNK_LEAVES)
    assert root_of(leaf, position, siblings) == snapshot.roots[chunk]
    assert root_of(leaf, position ^ 1, siblings) != snapshot.roots[chunk]
    assert root_of(leaf + 1, position, siblings) != snapshot.roots[chunk]
