"""The page of a room, in a browser: what a person sees, hears and can do there, whatever the room does."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from gateway.peer.chromium import chromium
from gateway.peer.devtools import Chromium, Page
from tests.room_double import Room, conversation, moments, room_double, turn

DENIED = "--use-fake-ui-for-media-stream=deny"
ROWS = [
    ("Your words understood", "610 ms"),
    ("Model asked", "10 ms"),
    ("Knowledge found", "40 ms"),
    ("Its first word", "60 ms"),
    ("Its first clause", "30 ms"),
    ("First sound", "80 ms"),
    ("Mouth moves", "30 ms"),
]
COVERED = """(box => document.elementFromPoint(box.x + box.width - 4, box.y + box.height / 2)?.closest({!r}) === null)(
document.querySelector({!r}).getBoundingClientRect())"""
BOX = """(box => box.width > 20 && box.left >= 0 && box.right <= innerWidth && box.bottom <= innerHeight)(
document.querySelector({!r}).getBoundingClientRect())"""
NEWEST = "(list => list.scrollHeight - list.scrollTop - list.clientHeight < 2)(document.querySelector('#lines'))"
FACE = "document.querySelector('#video').videoWidth === 512 && document.querySelector('#curtain').hidden"


def shows(words: str, where: str = "body") -> str:
    return f"(document.querySelector({where!r})?.innerText ?? '').includes({words!r})"


def is_now(state: str) -> str:
    return f"document.querySelector('#screen').dataset.state === {state!r}"


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    async with room_double() as running:
        yield running


@pytest.fixture
async def browser() -> AsyncIterator[Chromium]:
    async with chromium() as running:
        yield running


@pytest.fixture
async def page(browser: Chromium) -> AsyncIterator[Page]:
    async with asyncio.timeout(40), browser.page() as tab:
        yield tab


async def test_a_person_is_heard_and_reads_both_sides_as_they_come(room: Room, page: Page) -> None:
    """The microphone is sent, words grow in their line, the waterfall says what was waited for and what was found."""
    await page.open(room.url)
    await page.until(FACE)
    assert "a=sendrecv" in room.offers[0].partition("m=video")[0]
    began = time.time()
    room.become(state="thinking")
    room.tell(turn(0, "How tall is the tower?", moments={"asked": began, "asked_end": began + 1.8}))
    await page.until(shows("How tall is the tower?", ".user"))
    room.become(state="speaking")
    room.tell(turn(0, "How tall is the tower?", "It is forty-one", moments=moments(began)))
    await page.until(shows("It is forty-one", ".assistant"))
    whole = conversation(began)[1]
    room.tell({**whole, "number": 0})
    await page.until(shows("from the rock to the lantern", ".assistant"))
    assert await page.evaluate("document.querySelectorAll('.turn').length") == 1
    assert await page.evaluate(shows("You waited 830 ms", ".facts"))
    rows = await page.evaluate(
        "[...document.querySelectorAll('.waterfall tr')].slice(1).map(row => row.innerText.split(/\\t/))"
    )
    assert [(row[0], row[-1]) for row in rows] == ROWS
    assert await page.evaluate(shows("extractive from lighthouse/tower.md#height", ".facts"))
    said = await page.evaluate("[...document.querySelectorAll('#log p')].map(one => one.textContent)")
    assert said == ["You said: How tall is the tower?", f"The avatar said: {whole['said']}"]
    assert page.said == []


async def test_what_was_not_heard_any_more_is_struck(room: Room, page: Page) -> None:
    """Of an interrupted answer the unheard end is crossed out, and it says how soon there was silence."""
    room.turns = conversation()
    await page.open(room.url)
    await page.until("document.querySelectorAll('.turn').length === 4")
    assert (
        await page.evaluate("document.querySelector('s').innerText.trim()")
        == "there is a rope on the left side all the way."
    )
    assert await page.evaluate(shows("silent 148 ms after you broke in"))
    assert await page.evaluate("[...document.querySelectorAll('.facts')].map(one => one.open)") == [False, False, True]


async def test_a_room_that_is_wide_or_narrow_dark_or_light(room: Room, page: Page) -> None:
    """Nothing is cut off from 320 to 1400 pixels, the newest is in sight, and who wants no motion sees none."""
    room.turns = conversation()
    room.become(state="thinking")
    await page.open(room.url)
    await page.until(FACE)
    for width, height, dark in ((320, 640, False), (400, 860, True), (844, 390, True), (1400, 900, False)):
        await page.sized(width, height, dark=dark)
        await page.until("document.documentElement.scrollWidth <= innerWidth")
        await page.until("document.documentElement.scrollHeight <= innerHeight")
        await page.until(
            "(list => list.scrollHeight - list.scrollTop - list.clientHeight < 2)(document.querySelector('#lines'))"
        )
        for one in ("#video", "#now", "#mute", "#leave", "#text"):
            assert await page.evaluate(BOX.format(one)), (one, width)
            assert not await page.evaluate(COVERED.format(one, one)), (one, width)
    moves = "getComputedStyle(document.querySelector('.dot')).animationName"
    assert await page.until(f"{is_now('thinking')} && {moves}") == "breathe"
    await page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    assert await page.evaluate(moves) == "none"
    fetched = "performance.getEntriesByType('resource').every(one => one.name.startsWith(location.origin))"
    assert await page.evaluate(fetched)
    assert page.said == []


async def test_who_is_muted_is_not_heard_and_sees_it(room: Room, page: Page) -> None:
    """The button mutes the track that is sent, says so, and takes it back; the keyboard reaches it."""
    await page.open(room.url)
    await page.until(FACE)
    await page.evaluate("document.querySelector('#mute').focus()")
    for _ in range(2):
        await page.call(
            "Input.dispatchKeyEvent", type="keyDown", key=" ", code="Space", windowsVirtualKeyCode=32, text=" "
        )
        await page.call("Input.dispatchKeyEvent", type="keyUp", key=" ", code="Space", windowsVirtualKeyCode=32)
        pressed = await page.evaluate("document.querySelector('#mute').ariaPressed")
        if pressed == "true":
            await page.until(is_now("muted"))
    assert pressed == "false"
    await page.until("new DOMMatrix(document.querySelector('#level i').style.transform).a > 0.2")  # it beeps
    room.become(hearing=True)
    await page.until(is_now("hears"))
    room.become(hearing=False)
    await page.until(is_now("listening"))


async def test_a_lost_connection_comes_back(room: Room, page: Page) -> None:
    """Whoever loses the connection sees it, and is in the room again by itself; the session's end is an end."""
    await page.open(room.url)
    await page.until(FACE)
    room.refuses = (503, "The sandbox is tired.")
    await room.drop()
    await page.until(f"{is_now('reconnecting')} && {shows('The sandbox is tired. Trying again', '#curtain')}")
    room.refuses = None
    await page.until(FACE)
    room.become(state="ended", reason="IDLE")
    await page.until(shows("The session is over. Nobody had said anything for a while.", "#curtain"))
    offers = len(room.offers)
    await room.drop()
    await asyncio.sleep(0.8)
    assert len(room.offers) == offers
    assert await page.evaluate("document.querySelector('#video').srcObject") is None
    assert await page.evaluate("['#say', '#mute', '#leave', '#level'].every(one => document.querySelector(one).hidden)")
    assert page.said == []


