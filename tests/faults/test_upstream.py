"""An upstream fails before its first word, or on the wire: the caller hears another, or is told, soon."""

import asyncio
import gzip
import ssl
import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import Target
from tests.faults.routed import FIRST, Heard, asked, nobody, routed, target
from tests.upstream import (
    Answer,
    Comment,
    Cut,
    Delta,
    Done,
    End,
    Event,
    Finish,
    Hang,
    Pause,
    Reset,
    Role,
    Script,
    Upstream,
    Usage,
    completion,
    error,
    scripted,
)
from tests.upstream.script import Reply, Step

ADDED = 0.05
"""Seconds that failing over may cost over the failing target's own delay or deadline."""
TIMES = 3
APOLOGY = "Sorry, I lost my thread."
HELLO = "Hello there."


async def delay(url: str, model: str = "main") -> float:
    """Seconds to the first word: the median of some turns, since the machine pauses at times."""
    heard = [await asked(url, model) for _ in range(TIMES)]
    assert {each.text for each in heard} == {HELLO}
    return statistics.median(each.first for each in heard)


async def failing_first(
    var: Path, failing: Target, second: Upstream, *, own: float, within: float
) -> tuple[Heard, Heard]:
    """Agent and route hear the second target, at most ADDED seconds after the failing one's own delay.

    Returned is what they hear where there is no second, in so many seconds: a bare route, and an agent, whose text is
    the apology.
    """
    async with routed(var, failing, target(second.url), alone=failing) as url:
        for model in ("main", "nora"):
            assert await delay(url, model) < own + ADDED
        route, agent = await asked(url, "alone"), await asked(url, "lone")
    assert (agent.status, agent.text, agent.finish) == (200, APOLOGY, "stop")
    assert route.first < within and agent.first < within
    return route, agent


async def test_u01_a_refused_connection_costs_nothing(upstream: Upstream, tmp_path: Path) -> None:
    """The other target's answer at once; if there is none, 502 `upstream_unavailable` or the apology, at once."""
    route, agent = await failing_first(tmp_path, target(nobody()), upstream, own=0, within=0.3)
    assert (route.status, route.code, agent.code) == (502, "upstream_unavailable", "upstream_unavailable")


async def test_u02_a_name_that_nobody_has(upstream: Upstream, tmp_path: Path) -> None:
    """The other target's answer; if there is none, 502 `upstream_unavailable` within the deadline."""
    missing = target("http://nobody.invalid/v1", first_token=1.0)
    route, _ = await failing_first(tmp_path, missing, upstream, own=1.0, within=1.2)
    assert (route.status, route.code) == (502, "upstream_unavailable")


