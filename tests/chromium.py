"""Debian's Chromium, headless, driven over its own protocol: pages, what they say, pictures of them."""

import asyncio
import base64
import contextlib
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # CI is root in a machine of its own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    # Without it host candidates are .local names, which only multicast resolves.
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--remote-debugging-port=0",
)
LISTENING = re.compile(rb"DevTools listening on (ws://\S+)")

Request = Mapping[str, Any]
"""What a page asked for: url, method, headers, postData."""
Response = tuple[int, Mapping[str, str], bytes]


def program() -> str | None:
    """Where Chromium is, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Failed(Exception):
    """What a page was asked to do ended in an error there."""


class Page:
    """One tab."""

    def __init__(self, chromium: "Chromium", session: str) -> None:
        self._chromium = chromium
        self._session = session
        self.said: list[str] = []
        """What it wrote to the console, and its uncaught errors."""
        self._answers: Callable[[Request], Awaitable[Response]] | None = None
        self._pending: set[asyncio.Task[None]] = set()

    async def call(self, method: str, /, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol; its result."""
        return await self._chromium.call(method, parameters, self._session)

    async def open(self, url: str) -> None:
        """Go there, and wait until it is loaded."""
        await self.call("Page.navigate", url=url)
        await self.evaluate(
            "new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', done))"
        )

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        answer = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if failure := answer.get("exceptionDetails"):
            raise Failed(
                failure.get("exception", {}).get("description") or failure.get("exception", failure).get("value")
            )
        return answer["result"].get("value")

    async def sized(self, width: int, height: int, *, dark: bool = False) -> None:
        """As on a screen of that many CSS pixels, for somebody who likes it dark or light."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        await self.call("Emulation.setScrollbarsHidden", hidden=True)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def picture(self) -> bytes:
        """The whole page as PNG."""
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    async def answered(self, pattern: str, answers: Callable[[Request], Awaitable[Response]]) -> None:
        """Answer every request to a URL like `pattern` in the place of its server."""
        self._answers = answers
        await self.call("Fetch.enable", patterns=[{"urlPattern": pattern}])

    def heard(self, method: str, parameters: Mapping[str, Any]) -> None:
        """An event of this tab's."""
        if method == "Runtime.consoleAPICalled":
            self.said.append(" ".join(str(each.get("value", each.get("description"))) for each in parameters["args"]))
        elif method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.said.append(str(details.get("exception", {}).get("description", details["text"])))
        elif method == "Fetch.requestPaused":
            task = asyncio.create_task(self._fulfil(parameters))
            self._pending.add(task)
            task.add_done_callback(self._pending.discard)

    async def _fulfil(self, paused: Mapping[str, Any]) -> None:
        assert self._answers is not None
        status, headers, body = await self._answers(paused["request"])
        named = [{"name": name, "value": value} for name, value in headers.items()]
        encoded = base64.b64encode(body).decode()
        await self.call(
            "Fetch.fulfillRequest",
            requestId=paused["requestId"],
            responseCode=status,
            responseHeaders=named,
            body=encoded,
        )


class Chromium:
    """A running browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._pages: dict[str, Page] = {}

    async def listen(self) -> None:
        """Hand out what it says, until it ends."""
        try:
            async for text in self._socket:
                self._heard(orjson.loads(text))
        finally:
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(Failed("Chromium is gone."))

    def _heard(self, message: dict[str, Any]) -> None:
        if "id" not in message:
            if page := self._pages.get(message.get("sessionId", "")):
                page.heard(message["method"], message["params"])
            return
        waiting = self._waiting.pop(message["id"], None)
        if waiting is None or waiting.done():
            return
        if "error" in message:
            waiting.set_exception(Failed(message["error"]["message"]))
        else:
            waiting.set_result(message["result"])

    async def call(self, method: str, parameters: Mapping[str, Any], session: str = "") -> dict[str, Any]:
        """One command of the protocol; its result."""
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        message = {"id": number, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        await self._socket.send(orjson.dumps(message).decode())
        return await answer

    @contextlib.asynccontextmanager
    async def page(self) -> AsyncIterator[Page]:
        """A tab of its own, closed at the end."""
        target = (await self.call("Target.createTarget", {"url": "about:blank"}))["targetId"]
        attached = await self.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        page = self._pages[attached["sessionId"]] = Page(self, attached["sessionId"])
        try:
            await page.call("Page.enable")
            await page.call("Runtime.enable")
            yield page
        finally:
            del self._pages[attached["sessionId"]]
            await self.call("Target.closeTarget", {"targetId": target})


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    said = b""
    async for line in process.stderr:
        said += line
        if found := LISTENING.search(line):
            return found[1].decode()
    raise Failed(f"Chromium did not start:\n{said.decode(errors='replace')[-2000:]}")


async def _drained(stream: asyncio.StreamReader | None) -> None:
    while stream is not None and await stream.read(65536):
        pass


@contextlib.asynccontextmanager
async def chromium(*flags: str) -> AsyncIterator[Chromium]:
    """Chromium until the block ends; it leaves no profile behind."""
    found = program()
    if found is None:
        raise Failed("Needs Chromium: apt-get install chromium.")
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            *(found, *FLAGS, *flags, f"--user-data-dir={profile}", "about:blank"),
            env={"PATH": os.defpath, "HOME": profile, "TMPDIR": profile},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(30):
                address = await _address(process)
            async with connect(address, max_size=None, compression=None) as socket:
                running = Chromium(socket)
                tasks = [asyncio.create_task(running.listen()), asyncio.create_task(_drained(process.stderr))]
                try:
                    yield running
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(5):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
