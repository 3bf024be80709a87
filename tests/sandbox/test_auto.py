"""Simli Auto: tokens, sessions, transcripts."""

import time

import pytest

from tests.sandbox.account import Account

pytestmark = pytest.mark.asyncio(loop_scope="module")

USER = {"provider": "User", "model": "nora", "baseURL": "http://127.0.0.1:9/v1", "apiKey": "sk-user"}
CUSTOM = {"model": "other", "baseURL": "http://127.0.0.1:9/custom", "llmAPIKey": "sk-custom"}


@pytest.mark.parametrize("path", ["/createE2ESessionToken", "/auto/token"])
async def test_a_token_is_opaque(simli: Account, path: str) -> None:
    """It begins as Simli's do, is hundreds of characters long, and has to be encoded in a URL; the key is a field."""
    answer = await simli.http.post(path, json={"simliAPIKey": simli.sandbox.key})
    token = answer.json()["session_token"]
    assert token.startswith("gAAAA") and token.endswith("==") and len(token) > 200
    refused = await simli.http.post(path, json={"simliAPIKey": "another"})
    assert (refused.status_code, refused.json()) == (
        401,
        {"detail": "INVALID_API_KEY", "session_token": "FAIL TOKEN"},
    )
    invalid = await simli.http.post(path, json={"apiKey": simli.sandbox.key})
    assert invalid.status_code == 422 and invalid.json()["detail"][0]["loc"] == ["body", "simliAPIKey"]
    assert invalid.json()["detail"][0]["type"] == "missing"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("base", ["/session", "/auto/start"])
async def test_a_token_starts_an_agent_from_three_places(simli: Account, base: str, method: str) -> None:
    """From the path, the header `session-token` or a Bearer; each time a session that is billed."""
    agent, token = await simli.agent(), await simli.token()
    places = [(f"/{token}", {}), ("", {"session-token": token}), ("", {"authorization": f"Bearer {token}"})]
    for count, (suffix, headers) in enumerate(places, 1):
        answer = await simli.http.request(method, f"{base}/{agent['id']}{suffix}", headers=headers)
        assert answer.status_code == 200, answer.text
        started = answer.json()
        assert started["roomUrl"].startswith(f"{simli.sandbox.url}/room/")
        assert (await simli.sandbox.session(started["sessionId"]))["agent_id"] == agent["id"]
        assert (await simli.sandbox.state())["billed"] == count
        usage = await simli.http.get("/ratelimiter/sessions", headers=simli.header)
        assert usage.json() == {"currentUsage": count}
    assert token not in str(await simli.sandbox.state())


async def test_what_opens_nothing_starts_nothing(simli: Account) -> None:
    """An unknown or expired token and a page that is not named are 401, an unknown agent 404; nothing is billed."""
    agent = await simli.agent()
    expired = await simli.token(expiryStamp=int(time.time()) - 1)
    named = await simli.token(originAllowList=["https://one.example"])
    for token, headers in (("gAAAAno", {}), (expired, {}), (named, {}), (named, {"origin": "https://two.example"})):
        answer = await simli.http.get(f"/session/{agent['id']}/{token}", headers=headers)
        assert answer.status_code == 401 and answer.json()["detail"]
    assert (await simli.http.get(f"/session/{agent['id']}")).status_code == 401
    assert (await simli.http.get(f"/session/nobody/{await simli.token()}")).status_code == 404
    assert (await simli.sandbox.state())["billed"] == 0
    allowed = await simli.http.get(f"/session/{agent['id']}/{named}", headers={"origin": "https://one.example"})
    assert allowed.status_code == 200


async def test_a_start_can_lead_into_the_room(simli: Account) -> None:
    """With `redirect=True`, as Python writes it, the answer leads to the room's page."""
    agent, token = await simli.agent(), await simli.token()
    answer = await simli.http.get(f"/session/{agent['id']}/{token}?redirect=True")
    assert answer.status_code == 303
    page = await simli.http.get(answer.headers["location"])
    assert page.status_code == 200 and "<video" in page.text
    wrong = await simli.http.get(f"/session/{agent['id']}/{token}?redirect=perhaps")
    assert wrong.status_code == 422 and (await simli.sandbox.state())["billed"] == 1


@pytest.mark.parametrize("path", ["/startE2ESession", "/auto/start/configurable"])
@pytest.mark.parametrize(
    ("sent", "used", "over"),
    [
        ({"llmConfig": USER, "customLLMConfig": CUSTOM}, "llmConfig(User)", ["customLLMConfig"]),
        ({"customLLMConfig": CUSTOM}, "customLLMConfig", []),
        ({"llmConfig": {"model": "gpt-4o"}, "customLLMConfig": CUSTOM}, "Simli's own", ["customLLMConfig"]),
        ({}, "Simli's own", []),
    ],
)
async def test_one_of_the_llm_configurations_is_used(
    simli: Account, path: str, sent: dict[str, object], used: str, over: list[str]
) -> None:
    """`llmConfig` with provider User wins; which one it is, and what was passed over, is shown."""
    answer = await simli.http.post(path, headers=simli.header, json={"apiKey": simli.sandbox.key, **sent})
    shown = (await simli.sandbox.session(answer.json()["sessionId"]))["llm"]
    assert (shown["source"], shown["passed_over"]) == (used, over)
    assert "sk-" not in str(await simli.sandbox.state())


