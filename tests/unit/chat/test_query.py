"""When something is looked up, and when not: a real question always is."""
# ruff: noqa: RUF001  # Turkish letters and full-width marks look like Latin ones, and are meant

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.chat.history import History, repaired
from gateway.chat.lines import default_lines
from gateway.chat.query import is_greeting, is_small_talk, of, reply
from gateway.chat.smalltalk import ANSWER, FILLER, GREETING, REPEAT, THANKS, WELLBEING
from gateway.types import Agent, Prompt, Query

# Utterances by language, with bars between them.
SMALL_TALK = {
    "en": "Hello! | Hi there, how are you? | Thank you so much, bye. | Yes, please. | No, thanks. | "
    "Okay. | Could you repeat that, please? | Sorry, what did you say? | Ha ha ha | "
    "Um, well... | I’m fine, and you?",
    "de": "Guten Tag! | Hallo, wie geht es Ihnen? | Vielen Dank, tschüss! | Ja, gerne. | "
    "Nein danke. | Na klar! | Wie bitte? | Können Sie das wiederholen, bitte? | Äh, also... | "
    "Hahaha | Grüß Gott!",
    "es": "¡Hola! ¿Qué tal? | Buenos días | Muchas gracias, adiós. | Sí, por favor. | No, gracias | "
    "Vale | ¿Puede repetirlo, por favor? | Jajaja | Otra vez, por favor",
    "fr": "Bonjour ! | Salut, ça va ? | Merci beaucoup, au revoir. | Oui, s'il vous plaît. | "
    "D'accord. | Pouvez-vous répéter ? | Non merci. | Euh, bah… | mdr",
    "it": "Buongiorno! | Ciao, come stai? | Grazie mille, arrivederci. | Sì, grazie. | Va bene | "
    "Può ripetere? | Non ho capito. | No, grazie",
    "pt": "Olá! | Oi, tudo bem? | Muito obrigado, tchau. | Sim, por favor. | Não, obrigada. | kkkk | "
    "Pode repetir, por favor? | Claro",
    "nl": "Goedemorgen! | Hoi, hoe gaat het? | Dank u wel, tot ziens. | Ja graag. | Nee, dank je. | "
    "Oké | Kunt u dat herhalen, alstublieft? | Wat zei u?",
    "pl": "Dzień dobry! | Cześć, co słychać? | Dziękuję bardzo, do widzenia. | Tak, proszę. | "
    "Nie, dziękuję. | Czy może pan powtórzyć? | Rozumiem.",
    "sv": "Hej! | Hallå, hur mår du? | Tack så mycket, hej då. | Ja tack. | Nej tack. | Okej | "
    "Kan du säga det en gång till? | Vad sa du?",
    "tr": "Merhaba! | Selam, nasılsın? | TEŞEKKÜR EDERİM, görüşürüz. | Evet, lütfen. | "
    "Hayır, teşekkürler. | Tekrar eder misiniz, lütfen? | Tamam. | HAYIR",
    "ja": "こんにちは。 | お元気ですか？ | ありがとうございます。 | はい、お願いします。 | "
    "いいえ、結構です。 | もう一度お願いします。 | あはは | えっと…",
    "zh": "你好！ | 你好，你好吗？ | 谢谢，再见。 | 好的，谢谢。 | 不用了，谢谢。 | 请再说一遍。 | 哈哈哈 | 嗯。",
}
QUESTIONS = {
    "en": "Hello, when does the boat leave? | Thanks, and how high is it? | Yes, the lens. | Why? | "
    "And in winter? | Repeat that part about the storm. | No, I mean the other keeper | "
    "What about Sunday? | How? | Hi five | OK, 1911? | How are you able to see at night? | "
    "What was that storm called? | Tell me more.",
    "de": "Hallo, wann fährt das Boot? | Danke, und wie hoch ist er? | Ja, die Linse. | Warum? | "
    "Und im Winter? | Wie geht es dem Wärter? | Wie hoch, bitte? | Nein, der andere. | "
    "Bitte mehr davon. | Guten Tag, Öffnungszeiten?",
    "es": "Hola, ¿cuándo sale el barco? | Gracias, ¿y en invierno? | ¿Por qué? | ¿Cómo? | Sí, la lente. | ¿Qué es eso?",
    "fr": "Bonjour, quand part le bateau ? | Merci, et en hiver ? | Pourquoi ? | Comment ? | Oui, la lentille.",
    "it": "Ciao, quando parte la barca? | Grazie, e d'inverno? | Perché? | Come? | Sì, la lente. | Come va il faro?",
    "pt": "Olá, quando sai o barco? | Obrigado, e no inverno? | Por quê? | Como? | Sim, a lente. | Tudo sobre o farol",
    "nl": "Hallo, wanneer vertrekt de boot? | Dank je, en in de winter? | Waarom? | Hoe? | "
    "Ja, de lens. | Hoe gaat het met de boot? | Welke dag?",
    "pl": "Dzień dobry, kiedy odpływa łódź? | Dziękuję, a zimą? | Dlaczego? | Jak? | Tak, soczewka.",
    "sv": "Hej, när går båten? | Tack, och på vintern? | Varför? | Hur? | Ja, linsen. | Hur är det på vintern?",
    "tr": "Merhaba, tekne ne zaman kalkıyor? | Teşekkürler, ya kışın? | Neden? | Nasıl? | Evet, mercek.",
    "ja": "こんにちは、船はいつ出ますか？ | ありがとう、冬は？ | なぜ？ | どうやって？ | "
    "はい、レンズです。 | いいえ、船です",
    "zh": "你好，船什么时候开？ | 谢谢，冬天呢？ | 为什么？ | 怎么？ | 是的，镜片。 | 好的，多少钱？",
}


