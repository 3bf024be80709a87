"""The conversations that run, by room."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from gateway.audio.voice import Voice
from gateway.sandbox.accounts import Accounts
from gateway.sandbox.behaviour import Behaviour, changed
from gateway.sandbox.sessions import Session
from gateway.sandbox.talk.brain import Brain
from gateway.sandbox.talk.conversation import Conversation
from gateway.sandbox.talk.model import Model
from gateway.sandbox.talk.senses import Senses

KEPT = 200
"""Ended conversations that are remembered."""


class Talks:
    """It begins them with a session, and ends them with it."""

    def __init__(self, accounts: Accounts, voice: Voice, senses: Senses) -> None:
        self.accounts = accounts
        self.voice = voice
        self.senses = senses
        self.by_id: dict[str, Conversation] = {}
        self._own: dict[str, dict[str, Any]] = {}
        self._model: Model | None = None
        self._visits: set[asyncio.Task[None]] = set()
        self._lives: dict[str, asyncio.Task[None]] = {}

    def begin(self, session: Session, brain: Brain) -> Conversation:
        """A session has a conversation from now on."""
        if self._model is None:
            self._model = Model()

        def behaviour() -> Behaviour:
            return replace(self.accounts.behaviour, **self._own.get(session.id, {}))

        deaf = self.senses.missing(brain.language)
        talk = Conversation(session, brain, self._model, self.voice, behaviour, deaf=deaf)
        self.by_id[session.id] = talk
        self._lives[session.id] = asyncio.create_task(self._live(talk))
        for id_ in [id_ for id_, one in self.by_id.items() if one.over.is_set()][:-KEPT]:
            del self.by_id[id_]
            self._own.pop(id_, None)
        return talk

    def run(self, visit: Coroutine[Any, Any, None]) -> None:
        """Somebody's visit to a conversation: it goes on by itself, and ends with the conversation."""
        task = asyncio.create_task(visit, name="visit")
        self._visits.add(task)
        task.add_done_callback(self._visits.discard)

    async def _live(self, talk: Conversation) -> None:
        reason = await talk.live()
        await self.end(talk, reason)

    async def end(self, talk: Conversation, reason: str) -> None:
        """It is over: what is being said is broken off, and the transcript is there."""
        self.accounts.sessions.end(talk.session, reason)
        await talk.close()
        self._lives.pop(talk.session.id, None)

    def in_room(self, room: str) -> Conversation | None:
        """The conversation of a room."""
        return next((one for one in self.by_id.values() if one.session.room == room), None)

    def behave(self, session: str, wanted: dict[str, Any]) -> None:
        """How this session's conversation behaves, in these fields; ValueError names what is wrong with them."""
        if session not in self.by_id:
            raise ValueError("session: there is no such session")
        changed(self.accounts.behaviour, wanted)
        self._own[session] = {**self._own.get(session, {}), **wanted}

    async def forget(self) -> None:
        """End all of them, and remember none."""
        running = {*self._lives.values(), *self._visits}
        for talk in list(self.by_id.values()):
            await self.end(talk, "closed")
        if running:
            await asyncio.wait(running)
        self.by_id.clear()
        self._own.clear()

    async def close(self) -> None:
        """End all of them, and the HTTP client with them."""
        await self.forget()
        if self._model is not None:
            await self._model.close()
            self._model = None
