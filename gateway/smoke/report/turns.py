"""A turn as the report shows it: both sides' words, its moments, its waterfall, what came of an interruption."""

from collections.abc import Iterator
from textwrap import shorten
from typing import NamedTuple

from gateway.smoke.report.figures import clock, ms
from gateway.smoke.report.verdict import Judged, of_turn
from gateway.smoke.report.waits import since, waited_ms
from gateway.smoke.report.waterfall import Bar, bars, scale_ms
from gateway.smoke.report.words import Compared, compared, plain
from gateway.types.smoke import Moments, Smoke, SmokeTurn

MOMENTS = {
    "asked": "the person begins (or the text is sent)",
    "asked_end": "the person falls silent",
    "recognised": "recognised",
    "requested": "the LLM is asked",
    "retrieved": "the knowledge is found",
    "first_token": "first token",
    "first_clause": "first clause",
    "first_sound": "first sound",
    "first_mouth": "the mouth moves",
    "interrupted": "somebody speaks over it",
    "hushed": "told to be silent",
    "last_token": "last token",
    "end": "its last sound",
}
TITLE = 140
"""Characters of a question that stand above its turn; all of it stands below."""
UPSTREAM = {
    "": "not known",
    "cancelled": "the stream from the model was cancelled",
    "had ended": "the model had finished by then",
    "ran on": "the stream from the model ran on, unheard",
}


class MomentShown(NamedTuple):
    """When something happened."""

    label: str
    at: str
    """Since the run began."""
    after: str
    """Since the person fell silent."""


class TurnShown(NamedTuple):
    """Everything of one turn."""

    number: int
    """From 1, for people."""
    title: str
    turn: SmokeTurn
    judged: Judged
    question: Compared
    answer: Compared
    waited: str
    bars: tuple[Bar, ...]
    moments: tuple[MomentShown, ...]
    hushed_ms: float | None
    """From the first sound of who spoke over it to the end of what the avatar had still to say."""
    upstream: str


def turns(smoke: Smoke) -> tuple[TurnShown, ...]:
    """All of them, their waterfalls on one scale."""
    whole = scale_ms(turn for turn in smoke.turns if turn.question)
    return tuple(_shown(turn, number, smoke, whole) for number, turn in enumerate(smoke.turns))


def _shown(turn: SmokeTurn, number: int, smoke: Smoke, whole_ms: float) -> TurnShown:
    return TurnShown(
        number + 1,
        shorten(turn.question, TITLE, placeholder=" …") if turn.question else "The first message",
        turn,
        of_turn(turn, number, smoke.findings),
        _beside(turn.question, turn.understood),
        _beside(turn.answer, turn.heard, broken_off=turn.interrupted),
        ms(waited_ms(turn.moments)),
        bars(turn, whole_ms) if turn.question else (),
        tuple(_moments(turn.moments)),
        _hushed_ms(turn.moments),
        UPSTREAM[turn.upstream],
    )


def _hushed_ms(moments: Moments) -> float | None:
    if moments.hushed is None or moments.interrupted is None:
        return None
    return (moments.hushed - moments.interrupted) * 1000


def _beside(said: str, heard: str, *, broken_off: bool = False) -> Compared:
    """Marked only where there is something on both sides."""
    if said and heard:
        return compared(said, heard, broken_off=broken_off)
    return Compared(plain(said), plain(heard))


def _moments(moments: Moments) -> Iterator[MomentShown]:
    zero = since(moments)
    for name, label in MOMENTS.items():
        at: float | None = getattr(moments, name)
        seen = "not seen" if at is None else clock(at)
        yield MomentShown(label, seen, "" if at is None or zero is None else ms((at - zero) * 1000))
