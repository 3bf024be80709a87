"""A job as it is stored, and what becomes of it once its process is gone.

    ["{process}", {job}, {when it was told}]

No process: it has handed the job on. A job whose process is missed (`members`) goes on in the next one as well, but not
for ever: what it ingests may be what kills them.
"""

from dataclasses import replace
from typing import NamedTuple

import orjson

from gateway.errors import Draining, Fault, GatewayError
from gateway.store.typed import value
from gateway.types.knowledge import IngestJob

MOST_KILLED = 2
"""Processes that may die of a job; with one more it has failed."""
LATE = 600.0
"""Seconds without a process, after which a job has failed: whoever asked for it has asked again, or has given it up. A
gateway of one process that is started again within them goes on with it."""
GONE = "The process that ingested it has ended before it was done; every version is as it was: ingest it again."
FATAL = (
    f"{MOST_KILLED + 1} processes have died while they ingested it, one after another; every version is as it was: "
    "look in the log for what killed them (often a lack of memory), then ingest it again."
)
HANDED_ON = "Begun again: the process that had it was stopped. What it had embedded is not embedded again."
DIED = "Begun again: the process that had it has died. What it had embedded is not embedded again."


class Told(NamedTuple):
    """A job as it is stored."""

    text: str
    process: str
    """Empty: it has handed it on."""
    job: IngestJob
    at: float
    """When this was told, in seconds since the epoch."""

    def after(self, now: float) -> IngestJob:
        """The job without its process: as the next one has it, or as failed. `now`: seconds since the epoch."""
        job = self.job
        killed = job.killed + (bool(self.process) and job.state == "running")
        if killed > MOST_KILLED or now - self.at > LATE:
            error = GatewayError(FATAL) if killed > MOST_KILLED else Draining(GONE)
            faults = (*job.faults, Fault("", 0, "", error.message))
            return replace(job, state="failed", ended=self.at, faults=faults, code=error.code, killed=killed)
        note = DIED if self.process else HANDED_ON
        return replace(job, state="waiting", notes=(note,), faults=(), attempts=job.attempts + 1, killed=killed)


def written(process: str, job: IngestJob, at: float) -> str:
    """The text that says so."""
    return orjson.dumps([process, job, at]).decode()


def read(text: str) -> Told | None:
    """What such a text says; None where it is none of ours."""
    try:
        process, job, at = orjson.loads(text)
        return Told(text, value(str, process), value(IngestJob, job), value(float, at))
    except (TypeError, ValueError):
        return None
