"""The embedded upstream that needs no model: it quotes the sentences of the passages that answer best."""

import asyncio
from collections.abc import Callable, Mapping

from gateway.types import Ask, Chunk, Chunks, Prompt, Query
from gateway.upstream.choice import WEIGHTS, Weights, answer
from gateway.upstream.words import language_of, tokens

PAUSE = 0.015
"""Seconds between words: some twenty times as fast as speech, so that a voice never waits for a word."""
ALONE = "This built-in answerer only quotes an agent's knowledge. Ask an agent, or set up a language model."
"""Said where no agent is asked, and so no knowledge belongs to the question."""
UNKNOWN = "I do not know."
"""Said where the agent has no `unknown` line."""


def extractive(
    reply: Callable[[Prompt], str],
    *,
    weights: Weights = WEIGHTS,
    pause: float = PAUSE,
) -> Ask:
    """The target itself; see `answered` for the arguments."""

    def ask(prompt: Prompt) -> Chunks:
        return answered(prompt, reply=reply, weights=weights, pause=pause)

    return ask


async def answered(
    prompt: Prompt,
    *,
    reply: Callable[[Prompt], str],
    weights: Weights = WEIGHTS,
    pause: float = PAUSE,
) -> Chunks:
    """What is said to the prompt: a word a chunk, the first at once, the finish and the usage at the end.

    `reply` has a line for small talk, and nothing for a question.
    """
    words = said(prompt, reply, weights).split()
    for number, word in enumerate(words):
        # Suspended before every word: a caller that hung up is noticed, and others get their turn.
        await asyncio.sleep(pause if number else 0)
        yield Chunk(text=word if number == 0 else f" {word}")
    yield Chunk(finish_reason="stop", usage=_usage(prompt, len(words)))


def said(
    prompt: Prompt,
    reply: Callable[[Prompt], str],
    weights: Weights = WEIGHTS,
) -> str:
    """The whole answer: a line for small talk, sentences of the agent's knowledge, or its `unknown` line."""
    agent = prompt.agent
    if agent is None:
        return ALONE
    if line := reply(prompt):
        return line
    query = Query(prompt.question, prompt.context)
    found = answer(query, prompt.passages, language_of(agent.language), weights)
    return found or agent.unknown or UNKNOWN


def _usage(prompt: Prompt, completion: int) -> Mapping[str, int]:
    """Words counted as tokens: there is no tokenizer here, and nothing is billed."""
    asked = sum(len(tokens(text)) for text in (prompt.question, *(passage.text for passage in prompt.passages)))
    return {"prompt_tokens": asked, "completion_tokens": completion, "total_tokens": asked + completion}
