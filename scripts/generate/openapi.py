"""Writes api/openapi.json from the gateway's schemas and routes; `--check` fails when it is not fresh.

.venv/bin/python -m scripts.generate.openapi [--check]
"""

import sys
from pathlib import Path

import orjson

from api.app import openapi

TARGET = Path(__file__).resolve().parents[2] / "api" / "openapi.json"


def main() -> int:
    """0 when written or fresh."""
    fresh = orjson.dumps(openapi(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
    if "--check" in sys.argv[1:]:
        if TARGET.read_bytes() == fresh:
            return 0
        sys.stderr.write("api/openapi.json is not what the routes say now; run: python -m scripts.generate.openapi\n")
        return 1
    TARGET.write_bytes(fresh)
    return 0


if __name__ == "__main__":
    sys.exit(main())
