"""The sandbox's application: every path of Simli's that a client is known to use, in both generations."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gateway.sandbox.options import Options


def create_app(options: Options) -> Starlette:
    """Return the application."""
    del options
    return Starlette(routes=[Route("/ping", ping)])


async def ping(_: Request) -> JSONResponse:
    """Say that it is there."""
    return JSONResponse({"message": "pong"})
