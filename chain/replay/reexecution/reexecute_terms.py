"""The calls behind rules, agreements, clearing, standing and roles, made again on the model."""

from dataclasses import replace
from typing import Any

from chain.model.access import (
    MOA_ADMIN,
    MOA_GUARDIAN,
    MOA_OPERATOR,
    TREASURER_WAIT_S,
    TREASURER_WAITS_AFTER_S,
    Announcements,
    Kind,
    role_of,
)
from chain.model.agreements import AgreementTerms
from chain.model.errors import AccessManagerUnauthorizedAccount, AlreadySealed, CallNotAnnounced, RoleMissing
from chain.model.policy import Policy
from chain.model.registry import Invitation
from chain.model.rules import Rounding, RuleKind, RuleTerms, Shortfall
from chain.replay.authority import SOMEBODY, StatedGrant
from chain.replay.books import Books
from chain.replay.decoding.facts import GOVERNOR, TOKEN, TokenTerms
from chain.replay.reexecution.call_context import CallContext

AUTHORITY = "Authority"


def rule_terms(values: tuple[Any, ...]) -> RuleTerms:
    """The struct of an event as the model's."""
    activity, kind, rounding, *paying, window_s, shortfall, lock_s, day_start, second_above = values
    terms = RuleTerms(activity, RuleKind(kind), Rounding(rounding), *paying)
    back = {"return_window_s": window_s, "shortfall": Shortfall(shortfall)}
    return replace(terms, lock_s=lock_s, day_start=day_start, second_above=second_above, **back)


# --- rules


def rule_published(books: Books, context: CallContext) -> None:
    """publish"""
    brand_id = context.argument("brandId", context["brandId"])
    books.rules.publish(context.call, brand_id, rule_terms(context.argument("terms", context["terms"])))


def rule_change_announced(books: Books, context: CallContext) -> None:
    """announceChange"""
    brand_id, rule_id = (context.argument(name, context[name]) for name in ("brandId", "ruleId"))
    books.rules.announce_change(
        context.call, brand_id, rule_id, rule_terms(context.argument("terms", context["terms"]))
    )


def rule_change_withdrawn(books: Books, context: CallContext) -> None:
    """withdrawChange"""
    brand_id, rule_id = (context.argument(name, context[name]) for name in ("brandId", "ruleId"))
    books.rules.withdraw_change(context.call, brand_id, rule_id)


# --- agreements


def agreement_proposed(books: Books, context: CallContext) -> None:
    """propose"""
    by, giving, taking = (context.argument(name, context[name]) for name in ("byBrandId", "fromBrandId", "toBrandId"))
    terms = AgreementTerms(*context.argument("terms", context["terms"]))
    books.agreements.propose(context.call, by, giving, taking, terms)


def agreement_accepted(books: Books, context: CallContext) -> None:
    """accept"""
    agreement_id = context["agreementId"]
    terms_hash = books.agreements.agreement(agreement_id).terms.hash()
    books.agreements.accept(context.call, agreement_id, context.argument("termsHash", terms_hash))


def change_proposed(books: Books, context: CallContext) -> None:
    """proposeChange"""
    agreement_id, by = (context.argument(name, context[name]) for name in ("agreementId", "byBrandId"))
    books.agreements.propose_change(
        context.call, agreement_id, by, AgreementTerms(*context.argument("terms", context["terms"]))
    )


def change_accepted(books: Books, context: CallContext) -> None:
    """acceptChange"""
    agreement_id = context["agreementId"]
    change = books.agreements.agreement(agreement_id).pending(context.at)
    terms_hash = change.terms.hash() if change else ""
    books.agreements.accept_change(context.call, agreement_id, context.argument("termsHash", terms_hash))


def change_withdrawn(books: Books, context: CallContext) -> None:
    """withdrawChange: the event does not say which brand's"""
    agreement = books.agreements.agreement(context["agreementId"])
    sides = (context.argument("byBrandId", agreement.from_brand_id), agreement.to_brand_id)
    by = next(
        (side for side in sides if books.roles.holds(role_of(side, Kind.OWNER), context.call.by, context.at)), sides[0]
    )
    books.agreements.withdraw_change(context.call, context["agreementId"], by)


