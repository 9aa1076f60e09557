"""What holds for every suite that pytest runs here. Brownie's own (tests/contracts) has its own root and never sees it.

Hypothesis measures each example against 200 ms of wall clock unless told otherwise: one stall of a busy machine would
be a failure of the code. What takes too long is caught by pytest's timeout. A failing example prints the line that
replays it.
"""

from hypothesis import HealthCheck, settings

settings.register_profile("moa", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("moa")
