"""gateway/chat/speech/voice.py"""
# ruff: noqa: RUF001  # letters of other scripts look like Latin ones, and are meant

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.chat import lines
from gateway.chat.speech import Voice
from gateway.chat.speech.length import MOST, PATIENCE
from gateway.chat.speech.mouth import HELD
from gateway.chat.speech.patterns import LONGEST
from gateway.chat.speech.phrases import PHRASES, phrases_of

CODE = PHRASES["en"].code
SPOKEN = [
    # Emphasis, headings, quotes, rules.
    ("**Hello** _you_", "Hello you"),
    ("***Very*** ~~old~~ `new`", "Very old new"),
    ("2*3*4 and snake_case, 5 * 3, 2**3, ~5", "2*3*4 and snake_case, 5 * 3, 2**3, ~5"),
    ("An **unclosed one", "An unclosed one"),
    ("中**文**字", "中文字"),
    (r"\*no\* 3\.", "no 3."),
    ("# Title\n\nText\n---\nmore\n> quoted\n>> twice", "Title.\n\nText\nmore\nquoted\ntwice"),
    ("## Really?\nYes.", "Really?\nYes."),
    ("#hashtag -5 >3", "#hashtag -5 >3"),
    # Lists.
    ("- A\n- B", "A, and B."),
    ("* A\n* B\n\n* C\n\nBye.", "A, B, and C.\n\nBye."),
    ("- One is here.\n- Two is there.", "One is here. Two is there."),
    ("- one\n- two\n  goes on\n- three", "one, two goes on, and three."),
    ("- [ ] to do\n- [x] done", "to do, and done."),
    ("We have:\n\n1. Tea\n2. Milk.\n3. Beer\n\nOk", "We have:\n\nFirst, Tea. Second, Milk. Third, Beer.\n\nOk"),
    ("1. Tea:\n   - hot\n   - cold\n2. Milk", "First, Tea: hot. cold. Second, Milk."),
    ("- " + "\n- ".join("abcdefghijk"), "a, b, c, d, e, f, g, h. And 3 more."),
    ("- a\n- " + "x" * 90 + "\n- c", "a. " + "x" * 90 + ", and c."),
    ("7. is odd", "7. is odd"),
    ("1984 was a book", "1984 was a book"),
    # Tables.
    (
        "|Ticket|Price|\n|---|:-:|\n|Adult|12|\n|Child|**6**|\n|a|1|\n|b|2|\n|c|3|\nBye",
        "Adult: Price 12. Child: Price 6. a: Price 1. And 2 more. Shall I go on?\nBye",
    ),
    ("| lonely |", "lonely.\n"),
    # Code.
    ("Here:\n```python\nx = `1` # a\n```\nThat.\n~~~\ny\n~~~", f"Here:\n{CODE}\nThat.\n"),
    ("```\nnever closed", CODE),
    ("````\n```\n````", CODE),
    # Links.
    ("[the shop](https://shop.example/a_(b)) ![a cat](cat.png)", "the shop a cat"),
    ("See ![one](1.png)![two](2.png), not! [three] (![four](4.png)) ![", "See onetwo, not! three (four) "),
    ("Wow! !Hola! c'est beau ! Non", "Wow! !Hola! c'est beau ! Non"),
    ('![a cat](cat.png "Cat") ok', "a cat ok"),
    ("https://shop.example/a?b=1", "shop dot example"),
    ("See <https://www.a.b/c>, www.x.org. (http://me@h.i:80)", "See a dot b, x dot org. (h dot i)"),
    ("[label][1]\n\n[1]: https://x.y\nEnd", "label\n\nEnd"),
    ("I was in http", "I was in http"),
    # Emoji.
    ("✅ Done 👨\u200d👩\u200d👧 now 🇩🇪 1\ufe0f\u20e3", "Done now 1"),
    ("A → B ┃ C", "A B C"),
    # Citations.
    ("tall[1], old [2, 3] (source: x.pdf) and so【3†a】 [Source: y]", "tall, old and so "),
    ("tall[1](https://x.y/z) [^2]on", "tall on"),
    (
        "It is tall [1]. Old [2] [3], too [4]! (See [5]) haut [6] ? **So [7]**.",
        "It is tall. Old, too! (See) haut ? So.",
    ),
    ('A "wall" [1]; 5 % [2]. Done. [3]. .NET [4] .NET [5]', 'A "wall"; 5 %. Done. . .NET .NET '),
    ("- tall [1].\n- old [2]\n- " + "x" * 90 + " [3].", "tall. old. " + "x" * 90 + "."),
    ("# Title [1]\n- tall [2]\n- old [3]\n- wide [4]", "Title.\ntall, old, and wide."),
    ("in [square] brackets (and round ones)", "in square brackets (and round ones)"),
    # Reasoning.
    ("<think>hm\n\n# x</think>\n\nHello", "Hello"),
    ("Hello. <Thinking type='a'>for ever", "Hello. "),
    ("stray</think> one", "stray one"),
    ("5 < 6, x<y, a <b>bold</b> x<br>y <!-- c -->z<|im_end|>", "5 < 6, x<y, a bold x y z"),
    # Stage directions.
    ("*smiles* Hello (pause) there, *sighs deeply* ok [laughs]", "Hello there, ok "),
    ("*Hello*, press *pause* now (please)", "Hello, press pause now (please)"),
    ("*lacht leise* Gut.", "Gut."),
    # Leaked tools.
    ('functions.get_weather({"a": "})"})\nHello', "Hello"),
    ('{"name": "x", "arguments": {"a": [1]}}\nHi', "Hi"),
    ('Now: [{"name": "x"}] done', "Now: done"),
    ('<tool_call>{"name": "x"}</tool_call>Hi', "Hi"),
    ('[TOOL_CALLS] [{"name": "x"}]', ""),
    ('{"never": "closed\n\nHi', "Hi"),
    ("{name} stays", "{name} stays"),
    # Scripts.
    ("שלום **עולם** مرحبا می\u200cخواهم क्\u200dष e\u0301", "שלום עולם مرحبا می\u200cخواهم क्\u200dष e\u0301"),
    # Lines.
    ("One.\r\nTwo.\n\n\n\nThree.", "One.\nTwo.\n\nThree."),
]
MARKS = [*'ab1 .\n-*_`~#|[](){}<>\\:!h/w"👋é中\u200d\r\0', "**", "```", "http://", "www.", "x.y", "<think>", "</think>"]
MARKS += ["functions.x(", "- ", "1. ", "2. ", "| ", "[1]", "*smiles*", "(pause)", "(source: ", '{"a":', "---\n", "\n\n"]
TEXTS = st.one_of(
    st.lists(st.sampled_from(MARKS), max_size=30).map("".join), st.sampled_from([each for each, _ in SPOKEN])
)
QUICK = settings(max_examples=200, deadline=None)


