"""Agents planned and applied against the sandbox: made, edited by hand, adopted, moved to a new URL, pruned."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.chat.agent import parse, persona
from gateway.chat.prompt import MARKER, SIMLI_DEFAULT
from gateway.errors import ConfigurationError, Conflict, NotFound, SimliAuthFailed, SimliNotFound, SimliProtocolError
from gateway.orchestration.agency import Agency
from gateway.settings import Simli
from tests.agencies import FACE, ID, ONCE, Dashboard, Files, read
from tests.sandboxed import Sandbox, sandboxed

pytestmark = pytest.mark.asyncio(loop_scope="module")

TODAY = date(2026, 11, 24)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Sandbox]:
    async with sandboxed() as sandbox:
        yield sandbox


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox(running: Sandbox) -> Sandbox:
    """Without agents and without faults."""
    await running.mend()
    await Dashboard(running.url, running.key).clear()
    return running


@pytest.fixture
def dashboard(sandbox: Sandbox) -> Dashboard:
    return Dashboard(sandbox.url, sandbox.key)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Two agents with faces and one without."""
    made = Files(tmp_path)
    made.write("nora", "first_message: Good evening.")
    made.write("emil", "language: de\nvoice: {provider: cartesia, id: v1, model: sonic-2}")
    (tmp_path / "text.md").write_text("You only write.", "utf-8")
    return made


@pytest.fixture
def agency(files: Files, sandbox: Sandbox) -> Agency:
    return files.agency(sandbox.url, sandbox.key)


async def planned(agency: Agency, *, prune: bool = False) -> list[str]:
    """What is to be done, in short: `update nora: face_id`."""
    changed = (await agency.plan(prune)).changed
    return [f"{each.action} {each.agent}: {' '.join(one.field for one in each.differences)}" for each in changed]


@pytest.mark.parametrize("dialect", ["current", "legacy", "auto"])
async def test_applied_once_there_is_nothing_left_to_do(
    dialect: str, files: Files, sandbox: Sandbox, dashboard: Dashboard
) -> None:
    """In every dialect; an agent at Simli has the file's fields, our endpoint, its own name, and one marker line."""
    agency = files.agency(sandbox.url, sandbox.key, Simli(dialect=dialect, patience=0.0))
    plan = await agency.plan()
    assert [each.action for each in plan.changed] == ["create", "create"] and plan.faceless == ("text",)
    applied = await agency.apply()
    assert not applied.error and [each.agent for each in applied.changes] == ["emil", "nora"]
    emil, nora = sorted(await dashboard.agents(), key=lambda each: each.name)
    assert {each.id for each in applied.changes} == {emil.id, nora.id}
    assert nora.fields["prompt"] == MARKER and nora.fields["llm_model"] == "nora"
    assert nora.fields["llm_endpoint"] == files.endpoint("nora") and nora.fields["first_message"] == "Good evening."
    assert (emil.fields["language"], emil.fields["voice_id"], emil.fields["voice_model"]) == ("de", "v1", "sonic-2")
    assert await planned(agency) == [] and (await agency.apply()).changes == ()


async def test_an_update_sends_what_differs_and_nothing_else(
    agency: Agency, files: Files, sandbox: Sandbox, dashboard: Dashboard
) -> None:
    """A hand edit is drift, and is put right; a changed file, a rotation and another public URL are the same."""
    await agency.apply()
    nora = next(each for each in await dashboard.agents() if each.name == "nora")
    await dashboard.edit(nora.id, prompt="You are a pirate.", max_idle_time=9)
    assert await planned(agency) == ["update nora: max_idle_time prompt"]
    await agency.apply()
    call = (await sandbox.calls("agents.update"))[-1]
    assert sorted(call["body"]) == ["max_idle_time", "prompt"] and not call["unknown"]

    files.generations["nora"] = 1
    assert await planned(agency) == ["update nora: llm_endpoint"]
    assert [each.agent for each in (await agency.refresh({"nora", "emil"})).changes] == ["nora"]
    files.public = "https://two.example.org/below"
    files.write("emil", "language: de\nvoice: {provider: cartesia, id: v2, model: sonic-2}")
    assert await planned(agency) == ["update emil: voice_id llm_endpoint", "update nora: llm_endpoint"]
    await agency.apply()
    now = {each.name: each.fields for each in await dashboard.agents()}
    assert now["nora"]["llm_endpoint"] == files.endpoint("nora") and len(now) == 2
    assert await planned(agency) == []


