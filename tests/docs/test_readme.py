"""What the README, the changelog and the error tree say is so."""

import inspect
import re
from dataclasses import fields
from pathlib import Path

import gateway.errors
from gateway.__main__ import COMMANDS
from gateway.http.urls import routes
from gateway.types import Agent

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z0-9-]*):.*##", MAKEFILE, re.MULTILINE))


def test_every_make_target_that_is_named_exists() -> None:
    """No document and no CI step names a target that `make help` does not list."""
    text = README + CONTRIBUTING + (ROOT / ".ci" / "run").read_text("utf-8")
    named = {each for line in re.findall(r"\bmake ([a-z0-9 -]+)", text) for each in line.split()[:1]}
    assert named - {"lint"} <= TARGETS | {"targets"}
    assert {"run", "test", "lint", "e2e", "contract-js", "bench", "ingest", "eval", "setup", "clean", "help"} <= TARGETS


def test_the_first_screen_has_the_two_commands_and_a_question() -> None:
    """Within the first forty lines: what it is, `make run`, a curl that streams, `make test`."""
    first = "\n".join(README.splitlines()[:40])
    for part in ("make run", "curl -N http://127.0.0.1:8000/agents/nora/chat/completions", "make test"):
        assert part in first


def test_every_field_of_an_agent_file_is_documented() -> None:
    """The table of the README names each field of an agent."""
    missing = [each.name for each in fields(Agent) if each.name != "persona" and f"`{each.name}" not in README]
    assert not missing


def test_every_path_is_documented() -> None:
    """The README's table of paths names each path that is served."""
    paths = {getattr(route, "path", "").replace("{model:path}", "{id}") for route in routes()}
    paths = {path for path in paths if "/models" not in path} | {"/v1/models"}
    assert not [path for path in paths if path not in README]


def test_every_command_is_documented() -> None:
    """Each command of `gateway` stands in the README or is what a make target calls."""
    assert not [name for name in COMMANDS if f"gateway {name}" not in README + MAKEFILE]


def test_the_drawn_error_tree_is_the_real_one() -> None:
    """Every error stands in the tree at the top of `errors.py`, with its status and code."""
    drawn = {
        match[1]: (match[2], match[3])
        for match in re.finditer(r"(\w+) +(\d{3}|--)(?: \w+)? +([\w-]+)", inspect.getdoc(gateway.errors) or "")
    }
    for name, kind in inspect.getmembers(gateway.errors, inspect.isclass):
        if not issubclass(kind, gateway.errors.GatewayError) or name == "ConfigurationError":
            continue
        assert name in drawn, name
        assert drawn[name][0] == str(kind.status), name
        if name not in {"RequestError", "UpstreamRejected", "KnowledgeError", "CallerGone"}:
            assert drawn[name][1] == kind.code, name


def test_exit_statuses_of_simlis_refusals_are_documented() -> None:
    """The README's table has every one of Simli's errors beside its exit status."""
    rows = dict(re.findall(r"^\| (\d+) \| ((?:`simli_\w+`(?:, )?)+) \|", README, re.MULTILINE))
    kinds: list[type[gateway.errors.SimliError]] = [gateway.errors.SimliError]
    kinds += gateway.errors.SimliError.__subclasses__()
    assert {(kind.code, str(kind.exit_code)) for kind in kinds} == {
        (code, status) for status, codes in rows.items() for code in re.findall(r"simli_\w+", codes)
    }


def test_the_changelog_speaks_of_this_version() -> None:
    """What is not released stands under Unreleased, at the top."""
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"


def test_no_file_of_ours_names_a_registry() -> None:
    """Locks and documents hold hashes and names, no address of a package index."""
    for path in (
        *ROOT.glob("requirements*.lock"),
        ROOT / "pyproject.toml",
        ROOT / "Makefile",
        *ROOT.glob("tests/*/package-lock.json"),
        *ROOT.glob("tests/published/*.txt"),
    ):
        text = path.read_text("utf-8")
        assert "://" not in re.sub(r'"url": "https://[^"]*(sponsors|funding)[^"]*"', "", text), path
