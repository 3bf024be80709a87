"""Which sentences are said: the best one, a second that adds to it, or none where the evidence is thin.

The weights were fitted, see `Weights`; no word of any collection or question is among them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.types import Passage
from gateway.upstream.evidence import Candidate, candidates


@dataclass(frozen=True, slots=True)
class Weights:
    """A weight for each of a candidate's signals, and what decides on a second sentence and the floor."""

    signals: tuple[float, ...] = (7.0, 1.2, 2.0, 3.7, 1.5, 1.0, 2.0, -0.6)
    beside: float = 0.6
    """What a second sentence gains by standing next to the first."""
    added: float = 4.0
    """What it gains for each share of the question that the first one lacks."""
    margin: float = 3.0
    """How far behind the first it may be."""
    floor: float = 2.5
    """The least score of an answer."""


WEIGHTS = Weights()


def answer(
    question: str, context: str, passages: Sequence[Passage], language: str, weights: Weights = WEIGHTS
) -> str:
    """One or two sentences of the passages that answer the question; empty where they do not."""
    asked, found = candidates(question, context, passages, language)
    if not found:
        return ""
    scored = [(_score(candidate, weights), candidate) for candidate in found]
    score, first = max(scored, key=lambda pair: pair[0])
    if score < weights.floor:
        return ""

    def second(pair: tuple[float, Candidate]) -> float:
        other, candidate = pair
        if candidate is first:
            return float("-inf")
        beside = candidate.passage == first.passage and abs(candidate.place - first.place) == 1
        new = sum(
            w * max(0.0, b - a)
            for a, b, w in zip(first.covered, candidate.covered, asked.weights, strict=True)
        )
        return other + weights.beside * beside + weights.added * new / (sum(asked.weights) or 1.0)

    gain, more = max(((second(pair), pair[1]) for pair in scored), key=lambda pair: pair[0])
    if gain < score - weights.margin:
        return first.text
    return " ".join(candidate.text for candidate in sorted((first, more), key=lambda one: _order(one, first)))


def _score(candidate: Candidate, weights: Weights) -> float:
    return sum(w * s for w, s in zip(weights.signals, candidate.signals, strict=True))


def _order(candidate: Candidate, first: Candidate) -> tuple[bool, int]:
    """As they stand in their passage; the better one first where they are of two passages."""
    return candidate.passage != first.passage, candidate.place