async def test_a_new_url_is_told_to_those_that_are_there(agency: Agency, files: Files, dashboard: Dashboard) -> None:
    """`refresh`, which a tunnel asks for, makes nothing and deletes nothing."""
    await agency.apply()
    files.delete("emil")
    files.write("ann")
    files.public = "https://two.example.org"
    assert [each.agent for each in (await agency.refresh()).changes] == ["nora"]
    assert sorted(each.name for each in await dashboard.agents()) == ["emil", "nora"]


async def test_only_prune_deletes_and_strangers_stay(agency: Agency, files: Files, dashboard: Dashboard) -> None:
    """A stranger of the same name, another gateway's agent: untouched, whatever is applied."""
    theirs = f"https://x.example.org/k/fedcba9876543210.{'c' * 32}/agents/nora/v1/chat/completions"
    strangers = [await dashboard.make("nora"), await dashboard.make("nora", llm_endpoint=theirs)]
    before = [each for each in await dashboard.agents() if each.id in strangers]
    await agency.apply()
    files.delete("nora")
    assert await planned(agency) == [] and await planned(agency, prune=True) == ["delete nora: "]
    await agency.apply()
    assert len(await dashboard.agents()) == 4
    applied = await agency.apply(True)
    assert [(each.action, each.agent) for each in applied.changes] == [("delete", "nora")]
    assert [each for each in await dashboard.agents() if each.name == "nora"] == before
    assert (await agency.plan()).unowned == 2


async def test_a_list_says_how_each_agent_stands(agency: Agency, files: Files, dashboard: Dashboard) -> None:
    """In sync, drift, a duplicate, no file, no face, a file at fault; strangers last."""
    for name in ("gone", "mute", "torn"):
        files.write(name)
    await agency.apply()
    ids = {each.name: each.id for each in await dashboard.agents()}
    await dashboard.edit(ids["emil"], language="fr")
    await dashboard.make("nora", llm_endpoint=files.endpoint("nora"))
    await dashboard.make("Somebody")
    files.delete("gone")
    (files.folder / "mute.md").write_text("You only write.", "utf-8")
    files.write("torn", "langauge: de")
    states = [(each.name, each.state) for each in await agency.listed()]
    assert sorted(states[:-1]) == [
        *(("emil", "drift"), ("gone", "no file"), ("mute", "no face"), ("nora", "duplicate"), ("nora", "in sync")),
        ("torn", "at fault"),
    ]
    assert states[-1] == ("Somebody", "foreign")


async def test_a_fault_anywhere_and_nothing_is_applied(
    agency: Agency, files: Files, sandbox: Sandbox, dashboard: Dashboard
) -> None:
    """A broken file, a voice that Simli's agents cannot have, no public URL: all are said, in plan and apply."""
    files.write("torn", "langauge: de")
    files.write("loud", "voice: {provider: playht, id: v}")
    plan = await agency.plan()
    assert [Path(each.where).name for each in plan.faults] == ["loud.md", "torn.md"]
    assert [each.agent for each in plan.changed] == ["emil", "nora"]
    with pytest.raises(ConfigurationError, match=r"(?s)playht.*langauge"):
        await agency.apply()
    files.delete("torn")
    files.public = ""
    assert [each.where for each in (await agency.plan()).faults] == ["GATEWAY_PUBLIC_URL"]
    with pytest.raises(ConfigurationError, match="GATEWAY_PUBLIC_URL"):
        await agency.apply()
    assert await dashboard.agents() == []
    await sandbox.fault("agents.list", status=500)
    with pytest.raises(ConfigurationError, match="GATEWAY_PUBLIC_URL"):
        await agency.plan()


async def test_an_error_stops_an_apply_and_says_how_far_it_came(
    agency: Agency, files: Files, sandbox: Sandbox, dashboard: Dashboard
) -> None:
    """A new agent is made, an update refused: one done, two left, Simli's own words and the error's code."""
    await agency.apply()
    for name in ("ann", "emil", "nora"):
        files.write(name, "first_message: Hello.")
    await sandbox.fault("agents.update", status=402, body={"error": "No credits", "code": "BILLING_ERROR"})
    applied = await agency.apply()
    assert [each.agent for each in applied.changes] == ["ann"] and applied.left == 2
    assert applied.code == "simli_billing" and "BILLING_ERROR" in applied.error
    await sandbox.mend()
    assert [each.agent for each in (await agency.apply()).changes] == ["emil", "nora"]
    assert len(await dashboard.agents()) == 3


async def test_a_wrong_key_is_an_error_before_anything_is_done(files: Files, sandbox: Sandbox) -> None:
    """It is raised as it is."""
    with pytest.raises(SimliAuthFailed):
        await files.agency(sandbox.url, "another0another0another0", ONCE).apply()


