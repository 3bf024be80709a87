"""What hostile callers cannot do: requests that two servers read differently, bodies that break a parser, secrets."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from gateway.app import create_app
from gateway.chat import agent as agent_files
from gateway.errors import ConfigurationError
from gateway.settings import Auth, Limits
from tests.caller import calling
from tests.contract.conftest import AGENTS, settings
from tests.keyring import Keyring
from tests.serving import gateway_process, serve, sharing
from tests.upstream import Answer, Hang, Script, Upstream, error

CHAT = "/v1/chat/completions"
USER = {"role": "user", "content": "Hi"}
ASK: dict[str, Any] = {"model": "nora", "stream": False, "messages": [USER]}
POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\n"
KEY = "upstream-key-of-this-test"


@pytest.fixture
async def gateway(upstream: Upstream, tmp_path: Path) -> AsyncIterator[str]:
    """A gateway with small limits whose targets have a key."""
    told = settings(upstream.url, tmp_path)
    (target,) = told.routes["up"].targets
    routes = {name: replace(route, targets=(replace(target, key=KEY),)) for name, route in told.routes.items()}
    limits = Limits(body_timeout=0.5, header_timeout=0.5, header_bytes=16_384)
    async with serve(create_app(sharing(replace(told, routes=routes, limits=limits)), AGENTS)) as url:
        yield url


async def sent(url: str, data: bytes, *, within: float = 3.0) -> tuple[int, dict[str, str], bytes]:
    """Write these bytes and read until the gateway closes; status, headers and body of the first answer."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    async with asyncio.timeout(within):
        answer = await reader.read()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines[1:])
    return int(lines[0].split()[1]), {name.lower(): value.strip() for name, _, value in pairs}, body


def checked(headers: dict[str, str], body: bytes, code: str) -> None:
    """Assert the one envelope, alone, with the request's id."""
    assert headers["content-type"] == "application/json" and headers["connection"] == "close"
    assert int(headers["content-length"]) == len(body)
    found = orjson.loads(body)["error"]
    assert set(found) == {"message", "type", "param", "code"} and found["code"] == code
    assert headers["x-request-id"] in found["message"]


@pytest.mark.parametrize(
    "request_",
    [
        POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        POST + b"Content-Length: 2, 2\r\n\r\n{}",
        POST + b"Content-Length: +2\r\n\r\n{}",
        POST + b"Content-Length: -2\r\n\r\n{}",
        POST + b"Content-Length: 0x2\r\n\r\n{}",
        POST + b"Content-Length: \r\n\r\n{}",
        POST + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
        POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        POST.replace(b"\r\n", b"\n") + b"\n",
        POST + b"A: b\nC: d\r\n\r\n",
        POST + b"A: b\rC: d\r\n\r\n",
        POST + b"A: b\r\n folded\r\n\r\n",
        POST + b"A: b\r\n\tfolded\r\n\r\n",
        POST + b"A : b\r\n\r\n",
        POST + b" A: b\r\n\r\n",
        POST + b"A: b\0c\r\n\r\n",
        POST + b": b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n Host: x\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /livez HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET /livez\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"planted-text" * 10 + b"\r\n\r\n",
    ],
)
async def test_c09_n33_a_request_that_could_be_read_in_two_ways_is_refused(
    gateway: str, request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """400 in the one envelope with a request id, and the connection ends; none of its bytes is shown or logged."""
    with caplog.at_level(logging.DEBUG):
        status, headers, body = await sent(gateway, request_ + b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status == 400
    checked(headers, body, "invalid_request")
    assert b"planted" not in body and "planted" not in caplog.text and b"smuggled" not in body


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"", 400),
        (b"Host: a\r\nHost: a\r\n", 400),
        (b"Host: a\r\nhost: b\r\n", 400),
        (b"Host:\r\n", 400),
        (b"Host: a b\r\n", 400),
        (b"Host: a/../b\r\n", 400),
        (b"Host: user@gateway\r\n", 400),
        (b"Host: " + b"a" * 300 + b"\r\n", 400),
        (b"Host: gateway.example.org:8443\r\n", 200),
        (b"Host: [::1]:8000\r\n", 200),
        (b"Host: my_service\r\n", 200),
    ],
)
async def test_n34_a_request_has_exactly_one_host(gateway: str, lines: bytes, status: int) -> None:
    """None, two, or one that is no host: 400 and the end of the connection; HTTP/1.0 needs none."""
    request = b"GET /livez HTTP/1.1\r\nConnection: close\r\n" + lines + b"\r\n"
    found, headers, body = await sent(gateway, request)
    assert found == status
    if status == 400:
        checked(headers, body, "invalid_request")
    assert (await sent(gateway, b"GET /livez HTTP/1.0\r\n\r\n"))[0] == 200


