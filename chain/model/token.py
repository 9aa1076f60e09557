"""A brand's points: lots that expire by themselves, and who may move them (SPEC 1)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from chain.model import lots as lot
from chain.model.access import Announcements, Kind, Nonces, Roles, Signature, role_of
from chain.model.call import NOBODY, Call, Journal
from chain.model.clock import FOREVER, Clock
from chain.model.errors import (
    ERC20InsufficientAllowance,
    ERC20InsufficientBalance,
    ERC20InvalidReceiver,
    ERC20InvalidSender,
    ERC20InvalidSpender,
    ERC2612ExpiredSignature,
    LotOverflow,
    SignatureInvalid,
    TermsInvalid,
    TransferNotAllowed,
)
from chain.model.lots import LOT_POINTS_MAX, Lots
from chain.model.policy import Policy

POLICY_NOTICE_S: Final = 7 * 86_400
URI_BYTES_MAX: Final = 2_048


@dataclass(frozen=True, slots=True)
class Back:
    """How lots came back: with their own expiry, by the brand's grace, or not at all."""

    returned: int
    renewed: int
    lapsed: int


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What a return took: burnt, owed from now on, or forgiven."""

    taken: int
    owed: int
    forgiven: int


@dataclass(slots=True)
class Token:
    """One brand's ledger. `desk`: the account where held points lie, which receives no others."""

    brand_id: int
    address: str
    clock: Clock
    policy: Policy
    desk: str
    roles: Roles
    journal: Journal
    accounts: dict[str, Lots] = field(default_factory=dict)
    supply: Lots = field(default_factory=dict)
    debts: dict[str, int] = field(default_factory=dict)
    uri: str = ""
    allowances: dict[tuple[str, str], int] = field(default_factory=dict)
    permit_nonces: dict[str, int] = field(default_factory=dict)
    # First second at which an account is no longer on the list of receivers.
    allowed_until: dict[str, int] = field(default_factory=dict)
    # A tighter policy that waits, and from when on it is in force.
    next_policy: tuple[Policy, int] | None = None
    # Of the points in a lot of an account, those that had their grace.
    renewed: dict[tuple[str, int], int] = field(default_factory=dict)
    nonces: Nonces = field(init=False)
    announcements: Announcements = field(init=False)

    def __post_init__(self) -> None:
        self.nonces = Nonces(self.name, self.journal)
        self.announcements = Announcements(self.name, self.roles, self.journal)

    @property
    def name(self) -> str:
        """What the journal calls this contract."""
        return f"LoyaltyToken {self.brand_id}"

    # --- reading

    def lots_of(self, account: str, at: int) -> Lots:
        """The live lots, oldest first."""
        return lot.live(self.accounts.get(account, {}), self.clock.epoch(at))

    def balance_of(self, account: str, at: int) -> int:
        """Live points."""
        return lot.total(self.lots_of(account, at))

    def balance_of_epoch(self, epoch: int, account: str, at: int) -> int:
        """Live points that end with those minted in `epoch` (ERC-7818)."""
        return self.lots_of(account, at).get(epoch + self.clock.validity, 0)

    def supply_by_expiry(self, at: int) -> Lots:
        """The live supply, oldest first."""
        return lot.live(self.supply, self.clock.epoch(at))

    def total_supply(self, at: int) -> int:
        """Live points of all."""
        return lot.total(self.supply_by_expiry(at))

    def mintable(self, at: int) -> int:
        """What still fits into the lot of the present epoch."""
        self.check_clock(at)
        return LOT_POINTS_MAX - self.supply.get(self.clock.expiry_of_mint(at), 0)

    def policy_at(self, at: int) -> Policy:
        """The policy in force: a tighter one that was announced counts from its second on."""
        if self.next_policy is not None and at >= self.next_policy[1]:
            return self.next_policy[0]
        return self.policy

    def is_allowed(self, account: str, at: int) -> bool:
        """Whether the account is on the list of receivers."""
        return at < self.allowed_until.get(account, 0)

    # --- the holder

    def approve(self, call: Call, spender: str, points: int) -> None:
        """The caller lets `spender` move up to `points`."""
        self._check_spender(spender)
        self._approve(call.by, spender, points)

    def permit(self, call: Call, owner: str, spender: str, points: int, deadline: int, signer: Signature) -> None:
        """ERC-2612: the same by signature, with an ordered nonce."""
        if call.at > deadline:
            raise ERC2612ExpiredSignature(deadline)
        if signer != owner:
            raise SignatureInvalid(owner)
        self._check_spender(spender)
        self.permit_nonces[owner] = self.permit_nonces.get(owner, 0) + 1
        self._approve(owner, spender, points)

    def transfer(self, call: Call, to: str, points: int) -> None:
        """Moves the caller's points as the policy allows."""
        self._check_transfer(call, call.by, to, points)
        self._move(call.by, to, points, call.at)

    def transfer_from(self, call: Call, holder: str, to: str, points: int) -> None:
        """Moves a holder's points by its allowance; an allowance without bound is not reduced."""
        allowance = self.allowances.get((holder, call.by), 0)
        if allowance < points:
            raise ERC20InsufficientAllowance(call.by, allowance, points)
        self._check_transfer(call, holder, to, points)
        if allowance != FOREVER:
            self.allowances[holder, call.by] = allowance - points
        self._move(holder, to, points, call.at)

    def transfer_with_authorisation(
        self, call: Call, holder: str, to: str, points: int, nonce: int, deadline: int, signature: Signature
    ) -> None:
        """Moves a holder's points by its signature, where the policy allows the same transfer without."""
        self.nonces.check(call, holder, nonce, deadline, signature)
        self._check_transfer(call, holder, to, points)
        self.nonces.spend(holder, nonce)
        self._move(holder, to, points, call.at)

    def leave(
        self,
        call: Call,
        member: str,
        wallet: str,
        nonce: int,
        deadline: int,
        member_signature: Signature,
        wallet_signature: Signature,
    ) -> int:
        """Moves everything to a wallet that agrees, whatever policy, status and switches say."""
        self.nonces.check(call, member, nonce, deadline, member_signature)
        if call.by != wallet and wallet_signature != wallet:
            raise SignatureInvalid(wallet)
        if wallet == member:
            raise ERC20InvalidReceiver(wallet)
        points = self.balance_of(member, call.at)
        if points == 0:
            raise ERC20InsufficientBalance(member, 0, 1)
        self._check_receiver(wallet)

        self.nonces.spend(member, nonce)
        self._move(member, wallet, points, call.at)
        self.journal.say(self.name, "Left", member, wallet, points)
        return points

    # --- the brand's owner

    def set_policy(self, call: Call, policy: Policy) -> None:
        """Changes who may transfer: looser at once, tighter after a week; either takes a waiting one's place."""
        use = self.announcements.check(call, role_of(self.brand_id, Kind.OWNER))
        use()
        current = self.policy_at(call.at)
        if policy < current:
            in_force_at = call.at + POLICY_NOTICE_S
            self.policy, self.next_policy = current, (policy, in_force_at)
            self.journal.say(self.name, "PolicyAnnounced", policy, in_force_at)
        else:
            self.policy, self.next_policy = policy, None
            self.journal.say(self.name, "PolicyChanged", policy)

    def set_allowed(self, call: Call, account: str, allowed: bool) -> None:
        """Puts an account on the list of receivers at once, or takes it off after a week."""
        use = self.announcements.check(call, role_of(self.brand_id, Kind.OWNER))
        use()
        if allowed or not self.is_allowed(account, call.at):
            self.allowed_until[account] = FOREVER if allowed else 0
            self.journal.say(self.name, "AllowListChanged", account, allowed)
        else:
            until = min(self.allowed_until[account], call.at + POLICY_NOTICE_S)
            self.allowed_until[account] = until
            self.journal.say(self.name, "AllowListEnding", account, until)

    def set_contract_uri(self, call: Call, uri: str) -> None:
        """Names the token's own page."""
        use = self.announcements.check(call, role_of(self.brand_id, Kind.OWNER))
        if len(uri.encode()) > URI_BYTES_MAX:
            raise TermsInvalid("contractURI")
        use()
        self.uri = uri
        self.journal.say(self.name, "ContractURIUpdated")

    # --- Moa's contracts

    def check_balance(self, member: str, points: int, at: int) -> None:
        """Refuses when the member has fewer live points."""
        balance = self.balance_of(member, at)
        if balance < points:
            raise ERC20InsufficientBalance(member, balance, points)

    def check_clock(self, at: int) -> None:
        """Refuses once the token's clock has run out."""
        self.clock.check(self.clock.expiry_of_mint(at))

    def check_room(self, member: str, points: int, at: int) -> None:
        """Refuses when the lot of the present epoch cannot take the points."""
        self._check_fits(self.accounts.get(member, {}), {self.clock.expiry_of_mint(at): points})

    def mint(self, member: str, points: int, at: int) -> None:
        """New points in the lot of the present epoch."""
        self.check_room(member, points, at)
        self._mint(member, {self.clock.expiry_of_mint(at): points}, at)

    def check_lots(self, lines: Sequence[tuple[str, Lots]]) -> None:
        """Refuses what minting these lots, one member after the other, would not fit."""
        accounts: dict[str, Lots] = {}
        supply = self.supply
        for member, lots in lines:
            held = accounts.get(member, self.accounts.get(member, {}))
            for present in (held, supply):
                for expiry, points in lots.items():
                    room = LOT_POINTS_MAX - present.get(expiry, 0)
                    if points > room:
                        raise LotOverflow(expiry, points, room)
            accounts[member], supply = lot.plus(held, lots), lot.plus(supply, lots)

    def mint_lots(self, member: str, lots: Lots, at: int) -> None:
        """Old points with their own expiry: the live ones."""
        if lots:
            self._mint(member, lots, at)

    def mint_batch(self, lines: Sequence[tuple[str, int]], at: int) -> None:
        """Awards, in the lot of the present epoch; of what a debtor receives the debt is burnt at once."""
        expiry = self.clock.expiry_of_mint(at)
        self.journal.say(self.name, "LotNamed", expiry, len(lines))
        for member, points in lines:
            self.mint_award(member, points, at)

    def mint_award(self, member: str, points: int, at: int) -> None:
        """One award of a batch, whose lot was named."""
        expiry = self.clock.expiry_of_mint(at)
        self.check_room(member, points, at)
        self._mint_named(member, {expiry: points}, at)
        paid = min(self.debt_of(member), points)
        if paid:
            self._pay_debt(member, {expiry: paid}, at)

    def _mint_named(self, member: str, lots: Lots, at: int) -> None:
        """A mint into a lot that was named before."""
        self._mint(member, lots, at)

    def _pay_debt(self, member: str, lots: Lots, at: int) -> None:
        self._owe(member, -lot.total(lots))
        self._burn(member, lots, at, lambda: self.journal.say(self.name, "DebtChanged", member, self.debt_of(member)))

    def _owe(self, member: str, points: int) -> None:
        debt = self.debt_of(member) + points
        assert debt >= 0, "a debt is paid twice"
        self.debts.pop(member, None)
        if debt:
            self.debts[member] = debt

    def debt_of(self, member: str) -> int:
        """What the member owes this brand."""
        return self.debts.get(member, 0)

    def take_back(self, member: str, points: int, expiry: int, owe: bool, at: int) -> TakenBack:
        """Burns up to the points: of one lot, then of the others, latest expiry first; what is missing may be owed."""
        held = self.lots_of(member, at)
        first = {expiry: min(points, held.get(expiry, 0))} if held.get(expiry) and points else {}
        rest = lot.minus(held, first)
        taken = lot.plus(first, lot.newest(rest, min(points - lot.total(first), lot.total(rest))))
        if lot.total(taken):
            self._burn(member, taken, at)
        missing = points - lot.total(taken)
        if not missing or not owe:
            return TakenBack(lot.total(taken), 0, missing)
        self._owe(member, missing)
        self.journal.say(self.name, "DebtChanged", member, self.debt_of(member))
        return TakenBack(lot.total(taken), missing, 0)

    def burn(self, member: str, points: int, at: int) -> Lots:
        """Burns the member's oldest points; the lots that were taken."""
        self.check_balance(member, points, at)
        taken = lot.oldest(self.lots_of(member, at), points)
        self._burn(member, taken, at)
        return taken

    def burn_latest(self, member: str, points: int, first: int, at: int) -> Lots:
        """Burns the member's points of the lot `first`, then the latest expiry first."""
        self.check_balance(member, points, at)
        taken = lot.latest(self.lots_of(member, at), points, first)
        self._burn(member, taken, at)
        return taken

    def set_aside(self, member: str, points: int, at: int) -> Lots:
        """Moves the member's oldest points to the desk; the lots that were taken."""
        self.check_balance(member, points, at)
        return self._move(member, self.desk, points, at)

    def burn_aside(self, lots: Mapping[int, int], at: int) -> int:
        """Burns those of the lots at the desk that still live."""
        alive = lot.live(lots, self.clock.epoch(at))
        if alive:
            self._burn(self.desk, alive, at)
        return lot.total(alive)

    def give_back(self, member: str, lots: Mapping[int, int], at: int) -> Back:
        """Lots at the desk go back to the member: live ones as they are; expired ones stay gone."""
        epoch = self.clock.epoch(at)
        alive = lot.live(lots, epoch)
        if alive:
            self._shift(self.desk, member, alive, at)
        return Back(lot.total(alive), 0, lot.total(lot.gone(lots, epoch)))

    def restore(self, member: str, lots: Mapping[int, int], at: int, *, graced: bool) -> Back:
        """Burnt lots are minted again: live ones as they were, expired ones by grace, if it is given, once."""
        epoch = self.clock.epoch(at)
        alive = lot.live(lots, epoch)
        renewed, marks = self._graced(member, lots, at) if graced else ({}, {})
        if alive or renewed:
            self._mint(member, lot.plus(alive, renewed), at)
        self.renewed |= marks
        lapsed = lot.total(lot.gone(lots, epoch)) - lot.total(renewed)
        return Back(lot.total(alive), lot.total(renewed), lapsed)

    def check_back(self, member: str, lots: Mapping[int, int], at: int, *, graced: bool) -> None:
        """Refuses what would not fit when burnt lots are minted again."""
        alive = lot.live(lots, self.clock.epoch(at))
        renewed, _ = self._graced(member, lots, at) if graced else ({}, {})
        self._check_fits(self.accounts.get(member, {}), lot.plus(renewed, alive))

    def _graced(self, member: str, lots: Mapping[int, int], at: int) -> tuple[Lots, dict[tuple[str, int], int]]:
        """What of the expired lots the grace lets live on, by its new expiry, and which points then had their grace."""
        epoch, grace = self.clock.epoch(at), self.clock.grace_epochs
        renewed: Lots = {}
        marks: dict[tuple[str, int], int] = {}
        for expiry, points in lot.gone(lots, epoch).items():
            later = expiry + grace
            if later <= epoch:
                continue
            had = self.renewed.get((member, expiry), 0)
            again = min(had, points)
            if again:
                marks[member, expiry] = had - again
            if points > again:
                self.clock.check(later)
                renewed[later] = points - again
                marks[member, later] = self.renewed.get((member, later), 0) + points - again
        return renewed, marks

    # --- movements

    def _check_transfer(self, call: Call, sender: str, receiver: str, points: int) -> None:
        policy = self.policy_at(call.at)
        listed = policy == Policy.ALLOW_LIST and self.is_allowed(receiver, call.at)
        if not (listed or policy == Policy.OPEN):
            raise TransferNotAllowed(sender, receiver, policy)
        if sender == NOBODY:
            raise ERC20InvalidSender(sender)
        self._check_receiver(receiver)
        self.check_balance(sender, points, call.at)

    def _check_receiver(self, receiver: str) -> None:
        if receiver in (NOBODY, self.address, self.desk):
            raise ERC20InvalidReceiver(receiver)

    def _check_spender(self, spender: str) -> None:
        if spender == NOBODY:
            raise ERC20InvalidSpender(spender)

    def _approve(self, owner: str, spender: str, points: int) -> None:
        self.allowances[owner, spender] = points
        self.journal.say(self.name, "Approval", owner, spender, points)

    def _check_fits(self, held: Mapping[int, int], lots: Mapping[int, int]) -> None:
        """The member's own lots first, then the supply's, each by expiry."""
        for present in (held, self.supply):
            for expiry, points in lots.items():
                self.clock.check(expiry)
                room = LOT_POINTS_MAX - present.get(expiry, 0)
                if points > room:
                    raise LotOverflow(expiry, points, room)

    def _move(self, sender: str, receiver: str, points: int, at: int) -> Lots:
        taken = lot.oldest(self.lots_of(sender, at), points)
        self._shift(sender, receiver, taken, at)
        return taken

    def _shift(self, sender: str, receiver: str, lots: Mapping[int, int], at: int) -> None:
        self._take(sender, lots, at)
        self._put(receiver, lots, at)
        self.journal.say(self.name, "Transfer", sender, receiver, lot.total(lots))

    def _mint(self, member: str, lots: Mapping[int, int], at: int) -> None:
        self._check_fits(self.accounts.get(member, {}), lots)
        self.supply = lot.plus(self.supply_by_expiry(at), lots)
        self._put(member, lots, at)
        self.journal.say(self.name, "Transfer", NOBODY, member, lot.total(lots))

    def _burn(self, member: str, lots: Mapping[int, int], at: int, then: Callable[[], None] = lambda: None) -> None:
        """`then`: what is said right after the Transfer."""
        self.supply = lot.minus(self.supply_by_expiry(at), lots)
        self._take(member, lots, at)
        self.journal.say(self.name, "Transfer", member, NOBODY, lot.total(lots))
        then()

    def _take(self, account: str, lots: Mapping[int, int], at: int) -> None:
        self.accounts[account] = lot.minus(self.lots_of(account, at), lots)

    def _put(self, account: str, lots: Mapping[int, int], at: int) -> None:
        self.accounts[account] = lot.plus(self.lots_of(account, at), lots)
