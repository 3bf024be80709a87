"""gateway/upstream/completing.py and silence.py"""

import asyncio

import pytest

from gateway.errors import GatewayError, ModelNotFound, UpstreamEmpty, UpstreamTimeout, UpstreamUnavailable
from gateway.types import Agent, Ask, Attempted, Chunk, Chunks, Prompt
from gateway.upstream.completing import Attempt, completing
from gateway.upstream.silence import Silence

NOTED: list[Attempted] = []

ROUTE = Prompt([{"role": "user", "content": "?"}])
AGENT = Prompt(ROUTE.messages, agent=Agent("nora", "persona"))


class Target:
    """A target that says these chunks, waits where a number stands, raises an error; it counts how it was closed."""

    def __init__(self, *steps: Chunk | float | GatewayError) -> None:
        self.steps = steps
        self.asked = 0
        self.closed = 0

    def ask(self) -> Ask:
        async def chunks(_: Prompt) -> Chunks:
            self.asked += 1
            try:
                for step in self.steps:
                    if isinstance(step, GatewayError):
                        raise step
                    if isinstance(step, Chunk):
                        yield step
                    else:
                        await asyncio.sleep(step)
            finally:
                self.closed += 1

        return chunks


async def said(prompt: Prompt, *targets: Target, first_token: float = 0.05) -> tuple[str, list[Chunk]]:
    attempts = [Attempt(f"t{number}", "m", first_token, target.ask()) for number, target in enumerate(targets)]
    opened = await completing({"r": attempts})("r", prompt, NOTED.append)
    return opened.target, [chunk async for chunk in opened.chunks]


HI = (Chunk(), Chunk("hi"), Chunk(finish_reason="stop"))


async def test_all_chunks_come_through_in_order() -> None:
    """What was pulled before the first useful chunk is not lost."""
    assert await said(AGENT, Target(*HI)) == ("t0/m", list(HI))


@pytest.mark.parametrize(
    "failing",
    [
        Target(UpstreamUnavailable("refused")),
        Target(Chunk(), UpstreamUnavailable("reset before the first word")),
        Target(Chunk(), 9.0),
        Target(Chunk(), Chunk(finish_reason="stop")),
        Target(Chunk(delta={"reasoning_content": "hm"}), Chunk(finish_reason="length")),
        Target(),
    ],
)
async def test_a_target_that_fails_before_a_word_is_replaced_by_the_next(failing: Target) -> None:
    """Refused, reset, silent, empty or only reasoning: the caller hears the second target and the first is closed."""
    assert await said(AGENT, failing, Target(*HI)) == ("t1/m", list(HI))
    assert failing.closed == failing.asked == 1


async def test_after_the_first_word_nobody_else_is_asked() -> None:
    """A failure after a word belongs to the stream: the caller has heard half a sentence."""
    second = Target(*HI)
    with pytest.raises(UpstreamUnavailable):
        await said(AGENT, Target(Chunk("hel"), UpstreamUnavailable("cut")), second)
    assert second.asked == 0


async def test_the_last_failure_is_the_one_that_is_told() -> None:
    """Where all targets fail, the route fails as its last target did."""
    with pytest.raises(UpstreamTimeout):
        await said(AGENT, Target(UpstreamUnavailable("refused")), Target(9.0))
    with pytest.raises(UpstreamEmpty):
        await said(AGENT, Target())


@pytest.mark.parametrize("first", [Chunk(delta={"reasoning_content": "hm"}), Chunk(finish_reason="content_filter")])
async def test_a_bare_route_may_answer_without_a_word(first: Chunk) -> None:
    """Who asks a route itself gets what the model says: reasoning, or nothing and why."""
    assert await said(ROUTE, Target(first)) == ("t0/m", [first])


async def test_a_model_of_the_route_is_named() -> None:
    """`ROUTE/NAME` reaches the target's name."""
    opened = await completing({"r": [Attempt("r", "m", 1, Target(*HI).ask())]})(
        "r", Prompt((), model="other"), NOTED.append
    )
    assert opened.target == "r/other"
    await opened.aclose()


async def test_closing_an_opened_completion_closes_its_target() -> None:
    """Nobody has to begin the stream for it to be closed."""
    target = Target(*HI)
    opened = await completing({"r": [Attempt("r", "m", 1, target.ask())]})("r", AGENT, NOTED.append)
    await opened.aclose()
    assert target.closed == 1


async def test_a_cancelled_opening_closes_its_target() -> None:
    """A hang-up while the first token is waited for reaches the upstream at once."""
    target = Target(9.0)
    opening = asyncio.create_task(said(AGENT, target, first_token=9))
    await asyncio.sleep(0.01)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert target.closed == 1


async def test_an_unknown_route_is_a_model_not_found() -> None:
    """A route that nobody configured is the caller's mistake."""
    with pytest.raises(ModelNotFound):
        await completing({})("nobody", ROUTE, NOTED.append)


async def test_silence_breaks_off_once_and_only_when_waited_through() -> None:
    """A pause while the caller reads does not count; one while the upstream is waited for does."""
    broken: list[int] = []
    silence = Silence(0.03, 10, lambda: broken.append(1))
    await asyncio.sleep(0.08)
    assert not broken, "the first word has a deadline of its own"
    silence.heard()
    silence.waiting = False
    await asyncio.sleep(0.08)
    assert not broken
    silence.waiting = True
    silence.heard()
    await asyncio.sleep(0.08)
    assert broken == [1] and silence.error is not None


async def test_silence_ends_a_stream_after_its_total() -> None:
    """A stream that never falls silent ends all the same."""
    broken: list[int] = []
    silence = Silence(0.03, 0.06, lambda: broken.append(1))
    for _ in range(10):
        silence.heard()
        await asyncio.sleep(0.01)
    assert broken == [1]


async def test_a_stopped_silence_stays_silent() -> None:
    """A stream that ended is not broken off afterwards."""
    broken: list[int] = []
    Silence(0.01, 1, lambda: broken.append(1)).stop()
    await asyncio.sleep(0.03)
    assert not broken
