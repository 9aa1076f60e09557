"""scripts/deploy: a declared plan, safe to repeat, refused when chain, record and sources do not fit together."""

import base64
import json
from xml.etree import ElementTree

import pytest
from brownie import chain, web3

from scripts.deploy import contracts
from scripts.deploy.page import URI_BYTES_MAX, contract_uri
from tests.contracts.world import refused

SIGNER, TILL = "0x" + "51" * 20, "0x" + "71" * 20


@pytest.fixture
def deployed(world, tmp_path, monkeypatch):
    """Deploys once; gives the record's path."""
    monkeypatch.setenv("MOA_DEPLOYMENTS", str(tmp_path))
    monkeypatch.setenv("MOA_SIGNERS", SIGNER)
    monkeypatch.setenv("MOA_TILLS", TILL)
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


def test_a_key_that_awards_is_no_till(deployed, monkeypatch):
    """SPEC 6.15"""
    monkeypatch.setenv("MOA_TILLS", SIGNER)
    with pytest.raises(contracts.DeploymentRefused, match="is no till"):
        contracts.main()


def told(uri, kind):
    head, body = uri.split(",")
    assert head == f"data:{kind};base64"
    return base64.b64decode(body, validate=True).decode()


def drawn(page):
    """The logo's two parts."""
    return ElementTree.fromstring(told(page["image"], "image/svg+xml"))  # noqa: S314 - our own text


def test_the_longest_name_has_a_page_that_the_token_takes(world):
    """SPEC 1.26"""
    owner = {"from": world.cafe.owner}
    uri = contract_uri("&" + "é" * 31, "S" * 11, "#a1b2c3")

    world.cafe.token.setContractURI(uri, owner)

    page = json.loads(told(world.cafe.token.contractURI(), "application/json"))
    assert [each.text for each in drawn(page)] == [None, "&"]
    with refused("TermsInvalid", "contractURI"):
        world.cafe.token.setContractURI.call("x" * (URI_BYTES_MAX + 1), owner)


def test_the_record_names_the_contracts_and_the_chain_has_what_the_plan_declares(deployed, world):
    """SPEC 7.40"""
    record = json.loads(deployed.read_text())

    assert set(record) == {"chain_id", "start_block", "genesis_hash", "cover_bps", "contracts"}
    for contract in record["contracts"].values():
        assert web3.keccak(web3.eth.get_code(contract["address"])).to_0x_hex() == contract["bytecode_hash"]
    manager, registry, rules, exchange = (
        getattr(world.build, contracts.CONTRACTS[name]).at(record["contracts"][name]["address"], persist=False)
        for name in ("AccessManager", "PartnerRegistry", "RewardRules", "PartnerExchange")
    )
    names = []
    for brand_id in range(1, registry.brandCount() + 1):
        held = [manager.hasRole(brand_id * 256 + kind, SIGNER)[0] for kind in range(1, 6)]
        assert held == [False, True, False, False, False]
        assert [manager.hasRole(brand_id * 256 + kind, TILL)[0] for kind in range(1, 6)] == [
            False,
            False,
            True,
            False,
            False,
        ]
        assert rules.ruleCount(brand_id) == 1
        hashes = [
            registry.brandOf(brand_id)[contracts.METADATA_HASH],
            rules.ruleOf(brand_id, 1)[0][contracts.TEXT_HASH],
        ]
        shown = [(deployed.parent / "documents" / web3.to_hex(one)).read_text() for one in hashes]
        assert [web3.keccak(text=one) for one in shown] == [bytes(web3.to_bytes(hexstr=web3.to_hex(h))) for h in hashes]
        names.append(json.loads(shown[0])["slug"])
        brand, token = json.loads(shown[0]), registry.brandOf(brand_id)[contracts.TOKEN]
        uri = world.build.LoyaltyToken.at(token, persist=False).contractURI()
        page = json.loads(told(uri, "application/json"))
        assert {key: page[key] for key in ("name", "symbol")} == {key: brand[key] for key in ("name", "symbol")}
        square, letter = drawn(page)
        assert (square.get("fill"), letter.text) == (brand["colour"], brand["name"][0])
    assert names == ["cdnow", "hanok"]
    assert [tuple(exchange.agreementOf(one)[:3]) for one in (1, 2)] == [
        (1, 2, contracts.AGREED),
        (2, 1, contracts.AGREED),
    ]
    assert web3.eth.get_balance(web3.to_checksum_address(SIGNER)) >= contracts.SIGNER_FUNDS_MIN_WEI


def test_what_is_added_to_the_plan_is_added_to_the_chain(deployed, world, monkeypatch, tmp_path):
    """SPEC 7.40"""
    before = deployed.read_text()
    plan = contracts.PLAN.read_text()
    third = plan.split("[[brands]]")[1].replace('slug = "cdnow"', 'slug = "third"').replace("owner = 1", "owner = 3")
    (tmp_path / "plan.toml").write_text(plan.replace("[[agreements]]", f"[[brands]]{third}[[agreements]]", 1))
    monkeypatch.setenv("MOA_PLAN", str(tmp_path / "plan.toml"))

    contracts.main()
    height = chain.height
    contracts.main()

    assert (deployed.read_text(), chain.height) == (before, height)
    address = json.loads(before)["contracts"]["PartnerRegistry"]["address"]
    registry = world.build.PartnerRegistry.at(address, persist=False)
    assert (registry.brandCount(), registry.isIssuing(3)) == (3, True)
