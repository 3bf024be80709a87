"""Sentences of a Markdown text, as they can be spoken."""

import pytest

from gateway.retrieval.sentences import headed, sentences, spoken, units, windows


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One is here. Two is there! Is three?", ["One is here.", "Two is there!", "Is three?"]),
        ("Dr. Orr met Mr. Low, e.g. at No. 5. He left.", ["Dr. Orr met Mr. Low, e.g. at No. 5.", "He left."]),
        ("J. R. R. Tolkien wrote. I read.", ["J. R. R. Tolkien wrote.", "I read."]),
        ("Es gilt z. B. Wagen 8, d. h. Elbe. Gut.", ["Es gilt z. B. Wagen 8, d. h. Elbe.", "Gut."]),
        ("Am 3. Mai um 8.30 Uhr. Am 4. geht es.", ["Am 3. Mai um 8.30 Uhr.", "Am 4. geht es."]),
        ("It cost 3.50 in 1850. The rest is free.", ["It cost 3.50 in 1850.", "The rest is free."]),
        ("Nr. 7 kostet 2,5 Mio. Euro. Ja.", ["Nr. 7 kostet 2,5 Mio. Euro.", "Ja."]),
        ("Er rief: „Komm!“ Dann ging er.", ["Er rief: „Komm!“", "Dann ging er."]),
        ('"Who goes?" he asked. "Me."', ['"Who goes?" he asked.', '"Me."']),
        ("Wait... what? Yes.", ["Wait... what?", "Yes."]),
        ("灯台は白い。高さは三十八メートルです\uff01", ["灯台は白い。", "高さは三十八メートルです\uff01"]),
        ("प्रकाश सफेद है। वह ऊँचा है।", ["प्रकाश सफेद है।", "वह ऊँचा है।"]),
        ("هل هو أبيض؟ نعم.", ["هل هو أبيض؟", "نعم."]),
        ("a line\nthat goes on.\n\nAnother one", ["a line that goes on.", "Another one"]),
        ("", []),
        ("***\n---\n", []),
    ],
)
def test_ends_of_sentences(text: str, parts: list[str]) -> None:
    """A sentence ends at its mark, not at an abbreviation's, a number's or an initial's."""
    assert sentences(text) == parts


def test_blocks_are_units_of_their_own() -> None:
    """Items, rows and paragraphs are not run together, and headings, rules and fences are not said."""
    text = (
        "# Fares\n\nWe charge:\n- **twelve** pounds\n2. [tea](http://x.y/z)\n> quoted\n> words\n\n"
        "|a|b|\n|-|-|\n|1|2|\n```\ncode\n```"
    )
    assert sentences(text) == ["We charge:", "twelve pounds", "tea", "quoted words", "a, b", "1, 2", "code"]


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("**Bold** and _soft_ and ~~gone~~", "Bold and soft and gone"),
        ("[label](https://example.org/a_(b) 'c') stays", "[label](https://example.org/a_(b) 'c') stays"),
        ("[label](https://example.org/a_(b)) stays", "label stays"),
        ("![alt](picture.png) [ref][1] note[^2]", "alt ref note"),
        ("run `make` <b>now</b><!-- hidden -->", "run make now"),
        ("snake_case and 2*3*4 and 5 * 6 * 7", "snake_case and 2*3*4 and 5 * 6 * 7"),
        (r"\*not emphasised\*", "*not emphasised*"),
    ],
)
def test_markup_is_not_spoken(marked: str, plain: str) -> None:
    """Marks go, labels and words stay, and what only looks like a mark stays too."""
    assert spoken(marked) == plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One.", ["One."]),
        ("One. Two! Three?", ["One. Two! Three?"]),
        ("One. Two! Three? Four.", ["One. Two! Three?", "Two! Three? Four."]),
        ("It costs 3.50 a head, e.g. for two. Fine.", ["It costs 3.50 a head, e.g. for two. Fine."]),
        ("一。二。三。四。", ["一。 二。 三。", "二。 三。 四。"]),
        ("- a\n- b\n- c\n- d", ["a b c", "b c d"]),
        ("...", ["..."]),
    ],
)
def test_windows(text: str, expected: list[str]) -> None:
    """What is searched is each run of three sentences, or of three lines of a list; a text without any is one."""
    assert [window for _, window in windows(text)] == expected


def test_a_heading_within_a_passage_is_a_context_and_no_sentence() -> None:
    """What stands below a heading is compared below it; no window reaches over it, and it is never said."""
    text = "Above.\n\n### How much is it?\n\nTen pounds. Children pay five.\n\n### Empty\n\n### When?\n\nAt nine."
    assert headed(text) == (
        ("", ("Above.",)),
        ("How much is it?", ("Ten pounds.", "Children pay five.")),
        ("When?", ("At nine.",)),
    )
    assert units(text) == ("Above.", "Ten pounds.", "Children pay five.", "At nine.")
    assert ("How much is it?", "Ten pounds. Children pay five.") in windows(text)
