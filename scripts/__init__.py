"""Deploy, demo, benchmarks, generators and the `moa` command. Uses `api` and `chain`; nothing imports it."""

import os
import signal
import sys

# `moa mirror` promises to end with 0 on SIGTERM, and loading takes a while: until it listens there is nothing to end.
if sys.argv[1:2] == ["mirror"]:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