async def test_an_agent_that_would_be_nobodys_is_not_left_behind(
    agency: Agency, sandbox: Sandbox, dashboard: Dashboard
) -> None:
    """A Simli that makes an agent and forgets its endpoint: it is deleted again, or each apply would make one more."""
    forgotten = await dashboard.make("emil")
    body = next(dict(each.fields) for each in await dashboard.agents())
    await sandbox.fault("agents.create", status=201, body=body)
    applied = await agency.apply()
    assert applied.code == SimliProtocolError.code and "llm_endpoint" in applied.error
    assert forgotten not in [each.id for each in await dashboard.agents()]


async def test_delete_leaves_the_file(agency: Agency, files: Files, dashboard: Dashboard) -> None:
    """At Simli only, duplicates too; the next apply makes it again; what is not there is not found."""
    await agency.apply()
    younger = await dashboard.make("nora", llm_endpoint=files.endpoint("nora"))
    change = await agency.delete("nora")
    assert change.action == "delete" and younger in change.warnings[0]
    assert [each.name for each in await dashboard.agents()] == ["emil"] and (files.folder / "nora.md").exists()
    with pytest.raises(NotFound):
        await agency.delete("nora")
    assert await planned(agency) == [
        "create nora: " + " ".join(each.field for each in (await agency.plan()).changes[0].differences)
    ]


async def test_adopted_it_is_ours_and_says_what_it_said(agency: Agency, files: Files, dashboard: Dashboard) -> None:
    """A file of its fields, its prompt as the persona to the letter; at Simli our endpoint and the marker; no drift."""
    prompt = "You are {{name}}: 100 {% of you.\n\n---\nStay {# kind #}."
    id_ = await dashboard.make(
        "Nora",
        prompt=prompt,
        first_message="Ahoy: you",
        language="fr",
        voice_provider="elevenlabs",
        voice_id="v9",
        max_idle_time=60,
    )
    done = await agency.adopt(id_)
    assert (done.agent, done.id, Path(done.file).name) == ("nora-2", id_, "nora-2.md")
    agent = parse("nora-2", read(done.file), done.file)
    assert persona(agent, TODAY) == prompt and agent.face_id == FACE and agent.max_idle_time == 60
    assert agent.voice is not None and (agent.language, agent.voice.id) == ("fr", "v9")
    now = next(each for each in await dashboard.agents() if each.id == id_)
    assert now.fields["prompt"] == MARKER and now.fields["llm_endpoint"] == files.endpoint("nora-2")
    await agency.apply()
    assert await planned(agency) == [] and len(await dashboard.agents()) == 3
    assert await agency.adopt(id_) == done


async def test_what_cannot_be_adopted_is_left_as_it_is(agency: Agency, files: Files, dashboard: Dashboard) -> None:
    """Nobody's id; a gateway's own agent, whose persona is elsewhere; a taken name; a URL that is missing."""
    await agency.apply()
    before = sorted(files.folder.iterdir())
    with pytest.raises(SimliNotFound):
        await agency.adopt("nobody")
    for each in await dashboard.agents():
        with pytest.raises(Conflict, match="this gateway"):
            await agency.adopt(each.id)
    id_ = await dashboard.make("Ann", prompt="You are Ann.")
    with pytest.raises(ConfigurationError, match="--name"):
        await agency.adopt(id_, "nora")
    files.public = ""
    with pytest.raises(ConfigurationError, match="GATEWAY_PUBLIC_URL"):
        await agency.adopt(id_)
    assert sorted(files.folder.iterdir()) == before
    files.public = "https://one.example.org"
    assert (await agency.adopt(id_, "ann")).agent == "ann"
    with pytest.raises(Conflict, match="adopted as ann"):
        await agency.adopt(id_, "ann-2")


async def test_an_agent_without_a_prompt_keeps_simlis_own(agency: Agency, dashboard: Dashboard) -> None:
    """Simli's default text is what it was asked with."""
    done = await agency.adopt(await dashboard.make("Bot"))
    assert persona(parse("bot", read(done.file), done.file), TODAY) == SIMLI_DEFAULT


async def test_no_capability_is_in_a_plan(agency: Agency, files: Files) -> None:
    """Neither in what a plan says nor in what an apply says: whoever had it could chat."""
    said = repr(await agency.plan()) + repr(await agency.apply())
    files.generations["nora"] = 1
    said += repr(await agency.plan())
    for name in ("nora", "emil"):
        secret = files.endpoint(name).partition(f"/k/{ID}.")[2].partition("/")[0]
        assert len(secret) == 32 and secret not in said
