"""One Chroma server, several machines: a process ingests, another serves, and whichever of them is killed."""

import json
import os
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.retrieval.library import opened
from gateway.retrieval.server import Server
from tests.chromas import Chroma, chroma
from tests.knowledge import LIGHTHOUSE, ROOT, with_model, write
from tests.serving import gateway_process

BUILD = """
import sys
from pathlib import Path
from gateway.retrieval import build
from tests.knowledge import HashedModel, job
build.build(job(Path(sys.argv[1]), "lighthouse", url=sys.argv[2]), HashedModel().passage, print)
"""
"""An ingest with hashed vectors, as a process of its own."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Chroma]:
    with chroma(tmp_path / "chroma") as running:
        yield running


def pages(edition: int, count: int = 6) -> dict[str, str]:
    """Files of a hundred passages each; every edition says something else in each."""
    chance = random.Random(edition)

    def part() -> str:
        return " ".join("".join(chance.choices("aeiounrst", k=5)) for _ in range(12)).capitalize() + "."

    return {
        f"page{n}.md": f"# Page {n}\n\n" + "\n\n".join(f"## Part {p}\n\n{part()}" for p in range(100))
        for n in range(count)
    }


def test_one_ingests_and_another_answers(server: Chroma, tmp_path: Path) -> None:
    """A gateway without knowledge on its disk answers from what `gateway ingest` brought to the server elsewhere."""
    write(tmp_path / "knowledge" / "lighthouse", LIGHTHOUSE)
    write(
        tmp_path / "prompts", {"nora.md": "---\ndescription: keeps it\ncollections: [lighthouse]\n---\nYou are Nora.\n"}
    )
    config = tmp_path / "gateway.toml"
    config.write_text('[knowledge]\ndirectory = "knowledge"\n')
    environment = {"GATEWAY_VAR": str(with_model(tmp_path / "job")), "CHROMA_URL": server.url, "PATH": os.defpath}
    command = [sys.executable, "-m", "gateway", "ingest", "--config", str(config)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "lighthouse: 3 files, 5 passages, 7 embedded" in done.stdout

    served = {"GATEWAY_VAR": str(with_model(tmp_path / "pod")), "CHROMA_URL": server.url}
    elsewhere = f'prompts = "{tmp_path / "prompts"}"\n[knowledge]\ndirectory = "{tmp_path / "none"}"\n'
    with gateway_process(elsewhere, served) as gateway:
        body = {"model": "nora", "stream": False, "messages": [{"role": "user", "content": "When do puffins nest?"}]}
        request = urllib.request.Request(
            f"{gateway.url}/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert "Puffins nest in June." in json.load(answer)["choices"][0]["message"]["content"]
        with urllib.request.urlopen(f"{gateway.url}/readyz", timeout=5) as ready:
            assert json.load(ready) == {"status": "ok", "missing": []}
        assert server.url.removeprefix("http://") not in gateway.log


def ingesting(root: Path, server: Chroma) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", BUILD, str(root), server.url]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def half_made(server: Chroma, process: "subprocess.Popen[str]") -> None:
    """Return as soon as a version that is being made stands on the server."""
    asking = Server(server.url)
    deadline = time.monotonic() + 30
    while not any(held.name.endswith(".building") for held in asking.collections()):
        assert process.poll() is None, "it ended before anybody saw it"
        assert time.monotonic() < deadline, "it never began"
        time.sleep(0.002)
    asking.close()


@pytest.mark.parametrize("killed", ["ingest", "server"])
def test_a_kill_in_the_middle_leaves_the_current_version(server: Chroma, tmp_path: Path, killed: str) -> None:
    """Whichever is killed while rows are on their way, what was current is whole, and the next ingest completes."""
    write(tmp_path / "knowledge" / "lighthouse", pages(0, 1))
    with ingesting(tmp_path, server) as first:
        assert "Done(" in first.communicate(timeout=60)[0]
    write(tmp_path / "knowledge" / "lighthouse", pages(1))
    with ingesting(tmp_path, server) as second:
        half_made(server, second)
        if killed == "ingest":
            second.kill()
        else:
            server.kill()
        said, _ = second.communicate(timeout=60)
    assert "Done(" not in said
    if killed == "server":
        assert "the Chroma server at " in said
        server.start()
    with opened(tmp_path / "third", server.url) as library:
        shelf = library.shelf("lighthouse")
        before = shelf.current()
        assert (shelf.sealed(), shelf.version(before).passages, shelf.fault(before)) == ([before], 100, "")
        with ingesting(tmp_path, server) as third:
            assert "Done(" in third.communicate(timeout=60)[0]
        assert shelf.version(shelf.current()).passages == 600
        assert (shelf.fault(shelf.current()), shelf.candidates()[1:]) == ("", [before])
    asking = Server(server.url)
    assert not [held.name for held in asking.collections() if held.name.endswith(".building")]
    asking.close()
