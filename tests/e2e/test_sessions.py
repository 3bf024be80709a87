"""Sessions at a sandbox, answered from the knowledge by a gateway process: as an operator and a visitor have them."""

import asyncio
import contextlib
import json
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway import clients, store
from gateway.launching import launchpad
from gateway.orchestration.launchpad import Launchpad
from gateway.orchestration.sessions import sessions_desk
from gateway.settings import Settings, load
from gateway.simli import client, fields
from gateway.types.orchestration import Launched, SessionsDesk
from tests.e2e.conftest import gateway
from tests.sandboxed import Sandbox, sandboxed
from tests.serving import ROOT, Gateway, Shared, gateway_process
from tests.stores import free_port

QUESTION = "When does the last boat go back in summer?"
FACT = "quarter past five"


@dataclass(frozen=True)
class Site:
    """A gateway that serves, and the settings that a command beside it has."""

    running: Gateway
    config: Path
    environ: dict[str, str]

    def settings(self, sandbox: Sandbox) -> Settings:
        environ = {**self.environ, "SIMLI_URL": sandbox.url}
        return load(self.config.read_text(), str(self.config), environ, base=self.config.parent)


@pytest.fixture(scope="module")
def site(var: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """`gateway serve` with the samples, which shares its store with this process."""
    config = tmp_path_factory.mktemp("site") / "gateway.toml"
    config.write_text(
        f'prompts = "{ROOT / "prompts"}"\nknowledge.directory = "{ROOT / "knowledge"}"\n'
        f'store.prefix = "s{secrets.token_hex(6)}"\nstore.timeout = 1.0\n'
    )
    environ = {"GATEWAY_VAR": str(var), "REDIS_URL": Shared.url, "GATEWAY_SECRET": secrets.token_hex(20)}
    with gateway_process(config.read_text(), environ) as running:
        yield Site(running, config, {**environ, "GATEWAY_PUBLIC_URL": running.url})


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with sandboxed() as running:
        yield running


@contextlib.asynccontextmanager
async def desk_of(settings: Settings) -> AsyncIterator[tuple[SessionsDesk, Launchpad]]:
    """What the commands use."""
    agents = clients.agents(settings)
    async with store.opened(settings) as opened:
        assert await opened.reached(5)
        pad = launchpad(settings, opened, lambda: agents)
        yield sessions_desk(pad), pad


async def applied(pad: Launchpad, settings: Settings) -> str:
    """Have nora at the sandbox, as `agents apply` has her."""
    ground = pad.ground("nora")
    async with client.opened(settings.simli_url, settings.simli_key, settings.simli) as simli:
        made = await simli.create_agent(fields.agent_fields(ground.agent, ground.endpoint, "x").fields)
    return made.id


@pytest.mark.parametrize("by_agent", [False, True], ids=["e2e", "by agent"])
@pytest.mark.parametrize("sends", [{}, {"llm_key": "none"}, {"suffix": "again"}], ids=["key", "no key", "doubled"])
async def test_a_session_is_answered_from_the_knowledge(
    site: Site, sandbox: Sandbox, by_agent: bool, sends: dict[str, Any]
) -> None:
    """Whatever Simli sends, a typed turn is answered; the transcript holds it; after the end the key is refused."""
    settings = site.settings(sandbox)
    await sandbox.behave(**sends)
    async with desk_of(settings) as (desk, pad):
        if by_agent:
            await applied(pad, settings)
        launched = await desk.start("nora", by_agent)
        said = await sandbox.say(launched.room_url, QUESTION)
        assert FACT in said["said"], said
        await until_said(pad, launched)
        ended = await desk.end(launched.session.id)
        assert ended.session.ended is not None and "opens nothing" in ended.says
        if not (by_agent and sends.get("llm_key") == "none"):  # there the URL is the agent's, and no key is asked for
            refused = await until_refused(sandbox, launched)
            assert "401" in refused["error"] and not refused["said"], refused
        await sandbox.leave(launched.room_url)
        found = await desk.transcript(launched.session.id)
        assert found.state == "ready" and found.source in ("simli", "both")
        assert next(line.text for line in found.lines if line.role == "user") == QUESTION
        assert any(FACT in line.text for line in found.lines if line.role == "assistant")
        own = await pad.store.sessions.words(launched.session.id)
        assert own[0].text == QUESTION and FACT in own[1].text
    assert settings.simli_key not in site.running.log and QUESTION not in site.running.log


async def until_refused(sandbox: Sandbox, launched: Launched) -> dict[str, Any]:
    """Another turn, once the gateway's process has heard of the end."""
    for _ in range(20):
        said = await sandbox.say(launched.room_url, "And in winter?")
        if said["error"]:
            return said
        await asyncio.sleep(0.1)
    raise AssertionError("the key still opens")


async def until_said(pad: Launchpad, launched: Launched) -> None:
    """The turn's words are in the store, where they come soon after its end."""
    for _ in range(100):
        if len(await pad.store.sessions.words(launched.session.id)) >= 2:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the words are not kept")


async def command(site: Site, sandbox: Sandbox, *arguments: str, **more: str) -> tuple[int, str, str]:
    """`gateway sessions …`, while this loop goes on; its exit code, standard output and standard error."""
    environ = {**site.environ, "SIMLI_URL": sandbox.url, **more}
    line = ["sessions", *arguments, "--config", str(site.config)]
    done = await asyncio.to_thread(gateway, *line, environ=environ)
    if done.returncode == 0 and "--json" not in arguments:
        assert all(len(line) <= 80 for line in (done.stdout + done.stderr).splitlines())
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


async def test_an_operator_starts_reads_and_ends_a_session(site: Site, sandbox: Sandbox, tmp_path: Path) -> None:
    """The room alone is on standard output, and opened in a browser; what was said is read; an end says what bills."""
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    code, out, err = await command(site, sandbox, "start", "nora", "--open", BROWSER=f"{browser} %s")
    room = out.strip()
    assert code == 0 and room.startswith(f"{sandbox.url}/room/") and "\n" not in room, err
    assert opened.read_text().strip() == room
    [id_] = set(re.findall(r"ses_[a-z0-9]{12}", err))
    assert FACT in (await sandbox.say(room, QUESTION))["said"]
    code, out, err = await command(site, sandbox, "transcript", id_)
    assert code == 75 and "The session is open" in err
    assert re.search(rf"^\d\d:\d\d:\d\d  person  {re.escape(QUESTION)}$", out, re.MULTILINE), out
    code, out, err = await command(site, sandbox, "end", id_, "--json")
    told = json.loads(out)
    assert code == 0 and told["session"]["id"] == id_ and told["session"]["state"] == "ended", err
    assert told["billed_until"] == pytest.approx(told["session"]["started"] + 1800, abs=1) and "120 s" in told["says"]
    waiting = asyncio.create_task(command(site, sandbox, "transcript", id_, "--wait", "--json"))
    await asyncio.sleep(0.5)
    await sandbox.leave(room)
    code, out, err = await waiting
    assert code == 0 and json.loads(out)["state"] == "ready" and QUESTION in out, err
    code, out, err = await command(site, sandbox, "list")
    assert code == 0 and re.search(rf"^{id_}  nora +e2e +ended ", out, re.MULTILINE), out


async def test_what_goes_wrong_is_one_message_and_an_exit_code(site: Site, sandbox: Sandbox) -> None:
    """An account that cannot pay, a URL that Simli would not reach, a wrong key, ids that are none: no key is said."""
    await sandbox.fault("auto.start", status=402, body={"detail": "BILLING_ERROR"})
    code, out, err = await command(site, sandbox, "start", "nora")
    assert (code, out) == (77, "") and "BILLING_ERROR" in err and err.count("gateway:") == 1
    nowhere = f"http://127.0.0.1:{free_port()}"
    code, out, err = await command(site, sandbox, "start", "nora", GATEWAY_PUBLIC_URL=nowhere)
    assert (code, out) == (69, "") and f"{nowhere} refuses connections" in err and "gw_" not in err
    code, out, err = await command(
        site, sandbox, "start", "nora", "--by-agent", SIMLI_API_KEY="planted0planted0planted0"
    )
    assert (code, out) == (77, "") and "SIMLI_API_KEY" in err and "planted" not in err
    code, out, err = await command(site, sandbox, "end", "ses_zzzzzzzzzzzz")
    assert (code, out) == (1, "") and "gateway sessions list" in err
