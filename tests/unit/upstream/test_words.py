"""Words that carry meaning, in any script."""

import pytest

from gateway.upstream.words import content, language_of, likeness, tokens


@pytest.mark.parametrize(
    ("text", "language", "stems"),
    [
        ("When do the boats leave in winter?", "en", ["boat", "leav", "winter"]),
        ("Was kosten die Karten?", "de", ["kost", "kart"]),
        ("¿Cuánto cuestan los billetes?", "es", ["cuest", "billet"]),
        ("灯台の高さ", "ja", ["灯台", "台の", "の高", "高さ"]),
    ],
)
def test_content_is_stemmed_and_bare(text: str, language: str, stems: list[str]) -> None:
    """Function words and what a question is wrapped in are left out, the rest is stemmed."""
    assert content(text, language) == stems


def test_vowel_signs_stay_in_their_word() -> None:
    """Devanagari's vowel signs belong to the word: splitting there would tear it."""
    assert tokens("ऊँचाई") == ["ऊँचाई"]


@pytest.mark.parametrize(("tag", "language"), [("de-AT", "de"), ("en", "en"), ("zh-Hant-TW", "zh")])
def test_language_of_a_tag(tag: str, language: str) -> None:
    """A region or script does not change the language."""
    assert language_of(tag) == language


def test_compounds_are_like_their_parts() -> None:
    """A part of a compound counts, but less than the word itself; a short or numeric one does not."""
    assert likeness("hund", "hund") == 1.0
    assert 0.5 <= likeness("hund", "hundekart") < 1.0
    assert 0.5 <= likeness("kart", "hundekart") < 1.0
    assert likeness("hunde", "polarlicht") == 0.0
    assert likeness("19", "1964") == 0.0
    assert likeness("tor", "torte") == 0.0
