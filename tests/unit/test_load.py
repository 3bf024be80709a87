"""A caller under load notices how its stream ended, so that a count of good ends means something."""

import math
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from gateway.cli.serve import HANDED
from tests.bench.failover import SPOKEN, Row, Way, unclean
from tests.load.listening import Heard, counted, listened
from tests.load.measure import Sample, Slope, Watch, sampled, slope, sparkline, table
from tests.load.programs import gateways
from tests.load.soak import Run, verdict
from tests.upstream import Answer, Cut, Done, End, Event, Finish, Hang, Pause, Script, Upstream, error
from tests.upstream.script import Reply

ASK: Mapping[str, object] = {"model": "m", "stream": True, "messages": []}
SPEAKING = Script(["Hel", Pause(0.02), "lo"])
SPOKE_APOLOGY = Script(["Sorry.", Event({"choices": [], "x_gateway": {"incomplete": True}})])


@pytest.mark.parametrize(
    ("script", "ending", "status"),
    [
        (SPEAKING, "finish", 200),
        (Script(["Hel", Event(error("Broken.", "upstream_truncated")), Done()]), "error", 200),
        (Answer(503, error("Later.", "overloaded")), "refused", 503),
        (Answer(502, b"<html>"), "bare", 502),
        (Answer(502, {"detail": "no envelope"}), "bare", 502),
        (Script(["Hel", Cut()]), "bare", 200),
        (Script(["Hel", End()]), "bare", 200),
        (Script(["Hel", Finish(), End()]), "bare", 200),
        (Script(["Hel", Done()]), "bare", 200),
        (Script(["Hel", Finish(), Finish(), Done()]), "bare", 200),
        (Script(["Hel", Finish(), Done(), Done()]), "bare", 200),
        (Script([b"data: {oops\n\n"]), "bare", 200),
        (Script(["Hel", Hang()]), "hung", 200),
        (Script([], before=[Cut()]), "unreachable", 0),
    ],
)
async def test_endings(upstream: Upstream, script: Reply, ending: str, status: int) -> None:
    """Only a finish or an error, and then one [DONE], is a proper end of a stream; a status needs its envelope."""
    upstream.script = script
    heard = await listened(f"{upstream.url}/chat/completions", ASK, patience=0.3)
    assert (heard.ending, heard.status) == (ending, status)
    assert counted([heard, heard]) == f"{ending} 2"


async def test_what_is_heard(upstream: Upstream) -> None:
    """The text, the time of its first word, the finish reason, and whether it was the apology."""
    upstream.script = SPEAKING
    heard = await listened(f"{upstream.url}/chat/completions", ASK)
    assert (heard.text, heard.finish, heard.incomplete) == ("Hello", "stop", False)
    assert 0 < heard.first < heard.seconds
    upstream.script = SPOKE_APOLOGY
    assert (await listened(f"{upstream.url}/chat/completions", ASK)).incomplete


async def test_who_leaves_is_gone(upstream: Upstream) -> None:
    """A caller that hangs up is no fault of the gateway; one that nobody lets in is."""
    upstream.script = Script(["Hel", Hang()])
    heard = await listened(f"{upstream.url}/chat/completions", ASK, leave_after=0.1)
    assert (heard.ending, heard.text) == ("gone", "Hel")
    await upstream.stop()
    assert (await listened(f"{upstream.url}/chat/completions", ASK)).ending == "unreachable"


GOOD = Heard("finish", 200, SPOKEN, finish="stop", headers={"x-gateway-target": "pair/second"})


@pytest.mark.parametrize(
    "heard",
    [
        Heard("bare", 200, SPOKEN, finish="stop", headers=GOOD.headers),
        Heard("finish", 200, SPOKEN * 2, finish="stop", headers=GOOD.headers),
        Heard("finish", 200, SPOKEN, finish="length", headers=GOOD.headers),
        Heard("finish", 200, SPOKEN, finish="stop", incomplete=True, headers=GOOD.headers),
        Heard("finish", 200, SPOKEN, finish="stop", headers={"x-gateway-target": "pair/first"}),
        Heard("refused", 502, code="upstream_unavailable"),
    ],
)
def test_a_clean_answer(heard: Heard) -> None:
    """Fail-over counts as clean only where the second target's whole answer came, once and by itself."""
    assert unclean(heard)
    assert not unclean(GOOD)


def test_a_broken_promise_is_told() -> None:
    """A row is broken by one unclean answer, by a late one, and by a failing target that nobody asked."""
    way = Way("refuses the connection", None)
    assert Row(way, [0.001] * 100).kept
    assert not Row(way, [0.001] * 98 + [0.06] * 2).kept
    assert not Row(way, [0.001] * 100, ["502"]).kept
    assert not Row(way).kept
    assert all(len(line) <= 80 for line in str(Row(way, [0.001], ["x" * 200])).splitlines())


