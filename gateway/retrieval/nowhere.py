"""What an ingest is told of other processes where there is none."""

from collections.abc import AsyncGenerator, Sequence

from gateway.errors import NotFound
from gateway.types.knowledge import Elsewhere, IngestJob, Moved


async def _unhindered(_: IngestJob) -> None:
    """Nobody else ingests."""


def _untold(_: IngestJob) -> None:
    """Nobody else listens."""


def _unkept(_: IngestJob) -> bool:
    """Nobody else goes on with it."""
    return False


async def _unmoved() -> AsyncGenerator[Moved, None]:
    """Nobody else has anything to hand on."""
    return
    yield


def _unserved() -> None:
    """Nobody else serves."""


async def _none() -> Sequence[IngestJob]:
    return ()


async def _unknown(job: str) -> AsyncGenerator[IngestJob, None]:
    raise NotFound(f"There is no job {job[:80]!r}.")
    yield


NOWHERE = Elsewhere(_unhindered, _untold, _unkept, _unmoved, _unserved, _none, _unknown)
"""There is no other process."""
