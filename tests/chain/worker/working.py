"""A worker on a scripted node: `python working.py SETTINGS.json`. Ends as the settings' file and the signals say."""

import json
import logging
import sys
from pathlib import Path

from chain.mirror.settings import MirrorSettings
from chain.worker import run

if __name__ == "__main__":
    # Tests read in its log how far it is.
    logging.basicConfig(level=logging.INFO)
    given = json.loads(Path(sys.argv[1]).read_text())
    paths = {name: Path(given.pop(name)) for name in ("deployments", "keystore_path")}
    mirror = MirrorSettings(**given.pop("mirror", {}))
    run.run(run.WorkerSettings(**given, **paths, mirror=mirror))
