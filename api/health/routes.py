"""Routes of health: does it live, is it ready."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.health import service
from api.health.schemas import Health, Ready
from api.kit.container import state_of
from api.writes.strict import StrictRoute

router = APIRouter(route_class=StrictRoute)


@router.get("/health", tags=["public"], operation_id="getHealth", response_model=Health)
async def get_health(request: Request) -> Health:
    """Whether the process answers."""
    return service.health(state_of(request))


@router.get(
    "/ready",
    tags=["public"],
    operation_id="getReady",
    response_model=Ready,
    responses={503: {"model": Ready, "description": "Not ready; the checks say what is wrong."}},
)
async def get_ready(request: Request) -> Response:
    """Whether everything that the gateway needs is there, and what is not."""
    told = await service.ready(state_of(request))
    return Response(told.model_dump_json(), status_code=200 if told.ready else 503, media_type="application/json")
