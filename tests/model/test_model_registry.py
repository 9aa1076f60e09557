"""The switches of the registry in the model: who throws them, what they stop, and that each comes back."""

import pytest

from chain.model.call import Call
from chain.model.errors import BrandNotIssuing, RoleMissing
from chain.model.ledger import Ledger
from tests.model.test_model_ledger import ANYONE, MEMBER, OWNER, START, award, ledger

__all__ = ["ledger"]  # the fixture

OPERATOR, GUARDIAN = "0x0b", "0x0c"
AT = START + 20


def test_all_brands_stop_and_go_on_when_the_operator_says_so(ledger: Ledger) -> None:
    """SPEC 6.7, 6.2"""
    with pytest.raises(RoleMissing):
        ledger.registry.stop_all(Call(ANYONE, AT))
    with pytest.raises(RoleMissing):
        ledger.registry.resume_all(Call(GUARDIAN, AT))

    ledger.registry.stop_all(Call(GUARDIAN, AT))
    for brand in (1, 2):
        with pytest.raises(BrandNotIssuing):
            award(ledger, 10, AT + 1, 1, brand)
    ledger.registry.resume_all(Call(OPERATOR, AT + 2))

    for brand in (1, 2):
        award(ledger, 10, AT + 3, 2, brand)
        assert ledger.tokens[brand].balance_of(MEMBER, AT + 3) == 10


def test_a_brands_own_switch_and_moas_for_it_are_put_back_one_by_one(ledger: Ledger) -> None:
    """SPEC 6.7"""
    ledger.registry.stop_by_moa(Call(GUARDIAN, AT), 1)
    ledger.registry.resume_all(Call(OPERATOR, AT))
    with pytest.raises(BrandNotIssuing):
        award(ledger, 10, AT + 1, 1)
    with pytest.raises(RoleMissing):
        ledger.registry.resume_by_moa(Call(OWNER, AT + 2), 1)

    ledger.registry.resume_by_moa(Call(OPERATOR, AT + 2), 1)

    award(ledger, 10, AT + 3, 2)
    assert ledger.tokens[1].balance_of(MEMBER, AT + 3) == 10
