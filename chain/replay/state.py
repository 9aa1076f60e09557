"""The replay's state as JSON, to go on from later; cut anywhere between two blocks, it ends like the whole."""

import json
from dataclasses import dataclass
from typing import Any, Final

from chain.base.difference import Difference, Where
from chain.model import lots as lot
from chain.model.access import Announcements
from chain.model.agreements import Agreement
from chain.model.badges import Published
from chain.model.clearing import Account, Statement
from chain.model.desk import Hold, RefundWindow
from chain.model.exchange import Record
from chain.model.openings import Opening
from chain.model.policy import Policy
from chain.model.registry import Brand
from chain.model.rules import Award, Rule
from chain.replay.authority import StatedGrant
from chain.replay.books import Books
from chain.replay.decoding.facts import TokenTerms
from chain.replay.decoding.packing import pack, unpack
from chain.replay.findings import Findings
from chain.replay.operations import Operations
from chain.replay.tokens import StatedToken, Words
from chain.replay.votes import StatedGovernor
from chain.replay.votes_state import VotesState, fill_votes, votes_state

FORMAT: Final = "moa-replay/3"


class StateInvalid(ValueError):
    """The text is no state of a replay; what is wrong with it."""


@dataclass(frozen=True, slots=True)
class TokenState:
    """A token without what follows from the words."""

    address: str
    terms: TokenTerms
    policy: Policy
    words: dict[str, Words]
    supply_words: Words
    supply: dict[int, int]
    debts: dict[str, int]
    uri: str
    allowances: dict[tuple[str, str], int]
    permit_nonces: dict[str, int]
    allowed_until: dict[str, int]
    next_policy: tuple[Policy, int] | None
    renewed: dict[tuple[str, int], int]
    used: set[tuple[str, int]]
    ready_at: dict[str, int]
    since: dict[str, int]


@dataclass(frozen=True, slots=True)
class BooksState:
    """All books."""

    sealed: bool
    tokens: dict[int, TokenState]
    holders: dict[int, dict[str, StatedGrant]]
    invited_at: dict[int, int]
    brands: dict[int, Brand]
    all_stopped_at: int
    rules: dict[int, list[Rule]]
    awards: dict[tuple[int, int], Award]
    roots: dict[tuple[int, str], list[int]]
    operations: dict[tuple[int, int], int]
    holds: dict[str, Hold]
    windows: dict[int, RefundWindow]
    accounts: dict[int, Account]
    obligations: dict[tuple[int, int], int]
    statements: dict[int, Statement]
    next_period: int
    agreements: list[Agreement]
    openings: dict[int, list[Opening]]
    definitions: dict[int, list[Published]]
    badge_operations: set[tuple[int, int]]
    flows: dict[tuple[int, int, int], int]
    records: dict[str, Record | None]
    ready_at: dict[str, dict[str, int]]
    since: dict[str, dict[str, int]]
    votes: VotesState | None


@dataclass(frozen=True, slots=True)
class Place:
    """How far the replay came, and what it found."""

    number: int
    time: int
    counts: dict[str, int]
    third_parties: dict[str, str]
    found: int
    lost: dict[str, int]
    told: set[str]


def dump(books: Books, findings: Findings, place: Place) -> bytes:
    """The state as JSON."""
    said = {
        "format": FORMAT,
        "place": pack(place),
        "books": pack(_books_state(books)),
        "differences": [each.as_dict() for each in findings.kept],
        "doubts": sorted((list(each) for each in findings.doubts if isinstance(each, tuple)), key=repr),
    }
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()


