"""The figures of a run that are not a turn's: the tiles at the top, and the table of what came of the face."""

from typing import NamedTuple

from gateway.smoke.report.figures import NOT_SEEN, brief, counted, ms, percent
from gateway.smoke.report.waits import median_wait_ms, misheard
from gateway.types.smoke import Smoke, SmokeMedia


class Figure(NamedTuple):
    """A number, and what it is of."""

    label: str
    value: str
    says: str


def tiles(smoke: Smoke) -> tuple[Figure, ...]:
    """What a person asks first."""
    media = smoke.media
    found = [
        Figure("waited", brief(median_wait_ms(smoke.turns)), "from a question's end to the first sound; the median")
    ]
    if smoke.mode != "compose":
        heard = percent(misheard(smoke.turns, "question_error"))
        found.append(Figure("questions misheard", heard, "of the words, by the avatar"))
    heard = percent(misheard(smoke.turns, "answer_error"))
    found.append(Figure("answers misheard", heard, "of the words, by the recogniser"))
    if broken := [turn for turn in smoke.turns if turn.interrupted]:
        seen = [turn.silent_ms for turn in broken if turn.silent_ms is not None]
        longest = brief(max(seen) if len(seen) == len(broken) else None)
        found.append(Figure("spoken over", longest, "until the avatar was silent; the longest"))
    moving = f"{counted(media.freezes, 'freeze')}, {percent(media.moving)} moving"
    found.append(Figure("pictures", f"{media.fps:.1f} fps", moving))
    found.append(Figure("lips", *_lips(media.lip_offset_ms)))
    return tuple(found)


def figures(media: SmokeMedia) -> tuple[Figure, ...]:
    """All of the face's, in the order in which they happen."""
    return (
        Figure("connected", ms(media.connected_ms), "from the first request to the open line"),
        Figure("first picture", ms(media.first_picture_ms), "from the first request"),
        Figure("first sound", ms(media.first_sound_ms), "from the first request, the first that is audible"),
        Figure("pictures", f"{media.pictures}", "that came in the whole run"),
        Figure("frame rate", f"{media.fps:.1f} fps", "over the whole run"),
        Figure("moving", percent(media.moving), "of the pictures differ from the one before"),
        Figure("freezes", f"{media.freezes}", "times that a picture stood for too long"),
        Figure("longest freeze", ms(media.longest_freeze_ms), "the longest time without a new picture"),
        Figure("sound gaps", f"{media.audio_gaps}", "times that no sound came for too long"),
        Figure("picture jitter", ms(media.picture_jitter_ms), "how unevenly the pictures came"),
        Figure("sound jitter", ms(media.sound_jitter_ms), "how unevenly the sound came"),
        Figure("lips", *_lips(media.lip_offset_ms)),
        Figure("round trip", ms(media.round_trip_ms), "to the face and back"),
    )


def _lips(offset_ms: float | None) -> tuple[str, str]:
    if offset_ms is None:
        return NOT_SEEN, "the mouth against the sound"
    if round(offset_ms) == 0:
        return ms(0.0), "the mouth moves with the sound"
    return ms(abs(offset_ms)), f"the mouth moves {'after' if offset_ms > 0 else 'before'} the sound"
