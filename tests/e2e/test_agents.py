"""`gateway agents`: what a file says, and the URL with a capability."""

import re
from pathlib import Path

import pytest

from tests.e2e.conftest import gateway

FILE = """---
description: Keeps the lighthouse
language: en
rate: {requests: 60, streams: 5}
---
You are Nora, and you keep the lighthouse. You have kept it longer than anybody in the village can remember.
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with one agent and its settings."""
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "nora.md").write_text(FILE)
    (tmp_path / "gateway.toml").write_text('prompts = "prompts"\n')
    return tmp_path


def agents(place: Path, *arguments: str, **environ: str) -> tuple[int, str, str]:
    """Run `gateway agents …` there; exit code, standard output, standard error."""
    options = ("--config", str(place / "gateway.toml"))
    done = gateway("agents", *arguments, *options, environ={"GATEWAY_VAR": str(place / "var"), **environ})
    return done.returncode, done.stdout, done.stderr


def test_show_says_what_the_file_says_without_the_capability(place: Path) -> None:
    """One line a field within a terminal's reach, and where the file lies."""
    code, out, error = agents(place, "show", "nora")
    assert code == 0, error
    assert "Keeps the lighthouse" in out and "requests 60, streams 5" in out and str(place / "prompts") in out
    assert "/k/…/agents/nora/v1/chat/completions" in out and not re.search(r"/k/[0-9a-f]{16}", out)


def test_the_url_is_computed_anew_and_changes_with_a_rotation(place: Path) -> None:
    """The same each time, alone on standard output; after `rotate` it is the one that `rotate` printed."""
    first = agents(place, "show", "nora", "--url")
    assert first[0] == 0, first
    assert re.fullmatch(
        r"http://127\.0\.0\.1:8000/k/[0-9a-f]{16}\.[A-Za-z0-9_-]{32}/agents/nora/v1/chat/completions\n", first[1]
    )
    assert agents(place, "show", "nora", "--url")[1] == first[1]
    rotated = agents(place, "rotate", "nora", GATEWAY_PUBLIC_URL="https://gateway.example.org/")
    assert rotated[0] == 0, rotated
    assert rotated[1].startswith("https://gateway.example.org/k/") and rotated[1].count("\n") == 1
    again = agents(place, "show", "nora", "--url")[1]
    assert again.partition("/k/")[2] == rotated[1].partition("/k/")[2] != first[1].partition("/k/")[2]


def test_an_agent_that_is_none_is_said(place: Path) -> None:
    """78, and who there is."""
    for verb in ("show", "rotate"):
        code, out, error = agents(place, verb, "nobody")
        assert (code, out) == (78, "") and "there are: nora" in error and "Traceback" not in error


def test_without_the_store_nothing_is_pretended(place: Path) -> None:
    """A URL that may have been renewed is not shown, and none is renewed."""
    for arguments in (("show", "nora", "--url"), ("rotate", "nora")):
        code, out, error = agents(place, *arguments, REDIS_URL="redis://127.0.0.1:9/0")
        assert (code, out) == (1, "") and "store cannot be reached" in error and "Traceback" not in error
