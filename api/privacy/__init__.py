"""What people may ask of us: consent and its end, who looked, all that is kept, and to be forgotten."""
