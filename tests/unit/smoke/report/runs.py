"""Runs that a report is made of: good ones, bad ones, and texts that nobody would wish for."""

from base64 import b64decode
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from av import AudioFrame, VideoFrame
from av import open as av_open

from gateway.types.smoke import (
    Finding,
    Moments,
    Screenshot,
    Smoke,
    SmokeLine,
    SmokeMedia,
    SmokeTurn,
    Step,
)

BEGAN = 1_795_526_400.0  # 24 November 2026, 12:00 UTC
HOSTILE = "\"><script>alert('x')</script><img src=x onerror=alert(1)> & \x1b[31m\x00\ud800\u202e </style></svg>"

GREETING = SmokeTurn(
    "",
    answer="Good evening. I keep the light at Skerra. What would you like to know?",
    heard="Good evening. I keep the light at Scarer. What would you like to know?",
    answer_error=1 / 14,
    moments=Moments(first_sound=5.1, first_mouth=5.2, first_token=4.6, first_clause=4.7, last_token=4.9, end=8.4),
)
ASKED = (
    SmokeTurn(
        "When does the last tide bell ring?",
        understood="When does the last tied bell ring?",
        question_error=1 / 7,
        answer="The last tide bell rings ninety minutes before high water, and the causeway closes at once.",
        heard="The last tide bell rings 90 minutes before high water and the causeway closes at once.",
        answer_error=0.0,
        facts=("ninety minutes", "high water"),
        sources=("lighthouse/tides.md#bell", "lighthouse/crossing.md#causeway"),
        moments=Moments(9.2, 11.1, 11.62, 11.66, 11.71, 11.83, 11.95, 12.21, 12.29, None, None, 12.6, 17.0),
    ),
    SmokeTurn(
        "What may I bring into the tea room?",
        understood="What may I bring into the tea room?",
        question_error=0.0,
        answer="Dogs are welcome on a lead, and prams stay in the porch. The scones are baked at seven.",
        heard="Dogs are welcome on a lead and",
        facts=("dogs",),
        sources=("lighthouse/tea-room.md#dogs",),
        interrupted=True,
        silent_ms=212.0,
        upstream="cancelled",
        moments=Moments(19.0, 20.9, 21.4, 21.44, 21.52, 21.74, 21.9, 22.2, 22.3, 24.4, 24.55, None, 24.61),
    ),
    SmokeTurn(
        "Who built the lamp?",
        understood="Who built the lamp?",
        question_error=0.0,
        answer="Augustin Fresnel's workshop built the lamp in 1843, and it has burned ever since.",
        heard="Augustine Fresnel's workshop built the lamp in 1843 and it has burned ever since.",
        answer_error=1 / 14,
        facts=("1843",),
        sources=("lighthouse/lamp-and-lens.md",),
        moments=Moments(24.4, 26.0, 26.48, 26.51, None, 26.8, 26.9, 27.16, 27.2, None, None, 27.5, 32.0),
    ),
)
MEDIA = SmokeMedia(412.0, 538.0, 950.0, 24.9, 812, 0.97, 1, 230.0, 2, 3.4, 1.8, 42.0, 6.1)
STEPS = (
    Step("sandbox", "passed", "A sandbox was started, and answers at http://127.0.0.1:8765.", 0.0, 1.1),
    Step("gateway", "passed", "The gateway is ready, with 16 documents of knowledge.", 1.1, 1.4),
    Step("agent", "passed", "Agent nora stands at Simli as its file says.", 2.5, 0.3),
    Step("session", "passed", "A session was launched, and its room joined in 412 ms.", 2.8, 0.6),
    Step("conversation", "passed", "The first message and 3 questions were answered.", 3.4, 29.0),
    Step("auto", "skipped", "No account at Simli was given.", 32.4, 0.0),
    Step("nothing left", "passed", "No session runs, and no process is left.", 32.4, 0.4),
)


def lines(turns: tuple[SmokeTurn, ...], *, understood: bool, heard: bool) -> tuple[SmokeLine, ...]:
    found = []
    for turn in turns:
        if turn.question:
            found.append(SmokeLine("user", turn.understood if understood else turn.question))
        found.append(SmokeLine("assistant", turn.heard if heard else turn.answer))
    return tuple(line for line in found if line.text)


def run(*turns: SmokeTurn) -> Smoke:
    return Smoke(
        mode="room",
        agent="nora",
        began=BEGAN,
        seconds=33.2,
        gateway="http://127.0.0.1:8000",
        simli="http://127.0.0.1:8765",
        steps=STEPS,
        turns=turns,
        media=MEDIA,
        said={
            "sandbox": lines(turns, understood=True, heard=False),
            "gateway": lines(turns, understood=True, heard=False),
            "recogniser": lines(turns, understood=False, heard=True),
        },
        session="3f2a9c41b7e04d55",
        screenshots=(Screenshot("The room while the avatar speaks", "room.png"),),
        film="film.mp4",
        film_at=3.2,
    )


def passed() -> Smoke:
    return run(GREETING, *ASKED)


