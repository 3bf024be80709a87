"""Simli misbehaves: one clear message, the right class and exit code, nothing billed twice, no secret shown."""

import asyncio
import logging
import socket
import traceback
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest

from gateway.errors import (
    SimliAuthFailed,
    SimliBilling,
    SimliError,
    SimliLimited,
    SimliNotFound,
    SimliOverloaded,
    SimliProtocolError,
    SimliRejected,
    SimliTimeout,
    SimliUnavailable,
)
from gateway.settings import Simli as Options
from gateway.simli.client import opened
from gateway.simli.dialect import Dialect
from gateway.simli.patience import Try, allowed
from tests.simli.double import Double, Reply, doubled
from tests.simli.families import FAMILIES, LLM_KEY, SPOKEN, TOKEN, TTS_KEY, Family

KEY = "planted0simli0key0123"
SECRETS = (KEY, LLM_KEY, TTS_KEY, TOKEN.text)


class Fault(NamedTuple):
    """What Simli does, and what becomes of it."""

    reply: Reply
    kind: type[SimliError]
    says: str
    exit_code: int
    simli_code: str = ""
    status: int = 0
    """Of the error where it is not the reply's."""


DETAIL = [{"loc": ["body", "faceId"], "msg": "field required", "type": "missing", "input": {"apiKey": KEY}}]
FAULTS = {
    "400-code": Fault(
        Reply(400, {"detail": "INVALID_FACE_ID", "session_token": "FAIL TOKEN"}),
        SimliRejected,
        "it refuses what was sent (400 INVALID_FACE_ID)",
        65,
        "INVALID_FACE_ID",
    ),
    "400-key": Fault(
        Reply(400, {"detail": "INVALID_API_KEY", "session_token": "FAIL TOKEN"}),
        SimliAuthFailed,
        "it refuses the API key (400 INVALID_API_KEY). Check SIMLI_API_KEY.",
        77,
        "INVALID_API_KEY",
    ),
    "402": Fault(
        Reply(402, {"detail": "Top up first."}, echo=True),
        SimliBilling,
        "the account cannot pay for it (402: Top up",
        77,
    ),
    "billing-code": Fault(
        Reply(400, {"detail": "MISSING_BILLING_INFO"}), SimliBilling, "(400 MISSING_BILLING_INFO)", 77
    ),
    "403": Fault(Reply(403, {"error": "not yours", "code": "FORBIDDEN"}), SimliRejected, "(403 FORBIDDEN: not", 65),
    "422": Fault(Reply(422, {"detail": DETAIL}), SimliRejected, "(422: body.faceId: field required)", 65),
    "429": Fault(
        Reply(429, {"detail": "slow down"}, {"retry-after": "7"}), SimliLimited, "too many requests or sessions", 75
    ),
    "500": Fault(Reply(500, b"Internal Server Error"), SimliUnavailable, "it failed (500: Internal Server Error)", 75),
    "502-page": Fault(Reply(502, b"<html><h1>Bad gateway</h1>"), SimliUnavailable, "it failed (502).", 75),
    "overloaded-200": Fault(Reply(200, b"server overloaded"), SimliOverloaded, "it is overloaded (200: server", 75),
    "overloaded-500": Fault(
        Reply(500, {"detail": "Server overloaded, please try again later"}), SimliOverloaded, "(500: Server over", 75
    ),
    "overloaded-token": Fault(
        Reply(503, {"detail": "server overloaded", "session_token": "FAIL TOKEN"}), SimliOverloaded, "overloaded", 75
    ),
    "redirect": Fault(
        Reply(307, b"", {"location": f"https://elsewhere.example.org/{TOKEN.text}"}),
        SimliProtocolError,
        "it sends elsewhere, which is not followed. Check SIMLI_URL (307)",
        76,
    ),
    "silent": Fault(Reply(silent=True), SimliTimeout, "within", 75),
    "cut": Fault(Reply(200, {}, cut=True), SimliUnavailable, "broke off the connection", 75),
    "no-http": Fault(Reply(raw=b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), SimliProtocolError, "does not answer in HTTP", 76),
    "endless": Fault(
        Reply(200, b" " * (4 * 1024 * 1024 + 1)), SimliProtocolError, "its answer is larger than 4 MiB", 76
    ),
}
"""Those that mean the same whatever was asked."""
GARBAGE = {
    "page": Reply(200, b"<html><body>Welcome to the hotel's network</body></html>"),
    "number": Reply(200, 42),
    "other": Reply(200, {"hello": "world"}),
    "broken": Reply(200, b'{"session_token": "gAAAA'),
    "latin": Reply(200, b"\xff\xfe\x00"),
}
PLACES: dict[tuple[str, str], str] = {
    ("", "current"): "x-simli-api-key",
    ("", "legacy"): "x-simli-api-key",
    ("auto_token", "current"): "simliAPIKey x-simli-api-key",
    ("auto_token", "legacy"): "simliAPIKey",
    **dict.fromkeys([(name, "legacy") for name in ("text_to_video", "audio_to_video")], "simliAPIKey"),
    **dict.fromkeys([(name, "legacy") for name in ("start", "compose_token", "ice")], "apiKey"),
    **dict.fromkeys([(name, "legacy") for name in ("transcript", "faces", "create_face", "face")], "api-key"),
    **dict.fromkeys([(name, "legacy") for name in ("start_agent", "start_by_header", "ping", "signalled")], ""),
    **dict.fromkeys([(name, "current") for name in ("start_agent", "start_by_header", "ping")], ""),
}
"""Where the key goes, by operation and dialect; under an empty name, where it goes otherwise."""
METHODS = {"agents": "GET", "create_agent": "POST", "update_agent": "PUT", "delete_agent": "DELETE", "start": "POST"}
FAMILY = {family.name: family for family in FAMILIES}
UNREAD = ("update_agent", "delete_agent", "delete_face")
"""Nothing is read of their answers but the status."""


