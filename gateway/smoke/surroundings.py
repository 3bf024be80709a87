"""Where a run takes place: the Simli and the gateway that are configured, or ones of its own that end with it."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from gateway.errors import GatewayGone, InvalidValue, SimliUnavailable
from gateway.orchestration.origin import listening
from gateway.processes import supervised
from gateway.settings import Settings
from gateway.smoke import programs
from gateway.smoke.programs import answers
from gateway.smoke.steps import Steps
from gateway.smoke.wanted import Wanted


@dataclass(frozen=True, slots=True)
class Place:
    """Where it takes place."""

    settings: Settings
    """With the Simli of the run."""
    gateway: str
    """Its URL, without a slash at the end."""
    admin: str
    """Where its admin API is."""
    sandbox: bool
    """Whether its Simli is a sandbox."""
    key: str = field(default="", repr=False)
    """Of the admin API; empty: none is needed."""


@contextlib.asynccontextmanager
async def found_or_started(settings: Settings, wanted: Wanted, steps: Steps) -> AsyncIterator[Place]:
    """The surroundings; what was started is over when this is left. Raises ChildError, SimliUnavailable, InvalidValue.

    A sandbox of the run's own needs a gateway of its own, which knows it.
    """
    if not settings.simli_is_local and wanted.mode == "room":
        raise InvalidValue(
            f"{settings.simli_url} is no sandbox, and its rooms are Daily's: choose --compose or --auto, which bill "
            "the account, or unset SIMLI_API_KEY and SIMLI_URL for a sandbox of the run's own."
        )
    async with contextlib.AsyncExitStack() as stack:
        simli, own = await _simli(settings, wanted, steps, stack)
        told = replace(settings, simli_url=simli)
        found = "" if own and wanted.mode != "compose" else await _configured(told, wanted)
        if found:
            async with steps.step("gateway", f"the one at {found}"):
                pass
        else:
            found = await _gateway(told, wanted, steps, stack)
            told = replace(told, admin=replace(told.admin, listen=""))
        admin = f"http://{told.admin.listen}" if told.admin.listen else found
        yield Place(told, found, admin, told.simli_is_local, settings.admin_key)


async def _simli(
    settings: Settings, wanted: Wanted, steps: Steps, stack: contextlib.AsyncExitStack
) -> tuple[str, bool]:
    """Its URL, and whether it is the run's own."""
    if not settings.simli_is_local:
        async with steps.step("simli", f"{settings.simli_url}: the sessions of this run are billed to your account"):
            return settings.simli_url, False
    if await answers(f"{settings.simli_url}/sandbox/state.json"):
        async with steps.step("simli", f"the sandbox at {settings.simli_url}"):
            return settings.simli_url, False
    if settings.environ.get("SIMLI_URL", "").strip():
        raise SimliUnavailable(
            f"SIMLI_URL is {settings.simli_url}, and no sandbox answers there: start it (`gateway sandbox`), or unset "
            "SIMLI_URL for one of the run's own."
        )
    async with steps.step("simli", "a sandbox of the run's own") as step:
        started: list[str] = []
        await stack.enter_async_context(supervised(programs.sandbox(settings, wanted.folder, started.append)))
        step.says = f"a sandbox of the run's own, at {started[-1]}"
        return started[-1], True


async def _configured(settings: Settings, wanted: Wanted) -> str:
    """The gateway that is configured and runs; empty: there is none. Raises GatewayGone where a public one is away."""
    if settings.public_url:
        if not await answers(f"{settings.public_url}/readyz"):
            raise GatewayGone(f"GATEWAY_PUBLIC_URL is {settings.public_url}, and no gateway answers there.")
        return settings.public_url
    if not (url := listening(settings)):
        return ""
    admin = f"http://{settings.admin.listen}" if settings.admin.listen else url
    headers = {"authorization": f"Bearer {settings.admin_key}"} if settings.admin_key else {}
    ours = await answers(f"{admin}/admin/agents/{wanted.agent}", headers)
    return url if ours else ""


async def _gateway(settings: Settings, wanted: Wanted, steps: Steps, stack: contextlib.AsyncExitStack) -> str:
    """One of the run's own; its URL."""
    if not settings.simli_is_local and wanted.mode == "auto":
        raise InvalidValue(
            "Simli has to reach the gateway: start it with `gateway serve --tunnel`, or set GATEWAY_PUBLIC_URL to "
            "where it is reached, and run this beside it."
        )
    program = programs.own_gateway(settings, wanted.config, wanted.folder)
    async with steps.step("knowledge", "ingested, where it changed"):
        await programs.ingested(program)
    async with steps.step("gateway", f"one of the run's own, at {program.url}"):
        await stack.enter_async_context(supervised(programs.serving(program)))
    return program.url
