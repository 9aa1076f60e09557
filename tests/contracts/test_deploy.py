"""scripts/deploy: a declared plan, safe to repeat, refused when chain, record and sources do not fit together."""

import json

import pytest
from brownie import chain, web3

from scripts.deploy import contracts

SIGNER = "0x" + "51" * 20


@pytest.fixture
def deployed(world, tmp_path, monkeypatch):
    """Deploys once; gives the record's path."""
    monkeypatch.setenv("MOA_DEPLOYMENTS", str(tmp_path))
    monkeypatch.setenv("MOA_SIGNERS", SIGNER)
    contracts.main()
    return tmp_path / f"{web3.eth.chain_id}.json"


def edit(path, change):
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def test_code_that_is_not_the_records_is_refused(deployed):
    edit(deployed, lambda record: record["contracts"]["RewardRules"].update(bytecode_hash="0x" + "00" * 32))
    with pytest.raises(contracts.DeploymentRefused, match=r"RewardRules at .* is not what"):
        contracts.main()


def test_other_sources_than_those_deployed_are_refused(deployed):
    edit(deployed, lambda record: record["contracts"]["ClearingHouse"].update(source_hash="other"))
    with pytest.raises(contracts.DeploymentRefused, match="ClearingHouse was deployed from other sources"):
        contracts.main()


def test_a_second_run_changes_nothing(deployed):
    before, height = deployed.read_text(), chain.height

    contracts.main()

    assert deployed.read_text() == before
    assert chain.height == height


def test_a_chain_that_lost_its_state_is_deployed_anew(deployed):
    def forget(record):
        for contract in record["contracts"].values():
            contract["address"] = "0x" + "99" * 20

    edit(deployed, forget)

    contracts.main()

    assert "99" * 20 not in deployed.read_text()


def test_another_chain_with_the_same_id_is_deployed_anew(deployed):
    edit(deployed, lambda record: record.update(genesis_hash="0x" + "00" * 32))
    height = chain.height

    contracts.main()

    assert chain.height > height
    assert json.loads(deployed.read_text())["start_block"] > height


def test_the_record_names_what_the_plan_declares(deployed, world):
    record = json.loads(deployed.read_text())

    assert set(record["brands"]) == {"cdnow", "hanok"}
    assert [(item["from"], item["to"]) for item in record["agreements"]] == [("cdnow", "hanok"), ("hanok", "cdnow")]
    for contract in record["contracts"].values():
        assert web3.keccak(web3.eth.get_code(contract["address"])).to_0x_hex() == contract["bytecode_hash"]
    manager = world.build.Authority.at(record["contracts"]["AccessManager"]["address"], persist=False)
    for brand in record["brands"].values():
        held = [manager.hasRole(brand["id"] * 256 + kind, SIGNER)[0] for kind in range(1, 6)]
        assert held == [False, True, True, False, False]
    assert web3.eth.get_balance(web3.to_checksum_address(SIGNER)) >= contracts.SIGNER_FUNDS_MIN_WEI
