"""A whole run: what is missing is started, the conversation held, everything ended, and what was found told."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from av import AudioFrame, VideoFrame

from gateway.audio import hearing
from gateway.audio.ears import Deaf
from gateway.audio.voice import voice
from gateway.errors import GatewayError, InvalidValue, RunLate
from gateway.peer.lips import Lips
from gateway.peer.listening import Listening
from gateway.peer.recording import Recording
from gateway.peer.watch import Watch
from gateway.settings import Settings
from gateway.smoke import composed, gateway, person, room, session, transcripts, verdicts
from gateway.smoke.causes import found
from gateway.smoke.evidence import Exchange
from gateway.smoke.scene import Found, Scene, error_of
from gateway.smoke.steps import Steps
from gateway.smoke.surroundings import Place, found_or_started
from gateway.smoke.wanted import Wanted
from gateway.types.smoke import Finding, Smoke, SmokeMedia, Visit

FILM = "film.mp4"


TRIED = "Can you hear me?"


@dataclass
class Run:
    """One run, and what is known of it: also where it failed, or was broken off."""

    settings: Settings
    wanted: Wanted
    watch: Watch = field(default_factory=Watch)
    epoch: float = field(default_factory=time.time)
    findings: list[Finding] = field(default_factory=list)
    steps: Steps = field(init=False)
    place: Place | None = None
    scene: Scene | None = None
    film: Recording | None = None
    visit: Visit | None = None
    film_at: float | None = None

    def __post_init__(self) -> None:
        self.steps = Steps(self.watch.now)

    async def hold(self) -> None:
        """Hold it. What goes wrong is in the findings; what was started is over when this returns, or is cancelled."""
        try:
            async with asyncio.timeout(self.wanted.within):
                await self._hold()
        except Found:
            pass  # the scene has it
        except TimeoutError:
            late = RunLate(f"The run was not over within {self.wanted.within:g} s; the last step is where it stood.")
            self.findings.append(verdicts.of_error(late))
        except Deaf as deaf:
            self.findings.append(found("deaf_here", str(deaf)))
        except GatewayError as error:
            self.findings.append(error_of(error, self.scene) if self.scene else verdicts.of_error(error))
        finally:
            if self.scene:
                self.findings[:0] = self.scene.findings

    def smoke(self) -> Smoke:
        """All that is known of it."""
        scene, place, visit = self.scene, self.place, self.visit
        return Smoke(
            mode=self.wanted.mode,
            agent=self.wanted.agent,
            began=self.epoch,
            seconds=round(self.watch.now(), 2),
            gateway=place.gateway if place else "",
            simli=place.settings.simli_url if place else self.settings.simli_url,
            steps=tuple(self.steps.taken),
            turns=tuple(scene.turns) if scene else (),
            media=visit.media if visit else scene.media() if scene else SmokeMedia(),
            screenshots=visit.screenshots if visit else (),
            said=dict(scene.written) if scene else {},
            findings=tuple(self.findings),
            session=scene.session if scene else "",
            film=FILM if self.film and self.film.written else "",
            film_at=self.film_at or 0.0,
        )

    async def _hold(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            if lacking := hearing.missing():
                raise Deaf(lacking)
            self.place = await stack.enter_async_context(found_or_started(self.settings, self.wanted, self.steps))
            opened = await stack.enter_async_context(
                gateway.opened(self.place.gateway, self.place.admin, self.place.key)
            )
            self.scene = scene = await stack.enter_async_context(self._scene(self.place, opened))
            async with self.steps.step("check", f"{self.wanted.agent} at {self.place.gateway}") as step:
                ready = await opened.ready()
                scene.agent = await opened.agent(self.wanted.agent)
                step.says = f"the gateway is ready ({ready}), and serves {self.wanted.agent}"
            trying = asyncio.create_task(_tried(scene), name="voice and ears")
            try:
                await self._recorded(scene)
                ways = {"compose": self._composed, "room": self._room, "auto": self._visited}
                await ways[self.wanted.mode](scene, trying)
            finally:
                trying.cancel()
                await asyncio.gather(trying, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def _scene(self, place: Place, opened: gateway.Gateway) -> AsyncIterator[Scene]:
        """Voice, ears and film, closed at the end."""
        speaking, ears = voice("speech"), hearing.ears()
        self.film = recording = Recording(self.wanted.folder / FILM)

        def see(frame: AudioFrame | VideoFrame, at: float) -> None:
            if self.film_at is None:
                self.film_at = at - self.watch.began
            recording.take(frame, at)

        scene = Scene(
            self.wanted, place, opened, self.watch, self.steps, speaking, ears,
            Listening(self.watch), Lips(self.watch), self.epoch,
        )  # fmt: skip
        self.watch.sinks.append(see)  # the last: what is recorded may be given other times by whoever writes it
        try:
            yield scene
        finally:
            speaking.close()
            ears.close()
            with contextlib.suppress(InvalidValue):  # there is no film then, which the report says
                await asyncio.to_thread(recording.close)

    async def _recorded(self, scene: Scene) -> None:
        """Questions that are files are heard by our own ears first: nothing is billed for one that none understands."""
        files = [(at, one) for at, one in enumerate(self.wanted.questions) if one.audio]
        if not files or self.wanted.mode == "compose":
            return
        async with self.steps.step("recordings", f"{len(files)}") as step:
            for number, question in files:
                itself, otherwise = await scene.itself(question, await scene.sound_of(question))
                one = Exchange(number, question, itself=itself, itself_otherwise=otherwise)
                if wrong := verdicts.of_question(one):
                    scene.findings.append(wrong)
                    step.verdict, step.says = "failed", wrong.says
                    raise Found([wrong])
            step.says = f"{len(files)}, each understood as its question"

    async def _ready(self, trying: "asyncio.Task[str]") -> None:
        """Voice and ears were started beside everything else, and nothing is said before they are there."""
        async with self.steps.step("voice and ears", "of this machine") as step:
            step.says = await trying

    async def _room(self, scene: Scene, trying: "asyncio.Task[str]") -> None:
        """By voice, in the room of a session."""
        launched: session.Launched | None = None
        try:
            async with session.launched(scene) as launched, room.entered(scene, launched.room_url) as talk:
                await self._ready(trying)
                await talk.converse()
                await session.own_transcript(scene)
            await session.transcript(scene)
            await self._agreed(scene)
        finally:
            if launched is not None:
                await session.deserted(scene, launched, None)

    async def _visited(self, scene: Scene, trying: "asyncio.Task[str]") -> None:
        """By a browser, or Daily's client, in the room of a session."""
        launched: session.Launched | None = None
        try:
            async with session.launched(scene) as launched:
                await self._ready(trying)
                self.visit = await person.visit(scene, launched.room_url)
                if self.visit.joined:
                    await session.own_transcript(scene)
            if self.visit.joined:
                await session.transcript(scene)
                await self._agreed(scene)
        finally:
            if launched is not None:
                await session.deserted(scene, launched, None)

    async def _composed(self, scene: Scene, trying: "asyncio.Task[str]") -> None:
        """By text, at a face."""
        before = await session.usage(scene)
        id_, key = await scene.gateway.key(self.wanted.agent)
        try:
            async with composed.entered(scene, key) as talk:
                await self._ready(trying)
                await talk.converse()
            await self._agreed(scene)
        finally:
            with contextlib.suppress(GatewayError):
                await scene.gateway.revoke(id_)
            await session.deserted(scene, None, before)

    async def _agreed(self, scene: Scene) -> None:
        """Whether all who wrote down what was said have the same."""
        async with scene.steps.step("transcripts agree") as step:
            differing = list(transcripts.disagreements(scene.held, scene.written))
            scene.findings += differing
            step.says = f"{', '.join(scene.written)}: who said what, in order"
            if differing:
                step.verdict, step.says = "failed", differing[0].says


async def _tried(scene: Scene) -> str:
    """Our own voice, heard by our own ears: that they are there, and ready, so that nothing waits for them later."""
    if lacking := hearing.missing(scene.language):
        raise Deaf(lacking)
    spoken = await scene.voice.spoken(TRIED, scene.language)
    heard = await scene.ears.heard(spoken.pcm, scene.language)
    return f"{TRIED} was heard as {heard.text.strip()!r}, in {heard.seconds:.1f} s"
