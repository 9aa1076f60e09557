"""Puts Moa on a chain as a plan declares it: `scripts/brownie run deploy/contracts --network moa`.

Safe to repeat: what is on the chain already is checked and left alone, so a brand, a rule or an agreement that is added
to the plan is invited, published or agreed by running it again, while the system serves. It writes
deployments/<chain_id>.json, which names the contracts and nothing else, only when they are all there, and beside it
each document whose hash it puts on the chain: documents/<hash>.

MOA_RPC          the node's address
MOA_PLAN         the plan (default: scripts/deploy/plan.toml)
MOA_DEPLOYMENTS  where the files go (default: deployments)
MOA_SIGNERS      addresses of the relayer's hot keys that award: funded, and given each brand's issuer role
MOA_TILLS        addresses of its hot keys that act as tills: funded, and given each brand's till role
MOA_KEYS         private keys of the plan's accounts, for a node that has none of its own
"""

import hashlib
import json
import os
import re
import sys
import time
import tomllib
from pathlib import Path

from brownie import accounts, network, project, web3
from web3.middleware import Web3Middleware

from scripts.deploy.page import contract_uri

ROOT = Path(__file__).resolve().parents[2]
PLAN = Path(__file__).with_name("plan.toml")
OWNER, ISSUER, TILL, TREASURER, GUARDIAN = 1, 2, 3, 4, 5
OPERATOR, MOA_GUARDIAN = 1, 2
# Where the contracts' structures have what is asked for here, and what they call its states.
TOKEN, METADATA_HASH, STATUS, TEXT_HASH = 0, 5, 1, 11
INVITED, PROPOSED, AGREED = 1, 1, 2
SIGNER_FUNDS_WEI = 10**21
SIGNER_FUNDS_MIN_WEI = 10**18
RECEIPT_PATIENCE_S = 5.0
RECEIPT_POLL_S = 0.02
YEARS_100_S = 100 * 365 * 86_400
METADATA = re.compile("a264697066735822[0-9a-f]{68}64736f6c6343[0-9a-f]{6}0033")
CONTRACTS = {
    "AccessManager": "Authority",
    "SettlementToken": "SettlementToken",
    "PartnerRegistry": "PartnerRegistry",
    "RedemptionDesk": "RedemptionDesk",
    "RewardRules": "RewardRules",
    "ClearingHouse": "ClearingHouse",
    "PartnerExchange": "PartnerExchange",
    "OpeningBalances": "OpeningBalances",
    "LoyaltyToken": "LoyaltyToken",
    "Badges": "Badges",
    "ProgrammeGovernor": "ProgrammeGovernor",
    "Snapshots": "Snapshots",
}


class DeploymentRefused(Exception):
    """The chain, the record and the contracts do not fit together; the message says what to do."""


class PatientReceipts(Web3Middleware):
    """Asks again for a receipt that is not there yet, for RECEIPT_PATIENCE_S.

    Ganache counts a sender's nonce up a moment before the receipt can be had, and in that moment Brownie takes the
    transaction for dropped; and it sleeps for a second where the receipt is there after hundredths of one.
    """

    def wrap_make_request(self, make_request):
        def request(method, params):
            answer = make_request(method, params)
            if method == "eth_getTransactionReceipt":
                until = time.monotonic() + RECEIPT_PATIENCE_S
                while answer.get("result") is None and time.monotonic() < until:
                    time.sleep(RECEIPT_POLL_S)
                    answer = make_request(method, params)
            return answer

        return request


def be_patient():
    """Puts PatientReceipts under Brownie's connection, once."""
    if "patient" not in web3.middleware_onion:
        web3.middleware_onion.add(PatientReceipts, "patient")


