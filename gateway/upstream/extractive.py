"""The embedded upstream that needs no model: it quotes the sentences of the passages that answer best."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from gateway.types import Chunk, Chunks, Prompt, Query
from gateway.upstream.choice import NO_COSINES, WEIGHTS, Weights, answer
from gateway.upstream.evidence import compared
from gateway.upstream.words import language_of, tokens

Closeness: TypeAlias = Callable[[str, Sequence[str]], Awaitable[Sequence[float]]]
"""The cosines of a question and of texts, in their order; none where they cannot be had in time."""

PAUSE = 0.015
"""Seconds between words: some twenty times as fast as speech, so that a voice never waits for a word."""
ALONE = "This built-in answerer only quotes an agent's knowledge. Ask an agent, or set up a language model."
"""Said where no agent is asked, and so no knowledge belongs to the question."""
UNKNOWN = "I do not know."
"""Said where the agent has no `unknown` line."""


async def answered(
    prompt: Prompt,
    *,
    is_greeting: Callable[[str], bool],
    closeness: Closeness | None = None,
    weights: Weights = WEIGHTS,
    pause: float = PAUSE,
) -> Chunks:
    """What is said to the prompt: a word a chunk, the first at once, the finish and the usage at the end.

    `is_greeting` tells a bare "good morning" from a question. With `closeness` the sentences are also weighed by
    meaning; without it, by their words and by how near their passage was.
    """
    words = said(prompt, is_greeting, await _cosines(prompt, closeness), weights).split()
    for number, word in enumerate(words):
        # Suspended before every word: a caller that hung up is noticed, and others get their turn.
        await asyncio.sleep(pause if number else 0)
        yield Chunk(text=word if number == 0 else f" {word}")
    yield Chunk(finish_reason="stop", usage=_usage(prompt, len(words)))


def said(
    prompt: Prompt,
    is_greeting: Callable[[str], bool],
    cosines: Mapping[str, float] = NO_COSINES,
    weights: Weights = WEIGHTS,
) -> str:
    """The whole answer: the agent's greeting, sentences of its knowledge, or its `unknown` line."""
    agent = prompt.agent
    if agent is None:
        return ALONE
    if agent.first_message and (not prompt.question.strip() or is_greeting(prompt.question)):
        return agent.first_message
    found = answer(
        Query(prompt.question, prompt.context), prompt.passages, language_of(agent.language), cosines, weights
    )
    return found or agent.unknown or UNKNOWN


async def _cosines(prompt: Prompt, closeness: Closeness | None) -> Mapping[str, float]:
    if closeness is None or prompt.agent is None or not prompt.passages:
        return NO_COSINES
    language = language_of(prompt.agent.language)
    question, texts = compared(Query(prompt.question, prompt.context), prompt.passages, language)
    return dict(zip(texts, await closeness(question, texts), strict=False))


def _usage(prompt: Prompt, completion: int) -> Mapping[str, int]:
    """Words counted as tokens: there is no tokenizer here, and nothing is billed."""
    asked = sum(len(tokens(text)) for text in (prompt.question, *(passage.text for passage in prompt.passages)))
    return {"prompt_tokens": asked, "completion_tokens": completion, "total_tokens": asked + completion}
