"""A gateway whose admin API is asked: real files, real versions, quick vectors, on a real socket."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from gateway.administration import read
from gateway.app import Drain, create_app
from gateway.errors import Fault
from gateway.http.state import Access
from gateway.retrieval import build, ingest, jobs, library, retriever
from gateway.retrieval.jobs import Ingest
from gateway.retrieval.shelves import shelves
from gateway.settings import Knowledge, Limits, Route, Settings, Target
from gateway.store import turn_records
from gateway.types import Agent, Key, Source, Turn, TurnRecord, WantedTurns
from gateway.types.administration import Administration, KeyCabinet, Rotated, TurnsKept, WantedKey
from gateway.types.turn import AttemptRecord
from tests.desk import Desked
from tests.knowledge import HashedModel, tried, write
from tests.serving import serve, sharing

NORA = "---\ndescription: keeps a lighthouse\ncollections: [lighthouse]\n---\nYou are Nora.\n"


def quick(job: ingest.Job, stop: ingest.Stop) -> Iterator[ingest.Event]:
    """An ingest in this process, with hashed vectors: what is up to date is found by the real one."""
    del stop
    for name in job.collections:
        with library.opened(Path(job.var), job.chroma_url) as shelves:
            found = ingest.unchanged(job, shelves.shelf(name))
        if isinstance(found, ingest.Done | Fault):
            yield found
            continue
        events: list[ingest.Event] = []
        build.build(replace(job, collections=(name,)), HashedModel().passage, events.append, tried)
        yield from events


@dataclass
class Cabinet:
    """Keys in a dictionary."""

    keys: dict[str, Key] = field(default_factory=dict)
    generations: dict[str, int] = field(default_factory=dict)

    async def create(self, wanted: WantedKey) -> tuple[Key, str]:
        id_ = f"{len(self.keys):012}"
        key = Key(id_, "d1" * 32, wanted.scope, wanted.name, wanted.agent, wanted.rate, 1.0, wanted.expires)
        self.keys[id_] = key
        return key, f"gw_{id_}_secret"

    async def listed(self) -> list[tuple[Key, float | None]]:
        return [(key, None) for key in self.keys.values()]

    async def revoke(self, id_: str) -> Key | None:
        if id_ not in self.keys:
            return None
        self.keys[id_] = replace(self.keys[id_], revoked=2.0)
        return self.keys[id_]

    async def rotate(self, agent: str) -> Rotated:
        self.generations[agent] = self.generations.get(agent, 0) + 1
        return Rotated(self.generations[agent], f"/k/new/agents/{agent}/chat/completions")


@dataclass
class Administered:
    """A running gateway, and what it was made of."""

    root: Path
    url: str
    drain: Drain
    http: httpx.AsyncClient
    jobs: jobs.Jobs
    cabinet: Cabinet
    desk: Desked

    async def answer(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """The body of an answer that has this status."""
        answer = await self.http.request(method, path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()


async def turns(wanted: WantedTurns) -> TurnsKept:
    """The one that there was."""
    source = Source("lighthouse/birds.md#1", "Puffins", 0.03, None)
    attempts = (AttemptRecord("up/scripted", "", 12.5, "first"),)
    one = turn_records.record(Turn("turn-1", 1.0, 0.0, agent="nora", timings={"total": 20.0}))
    one = replace(one, attempts=attempts, sources=(source,))
    return TurnsKept([one] if wanted.holds(one) else [], True)


def settings(root: Path, upstream: str = "http://127.0.0.1:9") -> Settings:
    """Of a gateway whose files all lie in one directory."""
    target = Target(url=upstream, model="scripted", connect=0.5, first_token=1.0)
    return Settings(
        knowledge=Knowledge(directory=root / "knowledge"),
        prompts=root / "prompts",
        var=root / "var",
        limits=Limits(wrong_keys=1000),  # every operation is asked with each kind of wrong key
        routes={"up": Route((target,))},
        default_route="up",
    )


async def told(wanted: WantedTurns) -> AsyncGenerator[TurnRecord | None, None]:
    """The same ones, and no other."""
    yield None
    for one in (await turns(wanted)).turns:
        yield one


@asynccontextmanager
async def administered(
    root: Path,
    agents: Mapping[str, str] | None = None,
    *,
    upstream: str = "http://127.0.0.1:9",
    run: Ingest = quick,
    access: Access | None = None,
) -> AsyncIterator[Administered]:
    """Serve these agent files (one, Nora, who knows `lighthouse`) and the knowledge that lies in `root`."""
    write(root / "prompts", {f"{name}.md": text for name, text in (agents or {"nora": NORA}).items()})
    (root / "knowledge").mkdir(exist_ok=True)
    made, cabinet, drain, desk = settings(root, upstream), Cabinet(), Drain(), Desked()
    served: Mapping[str, Agent] = read(made).agents
    used = dict.fromkeys(name for agent in served.values() for name in agent.collections)

    async def files() -> Any:
        return read(made)

    async with (
        retriever.opened(made, used, embed_query=HashedModel().query) as searches,
        jobs.opened(made, searches, run) as ingests,
    ):
        known = Administration(
            KeyCabinet(cabinet.create, cabinet.listed, cabinet.revoke),
            files,
            cabinet.rotate,
            shelves(made, searches, ingests),
            turns,
            told,
            desk.desk(),
        )
        app = create_app(sharing(made), served, drain, retrieve=searches.retrieve, administered=known, access=access)
        async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
            yield Administered(root, url, drain, http, ingests, cabinet, desk)
