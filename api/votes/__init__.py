"""A member's vote on a proposal: signed by the member's key, counted by the contract."""
