"""What a claim is about and what it says, for people: never more than what the claim itself holds."""

from typing import Any, Final

from chain.evidence.shapes import CLAIMS

# Which keys of a claim say what it is about.
SUBJECTS: Final = (
    "name",
    "address",
    "code_hash",
    "registry",
    "token_implementation",
    "token",
    "account",
    "contract",
    "brand_id",
    "rule_id",
    "version",
    "debtor_id",
    "creditor_id",
    "definition_id",
    "member",
    "proposal_id",
    "poster",
)


# What is only the way to the proof.
WAYS: Final = frozenset({"path", "fields", "events", "lots", "contracts", "event"})


def subject(claim: Any) -> str:
    """What a claim is about, in a few words."""
    if claim["type"] in ("event", "operation", "memo"):
        about = claim["event"] if claim["type"] == "event" else claim
        names = ("event", "address", "brand_id", "operation_id", "block")
        return " ".join(f"{name} {about[name]}" for name in names if name in about)
    return " ".join(f"{name} {claim[name]}" for name in SUBJECTS if name in claim)


def says(claim: Any) -> tuple[tuple[str, str], ...]:
    """What a claim says of its subject, as (name, value); points and money in base units."""
    kind = claim["type"]
    if kind == "event":
        return _fields(claim["event"])
    told = [(name, claim[name]) for name in sorted(CLAIMS[kind]) if name not in WAYS and name not in SUBJECTS]
    if kind in ("balance", "supply"):
        told += [("lot", f"{one['points']} until {one['expires_at']}") for one in claim["lots"]]
    elif kind == "history":
        told.append(("events", str(len(claim["events"]))))
        told += [(f"{one['block']} {one['event']}", _line(one)) for one in claim["events"]]
    elif kind == "memo":
        told += [(f"field {one['name']}", one["value"]) for one in claim["fields"]]
    return tuple(told)


def _fields(event: Any) -> tuple[tuple[str, str], ...]:
    return tuple((one["name"], one["value"]) for one in event["fields"])


def _line(event: Any) -> str:
    return " ".join(f"{name} {value}" for name, value in _fields(event))
