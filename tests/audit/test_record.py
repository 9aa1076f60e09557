"""What a finished audit keeps for the next one."""

from pathlib import Path

from chain.audit.expected import Expected
from chain.audit.record import Record, of, restore
from chain.base.scalars import Address

DESK = Address("0x" + "de" * 20)
FAR = 2**250


def test_what_no_row_tells_is_there_again(tmp_path: Path) -> None:
    """SPEC 12.12: returns after the record are held against awards before it, whatever their ids"""
    before, after = Expected(DESK, {}), Expected(DESK, {})
    before.operations = {(1, FAR >> 8): 1 << 255, (2, 0): 3}
    before.spent = {(1, 1): 70}
    before.awards = {(1, FAR): (1, 2**95), (2, 7): (3, 40)}
    before.returned = {(2, 7): 39}
    before.roots = {(1, "0x" + "ab" * 32)}
    before.roles = {(257, "0x" + "01" * 20): 9}
    before.time = 12

    file = tmp_path / "audit"
    of(before, chain_id=1, genesis_hash="0x", number=5, hash_="0x", replay=b"{}").write(file)
    record = Record.read(file)
    record.rows.setdefault("brand_token", [])
    restore(record, after)

    for name in ("operations", "spent", "awards", "returned", "roots", "roles", "time"):
        assert getattr(after, name) == getattr(before, name), name
