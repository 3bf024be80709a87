"""simli-client in Chromium: bundled by esbuild, in a page that another server than the sandbox serves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from gateway.peer import devtools
from tests.serving import serve

HERE = Path(__file__).parent
BUNDLE = ("--bundle", "--format=iife", "--target=chrome120", "--define:global=window", "--log-level=warning")
WORDS = 160
"""Characters of a line that an error quotes."""
SIMLI = "https://api.simli.ai"
PASSED = ("content-type", "access-control-request-method", "access-control-request-headers", "origin")


async def bundled(page: str) -> bytes:
    """The page's script, with the client as npm installed it."""
    program = next(HERE.glob("node_modules/@esbuild/*/bin/esbuild"), None)
    if program is None:
        raise FileNotFoundError("Needs `npm ci` in tests/published.")
    command = [str(program), f"pages/{page}.js", *BUNDLE]
    process = await asyncio.create_subprocess_exec(*command, cwd=HERE, stdout=asyncio.subprocess.PIPE)
    script, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"esbuild ended with status {process.returncode}.")
    return script


@contextlib.asynccontextmanager
async def pages(names: list[str]) -> AsyncIterator[str]:
    """Serve each client's page; the URL under which their names are."""
    scripts = dict(zip(names, await asyncio.gather(*map(bundled, names)), strict=True))

    async def page(_: Request) -> Response:
        return FileResponse(HERE / "pages" / "index.html")

    async def script(request: Request) -> Response:
        return Response(scripts[request.path_params["name"]], media_type="text/javascript")

    async with serve(Starlette(routes=[Route("/{name}/", page), Route("/{name}/client.js", script)])) as url:
        yield url


async def passed_on(asked: devtools.Request, sandbox: str, seconds: int) -> devtools.Response:
    """Ask the sandbox what a client with a fixed host asked Simli.

    That client knows no limit of a session either: `seconds` is put into what it asks a token with.
    """
    body = asked.get("postData", "").encode()
    if asked["url"].endswith("/startAudioToVideoSession") and body:
        body = orjson.dumps(orjson.loads(body) | {"maxSessionLength": seconds})
    headers = {name: value for name, value in asked["headers"].items() if name.lower() in PASSED}
    async with httpx.AsyncClient(timeout=20) as http:
        url = asked["url"].replace(SIMLI, sandbox, 1)
        answer = await http.request(asked["method"], url, headers=headers, content=body)
    kept = {name: value for name, value in answer.headers.items() if name not in ("content-length", "content-encoding")}
    return answer.status_code, kept, answer.content


async def ran(browser: devtools.Chromium, page_url: str, sandbox: tuple[str, str, str], what: str) -> dict[str, Any]:
    """One session in a tab of its own; `sandbox` is its URL, a key and a face."""
    seconds = 1 if what == "ended" else 60
    async with browser.page() as page:
        await page.answered(f"{SIMLI}/*", lambda asked: passed_on(asked, sandbox[0], seconds))
        await page.open(page_url)
        called = ", ".join(orjson.dumps(each).decode() for each in sandbox)
        result: dict[str, Any]
        try:
            result = await page.evaluate(f"{what}({called})", within=45)
        except devtools.Failed as failure:
            said = [line[:WORDS] for line in (str(failure), *page.said[-4:])]
            result = {"error": " | ".join(line.partition("\n")[0] for line in said)}
        return result
