"""Between the contracts' ABI and plain values: logs, reverts and calldata.

Values as everywhere in the tables: integers above 32 bits are decimal text, smaller ones int; addresses and bytes are
lower-case 0x hex; structs are dicts by field name. Logs are decoded by slicing words, which is some ten times the
speed of a general decoder; the general one (eth_abi) remains for shapes that hold text inside structs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import orjson
from eth_abi import abi
from eth_abi.exceptions import DecodingError, EncodingError

from chain.base.errors import AbiMissing, AnswerInconsistent, OperationInvalid
from chain.base.hashing import keccak_text
from chain.base.reverts import plain_revert
from chain.base.scalars import Address, BlockHash, TxHash

ABI_FOLDER: Final = Path(__file__).with_name("abi")
WORD: Final = 32
ADDRESS_BYTES: Final = 20
SMALL_BITS_MAX: Final = 32

Decode = Callable[[bytes, int], Any]

# A word of an event's data that holds several values: their names and bits, from the lowest on.
PACKED: Final[Mapping[tuple[str, str], tuple[tuple[str, int], ...]]] = {
    ("Awarded", "award"): (("baseAmount", 96), ("points", 48), ("ruleId", 32), ("version", 24)),
    ("Returned", "amounts"): (("baseAmount", 96), ("standing", 48), ("taken", 48), ("missing", 48), ("owes", 1)),
}


@dataclass(slots=True)
class EventLog:
    """A decoded log of one of our contracts. Never changed; not frozen, because that doubles the time to make one."""

    block_number: int
    block_hash: BlockHash
    tx_hash: TxHash
    tx_index: int
    log_index: int
    address: Address
    contract: str
    name: str
    args: dict[str, Any]


@dataclass(frozen=True)
class EventShape:
    """How to read one kind of event."""

    name: str
    topic: str
    indexed: tuple[tuple[str, Decode], ...]
    plain: Callable[[bytes], dict[str, Any]]


def told(name: str, inputs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """An event's parameters as its logs are shown: packed words as the values that they hold."""
    shown: list[Mapping[str, Any]] = []
    for part in inputs:
        fields = PACKED.get((name, part["name"]))
        shown += [{**part, "name": field} for field, _ in fields] if fields else [part]
    return shown


def unpacked(name: str, read: Callable[[bytes], dict[str, Any]]) -> Callable[[bytes], dict[str, Any]]:
    """Reads an event's data with its packed word, which comes last, taken apart."""
    word = next((word for event, word in PACKED if event == name), None)
    if word is None:
        return read
    fields = PACKED[name, word]

    def apart(data: bytes) -> dict[str, Any]:
        values = read(data)
        packed = int(values.pop(word))
        for field, bits in fields:
            values[field] = str(packed & (1 << bits) - 1)
            packed >>= bits
        if packed:
            raise ValueError(f"{name} holds more than its word has room for")
        return values

    return apart


def canonical(parameter: Mapping[str, Any]) -> str:
    """The type as it stands in a signature: structs spelled out."""
    kind = str(parameter["type"])
    if kind.startswith("tuple"):
        return "(" + ",".join(canonical(part) for part in parameter["components"]) + ")" + kind[5:]
    return kind


def signature(item: Mapping[str, Any]) -> str:
    """`name(type,...)` of a function, event or error."""
    return f"{item['name']}({','.join(canonical(part) for part in item['inputs'])})"


def present(parameter: Mapping[str, Any], value: Any) -> Any:
    """A value of the general decoder as a plain value."""
    kind = str(parameter["type"])
    if kind.endswith("]"):
        inner = {**parameter, "type": kind[: kind.rindex("[")]}
        return [present(inner, item) for item in value]
    if kind == "tuple":
        return {part["name"]: present(part, item) for part, item in zip(parameter["components"], value, strict=True)}
    if kind.startswith("bytes"):
        return "0x" + bytes(value).hex()
    if kind.startswith(("uint", "int")):
        return value if int(kind.lstrip("uint") or 256) <= SMALL_BITS_MAX else str(value)
    return value.lower() if kind == "address" else value


