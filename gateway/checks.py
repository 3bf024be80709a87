"""What a start needs and a turn will need, looked at before: each thing with what is wrong and what to do about it.

A *fault* is something that keeps the gateway from starting or from answering as it was told to; a *warning* costs less.
Looks run side by side, and one that takes too long says so.
"""

import asyncio
import errno
import os
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import aiohttp

from gateway import clients
from gateway import store as stores
from gateway.errors import ConfigurationError, Fault, KnowledgeError
from gateway.retrieval import embed, ingest, retriever, trial, versions
from gateway.settings import Read, Settings, Target
from gateway.store import embedded, secret
from gateway.types import Agent
from gateway.upstream import probe

BOUND = 3.0
"""Seconds for every look together, but for the next one."""
TRIAL = 30.0
"""Seconds to look every passage of a version up that was not tried since it changed: in a child, since that may die."""
PATIENCE = 2.0
"""Seconds for one answer over a network."""
ROOM = 200 * 1024 * 1024
"""Bytes: a new version of a middling collection, beside the current one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found."""

    level: Literal["ok", "warning", "fault"]
    what: str
    says: str
    remedy: str = ""


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
        "targets": targets(settings),
        "store": store(settings),
        "knowledge": knowledge(settings, agents),
        "var": asyncio.to_thread(var, settings),
        **{f"port {number}": port(host, number) for host, number in addresses(settings)},
        "public URL": public(settings),
    }
    for each in await asyncio.gather(*(_bounded(what, look) for what, look in looks.items())):
        found += each
    return found


async def remarks(settings: Settings, agents: Mapping[str, Agent]) -> Sequence[Finding]:
    """What a start does not find out by itself: for its log."""
    looks = (
        _bounded("var", asyncio.to_thread(var, settings)),
        _bounded("knowledge", asyncio.to_thread(fresh, settings, clients.languages(agents))),
        _bounded("public URL", public(settings)),
    )
    return [one for found in await asyncio.gather(*looks) for one in found if one.level != "ok"]


async def _bounded(what: str, look: Awaitable[Sequence[Finding]]) -> Sequence[Finding]:
    bound = BOUND + TRIAL if what == "knowledge" else BOUND
    try:
        async with asyncio.timeout(bound):
            return await look
    except TimeoutError:
        return [Finding("warning", what, f"could not be looked at within {bound:g} seconds")]


def place(fault: Fault) -> str:
    """Where it is."""
    return f"{fault.where}:{fault.line}" if fault.line else fault.where


def said(fault: Fault) -> str:
    """What is wrong there, and what would be right."""
    return f"{fault.field}: {fault.problem}" if fault.field else fault.problem


def counted(things: Mapping[str, object], noun: str) -> str:
    """`2 agents`."""
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


async def targets(settings: Settings) -> Sequence[Finding]:
    """Each target of each route: is it there, is the key right, has it the model.

    One that another target of its route stands in for is a warning.
    """
    named = [
        (name, index, target) for name, route in settings.routes.items() for index, target in enumerate(route.targets)
    ]
    problems = await asyncio.gather(*(_problem(name, index, target) for name, index, target in named))
    good = {name for (name, _, _), (says, _) in zip(named, problems, strict=True) if not says}
    found = []
    for (name, _, target), (says, remedy) in zip(named, problems, strict=True):
        what = f"target {name}/{target.model or target.embedded or target.url}"
        if says:
            found.append(Finding("warning" if name in good else "fault", what, says, remedy))
        else:
            found.append(Finding("ok", what, target.url or "part of this package"))
    return found


async def _problem(route: str, index: int, target: Target) -> tuple[str, str]:
    """What is wrong with a target, and what to do; empty where nothing is. The local model's file is a setting."""
    if target.embedded:
        return "", ""
    models, problem = await probe.found(target)
    here = f"routes.{route}.targets[{index}]"
    if not problem or (models and target.key_env == "OPENAI_API_KEY"):  # then its first model is taken
        return "", ""
    if models:
        return problem, f"set {here}.model to one of them"
    if "key" in problem:
        return problem, f"put the right key into {target.key_env or f'a variable, and its name into {here}.key_env'}"
    return problem, f"start {target.url}, or correct {here}.url"


async def store(settings: Settings) -> Sequence[Finding]:
    """Whether REDIS_URL can be reached, or a store of the gateway's own can be started. Without one answers go on."""
    if not settings.redis_url:
        try:
            embedded.binary()
        except embedded.NoServer as error:
            return [Finding("warning", "store", error.message, "set REDIS_URL; limits are counted by each process")]
        return [Finding("ok", "store", f"the gateway's own, in {settings.var / 'store'}")]
    try:
        async with stores.opened(settings) as opened:
            if await opened.reached(PATIENCE):
                return [Finding("ok", "store", "REDIS_URL answers and takes writes")]
    except ConfigurationError as error:
        return [Finding("fault", "store", fault.problem, place(fault)) for fault in error.faults]
    return [
        Finding("fault", "store", "REDIS_URL does not answer, or takes no writes", "start it, or correct REDIS_URL")
    ]


