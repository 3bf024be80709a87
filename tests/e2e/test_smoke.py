"""`gateway smoke` as a person runs it: every mode once where all is well, and once for each fault, by its name.

One sandbox and one gateway serve all of it, as what is configured. The agent says little first: each run hears it out.
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
CONFIG = """
prompts = {prompts}
default_route = "paced"
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
        assert all(len(each) <= 80 or "/" in each for each in done.stderr.splitlines()), done.stderr
        told = json.loads(done.stdout) if done.stdout else {}
        return done.returncode, told, done.stderr

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
    (place / "prompts" / "nora.md").write_text(short, encoding="utf-8")
    config = place / "gateway.toml"
    paths = {"prompts": json.dumps(str(place / "prompts")), "knowledge": json.dumps(str(ROOT / "knowledge"))}
    config.write_text(CONFIG.format(**paths))
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


@pytest.fixture
def mended(world: World) -> Iterator[World]:
    """The same, without the faults that a test set."""
    yield world
    world.mend()


def test_a_whole_conversation_by_voice(world: World, tmp_path: Path) -> None:
    """Greeted, answered, interrupted within 300 ms, answered again; three transcripts agree; a film with both tracks."""
    status, told, said = world.smoke(tmp_path, "--questions", "3")
    assert (status, told["findings"]) == (0, []), said
    turns = told["turns"]
    assert [turn["interrupted"] for turn in turns] == [False, False, True, False]
    assert all(not turn["missing"] and turn["heard"] for turn in turns)
    assert turns[2]["silent_ms"] <= 300 and turns[2]["upstream"] == "cancelled"
    assert set(told["said"]) == {"sandbox", "gateway", "recogniser"}
    ordered = [
        "asked", "asked_end", "recognised", "requested", "retrieved", "first_token", "first_clause", "first_sound", "end",
    ]  # fmt: skip
    moments = [turns[0]["moments"][name] for name in ordered]
    assert moments == sorted(moments)
    with av.open(str(tmp_path / "report" / told["film"])) as film:
        assert [stream.type for stream in film.streams] == ["video", "audio"]
    assert (tmp_path / "report" / "report.html").stat().st_size > 10_000
    assert not world.running()


def test_a_whole_conversation_by_text(world: World, tmp_path: Path) -> None:
    """The gateway is asked as by any caller, a face speaks the answers, and an interruption hangs up on the model."""
    status, told, said = world.smoke(tmp_path, "--compose", "--questions", "2")
    assert (status, told["findings"], told["mode"]) == (0, [], "compose"), said
    assert all(turn["heard"] and not turn["missing"] for turn in told["turns"])
    assert not world.running()


NOT_JOINED = [
    ("no media", "", {"media": "none"}, (), "no_media", 69),
    ("audio only", "", {"media": "audio"}, (), "no_picture", 69),
    ("ICE blocked", "", {"ice": "blocked"}, (), "no_connection", 69),
    ("no START", "", {"start": "withheld"}, ("--compose",), "no_start", 69),
    ("ICE blocked, composed", "", {"ice": "blocked"}, ("--compose",), "no_connection", 69),
    ("audio only, composed", "", {"media": "audio"}, ("--compose",), "no_picture", 69),
    ("no media, composed", "", {"media": "none"}, ("--compose",), "no_media", 69),
]
"""What is to be seen, and where nothing of a face is, what becomes of a run: fault, behaviour, flags, cause, status."""
REFUSED = [
    ("key", "auto.start", {"status": 401, "body": {"detail": "INVALID_API_KEY"}}, (), "simli_auth_failed", 77),
    ("face", "auto.start", {"status": 400, "body": {"detail": "INVALID_FACE_ID"}}, (), "face_unknown", 65),
    ("face, composed", "compose.token", {"kind": "fail_token"}, ("--compose",), "face_unknown", 65),
    (
        "token",
        "auto.start_agent",
        {"status": 401, "body": {"detail": "Invalid session token"}},
        ("--start", "agent"),
        "token_refused",
        77,
    ),
    (
        "expired",
        "auto.start_agent",
        {"status": 401, "body": {"detail": "The session token has expired"}},
        ("--start", "agent"),
        "token_expired",
        77,
    ),
    (
        "token, composed",
        "compose.token",
        {"status": 200, "body": {"session_token": "gAAAAnone"}},
        ("--compose",),
        "token_refused",
        77,
    ),
    (
        "origin",
        "auto.start_agent",
        {"status": 401, "body": {"detail": "Origin not allowed"}},
        ("--start", "link", "--origin", "https://shop.example.org"),
        "origin_refused",
        77,
    ),
]
SILENT = [
    ("voice key", {"tts": "refused"}, "voice_silent", 77),
    ("LLM key", {"llm_key": "wrong"}, "llm_key_refused", 77),
    ("LLM never called", {"llm": "never"}, "llm_not_called", 69),
    ("another LLM", {"custom_llm": "ignored", "llm_key": "token"}, "llm_ignored", 69),
    ("wrong format", {"sound": "wrong_rate"}, "wrong_rate", 65),
    ("dropped in an answer", {"drops_after": 8.0}, "session_dropped", 75),
]


