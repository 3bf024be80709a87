"""A caller under load notices how its stream ended, so that a count of good ends means something."""

from collections.abc import Mapping

import pytest

from tests.bench.failover import SPOKEN, Row, Way, unclean
from tests.load.listening import Heard, counted, listened
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
