"""gateway/orchestration/adopt.py: the text of a file out of an agent of Simli's."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.chat.agent import parse, persona
from gateway.errors import ConfigurationError
from gateway.orchestration.adopt import adopted_before, chosen, escaped, free, kept, slug, written

TODAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("Nora", "nora"),
        ("Nora (Démo) #2", "nora-demo-2"),
        ("  Straße -- Süd ", "strasse-sud"),
        ("Untitled Agent", "untitled-agent"),
        ("../../etc/passwd", "etc-passwd"),
        ("日本", "agent"),
        ("", "agent"),
        ("x" * 100, "x" * 60),
        ("-" * 3, "agent"),
    ],
)
def test_a_name_at_simli_becomes_a_files_name(name: str, made: str) -> None:
    """Small letters, digits and hyphens, whatever somebody has typed."""
    assert slug(name) == made


def test_a_taken_name_gets_a_number() -> None:
    """The first that is free."""
    assert free("nora", ()) == "nora" and free("nora", {"nora", "nora-2"}) == "nora-3"


@given(st.text(alphabet="{}%#'\"\\ab\n\r -|\0", max_size=40))
@example("{{ 7 * 7 }} {% raw %} {# no #} {{{ {{% }} {")
def test_a_prompt_renders_to_itself(text: str) -> None:
    """Braces are prose at Simli, and stay prose here: the persona is what the prompt was, but for blanks around it."""
    if not text.replace("\0", "").strip():
        return
    file = written("nora", "a1", {"face_id": "f"}, text)
    plain = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").strip()
    assert persona(parse("nora", file, "nora.md"), TODAY) == plain


def test_a_file_holds_what_yaml_and_utf_8_can() -> None:
    """Quotes, colons, comments and half characters in a value; fences in a prompt."""
    fields = {"face_id": "f", "first_message": 'Hi: # "it\'s" \ud83d me'}
    agent = parse("nora", written("nora", "a1", fields, "One.\n---\nTwo.\n"), "nora.md")
    assert agent.first_message == 'Hi: # "it\'s" ? me' and agent.persona == "One.\n---\nTwo.\n"
    assert escaped("plain { } % text") == "plain { } % text"


def test_a_file_is_found_again_by_the_agent_it_was_made_from(tmp_path: Path) -> None:
    """And by no other; a file that only quotes the line is none."""
    kept(tmp_path / "nora.md", written("nora", "a1", {"face_id": "f"}, "You are Nora."))
    (tmp_path / "other.md").write_text("You read: # Adopted from Simli's agent a2.\n", "utf-8")
    assert adopted_before(tmp_path, "a1") == tmp_path / "nora.md"
    assert adopted_before(tmp_path, "a2") is None and adopted_before(tmp_path, "a") is None


def test_no_file_is_written_over(tmp_path: Path) -> None:
    """A name that was taken in between, a folder that is not there: said, and nothing is left behind."""
    (tmp_path / "nora.md").write_text("mine", "utf-8")
    for path in (tmp_path / "nora.md", tmp_path / "none" / "nora.md"):
        with pytest.raises(ConfigurationError, match="cannot be written"):
            kept(path, "other")
    assert [each.name for each in tmp_path.iterdir()] == ["nora.md"]
    assert (tmp_path / "nora.md").read_text("utf-8") == "mine"


def test_a_wanted_name_is_taken_or_refused(tmp_path: Path) -> None:
    """Nobody gets another name than the one that was asked for."""
    (tmp_path / "nora.md").write_text("mine", "utf-8")
    assert chosen("", "Nora", tmp_path) == "nora-2" and chosen("ann", "Nora", tmp_path) == "ann"
    for wanted in ("nora", "No Name", "../x", "x" * 61):
        with pytest.raises(ConfigurationError, match="--name"):
            chosen(wanted, "Nora", tmp_path)