def said(pieces: Sequence[str], language: str = "en") -> str:
    voice = Voice(language)
    return "".join(map(voice.feed, pieces)) + voice.finish()


@pytest.mark.parametrize(("text", "spoken"), SPOKEN)
def test_what_is_spoken(text: str, spoken: str) -> None:
    """The text as it is spoken: in one piece, and character by character."""
    assert said([text]) == spoken
    assert said(list(text)) == spoken


@QUICK
@given(TEXTS, st.lists(st.integers(0, 80), max_size=6))
def test_chunks_decide_nothing(text: str, cuts: list[int]) -> None:
    """However a text is cut into chunks, the same is said, and nothing that was said is taken back."""
    at = sorted({min(cut, len(text)) for cut in cuts})
    pieces = [text[begin:end] for begin, end in zip([0, *at], [*at, len(text)], strict=True)]
    assert said(pieces) == said([text]) == said(list(text))


@QUICK
@given(TEXTS, TEXTS)
def test_what_was_said_stays_whatever_follows(text: str, following: str) -> None:
    """What is said of a beginning is the beginning of what is said of the whole."""
    voice = Voice("en")
    assert said([text + following]).startswith(voice.feed(text))


@QUICK
@given(TEXTS)
def test_what_waits_is_bounded(text: str) -> None:
    """No mark is waited for longer than it can be."""
    voice = Voice("en")
    for character in text * 3 + "[1, (source: " + "x" * 2000:
        voice.feed(character)
        assert voice.held <= LONGEST + HELD


