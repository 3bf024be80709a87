"""The pages themselves: files of this folder, which load nothing from elsewhere."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

HERE = Path(__file__).parent
FILES = (
    *("page.css", "page.js", "face.svg", "element.js", "player.js", "lines.js", "waterfall.js"),
    *("room.css", "room.js", "feed.js", "microphone.js"),
)
HEADERS = {
    "content-security-policy": "default-src 'self'",
    "cache-control": "no-cache",
    "x-content-type-options": "nosniff",
}


def routes() -> list[BaseRoute]:
    """`/sandbox`, the rooms, and what both load."""
    return [
        Route("/", _to_page),
        Route("/favicon.ico", _icon),
        Route("/sandbox", _page("index.html")),
        Route("/room/{room}", _page("room.html")),
        *(Route(f"/sandbox/{name}", _page(name)) for name in FILES),
    ]


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_: Request) -> Response:
        return FileResponse(HERE / name, headers=HEADERS)

    return endpoint


async def _to_page(_: Request) -> Response:
    return RedirectResponse("/sandbox")


async def _icon(_: Request) -> Response:
    return FileResponse(HERE / "face.svg")
