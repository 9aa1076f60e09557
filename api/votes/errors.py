"""Refusals of votes; those that the governor knows have its names.

Problem
├── VotingClosed      409   the list is not adopted yet, or the voting is over, or the proposal was vetoed
├── VoteUsed          409
├── VoterNotListed    409   no points of the brand in the block before the proposal
└── ListUnavailable   503   the mirror cannot tell the adopted list (yet)

ProposalUnknown and BrandNotAsked come as ContractRefused by their own names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from api.kit.problems import Problem


class VotingClosed(Problem):
    """Members vote from the adoption of their brand's list until the proposal's end."""

    status = 409


class VoteUsed(Problem):
    """This member's vote has counted; it cannot be changed."""

    status = 409


class VoterNotListed(Problem):
    """The member had no points of the brand in the block before the proposal."""

    status = 409


class ListUnavailable(Problem):
    """The list of balances that was adopted cannot be told from the mirror now."""

    status = 503
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "2"}
