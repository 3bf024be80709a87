"""Faults and behaviour are data, and so is what was seen."""

import asyncio
import time

import httpx
import pytest

from tests.sandbox.account import AGENT, Account

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("kind", "status", "says"),
    [
        ("overloaded", 503, "server overloaded"),
        ("fail_token", 400, "FAIL TOKEN"),
        ("limited", 429, "Too Many"),
        ("failing", 500, "Internal"),
        ("garbage", 200, "<html>"),
    ],
)
async def test_a_kind_of_fault(simli: Account, kind: str, status: int, says: str) -> None:
    """It is met as often as it was set for, and noted in the call; then all is as it was."""
    await simli.sandbox.fault("compose.*", kind, count=2)
    asked = {"headers": simli.header, "json": {"faceId": "f"}}
    for _ in range(2):
        answer = await simli.http.post("/compose/token", **asked)  # type: ignore[arg-type]
        assert answer.status_code == status and says in answer.text
        assert answer.headers["access-control-allow-origin"] == "*"
    assert (await simli.http.post("/compose/token", **asked)).status_code == 200  # type: ignore[arg-type]
    assert [call["fault"] for call in await simli.sandbox.calls("compose.token")] == [kind, kind, ""]


async def test_a_fault_of_ones_own(simli: Account) -> None:
    """Status, body and headers are as they were set, for a method and path as for an operation."""
    await simli.sandbox.fault("GET /agents", status=402, body={"detail": "BILLING_ERROR"}, headers={"x-a": "b"})
    answer = await simli.http.get("/agents", headers=simli.header)
    assert (answer.status_code, answer.json(), answer.headers["x-a"]) == (402, {"detail": "BILLING_ERROR"}, "b")
    assert (await simli.http.get("/auto/agents", headers=simli.header)).status_code == 200
    await simli.sandbox.mend()
    assert (await simli.http.get("/agents", headers=simli.header)).status_code == 200


async def test_an_answer_can_be_lost_after_the_deed(simli: Account) -> None:
    """The agent is made, and whoever asked for it is told that it failed, or hears of it too late."""
    await simli.sandbox.fault("agents.create", status=500, after=True, count=1)
    assert (await simli.http.post("/agent", headers=simli.header, json=AGENT)).status_code == 500
    await simli.sandbox.fault("agents.create", delay=0.5, after=True, count=1)
    with pytest.raises(httpx.ReadTimeout):
        await simli.http.post("/agent", headers=simli.header, json=AGENT, timeout=0.2)
    assert len(await simli.sandbox.agents()) == 2


async def test_a_late_answer_and_none(simli: Account) -> None:
    """A delay delays what would have been answered; what hangs is never answered, until the client goes."""
    await simli.sandbox.fault("ping", delay=0.15, count=1)
    began = time.perf_counter()
    assert (await simli.http.get("/ping")).json() == {"message": "pong"}
    assert time.perf_counter() - began >= 0.15
    await simli.sandbox.fault("ping", "hang", count=1)
    with pytest.raises(httpx.ReadTimeout):
        await simli.http.get("/ping", timeout=0.2)
    for _ in range(100):
        if (await simli.sandbox.calls("ping"))[-1]["ms"] is not None:
            break
        await asyncio.sleep(0.01)
    assert (await simli.sandbox.calls("ping"))[-1]["status"] is None


@pytest.mark.parametrize(
    ("path", "body", "names"),
    [
        ("faults", {"operation": "ping", "kind": "bored"}, "kind"),
        ("faults", {"operation": "ping", "kind": ["hang"]}, "kind"),
        ("faults", {"operation": "ping", "status": 99}, "status"),
        ("faults", {"operation": "ping", "colour": "red"}, "colour"),
        ("faults", {"status": 500}, "operation"),
        ("faults", {"operation": "ping"}, "status"),
        ("behaviour", {"llm_key": "both"}, "llm_key"),
        ("behaviour", {"single_use": 1}, "single_use"),
        ("behaviour", {"sessions": -1}, "sessions"),
        ("behaviour", {"refuses_key_with": 200}, "refuses_key_with"),
        ("behaviour", {"mood": "good"}, "mood"),
        ("behaviour", {"session": "nobody", "suffix": "again"}, "session"),
        ("behaviour", {"session": {}, "suffix": ["again"]}, "suffix"),
    ],
)
async def test_what_cannot_be_set_is_named(simli: Account, path: str, body: dict[str, object], names: str) -> None:
    """422 with the name of the field; nothing is set."""
    answer = await simli.http.post(f"/sandbox/{path}", json=body)
    assert answer.status_code == 422 and answer.json()["detail"].startswith(f"{names}: ")
    state = await simli.sandbox.state()
    assert state["faults"] == [] and state["behaviour"]["llm_key"] == "token"


