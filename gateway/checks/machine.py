"""What the machine has to give: the store, a place for state, ports."""

import errno
import os
import shutil
import socket
import tempfile
from collections.abc import Sequence
from urllib.parse import urlsplit

from gateway import public, running
from gateway import store as stores
from gateway.checks.finding import PATIENCE, Finding, place, said
from gateway.errors import ConfigurationError
from gateway.settings import Settings
from gateway.store import embedded, secret

ROOM = 200 * 1024 * 1024
"""Bytes: a new version of a middling collection, beside the current one."""


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
    """Where it is to listen, and where gateways of this `var` do: host and port."""
    found = [(settings.server.host, settings.server.port)]
    if settings.admin.listen:
        host, _, number = settings.admin.listen.rpartition(":")
        found.append((host.strip("[]"), int(number)))
    known = {number for _, number in found}
    others = (urlsplit(url) for url in running.found(settings.var))
    return [*found, *((each.hostname or "", each.port) for each in others if each.port and each.port not in known)]


async def port(host: str, number: int) -> Sequence[Finding]:
    """Whether it can be listened on, or a gateway does already."""
    what = f"port {number}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probing:
        probing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probing.bind((host, number))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            if taken and not await public.problem(running.address(host, number), PATIENCE):
                return [Finding("ok", what, "a gateway answers there already")]
            reason = error.strerror or os.strerror(error.errno or 0)
            return [Finding("fault", what, f"{host}: {reason}", "stop who listens there, or choose another port")]
    return [Finding("ok", what, f"free on {host}")]
