"""The people of the walk: keys made from names, so that a seed says everything."""

from dataclasses import dataclass

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

MEMBERS = 8
STAFF = ("owner", "issuer", "till", "treasurer", "guardian")


def key_of(name: str) -> LocalAccount:
    """The key of a name."""
    account: LocalAccount = Account.from_key(keccak(text=f"moa differential {name}"))
    return account


@dataclass
class Cast:
    """Keys by lower-case address; `wallet` is set once the member's smart wallet is deployed."""

    keys: dict[str, LocalAccount]
    names: dict[str, str]
    members: list[str]
    wallet: str = ""

    @classmethod
    def of(cls, brands: int) -> "Cast":
        """Everyone for so many brands."""
        names = ["admin", "operator", "guardian", "stranger", "walletOwner"]
        names += [f"member{number}" for number in range(MEMBERS)]
        names += [f"{kind}{brand}" for brand in range(1, brands + 1) for kind in (*STAFF, "slow")]
        found = {name: key_of(name) for name in names}
        members = [found[f"member{number}"].address.lower() for number in range(MEMBERS)]
        return cls(
            keys={key.address.lower(): key for key in found.values()},
            names={name: key.address.lower() for name, key in found.items()},
            members=members,
        )

    def __getitem__(self, name: str) -> str:
        return self.names[name]

    def add_wallet(self, address: str) -> None:
        """A member whose signatures its owner's key makes (ERC-1271)."""
        self.wallet = address
        self.members.append(address)

    def signer(self, member: str) -> LocalAccount:
        """Whose key signs for a member."""
        return self.keys[self.names["walletOwner"] if member == self.wallet else member]
