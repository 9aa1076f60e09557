"""Makes package-lock.json anew: every package by hash, no address, and complete for `npm ci` on any platform.

npm leaves out of the lock the optional packages of other platforms that the registry at hand does not serve, and
`npm ci` then refuses the lock. They are added here by name and version, so that this platform's packages stay locked
by hash and the others are at least named; a run on a registry that serves them locks them too.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CPUS = {"x64": "x64", "amd64": "x64", "arm64": "arm64", "arm": "arm", "ia32": "ia32", "ppc64": "ppc64",
        "riscv64": "riscv64", "s390x": "s390x", "loong64": "loong64", "mips64el": "mips64el"}  # fmt: skip
SYSTEMS = ("darwin", "linux", "win32", "freebsd", "openbsd", "netbsd", "android", "sunos", "aix", "openharmony")
TIMEOUT_S = 300


def lock() -> None:
    """Writes package-lock.json. Raises CalledProcessError when npm fails."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / "package.json", folder)
        command = ["npm", "install", "--package-lock-only", "--omit-lockfile-registry-resolved=false", "--no-audit"]
        subprocess.run(command, cwd=folder, check=True, timeout=TIMEOUT_S)
        found: dict[str, Any] = json.loads((Path(folder) / "package-lock.json").read_text())
    packages: dict[str, Any] = found["packages"]
    for item in list(packages.values()):
        item.pop("resolved", None)
        for name, version in item.get("optionalDependencies", {}).items():
            if version[:1].isdigit() and f"node_modules/{name}" not in packages:
                packages[f"node_modules/{name}"] = {"version": version, "optional": True, **_platform(name)}
    found["packages"] = dict(sorted(packages.items()))
    (ROOT / "package-lock.json").write_text(json.dumps(found, indent=2) + "\n")


def _platform(name: str) -> dict[str, list[str]]:
    """Where an optional package belongs, as its name says; a package of no platform here is never installed."""
    words = name.rsplit("/", 1)[-1].split("-")
    systems = [system for system in SYSTEMS if system in words] or ["none"]
    cpus = [cpu for word, cpu in CPUS.items() if word in words]
    # This platform's variants for another C library have no hash here, so they must not be chosen.
    libc = {"libc": ["musl"]} if "musl" in words or "musleabihf" in words else {}
    return {"os": systems, **({"cpu": cpus} if cpus else {}), **libc}


if __name__ == "__main__":
    lock()
