"""Agent files: every field read, every fault named with its line."""

from datetime import date
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.chat.agent import loaded, parse, persona
from gateway.chat.lines import default_lines
from gateway.errors import ConfigurationError, Fault
from gateway.types import Agent, Retrieval, Voice

FULL = """---
name: nora
description: A keeper of the light
language: en-GB
route: main
collections: [lighthouse, boats]
retrieval: {top_k: 6, floor: 0.3, budget_ms: 90}
caller_system: drop
on_failure: error
stream: false
speech: false
first_message: >-
  Good evening.
apology: The wind took that.
unknown: That is not in my log.
fillers: [Let me look., One moment.]
face_id: tmp9i8bbq7c
voice: {provider: cartesia, id: a167e0f3, model: sonic}
tts_key_env: CARTESIA_KEY
max_session_length: 1800
max_idle_time: 120
transcript: false
origins: ["https://light.example.org"]
---
You are {{ agent.name }}. You speak {{ agent.language }}. Today is {{ today }}.
"""


def faults(text: str, name: str = "nora") -> tuple[Fault, ...]:
    """The faults of a file that must not load."""
    with pytest.raises(ConfigurationError) as caught:
        parse(name, text, f"prompts/{name}.md")
    return caught.value.faults


def file(head: str, body: str = "You are kind.") -> str:
    """A file with this front matter."""
    return f"---\n{head}\n---\n{body}\n"


def test_every_field_is_read() -> None:
    """A full front matter gives a full agent."""
    found = parse("nora", FULL, "prompts/nora.md")
    assert found == Agent(
        name="nora",
        persona="You are {{ agent.name }}. You speak {{ agent.language }}. Today is {{ today }}.\n",
        description="A keeper of the light",
        language="en-GB",
        route="main",
        collections=("lighthouse", "boats"),
        retrieval=Retrieval(6, 0.3, 90),
        caller_system="drop",
        on_failure="error",
        stream=False,
        speech=False,
        first_message="Good evening.",
        apology="The wind took that.",
        unknown="That is not in my log.",
        fillers=("Let me look.", "One moment."),
        face_id="tmp9i8bbq7c",
        voice=Voice("cartesia", "a167e0f3", "sonic"),
        tts_key_env="CARTESIA_KEY",
        max_session_length=1800,
        max_idle_time=120,
        transcript=False,
        origins=("https://light.example.org",),
    )


def test_a_persona_alone_is_an_agent() -> None:
    """Without front matter everything has its default, and the lines are English."""
    found = parse("nora", "\ufeffYou are kind.\r\nVery.", "nora.md")
    assert (found.persona, found.caller_system, found.stream) == ("You are kind.\nVery.", "append", True)
    assert (found.first_message, found.apology, found.unknown) == default_lines("en")[:3]


def test_default_lines_follow_the_language() -> None:
    """A line that the file leaves out, or leaves empty, is spoken in the agent's language."""
    found = parse("nora", file("language: de-AT\napology:\nunknown: Weiß nicht."), "nora.md")
    assert (found.apology, found.unknown) == (default_lines("de").apology, "Weiß nicht.")


def test_persona_is_rendered() -> None:
    """Name, language and day are put in; the day is written as ISO does."""
    found = parse("nora", FULL, "nora.md")
    assert persona(found, date(2026, 11, 23)) == "You are nora. You speak en-GB. Today is 2026-11-23."


def test_values_are_text_and_not_templates() -> None:
    """Braces in a value stay braces, and nothing is escaped as if it were HTML."""
    found = parse("nora", file('description: "{{ 7*7 }} & <b>"', "{{ agent.description }}"), "nora.md")
    assert persona(found, date(2026, 1, 1)) == "{{ 7*7 }} & <b>"


