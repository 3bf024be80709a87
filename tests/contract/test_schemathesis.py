"""`/openapi.json` by a program that takes it at its word: schemathesis, against a gateway and a sandbox behind it."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.knowledge import LIGHTHOUSE, built, write
from tests.sandboxed import sandbox_process
from tests.serving import gateway_process

CONFIG = Path(__file__).with_name("schemathesis.toml")
NORA = "---\ncollections: [lighthouse]\nface_id: tmp9i8bbq7c\n---\nYou are Nora.\n"
SETTINGS = """
prompts = "{root}/prompts"
knowledge.directory = "{root}/knowledge"
simli.patience = 0.0
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a gateway process that answers from knowledge, in front of a sandbox process."""
    root = tmp_path_factory.mktemp("described")
    write(root / "prompts", {"nora.md": NORA})
    built(root, "lighthouse", LIGHTHOUSE)
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with sandbox_process() as simli:
        environ = {"GATEWAY_VAR": str(root / "var"), "SIMLI_URL": simli.url, "SIMLI_API_KEY": simli.key}
        config = SETTINGS.format(root=root)
        with gateway_process(config, environ, arguments=("--port", str(port))) as running:
            yield running.url


def test_every_operation_is_what_is_described(gateway: str, tmp_path: Path) -> None:
    """Some thousand requests, right and wrong, one leading to the next: no answer that is not described.

    No 5xx, no status, header or body beside the description, nothing wrong that is taken, nothing right that is
    refused, 405 for every other method.
    """
    listed = len(httpx.get(f"{gateway}/openapi.json").json()["paths"])
    done = subprocess.run(
        [
            Path(sys.executable).with_name("st"), "--config-file", CONFIG, "run",
            f"{gateway}/openapi.json", "--no-color",
            "--max-examples", "4", "--seed", "1", "--generation-database", "none", "--checks", "all", "--no-shrink",
        ],
        cwd=tmp_path,
        env={"PATH": os.defpath, "PYTHONUTF8": "1"}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
    tested = re.search(r"Tested: (\d+)", done.stdout)
    assert tested and int(tested[1]) >= listed
    assert "Stateful" in done.stdout
