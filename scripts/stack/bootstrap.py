"""Prepares a database: schema, the operator's key, keys of the brands that the mirror has.

Safe to repeat; a key is shown once, to a file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import api.migrate
from api.kit.database import Database
from api.members import service
from chain.storage.documents import Documents


def bootstrap(*, database_url: str, deployments: Path, keys: Path) -> None:
    """Adds what is missing to `keys` ({"operator": key, slug: key}, readable by its owner only)."""
    api.migrate.run(database_url)
    database = Database(database_url)
    made = service.bootstrap(database, documents=Documents(deployments / "documents"), brand_keys=True)
    database.close()
    keep(keys, {"operator": made.operator_key, **made.brand_keys})


def keep(path: Path, fresh: Mapping[str, str | None]) -> dict[str, str]:
    """Adds keys to the file, and gives all that it has."""
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    known.update({name: key for name, key in fresh.items() if key})
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
        json.dump(known, file, indent=2)
    temporary.replace(path)
    return known
