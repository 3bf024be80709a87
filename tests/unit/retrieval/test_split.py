"""Files into passages."""

import codecs
from pathlib import Path

from gateway.errors import Fault
from gateway.retrieval import split


def cut(text: str, source: str = "page.md", characters: int = 800) -> list[tuple[str, str]]:
    return [(p.title, p.text) for p in split.passages("tower", source, text, characters)]


def test_title_is_the_path_of_headings() -> None:
    """A passage's title is the headings above it, and its text has none of them."""
    text = "# Tower\n\nHigh.\n\n## *Climbs*\n\n### In [winter](x)\n\nNever.\n\n## Rooms\n\nThree.\n"
    assert cut(text) == [
        ("Tower", "High."),
        ("Tower > Climbs > In winter", "Never."),
        ("Tower > Rooms", "Three."),
    ]


def test_passage_does_not_straddle_second_level_sections() -> None:
    """However short two sections of the second level are, they are two passages."""
    assert len(cut("## A\n\nOne.\n\n## B\n\nTwo.\n")) == 2


def test_small_subsections_stay_with_what_is_above_them() -> None:
    """Third-level sections that fit join their parent, or one another, each below its heading."""
    [(title, text)] = cut("## Boats\n\nThere are two.\n\n### Ann\n\nRed.\n\n### Bea\n\nBlue.\n")
    assert title == "Boats"
    assert text == "There are two.\n\n### Ann\n\nRed.\n\n### Bea\n\nBlue."
    assert cut("# X\n\n## Boats\n\n### Ann\n\nRed.\n\n### Bea\n\nBlue.\n\n## Cars\n\n### Cid\n\nGrey.\n") == [
        ("X > Boats", "### Ann\n\nRed.\n\n### Bea\n\nBlue."),
        ("X > Cars > Cid", "Grey."),
    ]


def test_long_section_is_cut_at_sentences_and_keeps_its_title() -> None:
    """No passage is longer than it may be, none begins within a sentence, and nothing is lost."""
    sentences = [f"This is sentence number {number} of a long section." for number in range(60)]
    pieces = cut("# Long\n\n" + " ".join(sentences), characters=300)
    assert len(pieces) > 5
    assert {title for title, _ in pieces} == {"Long"}
    assert all(len(text) <= 300 and text.startswith("This is") for _, text in pieces)
    assert " ".join(text for _, text in pieces) == " ".join(sentences)


def test_headings_in_code_are_no_headings() -> None:
    """A # within a fence is code."""
    [(title, text)] = cut("# Real\n\n```sh\n# not a heading\nls\n```\n")
    assert title == "Real"
    assert "# not a heading" in text


def test_underlined_headings() -> None:
    """A line underlined with = or - is a heading; a rule or a list is not."""
    assert cut("Tower\n=====\n\nHigh.\n\nRooms\n---\n\nThree.\n\n---\n\nEnd.\n") == [
        ("Tower", "High."),
        ("Tower > Rooms", "Three.\n\n---\n\nEnd."),
    ]


def test_front_matter_and_comments_are_left_out() -> None:
    """Front matter is no text; its title is the page's where no heading is."""
    assert cut("---\ntitle: The Tower\ndraft: false\n---\n<!-- hidden -->\nHigh.\n") == [("The Tower", "High.")]
    assert cut("---\n---\nHigh.\n", "old-tower.md") == [("old tower", "High.")]


def test_plain_text_is_named_by_its_file() -> None:
    """A text file has no headings: a # is a character of it."""
    assert cut("# 7 men\n", "log-book_1911.txt") == [("log book 1911", "# 7 men")]


def test_ids_name_collection_source_and_number() -> None:
    """A passage's id is its collection, its file and its number there."""
    [first, second] = split.passages("tower", "a/b.md", "## A\n\nx\n\n## B\n\ny\n", 800)
    assert (first.id, second.id, second.source) == ("tower/a/b.md#1", "tower/a/b.md#2", "a/b.md")


def test_unseen_characters_are_stripped() -> None:
    """What hides text or turns its order goes; the joiners that scripts are spelled with stay."""
    hidden = "a\u200bb\u202ec\u2066d\ufeff\u00ade\U000e0041f\x07"
    assert split.clean(hidden) == "abcdef"
    persian = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    assert split.clean(persian) == persian
    assert split.clean("u\u0308\r\nx\rz") == "ü\nx\nz"


def test_bytes_that_are_no_text_are_a_fault() -> None:
    """A fault names the file, the line and what would be right."""
    path = Path("birds.md")
    latin = split.decoded(path, b"fine\nna\xefve\n")
    assert latin == Fault("birds.md", 2, "", "is not UTF-8 (byte 0xef): save it as UTF-8")
    binary = split.decoded(path, b"PK\x03\x04\x00\x00")
    assert isinstance(binary, Fault)
    assert "binary" in binary.problem
    assert split.decoded(path, codecs.BOM_UTF16_LE + "Grüße".encode("utf-16-le")) == "Grüße"
    assert split.decoded(path, codecs.BOM_UTF8 + "Grüße".encode()) == "Grüße"


def test_files_of_a_collection(tmp_path: Path) -> None:
    """Markdown and text are read in folders too, hidden files are not, and other kinds are named."""
    for name in ("b.md", "in/a.TXT", ".hidden.md", ".git/c.md", "scan.pdf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    read, others = split.files(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in read] == ["b.md", "in/a.TXT"]
    assert [path.name for path in others] == ["scan.pdf"]
