"""What an operator gets of a Simli that misbehaves: `gateway agents` on a terminal, its exit status, and no secret."""

import argparse
import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.cli import agents
from gateway.errors import SimliError
from gateway.settings import Settings
from gateway.settings.sources import load
from tests.serving import ROOT, Shared, sharing
from tests.simli.double import Reply, doubled
from tests.simli.test_faults import FAULTS, GARBAGE

KEY = "planted0simli0key0123"
SECRET = "planted-gateway-secret-" + "5" * 20
ENVIRON = {
    "SIMLI_API_KEY": KEY,
    "GATEWAY_SECRET": SECRET,
    "GATEWAY_PUBLIC_URL": "https://gateway.example.org",
}
NONE: Reply = Reply(200, [])
KNOWN = ("400-code", "400-key", "402", "422", "429", "500", "502-page", "overloaded-200", "redirect", "silent", "cut")
CASES = {**{name: (FAULTS[name].reply, FAULTS[name].exit_code) for name in KNOWN}, "garbage": (GARBAGE["page"], 76)}


def settings(url: str, directory: Path) -> Settings:
    environ = {**ENVIRON, "SIMLI_URL": url, "GATEWAY_VAR": str(directory)}
    text = f'prompts = "{ROOT / "prompts"}"\n[simli]\ndialect = "current"\npatience = 0\ntimeout = 0.3\n'
    return sharing(load(text, "gateway.toml", environ, base=ROOT))


def run(settings_: Settings, *arguments: str) -> tuple[int, str]:
    """The command's exit status and what stopped it; what it prints goes where it goes."""
    parser = argparse.ArgumentParser()
    agents.add(parser)
    try:
        return agents.run(parser.parse_args(arguments), settings_), ""
    except SimliError as error:
        return error.exit_code, error.message


@pytest.mark.parametrize("name", CASES)
async def test_a_plan_says_what_is_wrong_with_simli(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """One message that begins with what Simli did not do, the exit status of its kind, and nothing was changed."""
    caplog.set_level(logging.DEBUG)
    reply, exit_code = CASES[name]
    async with doubled(reply) as double:
        status, message = await asyncio.to_thread(run, settings(double.url, tmp_path), "plan")
    assert (status, message[:29]) == (exit_code, "Simli did not list the agents")
    assert {each.method for each in double.asked} == {"GET"}
    printed = capsys.readouterr()
    assert not [secret for secret in (KEY, SECRET) if secret in f"{message}{printed.out}{printed.err}{caplog.text}"]


@pytest.mark.parametrize("name", CASES)
async def test_an_apply_stops_and_makes_nothing_twice(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """At the first agent that Simli does not make: asked for once, said once, with what is left."""
    caplog.set_level(logging.DEBUG)
    reply, exit_code = CASES[name]
    async with doubled(NONE, reply) as double:
        status, message = await asyncio.to_thread(run, settings(double.url, tmp_path), "apply")
    printed = capsys.readouterr()
    said = f"{message}{printed.out}{printed.err}"
    assert status == exit_code, said
    assert said.count("Simli did not create the agent") == 1, said
    assert [each.method for each in double.asked if each.method != "GET"] == ["POST"]
    assert not [secret for secret in (KEY, SECRET) if secret in f"{said}{caplog.text}"]


def gateway(environ: Mapping[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command itself."""
    command = [sys.executable, "-m", "gateway", *arguments]
    whole = {"PATH": os.defpath, "REDIS_URL": Shared.url, **ENVIRON, **environ}
    return subprocess.run(command, cwd=ROOT, env=whole, capture_output=True, text=True, timeout=60, check=False)


async def test_the_process_ends_with_the_message_and_the_status(tmp_path: Path) -> None:
    """On standard error, alone, without a stack; 77 for a key that is refused."""
    async with doubled(Reply(401, {"error": f"no such key: {KEY}"})) as double:
        environ = {"SIMLI_URL": double.url, "GATEWAY_VAR": str(tmp_path)}
        done = await asyncio.to_thread(gateway, environ, "agents", "plan")
    assert (done.returncode, done.stdout) == (77, "")
    told = "it refuses the API key (401: no such key: [redacted]). Check SIMLI_API_KEY."
    assert done.stderr.splitlines() == [f"gateway: Simli did not list the agents: {told}"]
