"""The page: whole, complete, closed to what is hostile, and small."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from av import VideoFrame

from gateway.smoke.report import written
from gateway.smoke.report.footage import Footage
from gateway.smoke.report.page import page
from gateway.smoke.report.pictures import BUDGET, Screens, jpeg, screens
from gateway.types.smoke import Moments, Part, Smoke, SmokeLine, SmokeMode, SmokeTurn, Verdict
from tests.unit.smoke.report import runs
from tests.unit.smoke.report.reading import Read

LITERALS: dict[str, tuple[str, ...]] = {
    "mode": get_args(SmokeMode),
    "part": get_args(Part),
    "verdict": get_args(Verdict),
    "role": ("user", "assistant"),
    "upstream": ("cancelled", "ran on"),
}
every_run = pytest.mark.parametrize("make", runs.RUNS.values(), ids=runs.RUNS.keys())


def rendered(smoke: Smoke) -> str:
    return page(smoke, Footage(says="Nobody filmed."), Screens())


@cache
def read(make: Callable[[], Smoke]) -> Read:
    """A run's page, made once."""
    return Read(rendered(make()))


@every_run
def test_a_page_is_whole(make: Callable[[], Smoke]) -> None:
    """Every element that is opened is closed, in order; every id is there once and every jump has its end."""
    found = read(make)
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in found.values("href") if href.startswith("#")} <= set(ids)
    assert set(found.values("aria-labelledby")) <= set(ids)


@every_run
def test_a_page_asks_for_nothing(make: Callable[[], Smoke]) -> None:
    """No address on it leads elsewhere, its policy forbids what is not named, and names its only style by its hash."""
    found = read(make)
    assert not [tag for tag, _ in found.elements if tag in {"script", "link", "iframe", "object", "form", "base"}]
    assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on")]
    assert not found.values("style")
    for address in [*found.values("src"), *found.values("href"), *found.values("poster")]:
        assert address.startswith(("data:image/", "#")) or ":" not in address
    policy = next(each["content"] for tag, each in found.elements if "http-equiv" in each)
    digest = b64encode(sha256(found.style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:;")
    assert "url(" not in found.style


@every_run
def test_what_was_not_seen_is_not_nothing(make: Callable[[], Smoke]) -> None:
    """No `None` and no `nan` is to be read, whatever was not seen."""
    text = read(make).text
    assert "None" not in text
    assert "nan" not in text.split()


def test_hostile_text_is_text() -> None:
    """What wants to be markup is shown as it was said, and what would steer a terminal is no character of it."""
    source = rendered(runs.hostile())
    found = Read(source)
    assert "<script>alert('x')</script>" in found.text
    assert "onerror=alert(1)" in found.text
    assert not [each for each in source if each < " " and each != "\n"]


def changed(name: str, value: Any) -> Any:
    """Another value of the same kind."""
    if name in LITERALS:
        return next(each for each in LITERALS[name] if each != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return "Zwiebelfisch"
    if isinstance(value, int | float):
        return value + 3
    return 3.3 if value is None else ("Zwiebelfisch",)


def variants(whole: Any) -> Iterator[tuple[str, Any]]:
    """The name of each field in it, at any depth, and the whole with another value there."""
    for field in fields(whole):
        value = getattr(whole, field.name)
        if is_dataclass(value):
            for name, inner in variants(value):
                yield f"{field.name}.{name}", replace(whole, **{field.name: inner})
        elif isinstance(value, tuple) and value and is_dataclass(value[0]):
            for name, inner in variants(value[-1]):
                yield f"{field.name}.{name}", replace(whole, **{field.name: (*value[:-1], inner)})
        elif not isinstance(value, dict):
            yield field.name, replace(whole, **{field.name: changed(field.name, value)})


def full() -> Smoke:
    """A run in which something is at every place; its last turn was broken off."""
    smoke = runs.silent()
    moments = Moments(*(10.0 + index / 3 for index in range(len(fields(Moments)))))
    return replace(smoke, turns=(runs.ASKED[0], replace(runs.ASKED[1], moments=moments, missing=("dogs",))))


BEFORE = full()


@pytest.mark.parametrize("other", [pytest.param(other, id=name) for name, other in variants(BEFORE)])
def test_every_field_is_shown(other: Smoke, tmp_path: Path) -> None:
    """Whatever is different in a run is different on its page: there is no field that the page leaves out."""
    texts = [Read(page(each, Footage(), screens(each.screenshots, tmp_path))).text for each in (BEFORE, other)]
    assert texts[0] != texts[1]


def test_every_transcript_is_shown() -> None:
    """The line that only one of the three wrote down is on the page, as not there with the others."""
    said = {"sandbox": (), "gateway": (SmokeLine("user", "Zwiebelfisch"),), "recogniser": ()}
    text = Read(rendered(replace(runs.passed(), said=dict(said)))).text
    assert "Zwiebelfisch" in text
    assert text.count("not there") == 2


def test_findings_stand_before_everything() -> None:
    """Who looks for the cause reads it first, its remedy with it, and reaches its turn by a jump."""
    source = rendered(runs.silent())
    text = Read(source).text
    assert text.index("Look at the voice provider's key") < text.index("A sandbox was started") < text.index("glance")
    assert 'href="#turn-1"' in source
    assert text.index("At fault: voice provider.") < text.index("tts_refused")


def test_a_minute_of_film_makes_a_small_page(tmp_path: Path) -> None:
    """With pictures of the film and screenshots that do not compress, the page stays below 1.5 MB."""
    runs.film(tmp_path / "film.mp4", 60.0, fps=2, size=128)
    noise = np.random.default_rng(1).integers(0, 255, (500, 900, 3), np.uint8)
    picture = jpeg(VideoFrame.from_ndarray(noise, format="rgb24"), 900, "")
    (tmp_path / "room.png").write_bytes(runs.bytes_of(picture.src))
    smoke = replace(runs.passed(), screenshots=runs.passed().screenshots * 12, film_at=0.0)
    path = written(smoke, tmp_path)
    assert BUDGET * 0.8 < path.stat().st_size < 1_500_000
    found = Read(path.read_text("utf-8"))
    sources = [value for value in found.values("src") if value.startswith("data:")]
    assert len(sources) > 12 + 8  # the strip, the mouth, and at least one screenshot
    assert "Beside this page as well" in found.text


def test_the_turns_of_a_passed_run_are_in_its_sentence() -> None:
    """Who reads nothing but the heading knows what was done, how long it took, and how it was broken off."""
    text = Read(rendered(runs.passed())).text
    assert "2 questions were answered aloud, an answer began 1.2 s after its question" in " ".join(text.split())
    assert "fell silent 212 ms after it was spoken over" in text


def test_a_first_message_has_no_wait() -> None:
    """Nobody waits for what was not asked: it has no waterfall and no row among the others."""
    found = Read(rendered(replace(runs.passed(), turns=(SmokeTurn("", heard="Good evening."),))))
    assert "What the person waited for" not in found.text
    assert "The first message" in found.text