def cases(table: dict[str, str]) -> list[str]:
    """Every utterance of a table."""
    return [each for line in table.values() for each in line.split(" | ")]


@pytest.mark.parametrize("text", cases(SMALL_TALK))
def test_small_talk_is_let_pass(text: str) -> None:
    """Greetings, thanks, yes and no, laughter and "say that again" need no knowledge."""
    assert is_small_talk(text)


@pytest.mark.parametrize("text", cases(QUESTIONS))
def test_a_question_is_never_let_pass(text: str) -> None:
    """One word of content is enough, whatever politeness is around it."""
    assert not is_small_talk(text)
    assert not is_greeting(text)


@pytest.mark.parametrize("text", ["", "?", "...", " \n", "“”", "👍"])
def test_no_word_is_no_question(text: str) -> None:
    """Silence, marks and pictures have nothing to be looked up."""
    assert is_small_talk(text)
    assert not is_greeting(text)


@pytest.mark.parametrize(
    "text",
    ["Hello!", "Good morning, how are you?", "Um, hi!", "Grüß Gott", "¡Buenas!", "你好！", "こんにちは"],
)
def test_greetings(text: str) -> None:
    """A bare greeting is known, with or without "how are you"."""
    assert is_greeting(text)


@pytest.mark.parametrize(
    "text", ["Thanks!", "Yes.", "Hello, thanks.", "Um...", "please", "Hello world", "bye", "x" * 5000]
)
def test_no_greetings(text: str) -> None:
    """Other small talk is no greeting, and neither is a greeting with something behind it."""
    assert not is_greeting(text)


def test_an_agents_own_name_is_no_content() -> None:
    """ "Hello Nora" greets Nora; to anybody else it is a word to look up."""
    assert is_greeting("Hello, Nora!", ["nora"])
    assert is_small_talk("Danke, Frau Keller.", ["Frau Keller", ""])
    assert not is_small_talk("Hello, Nora!")
    assert not is_small_talk("Nora, when does the boat leave?", ["nora"])


@pytest.mark.parametrize("kind", [GREETING, WELLBEING, THANKS, ANSWER, REPEAT, FILLER])
def test_every_language_has_every_kind(kind: dict[str, str]) -> None:
    """The lexicon is complete, and each of its phrases is found by itself."""
    for language, phrases in kind.items():
        assert default_lines(language) is not default_lines("en") or language == "en"
        assert all(is_small_talk(phrase) for phrase in phrases.split(","))
    assert len(kind) == 12


def test_the_query_is_the_last_two_user_turns() -> None:
    """A follow-up is looked up with the turn before it; small talk is not looked up at all."""
    talk = [{"role": "user", "content": "How high is it?"}, {"role": "assistant", "content": "30 m."}]
    follow = [*talk, {"role": "user", "content": "And the lens?"}]
    assert of(repaired(follow, characters=1000)) == Query("And the lens?", "How high is it?")
    assert of(repaired([*talk, {"role": "user", "content": "Thank you!"}], characters=1000)) is None
    assert of(repaired([*talk, {"role": "user", "content": "Hi, Nora"}], characters=1000), ["nora"]) is None
    assert of(History()) is None


def test_a_long_turn_before_is_cut() -> None:
    """Only the end of a very long turn before is context."""
    history = History((), (), 0, "And?", "x" * 5000 + "end")
    query = of(history)
    assert query is not None
    assert len(query.context) == 1000
    assert query.context.endswith("end")


@given(st.text())
def test_any_text_can_be_asked(text: str) -> None:
    """No text is too odd for the gate, and a greeting is always small talk."""
    assert is_small_talk(text) or not is_greeting(text)
    assert not is_small_talk(f"{text} lighthouse")


@pytest.mark.parametrize(
    ("language", "question", "expected"),
    [
        ("en", "Hello Nora!", "Welcome."),
        ("en", "Thanks a lot, Nora.", "You're welcome."),
        ("de", "Danke schön!", "Gern geschehen."),
        ("en", "Okay, thank you.", "You're welcome."),
        ("en", "Could you repeat that?", "The boat leaves at nine."),
        ("de", "Ja.", "Was möchten Sie wissen?"),
        ("en", "Yes, please.", "What would you like to know?"),
        ("en", "When does the boat leave?", ""),
        ("en", "Thanks, and when does it leave?", ""),
    ],
)
def test_small_talk_has_a_reply(language: str, question: str, expected: str) -> None:
    """Nobody who says thanks is told that it is unknown; a real question is left to the knowledge."""
    agent = Agent("nora", "persona", language=language, first_message="Welcome.")
    said = [{"role": "assistant", "content": "The boat leaves at nine."}, {"role": "user", "content": question}]
    assert reply(Prompt(said, agent=agent, question=question)) == expected
    assert reply(Prompt(said, question=question)) == ""
