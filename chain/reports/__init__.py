"""What a brand's points come to: liability by expiry, its roll-forward with breakage, and exports that add up."""