async def test_c08_headers_of_130_kilobytes_are_a_431(gateway: str) -> None:
    """One large header, many small ones, a long path, one without end: 431 `request_header_fields_too_large`."""
    large = b"A: " + b"x" * 130_000
    for request in (
        POST + large + b"\r\n\r\n",
        POST + large,
        POST + b"".join(b"H%d: 1\r\n" % number for number in range(13_000)) + b"\r\n",
        b"GET /" + b"x" * 130_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /" + b"x" * 130_000,
    ):
        status, headers, body = await sent(gateway, request)
        assert status == 431
        checked(headers, body, "request_header_fields_too_large")
    # A trailer comes when the body is already being read, or was answered: it ends the connection at the latest.
    trailing = POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + large + b"\r\n\r\n"
    assert (await sent(gateway, trailing))[0] in {400, 408, 431}


async def test_a_trailer_is_no_header(upstream: Upstream, tmp_path: Path) -> None:
    """What comes behind a chunked body names no key."""
    keyring = Keyring(agents=tuple(AGENTS))
    told = replace(settings(upstream.url, tmp_path), auth=Auth(anonymous=False))
    key = keyring.made("ann").encode()
    async with serve(create_app(sharing(told), AGENTS, access=keyring.access)) as url:
        trailing = b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Api-Key: " + key + b"\r\n\r\n"
        assert (await sent(url, POST + trailing))[0] == 401


