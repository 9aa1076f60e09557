"""The kinds of operation: how the gateway asks for each, and how each becomes a call of a contract.

The makers give a NewOperation for operations.enqueue. `brand` is the registry's id. Addresses are 0x hex; points, base
amounts and nonces int; signatures 0x hex of the member's authorisation (chain.contracts.authorisation).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from chain.base.errors import OperationInvalid
from chain.base.hashing import keccak_text
from chain.base.scalars import Address, BaseUnits, RegistryId
from chain.contracts import memos
from chain.contracts.codec import address_word, uint_word
from chain.contracts.deployment import Deployment
from chain.outbox.operations import AWARD, CORRECT, RETURN, VOTE, NewOperation

# What one call may burn at most. The simulation runs under the same bound, so a call that passes it fits. Unused gas
# is not paid for.
GAS: Final[Mapping[str, int]] = {
    "hold": 800_000,
    "capture": 900_000,
    "release": 900_000,
    "timeout": 900_000,
    "refund": 900_000,
    "return": 900_000,
    # A wallet that is a contract may take a million to say that it signed (SPEC 6.16).
    "correct": 2_000_000,
    "exchange": 1_500_000,
    "pay": 2_000_000,
    "unwind": 1_500_000,
    "transfer": 800_000,
    "leave": 900_000,
    # A batch of a hundred lines, badges or votes that are all new costs 4.1, 9.8 and 2.1 million.
    "claim": 12_000_000,
    "badge": 14_000_000,
    "badge_withdraw": 400_000,
    "vote": 12_000_000,
}
# So many lines, badges or votes in one call: below the bounds above, and below EIP-7825's for a transaction.
PROGRAMME_BATCH_MAX: Final = 100
# Nodes take no transaction above 128 KiB (geth's txMaxSize), and some cut the connection when asked to simulate more.
CALLDATA_BYTES_MAX: Final = 120_000
BATCH_BASE_GAS: Final = 300_000
# The dearest item there is: a new member, under a rule of its own with a cap per day (tests/forge/Gas.t.sol). So a
# batch of 200 stays below 15 million, and every chain's cap of a transaction (EIP-7825: 16.78 million).
ITEM_GAS: Final = 73_000
# No transaction of ours may burn more: EIP-7825 takes none above 16.78 million.
TRANSACTION_GAS_MAX: Final = 15_000_000
# So many awards fit below it, whatever the settings allow.
AWARDS_MAX: Final = (TRANSACTION_GAS_MAX - BATCH_BASE_GAS) // ITEM_GAS
BATCH_SELECTOR: Final = keccak_text("awardBatch(uint256,(uint256,uint256,address,uint256)[])")[:4]
# Selector, brand and offset lie before the count of items; an item has four words.
BATCH_COUNT_AT: Final = 4 + 2 * 32
BATCH_ITEM_BYTES: Final = 4 * 32


def award(
    *,
    key: str,
    brand: RegistryId,
    member: Address,
    rule: int,
    base_amount: BaseUnits,
    memo_root: bytes | None = None,
    bulk: bool = False,
) -> NewOperation:
    """Points for `base_amount` under a rule; the contract computes them. Counts once by its operation id.

    memo_root: what its memo commits to (chain.contracts.memos); the transaction carries it. bulk: a line of many.
    """
    member = Address(member.lower())
    payload = {"member": member, "rule": rule, "base_amount": str(base_amount)}
    if memo_root is not None:
        payload["memo_root"] = "0x" + memo_root.hex()
    return NewOperation(key, AWARD, brand, member, payload, bulk)


def correct(
    *,
    key: str,
    brand: RegistryId,
    member: Address,
    rule: int,
    points: BaseUnits,
    operation_id: str,
    signer: Address,
    deadline: int,
    signature: str,
) -> NewOperation:
    """Points by hand above what the rule lets one give, with the signature of one who holds the brand's owner role over
    this very award (chain.contracts.authorisation, Correction)."""
    member = Address(member.lower())
    payload = {
        "brand": str(brand),
        "member": member,
        "rule": rule,
        "base_amount": str(points),
        "operation_id": operation_id,
        "signer": signer.lower(),
        "deadline": str(deadline),
        "signature": signature,
    }
    return NewOperation(key, CORRECT, brand, member, payload, operation_id=operation_id)


def hold(
    *,
    key: str,
    brand: RegistryId,
    member: Address,
    points: BaseUnits,
    reward_id: str,
    hold_until: int,
    nonce: int,
    deadline: int,
    signature: str,
) -> NewOperation:
    """Sets points aside by the member's authorisation. The hold's id is authorisation.record_id(member, nonce)."""
    request = {
        "member": member.lower(),
        "brandId": str(brand),
        "points": str(points),
        "rewardId": reward_id,
        "holdUntil": str(hold_until),
        "nonce": str(nonce),
        "deadline": str(deadline),
    }
    return NewOperation(key, "hold", brand, member.lower(), {"request": request, "signature": signature})


def capture(*, key: str, brand: RegistryId, member: Address, hold_id: str, points: BaseUnits) -> NewOperation:
    """Burns points of a hold, gives the rest back."""
    return NewOperation(key, "capture", brand, member.lower(), {"hold_id": hold_id, "points": str(points)})


def release(*, key: str, brand: RegistryId, member: Address, hold_id: str, timeout: bool = False) -> NewOperation:
    """Gives a whole hold back; `timeout` names the same act after the hold's deadline."""
    return NewOperation(key, "timeout" if timeout else "release", brand, member.lower(), {"hold_id": hold_id})


