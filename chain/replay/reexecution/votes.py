"""Votes (SPEC 18): proposals, lists, votes and voices, counted again from their events."""

from typing import Any

from chain.model import chunks
from chain.model.access import Signature
from chain.model.call import NOBODY
from chain.model.errors import ChoiceInvalid, LeafUnknown, TimelockOnly, VoteUsed
from chain.model.governor import Ballot
from chain.model.proposals import Action, Choice, Ground, House, Proposal, hash_of_actions
from chain.replay.books import Books
from chain.replay.decoding.shapes import Event
from chain.replay.decoding.signatures import digest, domain, signer
from chain.replay.reexecution.call_context import CallContext
from chain.replay.votes import StatedGovernor

NAME = "Moa ProgrammeGovernor"
GAP_MAX = 1_000


def governor_of(books: Books) -> StatedGovernor:
    """The governor; its events are replayed only where its terms are known."""
    assert isinstance(books.governor, StatedGovernor), "a programme without votes"
    return books.governor


# --- proposals


def made(books: Books, context: CallContext) -> None:
    """proposeAsBrand or proposeAsMember; without the transaction by whoever the event names"""
    governor = governor_of(books)
    shown = context["proposal"]
    # Hash and text are nobody's but the chain's; the block before is the one before.
    ground = Ground(context.named.log.block_number - 1, shown[2], context.at)
    actions = _actions(context.argument("actions", context["actions"]))
    brand_id, text_hash = (context.argument(name, said) for name, said in (("brandId", context["brandId"]),
                           ("textHash", shown[1])))  # fmt: skip
    if context.asked is None:
        governor.made(context.call, context["proposer"], brand_id, actions, text_hash, ground)
    elif context.asked.function == "proposeAsMember":
        asked = context.asked.values
        member, hashed = asked["member"], hash_of_actions(actions)
        values = [member, brand_id, hashed, text_hash, asked["nonce"], asked["deadline"]]
        signed = context.signature(member, NAME, values)
        terms = asked["nonce"], asked["deadline"], signed
        governor.propose_as_member(context.call, member, brand_id, actions, text_hash, *terms, ground)
    else:
        governor.propose_as_brand(context.call, brand_id, actions, text_hash, ground)
    governor.keep(len(governor.snapshots.proposals), actions)


def vetoed(books: Books, context: CallContext) -> None:
    """veto"""
    governor_of(books).veto(context.call, context["proposalId"], context["brandId"])


# --- lists


def posted(books: Books, context: CallContext) -> None:
    """post; without the transaction the leaves of the books, where they lead to the same roots"""
    governor, call = governor_of(books), context.call_of(context["poster"])
    proposal_id, brand_id, complete = (context[name] for name in ("proposalId", "brandId", "complete"))
    known = governor.list_of(proposal_id, brand_id, call.by)
    leaves = list(context.asked.values["leaves"]) if context.asked else _guessed(governor, context)
    if leaves is None or known.hidden:
        governor.post_hidden(call, proposal_id, brand_id, context["roots"], context["total"], complete)
    else:
        governor.snapshots.post(call, proposal_id, brand_id, leaves, context.argument("complete", complete))


def _guessed(governor: StatedGovernor, context: CallContext) -> list[int] | None:
    first = context["firstChunk"] * chunks.CHUNK_LEAVES
    true = governor.true_leaves(context["proposalId"], context["brandId"])
    found = true[first : first + len(context["roots"]) * chunks.CHUNK_LEAVES]
    same = tuple("0x" + root.hex() for root in chunks.roots(found)) == tuple(context["roots"])
    return found if same else None


def contradicted(books: Books, context: CallContext) -> None:
    """contradictLeaf, or contradictTotal: then the account is nobody's"""
    governor = governor_of(books)
    key = context["proposalId"], context["brandId"], context["poster"]
    if context["account"] == NOBODY:
        governor.snapshots.contradict_total(context.call, *key, True)
    else:
        governor.contradict(context.call, *key, context["account"], context["stated"])


