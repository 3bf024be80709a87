"""Hybrid search: the nearest vectors and the best BM25 scores, fused by rank.

Reciprocal rank fusion with k = 60: Cormack, Clarke, Büttcher, "Reciprocal Rank Fusion outperforms Condorcet",
2009.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from gateway.retrieval import lexical
from gateway.retrieval.contents import Contents
from gateway.retrieval.embed import Vectors
from gateway.types import Passage, Query, Retrieval

K = 60
DEPTH = 20
"""Passages of each list that take part."""
FEW_WORDS = 3
"""A question of no more words that mean something cannot be understood without the one before it."""

Found = TypeVar("Found", bound=Hashable)


def fused(lists: Iterable[tuple[float, Sequence[Found]]]) -> list[tuple[Found, float]]:
    """What was found, best first, with its score:
    the weighted sum of 1 / (60 + rank) over the lists it is in."""
    scores: dict[Found, float] = {}
    for weight, found in lists:
        for rank, one in enumerate(found, 1):
            scores[one] = scores.get(one, 0.0) + weight / (K + rank)
    return sorted(scores.items(), key=lambda item: -item[1])


def leans(query: Query, languages: Iterable[str]) -> bool:
    """Whether the question leans on the turn before it:
    it begins with "and" or has next to no words of its own."""
    return bool(query.context) and any(
        lexical.continues(query.question, language) or len(lexical.content(query.question, language)) <= FEW_WORDS
        for language in set(languages)
    )


def text(query: Query, contents: Sequence[Contents]) -> str:
    """What is embedded: the question; behind the turn before it where it leans on that."""
    if leans(query, (one.version.language for one in contents)):
        return f"{query.context} {query.question}"
    return query.question


def search(
    contents: Sequence[Contents], query: Query, retrieval: Retrieval, vector: Vectors | None
) -> tuple[Passage, ...]:
    """The best passages of all the collections; without a vector, those that share words with the
    question."""
    lists: list[tuple[float, list[tuple[int, int]]]] = []
    if vector is not None:
        near = [
            (cosine, number, place)
            for number, one in enumerate(contents)
            for place, cosine in one.dense.search(vector, min(DEPTH, one.version.passages))[0]
        ]
        near.sort(key=lambda item: -item[0])
        lists.append((1.0, [(number, place) for _, number, place in near[:DEPTH]]))
    leaning = leans(query, (one.version.language for one in contents))
    for number, one in enumerate(contents):
        questions = [query.question, f"{query.context} {query.question}"] if leaning else [query.question]
        for question in questions:
            found = [(number, place) for place, _ in one.lexical.search(question, DEPTH)]
            lists.append((1.0 / len(questions), found))
    passages = []
    for (number, place), score in fused(lists):
        cosine = None if vector is None else float(contents[number].vectors[place] @ vector[0])
        if cosine is None or cosine >= retrieval.floor:
            passages.append(replace(contents[number].passages[place], score=score, similarity=cosine))
        if len(passages) == retrieval.top_k:
            break
    return tuple(passages)
