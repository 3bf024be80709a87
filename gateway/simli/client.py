"""Simli, typed: what can be asked of it, in whichever dialect it speaks. Functions raise SimliError's kinds only."""

import asyncio
import base64
import logging
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx

from gateway.errors import SimliNotFound, SimliProtocolError, SimliRejected
from gateway.settings import Simli as Options
from gateway.settings.values import loopback
from gateway.simli import answers, dialect, downloads
from gateway.simli.dialect import Dialect, Form, Operation
from gateway.simli.refusals import Answer, json, protocol
from gateway.simli.sending import Request, Wire
from gateway.types.simli import (
    Face,
    IceServer,
    PastSession,
    SimliAgent,
    SimliToken,
    Spoken,
    Started,
    VideoUrls,
)

IDLE = 2.0
"""Seconds that a connection is kept: a request on one that Simli is just closing might count as sent."""


@asynccontextmanager
async def opened(url: str, key: str, options: Options) -> AsyncIterator["Simli"]:
    """A client of the Simli at `url`. Proxies of the environment are used where that is not on this machine."""
    for name in ("httpx", "httpcore"):  # they log addresses, and some of those carry a session token
        logging.getLogger(name).setLevel(logging.WARNING)
    local = loopback(urlsplit(url).hostname or "")
    limits = httpx.Limits(keepalive_expiry=IDLE)
    tls = _certificates()
    named = {"user-agent": "simli-gateway"}
    async with httpx.AsyncClient(
        timeout=options.timeout, limits=limits, headers=named, trust_env=not local, verify=tls
    ) as http:
        wire = Wire(http, url.rstrip("/"), key, options.timeout, options.patience)
        yield Simli(wire, options.dialect, plain=urlsplit(url).scheme == "http")


@cache
def _certificates() -> ssl.SSLContext:
    """To read them costs a few hundredths of a second; once is enough."""
    return httpx.create_ssl_context()


