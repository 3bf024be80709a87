"""A desk without a Simli behind it: what it answers is data, and what it was asked is written down."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from gateway.errors import GatewayError, InvalidValue, NotFound
from gateway.types.orchestration import (
    Adopted,
    AgentsDesk,
    Applied,
    AudioFormat,
    Change,
    Desk,
    Difference,
    FacesDesk,
    Launched,
    Plan,
    Session,
    SessionEnded,
    SessionsDesk,
    TextVideo,
    Transcript,
)
from gateway.types.simli import Face, Spoken, VideoUrls

CHANGES = (
    Change("create", "nora", differences=(Difference("face_id", "", "tmp9i8bbq7c"),), warnings=("no key",)),
    Change("unchanged", "emil", "0e5b"),
)
PLAN, APPLIED = Plan(CHANGES, unowned=2), Applied(CHANGES[:1])
SPOKEN = (Spoken("user", "Is anybody there?", 2.0), Spoken("assistant", "The keeper is."))
URLS = VideoUrls("https://media.example.org/a.mp4", "https://media.example.org/a.m3u8")


@dataclass
class Desked:
    """Sessions and faces in dictionaries, one plan."""

    asked: list[tuple[str, object]] = field(default_factory=list)
    failing: GatewayError | None = None
    """Raised by whatever is asked next."""
    gate: asyncio.Event | None = None
    """An apply waits for it."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when that apply has come to its end."""
    plan: Plan = PLAN
    applied: Applied = APPLIED
    sessions: dict[str, Session] = field(default_factory=dict)
    faces: dict[str, Face] = field(default_factory=dict)

    def desk(self) -> Desk:
        """Its functions."""
        agents = AgentsDesk(self._plan, self._apply, self._adopt, self._delete)
        sessions = SessionsDesk(self._start, self._link, self._listed, self._shown, self._end, self._transcript)
        faces = FacesDesk(self._create, self._face, self._faces, self._delete_face, self._text, self._audio)
        return Desk(agents, sessions, faces)

    def _note(self, what: str, value: object) -> None:
        self.asked.append((what, value))
        if self.failing is not None:
            failing, self.failing = self.failing, None
            raise failing

    async def _plan(self, prune: bool) -> Plan:
        self._note("plan", prune)
        return self.plan

    async def _apply(self, prune: bool) -> Applied:
        self._note("apply", prune)
        if self.gate is not None:
            await self.gate.wait()
            self.over.set()
        return self.applied

    async def _adopt(self, id_: str, name: str) -> Adopted:
        self._note("adopt", (id_, name))
        return Adopted(name or "nora", id_, f"prompts/{name or 'nora'}.md")

    async def _delete(self, agent: str) -> Change:
        self._note("delete", agent)
        if agent != "nora":
            raise NotFound(f"There is no agent of ours {agent!r} at Simli.")
        return Change("delete", agent, "0e5b")

    async def _start(self, agent: str, by_agent: bool) -> Launched:
        self._note("start", (agent, by_agent))
        if agent != "nora":
            raise NotFound(f"There is no agent {agent!r}.")
        key = f"{len(self.sessions):012}"
        made = Session(f"ses_{key}", agent, "agent" if by_agent else "e2e", key, 1.0, 4e9, room_url="https://room")
        self.sessions[made.id] = made
        return Launched(made, made.room_url, warnings=("a warning",))

    async def _link(self, agent: str, origins: Sequence[str]) -> Launched:
        self._note("link", (agent, tuple(origins)))
        done = await self._start(agent, True)
        return Launched(replace(done.session, flow="link"), "", "gAAAA-token", "https://api.example.org/start")

    async def _listed(self) -> list[Session]:
        self._note("listed", None)
        return list(reversed(self.sessions.values()))

    async def _shown(self, id_: str) -> Session:
        self._note("shown", id_)
        if id_ not in self.sessions:
            raise NotFound(f"There is no session {id_!r}.")
        return self.sessions[id_]

    async def _end(self, id_: str) -> SessionEnded:
        self.sessions[id_] = replace(await self._shown(id_), ended=3.0)
        return SessionEnded(self.sessions[id_], 303.0, "Its key opens nothing any more; Simli may bill until 303.")

    async def _transcript(self, id_: str) -> Transcript:
        await self._shown(id_)
        return Transcript(id_, "ready", "both", "Simli's, with times of our own.", SPOKEN)

    async def _create(self, image: bytes, name: str) -> Face:
        self._note("create", (len(image), name))
        if not image.startswith(b"\x89PNG"):
            raise InvalidValue("The image is no PNG, JPEG or WebP.")
        made = Face(f"face{len(self.faces)}", "processing", "queued")
        self.faces[made.id] = made
        return made

    async def _face(self, face: str) -> Face:
        self._note("face", face)
        if face not in self.faces:
            raise NotFound(f"There is no face {face!r}.")
        return self.faces[face]

    async def _faces(self) -> list[Face]:
        self._note("faces", None)
        return list(self.faces.values())

    async def _delete_face(self, face: str) -> None:
        await self._face(face)
        del self.faces[face]

    async def _text(self, wanted: TextVideo) -> VideoUrls:
        self._note("text", wanted)
        return URLS

    async def _audio(self, face: str, audio: bytes, kind: AudioFormat) -> VideoUrls:
        self._note("audio", (face, len(audio), kind))
        return URLS
