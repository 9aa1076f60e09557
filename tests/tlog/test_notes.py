"""Signed notes, checkpoints and cosignatures of C2SP, from their malformed side first."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.tlog import checkpoints, notes
from chain.tlog.checkpoints import Block, Checkpoint, open_checkpoint
from chain.tlog.cosignatures import COSIGNATURE, Cosignature, cosign, cosignature, message
from chain.tlog.errors import (
    CheckpointMalformed,
    NoteMalformed,
    ProofMalformed,
    SignatureInvalid,
    SignatureMissing,
    TlogError,
)
from chain.tlog.hashes import EMPTY_ROOT, leaf_hash
from chain.tlog.inclusions import Inclusion
from chain.tlog.notes import KeySigner, Note, Verifier, open_note

# The example of Go's golang.org/x/mod/sumdb/note, on which C2SP's format is built.
NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
NEUMANN_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NEUMANN_NOTE = (
    NEUMANN_TEXT
    + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ORIGIN = "example.com/log"
BLOCK = Block(1337, 4711, "0x" + "ab" * 32)


def signer(name: str, seed: int, kind: int = notes.ED25519) -> KeySigner:
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return KeySigner(Verifier(name, key.public_key().public_bytes_raw(), kind), key.sign)


LOG, OTHER, WITNESS = signer(ORIGIN, 1), signer("example.com/other", 2), signer("example.com/w", 3, COSIGNATURE)
CHECKPOINT = Checkpoint(ORIGIN, 5, leaf_hash(b"five"), (BLOCK.told(),))


def test_note_of_the_reference_is_read_and_made_to_the_byte() -> None:
    """SPEC 14.4"""
    key = Verifier.parse(NEUMANN)
    secret = Ed25519PrivateKey.from_private_bytes(NEUMANN_SEED)

    assert open_note(NEUMANN_NOTE, [key]).text == NEUMANN_TEXT
    assert notes.sign(NEUMANN_TEXT, KeySigner(key, secret.sign)) == NEUMANN_NOTE
    assert key.vkey == NEUMANN


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        "text",
        "text\n",
        "text\n\n",
        "\n\n— a AAAAAAA=\n",
        NEUMANN_NOTE[:-1],
        NEUMANN_NOTE + "\n",
        NEUMANN_NOTE.replace("— ", "- "),
        NEUMANN_NOTE.replace("— ", "—"),
        NEUMANN_NOTE.replace("nAM=\n", "nAN=\n"),
        NEUMANN_NOTE.replace("nAM=\n", "nAM\n"),
        NEUMANN_NOTE.replace("nAM=\n", "nAM= \n"),
        NEUMANN_NOTE.replace("PeterNeumann x", "Peter+Neumann x"),
        NEUMANN_NOTE.replace("PeterNeumann x", " x"),
        NEUMANN_NOTE.replace("If you", "If\tyou"),
        NEUMANN_NOTE.replace("\n", "\r\n"),
        NEUMANN_NOTE.replace("If you", "If\0you"),
        NEUMANN_TEXT + "\n— PeterNeumann x08gow==\n",
        NEUMANN_TEXT + "\n" + "— a AAAAAAA=\n" * 65,
        "x" * 1_000_001 + "\n\n— a AAAAAAA=\n",
        NEUMANN_NOTE.replace("If you", "If\ud800you"),
    ],
)
def test_malformed_note_is_refused(note: str) -> None:
    """SPEC 14.4"""
    with pytest.raises(NoteMalformed):
        open_note(note, [Verifier.parse(NEUMANN)])


def test_unknown_key_says_nothing_and_a_known_one_must_verify() -> None:
    """SPEC 14.4"""
    key = Verifier.parse(NEUMANN)
    third_party = notes.sign(NEUMANN_TEXT, OTHER)
    both = Note(NEUMANN_TEXT, (*Note.parse(third_party).lines, *Note.parse(NEUMANN_NOTE).lines)).told()
    namesake = notes.sign(NEUMANN_TEXT, signer("PeterNeumann", 9))

    assert open_note(both, [key]).text == NEUMANN_TEXT
    for unsigned in (third_party, namesake):
        with pytest.raises(SignatureMissing):
            open_note(unsigned, [key])
    with pytest.raises(SignatureInvalid):
        open_note(NEUMANN_NOTE.replace("cryptography", "cartography"), [key])
    twice = Note(NEUMANN_TEXT, (*Note.parse(NEUMANN_NOTE).lines, replace(Note.parse(NEUMANN_NOTE).lines[0])))
    forged = replace(twice.lines[1], signature=b"\0" * 64)
    assert open_note(twice.told(), [key]).text == NEUMANN_TEXT
    with pytest.raises(SignatureInvalid):
        open_note(Note(NEUMANN_TEXT, (twice.lines[0], forged)).told(), [key])


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        NEUMANN.replace("c74f20a3", "c74f20a4"),
        NEUMANN.replace("Peter", "Pieter"),
        NEUMANN.replace("+ARpc", "+BRpc"),
        NEUMANN[:-4],
        NEUMANN + "=",
        WITNESS.verifier.vkey,
        "a b" + NEUMANN.removeprefix("PeterNeumann"),
    ],
)
def test_malformed_key_is_refused(vkey: str) -> None:
    """SPEC 14.4"""
    with pytest.raises(NoteMalformed):
        Verifier.parse(vkey)


def test_checkpoint_is_three_lines_and_its_block() -> None:
    """SPEC 14.5"""
    signed = CHECKPOINT.signed(LOG)

    opened = open_checkpoint(signed, LOG.verifier)

    assert opened == CHECKPOINT
    assert opened.block == BLOCK
    lines = signed.split("\n")
    assert lines[:2] == [ORIGIN, "5"]
    assert lines[3:5] == ["moa-block 1337 4711 0x" + "ab" * 32, ""]
    assert replace(CHECKPOINT, extensions=("other words",)).block is None


ROOT = notes.encode(EMPTY_ROOT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"{ORIGIN}\n0\n",
        f"{ORIGIN}\n0\n{ROOT}",
        f"\n0\n{ROOT}\n",
        f"{ORIGIN}\n00\n{ROOT}\n",
        f"{ORIGIN}\n05\n{ROOT}\n",
        f"{ORIGIN}\n+5\n{ROOT}\n",
        f"{ORIGIN}\n-5\n{ROOT}\n",
        f"{ORIGIN}\n5 \n{ROOT}\n",
        f"{ORIGIN}\n٥\n{ROOT}\n",
        f"{ORIGIN}\n9223372036854775808\n{ROOT}\n",
        f"{ORIGIN}\n5\n{ROOT[:-4]}\n",
        f"{ORIGIN}\n5\n{ROOT} \n",
        f"{ORIGIN}\n5\n{'A' * 43}B=\n",
        f"{ORIGIN}\n0\n{notes.encode(leaf_hash(b''))}\n",
        f"{ORIGIN}\n5\n{ROOT}\n\n",
        f"{ORIGIN}\n5\n{ROOT}\nmoa-block 1337 1\n",
        f"{ORIGIN}\n5\n{ROOT}\nmoa-block 1337 01 0x{'ab' * 32}\n",
        f"{ORIGIN}\n5\n{ROOT}\nmoa-block 1337 1 0x{'AB' * 32}\n",
        f"{ORIGIN}\n5\n{ROOT}\n{BLOCK.told()}\n{BLOCK.told()}\n",
        f"{ORIGIN}\n5\n{ROOT}\n" + "more\n" * 17,
    ],
)
def test_malformed_checkpoint_is_refused(text: str) -> None:
    """SPEC 14.5"""
    with pytest.raises(CheckpointMalformed):
        Checkpoint.parse(text)


def test_key_signs_for_its_own_log_only() -> None:
    """SPEC 14.5"""
    of_another = notes.sign(replace(CHECKPOINT, origin="example.com/other").text(), LOG)

    with pytest.raises(CheckpointMalformed):
        open_checkpoint(of_another, LOG.verifier)
    with pytest.raises(SignatureMissing):
        open_checkpoint(CHECKPOINT.signed(OTHER), LOG.verifier)
    assert checkpoints.unverified(of_another).origin == "example.com/other"


def test_witness_signs_text_and_time() -> None:
    """SPEC 14.6"""
    note = Note.parse(CHECKPOINT.signed(LOG))
    line = cosign(note, WITNESS, time_s=1_700_000_000)
    cosigned = Note(note.text, (*note.lines, line))

    assert message("a\n", 7) == b"cosignature/v1\ntime 7\na\n"
    assert cosignature(Note.parse(cosigned.told()), WITNESS.verifier) == Cosignature("example.com/w", 1_700_000_000)
    assert cosignature(note, WITNESS.verifier) is None
    assert open_checkpoint(cosigned.told(), LOG.verifier) == CHECKPOINT
    later = (1_700_000_001).to_bytes(8) + line.signature[8:]
    for forged in (later, line.signature[:-1], line.signature + b"\0", b"\xff" * 8 + line.signature[8:]):
        with pytest.raises(SignatureInvalid):
            cosignature(Note(note.text, (replace(line, signature=forged),)), WITNESS.verifier)
    with pytest.raises(NoteMalformed):
        cosignature(note, LOG.verifier)
    assert Verifier.parse(WITNESS.verifier.vkey, kind=COSIGNATURE) == WITNESS.verifier


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told.replace("@v1", "@v2"),
        lambda told: told.replace("index 0", "index 00"),
        lambda told: told.replace("index 0", "index"),
        lambda told: told.replace("index 0\n", "index 0\nAAAA\n"),
        lambda told: told.replace("\n\n", "\n", 1).replace("\n\n", "\n", 1),
        lambda told: told.replace("index 0\n", "index 0\n" + (notes.encode(EMPTY_ROOT) + "\n") * 66),
    ],
)
def test_malformed_proof_is_refused(change: object) -> None:
    """SPEC 14.7"""
    alone = Checkpoint(ORIGIN, 1, leaf_hash(b"entry"))
    told = Inclusion(0, (), alone.signed(LOG)).told()
    assert Inclusion.parse(told).verify(b"entry", LOG.verifier) == alone
    assert Inclusion.parse(told.replace("index", "extra AAAA\nindex")).verify(b"entry", LOG.verifier) == alone

    with pytest.raises(ProofMalformed):
        Inclusion.parse(change(told))  # type: ignore[operator]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_flipped_bit_of_a_checkpoint_goes_unnoticed(data: st.DataObject) -> None:
    """SPEC 14.5"""
    signed = CHECKPOINT.signed(LOG).encode()
    at, bit = data.draw(st.integers(0, len(signed) - 1)), data.draw(st.integers(0, 7))
    flipped = bytearray(signed)
    flipped[at] ^= 1 << bit

    with pytest.raises((TlogError, UnicodeDecodeError)):
        open_checkpoint(bytes(flipped).decode(), LOG.verifier)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_by_name(text: str) -> None:
    """SPEC 14.4"""
    for read in (Note.parse, Checkpoint.parse, Inclusion.parse, Verifier.parse):
        try:
            read(text)  # type: ignore[operator]
        except NoteMalformed:
            continue
