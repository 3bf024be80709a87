"""Which sentences are said: the best one and a second that adds to it, or none where the evidence is thin.

The weights were fitted to XQuAD (English, German), to the natural questions of CLAP-NQ and to every other golden
question. They weigh kinds of evidence; no word of a collection or a question is in them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.types import Passage
from gateway.upstream.evidence import Candidate, Signals, candidates


FITTED = Signals(direct=4.0, around=0.4, whole=1.6, near=2.2, first=0.2, kind=1.8, statement=0.5, length=0.3)


@dataclass(frozen=True, slots=True)
class Weights:
    """What each signal of a sentence counts, and what decides on a second sentence and on none."""

    signals: Signals = FITTED
    added: float = 1.5
    """What a second sentence gains for the share of the question that it says and the first one does not."""
    margin: float = 3.0
    """How far behind the first it may be."""
    similar: float = 5.0
    """What the best cosine counts beside the share of the question that a passage says, in `evidence`."""
    usual: float = 0.85
    """A cosine that says nothing either way. e5's lie between 0.75 and 0.92, whatever the texts."""
    kind: float = 0.2
    floor: float = 0.4
    """The least evidence of an answer."""


WEIGHTS = Weights()


def answer(question: str, context: str, passages: Sequence[Passage], language: str, weights: Weights = WEIGHTS) -> str:
    """One or two sentences of the passages that answer the question; empty where they do not."""
    asked, found = candidates(question, context, passages, language)
    if not found or evidence(found, passages, weights) < weights.floor:
        return ""
    scored = [(_score(candidate, weights), candidate) for candidate in found]
    score, first = max(scored, key=lambda pair: pair[0])
    others = [
        (other + weights.added * _added(candidate, first, asked.weights), candidate)
        for other, candidate in scored
        if candidate.text != first.text
    ]
    gain, second = max(others, key=lambda pair: pair[0], default=(float("-inf"), first))
    if gain < score - weights.margin:
        return first.text
    return " ".join(one.text for one in sorted((first, second), key=lambda one: _order(one, first)))


def evidence(found: Sequence[Candidate], passages: Sequence[Passage], weights: Weights = WEIGHTS) -> float:
    """How sure it is that the passages speak of what is asked: by words, meaning, and kind."""
    whole = max(candidate.signals.whole for candidate in found)
    kind = max(candidate.signals.kind for candidate in found)
    cosines = [passage.similarity for passage in passages if passage.similarity is not None]
    nearness = max(cosines) - weights.usual if cosines else 0.0
    return whole + weights.kind * kind + weights.similar * nearness


def _score(candidate: Candidate, weights: Weights) -> float:
    return sum(w * s for w, s in zip(weights.signals, candidate.signals, strict=True))


def _added(candidate: Candidate, first: Candidate, weights: Sequence[float]) -> float:
    """The share of the question that one sentence says and the first one does not."""
    more = (max(0.0, new - old) for new, old in zip(candidate.covered, first.covered, strict=True))
    return sum(w * m for w, m in zip(weights, more, strict=True)) / (sum(weights) or 1.0)


def _order(candidate: Candidate, first: Candidate) -> tuple[bool, int]:
    """As they stand in their passage; the better one first where they are of two passages."""
    return candidate.passage != first.passage, candidate.place
