"""Files into passages: cut by structure, each with the headings above it as its title."""

import codecs
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import regex
from semantic_text_splitter import MarkdownSplitter, TextSplitter

from gateway.errors import Fault
from gateway.types import Passage

MARKDOWN = {".md", ".markdown"}
TEXT = {".txt"}
HARD = 2
"""A heading up to this level always begins a passage of its own."""

UNSEEN = regex.compile(
    r"[\u00AD\u061C\u180E\u200B\u200E\u200F\u202A-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB\U000E0000-\U000E007F]"
    r"|(?![\n\t])\p{Cc}"
)
"""Characters that nobody sees and that could hide text or turn its order.
Joiners stay: scripts are spelled with them."""
FRONT_MATTER = regex.compile(r"\A---[ \t]*\n(.*?\n)??(?:---|\.\.\.)[ \t]*(?:\n|\Z)", regex.DOTALL)
TITLE = regex.compile(r"^title:[ \t]*(['\"]?)(.+?)\1[ \t]*$", regex.MULTILINE)
COMMENT = regex.compile(r"<!--.*?-->", regex.DOTALL)
FENCE = regex.compile(r" {0,3}(`{3,}|~{3,})")
HEADING = regex.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*")
UNDERLINE = regex.compile(r" {0,3}(=+|-+)[ \t]*")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading's text, up to the next heading."""

    path: tuple[str, ...]
    """The headings above, outermost first, this one last."""
    level: int
    text: str
    topic: tuple[str, ...]
    """The headings of the path that always begin a passage."""


def files(directory: Path) -> tuple[list[Path], list[Path]]:
    """The files of a collection that are read, and those of other kinds. Hidden ones are neither."""
    found = sorted(
        path
        for path in directory.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(directory).parts)
    )
    read = [path for path in found if path.suffix.lower() in MARKDOWN | TEXT]
    return read, [path for path in found if path not in read]


def decoded(path: Path, content: bytes) -> str | Fault:
    """The text of a file's bytes, cleaned; or what is wrong with them."""
    encoding = "utf-8-sig"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif b"\0" in content:
        return Fault(str(path), 0, "", "is binary: only Markdown and plain text can be ingested")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"is not UTF-8 (byte 0x{content[error.start]:02x}): save it as UTF-8"
        return Fault(str(path), line, "", problem)
    return clean(text)


def clean(text: str) -> str:
    """One form of newline, composed letters, no unseen characters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    seen: str = UNSEEN.sub("", unicodedata.normalize("NFC", text))
    return seen


def passages(collection: str, source: str, text: str, characters: int) -> list[Passage]:
    """The passages of a cleaned text, in order, at most so many characters each."""
    stem = Path(source).stem.replace("-", " ").replace("_", " ")
    if Path(source).suffix.lower() in TEXT:
        pieces: list[tuple[tuple[str, ...], str]] = [
            ((stem,), piece) for piece in TextSplitter(characters).chunks(text)
        ]
    else:
        pieces = list(_markdown(text, stem, characters))
    return [
        Passage(f"{collection}/{source}#{number}", collection, source, " > ".join(path), piece)
        for number, (path, piece) in enumerate(pieces, 1)
    ]


def _markdown(text: str, stem: str, characters: int) -> Iterator[tuple[tuple[str, ...], str]]:
    front = FRONT_MATTER.match(text)
    named = TITLE.search(front.group()) if front else None
    body = COMMENT.sub("", text[front.end() :] if front else text)
    splitter = MarkdownSplitter(characters)
    for section in _merged(list(sections(body)), characters):
        path = section.path or ((named.group(2) if named else stem),)
        for piece in splitter.chunks(section.text):
            yield path, piece


def sections(text: str) -> Iterator[Section]:
    """A Markdown text cut at its headings; those without text of their own live on in the paths of others."""
    headings: list[tuple[int, str]] = []
    lines: list[str] = []
    fence = ""

    def section() -> Section:
        level = headings[-1][0] if headings else 0
        path = tuple(title for _, title in headings)
        topic = tuple(title for level, title in headings if level <= HARD)
        return Section(path, level, "\n".join(lines).strip("\n"), topic)

    for line in text.split("\n"):
        fence = _fenced(line, fence)
        found = None if fence else _heading(line, lines)
        if found is None:
            lines.append(line)
            continue
        level, title, above = found
        if above:
            lines.pop()
        yield section()
        lines.clear()
        while headings and headings[-1][0] >= level:
            headings.pop()
        headings.append((level, title))
    yield section()


def _fenced(line: str, fence: str) -> str:
    """The fence that is open after this line, or nothing."""
    match = FENCE.match(line)
    if not match:
        return fence
    if not fence:
        return str(match.group(1))
    return "" if match.group(1).startswith(fence) else fence


def _heading(line: str, lines: list[str]) -> tuple[int, str, bool] | None:
    """Level and title, and whether the title is the line above (underlined with = or -)."""
    match = HEADING.fullmatch(line)
    if match:
        return len(match.group(1)), _plain(match.group(2) or ""), False
    above = lines[-1].strip() if lines else ""
    alone = len(lines) < 2 or not lines[-2].strip()
    if above and alone and UNDERLINE.fullmatch(line) and not regex.match(r"[>|*+-]|\d+[.)] ", above):
        return (1 if "=" in line else 2), _plain(above), True
    return None


def _plain(title: str) -> str:
    """A heading without Markdown's marks."""
    linked = regex.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", title)
    return str(regex.sub(r"[*`]|(?<!\w)_|_(?!\w)", "", linked).strip())


def _merged(found: list[Section], characters: int) -> Iterator[Section]:
    """Small subsections of one topic joined, as long as they fit; never over a heading of level one or two."""
    group: list[Section] = []
    for section in found:
        if not section.text.strip():
            continue
        apart = section.level <= HARD or (group and section.topic != group[0].topic)
        if group and (apart or len(_joined([*group, section]).text) > characters):
            yield _joined(group)
            group = []
        group.append(section)
    if group:
        yield _joined(group)


def _joined(group: list[Section]) -> Section:
    """Several sections as one, each subsection below its heading."""
    if len(group) == 1:
        return group[0]
    texts = [one.text if one.level <= HARD else f"### {one.path[-1]}\n\n{one.text}" for one in group]
    return Section(group[0].topic, group[0].level, "\n\n".join(texts), group[0].topic)
