"""The built wallet at `/`: hashed assets for ever, the page itself always asked for anew, nothing from elsewhere.

The build leaves each text in br and gz beside itself; whoever takes one of them is sent it.
"""

from __future__ import annotations

import mimetypes
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from api.kit import problems
from api.kit.problems import RouteUnknown

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
SAFETY = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
}
FOR_EVER = "public, max-age=31536000, immutable"
ANEW = "no-cache"
# What the build leaves beside a file, by the name of the coding; the smaller first.
CODINGS = {"br": ".br", "gzip": ".gz"}
NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Moa</title>
<h1>The wallet is not built</h1><p>The gateway runs. Build the screens with <code>make setup</code>,
then load this page again. The interface is described in <a href="/openapi.json">/openapi.json</a>.</p></html>
"""


def wallet_routes(dist: Path) -> list[BaseRoute]:
    """Everything that is no route of the gateway's own: a file of the wallet, or its page."""
    root = dist.resolve()

    async def serve(request: Request) -> Response:
        path = request.path_params["path"]
        page = root / "index.html"
        if not path and not page.is_file():
            return HTMLResponse(NOT_BUILT, status_code=503, headers={**SAFETY, "Cache-Control": ANEW})
        wanted = _inside(root, path) if path else page
        if wanted is None or wanted.suffix in CODINGS.values():
            # Never the page: a caller that mistypes a route must not take it for an answer.
            return problems.response(RouteUnknown(f"Nothing answers GET /{path}."), request.url.path)
        return _file(request, wanted, FOR_EVER if path.startswith("assets/") else ANEW)

    return [Route("/{path:path}", serve, methods=["GET", "HEAD"], include_in_schema=False)]


def _inside(root: Path, path: str) -> Path | None:
    """The file of this path, if there is one and it lies in the folder."""
    try:
        wanted = (root / path).resolve()
        return wanted if root in wanted.parents and wanted.is_file() else None
    except (OSError, ValueError):
        return None  # No file can have such a name: a zero byte in it, or too long.


def _taken(header: str) -> list[str]:
    """The codings of ours that an Accept-Encoding takes; one that it names with q=0 it refuses."""
    wishes = [part.strip().lower().partition(";") for part in header.split(",")]
    named = {name.strip(): quality.replace(" ", "") for name, _, quality in wishes}
    refused = {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return [coding for coding in CODINGS if named.get(coding, named.get("*", "q=0")) not in refused]


def _file(request: Request, file: Path, caching: str) -> Response:
    """The file, compressed where the caller takes that, or 304 when the caller has it already."""
    headers = {**SAFETY, "Cache-Control": caching, "Vary": "Accept-Encoding"}
    for coding in _taken(request.headers.get("accept-encoding", "")):
        coded = file.with_name(file.name + CODINGS[coding])
        if coded.is_file():
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            headers |= {"Content-Encoding": coding, "Content-Type": kind}
            file = coded
            break
    answer = FileResponse(file, stat_result=file.stat(), headers=headers)
    if Headers(scope=request.scope).get("if-none-match") == answer.headers["etag"]:
        return Response(
            status_code=304,
            headers={"ETag": answer.headers["etag"], "Cache-Control": caching, "Vary": "Accept-Encoding"},
        )
    return answer
