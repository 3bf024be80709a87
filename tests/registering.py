"""Agent files, a sandbox, and what plans and applies the one at the other."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from gateway import administration, desk
from gateway import store as stores
from gateway.orchestration.agency import Agency
from gateway.settings import Route, Settings, Simli, Target
from tests.sandboxed import Sandbox
from tests.serving import sharing

SECRET = "planted-" + "s" * 40
FILE = "---\nlanguage: en\nface_id: tmp9i8bbq7c\n---\nYou are {name}.\n"
NAMES = ("nora", "otto", "pia")


def registering(sandbox: Sandbox, directory: Path) -> Settings:
    """The settings of a gateway with three agents, without knowledge, whose Simli is the sandbox."""
    for name in ("prompts", "knowledge"):
        (directory / name).mkdir()
    for name in NAMES:
        (directory / "prompts" / f"{name}.md").write_text(FILE.format(name=name))
    given = Settings(
        routes={"extractive": Route((Target(embedded="extractive"),))},
        default_route="extractive",
        prompts=directory / "prompts",
        var=directory / "var",
        secret=SECRET,
        public_url="http://127.0.0.1:9",
        simli_url=sandbox.url,
        simli_key=sandbox.key,
        simli=Simli(timeout=10.0, patience=0.0),
    )
    return sharing(replace(given, knowledge=replace(given.knowledge, directory=directory / "knowledge")))


@contextlib.asynccontextmanager
async def agency(settings: Settings) -> AsyncIterator[Agency]:
    """What plans and applies."""
    async with stores.opened(settings) as store:
        assert await store.reached(5)
        yield desk.agency(settings, store, partial(asyncio.to_thread, administration.read, settings))
