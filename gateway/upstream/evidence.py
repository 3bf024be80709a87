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
from gateway.upstream.words import content, likeness

CARRIED = (0.8, 0.6, 0.45, 0.3, 0.15)
"""What a word of the turn before weighs, by how many words of its own a question has."""


STEP = 0.03
"""A difference of cosines that tells something: those of e5 lie close together."""
FEW = 3
"""A question of no more words of its own, and of no kind of its own, asks for the same kind as the one before."""


class Signals(NamedTuple):
    """What speaks for a sentence; each about between -3 and 1."""

    direct: float
    """The share of the question's words that it says."""
    around: float
    """The share that only its heading or the sentence before it says."""
    whole: float
    """The share that its passage says."""
    near: float
    """How far its passage's cosine is behind the best one's, in steps of `STEP`."""
    rank: float
    """The place of its passage among those found, counted down from 0."""
    kind: float
    """1 if it holds the kind of answer that is asked for, less than 0 if not, 0 if none is asked for."""
    statement: float
    """-1 if it is itself a question."""
    length: float
    """1 where it has ten words that mean something, or more."""
    close: float
    """How far its own cosine is behind the best sentence's, in steps of `STEP`."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence as an answer to one question."""

    passage: int
    """Which passage, by rank."""
    place: int
    """Which sentence of it."""
    text: str
    signals: Signals


@dataclass(frozen=True, slots=True)
class Asked:
    """A question's words and what they weigh."""

    stems: tuple[str, ...]
    weights: tuple[float, ...]
    kinds: frozenset[Kind]


@lru_cache(maxsize=8192)
def _stems(text: str, language: str) -> frozenset[str]:
    """Of what a sentence or a heading says. Cached: the same passages answer many questions."""
    return frozenset(content(text, language))


def candidates(query: Query, passages: Sequence[Passage], language: str) -> list[Candidate]:
    """Every sentence of the passages with its signals. Passages without cosines are no nearer than each other."""
    units = [tuple(_stems(one.text, language) for one in passage.sentences) for passage in passages]
    headings = [_stems(passage.title, language) for passage in passages]
    asked = _asked(query, [stems for unit in units for stems in unit], language)
    nearest = max((passage.similarity or 0.0 for passage in passages), default=0.0)
    closest = max((one.similarity or 0.0 for passage in passages for one in passage.sentences), default=0.0)
    known = frozenset().union(*headings, *(stems for unit in units for stems in unit))
    alike = [_alike(stem, known) for stem in asked.stems]
    found = []
    for rank, (passage, unit) in enumerate(zip(passages, units, strict=True)):
        heading = _reach(alike, headings[rank])
        says = [_reach(alike, stems) for stems in unit]
        whole = [max(column) for column in zip(heading, *says, strict=True)]
        for place, (sentence, stems) in enumerate(zip(passage.sentences, unit, strict=True)):
            before = says[place - 1] if place else heading
            around = [max(0.6 * h, 0.5 * b) for h, b in zip(heading, before, strict=True)]
            direct = says[place]
            extra = [max(0.0, a - d) for a, d in zip(around, direct, strict=True)]
            signals = Signals(
                _share(direct, asked.weights),
                _share(extra, asked.weights),
                _share(whole, asked.weights),
                _behind(passage.similarity, nearest),
                -float(rank),
                _kind(asked.kinds, sentence.text),
                -1.0 if sentence.text.endswith("?") else 0.0,
                min(1.0, len(stems) / 10),
                _behind(sentence.similarity, closest),
            )
            found.append(Candidate(rank, place, sentence.text, signals))
    return found


def _behind(cosine: float | None, best: float) -> float:
    return 0.0 if cosine is None else (cosine - best) / STEP


def _asked(query: Query, pool: Sequence[frozenset[str]], language: str) -> Asked:
    own = tuple(dict.fromkeys(content(query.question, language)))
    before = tuple(stem for stem in dict.fromkeys(content(query.context, language)) if stem not in own)
    carried = CARRIED[min(len(own), len(CARRIED) - 1)]
    weights = [*(_rarity(stem, pool) for stem in own), *(carried * _rarity(stem, pool) for stem in before)]
    kinds = expected(query.question, language) or (
        expected(query.context, language) if len(own) <= FEW else frozenset()
    )
    return Asked(own + before, tuple(weights), kinds)


def _rarity(stem: str, pool: Sequence[frozenset[str]]) -> float:
    holding = sum(stem in stems for stems in pool)
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