def adopted(books: Books, context: CallContext) -> None:
    """adopt: a list that nobody contradicted counts; one that is not the books' is told (SPEC 18.6)"""
    governor = governor_of(books)
    key = proposal_id, brand_id, _ = context["proposalId"], context["brandId"], context["poster"]
    governor.snapshots.adopt(context.call, *key)
    found, true = governor.list_of(*key), governor.true_leaves(proposal_id, brand_id)
    if found.hidden or found.leaves != true:
        wrong = [_named(leaf) for leaf in sorted(set(found.leaves) ^ set(true))[:8]] if not found.hidden else None
        said, right = found.total, sum(map(chunks.points_of, true))
        books.noticed.append(("list of balances that was adopted", {"total": said, "differs": wrong},
                              {"total": right, "accounts": len(true)}, "18.6"))  # fmt: skip


def _named(leaf: int) -> str:
    return f"{chunks.points_of(leaf)} of {chunks.account_of(leaf)}"


# --- votes


def cast(books: Books, context: CallContext) -> None:
    """castVote, or one of castVotes: once, with the leaf's points"""
    governor = governor_of(books)
    proposal_id, brand_id, member, place = (context[name] for name in ("proposalId", "brandId", "member", "place"))
    proposal, house, _ = governor._open_house(context.call, proposal_id, brand_id)
    chunk, position = divmod(place, chunks.CHUNK_LEAVES)
    if (brand_id, chunk, position) in proposal.voted:
        raise VoteUsed(proposal_id, brand_id, member)
    leaf = governor.leaf_at(proposal_id, brand_id, place, member, context["points"])
    ballot = Ballot(chunk, position, leaf, context["choice"], (), _signed(context, chunk, position))
    if ballot.choice > Choice.ABSTAIN:
        raise ChoiceInvalid(ballot.choice)
    voter = chunks.account_of(leaf)
    if context.asked is not None and voter not in (context.call.by, ballot.signature):
        context.third_party(voter)
    governor._count(proposal, brand_id, house, ballot)


def _signed(context: CallContext, chunk: int, position: int) -> Signature:
    """Who signed the ballot of this place; without the transaction its member."""
    member = context["member"]
    if context.asked is None or context.asked.function not in ("castVote", "castVotes"):
        return str(member)
    asked = context.asked.values
    ballots = [asked["ballot"]] if "ballot" in asked else asked["ballots"]
    for each in ballots:
        if (each[0], each[1]) == (chunk, position):
            if each[3] != context["choice"]:
                continue
            separator = domain(NAME, context.facts.chain_id, context.named.log.address)
            hashed = digest(separator, "castVote", [context["proposalId"], member, each[3]])
            return signer(hashed, bytes.fromhex(each[5][2:]))
    raise LeafUnknown(chunk, position)


def voice(books: Books, context: CallContext) -> None:
    """castVoice"""
    asked = (context.argument(name, context[name]) for name in ("proposalId", "brandId", "choice"))
    governor_of(books).cast_voice(context.call, *asked)


# --- the outcome


def queued(books: Books, context: CallContext) -> None:
    """queue"""
    governor = governor_of(books)
    governor.queue(context.call, context["proposalId"], _asked_actions(governor, context))


def executed(books: Books, context: CallContext) -> None:
    """execute; what its calls do is judged where it happens"""
    governor, proposal_id = governor_of(books), context["proposalId"]
    actions = _asked_actions(governor, context)
    governor.check_execution(context.call, proposal_id, actions)
    governor.executed(proposal_id)
    governor.due_texts = _texts(actions)


def text_changed(books: Books, context: CallContext) -> None:
    """setProgrammeText, by the timelock: a text that the proposal which is being executed holds"""
    governor, text_hash = governor_of(books), context["textHash"]
    if text_hash not in governor.due_texts:
        raise TimelockOnly(context.call.by)
    governor.due_texts.remove(text_hash)
    governor.text_hash = text_hash
    governor.text_version += 1
    books.journal.say("ProgrammeGovernor", "ProgrammeTextChanged", governor.text_version, text_hash)


def _asked_actions(governor: StatedGovernor, context: CallContext) -> list[Action]:
    if context.asked and "actions" in context.asked.values:
        return _actions(context.asked.values["actions"])
    return governor.actions.get(context["proposalId"], [])


