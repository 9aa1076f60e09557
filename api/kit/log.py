"""The gateway's logs. Never a key, a token or an identifier of a member."""

import logging

log = logging.getLogger("moa.gateway")
# A line for each request; silent unless the server is told to keep it.
access_log = logging.getLogger("moa.access")