async def test_one_generation_can_be_away(simli: Account) -> None:
    """`serves` takes the other's paths away; what both have stays."""
    paths = ("/auto/agents", "/agents", "/compose/ice", "/getE2ETranscript/x", "/ping")

    async def there() -> list[bool]:
        answers = [await simli.http.get(path, headers=simli.header) for path in paths]
        return [one.status_code != 404 for one in answers]

    await simli.sandbox.behave(serves="legacy")
    assert await there() == [False, True, False, True, True]
    await simli.sandbox.behave(serves="current")
    assert await there() == [True, True, True, False, True]


async def test_agents_are_made_by_hand(simli: Account) -> None:
    """As in Simli's dashboard, without a key; no page of another origin can, nor may read what is here."""
    made = await simli.http.post("/sandbox/agents", json=AGENT)
    path = f"/sandbox/agents/{made.json()['id']}"
    assert (await simli.http.put(path, json={"language": "de"})).json()["language"] == "de"
    assert [agent["language"] for agent in await simli.sandbox.agents()] == ["de"]
    for body in ({"colour": "red"}, {"voice_provider": "PlayHT"}):
        assert (await simli.http.put(path, json=body)).status_code == 422
    assert (await simli.http.post("/sandbox/agents", json={"name": "n"})).status_code == 422
    elsewhere = {"origin": "https://page.example"}
    for method, where in (("POST", "/sandbox/agents"), ("DELETE", path), ("GET", "/sandbox/state.json")):
        refused = await simli.http.request(method, where, json=AGENT, headers=elsewhere)
        assert refused.status_code == 403 and "access-control-allow-origin" not in refused.headers
    assert (await simli.http.delete(path, headers={"origin": simli.sandbox.url})).status_code == 204
    assert (await simli.http.delete(path)).status_code == 404


async def test_the_page_loads_nothing_from_elsewhere(simli: Account) -> None:
    """What `/sandbox` and a room's page load is all here, and the browser is told to load nothing else."""
    started = await simli.start()
    for path in ("/sandbox", started["roomUrl"]):
        page = await simli.http.get(path)
        assert page.status_code == 200 and page.headers["content-security-policy"] == "default-src 'self'"
        loaded = [part.split('"')[1] for part in page.text.split("<")[1:] if "/sandbox/" in part and '"' in part]
        assert loaded and "http" not in page.text.replace("http-equiv", "")
        for name in ("page.css", "page.js", "player.js", "room.js", "face.svg"):
            assert (await simli.http.get(f"/sandbox/{name}")).status_code == 200


async def test_no_secret_is_shown(simli: Account) -> None:
    """Of keys, tokens and capabilities the state knows that there were some, and not what they were."""
    planted = "planted-0123456789-abcdefghijkl"
    await simli.agent(llm_endpoint=f"https://x.example/k/gw.{planted}/agents/nora/v1/chat/completions")
    token = await simli.token(llmAPIKey=planted, ttsAPIKey=planted)
    await simli.http.get(f"/session/x/{token}")
    await simli.http.get("/agents", params={"session_token": token}, headers={"authorization": f"Bearer {planted}"})
    custom = {"model": "m", "baseURL": f"http://127.0.0.1:9/k/gw_{planted}/v1", "llmAPIKey": planted}
    await simli.start(customLLMConfig=custom, ttsAPIKey=planted)
    shown = (await simli.http.get("/sandbox/state.json")).text
    assert planted not in shown and token[:30] not in shown and simli.sandbox.key not in shown