def agreement_ending(books: Books, context: CallContext) -> None:
    """end"""
    agreement_id, by = (context.argument(name, context[name]) for name in ("agreementId", "byBrandId"))
    books.agreements.end(context.call, agreement_id, by)


# --- clearing


def collateral_deposited(books: Books, context: CallContext) -> None:
    """deposit: what arrived counts, which the event alone says"""
    books.clearing.deposit(
        context.call_of(context["from"]), context.argument("brandId", context["brandId"]), context["amount"]
    )


def collateral_withdrawn(books: Books, context: CallContext) -> None:
    """withdraw: what left counts, which the event alone says"""
    brand_id, to = (context.argument(name, context[name]) for name in ("brandId", "to"))
    books.clearing.withdraw(context.call, brand_id, context["amount"], to)


def period_netted(books: Books, context: CallContext) -> None:
    """net"""
    period, brand_ids = (context.argument(name, context[name]) for name in ("period", "brandIds"))
    books.clearing.net(context.call, period, brand_ids)


def period_settled(books: Books, context: CallContext) -> None:
    """settle: the statement is the one that was netted"""
    period = context.argument("period", context["period"])
    statement = books.clearing.statements.get(period)
    brand_ids = context.argument("brandIds", statement.brand_ids if statement else ())
    positions = context.argument("positions", statement.positions if statement else ())
    books.clearing.settle(context.call, period, brand_ids, positions)


def brand_defaulted(books: Books, context: CallContext) -> None:
    """declareDefault: the creditors of this step are those whose claims were paid"""
    claim = context.first("BrandDefaulted") or context.first("ClaimPaid")
    brand_id = claim.values["brandId"] if claim else context["brandId"]
    books.clearing.declare_default(context.call, brand_id, context.argument("creditorIds", _paid(context)))


def claims_paid(books: Books, context: CallContext) -> None:
    """payClaims: a further step"""
    books.clearing.pay_claims(context.call, context["brandId"], context.argument("creditorIds", _paid(context)))


def _paid(context: CallContext) -> list[int]:
    return sorted({event.values["creditorId"] for event in context.events if event.name == "ClaimPaid"})


def default_cured(books: Books, context: CallContext) -> None:
    """cureDefault"""
    books.clearing.cure_default(context.call, context["brandId"])


# --- brands


def modules_sealed(books: Books, context: CallContext) -> None:
    """seal, once, with the deployment's contracts"""
    books.registry.announcements.check(context.call, MOA_OPERATOR)
    if books.sealed:
        raise AlreadySealed
    books.sealed = True
    facts = context.facts
    books.journal.say(
        "PartnerRegistry", "ModulesSealed", facts.implementation, facts.rules, facts.desk, facts.exchange, facts.house
    )


def brand_invited(books: Books, context: CallContext) -> None:
    """invite: the terms of the token are not in the events"""
    terms = context.facts.terms(context["token"])
    policy = context.first("PolicyChanged")
    invitation = Invitation(
        name=terms.name or "?",
        symbol="?",
        epoch_s=terms.epoch_s,
        lifetime_epochs=terms.lifetime_epochs,
        grace_s=terms.grace_s,
        policy=Policy(policy.values["policy"] if policy else 0),
        owner=context["owner"],
        treasury=context["treasury"],
        metadata_hash=context["metadataHash"],
    )
    if context.asked:
        invitation = Invitation(*context.asked.values["invitation"])
        _check_terms(books, terms, invitation)
    if terms.origin != context.at:
        books.noticed.append(("origin of a token", terms.origin, context.at, "1.3"))
    brand_id = books.registry.invite(context.call, invitation, context["token"])
    origin = TokenTerms(terms.epoch_s, terms.lifetime_epochs, terms.grace_s, context.at, terms.name)
    books.add_token(brand_id, context["token"], origin, Policy(invitation.policy))
    books.journal.say(f"{TOKEN} {brand_id}", "PolicyChanged", invitation.policy)
    _roles_of_brand(books, brand_id, invitation.owner, context.at)


