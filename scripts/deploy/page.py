"""A token's own page as ERC-7572 wants it, whole on the chain: a wallet shows name and logo and asks no server."""

import base64
import json
from html import escape

# What LoyaltyToken takes.
URI_BYTES_MAX = 2_048


def contract_uri(name, symbol, colour):
    """A data: URI of the page: name, symbol, and as its logo the name's first letter on the brand's colour."""
    logo = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
        f'<rect width="64" height="64" rx="14" fill="{escape(colour)}"/>'
        '<text x="32" y="44" font-family="sans-serif" font-size="36" text-anchor="middle" fill="#fff">'
        f"{escape(name[0])}</text></svg>"
    )
    page = {"name": name, "symbol": symbol, "image": _data("image/svg+xml", logo)}
    return _data("application/json", json.dumps(page, ensure_ascii=False, separators=(",", ":")))


def _data(kind, text):
    return f"data:{kind};base64,{base64.b64encode(text.encode()).decode()}"
