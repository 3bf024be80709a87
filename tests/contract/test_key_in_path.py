"""A key in the path, where Simli sends what it likes in a header: it opens, and is refused, as in a header."""

import logging
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import openai
import pytest

from gateway.app import create_app
from gateway.http.capability import path
from gateway.settings import Auth, Limits
from gateway.types import Turn
from tests.contract.conftest import AGENTS, settings
from tests.contract.test_auth import ASK, without_id
from tests.keyring import Keyring, long_ago
from tests.serving import serve, sharing
from tests.upstream import Upstream

SESSION = "ses_abcdefghijkl"
CHAT = "agents/nora/v1/chat/completions"


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(agents=tuple(AGENTS))


@pytest.fixture
async def http(upstream: Upstream, tmp_path: Path, keyring: Keyring) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway that asks everybody for a key."""
    told = replace(settings(upstream.url, tmp_path), auth=Auth(anonymous=False), limits=Limits(wrong_keys=20))
    app = create_app(sharing(told), AGENTS, access=keyring.access)
    async with serve(app) as url, httpx.AsyncClient(base_url=url) as client:
        yield client


def turns(caplog: pytest.LogCaptureFixture) -> list[Turn]:
    return [getattr(record, "turn") for record in caplog.records if hasattr(record, "turn")]  # noqa: B009


async def test_it_opens_whatever_comes_in_a_header(
    http: httpx.AsyncClient, keyring: Keyring, caplog: pytest.LogCaptureFixture
) -> None:
    """Every spelling, with no key, the same, or somebody's else; the turn is the session's; nothing shows the key."""
    key = keyring.made("abcdefghijkl", agent="nora", session=SESSION, expires=time.time() + 60)
    with caplog.at_level(logging.DEBUG, "gateway"):
        for rest in (CHAT, f"{CHAT}/chat/completions", "/v1/chat/completions", "chat/completions/"):
            for header in ("", "none", "gw_unknown", key, keyring.made("other")):
                headers = {"authorization": f"Bearer {header}"} if header else {}
                answer = await http.post(f"/k/{key}/{rest}", json={**ASK, "model": "gpt-4o-mini"}, headers=headers)
                assert answer.status_code == 200, (rest, header, answer.text)
        models = await http.get(f"/k/{key}/agents/nora/v1/models")
    assert [model["id"] for model in models.json()["data"]] == ["nora"]
    assert {(turn.key, turn.session) for turn in turns(caplog)} == {("abcdefghijkl", SESSION)}
    assert key not in caplog.text and "abcdefghijkl_" not in caplog.text


async def test_openai_python_takes_it_as_its_base(http: httpx.AsyncClient, keyring: Keyring) -> None:
    """The URL alone is enough for a stream, with whatever key the SDK insists on."""
    key = keyring.made("abcdefghijkl", agent="nora", session=SESSION)
    base = f"{http.base_url}/k/{key}/agents/nora/v1"
    async with openai.AsyncOpenAI(base_url=base, api_key="sk-anything", max_retries=0) as client:
        stream = await client.chat.completions.create(
            model="nora", messages=[{"role": "user", "content": "Hi"}], stream=True
        )
        said = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
    assert "".join(said) == "Hello there."


async def test_a_revoked_and_an_expired_one_are_refused_as_in_a_header(
    http: httpx.AsyncClient, keyring: Keyring, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    """401 with the very body of a wrong key in a header, in the path alone and beside a good one."""
    good = keyring.made("good", agent="nora")
    wrong = await http.post("/v1/chat/completions", json=ASK, headers={"x-api-key": "gw_a_b"})
    for bad in (keyring.made("old", agent="nora", expires=long_ago()), keyring.made("gone", revoked=long_ago())):
        for place, headers in (
            (f"/k/{bad}/{CHAT}", {}),
            (f"/k/{bad}/{CHAT}", {"x-api-key": good}),
            (f"/k/{good}/{CHAT}", {"x-api-key": bad}),
            (path(keyring.capabilities.id, keyring.capabilities.of("nora"), "nora"), {"x-api-key": bad}),
        ):
            answer = await http.post(place, json=ASK, headers=headers)
            assert answer.status_code == 401 and without_id(answer) == without_id(wrong), place.partition("gw_")[0]
        assert bad not in caplog.text
    assert not upstream.requests


async def test_what_opens_nothing_is_the_404_of_every_wrong_path(http: httpx.AsyncClient, keyring: Keyring) -> None:
    """An unknown key, another agent than its own, or more than chat: as a capability that opens nothing."""
    key, admins = keyring.made("bound", agent="nora"), keyring.made("root", scope="admin")
    answers = [
        await http.post(place, json=ASK)
        for place in (
            f"/k/gw_zzzzzzzzzzzz_{'x' * 43}/{CHAT}",
            f"/k/{key}x/{CHAT}",
            f"/k/{key}/agents/strict/v1/chat/completions",
            f"/k/{key}/admin/keys",
            f"/k/{key}",
        )
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({without_id(answer) for answer in answers}) == 1
    assert (await http.post(f"/k/{admins}/{CHAT}", json=ASK)).status_code == 403


async def test_a_key_for_every_agent_opens_them_by_the_path(http: httpx.AsyncClient, keyring: Keyring) -> None:
    """An unbound key asks the agent that the path names, or the one that `model` does."""
    key = keyring.made("whole")
    for place, body in ((f"/k/{key}/{CHAT}", {**ASK, "model": "gpt"}), (f"/k/{key}/v1/chat/completions", ASK)):
        answer = await http.post(place, json=body)
        assert answer.status_code == 200, answer.text
    assert len((await http.get(f"/k/{key}/v1/models")).json()["data"]) == 4


async def test_beside_a_capability_a_good_key_names_the_turn(
    http: httpx.AsyncClient, keyring: Keyring, caplog: pytest.LogCaptureFixture
) -> None:
    """A session's key says whose turn it is; one for another agent says nothing, and the capability opens anyway."""
    place = path(keyring.capabilities.id, keyring.capabilities.of("nora"), "nora")
    mine = keyring.made("mine", agent="nora", session=SESSION)
    with caplog.at_level(logging.INFO, "gateway"):
        for key in (mine, keyring.made("other", agent="strict", session="ses_other")):
            assert (await http.post(place, json=ASK, headers={"authorization": f"Bearer {key}"})).status_code == 200
    assert [(turn.key, turn.session) for turn in turns(caplog)] == [("mine", SESSION), ("", "")]