def timeout(*, brand: RegistryId, member: Address, hold_id: str) -> NewOperation:
    """Gives a whole hold back after its deadline, which anyone may. Asked for once a hold, whoever asks: the key is the
    hold's own (chain.relayer.deadlines)."""
    return release(key=timeout_key(hold_id), brand=brand, member=member, hold_id=hold_id, timeout=True)


def timeout_key(hold_id: str) -> str:
    """The key of the one operation that releases a hold after its deadline."""
    return f"timeout/{hold_id}"


def refund(
    *, key: str, brand: RegistryId, member: Address, hold_id: str, points: BaseUnits, refunded_before: BaseUnits
) -> NewOperation:
    """Gives captured points back; refused when something else was refunded meanwhile."""
    payload = {"hold_id": hold_id, "points": str(points), "refunded_before": str(refunded_before)}
    return NewOperation(key, "refund", brand, member.lower(), payload)


def goods_return(
    *,
    key: str,
    brand: RegistryId,
    member: Address,
    award: str,
    base_amount: BaseUnits,
    retry_until_ms: int | None = None,
) -> NewOperation:
    """Takes back what an award (its operation id) gave for goods that came back. Counts once by an id of its own.

    What the contract wants to see of the award is added when it is sent (`with_proof`).
    """
    payload = {"brand": str(brand), "award": award, "base_amount": str(base_amount)}
    return NewOperation(key, RETURN, brand, Address(member.lower()), payload, retry_until_ms=retry_until_ms)


def with_proof(
    payload: Mapping[str, Any], *, return_id: str, words: Sequence[int], proof: Sequence[bytes]
) -> dict[str, Any]:
    """The payload of a return with the award's own words and the way from them to its call's root (SPEC 2.16)."""
    return {**payload, "return_id": return_id, "words": list(words), "proof": list(proof)}


def exchange(
    *,
    key: str,
    brand: RegistryId,
    member: Address,
    agreement_id: int,
    version: int,
    points_in: BaseUnits,
    minimum_out: BaseUnits,
    nonce: int,
    deadline: int,
    signature: str,
) -> NewOperation:
    """One brand's points for another's. `brand` is the brand that is left."""
    quote = _quote(member, agreement_id, version, points_in, minimum_out, nonce, deadline)
    return NewOperation(key, "exchange", brand, member.lower(), {"quote": quote, "signature": signature})


