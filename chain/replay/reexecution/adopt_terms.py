"""The books set to what the chain states of rules, agreements, standing and roles, after a difference."""

from dataclasses import replace
from typing import Any

from chain.model.agreements import Agreement, AgreementChange, AgreementState, AgreementTerms
from chain.model.clock import FOREVER
from chain.model.policy import Policy
from chain.model.registry import Brand, Status
from chain.model.rules import Change, Rule
from chain.replay.authority import StatedGrant
from chain.replay.books import Books
from chain.replay.decoding.facts import TOKEN
from chain.replay.decoding.shapes import Event
from chain.replay.reexecution.reexecute_terms import announcements_of, rule_terms
from chain.replay.tokens import StatedToken

# A chain that numbers its rules or agreements wildly is followed this far beyond what is known.
GAP_MAX = 1_000


def _token(books: Books, event: Event) -> StatedToken:
    return books.token(int(event.contract.removeprefix(TOKEN)))


def policy_changed(books: Books, event: Event, at: int, ran: bool) -> None:
    """The policy in force."""
    token = _token(books, event)
    token.policy, token.next_policy = Policy(event.values["policy"]), None


def policy_announced(books: Books, event: Event, at: int, ran: bool) -> None:
    """The policy that waits."""
    token = _token(books, event)
    token.policy = token.policy_at(at)
    token.next_policy = Policy(event.values["policy"]), event.values["inForceAt"]


def allow_list_changed(books: Books, event: Event, at: int, ran: bool) -> None:
    """The list of receivers."""
    _token(books, event).allowed_until[event.values["account"]] = FOREVER if event.values["allowed"] else 0


def allow_list_ending(books: Books, event: Event, at: int, ran: bool) -> None:
    """Until when the account is on the list."""
    _token(books, event).allowed_until[event.values["account"]] = event.values["until"]


def approved(books: Books, event: Event, at: int, ran: bool) -> None:
    """An allowance."""
    values = event.values
    _token(books, event).allowances[values["owner"], values["spender"]] = values["value"]


def call_announced(books: Books, event: Event, at: int, ran: bool) -> None:
    """From when an announced call may be made."""
    announcements_of(books, event.contract).ready_at[event.values["callHash"]] = event.values["readyAt"]


def call_retracted(books: Books, event: Event, at: int, ran: bool) -> None:
    """Taken back."""
    announcements_of(books, event.contract).ready_at.pop(event.values["callHash"], None)


# --- rules


def rule_published(books: Books, event: Event, at: int, ran: bool) -> None:
    """A rule with these terms, in its place."""
    rules = books.rules.rules.setdefault(event.values["brandId"], [])
    if ran and len(rules) != event.values["ruleId"]:
        rules.pop()
    rule = Rule(rule_terms(event.values["terms"]), event.values["version"], event.values["version"])
    _place(rules, event.values["ruleId"], rule)


def _place(items: list[Any], number: int, item: Any) -> None:
    """Puts an item at its number from 1; a gap is filled with the same."""
    while len(items) < number <= len(items) + GAP_MAX:
        items.append(replace(item))
    if 0 < number <= len(items):
        items[number - 1] = item


def _rule(books: Books, event: Event) -> Rule | None:
    rules = books.rules.rules.get(event.values["brandId"], [])
    number = event.values["ruleId"]
    return rules[number - 1] if 0 < number <= len(rules) else None


def rule_change_announced(books: Books, event: Event, at: int, ran: bool) -> None:
    """The change that waits."""
    rule, values = _rule(books, event), event.values
    if rule is not None:
        rule.settle(at)
        rule.last_version = values["version"]
        rule.change = Change(values["version"], values["inForceAt"], rule_terms(values["terms"]))


def rule_change_withdrawn(books: Books, event: Event, at: int, ran: bool) -> None:
    """No change waits."""
    rule = _rule(books, event)
    if rule is not None:
        rule.change = None


# --- agreements


def agreement_proposed(books: Books, event: Event, at: int, ran: bool) -> None:
    """An agreement, in its place."""
    values = event.values
    made = Agreement(
        from_brand_id=values["fromBrandId"],
        to_brand_id=values["toBrandId"],
        by_brand_id=values["byBrandId"],
        state=AgreementState.PROPOSED,
        version=1,
        last_version=1,
        terms=AgreementTerms(*values["terms"]),
    )
    if ran and len(books.agreements.agreements) != values["agreementId"]:
        books.agreements.agreements.pop()
    _place(books.agreements.agreements, values["agreementId"], made)


