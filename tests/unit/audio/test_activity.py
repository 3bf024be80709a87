"""Voice activity: when a turn begins, pauses, goes on, ends; and what is no voice."""

import time

import numpy as np
import pytest

from gateway.audio.activity import Activity, Began, Event, Paused, Resumed, Spoke
from gateway.audio.detector import FRAME, Detector, Loudness, Silero, detector, model
from gateway.audio.spoken import AUDIBLE, RATE
from tests.unit.audio.sounds import UNSPOKEN, noisy, pcm, silence, spoken

TEXT = "The last boat goes back at half past seven."
CLAUSES = ("When the flag is up,", "the boats stay in the harbour.")
STEP = 640
"""Bytes of 20 ms: as sound comes over WebRTC."""
MILLISECONDS = RATE // 1000


def silero() -> Detector:
    """The model, which the extra brings."""
    found = model()
    assert found is not None
    return Silero(found)


DETECTORS = pytest.mark.parametrize("hears", [silero, Loudness])


def heard(activity: Activity, sound: bytes, step: int = STEP) -> list[tuple[int, Event]]:
    """The events, each with how many samples had come by then."""
    return [
        ((at + step) // 2, event) for at in range(0, len(sound), step) for event in activity.hear(sound[at : at + step])
    ]


def audible(sound: bytes) -> tuple[int, int]:
    """The first and the last sample that can be heard."""
    loud = np.flatnonzero(np.abs(np.frombuffer(sound, "<i2").astype(int)) >= AUDIBLE)
    return int(loud[0]), int(loud[-1])


def kinds(events: list[tuple[int, Event]]) -> list[type]:
    """What happened."""
    return [type(event) for _, event in events]


@DETECTORS
def test_a_sentence_is_a_turn(hears: type[Detector]) -> None:
    """Known to have begun within 0.3 s, to pause 0.3 s after its last sound, to be over 0.75 s after, and where."""
    sound = silence(1) + spoken(TEXT) + silence(1)
    first, last = audible(sound)
    (began_at, began), *_, (paused_at, paused), (spoke_at, spoke) = heard(Activity(hears=hears()), sound)
    assert isinstance(began, Began) and isinstance(paused, Paused) and isinstance(spoke, Spoke)
    assert began_at - first < 300 * MILLISECONDS
    assert 100 * MILLISECONDS < paused_at - last < 300 * MILLISECONDS
    assert 500 * MILLISECONDS < spoke_at - last < 750 * MILLISECONDS
    assert began.at == spoke.began and abs(began.at - first) < 100 * MILLISECONDS
    assert paused.at == spoke.ended and abs(spoke.ended - last) < 100 * MILLISECONDS


@DETECTORS
def test_all_of_a_turn_is_kept(hears: type[Detector]) -> None:
    """From before its first consonant to behind its last one, sample for sample; a pause has it before it is over."""
    sound = silence(1) + spoken(TEXT) + silence(1)
    first, last = audible(sound)
    events = [event for _, event in heard(Activity(hears=hears()), sound)]
    paused, spoke = events[-2:]
    assert isinstance(paused, Paused) and isinstance(spoke, Spoke) and paused.pcm == spoke.pcm
    at = sound.index(spoke.pcm)
    assert first - at // 2 > 150 * MILLISECONDS
    assert (at + len(spoke.pcm)) // 2 - last > 100 * MILLISECONDS


@DETECTORS
def test_sound_comes_in_any_size(hears: type[Detector]) -> None:
    """In one piece, a frame at a time, or in odd numbers of bytes: the same events."""
    sound = silence(0.5) + spoken(TEXT) + silence(1)
    whole = Activity(hears=hears()).hear(sound)
    for step in (2 * FRAME, 999, 9600):
        assert [event for _, event in heard(Activity(hears=hears()), sound, step)] == whole


@pytest.mark.parametrize("gap", [0.1, 0.2, 0.35])
def test_a_comma_does_not_end_a_turn(gap: float) -> None:
    """Who pauses for breath is not interrupted: what was said before it comes again, with what comes after."""
    one, two = (spoken(clause) for clause in CLAUSES)
    sound = silence(0.5) + one[: 2 * audible(one)[1]] + silence(gap) + two[2 * audible(two)[0] :] + silence(1)
    events = [event for _, event in heard(Activity(hears=silero()), sound)]
    spoke = events[-1]
    assert isinstance(spoke, Spoke) and sum(isinstance(event, Spoke) for event in events) == 1
    assert len(spoke.pcm) > len(sound) - 2 * RATE * 1.4
    if gap > 0.3:
        assert [type(event) for event in events] == [Began, Paused, Resumed, Paused, Spoke]
        before, after = (event for event in events if isinstance(event, Paused))
        assert after.pcm.startswith(before.pcm) and after.pcm == spoke.pcm


def test_two_sentences_with_silence_between_are_two_turns() -> None:
    """Each with its own words, though they come in one piece of sound."""
    one, two = (spoken(clause) for clause in CLAUSES)
    events = Activity(hears=silero()).hear(silence(1) + one + silence(1) + two + silence(1))
    first, second = (event for event in events if isinstance(event, Spoke))
    assert first.ended < second.began
    assert abs(len(first.pcm) - len(one)) < RATE and abs(len(second.pcm) - len(two)) < RATE


def test_how_long_a_turn_waits_for_more_is_asked() -> None:
    """A patient one waits longer, an impatient one less."""
    sound = silence(0.5) + spoken(TEXT) + silence(2)
    ends = [heard(Activity(hears=silero(), end_s=end_s), sound)[-1][0] for end_s in (0.3, 0.6, 1.2)]
    assert abs(ends[1] - ends[0] - 300 * MILLISECONDS) <= 2 * FRAME
    assert abs(ends[2] - ends[1] - 600 * MILLISECONDS) <= 2 * FRAME


def test_who_does_not_stop_is_cut() -> None:
    """After the longest turn comes the next, and nothing is lost between them."""
    speech = spoken(f"{TEXT} The first one comes in the morning.")
    speech = speech[2 * audible(speech)[0] : 2 * audible(speech)[1]]
    sound = silence(0.5) + speech * 4 + silence(1)
    turns = [one for _, one in heard(Activity(hears=silero(), longest_s=3.0), sound) if isinstance(one, Spoke)]
    assert len(turns) > 3 and all(len(turn.pcm) / 2 / RATE <= 3.0 for turn in turns)
    kept = sum(turn.ended - turn.began for turn in turns)
    assert kept > 0.9 * len(speech) * 2


@pytest.mark.parametrize("name", UNSPOKEN)
def test_what_is_no_voice_interrupts_nobody(name: str) -> None:
    """No click, no breath, no music begins a turn."""
    activity = Activity(hears=silero())
    assert activity.hear(pcm(UNSPOKEN[name]()) + silence(1)) == []
    assert not activity.speaking


@pytest.mark.parametrize("name", [name for name in UNSPOKEN if name != "chords"])
def test_without_the_model_music_alone_is_taken_for_a_voice(name: str) -> None:
    """Everything else begins no turn."""
    assert Activity(hears=Loudness()).hear(pcm(UNSPOKEN[name]()) + silence(1)) == []


@pytest.mark.parametrize("snr_db", [20, 10])
def test_a_voice_is_found_in_noise(snr_db: float) -> None:
    """The same turn as without it, begun within a tenth of a second, ended within a third."""
    sound = silence(1) + spoken(TEXT) + silence(1)
    first, last = audible(sound)
    spoke = Activity(hears=silero()).hear(noisy(sound, snr_db))[-1]
    assert isinstance(spoke, Spoke)
    assert abs(spoke.began - first) < 100 * MILLISECONDS and abs(spoke.ended - last) < 300 * MILLISECONDS


def test_a_click_in_a_pause_does_not_go_on_with_the_turn() -> None:
    """Nor does it put off its end."""
    click = np.zeros(RATE // 2)
    click[4000:4016] = 0.8
    sound = silence(0.5) + spoken(TEXT)
    still, clicked = (
        heard(Activity(hears=silero()), sound + silence(0.2) + rest + silence(0.5))
        for rest in (silence(0.5), pcm(click))
    )
    assert kinds(clicked) == kinds(still) == [Began, Paused, Spoke]
    assert clicked[-1][0] == still[-1][0]


def test_it_is_speaking_between_the_beginning_and_the_end() -> None:
    """As long as a turn is not over, also in its pauses."""
    activity = Activity(hears=silero())
    told: list[tuple[int, bool]] = []
    sound = silence(0.5) + spoken(TEXT) + silence(1)
    for at in range(0, len(sound), STEP):
        activity.hear(sound[at : at + STEP])
        told.append(((at + STEP) // 2, activity.speaking))
    first, last = audible(sound)
    while_speaking = [at for at, speaking in told if speaking]
    assert while_speaking == [at for at, _ in told if while_speaking[0] <= at <= while_speaking[-1]]
    assert first < while_speaking[0] < first + 300 * MILLISECONDS and while_speaking[-1] > last + 400 * MILLISECONDS


def test_two_who_speak_do_not_disturb_each_other() -> None:
    """They share the model and nothing else: fed in turns, each hears what it hears alone."""
    sounds = [silence(0.5) + spoken(text) + silence(1) for text in (TEXT, CLAUSES[1])]
    alone = [Activity(hears=silero()).hear(sound) for sound in sounds]
    pair = [Activity(hears=silero()) for _ in sounds]
    together: list[list[Event]] = [[], []]
    for at in range(0, max(map(len, sounds)), STEP):
        for events, activity, sound in zip(together, pair, sounds, strict=True):
            events.extend(activity.hear(sound[at : at + STEP]))
    assert together == alone


def test_the_loop_can_feed_it() -> None:
    """A frame of 32 ms costs well under a millisecond, with the model and without."""
    sound = silence(1) + spoken(TEXT) + silence(1)
    for hears in (silero, Loudness):
        activity = Activity(hears=hears())
        activity.hear(sound)
        began = time.process_time()
        activity.hear(sound)
        assert (time.process_time() - began) / (len(sound) / 2 / FRAME) < 0.001


def test_the_model_is_taken_where_it_is() -> None:
    """And loudness where its package is not installed, or has no such file."""
    assert isinstance(detector(), Silero)
    assert model("no_such_package") is None and model("json") is None
    assert isinstance(detector("no_such_package"), Loudness)
