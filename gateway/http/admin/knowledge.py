"""`/admin/knowledge`: collections, their versions, ingests, searches, and the way back."""

import logging
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, with_config
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from gateway.errors import Draining
from gateway.http.admin.bodies import BODY, answered
from gateway.http.admin.feed import fed
from gateway.http.admin.operation import Nothing
from gateway.http.state import State
from gateway.types import Query, Retrieval, RetrievalOutcome
from gateway.types.knowledge import Collection, IngestJob, SealedVersion

logger = logging.getLogger("gateway.admin")


@dataclass(frozen=True, slots=True)
class KnowledgeShown:
    """Every collection, and the ingests that run and ran."""

    collections: list[Collection]
    jobs: list[IngestJob]
    """Newest first."""


@dataclass(frozen=True, slots=True)
class VersionsShown:
    """The versions of a collection that are kept."""

    collection: str
    versions: list[SealedVersion]
    """Newest first."""


@with_config(BODY)
@dataclass(frozen=True, slots=True)
class SearchAsked:
    """A question, as an agent would look it up."""

    question: Annotated[str, Field(pattern=r"\S", max_length=4000, examples=["When do puffins nest?"])]
    context: Annotated[str, Field(max_length=4000)] = ""
    """The question before it, without which a follow-up question cannot be understood."""
    top_k: Annotated[int, Field(ge=1, le=20)] = 4
    """Passages at most."""
    floor: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    """Least cosine of a passage and the question."""
    budget_ms: Annotated[int, Field(ge=1, le=10_000)] = 150
    """Milliseconds until the lexical list alone has to do."""


@dataclass(frozen=True, slots=True)
class PassageFound:
    """A passage, and how near it is."""

    id: str
    source: str
    """Path of the file, relative to the collection's folder."""
    title: str
    text: str
    score: float
    """Reciprocal rank fusion; orders the passages of one search only."""
    similarity: float | None
    """Cosine; null where only the lexical list served."""


@dataclass(frozen=True, slots=True)
class SearchDone:
    """What a search brought, best first."""

    collection: str
    version: str
    outcome: RetrievalOutcome
    """`hybrid`: vectors and words; `lexical`: words only; `none`: neither."""
    reason: str
    """Why it is less than `hybrid`: `budget`, `queue`, `unavailable`; empty otherwise."""
    milliseconds: float
    """The opening of a collection that no agent uses is not in them."""
    passages: list[PassageFound]


@with_config(BODY)
@dataclass(frozen=True, slots=True)
class RollbackAsked:
    """Which version to serve."""

    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{0,40}$")] = ""
    """Empty: the one before the current."""


@dataclass(frozen=True, slots=True)
class RollbackDone:
    """Which version is served from now on."""

    collection: str
    version: str


async def shown(request: Request[State], _: Nothing) -> Response:
    """Show the collections as this process serves them, and the jobs of all."""
    knowledge = request.state["administration"].knowledge
    collections = await knowledge.collections(request.state["brain"]().agents)
    return answered(KnowledgeShown(list(collections), list(await knowledge.jobs())))


async def versions(request: Request[State], _: Nothing) -> Response:
    """Show the versions of one collection."""
    name = request.path_params["collection"]
    found = await request.state["administration"].knowledge.versions(name)
    return answered(VersionsShown(name, list(found)))


async def ingested(request: Request[State], _: Nothing) -> Response | ASGIApp:
    """Ingest one collection, or all where the path names none: a job's id, or its feed where one is asked for."""
    if request.state["draining"]():
        raise Draining("The gateway is shutting down.", retry_after=1.0)
    named = request.path_params.get("collection")
    job = await request.state["administration"].knowledge.ingest([named] if named else [])
    return _watched(request, job.id) or answered(job, 202)


async def job(request: Request[State], _: Nothing) -> Response | ASGIApp:
    """Show a job as it is now, or feed what becomes of it."""
    asked = request.path_params["job"]
    watching = request.state["administration"].knowledge.watched(asked)
    now = await anext(watching)
    await watching.aclose()
    return _watched(request, asked) or answered(now)


def _watched(request: Request[State], asked: str) -> ASGIApp | None:
    if "text/event-stream" not in request.headers.get("accept", ""):
        return None
    state = request.state
    watching = state["administration"].knowledge.watched(asked)
    return fed(watching, state["draining"], state["settings"].server.write_timeout)


async def searched(request: Request[State], asked: SearchAsked) -> Response:
    """Search a collection as a turn would."""
    name = request.path_params["collection"]
    query, retrieval = Query(asked.question, asked.context), Retrieval(asked.top_k, asked.floor, asked.budget_ms)
    found = await request.state["administration"].knowledge.search(name, query, retrieval)
    passages = [
        PassageFound(one.id, one.source, one.title, one.text, one.score, one.similarity)
        for one in found.retrieved.passages
    ]
    brought = found.retrieved
    return answered(SearchDone(name, found.version, brought.outcome, brought.reason, found.milliseconds, passages))


async def rolled_back(request: Request[State], asked: RollbackAsked) -> Response:
    """Serve another version at once."""
    name = request.path_params["collection"]
    version = await request.state["administration"].knowledge.rollback(name, asked.version)
    logger.info("request %s: collection %s is served from %s", request.state["request_id"], name, version)
    return answered(RollbackDone(name, version))
