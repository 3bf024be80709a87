"""An open target is probed in the background: a real, tiny completion, one at a time, until one is answered.

A look at `/models` or at the port would do less: a server whose port is open and whose model hangs would be let in
again.
"""

import asyncio
from collections.abc import Callable

from gateway.errors import RequestError, UpstreamError
from gateway.types import Ask, Prompt
from gateway.upstream import gate
from gateway.upstream.breaker import Breaker
from gateway.upstream.mending import Learned

TINY = Prompt([{"role": "user", "content": "Hi"}], {"max_tokens": 1})


async def recovered(breaker: Breaker, ask: Ask, seconds: float, learned: Learned, clock: Callable[[], float]) -> None:
    """Return once the breaker is closed, by a probe's answer or by a turn's. A probe has so many seconds to speak."""
    while breaker.state != "closed":
        # It becomes due sooner where somebody wants it meanwhile, so the sleep is never longer than the longest pace.
        if (wait := breaker.due - clock()) > 0:
            await asyncio.sleep(min(wait, breaker.rule.longest))
            continue
        breaker.probe()
        error = await _asked(ask, seconds, learned)
        if error is not None and error.retry_after:
            breaker.cool(error.retry_after, error)
        breaker.probed(error)


async def _asked(ask: Ask, seconds: float, learned: Learned) -> UpstreamError | None:
    try:
        _, chunks = await gate.opened(ask, learned.applied(TINY), seconds)
        await chunks.aclose()
    except RequestError:
        return None  # what it says of this request is an answer
    except UpstreamError as error:
        return error
    return None