def _actions(values: Any) -> list[Action]:
    return [Action(target, bytes.fromhex(data[2:])) for target, data in values]


def _texts(actions: list[Action]) -> list[str]:
    """The texts that a proposal sets: no other call that it may hold has 36 bytes."""
    return ["0x" + each.data[4:].hex() for each in actions if len(each.data) == 36]


# --- what the chain states, after a difference


def state_made(books: Books, event: Event, at: int, ran: bool) -> None:
    """The proposal as it was told."""
    governor, values = governor_of(books), event.values
    proposals, shown, number = governor.snapshots.proposals, event.values["proposal"], event.values["proposalId"]
    if not 0 < number <= len(proposals) + GAP_MAX:
        return
    brands = tuple(each for each in shown[6:8] if each)
    told = Proposal(number, shown[0], shown[1], Ground(shown[3], shown[2], at), shown[4], shown[5], brands, shown[8],
                    {}, {})  # fmt: skip
    if ran and len(proposals) != number:
        proposals.pop()
    while len(proposals) < number:
        proposals.append(told)
    proposals[number - 1] = told
    governor.keep(number, _actions(values["actions"]))


def state_vetoed(books: Books, event: Event, at: int, ran: bool) -> None:
    """It is stopped."""
    _proposal(books, event).vetoed = True


def state_posted(books: Books, event: Event, at: int, ran: bool) -> None:
    """The list has these roots and this sum; its leaves are nobody's to know."""
    values = event.values
    found = governor_of(books).list_of(values["proposalId"], values["brandId"], values["poster"])
    first = values["firstChunk"]
    if first <= len(found.roots):
        found.roots = [*found.roots[:first], *(bytes.fromhex(root[2:]) for root in values["roots"])]
    found.hidden, found.told = True, values["total"]
    found.completed_at = at if values["complete"] else 0


def state_contradicted(books: Books, event: Event, at: int, ran: bool) -> None:
    """The list is out."""
    values = event.values
    governor_of(books).list_of(values["proposalId"], values["brandId"], values["poster"]).contradicted = True


def state_adopted(books: Books, event: Event, at: int, ran: bool) -> None:
    """This list counts, with this sum."""
    governor, values = governor_of(books), event.values
    key = values["proposalId"], values["brandId"]
    governor.snapshots.adopted[key] = values["poster"]
    said = _proposal(books, event).houses.get(values["brandId"], House()).said
    _proposal(books, event).houses[values["brandId"]] = House(values["total"], said)


def state_cast(books: Books, event: Event, at: int, ran: bool) -> None:
    """These points count for this choice."""
    governor, values = governor_of(books), event.values
    proposal, brand_id = _proposal(books, event), values["brandId"]
    said = proposal.houses.setdefault(brand_id, House()).said
    counted = 0
    if ran:
        key = proposal.number, brand_id, values["place"], values["member"], values["points"]
        counted = chunks.points_of(governor.leaf_at(*key))
    said[Choice(values["choice"])] += values["points"] - counted
    proposal.voted.add((brand_id, *divmod(values["place"], chunks.CHUNK_LEAVES)))


def state_voice(books: Books, event: Event, at: int, ran: bool) -> None:
    """The brand said so."""
    _proposal(books, event).voices[event.values["brandId"]] = Choice(event.values["choice"])


def state_queued(books: Books, event: Event, at: int, ran: bool) -> None:
    """It waits until then."""
    _proposal(books, event).ready_at = event.values["readyAt"]


def state_executed(books: Books, event: Event, at: int, ran: bool) -> None:
    """It is done; what it does to the programme's text follows."""
    governor = governor_of(books)
    _proposal(books, event).executed = True
    governor.due_texts = _texts(governor.actions.get(event.values["proposalId"], []))


def state_text(books: Books, event: Event, at: int, ran: bool) -> None:
    """The text is this."""
    governor = governor_of(books)
    governor.text_hash, governor.text_version = event.values["textHash"], event.values["version"]


def _proposal(books: Books, event: Event) -> Proposal:
    return governor_of(books).snapshots.proposal(event.values["proposalId"])
