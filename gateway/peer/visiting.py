"""A browser as the person in a room: it comes in, speaks what a WAV file says, looks and listens, and goes.

What it shows of itself are pictures of its screen; what came of the avatar is measured at its WebRTC connections,
whatever page that is.
"""

import asyncio
import base64
import contextlib
import tempfile
import time
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.errors import InvalidValue
from gateway.peer import doors
from gateway.peer.chromium import NAMES, chromium
from gateway.peer.devtools import Failed, Page
from gateway.peer.packets import RATE
from gateway.peer.source import checked, decoded
from gateway.types.smoke import Screenshot, SmokeLine, SmokeMedia, Visit

LEAD_S = 8.0
"""Seconds of silence before the person speaks: the avatar says something first, and is heard out."""
LOOK_S = 0.2
"""Seconds between two looks at the page."""
MOUTH_S = 0.3
"""Seconds between two pictures of a face that speaks."""
MOVES = ("The avatar answers", "A moment later", "And another")
QUIET_S = 1.5
"""Seconds without a word from the avatar after which it has said what it had to."""
SHOTS = 12
WORDS = 300
"""Characters of a page that are told."""
LOUD = 1e-5
"""Energy (full scale squared, times seconds) of what is more than the noise of a codec."""
WIDTH, HEIGHT = 1280, 800
INJECTED = Path(__file__).with_name("visit.js").read_text("utf-8")
SEEN = """
(() => {
  const text = (line) => [...(line?.childNodes ?? [])].filter(one => one.nodeType === 3).map(one => one.data).join("");
  const state = document.querySelector("#screen")?.dataset.state;
  const turns = [...document.querySelectorAll("#lines .turn")];
  const words = turns.map(one => [text(one.querySelector(".user")), text(one.querySelector(".assistant"))]);
  return state ? { state, words } : null;
})()
"""
"""Of the sandbox's own page: what happens, and who said what, turn by turn. null: another page."""


@dataclass
class Stay:
    """From the door to the end."""

    page: Page
    folder: Path
    spoken_s: float
    """Seconds from the moment at which the page gets its microphone to the person's last word."""
    began: float = field(default_factory=time.monotonic)
    came: dict[str, Any] = field(default_factory=dict)
    shots: list[Screenshot] = field(default_factory=list)
    words: list[tuple[str, str]] = field(default_factory=list)
    heard: Path | None = None
    listened: bool = False
    quiet_since: float = field(default_factory=time.monotonic)

    async def inside(self) -> bool:
        """Whether something of the avatar was seen or heard."""
        self.came = await self.page.evaluate("visit.came()")
        return bool(self.came["pictures"] > 0 or self.came["energy"] > LOUD)

    async def shoot(self, caption: str) -> None:
        """A picture of the screen."""
        if len(self.shots) >= SHOTS:
            return
        name = f"visit-{len(self.shots) + 1}.png"
        picture = await self.page.picture()
        await asyncio.to_thread((self.folder / name).write_bytes, picture)
        self.shots.append(Screenshot(caption, name))

    async def follow(self, seconds: float) -> None:
        """Look until the conversation is over, or so many seconds are."""
        await asyncio.sleep(min(1.0, seconds))  # a picture gets sharper in its first second
        await self.shoot("In the room")
        answered: set[int] = set()
        until = self.began + seconds
        while time.monotonic() < until:
            seen = await self.page.evaluate(SEEN)
            if seen is None:
                await asyncio.sleep(max(0.0, until - time.monotonic()) / 2)
                await self.shoot("In the room, some seconds later")
                continue
            if not await self._changed(seen, answered):
                return
            await asyncio.sleep(LOOK_S)

    async def _changed(self, seen: dict[str, Any], answered: set[int]) -> bool:
        """Take in what the sandbox's page shows; whether more is to come."""
        if seen["state"] == "hears" and not self.listened:
            self.listened = True
            await self.shoot("The avatar hears the person")
        before, self.words = self.words, [(user.strip(), avatar.strip()) for user, avatar in seen["words"]]
        for number, (user, _) in enumerate(self.words):
            if user and (number >= len(before) or not before[number][0]):
                await self.shoot(f"The avatar understood: “{user}”")
        last = len(self.words) - 1
        if seen["state"] == "speaking" and self.words and self.words[last][0] and last not in answered:
            answered.add(last)
            for caption in MOVES:
                await asyncio.sleep(MOUTH_S)
                await self.shoot(caption)
        now = time.monotonic()
        if seen["state"] in {"speaking", "thinking", "hears"}:
            self.quiet_since = now
        asked = any(user for user, _ in self.words)
        over = asked and now - self.began > self.spoken_s and now - self.quiet_since > QUIET_S
        return seen["state"] != "ended" and not over

    async def leave(self) -> None:
        """What was heard is kept; the last picture; and out."""
        await self.shoot("At the end")
        self.came = await self.page.evaluate("visit.came()")
        recorded = base64.b64decode(await self.page.evaluate("visit.heard()"))
        if recorded:
            with contextlib.suppress(InvalidValue):  # of a moment's sound a browser makes a file without any
                self.heard = await asyncio.to_thread(_unpacked, recorded, self.folder / "heard.wav")
        if await self.page.evaluate(f"{SEEN}?.state ?? 'ended'") != "ended":
            await self.page.evaluate("document.querySelector('#leave').click()")
            with contextlib.suppress(Failed):  # who has gone does not wait for a goodbye
                await self.page.until(f"{SEEN}?.state === 'ended'", 3.0)

    def visit(self, trouble: str = "") -> Visit:
        """What there is to tell."""
        joined = self.came.get("pictures", 0) > 0 or self.came.get("energy", 0.0) > LOUD
        lines = [
            line for user, avatar in self.words for line in (SmokeLine("user", user), SmokeLine("assistant", avatar))
        ]
        words = tuple(line for line in lines if line.text)
        if joined:
            loud = "was heard" if self.came["energy"] > LOUD else "was not heard"
            says = f"A browser was in the room; {self.came['pictures']:.0f} pictures came, and the avatar {loud}."
        else:
            says = "A browser went to the room, and nothing of the avatar came."
        media = measured(self.came) if joined else SmokeMedia()
        return Visit(joined, f"{says} {trouble}".strip(), tuple(self.shots), words, self.heard, media)


