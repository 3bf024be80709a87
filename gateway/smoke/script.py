"""What is asked in a run: the questions, what their answers have to hold, and which answer is broken off."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from gateway.errors import InvalidValue
from gateway.peer.source import Raw, checked

LONGEST = 500
"""Characters of a question: half a minute, aloud."""
MOST = 50
FIELDS = ("text", "facts", "audio", "format", "rate", "channels", "interrupted")


@dataclass(frozen=True, slots=True)
class Question:
    """One question."""

    text: str
    facts: tuple[str, ...] = ()
    """What the answer has to hold, in the words of a person who says it."""
    audio: str = ""
    """A file with the question spoken; empty: the synthetic voice reads it."""
    raw: Raw | None = None
    """What the file is, where it has no header."""
    interrupted: bool = False
    """The next question is asked into the middle of the answer, which needs to be a long one."""


SAMPLES = (
    Question("How long does the crossing take?", ("fifty minutes",)),
    Question("How many passengers does the boat carry?", ("thirty-six passengers",)),
    Question("Why did people leave the village?", interrupted=True),
    Question("At what height is the highest hill on the island?", ("sixty-one metres",)),
)
"""Answered by knowledge/lighthouse; no fact is a name, which a recogniser would spell in its own way.

Who interrupts begins with a vowel: a breathed H is a sound 50 ms before anybody can tell that it is speech."""


def of_options(texts: Sequence[str], facts: Sequence[str]) -> tuple[Question, ...]:
    """`--question` and `--fact`, which belong together in their order. Raises InvalidValue."""
    if len(facts) > len(texts):
        raise InvalidValue("There are more --fact than --question: each belongs to the question at its place.")
    padded = [*facts, *[""] * (len(texts) - len(facts))]
    return checked_script([Question(text, (fact,) if fact else ()) for text, fact in zip(texts, padded, strict=True)])


def read(path: Path) -> tuple[Question, ...]:
    """`[[questions]]` of a TOML or YAML file; audio is found beside it. Raises InvalidValue, which names the place."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidValue(f"{path} cannot be read: {error}.") from None
    try:
        found = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise InvalidValue(f"{path} is no {'TOML' if path.suffix == '.toml' else 'YAML'}: {error}.") from None
    listed = found.get("questions") if isinstance(found, dict) else None
    if not isinstance(listed, list) or set(found) != {"questions"}:
        raise InvalidValue(f"{path}: it has to hold `questions`, a list, and nothing else.")
    return checked_script([_question(one, f"{path}: questions[{at}]", path.parent) for at, one in enumerate(listed)])


def first(questions: Sequence[Question], count: int) -> tuple[Question, ...]:
    """So many that are answered, with the interrupted ones before them; one alone has none before it."""
    kept: list[Question] = []
    for question in questions:
        answered = sum(not one.interrupted for one in kept)
        if answered == count:
            break
        if not (question.interrupted and count == 1):
            kept.append(question)
    return tuple(kept)


def checked_script(questions: Sequence[Question]) -> tuple[Question, ...]:
    """The same, where they can be asked. Raises InvalidValue."""
    if not questions or len(questions) > MOST:
        raise InvalidValue(f"A run asks 1 to {MOST} questions, not {len(questions)}.")
    if questions[-1].interrupted:
        raise InvalidValue("The last question cannot be `interrupted`: it is the next one that interrupts.")
    for question in questions:
        if not question.text.strip() or len(question.text) > LONGEST:
            raise InvalidValue(f"A question has 1 to {LONGEST} characters: {question.text[:40]!r} has not.")
        if question.audio:
            checked(question.audio, question.raw)
    return tuple(replace(one, text=" ".join(one.text.split())) for one in questions)


def _question(told: Any, where: str, folder: Path) -> Question:
    if not isinstance(told, dict) or not told.keys() <= set(FIELDS):
        raise InvalidValue(f"{where}: a question has {', '.join(FIELDS)} and nothing else.")
    text, facts = told.get("text"), told.get("facts", [])
    if not isinstance(text, str):
        raise InvalidValue(f"{where}: `text` is missing, or no text.")
    if not isinstance(facts, list) or not all(isinstance(fact, str) and fact.strip() for fact in facts):
        raise InvalidValue(f"{where}: `facts` has to be a list of texts.")
    if not isinstance(told.get("interrupted", False), bool):
        raise InvalidValue(f"{where}: `interrupted` has to be true or false.")
    audio = told.get("audio", "")
    if not isinstance(audio, str):
        raise InvalidValue(f"{where}: `audio` has to be the name of a file.")
    at = str(folder / audio) if audio and "://" not in audio else audio
    return Question(text, tuple(facts), at, _raw(told, where), told.get("interrupted", False))


def _raw(told: Mapping[str, Any], where: str) -> Raw | None:
    if "format" not in told:
        if {"rate", "channels"} & told.keys():
            raise InvalidValue(f"{where}: `rate` and `channels` are of raw samples: say `format` beside them.")
        return None
    form, rate, channels = told["format"], told.get("rate", 16000), told.get("channels", 1)
    if form not in ("s16le", "f32le") or not told.get("audio"):
        raise InvalidValue(f"{where}: `format` is s16le or f32le, of an `audio` without a header.")
    for name, value, most in (("rate", rate, 384_000), ("channels", channels, 8)):
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise InvalidValue(f"{where}: `{name}` has to be a whole number up to {most}.")
    return Raw(form, rate, channels)
