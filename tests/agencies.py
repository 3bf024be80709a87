"""Agents at a Simli, wanted by files that are data: for tests of plans, applies, adoptions."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from gateway.chat.agent import parse
from gateway.chat.prompt import MARKER, SIMLI_DEFAULT
from gateway.errors import ConfigurationError, Fault
from gateway.http.capability import capability, path
from gateway.orchestration.agency import Agency, Texts
from gateway.settings import Simli
from gateway.simli import client
from gateway.types import Agent
from gateway.types.administration import AgentFiles
from gateway.types.simli import SimliAgent

ID = "0123456789abcdef"
FACE = "tmp9i8bbq7c"
ONCE = Simli(dialect="current", timeout=5.0, patience=0.0)
"""Nothing is tried twice, and no dialect is looked for: each request that is made is one that was meant."""


@dataclass
class Files:
    """What the files want, and where the gateway is."""

    folder: Path
    faults: list[Fault] = field(default_factory=list)
    public: str = "https://one.example.org"
    generations: dict[str, int] = field(default_factory=dict)

    def write(self, name: str, front: str = "", persona: str = "You are somebody.") -> None:
        (self.folder / f"{name}.md").write_text(f"---\nface_id: {FACE}\n{front}\n---\n{persona}\n", "utf-8")

    def delete(self, name: str) -> None:
        (self.folder / f"{name}.md").unlink()

    def endpoint(self, name: str) -> str:
        if not self.public:
            raise ConfigurationError([Fault("GATEWAY_PUBLIC_URL", 0, "", "is not set")])
        return self.public + path(ID, capability("s" * 32, name, self.generations.get(name, 0)), name)

    async def read(self) -> AgentFiles:
        return self._read()

    def _read(self) -> AgentFiles:
        agents: dict[str, Agent] = {}
        faults = list(self.faults)
        paths = {each.stem: str(each) for each in sorted(self.folder.glob("*.md"))}
        for name, where in paths.items():
            try:
                agents[name] = parse(name, Path(where).read_text("utf-8"), where)
            except ConfigurationError as error:
                faults += error.faults
        return AgentFiles(agents, faults, paths)

    def agency(self, url: str, key: str, options: Simli = ONCE) -> Agency:
        """The agents of these files at this Simli."""
        return Agency(
            simli=partial(client.opened, url, key, options),
            files=self.read,
            endpoint=self.endpoint,
            gateway=ID,
            prompts=self.folder,
            load=parse,
            texts=Texts(MARKER, SIMLI_DEFAULT),
        )


@dataclass
class Dashboard:
    """Simli's own page, on which people make and change agents by hand."""

    url: str
    key: str

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncIterator[client.Simli]:
        async with client.opened(self.url, self.key, ONCE) as simli:
            yield simli

    async def agents(self) -> list[SimliAgent]:
        async with self._opened() as simli:
            return await simli.agents()

    async def make(self, name: str, **fields: Any) -> str:
        async with self._opened() as simli:
            return (await simli.create_agent({"face_id": FACE, "name": name, **fields})).id

    async def edit(self, id_: str, **fields: Any) -> None:
        async with self._opened() as simli:
            await simli.update_agent(id_, fields)

    async def clear(self) -> None:
        async with self._opened() as simli:
            for each in await simli.agents():
                await simli.delete_agent(each.id)


def read(file: str) -> str:
    return Path(file).read_text("utf-8")