async def test_custom_llm_can_be_ignored(simli: Account) -> None:
    """As a developer reports of today's Simli: its own model answers, and nothing says why."""
    await simli.sandbox.behave(custom_llm="ignored")
    started = await simli.start(customLLMConfig=CUSTOM)
    shown = (await simli.sandbox.session(started["sessionId"]))["llm"]
    assert (shown["source"], shown["passed_over"]) == ("Simli's own", ["customLLMConfig"])


@pytest.mark.parametrize(
    ("field", "value", "loc"),
    [
        ("llmConfig", {"provider": "OpenAI", "model": "mine"}, ["llmConfig", "model"]),
        ("llmConfig", {"model": "gpt-4o", "baseURL": "http://x"}, ["llmConfig", "baseURL"]),
        ("llmConfig", {"provider": "User"}, ["llmConfig", "baseURL"]),
        ("llmConfig", {"provider": "Mine"}, ["llmConfig", "provider"]),
        ("customLLMConfig", {"baseURL": "http://x", "llmAPIKey": "k"}, ["customLLMConfig", "model"]),
        ("ttsProvider", "cartesia", ["ttsProvider"]),
        ("maxIdleTime", 1.5, ["maxIdleTime"]),
        ("createTranscript", "perhaps", ["createTranscript"]),
        ("model", "fast", ["model"]),
    ],
)
async def test_what_a_session_cannot_be_is_422(simli: Account, field: str, value: object, loc: list[str]) -> None:
    """FastAPI's shape says where; nothing starts."""
    answer = await simli.http.post("/auto/start/configurable", headers=simli.header, json={field: value})
    assert answer.status_code == 422
    assert [one["loc"] for one in answer.json()["detail"]] == [["body", *loc]]
    assert (await simli.sandbox.state())["billed"] == 0


async def test_a_key_has_one_place_in_each_generation(simli: Account) -> None:
    """The seed's start takes it as a field, today's as a header; a wrong one is 401, or 400 where that is set."""
    assert (await simli.http.post("/startE2ESession", headers=simli.header, json={})).status_code == 422
    assert (await simli.http.post("/auto/start/configurable", json={})).status_code == 422
    assert (await simli.http.post("/startE2ESession", json={"apiKey": "another"})).status_code == 401
    await simli.sandbox.behave(refuses_key_with=400)
    wrong = await simli.http.post("/auto/start/configurable", headers={"x-simli-api-key": "another"}, json={})
    assert (wrong.status_code, wrong.json()) == (400, {"detail": "INVALID_API_KEY"})


async def test_a_transcript_is_there_after_the_end(simli: Account) -> None:
    """404 while the session runs and as long after as is set; for ever where none was asked for."""
    asked = await simli.start(createTranscript="True", firstMessage="Good day.")
    unasked = await simli.start()
    paths = {"/getE2ETranscript": {"api-key": simli.sandbox.key}, "/auto/transcript": simli.header}
    for started in (asked, unasked):
        await simli.sandbox.say(started["roomUrl"], "Who are you?")

    async def transcripts(session: str) -> list[int]:
        return [(await simli.http.get(f"{path}/{session}", headers=key)).status_code for path, key in paths.items()]

    assert await transcripts(asked["sessionId"]) == [404, 404]
    await simli.sandbox.behave(transcript_after=3600)
    for started in (asked, unasked):
        await simli.sandbox.leave(started["roomUrl"])
    assert await transcripts(asked["sessionId"]) == [404, 404]
    await simli.sandbox.behave(transcript_after=0)
    assert await transcripts(unasked["sessionId"]) == [404, 404]
    read = await simli.http.get(f"/getE2ETranscript/{asked['sessionId']}", headers={"api-key": simli.sandbox.key})
    lines = read.json()["transcript"]
    assert [(line["role"], line["content"]) for line in lines[:2]] == [
        ("assistant", "Good day."),
        ("user", "Who are you?"),
    ]
    assert lines[2]["role"] == "assistant" and "gpt-4o-mini" in lines[2]["content"]


async def test_too_many_sessions_are_429(simli: Account) -> None:
    """Where a limit is set; a session that has ended makes room."""
    await simli.sandbox.behave(sessions=1)
    started = await simli.start()
    refused = await simli.http.post("/auto/start/configurable", headers=simli.header, json={})
    assert refused.status_code == 429 and refused.headers["retry-after"]
    await simli.sandbox.leave(started["roomUrl"])
    assert await simli.start()


async def test_a_token_can_be_good_for_one_session(simli: Account) -> None:
    """As on the real service; by default it is not so, for clients try again with the same one."""
    agent, token = await simli.agent(), await simli.token()
    await simli.sandbox.behave(single_use=True)
    statuses = [(await simli.http.get(f"/session/{agent['id']}/{token}")).status_code for _ in range(2)]
    assert statuses == [200, 401]