def _agreement(books: Books, event: Event) -> Agreement | None:
    number, found = event.values["agreementId"], books.agreements.agreements
    return found[number - 1] if 0 < number <= len(found) else None


def agreement_accepted(books: Books, event: Event, at: int, ran: bool) -> None:
    """In force."""
    agreement = _agreement(books, event)
    if agreement is not None:
        agreement.state = AgreementState.AGREED


def change_proposed(books: Books, event: Event, at: int, ran: bool) -> None:
    """The change that waits for consent."""
    agreement, values = _agreement(books, event), event.values
    if agreement is not None:
        agreement.settle(at)
        agreement.last_version = values["version"]
        terms = AgreementTerms(*values["terms"])
        agreement.change = AgreementChange(values["version"], values["byBrandId"], terms, 0)


def change_accepted(books: Books, event: Event, at: int, ran: bool) -> None:
    """The change waits for its time."""
    agreement = _agreement(books, event)
    if agreement is not None and agreement.change is not None:
        agreement.change = replace(agreement.change, in_force_at=event.values["inForceAt"])


def change_withdrawn(books: Books, event: Event, at: int, ran: bool) -> None:
    """No change waits."""
    agreement = _agreement(books, event)
    if agreement is not None:
        agreement.change = None


def agreement_ending(books: Books, event: Event, at: int, ran: bool) -> None:
    """The second at which it ends."""
    agreement = _agreement(books, event)
    if agreement is not None:
        agreement.ends_at = event.values["endsAt"]


# --- brands and roles


def brand_invited(books: Books, event: Event, at: int, ran: bool) -> None:
    """A brand; its token is made from what was proved of it."""
    values = event.values
    if ran and len(books.registry.brands) != values["brandId"]:
        books.registry.brands.popitem()
        books.tokens.popitem()
    brand = Brand(values["token"], Status.INVITED, False, False, values["treasury"], values["metadataHash"])
    for gap in range(len(books.registry.brands) + 1, min(values["brandId"], len(books.registry.brands) + GAP_MAX)):
        books.registry.brands[gap] = replace(brand, status=Status.UNKNOWN)
    books.registry.brands.setdefault(values["brandId"], brand)
    books.roles.invited_at.setdefault(values["brandId"], at)


def _brand(books: Books, event: Event, at: int, **changed: Any) -> None:
    brand = books.registry.brands.get(event.values["brandId"])
    if brand is not None:
        books.registry.brands[event.values["brandId"]] = replace(brand, **changed).stopped(at)


def brand_activated(books: Books, event: Event, at: int, ran: bool) -> None:
    """Active."""
    _brand(books, event, at, status=Status.ACTIVE)


def brand_suspended(books: Books, event: Event, at: int, ran: bool) -> None:
    """Suspended."""
    _brand(books, event, at, status=Status.SUSPENDED)


def treasury_announced(books: Books, event: Event, at: int, ran: bool) -> None:
    """Where collateral returns to from a second on."""
    brand = books.registry.brands.get(event.values["brandId"])
    if brand is not None:
        waits = event.values["treasury"], event.values["inForceAt"]
        _brand(books, event, at, treasury=brand.treasury_at(at), next_treasury=waits)


def treasury_withdrawn(books: Books, event: Event, at: int, ran: bool) -> None:
    """No treasury waits."""
    _brand(books, event, at, next_treasury=None)


def metadata_changed(books: Books, event: Event, at: int, ran: bool) -> None:
    """The hash of the brand's page."""
    _brand(books, event, at, metadata_hash=event.values["metadataHash"])


def brand_switched(books: Books, event: Event, at: int, ran: bool) -> None:
    """A switch."""
    _brand(books, event, at, **{"moa_switch" if event.values["byMoa"] else "brand_switch": event.values["stopped"]})


def all_switched(books: Books, event: Event, at: int, ran: bool) -> None:
    """The switch for all."""
    registry = books.registry
    registry.all_stopped_at = (registry.all_stopped_at or at) if event.values["stopped"] else 0


def role_granted(books: Books, event: Event, at: int, ran: bool) -> None:
    """A role held from the second that is stated on."""
    values = event.values
    held = books.stated_roles.holders.get(values["roleId"], {}).get(values["account"])
    since = values["since"] if held is None or values["newMember"] else held.since
    books.stated_roles.state(values["roleId"], values["account"], StatedGrant(since, values["delay"]))


def role_revoked(books: Books, event: Event, at: int, ran: bool) -> None:
    """A role given up or taken."""
    books.stated_roles.take(event.values["roleId"], event.values["account"])
