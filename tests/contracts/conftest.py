"""One world for all contract tests, built once; every test starts from it and is undone after."""

import pytest
from brownie import chain
from eth_account import Account

from tests.contracts.world import build_world


@pytest.fixture(scope="session")
def world(accounts):
    """The contracts, two brands with an agreement each way, and their people."""
    return build_world(accounts)


@pytest.fixture(autouse=True)
def _undone(world):
    """Every test begins in the world as it was built, at the second in which it was built."""
    chain.snapshot()
    yield
    chain.revert()


@pytest.fixture(scope="session")
def member():
    """A member with a key of her own and no ether: others submit what she signs."""
    return Account.from_key("0x" + "a1" * 32)


@pytest.fixture(scope="session")
def other():
    """Another member."""
    return Account.from_key("0x" + "b2" * 32)


@pytest.fixture(scope="session")
def third_party(accounts):
    """Someone with ether and without a role."""
    return accounts[9]
