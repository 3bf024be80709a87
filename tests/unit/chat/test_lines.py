"""What every agent can say by itself."""

import pytest

from gateway.chat.lines import default_lines

LANGUAGES = ["en", "de", "es", "fr", "it", "pt", "nl", "pl", "sv", "tr", "ja", "zh"]


def test_each_language_has_lines_of_its_own() -> None:
    """No two languages share what an agent says; Spanish and Portuguese answer thanks alike."""
    spoken = [line for language in LANGUAGES for line in default_lines(language)]
    assert len(set(spoken)) == 5 * len(LANGUAGES) - 1


@pytest.mark.parametrize(("tag", "language"), [("pt-BR", "pt"), ("ZH-Hant-TW", "zh"), ("eo", "en"), ("", "en")])
def test_a_tag_finds_its_language(tag: str, language: str) -> None:
    """Region and script do not matter; what is unknown is spoken to in English."""
    assert default_lines(tag) == default_lines(language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_lines_are_for_the_ear(language: str) -> None:
    """A line is short and holds nothing that a voice stumbles over."""
    for line in default_lines(language):
        assert 0 < len(line) <= 100
        assert not any(mark in line for mark in "*_#[]()<>/0123456789\n")
