"""gateway/upstream/targets.py and probing.py: what is known of targets, and how they are found well again."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from gateway.errors import UpstreamAuthFailed, UpstreamError, UpstreamLimited, UpstreamRejected, UpstreamUnavailable
from gateway.settings import Breaker as Rule
from gateway.settings import Target as Told
from gateway.types import Chunk
from gateway.upstream.candidate import Candidate, Health, Plan
from gateway.upstream.probing import TINY
from gateway.upstream.targets import Targets, missing
from tests.unit.upstream.doubles import HI, Target

REFUSED = UpstreamUnavailable("refused")
RULE = Rule(failures=1, open_for=0.02, longest=0.04)
TOLD = Told(url="http://one/v1", model="m", key="k", first_token=0.1)


class Worker:
    """One worker's targets on the loop's clock, and what it published."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.published: list[tuple[str, float]] = []
        self.targets = Targets(
            publish=lambda target, until: self.published.append((target, until - loop.time())),
            clock=loop.time,
            epoch=loop.time,
        )

    def health(self, target: Target, told: Told = TOLD, rule: Rule = RULE) -> Health:
        return self.targets.health(told, target.ask(), rule)

    def fail(self, health: Health, error: UpstreamError = REFUSED) -> None:
        health.breaker.failed(error, self.targets.clock())


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    """A worker whose probes end with the test."""
    one = Worker()
    yield one
    await one.targets.aclose()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("probe")]


async def until(true: Callable[[], bool]) -> None:
    """Wait for at most a second."""
    async with asyncio.timeout(1):
        while not true():  # noqa: ASYNC110 what is waited for knows nothing of tests
            await asyncio.sleep(0.005)