def test_slopes() -> None:
    """A line's slope a minute is found, with an error that grows with the noise; two points have none."""
    assert slope([(at, 100 + at / 60) for at in range(0, 600, 5)]) == pytest.approx(Slope(1.0, 0.0), abs=1e-6)
    noisy = slope([(at, 100 + (5 if at % 10 else -5)) for at in range(0, 600, 5)])
    assert abs(noisy.value) < 0.5 and 0.1 < noisy.error < 0.5
    assert math.isnan(slope([(0, 1), (60, 2)]).error)


def test_over_means_surely() -> None:
    """A limit is broken by what is more than two standard errors above it."""
    assert Slope(1.5, 0.1).over(1.0) and Slope(1.5, float("nan")).over(1.0)
    assert not Slope(1.5, 0.3).over(1.0) and not Slope(0.9, 0.0).over(1.0)


def test_a_process_is_sampled() -> None:
    """What a process holds: memory, descriptors, threads."""
    read, write = os.pipe()
    before = sampled(os.getpid(), 1.0)
    os.close(read)
    os.close(write)
    after = sampled(os.getpid(), 2.0)
    assert before.megabytes > 5 and before.threads >= 1
    assert after.descriptors == before.descriptors - 2


def soaked(megabytes: float = 0.0, after: int = 60, *heard: Heard, seconds: int = 600, lost: float = 0.0) -> list[bool]:
    """What is said of a run that grows by so much a minute, loses so many descriptors, and has so many afterwards."""
    run = Run()
    for each in (Heard("finish"), *heard):
        run.note(each)
    samples = [
        Sample(at, 100 + megabytes * at / 60, 50 + at // 5 % 3 + round(lost * at / 60), 9)
        for at in range(0, seconds, 5)
    ]
    return [kept for _, kept in verdict(run, {"gateway": Watch(60, samples, before=40, after=after)})]


def test_a_soak_is_judged() -> None:
    """Growth of memory or descriptors, a bare end, an endless wait, a gateway that is not there: each is broken."""
    assert soaked() == [True] * 4
    assert soaked(1.5) == [False, True, True, True]
    assert soaked(1.5, seconds=240, lost=3) == [True] * 4, "caches fill in a short run"
    assert soaked(lost=3) == [True, False, True, True]
    assert soaked(0, 200) == [True, True, False, True]
    for ending in ("bare", "hung", "unreachable"):
        assert soaked(0, 60, Heard(ending)) == [True, True, True, False]
    assert soaked(0, 60, Heard("error"), Heard("gone"), Heard("refused")) == [True] * 4


def test_every_worker_is_judged() -> None:
    """One process that grows breaks the promise under its own name, and the others keep theirs."""
    watches = {
        name: Watch(60, [Sample(at, 100 + grown * at / 60, 50, 9) for at in range(0, 600, 5)])
        for name, grown in (("supervisor", 0.0), ("worker 1", 1.5))
    }
    broken = [words for words, kept in verdict(Run(), watches) if not kept]
    assert len(broken) == 1 and broken[0].startswith("worker 1: memory +1.50")


def test_workers_are_found() -> None:
    """A gateway that stands alone is itself; one with workers is a supervisor and each of them."""
    assert gateways(os.getpid()) == {"gateway": os.getpid()}
    worker = [sys.executable, "-c", "print(flush=True); input()", HANDED, "{}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(worker, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as running:
        assert running.stdout is not None and running.stdout.readline() == b"\n"
        assert gateways(os.getpid()) == {"supervisor": os.getpid(), "worker 1": running.pid}
        running.kill()


def test_a_soak_is_shown() -> None:
    """Memory and descriptors have a row each in 80 columns: where they were, their slopes, and how it went."""
    samples = [Sample(at, 100 + at / 60, 50, 9) for at in range(0, 605, 5)]
    head, memory, descriptors = table(Watch(60, samples)).splitlines()
    assert all(len(row) <= 80 for row in (head, memory, descriptors))
    assert memory.split()[:8] == ["memory,", "MB", "101", "110", "110", "+1.00", "±", "0.00"]
    assert memory.endswith("▁▁▂▂▂▂▃▃▃▄▄▄▄▅▅▅▅▆▆▆▇▇▇▇██") and descriptors.endswith("▁" * 26)


def test_sparkline() -> None:
    """The least is the lowest bar and the greatest the highest; few values have a bar each."""
    assert sparkline([1, 2, 3]) == "▁▅█" and sparkline([7.0]) == "▁"
    assert len(sparkline([float(at) for at in range(100)])) == 26