class Simli:
    """One Simli. `auto` finds out once which dialect it speaks."""

    def __init__(self, wire: Wire, dialect_: str, *, plain: bool) -> None:
        self._wire = wire
        self._chosen = dialect_
        self._found: Dialect | None = None
        self._finding = asyncio.Lock()
        self._plain = plain  # without TLS: files may be fetched so, too

    def __repr__(self) -> str:
        return f"Simli({self._wire.url!r}, {self._found or self._chosen})"

    async def dialect(self) -> Dialect:
        """The one that is set, or that it was found to speak."""
        if self._chosen != "auto":
            return cast("Dialect", self._chosen)
        async with self._finding:
            if self._found is None:
                self._found = await self._probed()
        return self._found

    async def agents(self) -> list[SimliAgent]:
        """All of the account."""
        return answers.agents(await self._ask(dialect.AGENTS))

    async def agent(self, id_: str) -> SimliAgent:
        """One; SimliNotFound where there is none."""
        return answers.agent(await self._ask(dialect.AGENT, Request((id_,))))

    async def create_agent(self, fields: Mapping[str, Any]) -> SimliAgent:
        """A new one, as Simli made it. Never sent again where it may have been made."""
        return answers.agent(await self._ask(dialect.CREATE_AGENT, Request(body=fields)))

    async def update_agent(self, id_: str, fields: Mapping[str, Any]) -> None:
        """Change these fields; the others stay."""
        await self._ask(dialect.UPDATE_AGENT, Request((id_,), fields))

    async def delete_agent(self, id_: str) -> None:
        """It is gone; one that was gone already is as good."""
        await self._gone(dialect.DELETE_AGENT, id_)

    async def auto_token(
        self,
        *,
        llm_key: str = "",
        tts_key: str = "",
        expires: int | None = None,
        origins: Sequence[str] = (),
        transcript: bool = False,
    ) -> SimliToken:
        """A token that starts a session of one of the account's agents.

        `expires` is in seconds since the epoch (None: never); `origins` are the pages that may use it (none: any).
        """
        body = {
            "expiryStamp": -1 if expires is None else expires,
            "llmAPIKey": llm_key,
            "ttsAPIKey": tts_key,
            "originAllowList": list(dict.fromkeys(origins)),
            "createTranscript": transcript,
        }
        return answers.token(await self._ask(dialect.AUTO_TOKEN, Request(body=body)))

    async def start(self, fields: Mapping[str, Any]) -> Started:
        """Start an end-to-end session (`fields.session_fields`): it bills from now on, and is never started twice."""
        return answers.started(await self._ask(dialect.START, Request(body=fields)))

    async def start_agent(self, agent_id: str, token: SimliToken, *, in_header: bool = False) -> Started:
        """Start a session of an agent: a GET that bills, so it is sent once, whatever becomes of it.

        The token goes into the path, where every edition of Simli's documentation has it, or into a header.
        """
        if in_header:
            request = Request((agent_id,), headers={"session-token": token.text}, secrets=(token.text,))
            return answers.started(await self._ask(dialect.START_AGENT_BY_HEADER, request))
        request = Request((agent_id, token.text), secrets=(token.text,))
        return answers.started(await self._ask(dialect.START_AGENT, request))

    def start_url(self, agent_id: str, token: SimliToken) -> str:
        """The address with which a browser starts a session, of a token that this client got. Asking it starts one."""
        form = dialect.START_AGENT.form("legacy" if "legacy" in (self._found, self._chosen) else "current")
        assert form is not None
        return self._wire.url + form.at(agent_id, token.text)

    async def transcript(self, session_id: str) -> Sequence[Spoken] | None:
        """What was said; None: there is none, or not yet, which Simli does not tell apart."""
        try:
            return answers.transcript(await self._ask(dialect.TRANSCRIPT, Request((session_id,))))
        except SimliNotFound:
            return None

    async def compose_token(self, face_id: str, **fields: Any) -> SimliToken:
        """A token for a session that is fed with audio; `fields` in Simli's names: `handleSilence`, `maxIdleTime`."""
        version = "v1" if await self.dialect() == "legacy" else "v2"
        body = {"faceId": face_id, "apiVersion": version, **fields}
        return answers.token(await self._ask(dialect.COMPOSE_TOKEN, Request(body=body)))

    async def ice(self) -> list[IceServer]:
        """STUN and TURN for a peer."""
        return answers.ice(await self._ask(dialect.ICE))

    async def signalled(self, sdp: str) -> str:
        """The SDP answer to an offer, in the older REST form: what follows goes over the data channel."""
        return answers.answered(await self._ask(dialect.OFFER, Request(body={"sdp": sdp, "type": "offer"})))

    async def history(self, start: str = "", end: str = "") -> list[PastSession]:
        """Past sessions, between two times as Simli writes them."""
        query = {name: value for name, value in (("startTime", start), ("endTime", end)) if value}
        return answers.history(await self._ask(dialect.HISTORY, Request(query=query)))

    async def usage(self) -> int:
        """Sessions that run now."""
        return answers.usage(await self._ask(dialect.USAGE))

    async def ping(self) -> None:
        """It is there, and it is Simli."""
        answers.pong(await self._ask(dialect.PING))

    async def faces(self) -> list[Face]:
        """The account's own; Simli's presets are not among them."""
        return answers.faces(await self._ask(dialect.FACES))

    async def create_face(self, image: bytes, name: str, *, trinity: bool = False) -> Face:
        """Have a face made of an image, which takes minutes to hours. `trinity`: of the newer kind."""
        operation = dialect.CREATE_TRINITY if trinity else dialect.CREATE_FACE
        return answers.face(await self._ask(operation, Request(query={"face_name": name}, image=image)))

    async def preprocess_face(self, image: bytes, name: str) -> Mapping[str, Any]:
        """What Simli thinks of an image for a Trinity face; its form is documented nowhere."""
        request = Request(query={"face_name": name}, image=image)
        answer = await self._ask(dialect.PREPROCESS_TRINITY, request)
        body = json(answer)
        if not isinstance(body, Mapping):
            raise protocol(answer, "there is no object in its answer")
        return body

    async def face(self, face_id: str, *, trinity: bool = False) -> Face:
        """How far the making of a face has come."""
        operation = dialect.TRINITY if trinity else dialect.FACE
        return answers.face(await self._ask(operation, Request(query={"face_id": face_id})), face_id)

    async def delete_face(self, face_id: str, *, trinity: bool = False) -> None:
        """It is gone; one that was gone already is as good."""
        await self._gone(dialect.DELETE_TRINITY if trinity else dialect.DELETE_FACE, face_id)

    async def text_to_video(
        self, face_id: str, request: Mapping[str, Any], tts_key: str = "", user_id: str = ""
    ) -> VideoUrls:
        """A video of a text, spoken as `request` says (`fields.speech_fields`). Today's API has it no longer."""
        body = {"faceId": face_id, "requestBody": dict(request), "ttsAPIKey": tts_key, "user_id": user_id}
        return answers.videos(await self._ask(dialect.TEXT_TO_VIDEO, Request(body=body)), plain=self._plain)

    async def audio_to_video(
        self, face_id: str, audio: bytes, format_: str, *, rate: int = 16000, channels: int = 1
    ) -> VideoUrls:
        """A video of speech, of the format pcm16, pcm32, wav, mp3 or ogg."""
        body = {
            "faceId": face_id,
            "audioBase64": base64.b64encode(audio).decode(),
            "audioFormat": format_,
            "audioSampleRate": rate,
            "audioChannelCount": channels,
            "videoStartingFrame": 0,
        }
        return answers.videos(await self._ask(dialect.AUDIO_TO_VIDEO, Request(body=body)), plain=self._plain)

    async def download(self, url: str, into: Path, within: float) -> int:
        """Fetch a video once it is there, at most `within` seconds from now; its size in bytes."""
        return await downloads.fetched(self._wire.http, url, into, within, plain=self._plain)

    async def _gone(self, operation: Operation, id_: str) -> None:
        try:
            await self._ask(operation, Request((id_,)))
        except SimliNotFound:
            return

    async def _ask(self, operation: Operation, request: Request = Request()) -> Answer:  # noqa: B008 frozen
        return await self._wire.ask(operation, await self._form(operation), request)

    async def _form(self, operation: Operation) -> Form:
        """How to say it here. Under `auto`, what only one dialect has is said in that one."""
        if self._chosen == "auto" and (operation.legacy is None or operation.current in (None, operation.legacy)):
            form = operation.legacy or operation.current
        else:
            form = operation.form(await self.dialect())
        if form is None:
            raise SimliRejected(f"Simli did not {operation.deed}: its {self._chosen} API has no such call.")
        return form

    async def _probed(self) -> Dialect:
        """Ask for the agents as either dialect does. Anything but a 404 comes from a Simli that knows the path."""
        for spoken, form in dialect.PROBES:
            try:
                answers.agents(await self._wire.ask(dialect.AGENTS, form))
            except SimliNotFound:
                continue
            return spoken
        paths = " and ".join(form.path for _, form in dialect.PROBES)
        raise SimliProtocolError(
            f"Neither of Simli's APIs is at {urlsplit(self._wire.url).netloc}: {paths} are 404. Check SIMLI_URL.",
            simli_status=404,
        )