async def failed(family: Family, dialect: str, *replies: Reply, patience: float = 0, within: float = 10) -> Any:
    """What comes of one call: the error or None, the log of it all, and the double."""
    async with doubled(*replies) as double:
        options = Options(dialect=dialect, timeout=within, patience=patience)
        async with opened(double.url, KEY, options) as simli:
            try:
                await family.call(simli)
            except SimliError as error:
                return error, double
            assert repr(simli) == f"Simli('{double.url}', {dialect})"
    return None, double


def shown(error: SimliError) -> str:
    """All that anybody may get to see of an error."""
    return f"{error!r} {error} {error.envelope} {error.__dict__} {''.join(traceback.format_exception(error))}"


@pytest.mark.parametrize("name", FAULTS)
async def test_each_fault_has_one_message_class_and_exit_code(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever was asked, in both dialects: what failed, why in Simli's own words, and no secret in any of it."""
    caplog.set_level(logging.DEBUG)
    fault = FAULTS[name]
    within = 0.3 if name == "silent" else 5
    spoken = SPOKEN[::8] if name == "endless" else SPOKEN
    found = await asyncio.gather(*(failed(each, dialect, fault.reply, within=within) for each, dialect in spoken))
    for (family, dialect), (error, double) in zip(spoken, found, strict=True):
        where = f"{family.name} in {dialect}"
        assert type(error) is fault.kind, where
        keyed = family.again != "never" and family.name not in ("ping", "signalled")
        if name == "403" and not keyed:
            assert "it refuses the session token, or the origin (403 FORBIDDEN" in error.message, where
        else:
            assert fault.says in error.message, f"{where}: {error.message}"
        assert error.message.startswith("Simli did not "), where
        assert (error.exit_code, error.simli_code or fault.simli_code) == (fault.exit_code, error.simli_code), where
        assert error.simli_status == (
            0 if fault.reply.silent or fault.reply.cut or fault.reply.raw else fault.reply.status
        )
        assert len(error.message) < 330 and error.message.isprintable(), where
        assert len(double.asked) == 1 or (name == "silent" and not double.asked), where  # a busy machine: too late
        assert not [secret for secret in SECRETS if secret in shown(error)], where
    assert not [secret for secret in SECRETS if secret in caplog.text]


@pytest.mark.parametrize("name", GARBAGE)
async def test_an_answer_that_is_none_is_a_protocol_error(name: str) -> None:
    """A hotel's page, other JSON, broken JSON with a good status: never taken for an answer."""
    asked = [(family, dialect) for family, dialect in SPOKEN if family.name not in UNREAD]
    if name == "other":  # any object is one there
        asked = [each for each in asked if each[0].name not in ("preprocess_face", "face", "trinity")]
    found = await asyncio.gather(*(failed(each, dialect, GARBAGE[name]) for each, dialect in asked))
    for (family, dialect), (error, _) in zip(asked, found, strict=True):
        assert type(error) is SimliProtocolError, f"{family.name} in {dialect}: {error!r}"
        assert error.exit_code == 76 and error.simli_status == 200


@pytest.mark.parametrize("dialect", ["legacy", "current"])
@pytest.mark.parametrize("family", ["auto_token", "compose_token"])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"session_token": "FAIL TOKEN"}, SimliProtocolError),
        ({"session_token": "FAIL_TOKEN_0123456789"}, SimliProtocolError),
        ({"session_token": "server-overloaded-again"}, SimliProtocolError),
        ({"session_token": ""}, SimliProtocolError),
        ({"session_token": None}, SimliProtocolError),
        ({"session_token": ["x"]}, SimliProtocolError),
        ({"detail": "INVALID_FACE_ID", "session_token": TOKEN.text}, SimliRejected),
        ({"detail": "INVALID_API_KEY", "session_token": "FAIL TOKEN"}, SimliAuthFailed),
        ({"error": "no idea", "session_token": TOKEN.text}, SimliProtocolError),
        ("server overloaded", SimliOverloaded),
        ({"message": "The server is overloaded."}, SimliOverloaded),
    ],
)
async def test_no_refusal_is_taken_for_a_token(
    body: Any, kind: type[SimliError], family: str, dialect: Dialect
) -> None:
    """With the status 200, too: a token that says it failed, one beside a refusal, or none."""
    error, double = await failed(FAMILY[family], dialect, Reply(200, body))
    assert type(error) is kind
    assert len(double.asked) == 1


