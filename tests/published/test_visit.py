"""A browser as the person in a room: what it tells of its stay, and that nothing of it is left."""

import asyncio
import contextlib
import os
import signal
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from gateway.peer.visiting import MOVES, visited
from gateway.types.smoke import SmokeLine
from tests.peer.stage import pcm, waved
from tests.room_double import TALL, Room, conversation, room_double
from tests.sandboxed import served

LOBBY = """<!doctype html><title>A lobby</title>
<label>Your name <input id="name"></label> <button>Sign in</button> <button id="join">Join meeting</button>
<div id="room" hidden><video autoplay></video><button>Leave</button></div>
<script>
document.querySelector("#join").onclick = async (event) => {
  if (!document.querySelector("#name").value) return;
  event.target.remove();
  const connection = new RTCPeerConnection();
  const sound = await navigator.mediaDevices.getUserMedia({ audio: true });
  connection.addTrack(sound.getAudioTracks()[0], sound);
  connection.addTransceiver("video", { direction: "recvonly" });
  const stream = document.querySelector("video").srcObject = new MediaStream();
  connection.ontrack = ({ track }) => stream.addTrack(track);
  await connection.setLocalDescription();
  const { sdp, type } = connection.localDescription;
  const answer = await fetch("/room/kitchen/offer", { method: "POST", body: JSON.stringify({ sdp, type }) });
  await connection.setRemoteDescription(await answer.json());
  document.querySelector("#room").hidden = false;
};
</script>"""
"""As a room's own page of another maker's: it asks for a name before it lets in."""


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    async with room_double() as running:
        yield running


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    return waved(tmp_path / "spoken.wav", 0.5)


async def photographed(folder: Path, number: int) -> None:
    """Wait for a picture of the visit."""
    while not there(f"{folder}/visit-{number}.png"):  # noqa: ASYNC110 a file has no event
        await asyncio.sleep(0.02)


async def answering(room: Room, folder: Path) -> None:
    """As an avatar that is asked something, and says it; it goes on when there is a picture of it."""
    await room.offered.wait()
    assert room.avatar
    asked = {**conversation()[1], "number": 0, "said": "", "heard": "", "spoken": False, "moments": {}}
    await asyncio.sleep(1.6)
    room.become(hearing=True)
    await photographed(folder, 2)
    room.become(state="thinking", hearing=False)
    room.tell(asked)
    await photographed(folder, 3)
    room.become(state="speaking")
    room.avatar.play(pcm(1.5))
    room.tell({**conversation()[1], "number": 0, "spoken": False})
    await asyncio.sleep(1.6)
    room.become(state="listening")
    room.tell({**conversation()[1], "number": 0})


