"""A step is judged by its promises, and the knee is the last one that kept them all."""

import json
import math
from dataclasses import replace

import pytest

from tests.load.agreeing import Agreement, Bucket
from tests.load.knee import beyond, conclusion, faults, following, knee
from tests.load.listening import Heard
from tests.load.steps import EDGES, Step, Window, histogram, measured, read
from tests.load.terminal import HEAD, line

GOOD = Heard("finish", 200, "Yes.", first=0.4, seconds=1.0, gap=0.03)
AGREED = Agreement("first words", 0.5, 0.4, Bucket(0.3, 0.4), (100, 100))
APART = Agreement("first words", 0.5, 0.9, Bucket(0.3, 0.4), (100, 100))


def step(users: int = 100, *heard: Heard, busy: float = 0.2, late: float = 0.001, model: float = 1.0) -> Step:
    """A step of a hundred good answers and these."""
    window = Window(late=[late] * 100)
    for each in (*[GOOD] * 100, *heard):
        window.note("question", each)
    return replace(measured(users, 20.0, window, busy, model), agreements=[AGREED])


SLOW = replace(GOOD, first=1.2)


@pytest.mark.parametrize(
    ("heard", "reason"),
    [
        ([SLOW] * 10, "first words"),
        ([replace(GOOD, gap=0.6)] * 10, "gap"),
        ([Heard("refused", 503, code="overloaded")], "1 of 101 failed"),
        ([Heard("error", 200, "Ye", first=0.4, code="upstream_timeout")], "1 of 101 failed"),
        ([replace(GOOD, incomplete=True)], "1 of 101 failed"),
        ([Heard("bare", 200, "Ye", first=0.4)], "1 of 101 failed"),
        ([Heard("unreachable")], "1 of 101 failed"),
        ([Heard("hung", 200)], "1 of 101 failed"),
    ],
)
def test_each_promise_can_break(heard: list[Heard], reason: str) -> None:
    """Late first words, a long gap, anything that is no answer: each breaks a step, and says so."""
    judged = step(100, *heard)
    assert judged.verdict == "broken" and reason in judged.says
    assert step().verdict == "kept" and step().says == "kept"


def test_to_hang_up_is_no_fault() -> None:
    """A caller that hangs up has its time to the first words counted, and breaks nothing."""
    gone = Heard("gone", 200, "Ye", first=0.5, seconds=0.9)
    judged = step(100, gone, Heard("gone"))
    assert judged.verdict == "kept"
    assert (judged.answers, judged.requests, judged.endings) == (101, 102, {"finish": 100, "gone": 2})


def test_a_late_generator_blames_nobody() -> None:
    """A slow step under a generator or a model that was late or busy is not judged; what failed is."""
    for limited, who in (
        (step(100, *[SLOW] * 10, late=0.2), "generator"),
        (step(100, *[SLOW] * 10, busy=0.97), "generator"),
        (step(100, *[SLOW] * 10, model=200.0), "model"),
    ):
        assert limited.verdict == "not judged" and f"the {who} is the limit" in limited.says
        assert conclusion([step(50), limited]).startswith("At least 50 people")
    assert step(100, Heard("refused", 503), late=0.2).verdict == "broken"
    assert step(late=0.2).verdict == "kept", "what is kept is kept"


def test_the_knee() -> None:
    """It is the last step before the first that broke a promise; without a broken one it was not found."""
    broken = step(400, *[SLOW] * 10)
    assert knee([step(100), step(200), broken]) == step(200)
    assert conclusion([step(100), step(200), broken]).startswith(
        "It bears 200 people; at 400 a promise breaks: first words"
    )
    assert "no limit" in conclusion([step(100), step(200)])
    assert knee([broken]) is None and knee([]) is None and beyond([step(100), broken]) == broken
    assert "too many" in conclusion([broken]) and "Nothing" in conclusion([])


def searched(bears: int, users: list[int], halvings: int, *heard: Heard) -> list[int]:
    """The people of each step that is taken of a target that bears so many; `heard` is what breaks a step."""
    taken: list[Step] = []
    while (people := following(taken, users, halvings)) is not None:
        taken.append(step(people, *([] if people <= bears else heard or [SLOW] * 10)))
    return [each.users for each in taken]


