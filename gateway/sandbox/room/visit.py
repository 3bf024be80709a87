"""One person in a room: from the offer to the end of the connection they see the avatar, and it hears them."""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiortc import MediaStreamTrack

from gateway.sandbox.signalling.peer import Answer, Peer
from gateway.sandbox.talk.conversation import Conversation
from gateway.sandbox.talk.listening import Listening
from gateway.sandbox.talk.senses import Senses


class Visit:
    """Begun by an offer; whoever began it lets it run, and it ends with the connection or with the session."""

    def __init__(self, talk: Conversation, senses: Senses) -> None:
        self._talk = talk
        self._senses = senses
        self._tracks: list[MediaStreamTrack] = []
        hears = not senses.missing(talk.brain.language)
        self._peer = Peer(talk.watched(), on_sound=self._tracks.append if hears else None)

    async def answer(self, offered: Mapping[str, Any]) -> Answer:
        """The answer; UnreadableOffer says what is wrong, and then there is no visit."""
        try:
            return await self._peer.answer(offered)
        except BaseException:
            await self._peer.close()
            raise

    async def run(self) -> None:
        """Until the connection is gone."""
        async with asyncio.TaskGroup() as group:
            doing = [group.create_task(Listening(self._talk, self._senses).listen(track)) for track in self._tracks]
            doing += [group.create_task(self._greet()), group.create_task(self._drop())]
            try:
                await self._peer.closed.wait()
            finally:
                for task in doing:
                    task.cancel()
                await self._peer.close()

    async def _greet(self) -> None:
        """What is said first is said once it can be heard."""
        await self._peer.connected.wait()
        self._talk.greet()

    async def _drop(self) -> None:
        await self._peer.connected.wait()
        after = self._talk.behaviour().drops_after
        if after:
            await asyncio.sleep(after)
            await self._peer.drop()
