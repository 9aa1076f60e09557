"""What it is worth: a fact turned into the award that a brand's rule gives."""
