"""Which sentences are said: the best one and a second that adds to it, or none where the evidence is thin.

The weights were fitted to XQuAD (English, German), to the natural questions of CLAP-NQ and to every other golden
question. They weigh kinds of evidence; no word of a collection or a question is in them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.types import Passage, Query
from gateway.upstream.evidence import Candidate, Signals, candidates

FITTED = Signals(direct=4.0, around=0.4, whole=1.6, near=2.2, first=0.2, kind=1.8, statement=0.5, length=0.3, close=0.6)


@dataclass(frozen=True, slots=True)
class Weights:
    """What each signal of a sentence counts, and what decides on further sentences and on none."""

    signals: Signals = FITTED
    added: float = 1.5
    """What a further sentence gains for the share of the question that it says and those before do not."""
    margin: float = 6.0
    """How far behind the best it may be."""
    most: int = 2
    """Sentences of an answer."""
    similar: float = 5.0
    """What the best cosine counts beside the share of the question that a passage says, in `evidence`."""
    usual: float = 0.85
    """A cosine that says nothing either way. e5's lie between 0.75 and 0.92, whatever the texts."""
    kind: float = 0.2
    floor: float = 0.3
    """The least evidence of an answer."""


WEIGHTS = Weights()
NO_COSINES: Mapping[str, float] = {}


def answer(
    query: Query,
    passages: Sequence[Passage],
    language: str,
    cosines: Mapping[str, float] = NO_COSINES,
    weights: Weights = WEIGHTS,
) -> str:
    """The sentences of the passages that answer the question; empty where they do not.

    `cosines` are those of the question and the texts of `evidence.compared`, as far as they are known.
    """
    asked, found = candidates(query, passages, language, cosines)
    if not found or evidence(found, passages, weights) < weights.floor:
        return ""
    scores = {candidate: _score(candidate, weights) for candidate in found}
    chosen = [max(scores, key=lambda one: scores[one])]
    least = scores[chosen[0]] - weights.margin
    while len(chosen) < weights.most:
        covered = [max(parts) for parts in zip(*(one.covered for one in chosen), strict=True)]
        gains = {
            one: score + weights.added * _added(one, covered, asked.weights)
            for one, score in scores.items()
            if all(one.text != other.text for other in chosen)
        }
        following = max(gains, key=lambda one: gains[one], default=None)
        if following is None or gains[following] < least:
            break
        chosen.append(following)
    return " ".join(one.text for one in sorted(chosen, key=lambda one: _order(one, chosen)))


def evidence(found: Sequence[Candidate], passages: Sequence[Passage], weights: Weights = WEIGHTS) -> float:
    """How sure it is that the passages speak of what is asked: by words, meaning, and kind."""
    whole = max(candidate.signals.whole for candidate in found)
    kind = max(candidate.signals.kind for candidate in found)
    cosines = [passage.similarity for passage in passages if passage.similarity is not None]
    nearness = max(cosines) - weights.usual if cosines else 0.0
    return whole + weights.kind * kind + weights.similar * nearness


def _score(candidate: Candidate, weights: Weights) -> float:
    return sum(w * s for w, s in zip(weights.signals, candidate.signals, strict=True))


def _added(candidate: Candidate, covered: Sequence[float], weights: Sequence[float]) -> float:
    """The share of the question that a sentence says beyond what is covered."""
    more = (max(0.0, new - old) for new, old in zip(candidate.covered, covered, strict=True))
    return sum(w * m for w, m in zip(weights, more, strict=True)) / (sum(weights) or 1.0)


def _order(candidate: Candidate, chosen: Sequence[Candidate]) -> tuple[int, int]:
    """The best one's passage first, and each passage's sentences as they stand there."""
    passages = [one.passage for one in chosen]
    return passages.index(candidate.passage), candidate.place