def _check_terms(books: Books, terms: TokenTerms, invitation: Invitation) -> None:
    """The token keeps what the invitation said (SPEC 1.2)."""
    for name in ("name", "epoch_s", "lifetime_epochs", "grace_s"):
        said, right = getattr(terms, name), getattr(invitation, name)
        if said != right and (name != "name" or said):
            books.noticed.append((f"{name} of a token", said, right, "1.2"))


def _roles_of_brand(books: Books, brand_id: int, owner: str, at: int) -> None:
    """What the AccessManager says of an invitation (SPEC 6.4, 6.8, 6.10)."""
    roles, say = books.stated_roles, books.journal.say
    first = role_of(brand_id, Kind.OWNER)
    before = roles.holders.get(first, {}).get(owner)
    say(AUTHORITY, "RoleGranted", first, owner, 0, at, before is None)
    roles.state(first, owner, StatedGrant(at, 0))
    for kind in Kind:
        say(AUTHORITY, "RoleAdminChanged", role_of(brand_id, kind), first)
        say(AUTHORITY, "RoleGuardianChanged", role_of(brand_id, kind), role_of(brand_id, Kind.GUARDIAN))
    since = at + TREASURER_WAITS_AFTER_S
    say(AUTHORITY, "RoleGrantDelayChanged", role_of(brand_id, Kind.TREASURER), TREASURER_WAIT_S, since)


def brand_activated(books: Books, context: CallContext) -> None:
    """activate"""
    books.registry.activate(context.call, context.argument("brandId", context["brandId"]))


def brand_suspended(books: Books, context: CallContext) -> None:
    """suspend"""
    books.registry.suspend(context.call, context.argument("brandId", context["brandId"]))


def treasury_announced(books: Books, context: CallContext) -> None:
    """announceTreasury"""
    brand_id, treasury = (context.argument(name, context[name]) for name in ("brandId", "treasury"))
    books.registry.announce_treasury(context.call, brand_id, treasury)


def treasury_withdrawn(books: Books, context: CallContext) -> None:
    """withdrawTreasury"""
    books.registry.withdraw_treasury(context.call, context.argument("brandId", context["brandId"]))


def metadata_changed(books: Books, context: CallContext) -> None:
    """setMetadata"""
    brand_id, metadata = (context.argument(name, context[name]) for name in ("brandId", "metadataHash"))
    books.registry.set_metadata(context.call, brand_id, metadata)


def brand_switched(books: Books, context: CallContext) -> None:
    """stop, resume, stopByMoa, resumeByMoa"""
    registry = books.registry
    by_moa, stopped = context["byMoa"], context["stopped"]
    if context.asked:
        by_moa = context.asked.function.endswith("ByMoa")
        stopped = context.asked.function.startswith("stop")
    act = {
        (False, True): registry.stop,
        (False, False): registry.resume,
        (True, True): registry.stop_by_moa,
        (True, False): registry.resume_by_moa,
    }[by_moa, stopped]
    act(context.call, context.argument("brandId", context["brandId"]))


def all_switched(books: Books, context: CallContext) -> None:
    """stopAll, resumeAll"""
    stopped = context.asked.function == "stopAll" if context.asked else context["stopped"]
    (books.registry.stop_all if stopped else books.registry.resume_all)(context.call)


# --- roles


def call_announced(books: Books, context: CallContext) -> None:
    """announce: without the transaction, by any role whose delay fits"""
    announcements = announcements_of(books, context.named.contract)
    if context.asked:
        data = bytes.fromhex(context.asked.values["data"][2:])
        announcements.announce(context.call, context.asked.values["role"], data)
        return
    caller, ready_at = context["caller"], context["readyAt"]
    if ready_at - context.at not in books.stated_roles.delays_of(caller, context.at):
        raise RoleMissing(caller, 0)
    announcements.ready_at[context["callHash"]] = ready_at
    announcements.since.pop(context["callHash"], None)
    books.journal.say(context.named.contract, "CallAnnounced", caller, context["callHash"], ready_at)


