"""Which sentences are said: the best one and a second that adds to it, or none where the evidence is thin.

Where cosines are known, a sentence's own and its passage's rank decide nearly all; where the lexical list alone
served, its words do. The weights weigh kinds of evidence: no word of a collection or a question is in them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.types import Passage, Query
from gateway.upstream.evidence import Candidate, Signals, candidates

BY_MEANING = Signals(
    direct=0.3, around=0.0, whole=0.0, near=1.0, rank=0.6, kind=0.7, statement=1.0, length=1.0, close=2.3
)
"""Fitted with a conditional logit to the 76 development questions that have an answer (tests/development), and rounded.
For 71 of them the passages hold the answer, and for 58 the two sentences state it. Its own cosine and its passage's
decide nearly all."""
BY_WORDS = Signals(
    direct=4.0, around=0.4, whole=1.6, near=0.0, rank=0.4, kind=1.8, statement=0.5, length=0.3, close=0.0
)
"""Fitted to XQuAD (English, German), to the natural questions of CLAP-NQ and to every other golden question: they say
nothing about the golden questions. On the development questions they state 17 of 76 where the words also searched."""


MANY = 4
"""So many passages say how far the neighbourhood of a question is."""
USUAL = 0.014
"""How far it usually is where there is an answer: the median of the development questions."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What each signal of a sentence counts, and what decides on a second one and on none."""

    by_meaning: Signals = BY_MEANING
    by_words: Signals = BY_WORDS
    next: float = 0.8
    """What a second sentence gains that stands right behind the first."""
    before: float = 0.2
    """What it gains right before it."""
    most: int = 2
    """Sentences of an answer."""
    floor: float = 0.87
    """The least `nearness` of what is answered. 13 of the 20 development questions without an answer are below it;
    of the 76 others 52 are answered rightly, and 58 would be without a floor."""
    kind: float = 0.2
    said: float = 0.3
    """Without cosines: the least share of the question that a passage says, `kind` more where it holds the kind."""


WEIGHTS = Weights()


def answer(query: Query, passages: Sequence[Passage], language: str, weights: Weights = WEIGHTS) -> str:
    """The sentences of the passages that answer the question; empty where they do not."""
    found = candidates(query, passages, language)
    near = nearness(passages)
    if not found or not (_said(found, weights) if near is None else near >= weights.floor):
        return ""
    by = weights.by_words if near is None else weights.by_meaning
    scores = {one: sum(w * s for w, s in zip(by, one.signals, strict=True)) for one in found}
    chosen = [max(scores, key=lambda one: scores[one])]
    while len(chosen) < weights.most:
        gains = {
            one: score + max(_beside(one, other, weights) for other in chosen)
            for one, score in scores.items()
            if all(one.text != other.text for other in chosen)
        }
        if not gains:
            break
        chosen.append(max(gains, key=lambda one: gains[one]))
    return " ".join(one.text for one in sorted(chosen, key=lambda one: _order(one, chosen)))


def nearness(passages: Sequence[Passage]) -> float | None:
    """How surely what was found is about what is asked; None where no cosine is known.

    The best sentence's cosine, and four times how far the nearest passage is before the middle of all: a question that
    the knowledge answers stands out from its neighbourhood, one that it only sounds like is as near to several. (Of a
    question that is answered rightly and one without an answer the first is above the other for 82 of 100 pairs of the
    development questions, by the best sentence alone for 79.) Of fewer passages the distance says nothing.
    """
    best = max((one.similarity or 0.0 for each in passages for one in each.sentences), default=0.0)
    found = [each.similarity for each in passages if each.similarity is not None]
    if not best or not found:
        return None
    return best + 4 * (max(found) - sum(found) / len(found) if len(found) >= MANY else USUAL)


def _said(found: Sequence[Candidate], weights: Weights) -> bool:
    """Whether the passages say enough of the question's words."""
    whole = max(one.signals.whole for one in found)
    return whole + weights.kind * max(one.signals.kind for one in found) >= weights.said


def _beside(one: Candidate, other: Candidate, weights: Weights) -> float:
    """What a sentence gains by where another stands."""
    if one.passage != other.passage:
        return 0.0
    return {1: weights.next, -1: weights.before}.get(one.place - other.place, 0.0)


def _order(one: Candidate, chosen: Sequence[Candidate]) -> tuple[int, int]:
    """The best one's passage first, and each passage's sentences as they stand there."""
    passages = [each.passage for each in chosen]
    return passages.index(one.passage), one.place
