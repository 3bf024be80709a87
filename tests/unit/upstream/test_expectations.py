"""The kind of answer that a question expects."""

import pytest

from gateway.upstream.expectations import Kind, expected, holds


@pytest.mark.parametrize(
    ("question", "language", "kind"),
    [
        ("When does the last boat leave?", "en", "time"),
        ("How much does a ticket cost?", "en", "money"),
        ("How many steps are there?", "en", "number"),
        ("How long is the crossing?", "en", "duration"),
        ("Why was the horn stopped?", "en", "reason"),
        ("Who built it?", "en", "person"),
        ("Um wie viel Uhr fährt er ab?", "de", "time"),
        ("Was zahle ich für den Hund?", "de", "money"),
        ("Wie hoch ist die Brücke?", "de", "number"),
        ("Wie lange dauert die Fahrt?", "de", "duration"),
        ("Wieso fährt er nicht?", "de", "reason"),
        ("¿A qué hora sale?", "es", "time"),
        ("¿Cuánto cuesta?", "es", "money"),
        ("À quelle heure part-il ?", "fr", "time"),
        ("Pourquoi est-il rouge ?", "fr", "reason"),
    ],
)
def test_questions_expect_a_kind(question: str, language: str, kind: Kind) -> None:
    """The words that ask tell what is asked for."""
    assert kind in expected(question, language)


@pytest.mark.parametrize(("question", "language"), [("May I bring my dog?", "en"), ("Milloin vene lähtee?", "fi")])
def test_other_questions_expect_nothing(question: str, language: str) -> None:
    """A yes-or-no question, or one in a language without a lexicon, prefers no sentence."""
    assert expected(question, language) == frozenset()


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("The boat leaves at 9:15.", "time"),
        ("Der Zug fährt um 18.34 Uhr.", "time"),
        ("A ticket is twelve pounds.", "money"),
        ("Die Marke kostet 6 Euro.", "money"),
        ("It has seventeen steps.", "number"),
        ("Sie ist sechseinhalb Kilometer lang.", "number"),
        ("It takes fifty minutes.", "duration"),
        ("Es ist zu, weil die Abflüsse zufrieren.", "reason"),
        ("Her skipper is Magnus Orr.", "person"),
    ],
)
def test_sentences_hold_a_kind(sentence: str, kind: Kind) -> None:
    """Digits, number words, units, months, currencies and conjunctions show what a sentence could answer."""
    assert holds(sentence, kind)


def test_plain_sentence_holds_nothing() -> None:
    """A sentence without any of these is no better answer to such a question than another."""
    kinds: tuple[Kind, ...] = ("time", "duration", "money", "number", "reason", "person")
    assert not any(holds("Bicycles are not carried on board", kind) for kind in kinds)
