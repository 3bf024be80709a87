"""gateway/upstream/silence.py"""

import asyncio

from gateway.upstream.silence import Silence


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
