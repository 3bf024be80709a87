"""One shape of error, whatever is wrong, and never a 500 or a hang for a caller's mistake."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from gateway.app import Drain
from tests.upstream import Upstream

USER = {"role": "user", "content": "Hi"}
SIMLI = (
    "You are Chatbot, a friendly, helpful robot. Your goal is to demonstrate your capabilities in a succinct way. "
    "Your output will be converted to audio so don't include special characters in your answers. "
    "Respond to what the user said in a creative and helpful way, but keep your responses brief."
)
CHAT = "/v1/chat/completions"


@pytest.fixture
async def http(gateway: str) -> Any:
    async with httpx.AsyncClient(base_url=gateway, timeout=5) as client:
        yield client


def envelope(answer: httpx.Response) -> dict[str, Any]:
    """Assert the one shape, and return the error."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    body = answer.json()
    assert set(body) == {"error"} and set(body["error"]) == {"message", "type", "param", "code"}
    assert isinstance(body["error"]["message"], str) and answer.headers["x-request-id"] in body["error"]["message"]
    assert "Traceback" not in answer.text and ".py" not in answer.text
    return dict(body["error"])


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "param"),
    [
        ("POST", CHAT, b"{", 400, "invalid_json", None),
        ("POST", CHAT, b"", 400, "invalid_json", None),
        ("POST", CHAT, b"\xff\xfe", 400, "invalid_json", None),
        ("POST", CHAT, b'{"model":"nora","messages":[],"messages":[]}', 400, "invalid_json", None),
        ("POST", CHAT, b'{"model":"nora","messages":[{"role":"user","content":"\\ud800"}]}', 400, "invalid_json", None),
        ("POST", CHAT, b"[" * 100_000, 400, "invalid_json", None),
        ("POST", CHAT, b"[]", 400, "invalid_type", None),
        ("POST", CHAT, {"model": "nora"}, 400, "missing_required_parameter", "messages"),
        ("POST", CHAT, {"model": "nora", "messages": "Hi"}, 400, "invalid_type", "messages"),
        ("POST", CHAT, {"model": "nora", "messages": ["Hi"]}, 400, "invalid_type", "messages[0]"),
        ("POST", CHAT, {"model": "nora", "messages": [{"content": "x"}]}, 400, None, "messages[0].role"),
        ("POST", CHAT, {"model": "nora", "messages": [{"role": "robot", "content": "x"}]}, 400, "invalid_value", None),
        ("POST", CHAT, {"model": "nora", "messages": [{"role": "user", "content": 7}]}, 400, "invalid_type", None),
        ("POST", CHAT, {"model": "nora", "messages": [USER] * 10_000}, 400, "invalid_value", "messages"),
        ("POST", CHAT, {"model": "nora", "messages": [USER], "stream": "maybe"}, 400, None, "stream"),
        ("POST", CHAT, {"model": "nora", "messages": [USER], "n": 128}, 400, "invalid_value", "n"),
        ("POST", CHAT, {"model": "nora", "messages": [USER], "max_tokens": -1}, 400, "invalid_value", "max_tokens"),
        ("POST", CHAT, {"model": "nora", "messages": [USER], "temperature": "hot"}, 400, None, "temperature"),
        ("POST", CHAT, {"model": 7, "messages": [USER]}, 400, "invalid_type", "model"),
        ("POST", CHAT, {"model": "nobody", "messages": [USER]}, 404, "model_not_found", "model"),
        ("POST", CHAT, {"messages": [USER]}, 404, "model_not_found", "model"),
        ("POST", CHAT, {"model": "strict", "messages": []}, 400, "invalid_value", "messages"),
        ("POST", CHAT, {"model": "up", "messages": []}, 400, "invalid_value", "messages"),
        ("POST", "/agents/nobody/chat/completions", {"messages": [USER]}, 404, "model_not_found", "model"),
        ("POST", CHAT, b'{"messages":"' + b"x" * 2_000_000 + b'"}', 413, "request_too_large", None),
        ("POST", "/nowhere", {}, 404, "not_found", None),
        ("GET", CHAT, None, 405, "method_not_allowed", None),
        ("PUT", "/v1/models", {}, 405, "method_not_allowed", None),
        ("GET", "/v1/models/nobody", None, 404, "model_not_found", "model"),
    ],
)
async def test_a_wrong_request_gets_one_clear_error(
    http: httpx.AsyncClient, *, method: str, path: str, body: Any, status: int, code: str | None, param: str | None
) -> None:
    """Status, type, code and the parameter's name, in OpenAI's envelope, with the request's id."""
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    answer = await http.request(method, path, content=content)
    error = envelope(answer)
    assert answer.status_code == status, error
    assert code is None or error["code"] == code, error
    assert param is None or error["param"] == param, error


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [USER]},
        {"model": "gpt-4o-mini", "messages": [USER]},
        {"model": "up", "messages": [USER]},
        {"messages": [USER], "stream": "true"},
        {"messages": [{"role": "system", "content": SIMLI}, USER]},
        {"messages": [{"role": "assistant", "content": "Welcome."}, USER]},
        {"messages": [{"role": "asssistant", "content": "Welcome."}, USER]},
        {"messages": [{"role": "developer", "content": "Be brief."}, {**USER, "name": "ann"}]},
        {"messages": [{"role": "assistant", "content": None}, USER]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://10.0.0.1/"}}]}]},
        {"messages": [{"role": "tool", "tool_call_id": "gone", "content": "x"}, USER]},
        {"messages": [USER, USER, USER]},
        {"messages": [USER], "unknown": {"deep": [1, 2]}, "api_base": "http://10.0.0.1/", "extra_headers": {"a": "b"}},
        {"messages": [USER], "stream_options": {"include_obfuscation": True}},
        {"messages": [USER], "max_tokens": 5, "max_completion_tokens": 5, "temperature": 0.2, "user": "u"},
    ],
)
async def test_an_odd_request_is_answered(http: httpx.AsyncClient, upstream: Upstream, body: dict[str, Any]) -> None:
    """An agent in the path answers whatever `model` says and whatever else is odd; nothing strange goes upstream."""
    answer = await http.post("/agents/nora/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    assert "Hello" in answer.text and answer.text.endswith("data: [DONE]\n\n")
    sent = upstream.requests[0].json
    assert sent["messages"][0]["content"].startswith("You are Nora.") and "Chatbot" not in str(sent)
    assert "10.0.0.1" not in str(sent) and not {"api_base", "extra_headers", "unknown"} & set(sent)


@pytest.mark.parametrize(
    "messages", [[], [{"role": "system", "content": SIMLI}], [{"role": "assistant", "content": "x"}]]
)
async def test_a_conversation_that_begins_gets_the_first_message(
    http: httpx.AsyncClient, upstream: Upstream, messages: list[Any]
) -> None:
    """Nobody has asked anything: the agent greets, and no model is asked."""
    answer = await http.post("/agents/nora/chat/completions", json={"messages": messages, "stream": False})
    assert answer.json()["choices"][0]["message"]["content"] == "Welcome to the lighthouse."
    assert not upstream.requests


@pytest.mark.parametrize(
    "path",
    [
        "/chat/completions",
        "/v1/chat/completions/",
        "//v1/chat/completions",
        "/v1/chat/completions/chat/completions",
        "/v1/v1/chat/completions",
        "/agents/nora/chat/completions",
        "/agents/nora/v1/chat/completions/chat/completions",
    ],
)
async def test_every_spelling_of_the_path_is_answered_directly(http: httpx.AsyncClient, path: str) -> None:
    """No redirect: it would lose the body of a POST in some clients."""
    answer = await http.post(path, json={"model": "nora", "messages": [USER]})
    assert answer.status_code == 200 and "[DONE]" in answer.text


async def test_no_content_type_is_needed(http: httpx.AsyncClient) -> None:
    """A body is JSON, whatever it is called."""
    for headers in ({}, {"content-type": "text/plain"}, {"content-type": "application/json; charset=UTF-8"}):
        body = json.dumps({"model": "nora", "messages": [USER]})
        assert (await http.post(CHAT, content=body, headers=headers)).status_code == 200


async def test_options_and_head(http: httpx.AsyncClient) -> None:
    """OPTIONS says what is allowed, HEAD answers where GET does, 405 names what would be right."""
    for path, allowed in (
        (CHAT, "POST, OPTIONS"),
        ("/v1/models", "GET, HEAD, OPTIONS"),
        ("/livez", "GET, HEAD, OPTIONS"),
    ):
        answer = await http.options(path)
        assert (answer.status_code, answer.headers["allow"]) == (204, allowed)
    assert (await http.head("/v1/models")).status_code == 200
    assert "POST" in (await http.get(CHAT)).headers["allow"]


async def test_the_callers_request_id_is_kept_if_it_is_sane(http: httpx.AsyncClient) -> None:
    """An id with a line break in it is not."""
    assert (await http.get("/livez", headers={"x-request-id": "abc-1"})).headers["x-request-id"] == "abc-1"
    assert (await http.get("/livez", headers={"x-request-id": "a b"})).headers["x-request-id"].startswith("req_")


async def test_a_body_that_does_not_come_is_a_408(gateway: str) -> None:
    """A caller that sends a byte a second does not hold a place."""
    host, port = gateway.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert b" 408 " in await asyncio.wait_for(reader.readline(), 3)
    writer.close()


async def test_a_chunked_body_is_limited_while_it_is_read(http: httpx.AsyncClient) -> None:
    """413 without a declared length, before the whole body was sent."""

    async def endless() -> Any:
        for _ in range(40):
            yield b"x" * 65536

    answer = await http.post(CHAT, content=endless())
    assert envelope(answer)["code"] == "request_too_large" and answer.status_code == 413


async def test_health_and_the_end(http: httpx.AsyncClient, drain: Drain) -> None:
    """Ready, then draining: readiness is 503 and new turns are refused, the process is still live."""
    assert (await http.get("/readyz")).json() == {"status": "ok", "missing": []}
    drain.begin()
    assert (await http.get("/readyz")).status_code == 503
    answer = await http.post(CHAT, json={"model": "nora", "messages": [USER]})
    assert answer.status_code == 503 and envelope(answer)["code"] == "shutting_down"
    assert (await http.get("/livez")).status_code == 200
