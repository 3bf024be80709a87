"""What an ingest's events make of its job. Pure."""

from dataclasses import replace

from gateway.errors import DiskFull, Fault, KnowledgeError, NotWritable
from gateway.retrieval import ingest
from gateway.types.knowledge import Ingesting, IngestJob

MOST = 100
"""Notes, and faults, that a job remembers beside the last one: a folder of photographs has one for each."""


def noted(job: IngestJob, event: ingest.Event) -> IngestJob:
    """The job after this event."""
    if isinstance(event, Fault):
        return replace(job, faults=(*job.faults[:MOST], event))
    if isinstance(event, ingest.Note):
        return replace(job, notes=(*job.notes[:MOST], event.text))
    parts = tuple(_after(one, event) if one.collection == event.collection else one for one in job.collections)
    return replace(job, collections=parts)


def _after(one: Ingesting, event: ingest.Progress | ingest.Done) -> Ingesting:
    if isinstance(event, ingest.Progress):
        return replace(one, done=event.done, total=event.total)
    version, built = event.version, event.built or (one.built and one.version == event.version)
    return replace(one, done=one.total, version=version, built=built, files=event.files, passages=event.passages)


def code_of(faults: tuple[Fault, ...]) -> str:
    """Of the error that explains them best; empty where there are none."""
    for text, kind in ((ingest.FULL, DiskFull), (ingest.READ_ONLY, NotWritable)):
        if any(fault.problem.startswith(text) for fault in faults):
            return kind.code
    return KnowledgeError.code if faults else ""
