"""Refusals of who wants to come in. None tells whether somebody is a member.

Problem
├── CodeWrong            401   no such challenge, another code, too late, too often, or used: all the same
├── PasskeyRefused       401
├── WalletRefused        401   the message or its signature is not what was asked for
├── RefreshReused        401   its device was signed out
├── PasskeyUnknown       404
├── OutboxClosed         404
├── PasskeyTaken         409
├── ProofMissing         409   nothing was proved that could be confirmed
└── CodesTooMany         429
"""

from __future__ import annotations

from typing import ClassVar

from api.kit.problems import Problem

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="moa"'}


class CodeWrong(Problem):
    """This code does not open anything."""

    status = 401
    headers: ClassVar = _CHALLENGE


class PasskeyRefused(Problem):
    """The passkey's answer is not what was asked for."""

    status = 401
    headers: ClassVar = _CHALLENGE


class WalletRefused(Problem):
    """The signed message is not what was asked for."""

    status = 401
    headers: ClassVar = _CHALLENGE


class RefreshReused(Problem):
    """This token was used before: its device is signed out."""

    status = 401
    headers: ClassVar = _CHALLENGE


class PasskeyUnknown(Problem):
    """The member has no such passkey."""

    status = 404


class OutboxClosed(Problem):
    """What was sent is not shown here."""

    status = 404


class PasskeyTaken(Problem):
    """This passkey is known already."""

    status = 409


class ProofMissing(Problem):
    """Nothing was proved that this could confirm."""

    status = 409


class CodesTooMany(Problem):
    """Too many codes were asked for; wait a while."""

    status = 429
    headers: ClassVar = {"Retry-After": "3600"}
