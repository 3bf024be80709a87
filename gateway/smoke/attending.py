"""What a person does in a room of Daily's, by Daily's client, which is an argument: joins, speaks, listens, leaves."""

import threading
import time
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

RATE = 16000
"""Samples a second, one channel, signed 16-bit: what is spoken and what is heard."""
PIECE = RATE // 10
"""Samples that are written or read at once; either takes as long as they last."""
LOUD = 100.0
"""RMS from which something is heard (-50 dBFS)."""
NAME = "Visitor"
MICROPHONE, SPEAKER = "person", "ears"
SETTINGS = {
    "inputs": {"camera": False, "microphone": {"isEnabled": True, "settings": {"deviceId": MICROPHONE}}},
}
SUBSCRIBED = {"base": {"camera": "unsubscribed", "microphone": "subscribed"}}


class Sdk(Protocol):
    """The module `daily`, of daily-python 0.36."""

    Daily: Any
    CallClient: Any


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that things may take."""

    join: float = 20.0
    others: float = 20.0
    """Until somebody else is in the room."""
    leave: float = 5.0


@dataclass(frozen=True, slots=True)
class Person:
    """Daily's client, and its two devices."""

    client: Any
    mouth: Any
    ears: Any


@dataclass
class Attended:
    """What came of it."""

    joined: bool = False
    error: str = ""
    """Daily's own words, where it did not let one in."""
    others: str = ""
    """The names of who else was there."""
    loud_s: float = 0.0
    """Seconds in which something was heard."""


def attended(
    sdk: Sdk,
    room_url: str,
    microphone: Path,
    heard: Path,
    seconds: float,
    *,
    limits: Limits = Limits(),
) -> Attended:
    """Stay in the room for so long, or until nobody else is there any more. It blocks.

    `microphone` is a WAV of the format above, `heard` becomes one.
    """
    sdk.Daily.init()
    try:
        mouth = sdk.Daily.create_microphone_device(MICROPHONE, sample_rate=RATE, channels=1)
        ears = sdk.Daily.create_speaker_device(SPEAKER, sample_rate=RATE, channels=1)
        sdk.Daily.select_speaker_device(SPEAKER)
        client = sdk.CallClient()
        try:
            came = Attended()
            client.set_user_name(NAME)
            client.update_subscription_profiles(SUBSCRIBED)
            came.error = _joined(client, room_url, limits.join)
            came.joined = not came.error
            if came.joined and _others(client, came, limits.others):
                _talk(Person(client, mouth, ears), microphone, heard, seconds, came)
            return came
        finally:
            left = threading.Event()
            client.leave(completion=lambda *_: left.set())
            left.wait(limits.leave)
            client.release()
    finally:
        sdk.Daily.deinit()


def _joined(client: Any, room_url: str, within: float) -> str:
    """Empty, or why not."""
    answered = threading.Event()
    errors: list[str] = []

    def completed(_: Any, error: Any) -> None:
        errors.append(str(error) if error else "")
        answered.set()

    client.join(room_url, client_settings=SETTINGS, completion=completed)
    if not answered.wait(within):
        return f"Daily did not answer within {within:g} s"
    return errors[0]


def _others(client: Any, came: Attended, within: float) -> bool:
    """Whether somebody else is in the room, or comes in time."""
    until = time.monotonic() + within
    while not (names := _names(client)) and time.monotonic() < until:
        time.sleep(min(0.2, within))
    came.others = ", ".join(names)
    return bool(names)


def _names(client: Any) -> list[str]:
    there = client.participants()
    return [one.get("info", {}).get("userName") or "somebody" for id_, one in there.items() if id_ != "local"]


def _talk(person: Person, microphone: Path, file: Path, seconds: float, came: Attended) -> None:
    """Speak what the one file holds, and write what is heard into the other."""
    over = threading.Event()
    speaking = threading.Thread(target=_speak, args=(person.mouth, microphone, over), name="mouth", daemon=True)
    speaking.start()
    try:
        with wave.open(str(file), "wb") as heard:
            heard.setnchannels(1)
            heard.setsampwidth(2)
            heard.setframerate(RATE)
            until = time.monotonic() + seconds
            while time.monotonic() < until and _names(person.client):
                samples = person.ears.read_frames(PIECE)
                if not samples:
                    time.sleep(PIECE / RATE / 10)
                    continue
                heard.writeframes(samples)
                came.loud_s += _loud(samples) * len(samples) / 2 / RATE
    finally:
        over.set()
        speaking.join(1.0)


def _speak(mouth: Any, file: Path, over: threading.Event) -> None:
    with wave.open(str(file), "rb") as spoken:
        while not over.is_set() and (samples := spoken.readframes(PIECE)):
            mouth.write_frames(samples)


def _loud(samples: bytes) -> bool:
    numbers = np.frombuffer(samples, "<i2").astype(np.float32)
    return bool(np.sqrt(np.mean(np.square(numbers))) >= LOUD)