async def test_the_key_goes_where_the_dialect_wants_it_and_nowhere_else() -> None:
    """In its header or its field of the body, never in an address; a call that needs none is sent none."""
    found = await asyncio.gather(*(failed(each, dialect, each.good) for each, dialect in SPOKEN))
    for (family, dialect), (_, double) in zip(SPOKEN, found, strict=True):
        (asked,) = double.asked
        where = {name for name, value in asked.headers.items() if value == KEY}
        if asked.headers.get("content-type") == "application/json":
            where |= {name for name, value in asked.json.items() if value == KEY}
        assert " ".join(sorted(where)) == PLACES.get((family.name, dialect), PLACES["", dialect]), family.name
        assert KEY not in f"{asked.path} {asked.query}"
        assert (TOKEN.text in unquote(asked.path)) is (family.name == "start_agent")
        assert asked.method == METHODS.get(family.name, asked.method)


async def test_what_changes_nothing_is_asked_again_and_what_bills_is_not() -> None:
    """After a 500: reads, updates, deletions and tokens succeed at the second try; a session or an agent that may
    exist now is not asked for again."""
    bad = Reply(500, b"oops")
    found = await asyncio.gather(*(failed(each, dialect, bad, each.good, patience=3) for each, dialect in SPOKEN))
    for (family, _), (error, double) in zip(SPOKEN, found, strict=True):
        again = family.again == "always"
        assert (error is None) is again, f"{family.name}: {error!r}"
        assert len(double.asked) == (2 if again else 1), family.name


@pytest.mark.parametrize("reply", [Reply(silent=True), Reply(200, {}, cut=True)], ids=["slow", "cut"])
async def test_what_may_have_been_done_is_not_done_twice(reply: Reply) -> None:
    """A session, an agent, a face or a video whose answer was lost is asked for once, whatever the patience."""
    billing = [(family, dialect) for family, dialect in SPOKEN if family.again != "always"]
    asked = (failed(each, dialect, reply, each.good, patience=3, within=0.3) for each, dialect in billing)
    for (family, _), (error, double) in zip(billing, await asyncio.gather(*asked), strict=True):
        assert isinstance(error, SimliTimeout | SimliUnavailable), family.name
        assert len(double.asked) <= 1, family.name