def call_retracted(books: Books, context: CallContext) -> None:
    """retract: without the transaction, of a call that was announced"""
    announcements = announcements_of(books, context.named.contract)
    if context.asked:
        asked = context.asked.values
        announcements.retract(context.call, asked["caller"], asked["role"], bytes.fromhex(asked["data"][2:]))
        return
    call_hash = context["callHash"]
    if not announcements.ready_at.pop(call_hash, 0):
        raise CallNotAnnounced(call_hash)
    announcements.since.pop(call_hash, None)
    books.journal.say(context.named.contract, "CallRetracted", context["by"], call_hash)


def announcements_of(books: Books, contract: str) -> Announcements:
    """The announcements made to a contract."""
    if contract.startswith(TOKEN):
        return books.token(int(contract.removeprefix(TOKEN))).announcements
    if contract == GOVERNOR and books.governor is not None:
        return books.governor.announcements
    return {
        "PartnerRegistry": books.registry.announcements,
        "RewardRules": books.rules.announcements,
        "RedemptionDesk": books.desk.announcements,
        "ClearingHouse": books.clearing.announcements,
        "OpeningBalances": books.openings.announcements,
        "Badges": books.badges.announcements,
    }.get(contract, books.agreements.announcements)


def role_granted(books: Books, context: CallContext) -> None:
    """grantRole: the brand's owner gives the brand's, Moa's admin the rest; the first admin is the constructor's"""
    roles = books.stated_roles
    role, account, delay_s = context["roleId"], context["account"], context["delay"]
    if not (role == MOA_ADMIN and not roles.holders):
        _check_admin(books, context, role)
    before = roles.holders.get(role, {}).get(account)
    if before is None:
        since = context.at + _grant_delay(books, role, context.at)
        roles.state(role, account, StatedGrant(since, delay_s))
        books.journal.say(AUTHORITY, "RoleGranted", role, account, delay_s, since, True)
        return
    held = roles.delay_s(role, account)
    since = context.at + max(0, held - delay_s)
    roles.state(role, account, StatedGrant(before.since, delay_s, since, held))
    books.journal.say(AUTHORITY, "RoleGranted", role, account, delay_s, since, False)


def role_revoked(books: Books, context: CallContext) -> None:
    """revokeRole by the role's admin, or renounceRole by its holder, which without the transaction looks alike"""
    roles = books.stated_roles
    role, account = context["roleId"], context["account"]
    renounced = context.asked.function == "renounceRole" if context.asked else account in roles.holders.get(role, {})
    if not renounced or (context.sent and context.sent.by != account):
        _check_admin(books, context, role)
    if account in roles.holders.get(role, {}):
        roles.take(role, account)
        books.journal.say(AUTHORITY, "RoleRevoked", role, account)


def role_guardian_changed(books: Books, context: CallContext) -> None:
    """setRoleGuardian by Moa's admin: its guardian is its operator's, and no other change is of the rules (SPEC 6.8)"""
    role, guardian = context["roleId"], context["guardian"]
    _check_admin(books, context, role)
    if (role, guardian) == (MOA_OPERATOR, MOA_GUARDIAN):
        books.journal.say(AUTHORITY, "RoleGuardianChanged", role, guardian)


def _grant_delay(books: Books, role: int, at: int) -> int:
    brand_id, kind = divmod(role, 256)
    invited_at = books.roles.invited_at.get(brand_id)
    waits = kind == Kind.TREASURER and invited_at is not None and at >= invited_at + TREASURER_WAITS_AFTER_S
    return TREASURER_WAIT_S if waits else 0


def _check_admin(books: Books, context: CallContext, role: int) -> None:
    brand_id = role // 256
    admin = role_of(brand_id, Kind.OWNER) if brand_id else MOA_ADMIN
    by = context.sent.by if context.sent else SOMEBODY
    if not books.roles.holds(admin, by, context.at):
        raise AccessManagerUnauthorizedAccount(by, admin)
