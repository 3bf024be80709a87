"""Sessions launched: with all fields at the start, by one of Simli's agents, or by a browser that is given a token.

Each has a key of its own, bound to the agent and to the session, that opens nothing from the session's longest end on.
What can be known before Simli is asked for anything is looked at first, and one real turn goes through the public URL;
whatever fails after the key was made takes it away again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from gateway.errors import (
    Conflict,
    GatewayError,
    InvalidValue,
    KeyNotTaken,
    SimliError,
    StoreUnavailable,
)
from gateway.orchestration.launchpad import Ground, Launchpad, origin
from gateway.types.orchestration import Flow, Launched, Session
from gateway.types.simli import Started

MARGIN = 60
"""Seconds that a key outlives the longest session: what is said last is answered still."""
LINK_VALID = 3600
"""Seconds that a link starts sessions."""
KNOWN = 2.0
"""Seconds in which every process knows a new key: each looks once a second, if it has not heard of it."""


@dataclass(slots=True)
class Launch:
    """One that is under way."""

    session: Session
    key: str = field(repr=False)
    asked: bool = False
    """Simli was asked to start it."""


async def start(pad: Launchpad, name: str, by_agent: bool) -> Launched:
    """Start a session, which is billed from then on.

    Raises NotFound for an agent that is none, ConfigurationError for a file that Simli cannot take, Conflict where the
    agent at Simli is not the one of the file or as many sessions are open as may be, SimliError, StoreUnavailable; and
    what the look through the public URL finds.
    """
    ground = pad.ground(name)
    return await (_by_agent(ground) if by_agent else _e2e(ground))


async def link(pad: Launchpad, name: str, origins: Sequence[str]) -> Launched:
    """Make what a browser of these origins starts a session by; nothing is started. Without origins, the agent's own.

    Raises what `start` does, and InvalidValue for origins that are none.
    """
    ground = pad.ground(name)
    allowed = [origin(each) for each in origins or ground.agent.origins]
    if not allowed:
        problem = f"A link is for pages of some origins; {name} has none in its file, and none was named."
        raise InvalidValue(problem, param="origins")
    mapped = ground.agent_fields()
    async with pad.simli() as simli:
        simli_agent = await ground.applied(simli)
        until = pad.clock() + LINK_VALID
        async with _launched(ground, "link", until, simli_agent) as launch:
            warnings = await pad.look(ground.base(), launch.key, name)
            token = await ground.token(simli, launch.key, until, tuple(dict.fromkeys(allowed)))
            url = simli.start_url(simli_agent, token)
    said = (*mapped.warnings, *token.warnings, *warnings)
    return Launched(launch.session, token=token.text, start_url=url, warnings=said)


async def _e2e(ground: Ground) -> Launched:
    """All fields at the start. The key is in the URL too: what Simli sends in the header is its own affair."""
    pad = ground.pad
    async with pad.simli() as simli:
        dialect = await simli.dialect()
        ground.session_fields("gw_", dialect)  # what is wrong with the file is said before there is a key
        async with _launched(ground, "e2e", pad.clock()) as launch:
            mapped = ground.session_fields(launch.key, dialect)
            warnings = await _looked(ground, launch.key)
            launch.asked = True
            started = await simli.start(mapped.fields)
            return await _begun(ground, launch, started, (*mapped.warnings, *warnings))


async def _by_agent(ground: Ground) -> Launched:
    """One of Simli's agents, by a token that holds the key."""
    pad = ground.pad
    mapped = ground.agent_fields()
    async with pad.simli() as simli:
        simli_agent = await ground.applied(simli)
        async with _launched(ground, "agent", pad.clock(), simli_agent) as launch:
            warnings = await pad.look(ground.base(), launch.key, ground.agent.name)
            token = await ground.token(simli, launch.key, launch.session.expires)
            launch.asked = True
            started = await simli.start_agent(simli_agent, token)
            return await _begun(ground, launch, started, (*mapped.warnings, *token.warnings, *warnings))


async def _looked(ground: Ground, key: str) -> Sequence[str]:
    """One turn by the URL that holds the key. A key made a moment ago may not be known to every process yet."""
    known = time.monotonic() + KNOWN
    while True:
        try:
            return await ground.pad.look(ground.base(key), key, ground.agent.name)
        except KeyNotTaken:
            if time.monotonic() > known:
                raise
        await asyncio.sleep(0.1)


@asynccontextmanager
async def _launched(ground: Ground, flow: Flow, begins: float, simli_agent: str = "") -> AsyncIterator[Launch]:
    """A key and a record for a session that begins then at the latest; taken away again where the block fails."""
    store, agent = ground.pad.store, ground.agent
    expires = begins + agent.max_session_length + MARGIN
    made = await store.keys.create(
        name=f"session of {agent.name}"[:100], agent=agent.name, expires=expires, session=lambda id_: f"ses_{id_}"
    )
    session = Session(
        id=made.key.session,
        agent=agent.name,
        flow=flow,
        key=made.key.id,
        started=ground.pad.clock(),
        expires=expires,
        simli_agent=simli_agent,
        transcript=agent.transcript,
        idle=agent.max_idle_time,
    )
    launch = Launch(session, made.text)
    try:
        await _placed(ground, session)
        yield launch
    except BaseException as error:
        # Also where the caller is gone: nobody else would take the key away.
        await asyncio.shield(_withdrawn(ground, launch, error))
        raise


async def _placed(ground: Ground, session: Session) -> None:
    """Keep the record, where there is a place for one more. Raises Conflict, StoreUnavailable."""
    most = ground.pad.settings.simli.sessions
    if await ground.pad.store.sessions.begin(session, most) is None:
        many = "1 session is" if most == 1 else f"{most} sessions are"
        raise Conflict(f"{many} open, as many as [simli] sessions allows; `gateway sessions end ID` ends one.")


async def _withdrawn(ground: Ground, launch: Launch, error: BaseException) -> None:
    """Take the key away and close the record. What Simli may have started all the same is said."""
    session, store = launch.session, ground.pad.store
    unsure = launch.asked and not (isinstance(error, SimliError) and error.undone)
    note = error.message if isinstance(error, GatewayError) else "The launch was broken off."
    if unsure:
        limits = f"{session.idle} s of silence or {ground.agent.max_session_length} s in all"
        note += f" It may have started the session all the same, and then bills it up to its own limits: {limits}."
        if isinstance(error, SimliError):
            error.message, error.args = note, (note,)
    with suppress(StoreUnavailable):
        await store.sessions.close(session, note=note, unsure=unsure)
    with suppress(StoreUnavailable):
        await store.keys.revoke(session.key)


async def _begun(ground: Ground, launch: Launch, started: Started, warnings: Sequence[str]) -> Launched:
    """Keep what Simli says of a session that runs. A store that is away by now costs the record, not the session."""
    session = replace(launch.session, simli_id=started.id, room_url=started.room_url)
    try:
        await ground.pad.store.sessions.change(session.id, simli_id=started.id, room_url=started.room_url)
    except StoreUnavailable:
        warnings = (*warnings, "the store went away: this room is in no record, and Simli's transcript is not fetched")
    return Launched(session, started.room_url, warnings=tuple(warnings))
