"""The gateway's log. Never a key, a token or an identifier of a member."""

import logging

log = logging.getLogger("moa.gateway")