def pay(
    *,
    key: str,
    brand: RegistryId,
    member: Address,
    agreement_id: int,
    version: int,
    points_in: BaseUnits,
    price: BaseUnits,
    reward_id: str,
    nonce: int,
    deadline: int,
    signature: str,
) -> NewOperation:
    """Exchanges and redeems exactly `price` at the receiving brand in one transaction."""
    quote = _quote(member, agreement_id, version, points_in, price, nonce, deadline)
    payload = {"quote": quote, "reward_id": reward_id, "signature": signature}
    return NewOperation(key, "pay", brand, member.lower(), payload)


def unwind(
    *,
    key: str,
    brand: RegistryId,
    member: Address,
    exchange_id: str,
    record: dict[str, Any],
    nonce: int,
    deadline: int,
    signature: str,
) -> NewOperation:
    """Undoes an exchange; `record` is the `exchange` of its Exchanged event."""
    payload = {"exchange_id": exchange_id, "record": record, "nonce": str(nonce), "deadline": str(deadline)}
    return NewOperation(key, "unwind", brand, member.lower(), {**payload, "signature": signature})


def transfer(
    *,
    key: str,
    brand: RegistryId,
    member: Address,
    to: Address,
    points: BaseUnits,
    nonce: int,
    deadline: int,
    signature: str,
) -> NewOperation:
    """Moves a member's points by the member's authorisation, where the brand's policy allows it."""
    payload = {"to": to.lower(), "points": str(points), "nonce": str(nonce), "deadline": str(deadline)}
    return NewOperation(key, "transfer", brand, member.lower(), {**payload, "signature": signature})


def leave(
    *,
    key: str,
    brand: RegistryId,
    member: Address,
    wallet: Address,
    nonce: int,
    deadline: int,
    member_signature: str,
    wallet_signature: str,
) -> NewOperation:
    """Moves everything of one brand to a wallet that agreed to it."""
    payload = {"wallet": wallet.lower(), "nonce": str(nonce), "deadline": str(deadline)}
    signatures = {"member_signature": member_signature, "wallet_signature": wallet_signature}
    return NewOperation(key, "leave", brand, member.lower(), payload | signatures)


def claim(
    *,
    key: str,
    brand: RegistryId,
    opening_id: int,
    lines: Sequence[Mapping[str, Any]],
    proof: Sequence[str],
    flags: Sequence[bool],
) -> NewOperation:
    """Lines of an opening, by one multiproof (`moa opening batch` makes both): anyone may, and nobody signs."""
    _check_size(len(lines))
    payload = {
        "brand": str(brand),
        "opening_id": str(opening_id),
        "lines": list(lines),
        "proof": list(proof),
        "flags": list(flags),
    }
    return NewOperation(key, "claim", brand, f"opening/{brand}/{opening_id}", payload, bulk=True)


def badges(*, key: str, brand: RegistryId, definition_id: int, members: Sequence[Address]) -> NewOperation:
    """Badges of one definition. Each counts once by an id that follows from the key and its place."""
    _check_size(len(members))
    gifts = [_gift(f"{key}/{place}", member) for place, member in enumerate(members)]
    payload = {"brand": str(brand), "definition_id": str(definition_id), "gifts": gifts}
    return NewOperation(key, "badge", brand, f"badge/{brand}/{definition_id}", payload)


def badge_withdraw(*, key: str, brand: RegistryId, definition_id: int, member: Address) -> NewOperation:
    """Takes a member's badge back."""
    payload = {"brand": str(brand), "definition_id": str(definition_id), "gift": _gift(key, member)}
    return NewOperation(key, "badge_withdraw", brand, f"badge/{brand}/{definition_id}", payload)


def votes(*, key: str, brand: RegistryId, proposal_id: int, ballots: Sequence[Mapping[str, Any]]) -> NewOperation:
    """Signed votes of a brand's members, each with its place in the adopted list (chain.contracts.snapshots)."""
    _check_size(len(ballots))
    payload = {"brand": str(brand), "proposal_id": str(proposal_id), "ballots": list(ballots)}
    # Votes have no order among each other: the same voter's is one, whatever key it came under.
    voters = keccak_text("/".join(f"{ballot.get('chunk')}.{ballot.get('position')}" for ballot in ballots)).hex()
    return NewOperation(key, VOTE, brand, f"vote/{brand}/{proposal_id}/{voters[:16]}", payload)


