"""README, "First real conversation": the commands that stand there, run as they stand there."""

import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.sandboxed import Sandbox, sandbox_process
from tests.serving import ROOT, gateway_process

README = (ROOT / "README.md").read_text("utf-8")
BROWSER = '#!/bin/sh\necho "$1" >> {opened}\n'


def commands(heading: str) -> list[list[str]]:
    """The `gateway` commands of the section's blocks, without their comments, as a shell splits them."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    return [line[1:] for line in lines if line and line[0] == ".venv/bin/gateway"]


@dataclass
class Shell:
    """A terminal with the environment that the README names."""

    environ: Mapping[str, str]
    said: dict[str, str] = field(default_factory=dict)
    """By command, what was printed."""

    def run(self, *command: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *command],
            cwd=ROOT, env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **self.environ},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        assert max((len(line) for line in (done.stdout + done.stderr).splitlines()), default=0) <= 80, done.stdout
        self.said[" ".join(command)] = done.stdout + done.stderr
        return done.returncode, done.stdout


@pytest.fixture
def place(var: Path, tmp_path: Path) -> Iterator[tuple[Shell, Sandbox, Path]]:
    """A sandbox, a gateway in front of it with the sample agents and knowledge, a browser that notes what it opens."""
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(BROWSER.format(opened=opened))
    browser.chmod(0o755)
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with sandbox_process(key="a1b2c3d4e5f6a7b8c9d0") as simli:
        environ = {
            "GATEWAY_VAR": str(var),
            "GATEWAY_SECRET": "of-the-first-conversation-" + "s" * 20,
            "GATEWAY_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "PORT": port,
            "SIMLI_URL": simli.url,
            "SIMLI_API_KEY": simli.key,
            "BROWSER": f"{browser} %s",
        }
        settings = f'prompts = "{ROOT / "prompts"}"\nknowledge.directory = "{ROOT / "knowledge"}"\n'
        with gateway_process(settings, environ, arguments=("--port", port)):
            yield Shell(environ), simli, opened


async def test_the_readme_leads_to_a_conversation(place: tuple[Shell, Sandbox, Path]) -> None:
    """Check, plan, apply, start: the room opens in the browser, and what is typed there is answered from knowledge."""
    shell, simli, opened = place
    steps = commands("First real conversation")
    assert [step[:2] for step in steps] == [["check"], ["agents", "plan"], ["agents", "apply"], ["sessions", "start"]]
    for step, expected in zip(steps, (0, 2, 0, 0), strict=True):
        assert shell.run(*step)[0] == expected, shell.said[" ".join(step)]
    assert "+ create nora" in shell.said["agents plan"] and "created nora" in shell.said["agents apply"]
    assert "0 faults" in shell.said["check"] and "simli" in shell.said["check"].lower()
    assert shell.run("agents", "plan")[0] == 0

    room = opened.read_text().strip()
    assert shell.said[" ".join(steps[-1])].splitlines()[0] == room
    answered = await simli.say(room, "When does the last boat go back in summer?")
    assert "quarter past five" in answered["said"] and answered["error"] is None

    id_ = re.search(r"ses_\w+", shell.said[" ".join(steps[-1])])
    assert id_ is not None
    assert "quarter past" in shell.run("sessions", "transcript", id_[0])[1]
    assert shell.run("sessions", "end", id_[0])[0] == 0
    refused = await simli.say(room, "And in winter?")
    assert refused["error"] and "401" in str(refused["error"]), refused
    assert simli.key not in "".join(shell.said.values())
