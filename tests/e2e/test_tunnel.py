"""`gateway serve --tunnel`: a process with a tunnel of its own, and a tunnel that cannot be opened."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from gateway import public
from tests.serving import ROOT, gateway_process
from tests.tunnelled import Scripted

CONFIG = f'prompts = "{ROOT / "prompts"}"\nknowledge.directory = "{ROOT / "knowledge"}"\n'
ASK = {"messages": [{"role": "user", "content": "Hello"}]}
CHAT = "/agents/nora/v1/chat/completions"


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_what_comes_through_a_tunnel_needs_a_key(tmp_path: Path) -> None:
    """The URL is said and known to commands; without a key nobody chats or administrates, through it or from here."""
    scripted = Scripted(tmp_path)
    environ = {"GATEWAY_VAR": str(tmp_path), "OPENAI_API_KEY": "", "SIMLI_URL": "http://127.0.0.1:9"}
    with gateway_process(CONFIG, environ, arguments=["--tunnel", scripted.command]) as gateway:
        until(lambda: "reached at" in gateway.log)
        url = public.tunnelled(tmp_path)
        assert f"reached at {url}\n" in gateway.log
        for base in (url, gateway.url):
            assert httpx.get(f"{base}/livez").status_code == 200
            assert httpx.post(base + CHAT, json=ASK).status_code == 401
            assert httpx.get(f"{base}/admin/agents").status_code == 401
        shown = subprocess.run(
            [sys.executable, "-m", "gateway", "agents", "show", "nora", "--url"],
            cwd=ROOT,
            env={"PATH": os.defpath, "GATEWAY_VAR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert shown.stdout.startswith(f"{url}/k/")
        assert httpx.post(shown.stdout.strip(), json=ASK).status_code == 200
        gateway.process.kill()
        gateway.process.wait(10)
        until(lambda: asyncio.run(public.problem(url, 1.0)))  # the tunnel does not outlive the gateway
        assert public.tunnelled(tmp_path) == ""
    scripted.close()


def test_a_tunnel_that_cannot_be_opened_ends_the_start(tmp_path: Path) -> None:
    """Its last words say why, the exit code is not 0, and nothing waits for load balancers."""
    scripted = Scripted(tmp_path, "broken")
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "gateway", "serve", "--port", "0", "--tunnel", scripted.command],
        cwd=ROOT,
        env={"PATH": os.defpath, "GATEWAY_VAR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1 and "no such host: tunnel.example.org" in ended.stderr
    assert "ended with status 3 before it served" in ended.stderr and "Traceback" not in ended.stderr
    assert time.monotonic() - began < 15
    scripted.close()
