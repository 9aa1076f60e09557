"""Prepares a database: schema, brands of the deployment, first keys. Safe to repeat; keys are shown once, to a file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import api.migrate
from api.kit.database import Database
from api.members import service
from api.members.schemas import BrandCreate
from chain.contracts.deployment import Deployment
from scripts.deploy.terms import terms


def bootstrap(*, database_url: str, chain_id: int, deployments: Path, keys: Path) -> None:
    """Adds what is missing to `keys` ({"operator": key, slug: key}, readable by its owner only)."""
    api.migrate.run(database_url)
    deployment = Deployment.load(deployments, chain_id)
    made = service.bootstrap(
        Database(database_url), deployment=deployment, named=_named(deployment, terms()), brand_keys=True
    )
    known: dict[str, str] = json.loads(keys.read_text()) if keys.exists() else {}
    fresh = {"operator": made.operator_key, **made.brand_keys}
    known.update({name: key for name, key in fresh.items() if key})
    temporary = keys.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
        json.dump(known, file, indent=2)
    temporary.replace(keys)


def _named(deployment: Deployment, plan: dict[str, Any]) -> dict[str, BrandCreate]:
    """How the plan presents each brand that the deployment holds."""
    described = {brand["slug"]: brand for brand in plan["brands"]}
    return {
        slug: BrandCreate(
            slug=slug,
            name=described[slug]["name"],
            symbol=described[slug]["symbol"],
            colour=described[slug].get("colour", "#3b5bdb"),
            currency=described[slug].get("currency", "USD"),
        )
        for slug in deployment.brands
        if slug in described
    }
