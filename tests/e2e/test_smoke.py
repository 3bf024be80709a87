"""`gateway smoke` as a person runs it: every mode once where all is well.

One sandbox and one gateway serve a file of tests, as what is configured. The agents say little first, and the answers
of mina come at once, where nothing is to be interrupted: each run hears them out.
"""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import httpx
import pytest

from tests.e2e.conftest import gateway
from tests.sandboxed import Sandbox, sandbox_process
from tests.serving import ROOT, gateway_process
from tests.stores import free_port

GREETING = "Hello from the lighthouse."
ONE = ("--questions", "1", "--wait", "4")
SCRIPT = """
[[questions]]
text = "How long does the crossing take?"
facts = ["fifty minutes"]
[[questions]]
text = "Why did people leave the village?"
interrupted = true
[[questions]]
text = "At what height is the highest hill on the island?"
"""
CONFIG = """
prompts = {prompts}
[knowledge]
directory = {knowledge}
[[routes.paced.targets]]
embedded = "extractive"
pace = 12.0
"""


@dataclass(frozen=True)
class World:
    """What is configured."""

    sandbox: Sandbox
    config: Path
    environ: dict[str, str]

    def smoke(self, folder: Path, *arguments: str, **more: str) -> tuple[int, dict[str, Any], str]:
        """`gateway smoke`: its exit status, its report, and what it wrote on standard error."""
        environ = {**self.environ, **more}
        line = ["smoke", "--config", str(self.config), "--report", str(folder / "report"), "--json", *arguments]
        done = gateway(*line, environ=environ)
        assert "Traceback" not in done.stderr, done.stderr
        wide = [each for each in done.stderr.splitlines() if len(each) > 80]
        assert all(each.startswith(("gateway:", "report:", '{"ts":')) for each in wide), wide
        told = json.loads(done.stdout) if done.stdout else {}
        return done.returncode, told, done.stderr

    @property
    def script(self) -> Path:
        """A question, one whose answer is broken off, and the one that breaks it off."""
        return self.config.with_name("script.toml")

    def set(self, path: str, body: dict[str, Any]) -> None:
        """Have the sandbox misbehave."""
        httpx.post(f"{self.sandbox.url}/sandbox/{path}", json=body, trust_env=False).raise_for_status()

    def mend(self) -> None:
        """As it was."""
        for path in ("faults", "behaviour"):
            httpx.delete(f"{self.sandbox.url}/sandbox/{path}", trust_env=False).raise_for_status()

    def running(self) -> int:
        """Sessions that are billed now."""
        return int(httpx.get(f"{self.sandbox.url}/sandbox/state.json", trust_env=False).json()["running"])


