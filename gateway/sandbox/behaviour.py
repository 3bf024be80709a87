"""How the sandbox behaves where Simli's behaviour is not known, or differs from day to day. Set while it runs."""

from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, fields, replace
from typing import Any, Literal, TypeAlias, get_args, get_type_hints

LlmKey: TypeAlias = Literal["token", "none", "wrong"]
Suffix: TypeAlias = Literal["once", "again"]
CustomLlm: TypeAlias = Literal["used", "ignored"]
Llm: TypeAlias = Literal["called", "never"]
Tts: TypeAlias = Literal["works", "refused"]
SoundRate: TypeAlias = Literal["right", "wrong_rate"]
Greeting: TypeAlias = Literal["none", "asked"]
Media: TypeAlias = Literal["both", "audio", "none"]
Fps: TypeAlias = Literal[25, 30]
Start: TypeAlias = Literal["sent", "withheld"]
Ice: TypeAlias = Literal["open", "blocked"]
FaceResult: TypeAlias = Literal["completed", "failed"]
Refusal: TypeAlias = Literal[400, 401]
Serves: TypeAlias = Literal["both", "legacy", "current"]

KINDS = {bool: "true or false", int: "a whole number, 0 or more", float: "a number, 0 or more"}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Every field may be set by `POST /sandbox/behaviour`; those of a conversation also for one session."""

    llm_key: LlmKey = "token"
    """Whether a conversation sends the LLM its key. `none`: no Authorization at all; `wrong`: another key than it was
    given, also where the address has one."""
    suffix: Suffix = "once"
    """Whether `/chat/completions` is appended again to an address that has it."""
    custom_llm: CustomLlm = "used"
    """`ignored`: `customLLMConfig` alone is as if it were not there, as a developer reports of today's Simli."""
    llm: Llm = "called"
    """`never`: nobody is asked, and nothing is answered."""
    tts: Tts = "works"
    """`refused`: the LLM answers and nothing of it is spoken, as with a wrong key of the voice provider."""
    sound: SoundRate = "right"
    """`wrong_rate`: 48 kHz is played as if it were 16 kHz: slow and deep."""
    greeting: Greeting = "none"
    """`asked`: without a first message the LLM is asked for one, with the system message alone."""
    serves: Serves = "both"
    """Which generation of paths is there; the other's are 404."""
    refuses_key_with: Refusal = 401
    """The status of a wrong key where a token is asked for: 400 or 401, both were seen."""
    sessions: int = 0
    """Sessions at once; more are 429. 0: no limit."""
    single_use: bool = False
    """Whether a token opens one session only."""
    media: Media = "both"
    """What an avatar sends: `audio` has no picture, `none` neither."""
    fps: Fps = 30
    """Pictures a second: 30 of Simli's older faces, 25 of its newer ones."""
    start: Start = "sent"
    """`withheld`: START never comes."""
    ice: Ice = "open"
    """`blocked`: signalling goes well, and no packet gets through."""
    drops_after: float = 0.0
    """Seconds after the connection until a socket, or in a room the connection, is gone without a word; 0: never."""
    face_takes: float = 1.0
    """Seconds until an uploaded face is made, once it is its turn."""
    face_result: FaceResult = "completed"
    video_after: float = 0.0
    """Seconds until the making of a video begins; its address is 404 until it is made."""
    transcript_after: float = 0.0
    """Seconds after a session's end until its transcript is there."""


def changed(behaviour: Behaviour, wanted: Mapping[str, Any]) -> Behaviour:
    """The behaviour with these fields; ValueError names what is wrong with them."""
    hints = get_type_hints(Behaviour)
    known: dict[str, Field[Any]] = {one.name: one for one in fields(Behaviour)}
    for name, value in wanted.items():
        if name not in known:
            raise ValueError(f"{name}: there is no such behaviour; there are {', '.join(known)}")
        allowed = get_args(hints[name])
        if allowed and value not in allowed:
            raise ValueError(f"{name}: one of {', '.join(map(str, allowed))}")
        if not allowed and not _fits(value, hints[name]):
            raise ValueError(f"{name}: {KINDS[hints[name]]}")
    return replace(behaviour, **wanted)


def _fits(value: Any, kind: type) -> bool:
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    whole = isinstance(value, int)
    return (whole or (kind is float and isinstance(value, float))) and 0 <= value < float("inf")


def shown(behaviour: Behaviour) -> dict[str, Any]:
    """As JSON."""
    return asdict(behaviour)


def choices() -> dict[str, list[str | int]]:
    """What each field may be, where that is a list."""
    hints = get_type_hints(Behaviour)
    return {one.name: list(get_args(hints[one.name])) for one in fields(Behaviour) if get_args(hints[one.name])}