async def test_an_open_target_is_probed_until_it_answers(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    """One tiny completion after the other, and the log says when it is left out and when it is back."""
    caplog.set_level(logging.INFO, "gateway.upstream")
    target = Target(turns=[(REFUSED,), (9.0,), HI])
    health = worker.health(target)
    worker.fail(health)
    assert health.breaker.state == "open"
    await until(lambda: health.breaker.state == "closed")
    assert target.asked == target.closed == 3
    assert {each.parameters["max_tokens"] for each in target.prompts} == {1}
    await until(lambda: "is back" in caplog.text)
    assert "m@http://one/v1 is left out (upstream_unavailable" in caplog.text
    assert [name for name, _ in worker.published] == ["m@http://one/v1"] * 3
    assert all(0 < seconds <= 0.04 for _, seconds in worker.published)


async def test_one_probe_runs_at_a_time(worker: Worker) -> None:
    """However often it fails meanwhile, nobody else asks."""
    target = Target(0.05, *HI)
    health = worker.health(target)
    for _ in range(20):
        worker.fail(health)
        await asyncio.sleep(0.002)
    await until(lambda: health.breaker.state == "closed")
    assert target.asked == 1


@pytest.mark.parametrize("steps", [(UpstreamRejected("no"),), (Chunk(finish_reason="length"),), (Chunk(), Chunk("Hi"))])
async def test_any_answer_of_the_model_is_one(worker: Worker, steps: tuple[Chunk, ...]) -> None:
    """A word, a finish after one token of thought, or a refusal of the probe itself: it is back."""
    health = worker.health(Target(*steps))
    worker.fail(health)
    await until(lambda: health.breaker.state == "closed")


async def test_a_probe_is_sent_as_the_target_takes_it(worker: Worker) -> None:
    """What was learned from refusals holds for probes too."""
    target = Target(*HI)
    health = worker.health(target)
    health.learned.refused(TINY, "max_tokens")
    worker.fail(health)
    await until(lambda: health.breaker.state == "closed")
    assert target.prompts[0].parameters == {"max_completion_tokens": 1}


async def test_a_limit_in_answer_to_a_probe_is_obeyed(worker: Worker) -> None:
    """The next probe waits for the time that was named."""
    target = Target(turns=[(UpstreamLimited("limit", retry_after=30),), HI])
    health = worker.health(target)
    worker.fail(health)
    await until(lambda: target.asked == 1)
    await asyncio.sleep(0.15)
    assert target.asked == 1 and health.breaker.cools > 29


async def test_a_key_that_is_refused_is_an_alert(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody but the operator can mend it."""
    worker.fail(worker.health(Target(9.0)), UpstreamAuthFailed("The upstream refused this gateway's key."))
    (record,) = caplog.records
    assert record.levelno == logging.ERROR and "upstream_auth_failed" in record.message


async def test_workers_tell_one_another(worker: Worker) -> None:
    """What one publishes opens the same target of another, which probes for itself and publishes nothing."""
    other = Worker()
    mine, its = worker.health(Target(9.0)), other.health(Target(*HI))
    worker.fail(mine)
    ((name, seconds),) = worker.published
    other.targets.told(name, other.targets.epoch() + seconds)
    other.targets.told("m@http://elsewhere/v1", other.targets.epoch() + 60)
    assert its.breaker.state == "open"
    await until(lambda: its.breaker.state == "closed")
    assert not other.published
    await other.targets.aclose()


async def test_a_workers_own_word_changes_nothing_when_it_comes_back(worker: Worker) -> None:
    """The store sends it to all: a target with a limit is asked when that is over, and one that is back stays so."""
    echo: list[tuple[str, float]] = []
    worker.targets.publish = lambda target, until: echo.append((target, until))
    health = worker.health(Target(9.0))
    health.breaker.cool(0.05, UpstreamLimited("limit"))
    worker.targets.told(*echo[-1])
    await asyncio.sleep(0.06)
    assert health.breaker.admits()
    worker.fail(health)
    health.breaker.spoke(worker.targets.clock())
    worker.targets.told(*echo[-1])
    assert health.breaker.admits() and len(echo) == 2


async def test_the_same_target_is_the_same_in_every_route_and_after_a_reload(worker: Worker) -> None:
    """URL, model and key say which it is; deadlines may change, and so may the breaker's rule."""
    health = worker.health(Target(9.0))
    worker.fail(health)
    again = worker.health(Target(9.0), replace(TOLD, first_token=9.0, retries=3), Rule(failures=7))
    assert again is health and again.breaker.rule.failures == 7 and again.breaker.state == "open"
    for other in (replace(TOLD, key="new"), replace(TOLD, model="n"), replace(TOLD, url="http://two/v1")):
        assert worker.health(Target(9.0), other) is not health


async def test_what_no_route_has_any_more_is_forgotten_and_not_probed(worker: Worker) -> None:
    """Its running streams may still fail: nobody starts to probe it for that."""
    kept, gone = worker.health(Target(9.0)), worker.health(Target(9.0), replace(TOLD, model="gone"))
    worker.fail(gone)
    plan = Plan((Candidate("r", "m", Target().ask(), kept),))
    worker.targets.keep({"r": plan})
    await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("probe")]
    late = worker.health(Target(9.0), replace(TOLD, model="gone"))
    worker.targets.keep({"r": plan})
    worker.fail(late)
    assert late.breaker.state == "open" and len(worker.targets.known) == 1


async def test_what_is_missing_is_said_once_by_route_and_model(worker: Worker) -> None:
    """Open targets, and those with a limit, of every route that has them."""
    health, well = worker.health(Target(9.0)), worker.health(Target(9.0), replace(TOLD, model="n"))
    plans = [
        Plan((Candidate(name, "m", Target().ask(), health), Candidate(name, "n", Target().ask(), well)))
        for name in "ab"
    ]
    assert missing(plans) == []
    worker.fail(health)
    assert missing(plans) == ["upstream:a/m", "upstream:b/m"]
    well.breaker.cool(20, UpstreamLimited("limit"))
    assert missing(plans[:1]) == ["upstream:a/m", "upstream:a/n"]


async def test_ending_the_process_ends_the_probes() -> None:
    """In the middle of a probe too."""
    one = Worker()
    target = Target(9.0)
    one.fail(one.health(target, replace(TOLD, first_token=9.0)))
    await until(lambda: target.asked == 1)
    async with asyncio.timeout(1):
        await one.targets.aclose()
    assert target.closed == 1