async def knowledge(settings: Settings, agents: Mapping[str, Agent]) -> Sequence[Finding]:
    """Each collection that an agent uses, and the model that searches it."""
    names = clients.languages(agents)
    if not names:
        return []
    looks = [asyncio.to_thread(_collection, settings, name) for name in names]
    found = await asyncio.gather(asyncio.to_thread(_embedding, settings.var), *looks)
    old = {one.what: one for one in await asyncio.to_thread(fresh, settings, names)}
    return [old.get(one.what, one) if one.level == "ok" else one for one in found]


def _embedding(var: Path) -> Finding:
    try:
        embed.Embedder(embed.directory(var), threads=1).query("ready")
    except Exception as error:  # noqa: BLE001  (what a damaged model throws is the library's choice)
        message = str(error).splitlines()[0]
        return Finding("fault", "embedding model", message, "gateway ingest, which converts it")
    return Finding("ok", "embedding model", versions.MODEL)


def _collection(settings: Settings, name: str) -> Finding:
    what = f"knowledge {name}"
    remedy = f"gateway ingest {name}"
    shelf = versions.shelf(settings.var, name)
    current = shelf.current()
    try:
        if current and (problem := trial.fault(shelf.path / current, timeout=TRIAL)):
            rest = shelf.candidates()[1:]
            served = f"; the version before it, {rest[0]}, is served" if rest else ""
            return Finding("warning" if rest else "fault", what, f"version {current}: {problem}{served}", remedy)
        opened = retriever.opened_version(settings.var, name)
    except (KnowledgeError, OSError) as error:
        says = getattr(error, "message", str(error)).removesuffix(": run `gateway ingest`")
        return Finding("fault", what, says, remedy)
    version = opened.contents.version
    opened.retired = True
    opened.leave()
    says = f"{len(version.files)} files, {version.passages} passages"
    if version.name != current:
        return Finding("warning", what, f"an older version than the current one is served: {version.name}", remedy)
    return Finding("ok", what, says)


def fresh(settings: Settings, collections: Iterable[str]) -> Sequence[Finding]:
    """Collections whose files are others than those that their current version was made of."""
    found = []
    for name in collections:
        shelf = versions.shelf(settings.var, name)
        try:
            version = shelf.version(shelf.current())
            files = ingest.hashes(settings.knowledge.directory / name)
        except (KnowledgeError, OSError):
            continue  # there is none, and others say so
        if version.fingerprint != versions.fingerprint(files, settings.knowledge.passage_characters):
            changed = {path for path in {*files, *version.files} if files.get(path) != version.files.get(path)}
            differ = "file differs" if len(changed) == 1 else "files differ"
            says = f"{len(changed)} {differ} from what is served" if changed else "made with other settings"
            found.append(Finding("warning", f"knowledge {name}", says, f"gateway ingest {name}"))
    return found


def var(settings: Settings) -> Sequence[Finding]:
    """Whether state can be kept, whether there is room, and whether the secret is one."""
    path = settings.var
    what = f"var {path}"
    found = []
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
        free = shutil.disk_usage(path).free
    except OSError as error:
        remedy = "make it writable, or name another with GATEWAY_VAR: nothing can be ingested and no key be made"
        return [Finding("warning", what, f"cannot be written to ({error.strerror})", remedy)]
    if free < ROOM:
        found.append(Finding("warning", what, f"has {free // 2**20} MB left", "make room: an ingest may fail"))
    if not settings.secret and (path / "secret").exists():
        try:
            secret.found(settings)
        except ConfigurationError as error:
            found += [Finding("fault", place(fault), said(fault)) for fault in error.faults]
    return found or [Finding("ok", what, f"writable, {free // 2**20} MB left")]


def addresses(settings: Settings) -> Sequence[tuple[str, int]]:
    """Where it listens: host and port."""
    found = [(settings.server.host, settings.server.port)]
    if settings.admin.listen:
        host, _, number = settings.admin.listen.rpartition(":")
        found.append((host.strip("[]"), int(number)))
    return found


async def port(host: str, number: int) -> Sequence[Finding]:
    """Whether it can be listened on, or a gateway does already."""
    what = f"port {number}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probing:
        probing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probing.bind((host, number))
        except OSError as error:
            url = f"http://{f'[{host}]' if ':' in host else host}:{number}"
            if error.errno == errno.EADDRINUSE and not await _lives(url):
                return [Finding("ok", what, "a gateway answers there already")]
            reason = error.strerror or os.strerror(error.errno or 0)
            return [Finding("fault", what, f"{host}: {reason}", "stop who listens there, or choose another port")]
    return [Finding("ok", what, f"free on {host}")]


async def public(settings: Settings) -> Sequence[Finding]:
    """Whether callers reach the gateway where it says that they do."""
    if not settings.public_url:
        return []
    if problem := await _lives(settings.public_url):
        remedy = "correct GATEWAY_PUBLIC_URL, or what leads from there to here"
        return [Finding("warning", "public URL", f"{settings.public_url}/livez: {problem}", remedy)]
    return [Finding("ok", "public URL", settings.public_url)]


async def _lives(url: str) -> str:
    """Why `{url}/livez` is not that of a gateway; empty where it is."""
    try:
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"{url}/livez") as answer:
            if answer.status == 200 and (await answer.content.read(64)).strip() == b'{"status":"ok"}':
                return ""
            return f"is not a gateway's (status {answer.status})"
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return f"cannot be reached ({type(error).__name__})"