def main():
    """Deploys or checks, and says in one line which."""
    began = time.monotonic()
    be_patient()
    plan = tomllib.loads(Path(os.environ.get("MOA_PLAN") or PLAN).read_text())
    actors = _actors()
    path = Path(os.environ.get("MOA_DEPLOYMENTS", ROOT / "deployments")) / f"{web3.eth.chain_id}.json"
    record = _record(path)
    if record is None:
        record = _deploy(plan, actors)
        done = "deployed"
    else:
        done = "already there"
    documents = path.parent / "documents"
    ids = _brands(plan, actors, record, documents)
    _agreements(plan, actors, record, ids)
    _signers(plan, actors, record, ids)
    if done == "deployed":
        _write(path, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    _say(f"Moa is {done} on chain {record['chain_id']} ({time.monotonic() - began:.1f} s): {path}")


def _actors():
    """The plan's accounts: keys from MOA_KEYS, else those that the node has unlocked."""
    keys = [key for key in os.environ.get("MOA_KEYS", "").split(",") if key]
    found = [accounts.add(key) for key in keys] or list(accounts)
    if len(found) < 3:
        raise DeploymentRefused(
            f"The plan needs 3 accounts and the node offers {len(found)}. Give their private keys in MOA_KEYS."
        )
    return found


def _record(path):
    """What was deployed on this very chain, checked; None when nothing was or the chain has lost its state."""
    if not path.exists():
        return None
    record = json.loads(path.read_text())
    if record["genesis_hash"] != _genesis_hash():
        _say(f"{path.name} is of another chain with the same id (its first block differs): deploying anew.")
        return None
    codes = {name: bytes(web3.eth.get_code(item["address"])) for name, item in record["contracts"].items()}
    if not any(codes.values()):
        _say(f"The chain has lost the state that {path.name} tells of: deploying anew.")
        return None
    for name, item in record["contracts"].items():
        found = web3.keccak(codes[name]).to_0x_hex()
        if found != item["bytecode_hash"]:
            raise DeploymentRefused(
                f"{name} at {item['address']} is not what {path} recorded: its code hashes to {found}, the record says "
                f"{item['bytecode_hash']}. Find out which is right; to deploy anew, move the record away."
            )
        if item["source_hash"] != _source_hash(name):
            raise DeploymentRefused(
                f"{name} was deployed from other sources than those in contracts/ now. Deployed contracts do not "
                f"change: check out the sources of {path}, or start a new chain (make demo FRESH=1)."
            )
    return record


def _deploy(plan, actors):
    """The contracts, wired and sealed."""
    operator = actors[plan["moa"]["operator"]]
    start_block = web3.eth.block_number + 1
    build = project.get_loaded_projects()[0]
    sender = {"from": operator}

    manager = build.Authority.deploy(operator, sender)
    settlement = build.SettlementToken.deploy(sender)
    registry = build.PartnerRegistry.deploy(manager, sender)
    desk = build.RedemptionDesk.deploy(manager, registry, sender)
    rules = build.RewardRules.deploy(manager, registry, desk, sender)
    reserve = actors[plan["moa"]["reserve"]]
    house = build.ClearingHouse.deploy(manager, registry, settlement, plan["moa"]["cover_bps"], reserve, sender)
    exchange = build.PartnerExchange.deploy(manager, registry, desk, house, sender)
    openings = build.OpeningBalances.deploy(manager, registry, desk, sender)
    token = build.LoyaltyToken.deploy(manager, registry, rules, desk, exchange, openings, sender)
    badges = build.Badges.deploy(manager, registry, sender)
    votes = plan["votes"]
    voting = tuple(votes[f"{part}_seconds"] for part in ("challenge", "preparation", "voting", "delay"))
    shares = votes["threshold_bps"], votes["quorum_bps"]
    governor = build.ProgrammeGovernor.deploy(manager, registry, rules, exchange, (*voting, *shares), sender)

    manager.grantRole(0, registry, 0, sender)
    manager.grantRole(OPERATOR, operator, 0, sender)
    manager.grantRole(MOA_GUARDIAN, operator, 0, sender)
    # Moa's guardian retracts what its operator announced.
    manager.setRoleGuardian(OPERATOR, MOA_GUARDIAN, sender)
    registry.seal((token, rules, desk, exchange, house), sender)

    deployed = {
        "AccessManager": manager,
        "SettlementToken": settlement,
        "PartnerRegistry": registry,
        "RedemptionDesk": desk,
        "RewardRules": rules,
        "ClearingHouse": house,
        "PartnerExchange": exchange,
        "OpeningBalances": openings,
        "LoyaltyToken": token,
        "Badges": badges,
        "ProgrammeGovernor": governor,
        # The governor has made it itself.
        "Snapshots": build.Snapshots.at(governor.snapshots(), persist=False),
    }
    return {
        "chain_id": web3.eth.chain_id,
        "start_block": start_block,
        "genesis_hash": _genesis_hash(),
        "cover_bps": plan["moa"]["cover_bps"],
        "contracts": {
            name: {
                "address": contract.address,
                "bytecode_hash": web3.keccak(web3.eth.get_code(contract.address)).to_0x_hex(),
                "source_hash": _source_hash(name),
            }
            for name, contract in deployed.items()
        },
    }


def _brands(plan, actors, record, documents):
    """Each brand of the plan: invited, its roles given, its rules published, its collateral paid, active.

    Gives the registry's ids by slug.
    """
    registry, rules = _at(record, "PartnerRegistry"), _at(record, "RewardRules")
    invited = {}
    for number in range(1, registry.brandCount() + 1):
        invited.setdefault(web3.to_hex(registry.brandOf(number)[METADATA_HASH]), number)
    ids = {}
    for brand in plan["brands"]:
        names = json.dumps(
            {key: brand[key] for key in ("slug", "name", "symbol", "colour", "currency")}, sort_keys=True
        )
        metadata_hash = _document(documents, names)
        brand_id = ids[brand["slug"]] = invited.get(metadata_hash) or _invite(
            plan, actors, record, brand, metadata_hash
        )
        _equip(plan, actors, record, brand, brand_id)
        terms = [rules.ruleOf(brand_id, rule)[0] for rule in range(1, rules.ruleCount(brand_id) + 1)]
        published = {web3.to_hex(one[TEXT_HASH]) for one in terms}
        for rule in brand["rules"].values():
            if _document(documents, rule["text"]) not in published:
                _publish(actors[brand["owner"]], record, brand_id, rule)
    return ids


def _invite(plan, actors, record, brand, metadata_hash):
    operator, owner = actors[plan["moa"]["operator"]], actors[brand["owner"]]
    policy = ("closed", "allow-list", "open").index(brand["policy"])
    invitation = (
        brand["name"],
        brand["symbol"],
        brand["epoch_seconds"],
        brand["lifetime_epochs"],
        brand["grace_seconds"],
        policy,
        owner,
        owner,
        metadata_hash,
    )
    return _at(record, "PartnerRegistry").invite(invitation, {"from": operator}).events["BrandInvited"]["brandId"]


def _equip(plan, actors, record, brand, brand_id):
    """What a brand needs to issue: its token's page, roles, collateral, its activation. What is there is left alone."""
    operator, owner = actors[plan["moa"]["operator"]], actors[brand["owner"]]
    registry, manager = _at(record, "PartnerRegistry"), _at(record, "AccessManager")
    if registry.brandOf(brand_id)[STATUS] != INVITED:
        return
    token = project.get_loaded_projects()[0].LoyaltyToken.at(registry.brandOf(brand_id)[TOKEN], persist=False)
    if not token.contractURI():
        token.setContractURI(contract_uri(brand["name"], brand["symbol"], brand["colour"]), {"from": owner})
    for kind in (TILL, TREASURER, GUARDIAN):
        if not manager.hasRole(brand_id * 256 + kind, owner)[0]:
            manager.grantRole(brand_id * 256 + kind, owner, 0, {"from": owner})
    collateral = int(brand["collateral"])
    settlement, house = _at(record, "SettlementToken"), _at(record, "ClearingHouse")
    if house.accountOf(brand_id)[0] < collateral:
        settlement.mint(owner, collateral, {"from": owner})
        settlement.approve(house, collateral, {"from": owner})
        house.deposit(brand_id, collateral, {"from": owner})
    registry.activate(brand_id, {"from": operator})


def _publish(owner, record, brand_id, rule):
    now = web3.eth.get_block("latest")["timestamp"]
    terms = (
        rule["activity"].encode().ljust(32, b"\0"),
        ("rate", "fixed", "correction").index(rule["kind"]),
        ("down", "nearest", "up").index(rule["rounding"]),
        rule["numerator"],
        rule["denominator"],
        rule["cap_per_award"],
        rule["cap_per_member_day"],
        rule["budget"],
        now,
        now + YEARS_100_S,
        rule["notice_seconds"],
        web3.keccak(text=rule["text"]),
        rule.get("return_window_seconds", 0),
        ("forgive", "debt").index(rule.get("shortfall", "forgive")),
        rule.get("lock_seconds", 0),
        rule.get("day_start", 0),
        rule.get("second_above", 0),
    )
    _at(record, "RewardRules").publish(brand_id, terms, {"from": owner})


def _agreements(plan, actors, record, ids):
    """Each agreement of the plan: proposed by the one brand, accepted by the other."""
    owners = {brand["slug"]: actors[brand["owner"]] for brand in plan["brands"]}
    exchange = _at(record, "PartnerExchange")
    found = [(number, exchange.agreementOf(number)) for number in range(1, exchange.agreementCount() + 1)]
    known = {tuple(one[:2]): (number, one[2]) for number, one in found if one[2] in (PROPOSED, AGREED)}
    for item in plan["agreements"]:
        from_id, to_id = ids[item["from"]], ids[item["to"]]
        agreement_id, state = known.get((from_id, to_id), (None, None))
        if state == AGREED:
            continue
        terms = (
            item["numerator"],
            item["denominator"],
            item["fee_bps"],
            item["daily_cap"],
            int(item["exposure_cap"]),
            int(item["value_numerator"]),
            int(item["value_denominator"]),
            item["notice_seconds"],
            item["minimum_in"],
            item["unwind_seconds"],
        )
        if agreement_id is None:
            proposed = exchange.propose(from_id, from_id, to_id, terms, {"from": owners[item["from"]]})
            agreement_id = proposed.events["AgreementProposed"]["agreementId"]
        terms_hash = web3.keccak(b"".join(term.to_bytes(32, "big") for term in terms))
        exchange.accept(agreement_id, terms_hash, {"from": owners[item["to"]]})


def _signers(plan, actors, record, ids):
    """The relayer's keys: money for gas, and roles that can move no member's points alone.

    Who awards is no till, and who is a till awards nothing: a stolen key of either kind makes no points and takes them.
    """
    operator = actors[plan["moa"]["operator"]]
    manager = _at(record, "AccessManager")
    kinds = dict.fromkeys(_addresses("MOA_SIGNERS"), ISSUER)
    for till in _addresses("MOA_TILLS"):
        if till in kinds:
            raise DeploymentRefused(f"{till} is in MOA_SIGNERS and in MOA_TILLS: a key that awards is no till.")
        kinds[till] = TILL
    for signer, kind in kinds.items():
        if web3.eth.get_balance(web3.to_checksum_address(signer)) < SIGNER_FUNDS_MIN_WEI:
            operator.transfer(signer, min(SIGNER_FUNDS_WEI, operator.balance() // 4))
        for brand in plan["brands"]:
            role = ids[brand["slug"]] * 256 + kind
            if not manager.hasRole(role, signer)[0]:
                manager.grantRole(role, signer, 0, {"from": actors[brand["owner"]]})


def _addresses(name):
    return [address.strip() for address in os.environ.get(name, "").split(",") if address.strip()]


def _at(record, name):
    build = project.get_loaded_projects()[0]
    # Not remembered by Brownie: what is deployed where stands in our own record only.
    return getattr(build, CONTRACTS[name]).at(record["contracts"][name]["address"], persist=False)


def _source_hash(name):
    """Hash of the compiled code without the metadata at its end: a changed comment is not another contract."""
    build = project.get_loaded_projects()[0]
    code = METADATA.sub("", getattr(build, CONTRACTS[name]).bytecode)
    return hashlib.sha256(code.encode()).hexdigest()


def _genesis_hash():
    return web3.eth.get_block(0)["hash"].to_0x_hex()


def _say(line):
    sys.stdout.write(line + "\n")


def _document(folder, text):
    """Keeps a document under its hash, which is what the chain has of it; gives the hash."""
    content_hash = web3.keccak(text=text).to_0x_hex()
    path = folder / content_hash
    if not path.exists():
        _write(path, text)
    return content_hash


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    # Renamed into place: a reader sees the whole of it or none.
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8", newline="")
    part.replace(path)
    network.history.clear()
