"""A route asked: the function that the core is given.

All retries and all fail-over are decided here (`search.py`) and only before the first useful chunk: after it, the
caller has heard half a sentence.
"""

import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from gateway.errors import ModelNotFound
from gateway.types import Chunks, Complete, Note, Opened, Prompt
from gateway.upstream.candidate import Plan
from gateway.upstream.search import Search

Continued: TypeAlias = Callable[[Chunks, Prompt, Callable[[Prompt], Awaitable[Opened]]], Chunks]
"""`continuing.continued`: chunks that go on, where they break off, with those of a successor."""


def completing(
    routes: Mapping[str, Plan],
    *,
    chance: random.Random | None = None,
    clock: Callable[[], float] = time.perf_counter,
    continued: Continued | None = None,
) -> Complete:
    """Return the function that opens a completion on a route.

    `clock` is the one of the targets' health; `chance` draws weights and pauses.
    """
    drawing = chance or random.Random()  # noqa: S311 nothing secret is drawn

    async def complete(route: str, prompt: Prompt, note: Note) -> Opened:
        plan = routes.get(route)
        if plan is None or not plan.candidates:
            raise ModelNotFound(f"There is no route {route!r}.", param="model")
        search = Search(plan, prompt, note, clock, drawing)
        opened = await search.opened()
        if not plan.continues or continued is None:
            return opened
        return opened._replace(chunks=continued(opened.chunks, prompt, search.successor))

    return complete
