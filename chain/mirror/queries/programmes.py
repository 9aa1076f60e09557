"""Rules and agreements as brands published them. Terms are documents with the contracts' own names."""

from typing import Any, Final, NamedTuple

from chain.base.scalars import RegistryId, RegistryIdText
from chain.storage.looks import Look, document

_RULES: Final = (
    "SELECT brand_id, rule_id, version, in_force_at, withdrawn, terms FROM rule{} ORDER BY brand_id, rule_id, version"
    " LIMIT ?"
)
_AGREEMENTS: Final = (
    "SELECT agreement_id, from_brand_id, to_brand_id, state, ends_at, versions FROM agreement{} ORDER BY agreement_id"
    " LIMIT ?"
)
_TERMS: Final = "SELECT terms FROM rule WHERE brand_id = ? AND rule_id = ? AND version = ?"
_ALL_RULES, _VALID_RULES = _RULES.format(""), _RULES.format(" WHERE NOT withdrawn")
_ALL_AGREEMENTS, _AGREED = _AGREEMENTS.format(""), _AGREEMENTS.format(" WHERE state IN ('agreed', 'ending')")


class Rule(NamedTuple):
    """One version of a rule; in force from `in_force_at` until the next version's."""

    brand_id: RegistryIdText
    rule_id: str
    version: int
    in_force_at: int
    withdrawn: bool
    terms: dict[str, Any]


class Agreement(NamedTuple):
    """Exchange from one brand into another. state: proposed, agreed, ending. versions: oldest first."""

    agreement_id: str
    from_brand_id: str
    to_brand_id: str
    state: str
    ends_at: int | None
    versions: list[dict[str, Any]]


def rules(look: Look, *, limit: int, withdrawn: bool = True) -> list[Rule]:
    """Every version of every rule, by brand, rule and version (as text, text and number); withdrawn False: without
    those that their brands took back."""
    return [
        Rule(brand_id, rule_id, version, in_force_at, bool(taken_back), document(terms))
        for brand_id, rule_id, version, in_force_at, taken_back, terms in look.rows(
            _ALL_RULES if withdrawn else _VALID_RULES, limit
        )
    ]


def terms(look: Look, *, brand: RegistryId, rule_id: str, version: int) -> dict[str, Any] | None:
    """The terms of one version of a rule; None where the mirror has none."""
    row = look.row(_TERMS, str(brand), rule_id, version)
    if row is None:
        return None
    found: dict[str, Any] = document(row[0])
    return found


def agreements(look: Look, *, limit: int, proposed: bool = True) -> list[Agreement]:
    """Every agreement, by id; proposed False: without those that both sides never agreed to."""
    rows = look.rows(_ALL_AGREEMENTS if proposed else _AGREED, limit)
    return [Agreement._make((*row[:-1], document(row[-1]))) for row in rows]
