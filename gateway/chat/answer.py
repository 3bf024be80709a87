"""One turn, told in order: who answers, what was said, what to look up, what to ask, and what goes out."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from gateway.chat import endings, history, lines, query, stream
from gateway.chat import prompt as prompts
from gateway.chat.addressee import addressee
from gateway.chat.request import ChatRequest
from gateway.errors import InvalidValue, RequestError
from gateway.settings import Limits
from gateway.types import (
    Agent,
    Chunks,
    Complete,
    Message,
    OnFailure,
    Passage,
    Prompt,
    Retrieve,
    Retrieved,
    Stage,
    Turn,
)


@dataclass(frozen=True, slots=True)
class Brain:
    """What a turn is made with: values, and the functions that the adapters gave."""

    agents: Mapping[str, Agent]
    routes: Mapping[str, OnFailure]
    """Every route's name, and what becomes of a failure where the route is asked itself."""
    default_agent: str
    default_route: str
    limits: Limits
    retrieve: Retrieve
    complete: Complete
    today: Callable[[], date]
    clock: Callable[[], float]
    """Seconds; monotonic."""


class Answer(NamedTuple):
    """A turn whose first words are there."""

    chunks: Chunks
    streamed: bool
    """Whether the caller gets a stream."""
    sources: Sequence[Passage]
    aclose: Callable[[], Awaitable[None]]
    """Close the upstream, whether or not `chunks` was begun."""


async def answer(request: ChatRequest, path_agent: str, turn: Turn, brain: Brain) -> Answer:
    """Answer one request up to its first useful chunk.

    Raises RequestError for the caller's own faults. Any other GatewayError is raised only where the agent or route is
    to answer failures with an error; else the answer is the agent's apology.
    """
    who = addressee(
        request.model,
        path_agent,
        agents=brain.agents,
        routes=brain.routes,
        default_agent=brain.default_agent,
        default_route=brain.default_route,
    )
    turn.route = who.route
    turn.agent = who.agent.name if who.agent else ""
    turn.model = request.model or turn.agent or who.route

    if who.agent is None:
        if not request.messages:
            raise InvalidValue("`messages` is empty.", param="messages")
        prompt = prompts.passthrough(request, who.model)
        plain: tuple[Stage, ...] = (stream.finished, stream.single_calls)
        return await _opened(prompt, plain, turn, brain, streamed=request.stream is True)

    agent = who.agent
    streamed = agent.stream if request.stream is None else request.stream
    said = history.repaired(request.messages, characters=brain.limits.history_characters)
    if _begins(said):
        return _greeting(agent, request.messages, stream.recorded(turn, brain.clock), streamed)
    looked_up = Retrieved()
    if agent.collections and (wanted := query.of(said, [agent.name])):
        turn.phase = "retrieve"
        began = brain.clock()
        looked_up = await brain.retrieve(agent.collections, wanted, agent.retrieval)
        turn.timings["retrieve"] = (brain.clock() - began) * 1000
    turn.retrieved = looked_up
    prompt = prompts.composed(agent, request, said, looked_up, today=brain.today(), nonce=secrets.token_hex(4))
    stages: tuple[Stage, ...] = (stream.finished, stream.spoken, stream.single_calls)
    return await _opened(prompt, stages, turn, brain, streamed=streamed)


async def _opened(prompt: Prompt, stages: Sequence[Stage], turn: Turn, brain: Brain, *, streamed: bool) -> Answer:
    turn.phase = "open"
    apology = _apology(prompt.agent, turn.route, brain)
    counted = stream.estimated(sum(len(str(message.get("content") or "")) for message in prompt.messages))
    record = stream.recorded(turn, brain.clock)
    began = brain.clock()
    try:
        opened = await brain.complete(turn.route, prompt, turn.attempts.append)
    except RequestError:
        raise
    except Exception as caught:
        # A bug of ours must not be silence either.
        error = stream.understood(caught, turn.id)
        if not apology:
            raise error from caught
        turn.outcome, turn.code = "incomplete_spoken", error.code
        chunks = stream.folded(endings.apologised(apology, error), (counted, record))
        return Answer(chunks, streamed, (), _nothing)
    turn.timings["upstream"] = (brain.clock() - began) * 1000
    turn.phase, turn.target = "stream", opened.target
    recovered = [endings.recovered(apology, turn)] if apology else []
    sourced = [stream.sourced(prompt.passages)] if prompt.agent else []
    chunks = stream.folded(opened.chunks, (*stages, *recovered, *sourced, counted, record))
    return Answer(chunks, streamed, prompt.passages, opened.aclose)


def _apology(agent: Agent | None, route: str, brain: Brain) -> str:
    """What is spoken where the answer fails; empty where a failure is an error."""
    if agent is not None:
        return agent.apology if agent.on_failure == "speak" else ""
    return lines.default_lines("en").apology if brain.routes[route] == "speak" else ""


def _begins(said: history.History) -> bool:
    """Whether nobody has said anything yet: no user turn, or one that is blank and the first."""
    if said.last is None:
        return True
    return not said.context and not history.spoken(said.messages[said.last]).strip()


def _greeting(agent: Agent, messages: Sequence[Message], record: Stage, streamed: bool) -> Answer:
    """Nobody has asked anything yet: the conversation begins, with the agent's first message."""
    if not agent.first_message:
        what = "holds no message of a user" if messages else "is empty"
        raise InvalidValue(f"`messages` {what}, and the agent has no first message.", param="messages")
    chunks = stream.folded(stream.line(agent.first_message), (stream.estimated(0), record))
    return Answer(chunks, streamed, (), _nothing)


async def _nothing() -> None:
    """There is no upstream to close."""