def silent() -> Smoke:
    """Connected, and nothing was heard: the voice provider refused."""
    turn = replace(
        ASKED[0],
        heard="",
        answer_error=None,
        missing=ASKED[0].facts,
        moments=Moments(9.2, 11.1, 11.62, 11.66, 11.71, 11.83, 11.95, None, None, None, None, 12.6, None),
    )
    finding = Finding(
        "tts_refused",
        "voice provider",
        "The gateway answered in 170 ms, the face moved no lip, and nothing was heard for 10 s.",
        "Look at the voice provider's key in TTS_API_KEY: Simli presents it, and is refused.",
        0,
    )
    other = Finding("fact_missing", "model", "“ninety minutes” was not heard.", "Listen to the film.", 0)
    steps = (*STEPS[:4], replace(STEPS[4], verdict="failed", says="Nothing was heard of the answer."), *STEPS[5:])
    base = run(turn)
    media = replace(MEDIA, first_sound_ms=None, lip_offset_ms=None)
    return replace(base, findings=(finding, other), steps=steps, media=media, film="silent.mp4")


def interrupted_wrong() -> Smoke:
    turn = replace(ASKED[1], silent_ms=1840.0, upstream="ran on", heard=ASKED[1].answer)
    finding = Finding("not_hushed", "Simli", "The avatar spoke on for 1.84 s.", "Tell Simli, with the session's id.", 1)
    return replace(run(ASKED[0], turn, ASKED[2]), findings=(finding,))


def empty() -> Smoke:
    """It failed before the room."""
    step = Step("sandbox", "failed", "The sandbox at http://127.0.0.1:8765 does not answer.", 0.0, 2.0)
    finding = Finding("simli_unavailable", "Simli", step.says, "Start it with `make sandbox`, or unset SIMLI_URL.")
    return Smoke("compose", "nora", BEGAN, 2.1, "", "http://127.0.0.1:8765", steps=(step,), findings=(finding,))


def very_long() -> Smoke:
    answer = " ".join(f"In the year {1800 + index} the keeper wrote that the fog lay thick." for index in range(250))
    heard = answer.replace("keeper", "keep her").replace("1877", "1817")
    return run(GREETING, replace(ASKED[0], answer=answer, heard=heard, question=answer[:900], understood=answer[:880]))


def right_to_left() -> Smoke:
    turn = SmokeTurn(
        "متى يدق جرس المد الأخير؟",
        understood="متى يدق جرس البلد الأخير؟",
        question_error=0.2,
        answer="يدق الجرس الأخير قبل تسعين دقيقة من المد العالي.",
        heard="يدق الجرس الأخير قبل سبعين دقيقة من المد العالي.",
        answer_error=1 / 9,
        facts=("تسعين",),
        missing=("تسعين",),
        moments=ASKED[0].moments,
    )
    finding = Finding("fact_missing", "voice provider", "«تسعين» was not heard.", "Choose a voice of that language.", 0)
    hebrew = replace(turn, question="מתי מצלצל הפעמון?", understood="מתי מצלצל הפעמון?", missing=())
    return replace(run(turn, hebrew), findings=(finding,), agent="נורה")


def hostile() -> Smoke:
    """Whatever is text says something wicked."""
    step = Step(HOSTILE, "failed", HOSTILE, 0.0, 1.0)
    turn = replace(
        ASKED[1], question=HOSTILE, understood=HOSTILE + "a", answer=HOSTILE, heard=HOSTILE + "b", facts=(HOSTILE,)
    )
    finding = Finding(HOSTILE, "model", HOSTILE, HOSTILE, 0)
    said: dict[str, tuple[SmokeLine, ...]] = {
        HOSTILE: (SmokeLine("user", HOSTILE),),
        "gateway": (SmokeLine("user", HOSTILE + " c"),),
    }
    shot = Screenshot(HOSTILE, "no'\".png")
    return Smoke(
        mode="auto",
        agent=HOSTILE,
        began=BEGAN,
        seconds=1.0,
        gateway=HOSTILE,
        simli=HOSTILE,
        steps=(step,),
        turns=(replace(turn, sources=(HOSTILE,), missing=(HOSTILE,)),),
        said=said,
        findings=(finding,),
        session=HOSTILE,
        film="a\"'<b>.mp4",
        screenshots=(shot,) * 9,
    )


def film(path: Path, seconds: float = 3.0, *, fps: int = 10, size: int = 64, sound: bool = True) -> Path:
    """A small film: a square that wanders, and a tone in the second half of each second."""
    with av_open(str(path), "w", format="mp4") as out:
        video = out.add_stream("libx264", rate=fps, options={"preset": "ultrafast"})
        video.width = video.height = size
        video.pix_fmt = "yuv420p"
        audio = out.add_stream("aac", rate=16000, layout="mono") if sound else None
        for tick in range(round(seconds * fps)):
            canvas = np.full((size, size, 3), 40, np.uint8)
            canvas[:, tick % size] = 220
            frame = VideoFrame.from_ndarray(canvas, format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, fps)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if audio:
            at = np.arange(round(seconds * 16000))
            tone = (np.sin(at * 0.2) * 9000 * (at % 16000 > 8000)).astype(np.int16)
            piece = AudioFrame.from_ndarray(tone.reshape(1, -1), format="s16", layout="mono")
            piece.sample_rate, piece.time_base, piece.pts = 16000, Fraction(1, 16000), 0
            out.mux(audio.encode(piece))
            out.mux(audio.encode(None))
    return path


RUNS = {
    "passed": passed,
    "silent": silent,
    "interrupted wrong": interrupted_wrong,
    "empty": empty,
    "very long": very_long,
    "right to left": right_to_left,
    "hostile": hostile,
}


def bytes_of(src: str) -> bytes:
    """What a `data:` address holds."""
    return b64decode(src.partition(",")[2])
