"""Keys stay in the keystore."""

import json

import pytest
from coincurve import PublicKey
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from eth_account import Account

from chain.base.errors import KeystoreError, KeystoreLocked, KeystoreMissing
from chain.base.hashing import keccak, keccak_text
from chain.relayer.signer import Fees, sign
from chain.storage.keystore import LocalKeystore


def test_a_wrong_password_an_altered_file_and_a_missing_one_are_told_apart(tmp_path):
    """SPEC 7.24"""
    path = tmp_path / "keystore.json"
    LocalKeystore.create(path, "right")
    with pytest.raises(KeystoreLocked):
        LocalKeystore.open(path, "wrong")
    content = json.loads(path.read_text())
    for altered in (
        {**content, "sealed": "00" + content["sealed"][2:]},
        {**content, "header": {**content["header"], "salt": "00" * 16}},
        {**content, "header": {**content["header"], "n": 2**30}},
        {**content, "header": {**content["header"], "n": 0}},
        {**content, "header": {**content["header"], "p": 2**30}},
        {**content, "header": {**content["header"], "n": 3}},
        {**content, "header": {**content["header"], "salt": 5}},
        {**content, "header": []},
        {**content, "header": {"version": 1}},
        {**content, "nonce": ""},
        {"nothing": 1},
        [1],
    ):
        path.write_text(json.dumps(altered))
        with pytest.raises(KeystoreLocked):
            LocalKeystore.open(path, "right")
    with pytest.raises(KeystoreMissing):
        LocalKeystore.open(tmp_path / "none.json", "right")
    with pytest.raises(KeystoreError):
        LocalKeystore.open(tmp_path, "right")


def test_a_keystore_is_never_replaced_and_only_its_owner_reads_it(tmp_path):
    path = tmp_path / "keystore.json"
    LocalKeystore.create(path, "right")
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    with pytest.raises(KeystoreError):
        LocalKeystore.create(path, "other")
    assert path.read_bytes() == before


def test_a_reference_always_gives_the_same_key_and_another_one_another(tmp_path):
    path = tmp_path / "keystore.json"
    made, opened = LocalKeystore.create(path, "right"), LocalKeystore.open(path, "right")
    refs = ["signer/0", "signer/1", "member/1", "member/10", "member/"]
    assert [made.address_of(ref) for ref in refs] == [opened.address_of(ref) for ref in refs]
    assert len({made.address_of(ref) for ref in refs}) == len(refs)


def test_a_signature_is_recovered_to_the_address(tmp_path):
    keystore = LocalKeystore.create(tmp_path / "keystore.json", "right")
    digest = keccak_text("what is signed")
    signature = keystore.sign("member/7", digest)
    public = PublicKey.from_signature_and_message(signature[:64] + bytes([signature[64] - 27]), digest, hasher=None)
    assert "0x" + keccak(public.format(compressed=False)[1:])[12:].hex() == keystore.address_of("member/7")


def test_a_transaction_is_what_another_library_reads(tmp_path):
    keystore = LocalKeystore.create(tmp_path / "keystore.json", "right")
    signed = sign(
        keystore, "signer/0", chain_id=1337, nonce=0, target="0x" + "ab" * 20, calldata=b"\x00\x01", gas=21_000,
        fees=Fees(10, 1),
    )  # fmt: skip
    assert Account.recover_transaction(signed.raw).lower() == keystore.address_of("signer/0")
    assert "0x" + keccak(bytes.fromhex(signed.raw[2:])).hex() == signed.tx_hash


class Vault:
    """Keys somewhere else, of which one can ask an address and a signature over a digest, and nothing more."""

    __slots__ = ("_keys",)

    def __init__(self, refs):
        self._keys = {ref: Account.create() for ref in refs}

    def address_of(self, ref):
        return self._keys[ref].address.lower()

    def sign(self, ref, digest):
        assert len(digest) == 32
        return self._keys[ref].unsafe_sign_hash(digest).signature


def test_two_functions_are_all_that_the_relayer_needs_of_keys():
    """SPEC 7.24"""
    vault = Vault(["signer/0", "signer/1"])

    for ref in ("signer/0", "signer/1"):
        signed = sign(
            vault, ref, chain_id=1337, nonce=7, target="0x" + "ab" * 20, calldata=b"\x01", gas=21_000,
            fees=Fees(10, 1),
        )  # fmt: skip
        assert Account.recover_transaction(signed.raw).lower() == vault.address_of(ref)


def test_the_seed_is_not_shown(tmp_path):
    """SPEC 7.24"""
    seed = bytes(range(32))
    keystore = LocalKeystore.create(tmp_path / "keystore.json", "right", seed=seed)
    assert seed.hex() not in (tmp_path / "keystore.json").read_text()
    assert "00010203" not in repr(keystore)
    assert str(keystore) == "LocalKeystore(sealed)"


def test_one_reference_signs_messages_with_a_key_of_its_own():
    keystore, other = LocalKeystore(b"\x07" * 32), LocalKeystore(b"\x08" * 32)

    signature = keystore.sign_message("log/0", b"said")

    Ed25519PublicKey.from_public_bytes(keystore.public_key("log/0")).verify(signature, b"said")
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(keystore.public_key("log/0")).verify(signature, b"sad")
    keys = {keystore.public_key("log/0"), keystore.public_key("log/1"), other.public_key("log/0")}
    assert len(keys) == 3
    assert LocalKeystore(b"\x07" * 32).public_key("log/0") == keystore.public_key("log/0")