async def test_a_malformed_request_does_not_write_into_a_running_answer(gateway: str, upstream: Upstream) -> None:
    """Sent behind a good one on the same connection, it ends the connection after the good one's answer."""
    upstream.script = Script(["Hel", "lo"])
    body = orjson.dumps({**ASK, "stream": True})
    good = POST + b"Content-Length: %d\r\n\r\n" % len(body) + body
    host, port = gateway.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(good + b"GET / HTTP/1.1\r\nA : b\r\n\r\n")
    async with asyncio.timeout(3):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe{}",
        b'{"messages":[{"role":"user","content":"\xed\xa0\x80"}]}',
        b'{"messages":[{"role":"user","content":"\xc0\xaf"}]}',
        b'{"messages":[{"role":"user","content":"a\0b"}]}',
        b'{"messages":[{"role":"user","content":"\\ud800"}]}',
        b'{"messages":[{"role":"user","content":"\\udc00\\ud800"}]}',
        b"[" * 1_000_000,
        b'{"a":' * 150_000,
        b"{" + b'"a":' + b"9" * 100_000 + b"}",
        b'{"messages": NaN}',
        b"\0",
        b"\n\n",
    ],
)
async def test_c14_a_body_that_is_no_json_is_a_400(gateway: str, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Bad UTF-8, NUL, lone surrogates, a million brackets: 400 `invalid_json`, no crash, and the next turn is fine."""
    with caplog.at_level(logging.INFO, "gateway"):
        async with httpx.AsyncClient(base_url=gateway) as client:
            answer = await client.post(CHAT, content=body)
            assert answer.status_code == 400, answer.text
            assert answer.json()["error"]["code"] in {"invalid_json", "missing_required_parameter"}
            assert (await client.post(CHAT, json=ASK)).status_code == 200
    assert not [record for record in caplog.records if "\n" in record.getMessage()]


async def test_c14_what_is_allowed_in_json_is_harmless(gateway: str, upstream: Upstream) -> None:
    """An escaped NUL, bidirectional marks, a line break in `model`: answered or refused in JSON, never a 500."""
    async with httpx.AsyncClient(base_url=gateway) as client:
        for content in ("a\0b", "\u202eabc\u2066", "\ufffe\uffff", "\U000e0001", "x" * 900_000):
            message = {"role": "user", "content": content}
            answer = await client.post(CHAT, json={**ASK, "messages": [message]})
            assert answer.status_code == 200, answer.text
        answer = await client.post(CHAT, json={**ASK, "model": "x\r\nset-cookie: a=b\x1b[31m"})
        assert answer.status_code == 404 and "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("extra", "status", "code", "param"),
    [
        ({"messages": [USER] * 20_000}, 400, "invalid_value", "messages"),
        ({"messages": [{"role": "user", "content": "x" * 10_000_000}]}, 413, "request_too_large", None),
        ({"n": 128}, 400, "invalid_value", "n"),
        ({"max_tokens": 10**9}, 400, "invalid_value", "max_tokens"),
        ({"max_completion_tokens": 10**9}, 400, "invalid_value", "max_completion_tokens"),
        ({"top_logprobs": 10**6}, 400, "invalid_value", "top_logprobs"),
        ({"temperature": 1e308}, 400, "invalid_value", "temperature"),
    ],
)
async def test_n31_n32_what_is_too_much_is_named(
    gateway: str, upstream: Upstream, *, extra: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    """Too many messages, too long a body, impossible numbers: 400 or 413 that names the parameter; nobody is asked."""
    async with httpx.AsyncClient(base_url=gateway) as client:
        answer = await client.post(CHAT, json={**ASK, **extra})
    found = answer.json()["error"]
    assert (answer.status_code, found["code"], found["param"]) == (status, code, param), found
    assert not upstream.requests


async def test_n12_a_caller_chooses_no_target_and_no_header(gateway: str, upstream: Upstream) -> None:
    """`api_base`, `base_url`, `api_key`, `extra_headers`, `timeout`: 200, and the upstream sees none."""
    names = ("api_base", "base_url", "api_key", "extra_headers", "extra_query", "extra_body", "organization", "timeout")
    body = {**ASK, **dict.fromkeys(names, "http://planted.example")}
    headers = {"openai-organization": "planted", "x-planted": "1", "authorization": "Bearer planted-by-the-caller"}
    async with httpx.AsyncClient(base_url=gateway) as client:
        assert (await client.post(CHAT, json=body, headers=headers)).status_code == 200
    (request,) = upstream.requests
    assert b"planted" not in request.body and "planted" not in str(request.headers)
    assert request.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "name",
    ["..%2f..%2fetc%2fpasswd", "%2e%2e", "C:%5Cwindows", "nora%00", "x" * 4096, "%E2%80%A5", "nora%0d%0a", "__proto__"],
)
async def test_n21_a_name_in_the_path_is_a_name_and_no_file(gateway: str, name: str) -> None:
    """Dots, slashes, NUL, 4,096 characters: 404 in the envelope, whatever it looks like to a file system."""
    async with httpx.AsyncClient(base_url=gateway) as client:
        for place in (f"/agents/{name}/chat/completions", f"/agents/{name}/v1/chat/completions"):
            answer = await client.post(place, json=ASK)
            assert answer.status_code == 404 and answer.json()["error"]["type"] == "not_found_error"
            assert "root:" not in answer.text and "\r\n" not in answer.text


@pytest.mark.parametrize("persona", ["{% include '/etc/passwd' %}", "{% import 'os' as os %}", "{{ ''.__class__ }}"])
def test_n22_a_persona_reads_no_file_and_no_object(persona: str) -> None:
    """Templates can name nothing but their own values: such an agent file is a fault at start."""
    with pytest.raises(ConfigurationError):
        agent_files.loaded({"prompts/ann.md": f"---\nlanguage: en\n---\n{persona}\n"}, ("up",), ())


async def test_n41_no_origin_may_call_by_default(gateway: str) -> None:
    """A preflight from any origin gets no permission, and an answer none to be read."""
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    async with httpx.AsyncClient(base_url=gateway) as client:
        for answer in (
            await client.options(CHAT, headers=asked),
            await client.post(CHAT, json=ASK, headers={"origin": asked["origin"]}),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 429, 500, 503])
@pytest.mark.parametrize("model", ["up", "strict"])
async def test_n52_n54_an_upstreams_error_shows_no_key(
    gateway: str, upstream: Upstream, status: int, model: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It quotes its own key, ours, the caller's: whatever status comes of it, the answer shows none."""
    planted = [KEY, "sk-proj-abcdef0123456789", "gw_abcdefghijkl_0123456789", "Bearer abcdefghijklmnopqrst"]
    upstream.script = Answer(status, error(f"Incorrect key provided: {', '.join(planted)}. See /srv/app.py", KEY))
    with caplog.at_level(logging.INFO, "gateway"):
        async with httpx.AsyncClient(base_url=gateway) as client:
            answer = await client.post(CHAT, json={**ASK, "model": model})
    assert answer.status_code in {400, 429, 502}
    assert not [text for text in planted if text in answer.text]
    assert "Traceback" not in answer.text + caplog.text and "app.py" not in caplog.text
    assert "uvicorn" not in str(answer.headers) and "server" not in answer.headers


async def test_n54_an_error_event_of_an_upstream_shows_no_key(gateway: str, upstream: Upstream) -> None:
    """In the middle of a stream as well."""
    event = orjson.dumps({"error": {"message": f"bad key {KEY}", "code": KEY, "type": "x"}}).decode()
    upstream.script = Script(["Hel", b"data: " + event.encode() + b"\n\n", Hang()])
    async with calling(f"{gateway}{CHAT}", {**ASK, "model": "up", "stream": True}) as call:
        body = await call.body()
    assert b"Hel" in body and b'"error"' in body and KEY.encode() not in body


async def test_n52_n55_a_whole_run_writes_no_secret(upstream: Upstream, tmp_path: Path) -> None:
    """Answers, refusals, errors that quote keys, wrong capabilities: no key, secret or word said is in the log."""
    planted = {
        "OPENAI_API_KEY": "planted-openai-key-0123",
        "OPENAI_BASE_URL": upstream.url,
        "GATEWAY_ADMIN_KEY": 'planted"admin\\key-0123',
        "GATEWAY_SECRET": "planted-secret-0123456789-0123456789",
    }
    said = {"model": "openai", "messages": [{"role": "user", "content": "planted-question"}]}
    replies: list[Script | Answer] = [
        Script(["planted-answer"]),
        Answer(400, error(f"bad key {planted['OPENAI_API_KEY']}", planted["OPENAI_API_KEY"])),
        Answer(500, error(f"bad key {planted['OPENAI_API_KEY']}", planted["OPENAI_API_KEY"])),
        Script(["planted-answer", b"data: {planted-garbage\n\n"]),
    ]
    (tmp_path / "prompts").mkdir()
    config = f'prompts = "{tmp_path / "prompts"}"\n'
    with ExitStack() as stack:
        opened = gateway_process(config, planted)
        running = await asyncio.to_thread(stack.enter_context, opened)
        async with httpx.AsyncClient(base_url=running.url) as client:
            shown = []
            for reply in replies:
                upstream.script = reply
                shown.append(await client.post(CHAT, json=said, headers={"x-api-key": "planted-callers-key"}))
            shown.append(await client.post(f"/k/planted-capability-{'x' * 20}/chat/completions", json=said))
            shown.append(await client.post(CHAT, json=said, headers={"x-api-key": planted["GATEWAY_ADMIN_KEY"]}))
            shown.append(await client.post("/v1/v1/chat/completions/planted%0aline/chat/completions", json=said))
        assert [answer.status_code for answer in shown] == [200, 400, 502, 502, 404, 403, 404]
        log = running.log
        assert '"outcome"' in log and "capability that opens nothing" in log
        assert [line for line in log.splitlines() if "planted" in line] == []
    assert "planted" not in shown[1].text and "planted" not in shown[2].text and "Traceback" not in running.log
