"""The sandbox's own pages, in a browser."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.peer.chromium import chromium
from gateway.peer.devtools import Page
from tests.sandboxed import Sandbox, sandboxed
from tests.upstream import Script, Upstream, scripted

WORDS = ["Forty ", "metres, ", "says ", "the ", "keeper."]
SECRET = "sk-planted-where-nobody-may-read-it"
WIDTHS = (400, 1400)
SAY = "document.querySelector('#text').value = 'How tall is it?'; document.querySelector('#say').requestSubmit();"


def reads(text: str, within: str = "body") -> str:
    return f"document.querySelector({within!r}).innerText.includes({text!r})"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with sandboxed() as running:
        yield running


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with asyncio.timeout(45), chromium() as browser, browser.page() as tab:
        yield tab


@pytest.fixture
async def room(sandbox: Sandbox) -> AsyncIterator[str]:
    """Of a session whose model is a double."""
    async with scripted(Script(WORDS)) as upstream, httpx.AsyncClient(base_url=sandbox.url) as http:
        yield await begun(sandbox, upstream, http)


async def begun(sandbox: Sandbox, upstream: Upstream, http: httpx.AsyncClient) -> str:
    config = {"provider": "User", "model": "nora", "baseURL": upstream.url, "apiKey": SECRET}
    asked = {"apiKey": sandbox.key, "firstMessage": "I am Nora.", "llmConfig": config, "colour": "blue"}
    answer = await http.post("/startE2ESession", json=asked)
    return str(answer.json()["roomUrl"])


async def test_a_person_sees_calls_and_sessions_watches_and_types(sandbox: Sandbox, room: str, page: Page) -> None:
    """The page names the session's LLM configuration and the unknown field, plays the face, shows a turn's answer."""
    del room
    await page.open(f"{sandbox.url}/sandbox")
    await page.until(reads("llmConfig(User)", "#sessions"))
    await page.until(reads("colour is unknown", "#calls"))
    await page.evaluate("document.querySelector('#watch').click()")
    await page.until(reads("I am Nora.", "#lines"))
    await page.until("document.querySelector('#video').videoWidth === 512")
    await page.evaluate(SAY)
    await page.until(reads("".join(WORDS), "#lines"))
    for width in WIDTHS:
        await page.sized(width, 900)
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width
    fetched = "performance.getEntriesByType('resource').every(one => one.name.startsWith(location.origin))"
    assert await page.evaluate(fetched)
    assert not await page.evaluate(f"document.documentElement.outerHTML.includes({SECRET!r})")
    await page.evaluate("document.querySelector('#leave').click()")
    await page.until(reads("ended", "#sessions"))
    assert page.said == []


async def test_another_session_is_another_conversation(sandbox: Sandbox, room: str, page: Page) -> None:
    """Whoever chooses another session reads its words, and none of the one before."""
    await page.open(f"{sandbox.url}/sandbox")
    await page.until("document.querySelectorAll('#sessions button').length === 1")
    await page.evaluate(SAY)
    await page.until(reads("".join(WORDS), "#lines"))
    async with scripted(Script(["Nothing."])) as upstream, httpx.AsyncClient(base_url=sandbox.url) as http:
        await begun(sandbox, upstream, http)
        await page.until("document.querySelectorAll('#sessions button').length === 2")
        await page.evaluate("document.querySelector('#sessions button[aria-pressed=false]').click()")
        await page.until("document.querySelector('#lines').innerText === ''")
        await page.evaluate(SAY)
        await page.until(reads("Nothing.", "#lines"))
        assert not await page.evaluate(reads("".join(WORDS), "#lines"))
        await sandbox.leave(room)
    assert page.said == []


async def test_a_room_plays_by_itself_and_answers(room: str, page: Page) -> None:
    """Whoever opens a session's room sees the face at once, is answered, and can leave."""
    await page.open(room)
    await page.until("document.querySelector('#video').videoWidth === 512")
    await page.evaluate(SAY)
    await page.until(reads("".join(WORDS), "#lines"))
    await page.evaluate("document.querySelector('#leave').click()")
    await page.until(reads("The session is over"))
    assert page.said == []


async def test_a_room_whose_line_breaks_is_entered_again(sandbox: Sandbox, room: str, page: Page) -> None:
    """A connection that is gone without a word is noticed within seconds, and the face is seen again by itself."""
    await sandbox.behave(drops_after=1.5)
    await page.open(room)
    await page.until("document.querySelector('#video').videoWidth === 512")
    await sandbox.behave(drops_after=0)
    await page.until("document.querySelector('#screen').dataset.state === 'reconnecting'")
    await page.until("document.querySelector('#video').videoWidth === 512")
    await page.until("document.querySelector('#curtain').hidden")
    assert page.said == []
