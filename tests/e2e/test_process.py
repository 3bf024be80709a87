"""The process: what it says at start, what it refuses, and how it ends."""

import asyncio
import signal
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.caller import calling
from tests.e2e.conftest import gateway
from tests.serving import ROOT, gateway_process
from tests.upstream import Upstream

AGENT = "---\nlanguage: en\napology: Sorry.\n---\nYou are Nora.\n"


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    """A folder with one agent."""
    folder = tmp_path / "prompts"
    folder.mkdir()
    (folder / "nora.md").write_text(AGENT)
    return folder


async def test_a_second_process_on_the_same_port_says_so() -> None:
    """One sentence and EX_CONFIG, not a stack."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = await asyncio.to_thread(gateway, "serve", "--port", str(port))
    assert done.returncode == 78 and f"port {port} cannot be listened on" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_fault_of_every_file_is_said_at_once(tmp_path: Path) -> None:
    """Settings and agent files: file, line, field, what would be right; nothing is started."""
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "ann.md").write_text("---\nlangage: en\nstream: maybe\n---\n{{ nobody }}\n")
    (tmp_path / "prompts" / "bob.md").write_text("---\ncollections: [nowhere]\nroute: none\n---\nHi\n")
    (tmp_path / "gateway.toml").write_text('prompts = "prompts"\nlimits.messages = "many"\n')
    done = gateway("serve", "--config", str(tmp_path / "gateway.toml"), environ={"PORT": "eighty"})
    assert done.returncode == 78
    for part in (
        "gateway.toml:2: limits.messages: must be a whole number",
        "PORT: must be a number",
        "ann.md:2: langage:",
        "did you mean",
        "ann.md:3: stream:",
        "nobody",
        "bob.md:2: collections",
    ):
        assert part in done.stderr, done.stderr
    (tmp_path / "gateway.toml").write_text('prompts = "prompts"\n')  # its routes are known now
    done = gateway("serve", "--config", str(tmp_path / "gateway.toml"))
    assert "bob.md:3: route" in done.stderr and "ann.md:2: langage:" in done.stderr


def test_the_environment_is_checked_too() -> None:
    """A wrong PORT and a wrong key are said together."""
    done = gateway("serve", environ={"PORT": "eighty", "GATEWAY_ADMIN_KEY": "short"})
    assert done.returncode == 78 and "PORT: " in done.stderr and "GATEWAY_ADMIN_KEY: " in done.stderr


def test_help_fits_a_terminal() -> None:
    """Every command has its purpose and options, within 80 columns."""
    for command in (
        (),
        ("serve",),
        ("ingest",),
        ("eval",),
        ("check",),
        ("agents",),
        ("agents", "show"),
        ("agents", "rotate"),
    ):
        done = gateway(*command, "--help", environ={"COLUMNS": "80"})
        assert done.returncode == 0 and max(map(len, done.stdout.splitlines())) <= 80


def test_the_annotated_settings_start() -> None:
    """`deploy/gateway.toml` is not only documentation."""
    with gateway_process(
        environ={"GATEWAY_CONFIG": ""}, arguments=("--config", str(ROOT / "deploy" / "gateway.toml"))
    ) as running:
        assert "serving on" in running.log
        running.process.send_signal(signal.SIGINT)  # its notice to load balancers takes five seconds


async def test_a_key_alone_makes_a_route(upstream: Upstream, prompts: Path) -> None:
    """OPENAI_API_KEY defines the route `openai` and makes it the agents' default; `openai/NAME` passes through.

    At a server that has not the default model, its first one is taken, and the start says so. The key is shown nowhere.
    """
    environ = {"OPENAI_API_KEY": "sk-planted-secret", "OPENAI_BASE_URL": upstream.url}
    ask = {"messages": [{"role": "user", "content": "How tall is it?"}], "stream": True}
    with ExitStack() as stack:
        # In a thread: the upstream, which is asked for its models at start, runs in this loop.
        gateway_opened = gateway_process(f'prompts = "{prompts}"', environ)
        running = await asyncio.to_thread(stack.enter_context, gateway_opened)
        for path, body, model, persona in (
            ("/agents/nora/chat/completions", {**ask, "model": "gpt-4o-mini"}, "scripted", True),
            ("/v1/chat/completions", {**ask, "model": "openai/special"}, "special", False),
        ):
            async with calling(running.url + path, body) as call:
                assert await call.text() == "Hello there."
                assert call.headers["x-gateway-target"] == f"openai/{model}"
            sent = upstream.requests[-1]
            assert sent.headers["authorization"] == "Bearer sk-planted-secret" and sent.json["model"] == model
            assert (sent.json["messages"][0]["role"] == "system") is persona
        assert "answered by openai" in running.log and "planted" not in running.log


def test_a_model_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    """No stack: which file, and what would be right; what is no model is refused the same way."""
    (tmp_path / "other.gguf").write_bytes(b"PK\x03\x04")
    for path, says in ((tmp_path / "none.gguf", "cannot be read"), (tmp_path / "other.gguf", "is no GGUF file")):
        done = gateway("serve", "--gguf", str(path), "--port", "0")
        assert done.returncode == 78 and f"{path}: {says}" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_local_model_that_cannot_be_loaded_ends_the_start(tmp_path: Path) -> None:
    """The engine's own last words are shown, and nothing is left running."""
    pytest.importorskip("xllamacpp", reason="the llm extra is not installed: make e2e installs it")
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(64))
    done = gateway("serve", "--gguf", str(tmp_path / "broken.gguf"), "--port", "0")
    assert done.returncode == 1 and "gateway: llm ended with status" in done.stderr
    assert "Traceback" not in done.stderr
