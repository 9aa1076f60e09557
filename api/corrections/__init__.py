"""Points given by hand: goodwill and corrections, within a published rule, and above its limit by two."""
