"""What opens a session of the avatar: a token that the account gave out, in an address or as a message."""

import asyncio
from dataclasses import dataclass

from gateway.sandbox.accounts import Accounts
from gateway.sandbox.sessions import Session
from gateway.sandbox.signalling.held import RATE
from gateway.sandbox.signalling.lines import Line
from gateway.sandbox.signalling.patience import Patience
from gateway.sandbox.signalling.words import Kind, read
from gateway.sandbox.tokens import Compose

MISSING = "MISSING_SESSION_TOKEN"


@dataclass(frozen=True, slots=True)
class Admission:
    """A token that is good, and what it was given out for."""

    token: str
    compose: Compose

    @property
    def face(self) -> str:
        """The id of the face."""
        return self.compose.face

    @property
    def handle_silence(self) -> bool:
        """Whether pictures go on without audio."""
        return self.compose.handle_silence

    def opened(self, accounts: Accounts) -> Session:
        """The session that it opens."""
        return accounts.opened(self.token, self.compose)


def admitted(accounts: Accounts, token: str) -> Admission | str:
    """What a token opens, or the code of why it does not."""
    compose = accounts.session_of_token(token)
    if compose is None:
        return "INVALID_SESSION_TOKEN" if token else MISSING
    if accounts.full:
        return RATE
    return Admission(token, compose)


async def told(line: Line, accounts: Accounts, patience: Patience) -> Admission | str:
    """Wait for the token as a message; a client that is late, or sends audio first, is asked for it."""
    loop = asyncio.get_running_loop()
    last, asked_at = loop.time() + patience.offer, loop.time() + patience.token
    while loop.time() < last:
        try:
            async with asyncio.timeout_at(min(last, asked_at)):
                said = read(await line.hear())
        except TimeoutError:
            line.say(MISSING)
            asked_at = last
            continue
        match said.kind:
            case Kind.TOKEN:
                return admitted(accounts, said.text)
            case Kind.PING:
                line.say(f"pong{said.text}")
            case Kind.OFFER:
                pass
            case Kind.DONE | Kind.STOP:
                return "CLOSED"
            case _:
                line.say(MISSING)
    return MISSING
