"""A browser's own protocol, over its WebSocket: tabs, what they say, what they answer, pictures of them."""

import asyncio
import base64
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import orjson
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

ANSWER_S = 30.0
"""Seconds for a command's answer."""
CLOSE_S = 5.0
"""Seconds for a tab to close."""
TEXT = 600
"""Characters of a page that an error quotes."""
UNTIL = """
new Promise(done => {
  const began = performance.now();
  const look = () => {
    const now = CONDITION;
    if (now || performance.now() - began > MS) done(now || null);
    else setTimeout(look, 20);
  };
  look();
})
"""

Request: TypeAlias = Mapping[str, Any]
"""What a page asked for: url, method, headers, postData."""
Response: TypeAlias = tuple[int, Mapping[str, str], bytes]


class Failed(Exception):
    """What a page, or the browser, was asked to do ended in an error there, or not at all."""


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
        """One command of the protocol; its result. Raises Failed."""
        return await self._chromium.call(method, parameters, self._session)

    async def open(self, url: str) -> None:
        """Go there, and wait until it is loaded. Raises Failed."""
        went = await self.call("Page.navigate", url=url)
        if why := went.get("errorText"):
            raise Failed(f"{url} cannot be opened: {why}")
        await self.evaluate(
            "new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', done))"
        )

    async def evaluate(self, expression: str, within: float = ANSWER_S) -> Any:
        """The value of a JavaScript expression; a promise is awaited, so many seconds. Raises Failed."""
        asked = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        answer = await self._chromium.call("Runtime.evaluate", asked, self._session, within)
        if failure := answer.get("exceptionDetails"):
            raise Failed(
                failure.get("exception", {}).get("description") or failure.get("exception", failure).get("value")
            )
        return answer["result"].get("value")

    async def until(self, condition: str, within: float = 8.0) -> Any:
        """Wait until an expression is true, and return its value. Raises Failed, with what stands there instead."""
        asked = UNTIL.replace("CONDITION", f"({condition})").replace("MS", f"{1000 * within:.0f}")
        if (found := await self.evaluate(asked, within + ANSWER_S)) is not None:
            return found
        text = await self.evaluate("document.body.innerText")
        raise Failed(f"Within {within:g} s this did not become true: {condition}. The page shows: {text[:TEXT]}")

    async def click(self, selector: str) -> None:
        """Press an element as a person does, so that the page may do what needs a gesture. Raises Failed."""
        box = f"document.querySelector({selector!r}).getBoundingClientRect()"
        x, y = await self.evaluate(f"(box => [box.x + box.width / 2, box.y + box.height / 2])({box})")
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

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

    async def closed(self) -> None:
        """Nothing is answered in its name any more."""
        for task in self._pending:
            task.cancel()
        await asyncio.gather(*self._pending, return_exceptions=True)

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
        self._gone = False

    async def listen(self) -> None:
        """Hand out what it says, until it ends."""
        try:
            async for text in self._socket:
                self._heard(orjson.loads(text))
        finally:
            self._gone = True
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(Failed("The browser is gone."))

    def _heard(self, message: dict[str, Any]) -> None:
        if "id" not in message:
            if page := self._pages.get(message.get("sessionId", "")):
                page.heard(message["method"], message["params"])
            return
        waiting = self._waiting.get(message["id"])
        if waiting is None or waiting.done():
            return
        if "error" in message:
            waiting.set_exception(Failed(message["error"]["message"]))
        else:
            waiting.set_result(message["result"])

    async def call(
        self, method: str, parameters: Mapping[str, Any], session: str = "", within: float = ANSWER_S
    ) -> dict[str, Any]:
        """One command of the protocol; its result, in so many seconds. Raises Failed."""
        if self._gone:
            raise Failed("The browser is gone.")
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(within):
                await self._socket.send(orjson.dumps(message).decode())
                return await answer
        except ConnectionClosed:
            raise Failed("The browser is gone.") from None
        except TimeoutError:
            raise Failed(f"The browser did not do {method} within {within:g} s.") from None
        finally:
            del self._waiting[number]
            answer.cancel()

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
            await page.closed()
            with contextlib.suppress(Failed):  # with the browser, the tab is gone
                await self.call("Target.closeTarget", {"targetId": target}, within=CLOSE_S)
