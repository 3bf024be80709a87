"""`gateway ingest` and `gateway eval`, as commands."""

import argparse
import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from gateway.cli import eval as eval_command
from gateway.cli import ingest as ingest_command
from gateway.errors import ConfigurationError, KnowledgeError
from gateway.settings import Knowledge, Settings
from tests.knowledge import LIGHTHOUSE, built, write

GOLDEN = [
    {"id": "t-1", "agent": "nora", "turns": ["When do puffins nest?"], "sources": ["birds.md"], "facts": [["June"]]},
    {"id": "t-2", "agent": "nora", "turns": ["Who steals my lunch?"], "sources": ["birds.md"], "facts": [["cats"]]},
    {"id": "t-3", "agent": "nora", "turns": ["Who is the king?"], "unanswerable": True},
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    built(tmp_path, "lighthouse", LIGHTHOUSE)
    write(tmp_path / "prompts", {"nora.md": "---\nname: nora\ncollections: [lighthouse]\nunknown: No.\n---\nHi.\n"})
    knowledge = Knowledge(directory=tmp_path / "knowledge")
    return Settings(var=tmp_path / "var", knowledge=knowledge, prompts=tmp_path / "prompts")


def run(settings: Settings, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    ingest_command.add(parser)
    return ingest_command.run(parser.parse_args(arguments), settings)


def evaluated(settings: Settings, *arguments: str) -> tuple[int, str]:
    parser = argparse.ArgumentParser()
    eval_command.add(parser)
    said = io.StringIO()
    with redirect_stdout(said):
        code = eval_command.run(parser.parse_args(arguments), settings)
    return code, said.getvalue()


def test_ingest_of_what_is_there(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """What is up to date is said in one line, and the exit code is 0."""
    assert run(settings) == 0
    assert capsys.readouterr().out.startswith("lighthouse: up to date (3 files, 5 passages, ")


def test_every_fault_is_told(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Faults go to stderr, each with what would be right, and the exit code is 1; the rest is done."""
    write(settings.knowledge.directory / "a b", {"x.md": "x"})
    assert run(settings, "tower", "a b", "lighthouse") == 1
    said = capsys.readouterr()
    assert "collections are: a b, lighthouse" in said.err
    assert "no name for a collection" in said.err
    assert "lighthouse: up to date" in said.out


def test_list_and_rollback(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The versions are listed, newest first, the current one marked; a rollback moves the mark."""
    built(tmp_path, "lighthouse", {"new.md": "Only this.\n"})
    assert run(settings, "--list") == 0
    newest, oldest = capsys.readouterr().out.splitlines()
    assert (newest[0], oldest[0]) == ("*", " ")
    assert "1 files, 1 passages" in newest
    assert run(settings, "--rollback", "lighthouse") == 0
    assert run(settings, "--list", "lighthouse") == 0
    assert capsys.readouterr().out.splitlines()[-1][0] == "*"
    assert run(settings, "--rollback", "lighthouse", "x", "y") == 1
    for arguments in (["--list", "tower"], ["--rollback", "tower"]):
        with pytest.raises(KnowledgeError, match="there are no versions"):
            run(settings, *arguments)


@pytest.fixture
def golden(tmp_path: Path) -> str:
    return str(write(tmp_path / "golden", {"lighthouse.json": json.dumps(GOLDEN)}))


def test_eval_counts_and_names_what_was_not_found(
    settings: Settings, golden: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Recall is of the answerable questions; what was not found is shown, and what is missing fails the command."""
    code, said = evaluated(settings, "--golden", golden)
    assert code == 1
    assert "0.50" in said
    assert "not found: t-2: Who steals my lunch?" in said
    assert "t-3" not in said
    assert "missing: embeddings: run `gateway ingest`" in capsys.readouterr().err


def test_eval_as_json(settings: Settings, golden: str) -> None:
    """`--json` has the recall of each collection and the rank of each question."""
    _, said = evaluated(settings, "--golden", golden, "--json", "-k", "2")
    found = json.loads(said)
    assert found["k"] == 2
    assert found["recall"] == {"lighthouse": 0.5}
    assert [(one["id"], one["rank"]) for one in found["questions"]] == [("t-1", 1), ("t-2", 0), ("t-3", 0)]


def test_eval_counts_what_is_said(settings: Settings, golden: str) -> None:
    """The answers are the embedded answerer's: facts that they state, and what is declined in the agent's own line."""
    _, said = evaluated(settings, "--golden", golden, "--json")
    found = json.loads(said)
    assert (found["stated"], found["declined"]) == ({"lighthouse": [1, 2]}, {"lighthouse": [1, 1]})
    assert [one["answer"] for one in found["questions"]][::2] == ["Puffins nest in June.", "No."]


def test_eval_of_an_unknown_agent(settings: Settings, tmp_path: Path) -> None:
    """Questions to an agent that is not there are a fault, and nothing is asked."""
    entries = json.dumps(GOLDEN).replace("nora", "emil")
    directory = write(tmp_path / "golden", {"lighthouse.json": entries})
    with pytest.raises(ConfigurationError, match="no agent 'emil'"):
        evaluated(settings, "--golden", str(directory))
