"""What a member has reached: tiers, missions and achievements, as the contract tells them."""
