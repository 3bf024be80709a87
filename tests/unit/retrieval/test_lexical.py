"""BM25 over words of any script."""

from pathlib import Path

import pytest

from gateway.retrieval import lexical


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("图书馆2024", ["图书", "书馆", "2024"]),
        ("猫", ["猫"]),
        ("カフェー です", ["カフ", "フェ", "ェー", "です"]),
        ("Straße über-all ÄRGER", ["strasse", "über", "all", "ärger"]),
        ("U\u0308ber", ["über"]),
        ("Ⅳ ﬁn", ["iv", "fin"]),
        ("…", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    """Marks belong to words, scripts without spaces are cut into pairs, and case and form do not matter."""
    assert lexical.words(text) == words


def test_stems_are_of_the_language() -> None:
    """German words are stemmed as German, and a language without a stemmer keeps its words."""
    assert lexical.stems(["züge", "zügen"], "de-CH") == lexical.stems(["zug", "zug"], "de")
    assert lexical.stems(["running"], "en") == ["run"]
    assert lexical.stems(["running"], "") == ["running"]


def test_search_is_best_first_and_empty_without_hits(tmp_path: Path) -> None:
    """Texts that share rarer words come first; a question without a word of theirs finds nothing."""
    texts = ["Die Katze schläft im Haus.", "Der Hund schläft.", "Rote Katzen, rote Häuser."]
    made = lexical.build(texts, "de", tmp_path / "index")
    assert [place for place, _ in made.search("Was macht die rote Katze?", 5)] == [2, 0]
    assert made.search("library opening hours", 5) == []
    assert made.search("und der die das", 5) == []
    assert made.search("", 5) == []
    assert lexical.load(tmp_path / "index", "de").search("rote Katze", 5) == made.search("rote Katze", 5)


def test_texts_without_words(tmp_path: Path) -> None:
    """An index over nothing finds nothing, also when it is opened again."""
    assert lexical.build(["…", "—"], "en", tmp_path / "index").search("dash", 5) == []
    assert lexical.load(tmp_path / "index", "en").search("dash", 5) == []


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The keeper of the light was not in the tower, for it was the day of the fair.", "en"),
        ("Der Zug fährt nicht auf die Insel, und das ist für den Gast nicht schlimm.", "de"),
        ("Le train ne va pas sur les îles, et une barque est dans le port pour les hôtes.", "fr"),
        ("图书馆几点关门", ""),
        ("", ""),
    ],
)
def test_language_of(text: str, language: str) -> None:
    """The language is told by its commonest words, and left open where nothing tells it."""
    assert lexical.language_of([text]) == language


def test_what_a_question_is_about() -> None:
    """Function words are not what a question is about; `and` ties it to what was said before."""
    assert lexical.content("What is the price of the ticket?", "en") == ["price", "ticket"]
    assert lexical.continues("Und im Winter?", "de")
    assert lexical.continues("What about dogs?", "en")
    assert not lexical.continues("What is it?", "en")
    assert not lexical.continues("Und im Winter?", "en")
    assert not lexical.continues("…", "de")
