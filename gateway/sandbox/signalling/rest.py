"""The seed's first form: one POST with the offer, and everything else on the data channel that the client opens."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.sandbox.accounts import Accounts
from gateway.sandbox.avatar.avatar import Avatar
from gateway.sandbox.signalling.held import shown
from gateway.sandbox.signalling.lines import ChannelLine, Gone
from gateway.sandbox.signalling.patience import Patience
from gateway.sandbox.signalling.peer import Peer, UnreadableOffer
from gateway.sandbox.signalling.spoken import with_token


class Rest:
    """The sessions that were begun by a POST; they run on when it is answered."""

    def __init__(self, accounts: Accounts, patience: Patience | None = None) -> None:
        self._accounts = accounts
        self._patience = patience or Patience()
        self._running: set[asyncio.Task[None]] = set()

    async def offered(self, request: Request) -> Response:
        """Answer an offer. Without a key: the token on the data channel says who it is."""
        try:
            offer: Any = await request.json()
        except ValueError:
            offer = None
        missing = [name for name in ("sdp", "type") if not isinstance(offer, dict) or name not in offer]
        if missing:
            detail = [{"loc": ["body", name], "msg": "Field required", "type": "missing"} for name in missing]
            return JSONResponse({"detail": detail}, 422)
        line, avatar = ChannelLine(), Avatar(media="none", fps=self._accounts.behaviour.fps)
        peer = Peer(avatar, line.open)
        try:
            answer = await peer.answer(offer)
        except UnreadableOffer as unread:
            avatar.stop()
            await peer.close()
            return JSONResponse({"detail": str(unread)}, 400)
        task = asyncio.create_task(self._run(line, peer), name="rest session")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        blocked = self._accounts.behaviour.ice == "blocked"
        return Response(shown(answer, blocked=blocked), media_type="application/json")

    async def close(self) -> None:
        """End what runs."""
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _run(self, line: ChannelLine, peer: Peer) -> None:
        lost = asyncio.create_task(peer.closed.wait())
        lost.add_done_callback(lambda _: line.gone())
        try:
            await with_token(line, peer, self._accounts, self._patience)
        except Gone:
            pass
        finally:
            lost.cancel()
            peer.avatar.stop()
            await peer.close()
