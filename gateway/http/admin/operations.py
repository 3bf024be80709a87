"""The map of the admin API on one screen: its routes and its part of `/openapi.json` are made from this list."""

import re
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from gateway.errors import (
    Conflict,
    DiskFull,
    Draining,
    FilesAtFault,
    InvalidName,
    NotFound,
    NotWritable,
    StoreUnavailable,
)
from gateway.http.admin import agents, keys, knowledge
from gateway.http.admin.bodies import received
from gateway.http.admin.operation import PARAMETERS, Nothing, Operation
from gateway.http.auth import Endpoint
from gateway.types.knowledge import IngestJob

_KEPT = (StoreUnavailable,)
_INGEST = (NotFound, Conflict, Draining, NotWritable, DiskFull)
OPERATIONS = (
    Operation("GET", "/admin/keys", "What is known of the keys", keys.KeysListed, keys.listed, errors=_KEPT),
    Operation("POST", "/admin/keys", "Make a key", keys.KeyMade, keys.made, keys.KeyAsked, 201, _KEPT),
    Operation("DELETE", "/admin/keys/{key}", "Revoke a key", keys.KeyShown, keys.revoked, errors=(NotFound, *_KEPT)),
    Operation(
        "POST", "/admin/reload", "Serve what files say now", agents.ReloadDone, agents.reloaded, errors=(FilesAtFault,)
    ),
    Operation("GET", "/admin/agents", "Agents, written and served", agents.AgentsListed, agents.listed),
    Operation("GET", "/admin/agents/{agent}", "All of an agent", agents.AgentShown, agents.shown, errors=(NotFound,)),
    Operation(
        "POST",
        "/admin/agents/{agent}/rotate",
        "Renew the capability",
        agents.CapabilityRotated,
        agents.rotated,
        errors=(NotFound, *_KEPT),
    ),
    Operation("GET", "/admin/knowledge", "Collections, and jobs", knowledge.KnowledgeShown, knowledge.shown),
    Operation(
        "POST", "/admin/knowledge/ingest", "Ingest all", IngestJob, knowledge.ingested, Nothing, 202, _INGEST, feed=True
    ),
    Operation(
        "GET", "/admin/knowledge/jobs/{job}", "An ingest", IngestJob, knowledge.job, errors=(NotFound,), feed=True
    ),
    Operation(
        "GET",
        "/admin/knowledge/{collection}",
        "Versions",
        knowledge.VersionsShown,
        knowledge.versions,
        errors=(NotFound,),
    ),
    Operation(
        "POST",
        "/admin/knowledge/{collection}/ingest",
        "Ingest it",
        IngestJob,
        knowledge.ingested,
        Nothing,
        202,
        _INGEST,
        feed=True,
    ),
    Operation(
        "POST",
        "/admin/knowledge/{collection}/search",
        "Search it",
        knowledge.SearchDone,
        knowledge.searched,
        knowledge.SearchAsked,
        errors=(NotFound, Conflict),
    ),
    Operation(
        "POST",
        "/admin/knowledge/{collection}/rollback",
        "Serve another version",
        knowledge.RollbackDone,
        knowledge.rolled_back,
        knowledge.RollbackAsked,
        errors=(NotFound, Conflict, NotWritable, DiskFull),
    ),
)


def routes(guarded: Callable[[Endpoint], Endpoint]) -> list[BaseRoute]:
    """The routes of all operations, each behind `guarded`; OPTIONS says what a path allows."""
    by_path = sorted(OPERATIONS, key=lambda one: one.path)
    # Paths without a parameter first: `/admin/knowledge/ingest` is no collection.
    by_path.sort(key=lambda one: one.path.count("{"))
    return [_route(path, tuple(group), guarded) for path, group in groupby(by_path, key=lambda one: one.path)]


def _route(path: str, operations: Iterable[Operation], guarded: Callable[[Endpoint], Endpoint]) -> BaseRoute:
    by_method = {one.method: one for one in operations}
    allowed = [*(("GET", "HEAD") if "GET" in by_method else ()), *(each for each in by_method if each != "GET")]

    async def performed(request: Request[Any]) -> Response | ASGIApp:
        operation = by_method["GET" if request.method == "HEAD" else request.method]
        for name, value in request.path_params.items():
            _named(name, value)
        asked = Nothing() if operation.method == "GET" else await received(request, operation.takes)
        return await operation.perform(request, asked)

    guard = guarded(performed)

    async def answered(request: Request[Any]) -> Response | ASGIApp:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": ", ".join([*allowed, "OPTIONS"])})
        return await guard(request)

    return Route(path, answered, methods=[*allowed, "OPTIONS"])


def _named(parameter: str, value: str) -> None:
    """Raise InvalidName before anything is made of what is no name."""
    known = PARAMETERS[parameter]
    if len(value) > known.longest or not re.fullmatch(known.pattern, value):
        raise InvalidName(f"`{parameter}` must match {known.pattern}, not {value[:80]!r}.", param=parameter)