def word_reader(kind: str) -> Decode | None:
    """Reads a value that takes one word, or None when the type does not."""
    if kind == "address":
        return lambda data, at: "0x" + data[at + 12 : at + 32].hex()
    if kind == "bool":
        return lambda data, at: data[at + 31] == 1
    if kind.startswith("uint") and not kind.endswith("]"):
        if int(kind[4:] or 256) <= SMALL_BITS_MAX:
            return lambda data, at: int.from_bytes(data[at : at + 32])
        return lambda data, at: str(int.from_bytes(data[at : at + 32]))
    if kind.startswith("int") and not kind.endswith("]"):
        return lambda data, at: str(int.from_bytes(data[at : at + 32], signed=True))
    if kind.startswith("bytes") and kind[5:].isdigit():
        size = int(kind[5:])
        return lambda data, at: "0x" + data[at : at + size].hex()
    return None


def hash_reader(data: bytes, at: int) -> str:
    """What stands in a topic for an indexed value of many words."""
    return "0x" + data[at : at + WORD].hex()


def static_reader(parameter: Mapping[str, Any]) -> tuple[Decode, int] | None:
    """Reads a value of fixed size and tells how many bytes it takes, or None when its size varies."""
    kind = str(parameter["type"])
    if kind.endswith("]"):
        count = kind[kind.rindex("[") + 1 : -1]
        inner = static_reader({**parameter, "type": kind[: kind.rindex("[")]}) if count else None
        if inner is None:
            return None
        read, size = inner
        places = range(0, int(count) * size, size)
        return (lambda data, at: [read(data, at + place) for place in places]), int(count) * size
    if kind == "tuple":
        parts: list[tuple[str, Decode, int]] = []
        offset = 0
        for component in parameter["components"]:
            inner = static_reader(component)
            if inner is None:
                return None
            parts.append((component["name"], inner[0], offset))
            offset += inner[1]
        return (lambda data, at: {name: read(data, at + place) for name, read, place in parts}), offset
    word = word_reader(kind)
    return (word, WORD) if word is not None else None


def dynamic_reader(parameter: Mapping[str, Any]) -> Decode | None:
    """Reads a list of fixed-size values or a byte string at the top of the data, or None for anything deeper."""
    kind = str(parameter["type"])
    if kind == "bytes":
        return lambda data, at: "0x" + data[at + 32 : at + 32 + _count(data, at, 1)].hex()
    if kind.endswith("[]"):
        inner = static_reader({**parameter, "type": kind[:-2]})
        if inner is not None:
            read, size = inner
            return lambda data, at: [read(data, at + 32 + size * index) for index in range(_count(data, at, size))]
    return None


def _count(data: bytes, at: int, size: int) -> int:
    """The length in front of a list of values of `size` bytes, which must lie within the data."""
    count = int.from_bytes(data[at : at + WORD])
    if at + WORD + count * size > len(data):
        raise ValueError(f"a list of {count} values does not fit into {len(data)} bytes")
    return count


def data_reader(parameters: Sequence[Mapping[str, Any]]) -> Callable[[bytes], dict[str, Any]]:
    """Reads a list of parameters by name."""
    plan: list[tuple[str, Decode, int, bool]] = []
    offset = 0
    for parameter in parameters:
        static = static_reader(parameter)
        dynamic = None if static else dynamic_reader(parameter)
        if static is not None:
            plan.append((parameter["name"], static[0], offset, False))
            offset += static[1]
        elif dynamic is not None:
            plan.append((parameter["name"], dynamic, offset, True))
            offset += WORD
        else:
            types = [canonical(part) for part in parameters]
            return lambda data: {
                part["name"]: present(part, value)
                for part, value in zip(parameters, abi.decode(types, data), strict=True)
            }

    def read(data: bytes) -> dict[str, Any]:
        # Slices beyond the end would read as zeros without a word.
        if len(data) < offset or len(data) % WORD:
            raise ValueError(f"{len(data)} bytes are no such data: at least {offset}, in whole words")
        values: dict[str, Any] = {}
        for name, decode, at, points in plan:
            values[name] = decode(data, int.from_bytes(data[at : at + 32]) if points else at)
        return values

    return read