@pytest.mark.parametrize("reply", [FAULTS["overloaded-200"].reply, Reply(429, {"detail": "slow"})], ids=["full", "429"])
async def test_what_was_refused_undone_is_asked_again(reply: Reply) -> None:
    """Overloaded or limited, Simli has done nothing: all is sent again, but for the GET that starts a session."""
    found = await asyncio.gather(*(failed(each, dialect, reply, each.good, patience=3) for each, dialect in SPOKEN))
    for (family, _), (error, double) in zip(SPOKEN, found, strict=True):
        never = family.again == "never"
        assert (error is not None) is never, f"{family.name}: {error!r}"
        assert len(double.asked) == (1 if never else 2), family.name


async def test_what_surely_was_not_sent_is_sent_when_simli_is_back() -> None:
    """A refused connection does not count as sent: the agent is made once Simli listens."""
    double = Double([FAMILY["create_agent"].good])
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    options = Options(dialect="current", patience=5)
    async with opened(f"http://127.0.0.1:{port}", KEY, options) as simli:
        making = asyncio.create_task(simli.create_agent({"name": "nora"}))
        await asyncio.sleep(0.05)
        async with await asyncio.start_server(double.connected, "127.0.0.1", port):
            assert (await making).id == "a-1"
        await double.over()
    assert len(double.asked) == 1


async def test_a_simli_that_is_not_there_is_not_waited_for_long(caplog: pytest.LogCaptureFixture) -> None:
    """Three seconds of thirty; each wait is said, and how a sandbox is started."""
    assert (allowed(Try(None, unsent=True), 30), allowed(Try(None), 30), allowed(Try(None, unsent=True), 0)) == (
        3,
        30,
        0,
    )
    caplog.set_level(logging.INFO)
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    async with opened(f"http://127.0.0.1:{port}", KEY, Options(patience=0.5)) as simli:
        with pytest.raises(SimliUnavailable) as caught:
            await simli.usage()
    said = f"Simli did not count the sessions: 127.0.0.1:{port} cannot be reached. Is `gateway sandbox` running?"
    assert caught.value.message == said and caught.value.unsent
    waits = [record.getMessage() for record in caplog.records if record.name == "gateway.simli.patience"]
    assert waits and all(wait.startswith(f"{said} Asked again in ") for wait in waits)


async def test_patience_has_an_end() -> None:
    """An overloaded Simli is asked for so long in all, and a Retry-After beyond that is not waited for."""
    clock = asyncio.get_running_loop().time
    began = clock()
    error, double = await failed(FAMILY["usage"], "current", FAULTS["overloaded-500"].reply, patience=0.7)
    assert isinstance(error, SimliOverloaded) and 2 <= len(double.asked) <= 4 and clock() - began < 1
    error, double = await failed(FAMILY["usage"], "current", FAULTS["429"].reply, patience=2)
    assert isinstance(error, SimliLimited) and error.retry_after == 7
    assert len(double.asked) == 1 and clock() - began < 2


@pytest.mark.parametrize("family", ["start_agent", "start_by_header"])
async def test_a_refused_session_token_is_not_blamed_on_the_key(family: str) -> None:
    """401 without a key sent is about the token or the page's origin."""
    error, _ = await failed(FAMILY[family], "legacy", Reply(401, {"error": "origin not allowed"}))
    assert type(error) is SimliRejected
    assert "it refuses the session token, or the origin (401: origin not allowed)" in error.message


async def test_401_is_about_the_key() -> None:
    """Every operation that sends the key says so when it is refused."""
    for family, dialect in SPOKEN:
        if family.again == "never" or family.name in ("ping", "signalled"):
            continue
        error, _ = await failed(family, dialect, Reply(401, {"error": "unauthorized"}))
        assert type(error) is SimliAuthFailed and error.exit_code == 77, family.name


