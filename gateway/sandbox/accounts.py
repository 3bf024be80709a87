"""The sandbox's whole state: one account, its agents, tokens and sessions, and how the sandbox behaves."""

import secrets
import uuid
from typing import Any

from gateway.sandbox.behaviour import Behaviour
from gateway.sandbox.calls import Calls
from gateway.sandbox.faults import Faults
from gateway.sandbox.options import Options
from gateway.sandbox.sessions import Session, Sessions
from gateway.sandbox.tokens import Compose, Tokens


class Accounts:
    """Of one sandbox; every path gets it."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.owner = str(uuid.uuid4())
        self.stun_port = 0
        """Where its own STUN responder listens; 0: nowhere."""
        self.forget()

    def forget(self) -> None:
        """All is as it was when the sandbox started; what runs goes on, and nobody knows of it."""
        self.behaviour = Behaviour()
        self.agents: dict[str, dict[str, Any]] = {}
        """By id, as Simli shows them."""
        self.tokens = Tokens()
        self.sessions = Sessions()
        self.calls = Calls()
        self.faults = Faults()

    def takes(self, key: str) -> bool:
        """Whether it is the account's API key."""
        return secrets.compare_digest(key.encode(), self.options.key.encode())

    def session_of_token(self, token: str) -> Compose | None:
        """What a compose token opens; None: nothing (any more)."""
        grant = self.tokens.of(token)
        return grant if isinstance(grant, Compose) else None

    def opened(self, token: str, compose: Compose) -> Session:
        """A session by a compose token: to be run with `accounts.sessions.running(…)`, so that it is counted."""
        if self.behaviour.single_use:
            self.tokens.use_up(token)
        return Session("compose", compose.face, compose.max_session_length, compose.max_idle_time)

    @property
    def full(self) -> bool:
        """Whether as many sessions run as may at once."""
        return 0 < self.behaviour.sessions <= self.sessions.usage
