"""What it is worth: pure previews of what the contracts will do."""