@pytest.mark.parametrize(
    ("bears", "halvings", "steps"),
    [
        (1700, 3, [100, 400, 1200, 2000, 1600, 1800, 1700]),
        (1999, 3, [100, 400, 1200, 2000, 1600, 1800, 1900]),
        (1700, 1, [100, 400, 1200, 2000, 1600]),
        (1700, 0, [100, 400, 1200, 2000]),
        (9999, 3, [100, 400, 1200, 2000]),
        (30, 3, [100, 50, 25, 37]),
        (0, 3, [100, 50, 25, 12]),
    ],
)
def test_the_knee_is_narrowed(bears: int, halvings: int, steps: list[int]) -> None:
    """After the first step that breaks each one is halfway between what held and what did not, as often as allowed."""
    assert searched(bears, [100, 400, 1200, 2000], halvings) == steps


def test_what_cannot_be_told_apart_is_not_halved() -> None:
    """Steps by a twentieth apart, or by one person, are near enough."""
    assert searched(100, [100, 104], 3) == [100, 104]
    assert searched(1, [1, 2], 3) == [1, 2]
    assert searched(0, [1], 3) == [1]


def test_where_nobody_is_answered_nothing_is_halved() -> None:
    """A key that is refused is refused to few as well."""
    refused = Window()
    refused.note("question", Heard("refused", 401))
    assert following([measured(100, 20.0, refused, 0.1, 0.0)], [100, 400], 3) is None


def test_a_run_fails_by_what_must_not_be() -> None:
    """No step that kept its promises, an improper stream, a disagreement: a knee alone is no failure."""
    broken = step(400, *[SLOW] * 10)
    assert not faults([step(100), broken], alone=True)
    assert faults([broken], alone=True) and faults([], alone=True)
    assert "not what a stream" in faults([step(100), step(200, Heard("bare", 200))], alone=True)[0]
    assert "disagree" in faults([replace(step(100), agreements=[AGREED, APART])], alone=True)[0]
    assert not faults([step(100), replace(broken, agreements=[APART])], alone=True), "overload is read late"


def test_metrics_that_are_missing() -> None:
    """Where nobody else asks, /metrics have to be comparable; at a deployment it is only said that they are not."""
    without = replace(step(100), agreements=[], unmeasured="Others ask it too.")
    assert faults([without], alone=True) == ["At 100 people: Others ask it too."]
    assert not faults([without], alone=False)


def test_nobody_was_answered() -> None:
    """Where all failed it is said so; where nobody asked, the time was too short and nobody is blamed."""
    refused = Window()
    refused.note("question", Heard("refused", 401, code="invalid_api_key"))
    failed = measured(10, 4.0, refused, 0.1, 0.0)
    assert (failed.verdict, failed.says) == ("broken", "broken: nobody was answered: 1 of 1 failed")
    assert "invalid_api_key" in failed.wrong[0]
    nobody = measured(10, 4.0, Window(), 0.1, 0.0)
    assert (nobody.verdict, nobody.says) == ("not judged", "the time is the limit: nobody was answered")
    assert conclusion([nobody]).startswith("Nothing can be said: at 10 the time is the limit")
    assert faults([nobody], alone=True) == ["No step kept its promises."]
    assert read(json.loads(json.dumps({"steps": [nobody.as_json()]}, allow_nan=False)))[0].says == nobody.says


def test_a_step_is_told_in_a_line() -> None:
    """Its figures stand in 80 columns, what was not measured is a hyphen, and what broke has a line of its own."""
    kept = line(step(1200))
    assert len(kept) <= 80 and kept.split() == ["1200", "5.0", "400", "400", "400", "30", "1.00", "0", "1"]
    figures, why = line(measured(10, 4.0, Window(), 0.1, 0.0)).splitlines()
    assert figures.split()[2] == "-" and "nobody was answered" in why
    assert all(len(each) <= 80 for each in HEAD.splitlines())


def test_histogram() -> None:
    """A value counts in the first column whose edge it does not exceed; the last column has the rest."""
    counts = histogram([EDGES[0], EDGES[0] + 0.001, EDGES[-1], EDGES[-1] + 1])
    assert (counts[0], counts[1], counts[-2], counts[-1]) == (1, 1, 1, 1) and sum(counts) == 4


def test_what_is_saved_is_read() -> None:
    """The saved file has all that a step is made of, also a bucket without an end; steps are read by their people."""
    open_ended = Agreement("whole turn", 0.99, 90.0, Bucket(81.92, math.inf), (3, 3))
    every = [replace(step(100, Heard("bare", 200)), agreements=[AGREED, open_ended]), step(150), step(200)]
    taken = [every[0], every[2], every[1]]
    assert read(json.loads(json.dumps({"steps": [each.as_json() for each in taken]}))) == every
