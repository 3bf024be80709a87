"""`gateway ingest` with the real model: from files to passages, and killed at any moment."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.errors import KnowledgeError
from gateway.retrieval import probe, retriever, versions
from gateway.settings import Settings
from gateway.types import Query, Retrieval
from tests.knowledge import LIGHTHOUSE, ROOT, with_model, write

KILLS = 12


def command(root: Path, *arguments: str) -> tuple[list[str], Mapping[str, str]]:
    config = root / "gateway.toml"
    config.write_text('[knowledge]\ndirectory = "knowledge"\n')
    environment = {"HOME": str(root), "GATEWAY_VAR": str(root / "var")}
    return [sys.executable, "-m", "gateway", "ingest", "--config", str(config), *arguments], environment


def ingest(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    line, environment = command(root, *arguments)
    return subprocess.run(line, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_from_files_to_passages(tmp_path: Path) -> None:
    """An ingest says what it did, a second one has nothing to do and takes no second, and the answer is found."""
    with_model(tmp_path / "var")
    write(tmp_path / "knowledge" / "lighthouse", LIGHTHOUSE)
    first = ingest(tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    assert "lighthouse: 3 files, 5 passages, 7 embedded, 0 from cache" in first.stdout

    begun = time.perf_counter()
    second = ingest(tmp_path)
    assert time.perf_counter() - begun < 1.0
    assert "lighthouse: up to date (3 files, 5 passages" in second.stdout

    async def find(question: str) -> str:
        async with retriever.opened(Settings(var=tmp_path / "var"), ["lighthouse"]) as opened:
            found = await opened.retrieve(["lighthouse"], Query(question), Retrieval(budget_ms=5000))
            assert (found.outcome, opened.missing) == ("hybrid", [])
            return found.passages[0].id

    assert asyncio.run(find("Wie weit kann man das Licht sehen?")) == "lighthouse/lamp.md#2"

    write(tmp_path / "knowledge" / "lighthouse", LIGHTHOUSE | {"bad.md": b"na\xefve"})
    third = ingest(tmp_path)
    assert third.returncode == 1
    assert f"{tmp_path / 'knowledge/lighthouse/bad.md'}:1: is not UTF-8" in third.stderr

    write(tmp_path / "knowledge" / "lighthouse", LIGHTHOUSE | {"new.md": "# Tea\n\nThe tea room opens at ten.\n"})
    assert "6 passages, 1 embedded, 7 from cache" in ingest(tmp_path).stdout
    assert ingest(tmp_path, "--rollback", "lighthouse").returncode == 0
    listed = ingest(tmp_path, "--list").stdout.splitlines()
    assert [line[0] for line in listed] == [" ", "*"]


@pytest.fixture
def lighthouse(tmp_path: Path) -> versions.Shelf:
    with_model(tmp_path / "var")
    write(tmp_path / "knowledge" / "lighthouse", pages(0))
    assert ingest(tmp_path).returncode == 0
    return versions.shelf(tmp_path / "var", "lighthouse")


def pages(edition: int) -> dict[str, str]:
    """Ten files; every edition says something else in each."""
    return {
        f"page{n}.md": f"# Page {n}\n\n"
        + "\n\n".join(f"## Part {p}\n\nEdition {edition} of part {p}, page {n}." for p in range(6))
        for n in range(10)
    }


def released(shelf: versions.Shelf) -> bool:
    try:
        with shelf.written():
            return True
    except KnowledgeError:
        return False


def test_s08_kill_at_any_moment(tmp_path: Path, lighthouse: versions.Shelf) -> None:
    """Whenever an ingest is killed the current version is whole, and the next ingest completes."""
    chance = random.Random(2)
    begun = time.perf_counter()
    write(tmp_path / "knowledge" / "lighthouse", pages(1))
    assert ingest(tmp_path).returncode == 0
    taken = time.perf_counter() - begun
    line, environment = command(tmp_path)
    for edition in range(2, 2 + KILLS):
        write(tmp_path / "knowledge" / "lighthouse", pages(edition))
        running = subprocess.Popen(line, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
        time.sleep(chance.uniform(0.3, 1.0) * taken)
        if edition % 3:
            os.killpg(running.pid, signal.SIGKILL)
        else:
            running.kill()  # whoever builds for it ends with it
        running.wait()
        deadline = time.monotonic() + 5.0
        while not released(lighthouse):
            assert time.monotonic() < deadline, "what the killed ingest started lives on"
            time.sleep(0.02)
        current = lighthouse.path / lighthouse.current()
        assert lighthouse.candidates()[0] == current.name
        probe.probe(current)
    assert ingest(tmp_path).returncode == 0
    assert lighthouse.version(lighthouse.current()).passages == 60
    assert not list(lighthouse.path.glob("*.building"))
    assert len(lighthouse.sealed()) <= versions.KEPT
    probe.probe(lighthouse.path / lighthouse.current())