@pytest.mark.parametrize(
    "opening", ["<think ", "| ", "https://", "(source: ", "[1](", "- a\n- ", "***", "【", "*smiles ", '{"a']
)
def test_a_mark_that_never_ends_is_let_go(opening: str) -> None:
    """Where the mark does not come to its end, the words behind it are said."""
    voice = Voice("en")
    spoken = "".join(voice.feed(character) for character in opening + "word " * 300)
    assert voice.held <= LONGEST + HELD and "word" in spoken + voice.finish()


def test_plain_prose_passes_chunk_by_chunk() -> None:
    """Each chunk of plain prose goes out as it came, at once; a blank behind a word comes with the next."""
    for chunks in (
        ["The", " tower", " is", " forty", " feet", ",", " and", " (I", " think", ")", " old", "."],
        [
            "Grüß",
            " Gott!",
            " „Ja“, ",
            "sagt sie: ",
            "das Haus",
            " - 12,5 m hoch - ",
            "steht.\n",
            "\n",
            "Ende; wie",
            " immer?",
        ],
        ["灯塔", "很高。", "真的", "！"],
    ):
        voice = Voice("en")
        assert [voice.feed(chunk) for chunk in chunks] == chunks and voice.finish() == ""
    voice = Voice("en")
    assert [voice.feed(each) for each in ("The ", "tower: ", " old ", "")] == ["The", " tower: ", " old", ""]
    assert voice.finish() == " "


def test_the_first_item_of_a_list_does_not_wait() -> None:
    """Its words are said as they come; only a later one waits, for it may be the last."""
    voice = Voice("en")
    assert voice.feed("- The boat") == "The boat" and voice.feed(" leaves\n- at") == " leaves"


def test_a_long_answer_ends_at_a_sentence_with_an_offer() -> None:
    """Whatever it is cut into; a last sentence that just fits is no reason to offer more."""
    sentence = "The light can be seen from afar. "
    long = sentence * 100
    spoken = said([long])
    assert spoken == said(list(long)) and spoken.endswith(f"afar. {PHRASES['en'].onward}")
    assert MOST <= len(spoken) < MOST + 100
    whole = sentence * (MOST // len(sentence) + 1)
    assert said([whole]) == whole


def test_an_answer_without_an_end_is_ended() -> None:
    """Between two words where there is no sentence; between two characters where there is no word."""
    for unit, most in (("word ", MOST + PATIENCE + 50), ("e\u0301", MOST + 2 * PATIENCE + 50)):
        spoken = said([unit * 5000])
        assert len(spoken) < most and spoken == said(list(unit * 5000))
        assert spoken.startswith(unit) and f"{unit.strip()}… {PHRASES['en'].onward}" in spoken.replace(" …", "…")


def test_every_language_with_lines_has_its_phrases() -> None:
    """None falls back to English where the agent has lines of its own; any other language does."""
    assert set(PHRASES) == set(lines._LINES)
    assert phrases_of("de-AT") is PHRASES["de"] and phrases_of("xx") is PHRASES["en"]
    for phrases in PHRASES.values():
        assert "{n}" in phrases.more and phrases.more in phrases.rows and len(phrases.ordinals) == 8
    assert said(["- Tee\n- Milch"], "de") == "Tee und Milch."
    assert said(["Es gibt:\n1. Tee\n2. Milch"], "de") == "Es gibt:\nErstens: Tee. Zweitens: Milch."
    assert said(["1. Klasse ist voll."], "de") == "1. Klasse ist voll."
    assert said(["https://a.de/x"], "de") == "a Punkt de"