async def test_404_is_pending_or_gone_where_that_is_meant() -> None:
    """A transcript is yet to come, what is to be deleted is gone; anything else was not found."""
    for family, dialect in SPOKEN:
        error, double = await failed(family, dialect, Reply(404, {"error": "not found"}), patience=3)
        assert (error is None) is family.missing, family.name
        assert error is None or (type(error) is SimliNotFound and error.exit_code == 65)
        assert len(double.asked) == 1


async def test_nothing_of_simlis_is_asked_before_it_is_wanted() -> None:
    """Opening a client, and naming a link's address, sends nothing: a GET of it would start a session."""
    async with doubled(Reply(200, [])) as double:
        async with opened(double.url, KEY, Options(dialect="legacy")) as simli:
            assert simli.start_url("a/1", TOKEN).startswith(f"{double.url}/session/a%2F1/gAAAA")
        assert double.asked == []


@pytest.mark.parametrize(
    ("replies", "kind", "says"),
    [
        ((Reply(401, {"error": "no"}),), SimliAuthFailed, "it refuses the API key"),
        ((Reply(500, b""),), SimliUnavailable, "it failed (500)"),
        ((Reply(200, b"<html>"),), SimliProtocolError, "there is no list of agents in its answer"),
        ((Reply(404, {"detail": "Not Found"}),), SimliProtocolError, "/auto/agents and /agents are 404"),
    ],
)
async def test_a_probe_that_fails_is_no_guess(replies: tuple[Reply, ...], kind: type[SimliError], says: str) -> None:
    """Where the dialect cannot be found out, that is the error; nothing else is sent, and the next call probes anew."""
    async with doubled(*replies) as double, opened(double.url, KEY, Options(patience=0)) as simli:
        for _ in range(2):
            with pytest.raises(SimliError) as caught:
                await simli.start({"faceId": "f"})
            assert type(caught.value) is kind and says in caught.value.message
        assert {each.method for each in double.asked} == {"GET"}


async def test_the_dialect_is_found_once() -> None:
    """404 to today's path means the older API; it is asked once, however many calls come at once."""
    missing, agents = Reply(404, {"detail": "Not Found"}), Reply(200, [])
    async with doubled(missing, agents) as double, opened(double.url, KEY, Options()) as simli:
        await asyncio.gather(*(simli.agents() for _ in range(3)))
        assert repr(simli) == f"Simli('{double.url}', legacy)"
        assert await simli.dialect() == "legacy"
    assert [each.path for each in double.asked] == ["/auto/agents", *["/agents"] * 4]


async def test_what_one_dialect_lacks_is_refused_in_it_and_found_by_auto() -> None:
    """Text to video is gone from today's API; under `auto` it is asked in the older one, where it still may be."""
    for family in (each for each in FAMILIES if each.only):
        other = "legacy" if family.only == "current" else "current"
        error, double = await failed(family, other, family.good)
        assert type(error) is SimliRejected and double.asked == []
        assert f"its {other} API has no such call" in error.message
        async with doubled(family.good) as double, opened(double.url, KEY, Options()) as simli:
            await family.call(simli)
        assert len(double.asked) == 1


async def test_a_slow_answer_has_a_limit_in_all() -> None:
    """Bytes that trickle do not keep a call alive: the time is for the whole answer."""
    over = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        for _ in range(100):
            writer.write(b" ")
            await asyncio.sleep(0.02)
            if writer.is_closing():
                break
        writer.close()
        over.set()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with opened(url, KEY, Options(dialect="current", timeout=0.1, patience=0)) as simli:
            with pytest.raises(SimliTimeout):
                await simli.agents()
            await over.wait()


def test_every_operation_is_among_the_families() -> None:
    """A public function of the client without a row here would be untested against faults."""
    from gateway.simli.client import Simli

    asked = {name for name in vars(Simli) if not name.startswith("_")} - {"dialect", "download", "start_url"}
    assert asked == {family.name for family in FAMILIES} - {"start_by_header", "create_trinity", "trinity"}
