"""How well each sentence of the passages answers a question, from signals that hold for any subject.

Words weigh by how rare they are among the sentences at hand. A sentence counts what it says itself and, less,
what its heading and its neighbours say; how well its passage was found; whether it holds the kind of thing
asked for. The question of a conversation may lack what the turn before said: then that counts as well.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from gateway.types import Passage, Query
from gateway.upstream.expectations import Kind, expected, holds
from gateway.upstream.sentences import sentences
from gateway.upstream.words import content, likeness

CARRIED = (0.8, 0.6, 0.45, 0.3, 0.15)
"""What a word of the turn before weighs, by how many words of its own a question has."""


FEW = 3
"""A question of no more words of its own, and of no kind of its own, asks for the same kind as the one before."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a passage and what can be known of it before a question is asked."""

    text: str
    stems: frozenset[str]


class Signals(NamedTuple):
    """What speaks for a sentence; each about between 0 and 1."""

    direct: float
    """The share of the question's words that it says."""
    around: float
    """The share that only its heading or the sentence before it says."""
    whole: float
    """The share that its passage says."""
    near: float
    """How far its passage's cosine is behind the best one, times -10."""
    first: float
    """1 / rank of its passage."""
    kind: float
    """1 if it holds the kind of answer that is asked for, less than 0 if not, 0 if none is asked for."""
    statement: float
    """-1 if it is itself a question."""
    length: float
    close: float
    """How far its own cosine is behind the best sentence's, times -100; 0 where cosines are not known."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence as an answer to one question."""

    passage: int
    """Which passage, by rank."""
    place: int
    """Which sentence of it."""
    text: str
    signals: Signals
    covered: tuple[float, ...]
    """How much of each of the question's words it says, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question's words and what they weigh."""

    stems: tuple[str, ...]
    weights: tuple[float, ...]
    kinds: frozenset[Kind]


@lru_cache(maxsize=2048)
def analysed(text: str, language: str) -> tuple[Sentence, ...]:
    """The sentences of a passage. Cached: the same passages answer many questions."""
    return tuple(Sentence(one, frozenset(content(one, language))) for one in sentences(text))


@lru_cache(maxsize=2048)
def _heading(title: str, language: str) -> frozenset[str]:
    return frozenset(content(title, language))


def titled(passage: Passage, sentence: str) -> str:
    """What of a sentence is compared by meaning: it and the heading above it, without which "It" is nobody."""
    heading = passage.title.rpartition(" > ")[2]
    return f"{heading}: {sentence}" if heading else sentence


def compared(query: Query, passages: Sequence[Passage], language: str) -> tuple[str, list[str]]:
    """What to compare by meaning: the question, behind the one before it where it has few words, and the sentences."""
    leans = query.context and len(set(content(query.question, language))) <= FEW
    texts = (titled(passage, one.text) for passage in passages for one in analysed(passage.text, language))
    return f"{query.context} {query.question}" if leans else query.question, list(dict.fromkeys(texts))


def candidates(
    query: Query,
    passages: Sequence[Passage],
    language: str,
    cosines: Mapping[str, float],
) -> tuple[Asked, list[Candidate]]:
    """Every sentence of the passages with its signals."""
    units = [analysed(passage.text, language) for passage in passages]
    asked = _asked(query, [unit for sentences in units for unit in sentences], language)
    best = max((passage.similarity or 0.0 for passage in passages), default=0.0)
    closest = max(cosines.values(), default=0.0)
    found = []
    headings = [_heading(passage.title, language) for passage in passages]
    known = frozenset().union(*headings, *(sentence.stems for unit in units for sentence in unit))
    alike = [_alike(stem, known) for stem in asked.stems]
    for rank, (passage, unit) in enumerate(zip(passages, units, strict=True)):
        heading = _reach(alike, headings[rank])
        says = [_reach(alike, sentence.stems) for sentence in unit]
        whole = [max(column) for column in zip(heading, *says, strict=True)]
        behind = 10 * (best - passage.similarity) if passage.similarity is not None and best else 0.3 * rank
        for place, sentence in enumerate(unit):
            before = says[place - 1] if place else heading
            around = [max(0.6 * h, 0.5 * b) for h, b in zip(heading, before, strict=True)]
            direct = says[place]
            extra = [max(0.0, a - d) for a, d in zip(around, direct, strict=True)]
            signals = Signals(
                _share(direct, asked.weights),
                _share(extra, asked.weights),
                _share(whole, asked.weights),
                -behind,
                1 / (1 + rank),
                _kind(asked.kinds, sentence.text),
                -1.0 if sentence.text.endswith("?") else 0.0,
                min(1.0, len(sentence.stems) / 10),
                100 * (cosines.get(titled(passage, sentence.text), closest) - closest),
            )
            found.append(Candidate(rank, place, sentence.text, signals, tuple(direct)))
    return asked, found


def _asked(query: Query, pool: Sequence[Sentence], language: str) -> Asked:
    own = tuple(dict.fromkeys(content(query.question, language)))
    before = tuple(stem for stem in dict.fromkeys(content(query.context, language)) if stem not in own)
    carried = CARRIED[min(len(own), len(CARRIED) - 1)]
    weights = [*(_rarity(stem, pool) for stem in own), *(carried * _rarity(stem, pool) for stem in before)]
    kinds = expected(query.question, language) or (
        expected(query.context, language) if len(own) <= FEW else frozenset()
    )
    return Asked(own + before, tuple(weights), kinds)


def _rarity(stem: str, pool: Sequence[Sentence]) -> float:
    holding = sum(stem in sentence.stems for sentence in pool)
    return math.log(1 + (len(pool) + 1) / (holding + 0.5))


def _kind(asked: frozenset[Kind], sentence: str) -> float:
    if not asked:
        return 0.0
    return 1.0 if any(holds(sentence, kind) for kind in asked) else -0.5


def _alike(stem: str, known: frozenset[str]) -> dict[str, float]:
    """The stems that mean the same as one that is asked for, and how far."""
    start = stem[:4]
    # Whatever is alike shares the first letters of one of the two: this spares nearly all comparisons.
    some = {other: likeness(stem, other) for other in known if start in other or other[:4] in stem}
    return {other: how for other, how in some.items() if how}


def _reach(alike: Sequence[Mapping[str, float]], said: frozenset[str]) -> list[float]:
    """How much of each asked stem a set of stems says."""
    return [max((how for other, how in likes.items() if other in said), default=0.0) for likes in alike]


def _share(reached: Sequence[float], weights: Sequence[float]) -> float:
    total = sum(weights)
    return sum(r * w for r, w in zip(reached, weights, strict=True)) / total if total else 0.0