def loudest(file: Path) -> float:
    """Of the seconds of a WAV, 0 to 1."""
    with wave.open(str(file)) as heard:
        assert heard.getparams()[:3] == (1, 2, 16000)
        samples = np.frombuffer(heard.readframes(10**8), "<i2").astype(np.float32) / 32768
    return max(float(np.sqrt(np.mean(one**2))) for one in np.array_split(samples, max(1, samples.size // 4000)))


async def test_a_visit_is_told_by_words_sound_and_pictures(room: Room, spoken: Path, tmp_path: Path) -> None:
    """What both said stands in it, what was heard is a WAV, pictures show a face that moves; then the person leaves."""
    folder = tmp_path / "visit"
    async with asyncio.timeout(40), asyncio.TaskGroup() as tasks:
        tasks.create_task(answering(room, folder))
        visit = await visited(room.url, spoken, folder, 12.0, lead_s=0.2)
    assert visit.joined, visit.says
    assert visit.words == (SmokeLine("user", "How tall is the tower?"), SmokeLine("assistant", TALL))
    captions = [one.caption for one in visit.screenshots]
    assert captions == [
        "In the room",
        "The avatar hears the person",
        "The avatar understood: “How tall is the tower?”",
        *MOVES,
        "At the end",
    ]
    files = [(folder / one.file).read_bytes() for one in visit.screenshots]
    assert all(one.startswith(b"\x89PNG") for one in files)
    assert len(set(files)) == len(files)
    media = visit.media
    assert media.connected_ms and media.first_picture_ms and media.connected_ms < media.first_picture_ms < 3000
    assert media.pictures > 60 and media.fps > 15 and media.moving > 0.7, media.moving
    assert media.round_trip_ms is not None and media.picture_jitter_ms is not None
    assert visit.heard is not None
    assert loudest(visit.heard) > 0.1
    assert {one.name for one in folder.iterdir()} == {"heard.wav", *(one.file for one in visit.screenshots)}
    assert room.state["reason"] == "left"


async def test_a_page_that_asks_first_is_answered(room: Room, spoken: Path, tmp_path: Path) -> None:
    """A name is written and the way in is pressed, by accessible name; what comes over its connection proves it."""
    app = Starlette(routes=[Route("/", lambda _: HTMLResponse(LOBBY)), *room.app().routes])
    async with asyncio.timeout(40), served(app) as url:
        visit = await visited(url, spoken, tmp_path, 2.0, lead_s=0.0, pause_s=0.3)
    assert visit.joined, visit.says
    assert "a=sendrecv" in room.offers[0]
    assert visit.words == ()
    assert [one.caption for one in visit.screenshots][-1] == "At the end"


async def test_a_room_that_is_not_entered_is_not_joined(spoken: Path, tmp_path: Path) -> None:
    """A page that never lets in, an address that nobody answers, no browser at all: each is said, and is no visit."""
    shut = Starlette(routes=[Route("/", lambda _: HTMLResponse("The meeting is locked. <button>Join</button>"))])
    async with asyncio.timeout(60), served(shut) as url:
        visit = await visited(url, spoken, tmp_path, 2.0, lead_s=0.0, pause_s=0.02)
        assert not visit.joined
        assert "pressed “Join”" in visit.says
        assert "The meeting is locked." in visit.says
        assert [one.caption for one in visit.screenshots] == ["Not in the room"]
    visit = await visited(url, spoken, tmp_path, 2.0, lead_s=0.0, pause_s=0.02)
    assert not visit.joined
    assert "cannot be opened: net::ERR_CONNECTION_REFUSED" in visit.says
    visit = await visited(url, spoken, tmp_path, 2.0, names=("no-such-browser",))
    assert not visit.joined
    assert "apt-get install chromium" in visit.says


async def test_of_a_visit_that_is_broken_off_nothing_is_left(room: Room, spoken: Path, tmp_path: Path) -> None:
    """Cancelled in the middle, the browser's processes and its folders are gone when the cancellation is through."""
    visit = asyncio.create_task(visited(room.url, spoken, tmp_path / "visit", 30.0, lead_s=0.0))
    await room.offered.wait()
    browser = next(one for one in processes("use-file-for-fake-audio-capture=") if "--type=" not in one)
    profile = browser.partition("--user-data-dir=")[2].partition("\0")[0]
    assert there(profile)
    visit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await visit
    assert not there(profile)
    assert not processes(profile)


async def test_a_browser_that_dies_ends_the_visit(room: Room, spoken: Path, tmp_path: Path) -> None:
    """What was seen until then is told, and that it is gone; nobody waits for it."""
    async with asyncio.timeout(20):
        visit = asyncio.create_task(visited(room.url, spoken, tmp_path / "visit", 60.0, lead_s=0.0))
        await room.offered.wait()
        await photographed(tmp_path / "visit", 1)
        os.kill(next(pids("use-file-for-fake-audio-capture=")), signal.SIGKILL)
        told = await visit
    assert told.joined
    assert "The browser is gone." in told.says
    assert [one.caption for one in told.screenshots] == ["In the room"]


def pids(holding: str) -> Iterator[int]:
    """Of the browser itself, which neither serves another process of it nor guards it."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = file.read_bytes().decode(errors="replace")
            if holding in line and "--type=" not in line and "guard.py" not in line:
                yield int(file.parent.name)


def there(path: str) -> bool:
    return Path(path).exists()


def processes(holding: str) -> list[str]:
    """The command lines that hold it, of all processes of this machine."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(file.read_bytes().decode(errors="replace"))
    return [one for one in found if holding in one]
