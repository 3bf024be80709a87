"""What a start needs and a turn will need, looked at before: each thing with what is wrong and what to do about it.

A *fault* is something that keeps the gateway from starting or from answering as it was told to; a *warning* costs less.
Looks run side by side, and one that takes too long says so.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence

from gateway import clients
from gateway.checks import knowledge, machine, simli, targets
from gateway.checks.finding import Finding, counted, place, said
from gateway.errors import ConfigurationError
from gateway.settings import Read, Settings
from gateway.types import Agent

__all__ = ["Finding", "findings", "remarks"]

BOUND = 3.0
"""Seconds for every look together, but for those below."""
BOUNDS = {"knowledge": BOUND + knowledge.TRIAL, "simli": simli.LOOK}


async def findings(read: Read) -> list[Finding]:
    """Everything, in the order of the settings. Faults of the settings keep nothing else from being looked at."""
    settings = read.settings
    faults = list(read.faults)
    agents: Mapping[str, Agent] = {}
    if settings is not None:
        try:
            agents = await asyncio.to_thread(clients.checked, settings)
        except ConfigurationError as error:
            # Where settings have faults, a route that an agent misses may be among those that could not be read.
            faults += [each for each in error.faults if not (read.faults and each.field == "route")]
    found = [Finding("fault", place(fault), said(fault)) for fault in sorted(set(faults))]
    if settings is None:
        return found
    if not found:
        found = [Finding("ok", "settings", f"{counted(agents, 'agent')}, {counted(settings.routes, 'route')}")]
    looks: dict[str, Awaitable[Sequence[Finding]]] = {
        "targets": targets.looked(settings),
        "store": machine.store(settings),
        "knowledge": knowledge.looked(settings, agents),
        "var": asyncio.to_thread(machine.var, settings),
        **{f"port {number}": machine.port(host, number) for host, number in machine.addresses(settings)},
        "public URL": simli.public_url(settings),
        "simli": simli.looked(settings),
    }
    for each in await asyncio.gather(*(_bounded(what, look) for what, look in looks.items())):
        found += each
    return found


async def remarks(settings: Settings, agents: Mapping[str, Agent]) -> Sequence[Finding]:
    """What a start does not find out by itself: for its log."""
    looks = (
        _bounded("var", asyncio.to_thread(machine.var, settings)),
        _bounded("knowledge", asyncio.to_thread(knowledge.fresh, settings, clients.languages(agents))),
        _bounded("public URL", simli.public_url(settings)),
    )
    return [one for found in await asyncio.gather(*looks) for one in found if one.level != "ok"]


async def _bounded(what: str, look: Awaitable[Sequence[Finding]]) -> Sequence[Finding]:
    bound = BOUNDS.get(what, BOUND)
    try:
        async with asyncio.timeout(bound):
            return await look
    except TimeoutError:
        return [Finding("warning", what, f"could not be looked at within {bound:g} seconds")]