@pytest.fixture(scope="module")
def world(var: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A sandbox that speaks and a gateway that knows it, each a process."""
    place = tmp_path_factory.mktemp("world")
    nora = (ROOT / "prompts" / "nora.md").read_text("utf-8")
    (place / "prompts").mkdir()
    short = re.sub(r"first_message: >-\n(  .*\n)+", f"first_message: {GREETING}\n", nora)
    paced = short.replace("language: en\n", "language: en\nroute: paced\n", 1)
    (place / "prompts" / "nora.md").write_text(paced, encoding="utf-8")
    (place / "prompts" / "mina.md").write_text(short.replace("name: nora", "name: mina", 1), encoding="utf-8")
    config = place / "gateway.toml"
    paths = {"prompts": json.dumps(str(place / "prompts")), "knowledge": json.dumps(str(ROOT / "knowledge"))}
    config.write_text(CONFIG.format(**paths))
    config.with_name("script.toml").write_text(SCRIPT)
    port = str(free_port())
    with sandbox_process(voice="speech") as sandbox:
        environ = {
            "GATEWAY_VAR": str(var),
            "GATEWAY_SECRET": secrets.token_hex(20),
            "SIMLI_URL": sandbox.url,
            "PORT": port,
        }
        with gateway_process(config.read_text(), environ, arguments=("--port", port)):
            yield World(sandbox, config, environ)


def test_a_whole_conversation_by_voice(world: World, tmp_path: Path) -> None:
    """Greeted, answered, silent within 300 ms of an interruption; transcripts agree; a film has both tracks."""
    status, told, said = world.smoke(tmp_path, "--script", str(world.script))
    assert (status, told["findings"]) == (0, []), said
    turns = told["turns"]
    assert [turn["interrupted"] for turn in turns] == [False, True, False]
    assert all(not turn["missing"] and turn["heard"] for turn in turns)
    assert turns[1]["silent_ms"] <= 300 and turns[1]["upstream"] == "cancelled"
    assert set(told["said"]) == {"sandbox", "gateway", "recogniser"}
    ordered = ["asked", "asked_end", "recognised", "requested", "retrieved", "first_token", "first_clause"]
    ordered += ["first_sound", "end"]
    moments = [turns[0]["moments"][name] for name in ordered]
    assert moments == sorted(moments)
    with av.open(str(tmp_path / "report" / told["film"])) as film:
        assert [stream.type for stream in film.streams] == ["video", "audio"]
    assert (tmp_path / "report" / "report.html").stat().st_size > 10_000
    assert not world.running()


def test_a_whole_conversation_by_text(world: World, tmp_path: Path) -> None:
    """The gateway is asked as by any caller, a face speaks the answers, and an interruption hangs up on the model."""
    short = tmp_path / "short.toml"
    short.write_text(SCRIPT[SCRIPT.index("[[questions]]", 2) :])
    status, told, said = world.smoke(tmp_path, "--compose", "--script", str(short))
    assert (status, told["findings"], told["mode"]) == (0, [], "compose"), said
    assert all(turn["heard"] and not turn["missing"] for turn in told["turns"])
    assert told["turns"][0]["silent_ms"] <= 300 and told["turns"][0]["upstream"] == "cancelled"
    assert not world.running()


def test_what_is_missing_is_started_and_ends_with_the_run(var: Path, tmp_path: Path) -> None:
    """Where nothing is configured: a sandbox, the knowledge, a gateway; nobody answers there afterwards."""
    done = gateway(
        "smoke", "--compose", "--questions", "1", "--report", str(tmp_path / "report"), "--json",
        environ={"GATEWAY_VAR": str(var), "PORT": str(free_port())},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [step["name"] for step in told["steps"]][:3] == ["simli", "knowledge", "gateway"]
    for url in (told["gateway"], told["simli"]):
        assert ":8765" in url or not reached(url)
    assert "serving on" in (tmp_path / "report" / "gateway.log").read_text()


def reached(url: str) -> bool:
    """Whether somebody listens there."""
    try:
        httpx.get(url, trust_env=False)
    except httpx.ConnectError:
        return False
    return True


def test_ctrl_c_ends_all_of_it(world: World, tmp_path: Path) -> None:
    """In the middle of a conversation: the session is over, the report says how far it came, the status is 130."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "smoke", "--config", str(world.config), "--report", str(tmp_path / "report")],
        cwd=ROOT,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **world.environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 20
    while not world.running() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130 and b"Traceback" not in said, said
    assert (tmp_path / "report" / "report.html").exists()
    assert not world.running()


def test_what_cannot_be_run_is_a_sentence(world: World, tmp_path: Path) -> None:
    """Flags that contradict one another, a sandbox that is away, and an account that nobody said may be billed."""
    key = "abcdefghij0123456789"
    rows: list[tuple[tuple[str, ...], dict[str, str], int, str]] = [
        (("--fact", "x"), {}, 65, "more --fact than --question"),
        (("--origin", "https://a.example"), {}, 65, "--start link"),
        ((), {"SIMLI_URL": "http://127.0.0.1:9"}, 75, "no sandbox answers there"),
        ((), {"SIMLI_URL": "", "SIMLI_API_KEY": key}, 65, "which bill the account"),
    ]
    for at, (arguments, more, status, says) in enumerate(rows):
        found, _, said = world.smoke(tmp_path / str(at), *arguments, **more)
        assert found == status and says in said and key not in said, said
