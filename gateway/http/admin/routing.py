"""Routes of operations: who may, what is asked, how long it may take."""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NoReturn

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from gateway.errors import ConfigurationError, Draining, FilesAtFault, InvalidName, MethodNotAllowed, SimliTimeout
from gateway.http.admin.bodies import queried, received, uploaded
from gateway.http.admin.operation import PARAMETERS, Nothing, Operation, Upload
from gateway.http.auth import Endpoint


def routes(operations: Sequence[Operation], guarded: Callable[[Endpoint], Endpoint]) -> list[BaseRoute]:
    """The routes of all operations, each behind `guarded`; OPTIONS says what a path allows."""
    by_path = sorted(operations, key=lambda one: one.path)
    # Paths without a parameter first: `/admin/knowledge/ingest` is no collection.
    by_path.sort(key=lambda one: one.path.count("{"))
    grouped = {path: tuple(group) for path, group in groupby(by_path, key=lambda one: one.path)}
    literal = {path: _allowed(group) for path, group in grouped.items() if "{" not in path}
    return [_route(path, group, guarded, literal) for path, group in grouped.items()]


def _allowed(operations: Iterable[Operation]) -> list[str]:
    methods = [one.method for one in operations]
    return [*(("GET", "HEAD") if "GET" in methods else ()), *(each for each in methods if each != "GET"), "OPTIONS"]


def _route(
    path: str,
    operations: Sequence[Operation],
    guarded: Callable[[Endpoint], Endpoint],
    literal: Mapping[str, Sequence[str]],
) -> BaseRoute:
    by_method = {one.method: one for one in operations}
    allowed = _allowed(operations)

    async def performed(request: Request[Any]) -> Response | ASGIApp:
        operation = by_method["GET" if request.method == "HEAD" else request.method]
        for name, value in request.path_params.items():
            if not _fits(name, value):
                _refuse(request, name, value, literal)
        return await _bounded(operation, request, await _asked(operation, request))

    guard = guarded(performed)

    async def answered(request: Request[Any]) -> Response | ASGIApp:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": ", ".join(allowed)})
        return await guard(request)

    return Route(path, answered, methods=allowed)


async def _asked(operation: Operation, request: Request[Any]) -> Any:
    if operation.uploads:
        return Upload(*await uploaded(request, operation.takes, operation.uploads))
    if operation.method == "GET":
        return Nothing() if operation.takes is Nothing else queried(request, operation.takes)
    return await received(request, operation.takes)


async def _bounded(operation: Operation, request: Request[Any], asked: Any) -> Response | ASGIApp:
    """The answer; a caller that hangs up ends nothing: what was begun at Simli comes to its end."""
    if operation.begins and request.state["draining"]():
        raise Draining("The gateway is shutting down.", retry_after=1.0)
    limit = asyncio.timeout(operation.within or None)
    try:
        async with limit:
            return await operation.perform(request, asked)
    except TimeoutError as error:
        if not limit.expired():
            raise
        late = f"It did not come to its end within {operation.within:g} seconds; what was done by then is done."
        raise SimliTimeout(late) from error
    except ConfigurationError as error:
        raise FilesAtFault("Nothing was done: files or settings are at fault.", error.faults) from error


def _fits(parameter: str, value: str) -> bool:
    known = PARAMETERS[parameter]
    return len(value) <= known.longest and re.fullmatch(known.pattern, value) is not None


def _refuse(request: Request[Any], parameter: str, value: str, literal: Mapping[str, Sequence[str]]) -> NoReturn:
    """Before anything is made of what is no name. It may be the end of another path, asked with a wrong method."""
    path = request.scope["path"]
    if path in literal:
        allow = {"Allow": ", ".join(literal[path])}
        raise MethodNotAllowed(f"Method Not Allowed: {request.method} {path}.", headers=allow)
    pattern = PARAMETERS[parameter].pattern
    raise InvalidName(f"`{parameter}` must match {pattern}, not {value[:80]!r}.", param=parameter)
