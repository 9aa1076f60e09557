"""`moa witness --listen`: the witness as C2SP's tlog-witness has it, a log sends its checkpoints and is sent lines.

200 the witness's line; 400 no submission; 403 none of the log's keys signed it; 404 a log that the witness does not
know; 405 no POST; 409 the size that it saw last (text/x.tlog.size), also for another tree of that size; 422 the proof
does not lead from that size; 503 another witness uses the memory.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chain.tlog.checkpoints import open_checkpoint
from chain.tlog.errors import LogForked, ProofInvalid, SubmissionMalformed, TlogError
from chain.tlog.notes import Verifier
from chain.tlog.submissions import SIZE_MEDIA_TYPE, SUBMISSION_BYTES_MAX, Submission
from scripts.cli.log.errors import OldSizeWrong, RootsDiffer, WitnessBusy
from scripts.cli.log.witness import Witness

PATH: Final = "/add-checkpoint"
TEXT: Final = "text/plain; charset=utf-8"


def application(witness: Witness, logs: Sequence[Verifier]) -> Starlette:
    """The witness of these logs; of one origin there may be several keys."""

    async def add_checkpoint(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > SUBMISSION_BYTES_MAX:
                break
        return await run_in_threadpool(answered, witness, logs, body)

    return Starlette(routes=[Route(PATH, add_checkpoint, methods=["POST"])])


def answered(witness: Witness, logs: Sequence[Verifier], body: bytes, *, at_s: int | None = None) -> Response:
    """The answer to a submission; nothing is signed before it is remembered."""
    try:
        asked = Submission.parse(body)
    except SubmissionMalformed as fault:
        return _told(400, str(fault))
    known = [log for log in logs if log.name == asked.checkpoint.origin]
    if not known:
        return _told(404, f"{asked.checkpoint.origin} is no log that this witness knows.")
    log = next((one for one in known if _signed(asked.note, one)), None)
    if log is None:
        return _told(403, "No key of this log signed the checkpoint.")
    try:
        return Response(witness.add(asked, log, at_s=at_s).told(), 200, media_type=TEXT)
    except (OldSizeWrong, RootsDiffer) as fault:
        # The media type is the protocol's to the letter, without a charset.
        return Response(f"{fault.size}\n", 409, headers={"content-type": SIZE_MEDIA_TYPE})
    except (ProofInvalid, LogForked) as fault:
        return _told(422, str(fault))
    except WitnessBusy as fault:
        return _told(503, str(fault))


def serve(application: Starlette, host: str, port: int, *, begun: Callable[[str], None]) -> None:
    """Serves until told to stop. port 0: a free one; `begun` is told the address."""
    with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as listening:
        found, at = listening.getsockname()[:2]
        begun(f"http://{f'[{found}]' if ':' in found else found}:{at}{PATH}")
        config = uvicorn.Config(application, log_level="warning", access_log=False, server_header=False, lifespan="off")
        uvicorn.Server(config).run(sockets=[listening])


def _signed(note: str, log: Verifier) -> bool:
    try:
        open_checkpoint(note, log)
    except TlogError:
        return False
    return True


def _told(status: int, sentence: str) -> Response:
    return Response(sentence + "\n", status, media_type=TEXT)


__all__ = ["answered", "application", "serve"]
