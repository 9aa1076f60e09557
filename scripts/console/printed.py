"""Text that somebody else wrote, for a terminal: nothing in it moves the cursor, begins a line or means a colour."""

from rich.markup import escape


def plain(text: object) -> str:
    """The text on one line, spelled out where a terminal would not print it, and no markup for rich."""
    return escape("".join(one if one.isprintable() else _spelt(one) for one in str(text)))


def _spelt(character: str) -> str:
    return character.encode("unicode_escape").decode()


def points(base_units: int) -> str:
    """Base units as points with two decimals: 439950 → 4,399.50."""
    sign = "-" if base_units < 0 else ""
    whole, part = divmod(abs(base_units), 100)
    return f"{sign}{whole:,}.{part:02d}"