async def test_a_room_without_events_is_looked_at(room: Room, page: Page) -> None:
    """Where there are no events, the words come all the same; where there is no room, it says so."""
    room.evented = False
    await page.open(room.url)
    await page.until(FACE)
    room.turns = conversation()[:2]
    await page.until(shows("forty-one metres", "#lines"))
    await page.open(room.url.replace("kitchen", "cellar"))
    await page.until(shows("There is no such room.", "#curtain"))


async def test_a_sandbox_that_does_not_answer_is_named(room: Room, page: Page) -> None:
    """It says so until there is an answer again; who leaves meanwhile is told that the session may go on."""
    room.evented = False
    await page.open(room.url)
    await page.until(FACE)
    room.broken = True
    await page.until(shows("The sandbox does not answer. Trying again", "#notice"))
    room.broken = False
    await page.until("document.querySelector('#notice').hidden")
    room.broken = True
    await page.evaluate("document.querySelector('#leave').click()")
    await page.until(shows("the session may go on", "#notice"))
    room.broken = False
    await page.until(FACE)
    await page.evaluate("document.querySelector('#leave').click()")
    await page.until(shows("The session is over. You left.", "#curtain"))


async def test_an_avatar_that_cannot_hear_is_typed_to(room: Room, page: Page) -> None:
    """Why it has no ears stands there, the browser is not asked for a microphone, and typing works."""
    room.state["ears"] = "faster-whisper is not installed; `make sandbox` installs it."
    await page.open(room.url)
    await page.until(FACE)
    assert await page.evaluate(shows("faster-whisper is not installed", "#notice"))
    assert "a=recvonly" in room.offers[0].partition("m=video")[0]
    await page.evaluate("document.querySelector('#text').focus()")
    await page.call("Input.insertText", text="How tall is it?")
    await page.call(
        "Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r"
    )
    await page.until("document.querySelector('#text').value === ''")
    assert room.typed == ["How tall is it?"]


async def test_a_microphone_that_is_denied_is_named(room: Room) -> None:
    """The page says that the browser denies it and what to do, and goes on without; so where the page is not secure.

    A sound that the browser keeps back until a click has a button.
    """
    rule, autoplay = "--host-resolver-rules=MAP room.example 127.0.0.1", "--autoplay-policy=user-gesture-required"
    async with asyncio.timeout(40), chromium(DENIED, rule, autoplay) as browser, browser.page() as page:
        await page.open(room.url)
        await page.until(f"{FACE} && {is_now('typed')}")
        assert await page.evaluate(shows("allow it beside the address", "#notice"))
        assert await page.evaluate("!document.querySelector('#again').hidden")
        await page.until("!document.querySelector('#sound').hidden && document.querySelector('#video').muted")
        await page.click("#sound")
        await page.until("document.querySelector('#sound').hidden && !document.querySelector('#video').muted")
        await page.open(room.url.replace("127.0.0.1", "room.example"))
        await page.until(FACE)
        assert await page.evaluate(shows("must come by https, or from localhost", "#notice"))
        assert await page.evaluate("document.querySelector('#again').hidden")
