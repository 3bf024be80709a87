"""What `gateway check` says of Simli, of the agents there, and of the way from there to here."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.checks import Finding
from gateway.checks.simli import looked, public_url
from gateway.settings import SANDBOX_KEY, SANDBOX_URL, Auth, Settings
from tests.registering import FILE, agency, registering
from tests.sandboxed import Sandbox, sandboxed
from tests.serving import serve
from tests.unit.tunnel.test_keeping import lives


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A local Simli."""
    async with sandboxed() as running:
        yield running


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: Path) -> Settings:
    """Three agents, a sandbox, no knowledge."""
    return registering(sandbox, tmp_path)


def by_what(found: Sequence[Finding]) -> dict[str, Finding]:
    assert all(one.says and (one.remedy or one.level != "fault" or "/" in one.what) for one in found)
    return {one.what: one for one in found}


async def test_agents_that_are_as_their_files_say(settings: Settings, sandbox: Sandbox) -> None:
    """Before an apply it says what is to be done and how; afterwards that all is well; what is changed there shows."""
    found = by_what(await looked(settings))
    assert found["simli"] == Finding("ok", "simli", f"{sandbox.url}, current dialect, 0 agents")
    assert found["agents at Simli"].says == "3 to create" and "gateway agents plan" in found["agents at Simli"].remedy
    async with agency(settings) as agents:
        assert (await agents.apply()).error == ""
    found = by_what(await looked(settings))
    assert found["agents at Simli"] == Finding("ok", "agents at Simli", "3 as their files say, 0 of others")
    (settings.prompts / "pia.md").unlink()
    (settings.prompts / "otto.md").write_text(FILE.format(name="Otto").replace("en", "de"))
    found = by_what(await looked(settings))
    assert found["agents at Simli"].says == "1 to update"
    assert found["agent otto"].level == "warning" and "speaks English" in found["agent otto"].says


async def test_what_simli_cannot_take_is_a_fault(settings: Settings) -> None:
    """A voice's key that is not set would leave an avatar without a voice: it is named, with the file."""
    voice = "voice: {provider: elevenlabs, id: a}\ntts_key_env: NOT_SET\nface_id"
    file = settings.prompts / "nora.md"
    file.write_text(FILE.format(name="Nora").replace("face_id", voice))
    found = by_what(await looked(settings))
    assert found[str(file)].level == "fault" and "NOT_SET is not set" in found[str(file)].says


@pytest.mark.parametrize(
    ("fault", "level"),
    [
        ({"status": 401, "body": {"error": "no"}}, "fault"),
        ({"kind": "failing"}, "warning"),
        ({"kind": "hang"}, "warning"),
    ],
    ids=["401", "500", "hang"],
)
async def test_a_simli_that_fails(settings: Settings, sandbox: Sandbox, fault: dict[str, Any], level: str) -> None:
    """A refused key is a fault; what passes by itself is a warning. Nothing else is said of Simli then, and no key."""
    await sandbox.fault("agents.list", **fault)
    told = replace(settings, simli=replace(settings.simli, timeout=1.0))
    (one,) = await looked(replace(told, simli_key="planted0planted0planted0") if level == "fault" else told)
    assert (one.level, one.what) == (level, "simli")
    assert "planted" not in f"{one}" and settings.simli_key not in f"{one}"


async def test_a_simli_that_nobody_asked_for(settings: Settings) -> None:
    """Without a key and a sandbox nothing is wrong; with SIMLI_URL set, a sandbox that does not run is a warning."""
    away = replace(settings, simli_url="http://127.0.0.1:9", simli_key=SANDBOX_KEY)
    (one,) = await looked(replace(away, environ={"SIMLI_URL": "http://127.0.0.1:9"}))
    assert one.level == "warning" and "gateway sandbox" in one.remedy
    (one,) = await looked(away)
    assert one.level == "warning"
    found = by_what(await looked(replace(away, simli_url=SANDBOX_URL)))  # somebody may run one on this machine
    assert found["simli"].level == "ok"


async def test_a_public_url_for_simli(settings: Settings) -> None:
    """The real Simli wants https from the internet, and nobody there without a key; a sandbox takes what lives here."""
    real = replace(settings, simli_url="https://simli.invalid", public_url="")
    (one,) = await public_url(real)
    assert one.says == "there is no public URL" and "TUNNEL=" in one.remedy
    url, everybody = await public_url(replace(real, public_url="http://bore.pub:4321", auth=Auth(anonymous=True)))
    assert "by http" in url.says and everybody.remedy == "set [auth] anonymous = false"
    async with serve(lives) as here:
        assert await public_url(replace(settings, public_url=here)) == [Finding("ok", "public URL", here)]
    (one,) = await public_url(replace(settings, public_url=here))
    assert one.level == "warning" and "cannot be reached" in one.says
    assert await public_url(replace(settings, public_url="", tunnel="lt --port {port}", auth=Auth(False))) == []
