"""Text that somebody else wrote, for a terminal: nothing in it moves the cursor, begins a line or means a colour."""

from rich.markup import escape


def plain(text: object) -> str:
    """The text on one line, spelled out where a terminal would not print it, and no markup for rich."""
    return escape("".join(one if one.isprintable() else _spelt(one) for one in str(text)))


def _spelt(character: str) -> str:
    return character.encode("unicode_escape").decode()
