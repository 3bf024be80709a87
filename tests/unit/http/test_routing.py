"""How long an operation may take, and what an error of its own becomes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.errors import ConfigurationError, Fault, FilesAtFault, SimliTimeout
from gateway.http.admin.operation import Nothing, Operation
from gateway.http.admin.routing import routes

Perform = Callable[[Request[Any], Any], Awaitable[Response]]


async def asked(perform: Perform, within: float = 0.0) -> Any:
    """What the route of an operation answers to a GET."""
    operation = Operation("GET", "/admin/it", "It", Nothing, perform, within=within)
    route = routes([operation], lambda endpoint: endpoint)[0]
    assert isinstance(route, Route)
    scope = {"type": "http", "method": "GET", "path": "/admin/it", "path_params": {}, "headers": [], "state": {}}
    return await route.endpoint(Request(scope))


async def test_an_operation_ends_within_its_time() -> None:
    """What takes longer is given up with a 504 that says so; cancelled, not left running."""
    ended = False

    async def perform(_: Request[Any], __: Any) -> Response:
        nonlocal ended
        try:
            await asyncio.sleep(10)
        finally:
            ended = True
        return Response()

    with pytest.raises(SimliTimeout, match=r"within 0\.02 seconds"):
        await asked(perform, within=0.02)
    assert ended


async def test_a_timeout_of_something_else_is_not_its_own() -> None:
    """It is what it was: a mistake in the gateway, not Simli's."""

    async def perform(_: Request[Any], __: Any) -> Response:
        raise TimeoutError("another")

    with pytest.raises(TimeoutError, match="another"):
        await asked(perform, within=5)


async def test_files_at_fault_are_a_conflict() -> None:
    """Every fault goes to the caller."""

    async def perform(_: Request[Any], __: Any) -> Response:
        raise ConfigurationError([Fault("a.md", 2, "voice", "is none"), Fault("b.md", 1, "", "is empty")])

    with pytest.raises(FilesAtFault) as refused:
        await asked(perform)
    assert [fault.where for fault in refused.value.faults] == ["a.md", "b.md"]
