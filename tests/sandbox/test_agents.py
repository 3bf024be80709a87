"""Agents, in both families of paths."""

import uuid

import pytest

from tests.sandbox.account import AGENT, Account

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAMILIES = pytest.mark.parametrize("base", ["", "/auto"])


@FAMILIES
async def test_an_agent_lives_in_both_families(simli: Account, base: str) -> None:
    """Created (201) it is whole, read, listed in a bare array, changed in part, and deleted (204)."""
    created = await simli.http.post(f"{base}/agent", headers=simli.header, json=AGENT)
    agent = created.json()
    assert created.status_code == 201
    assert [str(uuid.UUID(agent[name])) for name in ("id", "owner_id")] == [agent["id"], agent["owner_id"]]
    assert (agent["max_idle_time"], agent["max_session_length"], agent["prompt"]) == (300, 3600, "")
    for path in (f"{base}/agents", f"{base}/agent"):
        assert (await simli.http.get(path, headers=simli.header)).json() == [agent]
    changed = await simli.http.put(f"{base}/agent/{agent['id']}", headers=simli.header, json={"prompt": "Be kind."})
    assert changed.status_code == 200
    read = (await simli.http.get(f"{base}/agent/{agent['id']}", headers=simli.header)).json()
    assert read == {**agent, "prompt": "Be kind.", "updated_at": read["updated_at"]}
    assert read["updated_at"] > agent["updated_at"]
    gone = await simli.http.delete(f"{base}/agent/{agent['id']}", headers=simli.header)
    assert (gone.status_code, gone.content) == (204, b"")
    for ask in (simli.http.get, simli.http.delete):
        assert (await ask(f"{base}/agent/{agent['id']}", headers=simli.header)).status_code == 404


async def test_unknown_fields_are_ignored_and_shown(simli: Account) -> None:
    """What Simli does not know, and what it assigns itself, changes nothing; the call says so."""
    agent = await simli.agent(temperature=1, owner_id="mine", created_at="yesterday")
    assert "temperature" not in agent and agent["owner_id"] != "mine"
    call = (await simli.sandbox.calls("agents.create"))[-1]
    assert (call["unknown"], call["assigned"]) == (["temperature"], ["owner_id", "created_at"])


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"face_id": "f"}, "name"),
        ({"name": "n"}, "face_id"),
        ({**AGENT, "voice_provider": "PlayHT"}, "voice_provider"),
        ({**AGENT, "max_idle_time": "soon"}, "max_idle_time"),
        ([], "JSON object"),
    ],
)
async def test_what_an_agent_cannot_be_is_400(simli: Account, body: object, says: str) -> None:
    """This program of Simli's answers `{"error", "code"}`, and nothing is made."""
    answer = await simli.http.post("/agent", headers=simli.header, json=body)
    assert answer.status_code == 400 and says in answer.json()["error"]
    assert (await simli.http.get("/agents", headers=simli.header)).json() == []


@FAMILIES
async def test_a_wrong_key_opens_nothing(simli: Account, base: str) -> None:
    """Without the key, or with another, every operation is 401."""
    agent = await simli.agent()
    for headers in ({}, {"x-simli-api-key": "another"}, {"api-key": simli.sandbox.key}):
        for method, path in (("POST", "agent"), ("GET", "agents"), ("PUT", f"agent/{agent['id']}")):
            answer = await simli.http.request(method, f"{base}/{path}", headers=headers, json=AGENT)
            assert answer.status_code == 401 and answer.json()["code"]