def vote_key(proposal_id: int | str, brand: RegistryId | str, member: Address | str) -> str:
    """The key of a member's one vote on a proposal, with a brand's points."""
    return f"vote/{proposal_id}/{brand}/{member}"


def gathered(payloads: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Votes of one brand and proposal as the payload of one call."""
    first = payloads[0]
    if any((one["brand"], one["proposal_id"]) != (first["brand"], first["proposal_id"]) for one in payloads):
        raise OperationInvalid("Votes of two proposals are no one call.")
    return {**first, "ballots": [ballot for one in payloads for ballot in one["ballots"]]}


def _check_size(items: int) -> None:
    if not 1 <= items <= PROGRAMME_BATCH_MAX:
        raise OperationInvalid(f"A batch has 1 to {PROGRAMME_BATCH_MAX} items, not {items}.")


def _gift(key: str, member: str) -> dict[str, str]:
    return {"operationId": str(int.from_bytes(keccak_text(key))), "member": member.lower()}


def award_batch(
    deployment: Deployment, brand_id: RegistryId, items: list[tuple[str, dict[str, Any]]]
) -> tuple[Address, bytes]:
    """Target and calldata of awardBatch for (operation id, payload) of each item.

    Behind the arguments follows what the items' memos commit to, if any has one: the contract does not look there, and
    the block's transactionsRoot holds it (SPEC 13.9).
    """
    head = deployment.codec.calldata("RewardRules", "awardBatch", brand_id, [])
    words = [
        uint_word(int(operation_id))
        + uint_word(payload["rule"])
        + address_word(payload["member"])
        + uint_word(_whole(payload["base_amount"]))
        for operation_id, payload in items
    ]
    # The head is selector, brand, offset and a count of 0: only the count changes.
    memo = memos.suffix(memo_items(items))
    return deployment.address("RewardRules"), head[:-32] + uint_word(len(items)) + b"".join(words) + memo


def issuing(deployment: Deployment, brand_id: RegistryId) -> tuple[Address, bytes]:
    """Target and calldata of the look whether a brand may issue; reverts with BrandNotIssuing when it may not."""
    data = deployment.codec.calldata("PartnerRegistry", "issuingToken", brand_id)
    return deployment.address("PartnerRegistry"), data


def batched(calldata: bytes) -> list[str]:
    """The operation ids of a call that award_batch made, in the order in which they were signed; of another, none."""
    if calldata[:4] != BATCH_SELECTOR:
        return []
    count = int.from_bytes(calldata[BATCH_COUNT_AT : BATCH_COUNT_AT + 32])
    items = range(BATCH_COUNT_AT + 32, BATCH_COUNT_AT + 32 + count * BATCH_ITEM_BYTES, BATCH_ITEM_BYTES)
    return [str(int.from_bytes(calldata[at : at + 32])) for at in items]


def _whole(amount: BaseUnits | str) -> int:
    """The amount; a JSON number that is no whole one would lose points without a word."""
    if isinstance(amount, float):
        raise TypeError(f"{amount} is not a whole number")
    return int(amount)


def memo_items(items: list[tuple[str, dict[str, Any]]]) -> list[tuple[int, bytes | None]]:
    """(operation id, memo root or None) of (operation id, payload) of each item of a batch, in its order."""
    roots = [payload.get("memo_root") for _, payload in items]
    return [
        (int(operation_id), bytes.fromhex(root[2:]) if root else None)
        for (operation_id, _), root in zip(items, roots, strict=True)
    ]


def batch_gas(items: int) -> int:
    """Gas bound of a batch."""
    return BATCH_BASE_GAS + items * ITEM_GAS


def single(
    deployment: Deployment, kind: str, ordering_key: str, payload: Mapping[str, Any], *, token: Address | None
) -> tuple[Address, bytes] | None:
    """Target and calldata of an operation that has a transaction of its own.

    token: the brand's; None where it is not known, and then None is the answer when the call goes to it.
    """
    build = _SINGLES.get(kind)
    if build is None:
        raise OperationInvalid(f"No operation is called {kind!r}.")
    contract, function, values = build(ordering_key, payload)
    data = deployment.codec.calldata(contract, function, *values)
    if len(data) > CALLDATA_BYTES_MAX:
        raise OperationInvalid(f"The call has {len(data)} bytes; no node takes more than {CALLDATA_BYTES_MAX}.")
    if contract != "LoyaltyToken":
        return deployment.address(contract), data
    return None if token is None else (token, data)


_Build = Callable[[str, Mapping[str, Any]], tuple[str, str, tuple[Any, ...]]]
_SINGLES: Final[dict[str, _Build]] = {
    "hold": lambda _, p: ("RedemptionDesk", "hold", (p["request"], p["signature"])),
    "capture": lambda _, p: ("RedemptionDesk", "capture", (p["hold_id"], p["points"])),
    "release": lambda _, p: ("RedemptionDesk", "release", (p["hold_id"],)),
    "timeout": lambda _, p: ("RedemptionDesk", "release", (p["hold_id"],)),
    "refund": lambda _, p: ("RedemptionDesk", "refund", (p["hold_id"], p["points"], p["refunded_before"])),
    "return": lambda _, p: (
        "RewardRules",
        "takeReturn",
        (p["brand"], p["return_id"], p["base_amount"], p["words"], p["proof"]),
    ),
    "correct": lambda _, p: (
        "RewardRules",
        "correct",
        (
            p["brand"],
            {
                "operationId": p["operation_id"],
                "ruleId": p["rule"],
                "member": p["member"],
                "baseAmount": p["base_amount"],
            },
            p["signer"],
            p["deadline"],
            p["signature"],
        ),
    ),
    "exchange": lambda _, p: ("PartnerExchange", "exchange", (p["quote"], p["signature"])),
    "pay": lambda _, p: ("PartnerExchange", "payAtPartner", (p["quote"], p["reward_id"], p["signature"])),
    "unwind": lambda _, p: (
        "PartnerExchange",
        "unwind",
        (p["exchange_id"], p["record"], p["nonce"], p["deadline"], p["signature"]),
    ),
    "transfer": lambda ordering_key, p: (
        "LoyaltyToken",
        "transferWithAuthorisation",
        (ordering_key, p["to"], p["points"], p["nonce"], p["deadline"], p["signature"]),
    ),
    "claim": lambda _, p: (
        "OpeningBalances",
        "claimBatch",
        (p["brand"], p["opening_id"], p["lines"], p["proof"], p["flags"]),
    ),
    # Alone it is refused with its own error; of many, each for itself.
    "badge": lambda _, p: (
        ("Badges", "give", (p["brand"], p["definition_id"], p["gifts"][0]))
        if len(p["gifts"]) == 1
        else ("Badges", "giveBatch", (p["brand"], p["definition_id"], p["gifts"]))
    ),
    "badge_withdraw": lambda _, p: ("Badges", "withdraw", (p["brand"], p["definition_id"], p["gift"])),
    "vote": lambda _, p: ("ProgrammeGovernor", "castVotes", (p["proposal_id"], p["brand"], p["ballots"])),
    "leave": lambda ordering_key, p: (
        "LoyaltyToken",
        "leave",
        (ordering_key, p["wallet"], p["nonce"], p["deadline"], p["member_signature"], p["wallet_signature"]),
    ),
}


def _quote(
    member: Address,
    agreement_id: int,
    version: int,
    points_in: BaseUnits,
    minimum_out: BaseUnits,
    nonce: int,
    deadline: int,
) -> dict[str, str]:
    return {
        "member": member.lower(),
        "agreementId": str(agreement_id),
        "version": str(version),
        "pointsIn": str(points_in),
        "minimumOut": str(minimum_out),
        "nonce": str(nonce),
        "deadline": str(deadline),
    }