def measured(came: Mapping[str, Any]) -> SmokeMedia:
    """What a page's connections told of themselves."""
    pictures, first = int(came["pictures"]), came["first"]
    seconds = (came["now"] - first) / 1000 if first is not None else 0.0
    return SmokeMedia(
        connected_ms=came["connected"],
        first_picture_ms=first,
        fps=round(pictures / seconds, 1) if seconds > 0 else 0.0,
        pictures=pictures,
        moving=round(came["moved"] / pictures, 3) if pictures else 0.0,
        freezes=int(came["freezes"]),
        longest_freeze_ms=round(came["longest"], 1),
        picture_jitter_ms=came["jitter"].get("video"),
        sound_jitter_ms=came["jitter"].get("audio"),
        round_trip_ms=came["roundTrip"],
    )


async def visited(
    room_url: str,
    spoken: Path,
    folder: Path,
    seconds: float,
    *,
    lead_s: float = LEAD_S,
    names: Sequence[str] = NAMES,
    pause_s: float = doors.PAUSE_S,
) -> Visit:
    """Go there, speak what `spoken` holds after `lead_s` of silence, stay so long at most, and tell of it.

    Whatever goes wrong is in the visit's words; only a file that holds no sound raises InvalidValue. Pictures and what
    was heard go into `folder`. Of the browser nothing is left.
    """
    checked(str(spoken), None)
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    stay: Stay | None = None
    with tempfile.TemporaryDirectory(prefix="visit-") as place:
        file = Path(place, "microphone.wav")
        length = await asyncio.to_thread(delayed, spoken, file, lead_s)
        try:
            microphone = f"--use-file-for-fake-audio-capture={file}%noloop"
            async with chromium(microphone, names=names) as browser, browser.page() as page:
                await page.sized(WIDTH, HEIGHT)
                await page.call("Page.addScriptToEvaluateOnNewDocument", source=INJECTED)
                stay = Stay(page, folder, length)
                return await _stayed(stay, room_url, seconds, pause_s)
        except Failed as failed:
            return stay.visit(str(failed)) if stay else Visit(joined=False, says=str(failed))


async def _stayed(stay: Stay, room_url: str, seconds: float, pause_s: float) -> Visit:
    await stay.page.open(room_url)
    entered, done = await doors.entered(stay.page, stay.inside, pause_s=pause_s)
    if not entered:
        await stay.shoot("Not in the room")
        shown = str(await stay.page.evaluate("document.body.innerText")).split()
        did = ", ".join(done) or "there was nothing to press"
        wrong = f" Its console: {stay.page.said[-1][:WORDS]}" if stay.page.said else ""
        return stay.visit(f"What was done: {did}. The page shows: {' '.join(shown)[:WORDS] or 'nothing'}.{wrong}")
    await stay.follow(seconds)
    await stay.leave()
    return stay.visit()


def delayed(spoken: Path, file: Path, lead_s: float) -> float:
    """Write any audio as a WAV (16-bit, 16 kHz, mono) after some silence; its seconds. Raises InvalidValue."""
    with wave.open(str(file), "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(RATE)
        written.writeframes(bytes(2 * round(lead_s * RATE)))
        for piece in decoded(str(spoken), None):
            written.writeframes(piece)
        return written.getnframes() / RATE


def _unpacked(recorded: bytes, file: Path) -> Path:
    """What a browser recorded, as WAV."""
    packed = file.with_suffix(".webm")
    packed.write_bytes(recorded)
    try:
        delayed(packed, file, 0.0)
    except InvalidValue:
        file.unlink(missing_ok=True)
        raise
    finally:
        packed.unlink()
    return file
