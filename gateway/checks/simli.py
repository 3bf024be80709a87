"""Simli, and the way from there to here: is it there, is the key right, can it be given the public URL, are the agents
there what their files say."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from gateway import administration, desk, public
from gateway import store as stores
from gateway.checks.finding import PATIENCE, Finding, place, said
from gateway.errors import ConfigurationError, SimliAuthFailed, SimliError, SimliUnavailable
from gateway.orchestration.origin import VARIABLE
from gateway.orchestration.publicity import refusal
from gateway.settings import SANDBOX_KEY, SANDBOX_URL, SIMLI_URL, Settings
from gateway.simli import client
from gateway.types.orchestration import Change, Plan

LOOK = 10.0
"""Seconds for all that Simli is asked."""
SYNC = "agents at Simli"
PORT = "PORT"
UNCONFIGURED = "not configured: SIMLI_API_KEY names an account there, gateway sandbox is a local one"


async def public_url(settings: Settings) -> Sequence[Finding]:
    """Whether callers reach the gateway where it says that they do, and Simli could."""
    found = await _public_url(settings)
    if settings.exposed and settings.auth.anonymous:
        says = "whoever reaches the public URL may chat, without a key"
        found = [*found, Finding("warning", "auth.anonymous", says, "set [auth] anonymous = false")]
    return found


async def _public_url(settings: Settings) -> Sequence[Finding]:
    url = public.url(settings)
    if settings.tunnel and not url:
        return []  # it is being opened, and says more itself
    if problem := refusal(url, local=settings.simli_is_local):
        says, _, remedy = problem.partition("; ")
        return [Finding("warning", "public URL", says, remedy)]
    if not url:
        return []
    if problem := await public.problem(url, PATIENCE):
        remedy = "correct GATEWAY_PUBLIC_URL, or what leads from there to here"
        if public.tunnelled(settings.var):
            remedy = "look at the tunnel; the gateway opens it again where nothing comes through for two minutes"
        return [Finding("warning", "public URL", f"{url}/livez: {problem}", remedy)]
    return [Finding("ok", "public URL", url)]


async def looked(settings: Settings) -> Sequence[Finding]:
    """Whether Simli answers and takes the key, in which dialect, and whether its agents are as their files say."""
    hurried = replace(
        settings, simli=replace(settings.simli, timeout=min(PATIENCE, settings.simli.timeout), patience=0.0)
    )
    try:
        async with client.opened(settings.simli_url, settings.simli_key, hurried.simli) as opened:
            dialect = await opened.dialect()
            agents = await opened.agents()
    except SimliAuthFailed as error:
        remedy = "put the right key into SIMLI_API_KEY"
        return [Finding("fault", "simli", f"{settings.simli_url}: {error.message}", remedy)]
    except SimliError as error:
        if isinstance(error, SimliUnavailable) and _unasked(settings):
            return [Finding("ok", "simli", UNCONFIGURED)]
        return [Finding("warning", "simli", f"{settings.simli_url}: {error.message}", _remedy(settings))]
    says = f"{settings.simli_url}, {dialect} dialect, {len(agents)} agent{'' if len(agents) == 1 else 's'}"
    return [Finding("ok", "simli", says), *await _synchrony(hurried)]


def _unasked(settings: Settings) -> bool:
    """Nobody said which Simli is meant."""
    named = settings.environ.get("SIMLI_URL", "").strip()
    return not named and (settings.simli_url, settings.simli_key) == (SANDBOX_URL, SANDBOX_KEY)


def _remedy(settings: Settings) -> str:
    if settings.simli_is_local:
        return "gateway sandbox starts one, or correct SIMLI_URL"
    return "look at its status page" if settings.simli_url == SIMLI_URL else "correct SIMLI_URL"


async def _synchrony(settings: Settings) -> Sequence[Finding]:
    """Whether Simli's agents are as the files say."""
    try:
        async with stores.opened(settings) as store:
            if not await store.reached(PATIENCE):
                says = "not compared: the store is away, and nobody knows which capabilities are current"
                return [Finding("warning", SYNC, says, "see store")]
            files = partial(asyncio.to_thread, administration.read, settings)
            plan = await desk.agency(settings, store, files).plan()
    except (SimliError, ConfigurationError) as error:
        return [Finding("warning", SYNC, f"not compared: {error}")]
    return list(_planned(plan))


def _planned(plan: Plan) -> Sequence[Finding]:
    # The public URL has a line of its own; a port that is any is one for a check only.
    found = [
        Finding("fault", place(fault), said(fault)) for fault in plan.faults if fault.where not in (VARIABLE, PORT)
    ]
    if any(fault.where == PORT for fault in plan.faults):
        return [*found, Finding("warning", SYNC, "not compared: the port is 0, so nobody knows where it will be")]
    found += [
        Finding("warning", f"agent {change.agent}", warning, f"correct its file, {change.agent}.md")
        for change in plan.changes
        for warning in change.warnings
        if not change.unwanted and change.action != "delete"
    ]
    if plan.changed:
        found.append(
            Finding("warning", SYNC, _counted(plan.changed), "gateway agents plan shows them, apply does them")
        )
    elif not plan.faults:
        found.append(Finding("ok", SYNC, f"{len(plan.changes)} as their files say, {plan.unowned} of others"))
    return found


def _counted(changes: Sequence[Change]) -> str:
    actions = [change.action for change in changes]
    return ", ".join(f"{actions.count(action)} to {action}" for action in dict.fromkeys(actions))
