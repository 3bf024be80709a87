"""Signalling over a WebSocket: the seed's dialect (the token is a message) and today's (it is in the address)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.websockets import WebSocket

from gateway.sandbox.accounts import Accounts
from gateway.sandbox.avatar.avatar import Avatar
from gateway.sandbox.avatar.face import face_of
from gateway.sandbox.signalling.held import Held, about, refused, shown
from gateway.sandbox.signalling.lines import Gone, SocketLine
from gateway.sandbox.signalling.patience import Patience
from gateway.sandbox.signalling.peer import Peer, UnreadableOffer
from gateway.sandbox.signalling.spoken import with_token
from gateway.sandbox.signalling.tokens import Admission, admitted
from gateway.sandbox.signalling.words import Kind, Said, read


@asynccontextmanager
async def _accepted(socket: WebSocket) -> AsyncIterator[SocketLine]:
    await socket.accept()
    line = SocketLine(socket)
    try:
        yield line
    except Gone:
        pass
    finally:
        await line.drop()


@asynccontextmanager
async def _viewed(avatar: Avatar) -> AsyncIterator[Peer]:
    peer = Peer(avatar)
    try:
        yield peer
    finally:
        avatar.stop()
        await peer.close()


async def _offered(line: SocketLine, patience: Patience) -> Said | None:
    """The first message that is an offer; None: none came in time."""
    try:
        async with asyncio.timeout(patience.offer):
            while True:
                said = read(await line.hear())
                if said.kind is Kind.OFFER:
                    return said
                if said.kind is Kind.PING:
                    line.say(f"pong{said.text}")
    except TimeoutError:
        return None


async def current(socket: WebSocket, accounts: Accounts, patience: Patience) -> None:
    """Today's: `?session_token=`, the offer, the answer, START once connected and again a second later."""
    async with _accepted(socket) as line:
        token = socket.query_params.get("session_token", "")
        admission = admitted(accounts, token)
        if isinstance(admission, str):
            await refused(line, admission)
            return
        said = await _offered(line, patience)
        if said is None:
            await refused(line, "NO_OFFER_IN_TIME")
            return
        with accounts.sessions.running(admission.opened(accounts)) as session:
            await asyncio.to_thread(face_of, admission.face)
            async with _viewed(_avatar(admission, accounts)) as peer:
                try:
                    answer = await peer.answer(said.offer or {})
                except UnreadableOffer:
                    accounts.sessions.end(session, await refused(line, "INVALID_OFFER"))
                    return
                line.say(shown(answer, blocked=accounts.behaviour.ice == "blocked"))
                for text in about(peer.avatar, session):
                    line.say(text)
                reason = await Held(line, peer, session, accounts, patience).run(at_once=False)
                accounts.sessions.end(session, reason)


async def legacy(socket: WebSocket, accounts: Accounts, patience: Patience) -> None:
    """The seed's: the offer, ACK and the answer, the token as a message, ACK and START at once.

    START does not wait for the connection: the oldest Python client connects only after it has read START.
    """
    async with _accepted(socket) as line:
        said = await _offered(line, patience)
        if said is None:
            await refused(line, "NO_OFFER_IN_TIME")
            return
        line.say("ACK")
        async with _viewed(Avatar(media="none", fps=accounts.behaviour.fps)) as peer:
            try:
                answer = await peer.answer(said.offer or {})
            except UnreadableOffer:
                await refused(line, "INVALID_OFFER")
                return
            line.say(shown(answer, blocked=accounts.behaviour.ice == "blocked"))
            await with_token(line, peer, accounts, patience)


def _avatar(admission: Admission, accounts: Accounts) -> Avatar:
    behaviour = accounts.behaviour
    return Avatar(admission.face, handle_silence=admission.handle_silence, fps=behaviour.fps, media=behaviour.media)
