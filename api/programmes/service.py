"""Previews. The contracts' own `quote` functions answer, so a preview is what execution would do."""

from __future__ import annotations

from sqlmodel import Session

from api.decisions.mappings import MAPPINGS
from api.events.errors import RuleMissing, RuleUnread
from api.events.kinds import PURCHASE
from api.kit.clock import now_ms, rfc3339
from api.kit.container import State
from api.kit.currency import decimals_of
from api.members.errors import BrandUnknown
from api.programmes.catalogue import AgreementCard, BrandCard, Catalogue, read_catalogue
from api.programmes.errors import AgreementUnknown
from api.programmes.rates import return_terms
from api.programmes.schemas import AgreementCited, AwardQuote, ExchangeQuote, Rate, RuleCited
from chain.contracts import quotes
from chain.mirror.queries import brands

ACTIVITY = MAPPINGS[PURCHASE.name].activity
# A preview for anyone: nobody's day or balance plays a part.
NOBODY_YET = "0x" + "11" * 20


def quote_award(state: State, *, brand: int, amount: int) -> AwardQuote:
    """The points that a purchase of `amount` would earn now at a brand of the registry; the contract's refusal else."""
    catalogue = _catalogue(state)
    card = catalogue.by_id[brand]
    with Session(state.database.engine) as session:
        rule_id = brands.rule_for(session, card.registry_id, ACTIVITY, at_s=now_ms() // 1000)
        unread = brands.may_come(session, rule_id)
    if unread:
        raise RuleUnread(f"The rules of {card.slug} are still being read; ask again in a moment.")
    if rule_id is None:
        raise RuleMissing(f"{card.slug} publishes no rule for purchases.", brand=card.slug)
    quote = quotes.award(
        state.node.rpc, state.deployment, brand=card.registry_id, member=NOBODY_YET, rule=rule_id, base_amount=amount
    )
    terms = catalogue.terms.get((card.registry_id, str(rule_id), quote.version), {})
    cited = RuleCited(
        id=str(rule_id),
        version=quote.version,
        name=ACTIVITY,
        base_amount=str(amount),
        base_decimals=decimals_of(card.currency),
        currency=card.currency,
        numerator=str(terms.get("numerator", "")),
        denominator=str(terms.get("denominator", "")),
        **return_terms(terms),
    )
    return AwardQuote(points=str(quote.points), decimals=card.decimals, rule=cited)


def quote_exchange(state: State, *, source: str, target: str, points_in: int) -> ExchangeQuote:
    """What an exchange gives now, by the agreement in force."""
    agreement, card = agreement_of(_catalogue(state), source=source, target=target)
    quote = contract_quote(state, agreement=agreement, points_in=points_in)
    until_ms = now_ms() + int(state.settings.quote_lifetime.total_seconds() * 1000)
    return ExchangeQuote(
        source=source,
        target=target,
        points_in=str(points_in),
        points_out=str(quote.out),
        minimum_out=str(quote.out),
        fee=str(quote.fee),
        decimals=card.decimals,
        rate=Rate(numerator=str(agreement.terms["numerator"]), denominator=str(agreement.terms["denominator"])),
        agreement=AgreementCited(id=agreement.id, version=quote.version),
        expires_at=rfc3339(until_ms),
    )


def agreement_of(catalogue: Catalogue, *, source: str, target: str) -> tuple[AgreementCard, BrandCard]:
    """The agreement from one brand to another with the card of the brand entered; typed refusals otherwise."""
    for slug in (source, target):
        if slug not in catalogue.by_slug:
            raise BrandUnknown(f"No brand is called {slug}.", brand=slug)
    agreement = catalogue.agreements.get((source, target))
    if agreement is None:
        raise AgreementUnknown(f"{source} and {target} have no agreement in this direction.")
    return agreement, catalogue.by_slug[target]


def contract_quote(state: State, *, agreement: AgreementCard, points_in: int) -> quotes.ExchangeQuote:
    """What the contract that would execute the exchange says of it now."""
    return quotes.exchange(state.node.rpc, state.deployment, agreement_id=int(agreement.id), points_in=points_in)


def _catalogue(state: State) -> Catalogue:
    return state.database.reads(lambda read: read_catalogue(read, at_ms=now_ms()))
