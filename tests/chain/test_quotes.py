"""A quote asks the contract what it would do, with the values it was given and an operation id that nobody has."""

from __future__ import annotations

from typing import Any, cast

import pytest
from eth_abi import abi

from chain.base.errors import Reverted
from chain.base.hashing import keccak
from chain.contracts import quotes
from chain.contracts.codec import Codec
from chain.node.rpc import Rpc
from tests.support.scripted_node.brands import BRAND_ID, RULE_ID, Brand
from tests.support.scripted_node.node import ScriptedNode

ADA = "0x" + "aa" * 20
CODEC = Codec.load()


class Asked:
    """A node that answers each call with these values and keeps what it was asked."""

    def __init__(self, types: list[str], values: list[Any]):
        self.answer = "0x" + abi.encode(types, values).hex()
        self.calls: list[tuple[str, str]] = []

    def call(self, method: str, request: dict[str, str], block: str) -> str:
        assert (method, block) == ("eth_call", "latest")
        self.calls.append((request["to"], request["data"]))
        return self.answer


@pytest.fixture(scope="module")
def brand() -> Any:
    with ScriptedNode(seed=4) as node:
        yield Brand(node)


def test_a_quoted_award_is_the_contracts_answer_and_spends_no_id_of_the_queue(brand: Brand) -> None:
    """SPEC 9.17, 2.17"""
    node = Asked(["uint256", "uint256", "bytes"], [1_500, 3, b""])

    found = quotes.award(cast(Rpc, node), brand.deployment, brand=BRAND_ID, member=ADA, rule=RULE_ID, base_amount=1_000)

    assert found == quotes.AwardQuote(1_500, 3)
    item = {"operationId": 2**256 - 1, "ruleId": RULE_ID, "member": ADA, "baseAmount": 1_000}
    data = "0x" + CODEC.calldata("RewardRules", "quote", BRAND_ID, item).hex()
    assert node.calls == [(brand.addresses["RewardRules"], data)]


def test_an_award_that_would_be_refused_is_refused_with_its_error(brand: Brand) -> None:
    """SPEC 9.17, 2.17"""
    reason = keccak(b"BudgetExceeded(uint256,uint256)")[:4] + abi.encode(["uint256", "uint256"], [7, 5])
    node = Asked(["uint256", "uint256", "bytes"], [0, 3, reason])

    with pytest.raises(Reverted) as refused:
        quotes.award(cast(Rpc, node), brand.deployment, brand=BRAND_ID, member=ADA, rule=RULE_ID, base_amount=1)

    assert refused.value.error == "BudgetExceeded"
    assert list(refused.value.error_args.values()) == ["7", "5"]


def test_a_quoted_exchange_is_the_contracts_answer(brand: Brand) -> None:
    """SPEC 9.17"""
    node = Asked(["uint256"] * 4, [66, 1, 100, 2])

    found = quotes.exchange(cast(Rpc, node), brand.deployment, agreement_id=9, points_in=100)

    assert found == quotes.ExchangeQuote(out=66, fee=1, obligation=100, version=2)
    data = "0x" + CODEC.calldata("PartnerExchange", "quote", 9, 100).hex()
    assert node.calls == [(brand.addresses["PartnerExchange"], data)]
