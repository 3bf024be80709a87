"""Reads a Dockerfile and a .dockerignore: the instructions of each stage, and what the builder is given."""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

KNOWN = frozenset(
    {"COPY", "RUN", "ENV", "WORKDIR", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One line, its continuations joined."""

    word: str
    rest: str

    @property
    def flags(self) -> dict[str, str]:
        """`--from=build` and the like."""
        return dict(re.findall(r"--([a-z-]+)=(\S+)", self.rest.partition("CMD")[0]))

    @property
    def words(self) -> list[str]:
        """What follows the flags; of `["…"]` its items."""
        text = re.sub(r"^(--\S+\s+)+", "", self.rest)
        text = text.removeprefix("CMD").strip() if self.word == "HEALTHCHECK" else text
        return [str(item) for item in json.loads(text)] if text.startswith("[") else shlex.split(text)


@dataclass(slots=True)
class Stage:
    """From one FROM to the next."""

    image: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def every(self, word: str) -> list[Instruction]:
        """Its instructions of this kind."""
        return [one for one in self.instructions if one.word == word]

    def last(self, word: str) -> Instruction | None:
        """The one that holds."""
        found = self.every(word)
        return found[-1] if found else None

    @property
    def environ(self) -> dict[str, str]:
        """All that ENV sets."""
        return dict(pair.split("=", 1) for one in self.every("ENV") for pair in one.words)


def stages(text: str) -> list[Stage]:
    """Each stage. Raises ValueError for an instruction that is not known here."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    arguments: dict[str, str] = {}
    found: list[Stage] = []
    for line in joined.splitlines():
        word, _, rest = line.partition(" ")
        if word == "ARG" and not found:
            name, _, value = rest.partition("=")
            arguments[name] = value
        elif word == "FROM":
            image, _, name = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], rest).partition(" AS ")
            found.append(Stage(image, name))
        elif word in KNOWN and found:
            found[-1].instructions.append(Instruction(word, rest.strip()))
        else:
            raise ValueError(f"{word} is not known here: {line}")
    return found


def context(root: Path, ignore: str) -> Iterator[Path]:
    """The files that go to the builder, relative to `root`: of the patterns that fit a path the last one decides."""
    lines = [line for line in ignore.splitlines() if line.strip() and not line.startswith("#")]
    rules = [(line.startswith("!"), _pattern(line.lstrip("!"))) for line in lines]
    wanted = [line.lstrip("!") for line in lines if line.startswith("!")]

    def within(folder: Path) -> Iterator[Path]:
        for path in sorted(folder.iterdir()):
            relative = path.relative_to(root)
            taken = _taken(relative, rules)
            if path.is_dir():
                if taken or any(each.startswith(f"{relative.as_posix()}/") for each in wanted):
                    yield from within(path)
            elif taken:
                yield relative

    return within(root)


def _pattern(text: str) -> "re.Pattern[str]":
    """Docker's patterns: `*` within a name, `**` across folders."""
    escaped = re.escape(text).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
    return re.compile(f"{escaped}(?:/.*)?")


def _taken(path: Path, rules: Sequence[tuple[bool, "re.Pattern[str]"]]) -> bool:
    taken = True
    for wanted, pattern in rules:
        if pattern.fullmatch(path.as_posix()):
            taken = wanted
    return taken
