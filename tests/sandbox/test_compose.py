"""Simli Compose's JSON, and what holds for every path."""

import pytest

from tests.sandbox.account import Account

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_compose_token_in_both_generations(simli: Account) -> None:
    """The seed's path and its alias take the key as a field, today's as a header; booleans are of either case."""
    for path in ("/startAudioToVideoSession", "/startAudioVideoSession", "/StartAudioToVideoSession"):
        body = {"apiKey": simli.sandbox.key, "faceId": "tmp9i8bbq7c", "handleSilence": "False", "syncAudio": 1}
        answer = await simli.http.post(path, json=body)
        assert answer.json()["session_token"].startswith("gAAAA")
    answer = await simli.http.post("/compose/token", headers=simli.header, json={"faceId": "face/emotion"})
    assert answer.json()["session_token"].startswith("gAAAA")


@pytest.mark.parametrize(
    ("face", "code"), [("invalid-face", "INVALID_FACE_ID"), ("", "INVALID_FACE_ID"), ("f/invalid", "INVALID_EMOTION")]
)
async def test_a_refused_token_carries_one(simli: Account, face: str, code: str) -> None:
    """`detail` is the code, and beside it stands a token that is none."""
    answer = await simli.http.post("/compose/token", headers=simli.header, json={"faceId": face})
    assert (answer.status_code, answer.json()) == (400, {"detail": code, "session_token": "FAIL TOKEN"})
    unchecked = {"apiKey": simli.sandbox.key, "faceId": face}
    assert (await simli.http.post("/startAudioToVideoSession", json=unchecked)).status_code == 200
    checked = await simli.http.post("/startAudioToVideoSession", json={**unchecked, "apiVersion": "v2"})
    assert checked.json()["detail"] == code


async def test_a_wrong_key_gets_no_token(simli: Account) -> None:
    """401 with the code in both generations; a missing one is 422."""
    wrong = [
        await simli.http.post("/compose/token", headers={"x-simli-api-key": "no"}, json={"faceId": "f"}),
        await simli.http.post("/startAudioToVideoSession", json={"apiKey": "no", "faceId": "f"}),
    ]
    refused = {"detail": "INVALID_API_KEY", "session_token": "FAIL TOKEN"}
    assert [(one.status_code, one.json()) for one in wrong] == [(401, refused), (401, refused)]
    assert (await simli.http.post("/compose/token", json={"faceId": "f"})).status_code == 422
    assert (await simli.http.get("/compose/ice")).status_code == 422


async def test_ice_servers_have_no_key_too_many(simli: Account) -> None:
    """One at least, with `urls` alone: Python's client takes no key that it does not know."""
    answers = [
        await simli.http.get("/compose/ice", headers=simli.header),
        await simli.http.post("/getIceServers", json={"apiKey": simli.sandbox.key}),
        await simli.http.post("/getIceServer", json={"apiKey": simli.sandbox.key}),
    ]
    for answer in answers:
        assert [list(one) for one in answer.json()] == [["urls"]]
        assert answer.json()[0]["urls"].startswith("stun:127.0.0.1:")


async def test_history_and_usage(simli: Account) -> None:
    """What runs is counted; what was started between two times is listed."""
    started = await simli.start()
    await simli.sandbox.leave(started["roomUrl"])
    await simli.start()
    listed = (await simli.http.get("/history/sessions", headers=simli.header)).json()["sessions"]
    assert [one["endTime"] is None for one in listed] == [True, False]
    assert listed[1]["id"] == started["sessionId"] and listed[1]["sessionTotalTime"] >= 0
    later = {"startTime": "2100-01-01T00:00:00Z"}
    none = await simli.http.get("/history/sessions", headers=simli.header, params=later)
    assert none.json() == {"sessions": []}
    wrong = await simli.http.get("/history/sessions", headers=simli.header, params={"endTime": "never"})
    assert wrong.status_code == 400
    assert (await simli.http.get("/ratelimiter/sessions", headers=simli.header)).json() == {"currentUsage": 1}
    assert (await simli.http.get("/ratelimiter/sessions")).json() == {
        "error": "Missing API key",
        "code": "MISSING_API_KEY",
    }


async def test_livekit_is_refused_in_a_word(simli: Account) -> None:
    """There is no LiveKit server: the code says so."""
    body = {"session_token": "t", "livekit_token": "l", "livekit_url": "wss://x"}
    answer = await simli.http.post("/integrations/livekit/agents", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "LIVEKIT_NOT_CONFIGURED")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/ping"), ("GET", "/agents"), ("POST", "/compose/token"), ("GET", "/nowhere"), ("PUT", "/ping")],
)
async def test_every_answer_may_be_read_by_a_page(simli: Account, method: str, path: str) -> None:
    """CORS headers stand on answers, on errors and on what is not there; a preflight needs no key."""
    asked = {"origin": "https://page.example"}
    answer = await simli.http.request(method, path, headers=asked)
    assert answer.headers["access-control-allow-origin"] == "*"
    preflight = await simli.http.options(path, headers={**asked, "access-control-request-method": method})
    assert preflight.status_code == 200
    allowed = preflight.headers["access-control-allow-headers"]
    assert all(one in allowed for one in ("content-type", "x-simli-api-key", "api-key", "session-token"))
    assert method in preflight.headers["access-control-allow-methods"]


async def test_head_does_nothing(simli: Account) -> None:
    """As with FastAPI it is 405: what would start a session when it is got, starts none."""
    agent, token = await simli.agent(), await simli.token()
    for path in (f"/session/{agent['id']}/{token}", "/ping", "/agents"):
        assert (await simli.http.head(path)).status_code == 405
    assert (await simli.sandbox.state())["billed"] == 0


async def test_a_body_that_is_no_object_is_422(simli: Account) -> None:
    """Garbage, an array, nothing at all, and what is nested beyond reason."""
    for body in (b"{", b"[]", b"", b"[" * 100_000):
        answer = await simli.http.post("/compose/token", headers=simli.header, content=body)
        assert answer.status_code == 422 and answer.json()["detail"][0]["loc"][0] == "body"