def load(books: Books, findings: Findings, text: bytes) -> Place:
    """Fills empty books from a state. Raises StateInvalid."""
    try:
        said = json.loads(text)
        if said["format"] != FORMAT:
            raise StateInvalid(f"a state of format {said['format']}, not {FORMAT}")
        place: Place = unpack(Place, said["place"])
        _fill(books, unpack(BooksState, said["books"]))
        findings.kept.extend(_difference(each) for each in said["differences"])
        findings.found = place.found
        findings.lost.update(place.lost)
        findings.told |= place.told
        findings.doubts.update(tuple(each) for each in said["doubts"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, StateInvalid):
            raise
        raise StateInvalid(f"this is no state of a replay: {error}") from error
    return place


def _difference(said: dict[str, Any]) -> Difference:
    return Difference(**{**said, "where": Where(**said["where"])})


def _announcements(books: Books) -> dict[str, Announcements]:
    parts = (books.registry, books.rules, books.desk, books.clearing, books.agreements, books.openings, books.badges)
    found = {part.announcements.contract: part.announcements for part in parts}
    if books.governor is not None:
        found[books.governor.announcements.contract] = books.governor.announcements
    return found


def _books_state(books: Books) -> BooksState:
    return BooksState(
        sealed=books.sealed,
        tokens={brand_id: _token_state(books.token(brand_id)) for brand_id in books.tokens},
        holders=books.stated_roles.holders,
        invited_at=books.roles.invited_at,
        brands=books.registry.brands,
        all_stopped_at=books.registry.all_stopped_at,
        rules=books.rules.rules,
        awards=books.rules.awards,
        roots=books.rules.roots,
        operations=books.operations.words,
        holds=books.desk.holds,
        windows=books.desk.windows,
        accounts=books.clearing.accounts,
        obligations=books.clearing.obligations,
        statements=books.clearing.statements,
        next_period=books.clearing.next_period,
        agreements=books.agreements.agreements,
        openings=books.openings.openings,
        definitions=books.badges.definitions,
        badge_operations=books.badges.used,
        flows=books.agreements.flows,
        records=books.exchanges.records,
        ready_at={name: each.ready_at for name, each in _announcements(books).items()},
        since={name: each.since for name, each in _announcements(books).items()},
        votes=votes_state(books.governor) if isinstance(books.governor, StatedGovernor) else None,
    )


def _token_state(token: StatedToken) -> TokenState:
    clock = token.clock
    return TokenState(
        address=token.address,
        terms=TokenTerms(clock.epoch_s, clock.lifetime_epochs, clock.grace_s, clock.origin),
        policy=Policy(token.policy),
        words=token.words,
        supply_words=token.supply_words,
        supply=token.supply,
        debts=token.debts,
        uri=token.uri,
        allowances=token.allowances,
        permit_nonces=token.permit_nonces,
        allowed_until=token.allowed_until,
        next_policy=token.next_policy,
        renewed=token.renewed,
        used=token.nonces.used,
        ready_at=token.announcements.ready_at,
        since=token.announcements.since,
    )


def _fill(books: Books, state: BooksState) -> None:
    books.sealed = state.sealed
    for brand_id, each in state.tokens.items():
        token = books.add_token(brand_id, each.address, each.terms, each.policy)
        token.words, token.supply_words, token.supply = each.words, each.supply_words, each.supply
        token.debts, token.uri = each.debts, each.uri
        token.accounts = {account: lot.unpacked(words) for account, words in each.words.items()}
        token.allowances, token.permit_nonces = each.allowances, each.permit_nonces
        token.allowed_until, token.next_policy, token.renewed = each.allowed_until, each.next_policy, each.renewed
        token.nonces.used = each.used
        token.announcements.ready_at, token.announcements.since = each.ready_at, each.since
    books.stated_roles.holders, books.roles.invited_at = state.holders, state.invited_at
    books.registry.brands, books.registry.all_stopped_at = state.brands, state.all_stopped_at
    books.rules.rules, books.operations = state.rules, Operations(state.operations)
    books.rules.awards, books.rules.roots = state.awards, state.roots
    books.desk.holds, books.desk.windows, books.exchanges.records = state.holds, state.windows, state.records
    books.clearing.accounts, books.clearing.obligations = state.accounts, state.obligations
    books.clearing.statements, books.clearing.next_period = state.statements, state.next_period
    books.agreements.agreements, books.agreements.flows = state.agreements, state.flows
    books.openings.openings = state.openings
    books.badges.definitions, books.badges.used = state.definitions, state.badge_operations
    for name, announcements in _announcements(books).items():
        announcements.ready_at, announcements.since = state.ready_at[name], state.since[name]
    if isinstance(books.governor, StatedGovernor) and state.votes is not None:
        fill_votes(books.governor, state.votes)