# A badge is an ERC-721 token, but what is told of it stands in BadgeGiven and BadgeWithdrawn.
UNTOLD: Final = frozenset({"Transfer", "Locked"})


def is_told(log: EventLog) -> bool:
    """False for what a badge's own events say once more."""
    return not (log.contract == "Badges" and log.name in UNTOLD)


class Codec:
    """Knows every contract's ABI. Topics and selectors are looked up over all of them: errors bubble."""

    def __init__(self, abis: Mapping[str, Sequence[Mapping[str, Any]]]):
        self.abis = abis
        self._functions: dict[tuple[str, str], tuple[bytes, list[str], list[Mapping[str, Any]]]] = {}

    @classmethod
    def load(cls, folder: Path = ABI_FOLDER) -> "Codec":
        """Every `<Contract>.json` of the folder: an ABI list, or an artifact with an `abi` field."""
        abis = {}
        for path in sorted(folder.glob("*.json")):
            content = orjson.loads(path.read_bytes())
            abis[path.stem] = content["abi"] if isinstance(content, dict) else content
        if not abis:
            raise AbiMissing("any contract")
        return cls(abis)

    @cached_property
    def events(self) -> dict[tuple[str, int], EventShape]:
        """By topic and number of indexed arguments."""
        shapes = {}
        for items in self.abis.values():
            for item in items:
                if item.get("type") == "event" and not item.get("anonymous"):
                    indexed = [part for part in item["inputs"] if part["indexed"]]
                    shape = EventShape(
                        name=item["name"],
                        topic="0x" + keccak_text(signature(item)).hex(),
                        # An indexed value of many words is only a hash: shown as bytes32.
                        indexed=tuple((part["name"], word_reader(part["type"]) or hash_reader) for part in indexed),
                        plain=unpacked(item["name"], data_reader([p for p in item["inputs"] if not p["indexed"]])),
                    )
                    shapes[shape.topic, len(indexed)] = shape
        return shapes

    @cached_property
    def errors(self) -> dict[bytes, tuple[str, Callable[[bytes], dict[str, Any]]]]:
        """By selector."""
        found = {}
        for items in self.abis.values():
            for item in items:
                if item.get("type") == "error":
                    found[keccak_text(signature(item))[:4]] = (item["name"], data_reader(item["inputs"]))
        return found

    def log(self, raw: Mapping[str, Any], contract: str) -> EventLog | None:
        """A log as the node gives it, decoded; None when it is no event of ours."""
        topics = raw["topics"]
        shape = self.events.get((topics[0], len(topics) - 1)) if topics else None
        if shape is None:
            return None
        args = {
            name: read(bytes.fromhex(topic[2:]), 0)
            for (name, read), topic in zip(shape.indexed, topics[1:], strict=True)
        }
        args.update(shape.plain(bytes.fromhex(raw["data"][2:])))
        return EventLog(
            block_number=int(raw["blockNumber"], 16),
            block_hash=raw["blockHash"],
            tx_hash=raw["transactionHash"],
            tx_index=int(raw["transactionIndex"], 16),
            log_index=int(raw["logIndex"], 16),
            address=raw["address"].lower(),
            contract=contract,
            name=shape.name,
            args=args,
        )

    def told(self, raw: Mapping[str, Any], contract: str) -> EventLog | None:
        """As `log`, without what a badge's own events say once more."""
        found = self.log(raw, contract)
        return found if found is not None and is_told(found) else None

    def revert(self, data: bytes) -> tuple[str, dict[str, Any]]:
        """Name and values of a revert."""
        known = self.errors.get(data[:4])
        if known is None:
            return plain_revert(data)
        name, read = known
        return name, read(data[4:])

    def calldata(self, contract: str, function: str, *values: Any) -> bytes:
        """Selector and arguments. Structs are dicts by field name or tuples; integers int or decimal text."""
        selector, types, inputs = self._function(contract, function)
        if len(values) != len(inputs):
            raise OperationInvalid(f"{contract}.{function} takes {len(inputs)} arguments, not {len(values)}.")
        try:
            plain = [absorb(part, value) for part, value in zip(inputs, values, strict=True)]
            return selector + abi.encode(types, plain)
        except (EncodingError, AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise OperationInvalid(f"{contract}.{function} cannot take these values: {error}") from error

    def selector(self, contract: str, function: str) -> bytes:
        """The four bytes by which a contract knows its function."""
        return self._function(contract, function)[0]

    def result(self, contract: str, function: str, data: str) -> Any:
        """What a call returned: one value, or a list of several. A node that lacks the contract yet answers nothing:
        AnswerInconsistent, as for everything else that the function cannot have returned."""
        outputs = next(item for item in self._items(contract) if item.get("name") == function)["outputs"]
        try:
            values = abi.decode([canonical(part) for part in outputs], bytes.fromhex(data[2:]))
        except (DecodingError, TypeError, ValueError, OverflowError) as error:
            raise AnswerInconsistent(f"The node's answer is no result of {contract}.{function}: {error}") from error
        shown = [present(part, value) for part, value in zip(outputs, values, strict=True)]
        return shown[0] if len(shown) == 1 else shown

    def _items(self, contract: str) -> Sequence[Mapping[str, Any]]:
        try:
            return self.abis[contract]
        except KeyError:
            raise AbiMissing(contract) from None

    def _function(self, contract: str, function: str) -> tuple[bytes, list[str], list[Mapping[str, Any]]]:
        known = self._functions.get((contract, function))
        if known is None:
            for item in self._items(contract):
                if item.get("type") == "function" and item["name"] == function:
                    inputs = list(item["inputs"])
                    known = keccak_text(signature(item))[:4], [canonical(part) for part in inputs], inputs
                    self._functions[contract, function] = known
                    break
            else:
                raise OperationInvalid(f"{contract} has no function {function}.")
        return known


def _topic(topic: str) -> bytes:
    word = bytes.fromhex(topic[2:])
    if len(word) != WORD:
        raise ValueError(f"a topic has {WORD} bytes, not {len(word)}")
    return word


def absorb(parameter: Mapping[str, Any], value: Any) -> Any:
    """A plain value as the general encoder wants it."""
    kind = str(parameter["type"])
    if kind.endswith("]"):
        inner = {**parameter, "type": kind[: kind.rindex("[")]}
        return [absorb(inner, item) for item in value]
    if kind == "tuple":
        parts = parameter["components"]
        if isinstance(value, Mapping):
            value = [value[part["name"]] for part in parts]
        return tuple(absorb(part, item) for part, item in zip(parts, value, strict=True))
    if kind.startswith("bytes"):
        plain = bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else value
        if kind[5:] and len(plain) != int(kind[5:]):
            # The encoder would fill it up without a word, and an id cut short would become another id.
            raise ValueError(f"{parameter['name']} takes {kind[5:]} bytes, not {len(plain)}")
        return plain
    if kind.startswith(("uint", "int")):
        if isinstance(value, float):
            raise TypeError(f"{parameter['name']} takes a whole number, not {value}")
        return int(value)
    return value


def uint_word(value: int) -> bytes:
    """One word of calldata."""
    return value.to_bytes(WORD)


def address_word(address: Address) -> bytes:
    """An address as one word of calldata. Raises ValueError for another length: every word behind it would shift."""
    plain = bytes.fromhex(address[2:])
    if len(plain) != ADDRESS_BYTES:
        raise ValueError(f"an address has {ADDRESS_BYTES} bytes, not {len(plain)}")
    return bytes(WORD - ADDRESS_BYTES) + plain
