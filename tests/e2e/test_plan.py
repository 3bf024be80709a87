"""`gateway agents` at Simli, as an operator types it: from nothing to nothing, with a hand edit and a kill between."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agencies import FACE, Dashboard
from tests.cutting import cut
from tests.e2e.conftest import gateway
from tests.sandboxed import Sandbox, sandbox_process
from tests.serving import ROOT

AGENT = f"---\nface_id: {FACE}\n---\nYou are somebody.\n"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with sandbox_process() as sandbox:
        yield sandbox


class Place:
    """A folder with agent files, and an operator in it."""

    def __init__(self, folder: Path, simli: Sandbox) -> None:
        self.folder = folder
        self.dashboard = Dashboard(simli.url, simli.key)
        self.environ = {
            "GATEWAY_VAR": str(folder / "var"),
            "GATEWAY_CONFIG": str(folder / "gateway.toml"),
            "GATEWAY_PUBLIC_URL": "https://one.example.org",
            "SIMLI_URL": simli.url,
            "PYTHONPATH": str(ROOT),
        }
        (folder / "prompts").mkdir()
        (folder / "gateway.toml").write_text('prompts = "prompts"\n', "utf-8")

    def write(self, name: str, text: str = AGENT) -> None:
        (self.folder / "prompts" / f"{name}.md").write_text(text, "utf-8")

    def agents(self, *arguments: str, **environ: str) -> tuple[int, str, str]:
        """Run `gateway agents …`; exit code, standard output, standard error."""
        done = gateway("agents", *arguments, environ=self.environ | environ)
        assert "Traceback" not in done.stderr
        assert not [line for line in done.stdout.splitlines() if len(line) > 80 and "/" not in line]
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def place(tmp_path: Path, running: Sandbox) -> Place:
    made = Place(tmp_path, running)
    asyncio.run(made.dashboard.clear())
    return made


def test_an_operator_plans_applies_and_prunes(place: Place) -> None:
    """Exit status 2 where there is something to do, 0 for nothing, 78 for faults; no capability is printed."""
    place.write("nora")
    place.write("emil")
    code, out, _ = place.agents("plan")
    assert code == 2 and "+ create nora" in out and "Plan: 2 to create" in out
    code, out, _ = place.agents("apply")
    assert code == 0 and "+ created nora" in out and "Applied: 2 created" in out
    code, out, _ = place.agents("plan")
    assert code == 0 and out.endswith("\n\nPlan: 0 to create, 0 to update, 0 to delete, 2 unchanged.\n")
    nora = next(each for each in asyncio.run(place.dashboard.agents()) if each.name == "nora")
    asyncio.run(place.dashboard.edit(nora.id, max_idle_time=7))
    code, out, _ = place.agents("plan", GATEWAY_PUBLIC_URL="https://two.example.org")
    assert code == 2 and "max_idle_time: 7 -> 300" in out and "https://two.example.org/k/" in out
    code, out, error = place.agents("rotate", "nora", "--apply")
    assert code == 0 and out.startswith("https://one.example.org/k/") and "Simli has the new one" in error
    capability = out.partition("/k/")[2].partition("/")[0]
    code, out, _ = place.agents("plan", "--json")
    assert code == 0 and '"action": "unchanged"' in out and capability not in out
    (place.folder / "prompts" / "emil.md").unlink()
    place.write("torn", "---\nlangauge: de\n---\nTorn.\n")
    code, out, _ = place.agents("plan")
    assert code == 78 and "torn.md" in out and "nothing is applied" in out
    code, out, error = place.agents("apply", "--prune")
    assert (code, out) == (78, "") and "langauge" in error
    (place.folder / "prompts" / "torn.md").unlink()
    code, out, _ = place.agents("apply", "--prune")
    assert code == 0 and "- deleted emil" in out
    assert [each.name for each in asyncio.run(place.dashboard.agents())] == ["nora"]


def test_an_operator_adopts_lists_and_deletes(place: Place) -> None:
    """By the id that `list --all` shows; what is gone is said with an exit status of its own."""
    id_ = asyncio.run(place.dashboard.make("Frau Öl", prompt="You are {{nobody}}.", language="de"))
    code, out, _ = place.agents("list", "--all")
    assert code == 0 and f"foreign    {id_}" in out
    code, out, _ = place.agents("adopt", id_)
    assert code == 0 and "frau-ol.md" in out
    code, out, _ = place.agents("list")
    assert code == 0 and f"frau-ol  in sync    {id_}" in out
    code, out, _ = place.agents("delete", "frau-ol")
    assert code == 0 and "deleted frau-ol" in out and "Its file stays" in out
    code, out, error = place.agents("adopt", id_)
    assert (code, out) == (65, "") and error.startswith("gateway: ")


def test_simli_away_or_unwilling_has_an_exit_status(place: Place, running: Sandbox) -> None:
    """77 where it refuses key or bill, 75 without a sandbox, 78 where Simli could not reach us; and never the key."""
    place.write("nora")
    asyncio.run(running.fault("agents.create", status=402, body={"error": "No credits", "code": "BILLING_ERROR"}))
    code, out, error = place.agents("apply")
    asyncio.run(running.mend())
    assert (code, out) == (77, "Applied: 0 created, 0 updated, 0 deleted; 1 left.\n")
    assert "BILLING_ERROR" in error and "0 done, 1 left" in error
    key = "wrong0wrong0wrong0wrong0"
    code, out, error = place.agents("apply", SIMLI_API_KEY=key)
    assert (code, out) == (77, "") and error.count("\n") == 1 and key not in error
    code, out, error = place.agents("plan", SIMLI_URL="http://127.0.0.1:9")
    assert (code, out) == (75, "") and "`gateway sandbox` starts one" in error
    there = {"SIMLI_API_KEY": key, "SIMLI_URL": "https://simli.invalid", "GATEWAY_PUBLIC_URL": ""}
    code, out, error = place.agents("apply", **there)
    assert (code, out) == (78, "") and "GATEWAY_PUBLIC_URL" in error and key not in error


async def test_a_killed_process_leaves_nothing_that_the_next_does_not_repair(place: Place, running: Sandbox) -> None:
    """SIGKILL after Simli has made the first agent and before the answer is there."""
    place.write("nora")
    place.write("emil")
    async with cut(running.url) as way:
        environ = {"PATH": os.defpath, **place.environ, "SIMLI_URL": way.url}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", "agents", "apply",
            env=environ, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

        way.at("POST", done=True, dead=True, then=lambda: os.killpg(process.pid, signal.SIGKILL))
        assert await process.wait() == -signal.SIGKILL
    assert len(await place.dashboard.agents()) == 1
    code, out, _ = await asyncio.to_thread(place.agents, "apply")
    assert code == 0 and "Applied: 1 created, 0 updated, 0 deleted." in out
    assert Counter(each.name for each in await place.dashboard.agents()) == {"emil": 1, "nora": 1}
