"""Kinds of identifiers: how each is written, how many one person may have, and which counts more.

The numbers follow Segment's rules for resolving identities, with two changes of order: a telephone number, which a code
proves, comes before what brands call people; and a cookie or a device comes last, because several people hold one
tablet. They are published (GET /v1/identity/policy). A limit is never made tighter once there are data.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import email_validator
import phonenumbers

from api.identity.errors import IdentifierBlocked, IdentifierMalformed, PhoneUnclear
from chain.base import errors as chain_errors
from chain.base.addresses import parse_address

KindName = Literal["account", "email", "phone", "card", "partner", "till", "wallet", "cookie", "device"]
DAY_S: Final = 86_400
WEEK_S: Final = 7 * DAY_S
YEAR_S: Final = 365 * DAY_S
VALUE_CHARS_MAX: Final = 256
POLICY_VERSION: Final = 1
# What programs write when they have nothing to say; in lower case.
BLOCKED_WORDS: Final = frozenset({"-1", "null", "anonymous", "undefined", "unknown", "none", "nan", "guest"})
BLOCKED_PATTERN: Final = r"^[0-]*$"
_blocked: Final = re.compile(BLOCKED_PATTERN.removesuffix("$") + r"\Z", re.ASCII)
_number: Final = re.compile(r"[A-Z0-9]{4,40}\Z", re.ASCII)
_payment: Final = re.compile(r"[0-9]{13,19}\Z", re.ASCII)
_ascii: Final = re.compile(r"[!-~]{1,128}\Z", re.ASCII)
_visible: Final = re.compile(r"[^\s\x00-\x1f\x7f]+\Z")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of identifier.

    priority: 1 counts most; the one that counts least is left out when a person would have too many. limit within
    window_s (None: ever): different values that one person may have. written: the one way to write a value.
    proves: whether showing it proves who somebody is (by a code, a signature).
    """

    name: KindName
    priority: int
    limit: int
    window_s: int | None
    written: Callable[[str, str | None], str]
    proves: bool = False


def normalised(kind: KindName, value: str, country: str | None = None) -> str:
    """The one way in which this value is written; IdentifierBlocked for what says nothing, IdentifierMalformed else."""
    plain = unicodedata.normalize("NFC", value).strip()
    if not plain or len(plain) > VALUE_CHARS_MAX:
        raise IdentifierMalformed(f"An identifier has 1 to {VALUE_CHARS_MAX} characters.", kind=kind)
    if is_blocked(plain):
        raise IdentifierBlocked("This value is what programs write when they know nobody.", kind=kind)
    return KINDS[kind].written(plain, country)


def is_blocked(value: str) -> bool:
    """Whether the value names nobody: only zeros and dashes, or a word for nothing."""
    return _blocked.match(value) is not None or value.lower() in BLOCKED_WORDS


def masked(kind: str, value: str) -> str:
    """The value as it is shown to who may know that it is there, and no more."""
    if kind == "email":
        local, _, domain = value.partition("@")
        return f"{local[:1]}…@{domain}"
    return f"…{value[-4:]}" if len(value) > 8 else f"…{value[-2:]}"


def _email(value: str, _: str | None) -> str:
    try:
        found = email_validator.validate_email(value, check_deliverability=False, allow_smtputf8=True)
    except email_validator.EmailNotValidError:
        raise IdentifierMalformed("This is no e-mail address.", kind="email") from None
    # In capitals or not, it is one mailbox wherever people have one.
    return found.normalized.lower()


def _phone(value: str, country: str | None) -> str:
    try:
        found = phonenumbers.parse(value, country)
    except phonenumbers.NumberParseException as fault:
        if fault.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE and country is None:
            raise PhoneUnclear("Write the number with + and its country code.", kind="phone") from None
        raise IdentifierMalformed("This is no telephone number.", kind="phone") from None
    if not phonenumbers.is_valid_number(found):
        raise IdentifierMalformed("Nobody has this telephone number.", kind="phone")
    return phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)


def _printed_number(kind: str) -> Callable[[str, str | None], str]:
    def written(value: str, _: str | None) -> str:
        plain = re.sub(r"[\s.-]", "", value).upper()
        if not _number.match(plain):
            raise IdentifierMalformed("A number is 4 to 40 letters and digits.", kind=kind)
        if kind == "card" and _payment.match(plain) and _luhn(plain):
            # A payment card's number is to be nowhere, under no key.
            raise IdentifierMalformed("This looks like the number of a payment card, which is never kept.", kind=kind)
        return plain

    return written


def _opaque(kind: str) -> Callable[[str, str | None], str]:
    def written(value: str, _: str | None) -> str:
        if not _visible.match(value):
            raise IdentifierMalformed("An identifier of this kind has no spaces.", kind=kind)
        return value

    return written


def _partner(value: str, _: str | None) -> str:
    if not _ascii.match(value):
        raise IdentifierMalformed("A brand's name for a member is 1 to 128 visible ASCII characters.", kind="partner")
    return value


def _wallet(value: str, _: str | None) -> str:
    try:
        return parse_address(value)
    except chain_errors.AddressMalformed:
        raise IdentifierMalformed(f"An address is {chain_errors.ADDRESSES}", kind="wallet") from None


def _luhn(digits: str) -> bool:
    odd = sum(int(one) for one in digits[-1::-2])
    even = sum(sum(divmod(2 * int(one), 10)) for one in digits[-2::-2])
    return (odd + even) % 10 == 0


_ALL: Final = (
    Kind("account", 1, 1, None, _opaque("account")),
    Kind("email", 2, 5, YEAR_S, _email, proves=True),
    Kind("phone", 3, 5, YEAR_S, _phone, proves=True),
    Kind("card", 4, 5, YEAR_S, _printed_number("card")),
    Kind("partner", 5, 5, YEAR_S, _partner),
    Kind("till", 6, 5, YEAR_S, _printed_number("till")),
    Kind("wallet", 7, 5, YEAR_S, _wallet, proves=True),
    Kind("cookie", 8, 5, WEEK_S, _opaque("cookie")),
    Kind("device", 9, 5, YEAR_S, _opaque("device")),
)
KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in _ALL}
# They name a thing that several people may hold.
SHARED: Final = frozenset({"cookie", "device"})