@pytest.mark.parametrize(
    ("head", "line", "field", "says"),
    [
        ("name: mora", 2, "name", "must be the file's name, 'nora'"),
        ("lang: en", 2, "lang", "did you mean 'language'?"),
        ("\nlanguage: no", 3, "language", "must be text, not true or false (put it in quotes)"),
        ("language: English please", 2, "language", "BCP 47"),
        ("persona: x", 2, "persona", "under the front matter"),
        ("description: |\n  a\n  b", 2, "description", "one line"),
        ("route: Main", 2, "route", "small letters"),
        ("collections: lighthouse", 2, "collections", "must be a list, not text"),
        ("collections:\n  - a\n  - a", 4, "collections[1]", "stands there twice"),
        ("collections: [../secret]", 2, "collections[0]", "small letters"),
        ("retrieval:\n  top_k: 0", 3, "retrieval.top_k", "1 at least"),
        ("retrieval: {topk: 3}", 2, "retrieval.topk", "did you mean 'top_k'?"),
        ("retrieval: {floor: 1.5}", 2, "retrieval.floor", "1 at most"),
        ("retrieval: {floor: .nan}", 2, "retrieval.floor", "1 at most"),
        ("retrieval: {budget_ms: 1.5}", 2, "retrieval.budget_ms", "a whole number"),
        ("caller_system: prepend", 2, "caller_system", "must be one of append, replace, drop"),
        ("on_failure: silence", 2, "on_failure", "must be one of speak, error"),
        ("stream: maybe", 2, "stream", "true or false, not text"),
        ("fillers: ['']", 2, "fillers[0]", "1 to 120 characters"),
        ("fillers: [a, b, c, d, e, f, g, h, i]", 2, "fillers", "8 items at most, not 9"),
        ("face_id: a b", 2, "face_id", "without blanks"),
        ("voice: {provider: cartesia}", 2, "voice.id", "is missing"),
        ("voice: {provider: cartesian, id: x}", 2, "voice.provider", "cartesia, elevenlabs"),
        ("voice: sonic", 2, "voice", "must be a table, not text"),
        ("tts_key_env: sk-123", 2, "tts_key_env", "environment variable"),
        ("max_idle_time: 0", 2, "max_idle_time", "1 at least"),
        ("max_session_length: 1h", 2, "max_session_length", "a whole number, not text"),
        ("origins: [light.example.org]", 2, "origins[0]", "an origin"),
        ("apology: 3", 2, "apology", "put it in quotes"),
        ("language: en\nlanguage: de", 3, "language", "stands there twice"),
        ("a: [", 2, "", "is no YAML"),
        ("a: &x 1\nb: *x", 3, "", "aliases are not served"),
        ("a: !!python/object:os.system {}", 2, "", "is no YAML"),
        ("- a", 0, "", "must be a table"),
        ("a: 2026-99-99", 0, "", "is no YAML"),
    ],
)
def test_a_fault_has_its_line(head: str, line: int, field: str, says: str) -> None:
    """A wrong entry is named with file, line, field and what would be right."""
    assert [(fault.where, fault.line, fault.field, says in fault.problem) for fault in faults(file(head))] == [
        ("prompts/nora.md", line, field, True)
    ]


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        ("Hello\n{{ nname }}", 5, "no variable 'nname'"),
        ("{% if false %}{{ hidden }}{% endif %}", 4, "no variable 'hidden'"),
        ("a\nb {{ agent.nname }}", 5, "there is no agent.nname"),
        ("{% if today > '2030' %}\n{{ agent.face }}{% endif %}", 5, "did you mean 'face_id'?"),
        ("{{ agent.voice.size }}", 4, "'None' has no attribute 'size'"),
        ("a\n\n{% if %}", 6, "is no template"),
        ("{{ 1 // 0 }}", 4, "cannot be rendered"),
        ("{{ agent.__class__.__mro__ }}", 4, "there is no agent.__class__"),
        ("{{ today.__class__.__mro__ }}", 4, "unsafe"),
        ("   ", 0, "there is no persona"),
        ("a\0b", 0, "NUL"),
    ],
)
def test_a_persona_that_cannot_be_rendered_is_refused(body: str, line: int, says: str) -> None:
    """A template is tried at start; its fault has the line of the file."""
    found = faults(file("language: en", body))
    assert [(fault.line, says in fault.problem) for fault in found] == [(line, True)]


def test_an_unclosed_front_matter_is_a_fault() -> None:
    """A missing second fence is said, not guessed."""
    assert "has no end" in str(faults("---\nlanguage: en\nYou are kind."))


@pytest.mark.parametrize("name", ["Nora", "no_ra", "-nora", "nöra", "", "a/b"])
def test_names_stand_in_urls(name: str) -> None:
    """A file whose name cannot stand in a URL is no agent."""
    assert "small letters" in faults("You are kind.", name)[0].problem


def test_all_files_are_read_before_it_fails() -> None:
    """One start shows the faults of all files, unknown routes and collections among them."""
    files = {
        "prompts/a.md": file("route: mainn\ncollections: [boats, bots]"),
        "prompts/b.md": file("stream: 1"),
        "prompts/c.md": file("route: main"),
    }
    with pytest.raises(ConfigurationError) as caught:
        loaded(files, ["main", "extractive"], ["boats"])
    assert [str(fault) for fault in caught.value.faults] == [
        "prompts/a.md:2: route: no route 'mainn'; did you mean 'main'?",
        "prompts/a.md:3: collections[1]: no collection 'bots'; did you mean 'boats'?",
        "prompts/b.md:2: stream: must be true or false, not a whole number",
    ]


def test_loaded_agents_have_their_files_names() -> None:
    """Files become agents by their names; nothing is checked against lists that nobody gave."""
    files = {"prompts/b.md": file("route: x\ncollections: [y]"), "prompts/a.md": "Kind."}
    assert list(loaded(files, None, None)) == ["a", "b"]


def test_two_files_of_one_name_are_a_fault() -> None:
    """An agent has one file."""
    with pytest.raises(ConfigurationError, match="another file of the agent 'a'"):
        loaded({"x/a.md": "Kind.", "y/a.md": "Kind."}, None, None)


SCRAPS = st.sampled_from(
    [
        "---",
        "name:",
        "nora",
        "retrieval:",
        "{",
        "}",
        "[",
        "]",
        ":",
        "-",
        "|",
        "&a",
        "*a",
        "!!set",
        "?",
        "{{",
        "}}",
        "{%",
        "%}",
        "agent",
        "today",
        ".x",
        "if",
        "voice:",
        "1e999",
        "0x",
        "é",
        '"\n',
        "",
        "",
        "",
        "",
    ]
)


@settings(max_examples=150, deadline=None)
@given(text=st.one_of(st.text(), st.lists(SCRAPS).map("\n".join), st.lists(SCRAPS).map(lambda s: file("".join(s)))))
def test_parse_raises_nothing_else(text: str) -> None:
    """Whatever a file holds, it is an agent or a ConfigurationError."""
    try:
        found = parse("nora", text, "prompts/nora.md").name
    except ConfigurationError as error:
        found = PurePosixPath(error.faults[0].where).stem
    assert found == "nora"