def causes(told: dict[str, Any]) -> list[str]:
    """The codes of what was found."""
    return [one["code"] for one in told["findings"]]


@pytest.mark.parametrize(
    ("_", "__", "behaviour", "flags", "code", "status"), NOT_JOINED, ids=[row[0] for row in NOT_JOINED]
)
def test_a_face_that_is_not_seen_is_named(
    mended: World,
    tmp_path: Path,
    _: str,
    __: str,
    behaviour: dict[str, Any],
    flags: tuple[str, ...],
    code: str,
    status: int,
) -> None:
    """Blocked, not started, without a picture, without anything: each is another finding, and no session is left."""
    mended.set("behaviour", behaviour)
    found, told, said = mended.smoke(tmp_path, *ONE, *flags)
    assert (causes(told), found) == ([code], status), said
    assert not mended.running()


@pytest.mark.parametrize(
    ("_", "operation", "fault", "flags", "code", "status"), REFUSED, ids=[row[0] for row in REFUSED]
)
def test_what_simli_refuses_is_named(
    mended: World,
    tmp_path: Path,
    _: str,
    operation: str,
    fault: dict[str, Any],
    flags: tuple[str, ...],
    code: str,
    status: int,
) -> None:
    """Key, token, origin and face are told apart by Simli's status and words, and no session is left."""
    mended.set("faults", {"operation": operation, **fault})
    found, told, said = mended.smoke(tmp_path, *ONE, *flags)
    assert (causes(told), found) == ([code], status), said
    assert not mended.running()


@pytest.mark.parametrize(("_", "behaviour", "code", "status"), SILENT, ids=[row[0] for row in SILENT])
def test_connected_and_wrong_is_named(
    mended: World, tmp_path: Path, _: str, behaviour: dict[str, Any], code: str, status: int
) -> None:
    """The face is there, and something behind it is at fault: what the gateway recorded and our ears heard says what."""
    mended.set("behaviour", behaviour)
    found, told, said = mended.smoke(tmp_path, *ONE)
    assert (causes(told)[:1], found) == ([code], status), said
    assert not mended.running()


def test_ctrl_c_ends_all_of_it(world: World, tmp_path: Path) -> None:
    """In the middle of a conversation: the session is over at Simli, a report says how far it came, the status is 130."""
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


@pytest.mark.parametrize(
    ("arguments", "more", "status", "says"),
    [
        (("--fact", "x"), {}, 65, "more --fact than --question"),
        (("--origin", "https://a.example"), {}, 65, "--start link"),
        (("--agent", "nobody"), {"PORT": "0"}, 65, ""),
        ((), {"SIMLI_URL": "http://127.0.0.1:9"}, 75, "no sandbox answers there"),
        ((), {"SIMLI_URL": "", "SIMLI_API_KEY": "abcdefghij0123456789"}, 65, "which bill the account"),
    ],
)
def test_what_cannot_be_run_is_a_sentence(
    world: World, tmp_path: Path, arguments: tuple[str, ...], more: dict[str, str], status: int, says: str
) -> None:
    """Flags that contradict one another, a sandbox that is away, and an account that nobody said may be billed."""
    found, _, said = world.smoke(tmp_path, *arguments, **more)
    assert found == status and says in " ".join(said.split()), said
