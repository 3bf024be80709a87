"""One turn, told in order: who answers, what was said, what to look up, what to ask, and what goes out."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from gateway.chat import endings, fillers, history, lines, query, stream
from gateway.chat import prompt as prompts
from gateway.chat.addressee import addressee
from gateway.chat.opening import Answer, filled
from gateway.chat.request import ChatRequest
from gateway.chat.speech import speech
from gateway.errors import GatewayError, InvalidValue, RequestError
from gateway.settings import Limits
from gateway.types import (
    Agent,
    Complete,
    Message,
    OnFailure,
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


AT_ONCE = 0.05
"""Seconds that an answer always has before a filler, however late the request itself came in."""


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
        prompt = prompts.passthrough(request, who.model, turn.told)
        plain: tuple[Stage, ...] = (stream.finished(turn), stream.single_calls)
        return _recorded(await _opened(prompt, plain, turn, brain, streamed=request.stream is True), turn, brain)

    agent = who.agent
    streamed = agent.stream if request.stream is None else request.stream
    messages = fillers.removed(request.messages, agent.fillers) if agent.fillers else request.messages
    said = history.repaired(messages, characters=brain.limits.history_characters)
    if _begins(said):
        return _recorded(_greeting(agent, request.messages, turn, streamed=streamed), turn, brain)
    opening = _asked(agent, request, said, turn, brain, streamed=streamed)
    if not (streamed and agent.fillers):
        return _recorded(await opening, turn, brain)
    after = max(AT_ONCE, agent.filler_after_ms / 1000 - (brain.clock() - turn.began))
    opened = await filled(opening, fillers.chosen(agent.fillers, request.messages), after, turn)
    if turn.filler and (apology := _apology(agent, turn.route, brain)):
        # Even the caller's own fault has no status any more.
        opened = opened._replace(chunks=endings.recovered(apology, turn)(opened.chunks))
    return _recorded(opened, turn, brain)


def _recorded(answered: Answer, turn: Turn, brain: Brain) -> Answer:
    told = [stream.noted(turn.words.answered)] if turn.words else []
    return answered._replace(chunks=stream.folded(answered.chunks, (*told, stream.recorded(turn, brain.clock))))


async def _asked(
    agent: Agent, request: ChatRequest, said: history.History, turn: Turn, brain: Brain, *, streamed: bool
) -> Answer:
    """Look up what there is to look up, and open the agent's answer."""
    looked_up = Retrieved()
    if agent.collections and (wanted := query.of(said, [agent.name])):
        turn.phase = "retrieve"
        began = brain.clock()
        looked_up = await brain.retrieve(agent.collections, wanted, agent.retrieval)
        turn.starts["retrieve"], turn.timings["retrieve"] = (began - turn.began) * 1000, (brain.clock() - began) * 1000
    turn.retrieved = looked_up
    nonce = secrets.token_hex(4)
    prompt = prompts.composed(agent, request, said, looked_up, today=brain.today(), nonce=nonce, told=turn.told)
    stages: tuple[Stage, ...] = (stream.finished(turn), stream.spoken, stream.single_calls)
    if agent.speech and not _data(request):
        stages += (speech(agent.language),)
    return await _opened(prompt, stages, turn, brain, streamed=streamed)


async def _opened(prompt: Prompt, stages: Sequence[Stage], turn: Turn, brain: Brain, *, streamed: bool) -> Answer:
    turn.phase, turn.upstream = "open", "cancelled"  # until it is known to have ended otherwise
    apology = _apology(prompt.agent, turn.route, brain)
    counted = stream.estimated(sum(len(str(message.get("content") or "")) for message in prompt.messages), turn)
    if turn.words:
        turn.words.sent = [(str(each.get("role", "")), history.spoken(each)) for each in prompt.messages]
    began = brain.clock()
    turn.starts["upstream"] = (began - turn.began) * 1000
    try:
        opened = await brain.complete(turn.route, prompt, turn.attempts.append)
    except RequestError:
        turn.upstream = "failed"
        raise
    except Exception as caught:
        turn.upstream = "failed"
        # A bug of ours must not be silence either.
        if apology:
            excuse = endings.excused(apology, stream.understood(caught, turn.id), turn)
            return Answer(counted(excuse), streamed, (), _nothing)
        if isinstance(caught, GatewayError):
            raise
        raise stream.understood(caught, turn.id) from caught
    turn.timings["upstream"] = (brain.clock() - began) * 1000
    turn.phase, turn.target = "stream", opened.target
    told = [stream.noted(turn.words.generated)] if turn.words else []
    recovered = [endings.recovered(apology, turn)] if apology else []
    sourced = [stream.sourced(prompt.passages)] if prompt.agent else []
    chunks = stream.folded(opened.chunks, (*told, *stages, *recovered, *sourced, counted))
    return Answer(chunks, streamed, prompt.passages, opened.aclose)


def _data(request: ChatRequest) -> bool:
    """Whether the caller wants data that a program reads: its braces are no slip."""
    wanted = request.parameters.get("response_format")
    return isinstance(wanted, Mapping) and wanted.get("type") in ("json_object", "json_schema")


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


def _greeting(agent: Agent, messages: Sequence[Message], turn: Turn, *, streamed: bool) -> Answer:
    """Nobody has asked anything yet: the conversation begins, with the agent's first message."""
    if not agent.first_message:
        what = "holds no message of a user" if messages else "is empty"
        raise InvalidValue(f"`messages` {what}, and the agent has no first message.", param="messages")
    return Answer(stream.estimated(0, turn)(stream.line(agent.first_message)), streamed, (), _nothing)


async def _nothing() -> None:
    """There is no upstream to close."""