@asynccontextmanager
async def tls(place: Path) -> AsyncIterator[str]:
    """A server with a certificate that nobody vouches for; its URL."""
    key, certificate = str(place / "key.pem"), str(place / "certificate.pem")
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    made = await asyncio.create_subprocess_exec(
        *request, "-keyout", key, "-out", certificate, stderr=asyncio.subprocess.DEVNULL
    )
    assert await made.wait() == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What a server without TLS says to a handshake."""
    writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
    writer.close()


async def test_u03_a_certificate_that_is_not_valid(upstream: Upstream, tmp_path: Path) -> None:
    """The other target's answer; if there is none, 502 `upstream_tls_error`. A server without TLS is the same."""
    async with tls(tmp_path) as url, await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        for bad in (url, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"):
            route, _ = await failing_first(tmp_path, target(bad), upstream, own=0.1, within=0.3)
            assert (route.status, route.code) == (502, "upstream_tls_error")


BEATS: Sequence[Step] = [Comment(), Pause(0.1)] * 20
HANGS: Sequence[Reply] = (
    Script([], before=[Hang()]),
    Script([Hang()]),
    Script([Role(), Hang()]),
    Script([*BEATS, Hang()]),
)


@pytest.mark.parametrize("hangs", HANGS, ids=["no headers", "no event", "role only", "heartbeats"])
async def test_u04_u05_u06_a_target_that_hangs_is_left_at_its_deadline(
    upstream: Upstream, tmp_path: Path, hangs: Reply
) -> None:
    """The other target's answer at the deadline; if all hang, 504 `upstream_timeout` or the apology within the route's
    whole time."""
    async with scripted(hangs) as hanging:
        await failing_first(tmp_path, target(hanging.url), upstream, own=FIRST, within=FIRST + ADDED)
        async with routed(tmp_path, target(hanging.url), target(hanging.url), first_token=FIRST + 0.2) as url:
            route, agent = await asked(url, "main"), await asked(url)
        assert (route.status, route.code) == (504, "upstream_timeout")
        assert (agent.text, agent.code) == (APOLOGY, "upstream_timeout")
        assert route.first < FIRST + 0.2 + ADDED and agent.first < FIRST + 0.2 + ADDED
        await asyncio.sleep(0.05)
        assert hanging.stats["open"] == 0


FAILS: Sequence[tuple[Reply, int, str]] = (
    (Script([], before=[Reset()]), 502, "upstream_unavailable"),
    (Script([], before=[Cut()]), 502, "upstream_unavailable"),
    (Script([Role(), Reset()]), 502, "upstream_truncated"),
    (Script([Role(), Cut()]), 502, "upstream_truncated"),
    (Script([Role(), End()]), 502, "upstream_truncated"),
    (Script([]), 502, "upstream_truncated"),
    (Script([b"data: {oops\n\n"]), 502, "upstream_protocol_error"),
    (Answer(200, b'{"object":"list"}', {"content-type": "application/json"}), 502, "upstream_protocol_error"),
)


@pytest.mark.parametrize(("fails", "status", "code"), FAILS)
async def test_u08_a_connection_that_breaks_before_the_first_word(
    upstream: Upstream, tmp_path: Path, fails: Reply, status: int, code: str
) -> None:
    """Reset, closed, cut or garbled before the first word: the other target's answer at once, or 502."""
    async with scripted(fails) as failing:
        route, agent = await failing_first(tmp_path, target(failing.url), upstream, own=0, within=0.3)
    assert (route.status, route.code, agent.code) == (status, code, code)


@pytest.mark.parametrize(
    ("code", "status", "told_code"),
    [("server_error", 502, "upstream_unavailable"), ("rate_limit_exceeded", 429, "rate_limit_exceeded")],
)
async def test_u12_an_error_as_the_first_event(
    upstream: Upstream, tmp_path: Path, code: str, status: int, told_code: str
) -> None:
    """The other target's answer; if there is none, the status that the error means, and nothing of its text."""
    async with scripted(Script([Event(error("boom sk-secret", code))])) as failing:
        route, _ = await failing_first(tmp_path, target(failing.url), upstream, own=0, within=0.3)
    assert (route.status, route.code) == (status, told_code) and b"secret" not in route.body


TEXT: Sequence[str] = ["Grü", "ße ", "aus ", "Köln, ", "日本", " 𝄞!"]
LENIENT: Sequence[Step] = [
    Role(),
    *TEXT,
    Delta(None),
    Delta({"content": None}),
    Event({"choices": []}),
    Event({}),
    Finish(),
    Usage(),
]
FRAMED: Sequence[Reply] = (
    *(Script(TEXT, sliced=size) for size in (1, 2, 3, 7)),
    *(Script(TEXT, newline=newline, space=False, bom=True) for newline in ("\r\n", "\r", "\n")),
    Script([Comment(), *TEXT, Event("", event="ping"), Comment(), b"data:\n\n", Finish(), Comment(), Done()]),
    Script(LENIENT),
    Answer(200, completion("".join(TEXT))),
)


@pytest.mark.parametrize("reply", FRAMED)
async def test_u15_u16_u17_u21_u31_the_same_text_however_it_came(
    upstream: Upstream, tmp_path: Path, reply: Reply
) -> None:
    """Sliced inside characters, CR or CRLF, a BOM, comments, nulls, no choices, or one JSON object: the same text."""
    upstream.script = reply
    async with routed(tmp_path, target(upstream.url)) as url:
        for model in ("main", "nora"):
            heard = await asked(url, model)
            assert (heard.text, heard.finish, heard.code) == ("".join(TEXT), "stop", "")


async def test_u16_data_in_several_lines(upstream: Upstream, tmp_path: Path) -> None:
    """An event whose JSON is spread over several `data:` lines is one event."""
    chunk = '{"choices":[{"index":0,\n"delta":{"content":"Hi"},\n"finish_reason":null}]}'
    upstream.script = Script([Event(chunk), Finish()])
    async with routed(tmp_path, target(upstream.url)) as url:
        assert (await asked(url)).text == "Hi"


async def test_u17_heartbeats_are_no_answer(upstream: Upstream, tmp_path: Path) -> None:
    """A stream that only beats after its first word stalls all the same, and ends in the apology."""
    upstream.script = Script(["Hel", *BEATS, "lo"])
    async with routed(tmp_path, target(upstream.url)) as url:
        heard = await asked(url)
    assert heard.text.startswith("Hel") and heard.text.endswith(APOLOGY) and heard.code == "upstream_stalled"


@pytest.mark.parametrize("flood", [b"data: " + b"x" * 5_000_000, b"x" * 5_000_000])
async def test_u18_an_event_without_end_is_broken_off(upstream: Upstream, tmp_path: Path, flood: bytes) -> None:
    """Before the first word: the other target's answer, or 502 `upstream_protocol_error`; after it: the apology."""
    async with scripted(Script([flood, Hang()])) as failing:
        route, _ = await failing_first(tmp_path, target(failing.url), upstream, own=0.05, within=0.4)
        assert (route.status, route.code) == (502, "upstream_protocol_error")
        failing.script = Script(["Hel", Pause(0.05), flood, Hang()])
        async with routed(tmp_path, target(failing.url)) as url:
            heard = await asked(url)
        assert heard.text.startswith("Hel") and heard.code == "upstream_protocol_error"


async def test_u19_a_flood_of_events_does_not_hold_up_the_others(upstream: Upstream, tmp_path: Path) -> None:
    """10,000 one-character events in a second arrive in order, and nothing else in the process waits 50 ms for them."""
    steps: list[Step] = []
    for block in range(100):
        steps += [*(chr(97 + (block + at) % 26) for at in range(100)), Pause(0.01)]
    upstream.script = Script(steps)
    lags: list[float] = []

    async def watch() -> None:
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(0.005)
            lags.append(loop.time() - before - 0.005)

    async with routed(tmp_path, target(upstream.url)) as url:
        watching = asyncio.create_task(watch())
        heard = await asked(url, "main")
        watching.cancel()
    assert heard.text == "".join(step for step in steps if isinstance(step, str))
    # The upstream, the gateway and the caller share this loop; one pause may be the machine's own.
    assert sorted(lags)[-2] < 0.05


async def test_u24_a_limit_is_told_with_its_time(upstream: Upstream, tmp_path: Path) -> None:
    """The other target's answer; if there is none, 429 with the same Retry-After, and nobody asks before it is over."""
    async with scripted(Answer(429, error("Slow down."), {"retry-after": "20"})) as limited:
        first = target(limited.url)
        async with routed(tmp_path, first, target(upstream.url), alone=first) as url:
            assert await delay(url) < ADDED
            heard = [await asked(url, "alone") for _ in range(3)]
            assert (await asked(url, "lone")).text == APOLOGY
        assert len(limited.requests) == 1  # of all these turns
        assert [each.status for each in heard] == [429] * 3
        assert {each.headers["retry-after"] for each in heard} == {"20"}
        limited.script = Answer(429, error("Slow down."), {"retry-after": "86400"})
        async with routed(tmp_path, first) as url:
            assert (await asked(url, "main")).headers["retry-after"] == "60"


@pytest.mark.parametrize("status", [401, 403])
async def test_u25_a_key_that_the_upstream_refuses_is_not_the_callers(
    upstream: Upstream, tmp_path: Path, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The other target's answer; if there is none, 502 `upstream_auth_failed`, never 401, and the key is nowhere."""
    async with scripted(Answer(status, error("Incorrect API key provided: sk-secret"))) as refusing:
        route, agent = await failing_first(tmp_path, target(refusing.url, key="sk-secret"), upstream, own=0, within=0.3)
    assert (route.status, route.code) == (502, "upstream_auth_failed")
    assert b"sk-secret" not in route.body + agent.body and "sk-secret" not in caplog.text


async def test_u26_a_conversation_that_is_too_long_is_shortened_once(upstream: Upstream, tmp_path: Path) -> None:
    """The answer to the newest half of the conversation; if that is too long too, 400 `context_length_exceeded`."""
    history = [{"role": role, "content": "x" * 200} for _ in range(20) for role in ("user", "assistant")]
    asks: dict[str, Any] = {"messages": [*history, {"role": "user", "content": "And now?"}]}
    long = Answer(400, error("This model's maximum context length is 100 tokens.", "context_length_exceeded"))
    upstream.script = lambda request: long if len(request.json["messages"]) > 25 else Script(["Short."])
    async with routed(tmp_path, target(upstream.url)) as url:
        for model in ("main", "nora"):
            assert (await asked(url, model, **asks)).text == "Short."
        short = upstream.requests[-1].json["messages"]
        assert short[0]["role"] == "system" and short[1]["role"] == "user" and short[-1]["content"] == "And now?"
        assert len(upstream.requests) == 4
        upstream.script = long
        heard = await asked(url, "main", **asks)
        assert (heard.status, heard.code) == (400, "context_length_exceeded") and len(upstream.requests) == 6


async def test_u27_a_parameter_that_is_not_known_is_put_right(upstream: Upstream, tmp_path: Path) -> None:
    """The answer, asked for once more with the parameter's other name or without it; the next turn is right at once."""

    def picky(request: Any) -> Reply:
        for name in ("max_tokens", "temperature"):
            if name in request.json:
                return Answer(400, error(f"Unsupported parameter: '{name}' is not supported with this model."))
        return Script(["Fine."])

    upstream.script = picky
    async with routed(tmp_path, target(upstream.url)) as url:
        for _ in range(3):
            assert (await asked(url, "main", max_tokens=50, temperature=0.3)).text == "Fine."
    assert len(upstream.requests) == 2 + 3
    assert upstream.requests[-1].json["max_completion_tokens"] == 50


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529])
async def test_u28_a_page_of_html_is_not_passed_on(upstream: Upstream, tmp_path: Path, status: int) -> None:
    """The other target's answer at once; if there is none, 502 in the usual envelope, without a word of the page."""
    page = Answer(status, b"<html><h1>Bad Gateway</h1></html>", {"content-type": "text/html"})
    async with scripted(page) as failing:
        route, _ = await failing_first(tmp_path, target(failing.url), upstream, own=0, within=0.3)
    assert (route.status, route.code) == (502, "upstream_unavailable") and b"html" not in route.body.lower()


async def test_u30_a_compressed_body_is_read_and_a_garbled_one_is_not(upstream: Upstream, tmp_path: Path) -> None:
    """gzip is decoded; bytes of another charset, or no gzip at all, are the other target's answer, or 502."""
    chunk = b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\ndata: [DONE]\n\n'
    upstream.script = Script([gzip.compress(chunk)], headers={"content-encoding": "gzip"})
    async with routed(tmp_path, target(upstream.url)) as url:
        heard = await asked(url)
        assert (heard.text, heard.finish) == ("Hi", "stop")
    upstream.script = Script(["Hello", " there."])
    latin = 'data: {"choices":[{"delta":{"content":"Grüße"}}]}\n\n'.encode("latin-1")
    for body, headers in ((latin, {}), (b"no gzip", {"content-encoding": "gzip"})):
        async with scripted(Script([body], headers=headers)) as garbled:
            route, _ = await failing_first(tmp_path, target(garbled.url), upstream, own=0, within=0.3)
            assert route.status == 502
