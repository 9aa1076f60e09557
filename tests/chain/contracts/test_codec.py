"""The fast decoder gives what the general one gives, for every event and error of the contracts."""

import random

import pytest
from eth_abi import abi

from chain.base.errors import OperationInvalid
from chain.contracts import lots
from chain.contracts.codec import PACKED, Codec, canonical, present

CODEC = Codec.load()
SEED = 20260101


def value_of(kind: str, parameter, chance: random.Random):
    if kind.endswith("]"):
        inner = kind[: kind.rindex("[")]
        size = kind[kind.rindex("[") + 1 : -1]
        return [value_of(inner, parameter, chance) for _ in range(int(size) if size else chance.randrange(4))]
    if kind == "tuple":
        return tuple(value_of(part["type"], part, chance) for part in parameter["components"])
    if kind == "address":
        return "0x" + chance.randbytes(20).hex()
    if kind == "bool":
        return chance.random() < 0.5
    if kind == "string":
        return "모아 " * chance.randrange(4)
    if kind.startswith("bytes"):
        return chance.randbytes(int(kind[5:])) if kind[5:] else chance.randbytes(chance.randrange(80))
    bits = int(kind.lstrip("uint") or 256)
    if kind.startswith("int"):
        return chance.choice([0, -1, 2 ** (bits - 1) - 1, -(2 ** (bits - 1)), chance.getrandbits(bits - 1)])
    return chance.choice([0, 1, 2**bits - 1, chance.getrandbits(bits)])


def events():
    return [
        pytest.param(item, id=f"{contract}.{item['name']}")
        for contract, items in CODEC.abis.items()
        for item in items
        if item["type"] == "event"
    ]


def packed(fields: dict[str, int], bits: dict[str, int]) -> int:
    word, at = 0, 0
    for name, value in fields.items():
        word |= value << at
        at += bits[name]
    return word


@pytest.mark.parametrize("item", events())
def test_every_event_is_read_as_the_general_decoder_reads_it(item):
    chance = random.Random(SEED)
    print("seed", SEED)
    for _ in range(5):
        values = {part["name"]: value_of(part["type"], part, chance) for part in item["inputs"]}
        expected = {part["name"]: present(part, values[part["name"]]) for part in item["inputs"]}
        for word in [word for event, word in PACKED if event == item["name"] and word in values]:
            fields = {name: chance.choice([0, 1, 2**bits - 1]) for name, bits in PACKED[item["name"], word]}
            values[word] = packed(fields, dict(PACKED[item["name"], word]))
            del expected[word]
            expected |= {name: str(value) for name, value in fields.items()}
        indexed = [part for part in item["inputs"] if part["indexed"]]
        plain = [part for part in item["inputs"] if not part["indexed"]]
        shape = next(
            shape for shape in CODEC.events.values()
            if shape.name == item["name"] and [name for name, _ in shape.indexed] == [part["name"] for part in indexed]
        )  # fmt: skip
        raw = {
            "topics": [shape.topic, *("0x" + abi.encode([p["type"]], [values[p["name"]]]).hex() for p in indexed)],
            "data": "0x" + abi.encode([canonical(p) for p in plain], [values[p["name"]] for p in plain]).hex(),
            "blockNumber": "0x10",
            "blockHash": "0xb",
            "transactionHash": "0xt",
            "transactionIndex": "0x0",
            "logIndex": "0xffffffff",
            "address": "0xABCDEF",
        }
        log = CODEC.log(raw, "C")

        assert log is not None
        assert log.args == expected
        assert (log.log_index, log.address) == (2**32 - 1, "0xabcdef")


def test_every_error_is_named_with_its_values():
    chance = random.Random(SEED)
    seen = set()
    for items in CODEC.abis.values():
        for item in (item for item in items if item["type"] == "error"):
            from chain.base.hashing import keccak_text
            from chain.contracts.codec import signature

            values = [value_of(part["type"], part, chance) for part in item["inputs"]]
            data = keccak_text(signature(item))[:4] + abi.encode([canonical(p) for p in item["inputs"]], values)
            name, args = CODEC.revert(data)
            assert name == item["name"]
            assert list(args.values()) == [present(p, v) for p, v in zip(item["inputs"], values, strict=True)]
            seen.add(name)
    assert {"BudgetExceeded", "OperationUsed", "CaptureExceedsHold", "BrandNotIssuing", "OutBelowMinimum"} <= seen


def test_an_unknown_error_is_shown_by_its_bytes():
    assert CODEC.revert(b"\x01\x02\x03\x04rest") == ("UnknownError", {"data": "0x0102030472657374"})


@pytest.mark.parametrize("values", [(), ("x", 1), ("0x12", 1), ("0x" + "11" * 32, -1), ("0x" + "11" * 32, 2**256)])
def test_values_that_a_function_cannot_take_are_refused(values):
    """SPEC 7.6"""
    with pytest.raises(OperationInvalid):
        CODEC.calldata("RedemptionDesk", "capture", *values)


# Packed lots


def word(tag: int, **slots: int) -> int:
    return (tag << 240) | sum(points << (48 * int(slot[1:])) for slot, points in slots.items())


def test_a_changed_word_names_its_own_place_and_a_bare_tag_empties_it():
    """SPEC 8.9"""
    text = lots.changed(lots.EMPTY, [str(word(5, s0=7, s4=2**48 - 1)), str(word(2, s1=9))])
    assert lots.unpack(text) == [0, word(5, s0=7, s4=2**48 - 1), word(2, s1=9), 0]
    assert lots.unpack(lots.changed(text, [str(word(5))])) == [0, 0, word(2, s1=9), 0]
    assert lots.stored(text) == 7 + 2**48 - 1 + 9


def test_a_lot_is_gone_at_its_second_and_a_stale_word_never_counts():
    """SPEC 8.9"""
    clock = lots.Clock(origin=1000, epoch_s=100, lifetime_epochs=12)
    text = lots.pack([0, word(1, s0=50), 0, 0])
    assert lots.expiring(text, clock, 1000) == [(50, 1500)]
    assert lots.spendable(text, clock, 1499) == 50
    assert lots.spendable(text, clock, 1500) == 0
    assert lots.spendable(lots.pack([0, word(9, s0=50), 0, 0]), clock, 1000) == 0


def test_points_that_never_expire_lie_in_expiry_epoch_one():
    """SPEC 8.9"""
    clock = lots.Clock(origin=1000, epoch_s=100, lifetime_epochs=0)
    assert lots.expiring(lots.pack([word(0, s1=50), 0, 0, 0]), clock, 10**10) == [(50, None)]
