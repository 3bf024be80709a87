"""`gateway faces`: make a face at Simli of an image, and see how far it is."""

import argparse
import asyncio
import random
import re
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from textwrap import fill

from rich.console import Console
from rich.status import Status

from gateway.errors import InvalidValue, SimliTimeout
from gateway.orchestration.faces import faces_desk
from gateway.orchestration.recordings import LARGEST, checked_image
from gateway.settings import Settings
from gateway.simli import client
from gateway.types.orchestration import FacesDesk
from gateway.types.simli import Face

WIDTH = 80
WEEK = 604_800
FIRST, LONGEST = 1.0, 30.0
"""Seconds between two looks at a face that is being made: more and more of them."""


def add(parser: argparse.ArgumentParser) -> None:
    """Its verbs and their options."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    create = verbs.add_parser(
        "create",
        help="have one made of an image; its id is printed",
        description="Have a face made of an image: PNG, JPEG or WebP, one face, 512 x 512 pixels at least.",
    )
    create.add_argument("image", metavar="IMAGE", type=Path)
    create.add_argument("--name", default="", metavar="TEXT", help="what you call it; else the file's name")
    create.add_argument("--wait", action="store_true", help="until it is ready: minutes, or hours")
    create.add_argument("--within", type=seconds, default=7200.0, metavar="SECONDS", help="how long at most (7200)")
    status = verbs.add_parser("status", help="how far one is", description="How far a face is.")
    status.add_argument("id", metavar="ID")
    listing = verbs.add_parser("list", help="list those of the account", description="List the account's faces.")
    delete = verbs.add_parser("delete", help="delete one at Simli", description="Delete a face at Simli.")
    delete.add_argument("id", metavar="ID")
    for verb in (create, status, listing, delete):
        verb.add_argument(
            "--config", metavar="FILE", type=Path, default=argparse.SUPPRESS, help="settings (TOML); or GATEWAY_CONFIG"
        )


def seconds(text: str) -> float:
    """An argument: how long to wait, a week at most."""
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", text) or float(text) > WEEK:
        raise argparse.ArgumentTypeError(f"must be seconds, from 0 to {WEEK}, not {text[:40]!r}")
    return float(text)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do it; 1 where Simli could not make the face. Raises InvalidValue, SimliError."""
    return asyncio.run(_run(arguments, settings))


async def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    image = read(arguments.image) if arguments.verb == "create" else b""
    if image:
        checked_image(image)
    simli = partial(client.opened, settings.simli_url, settings.simli_key, settings.simli)
    desk = faces_desk(simli, dict, settings.environ)
    if arguments.verb == "create":
        return await _create(arguments, image, desk)
    if arguments.verb == "status":
        face = await desk.status(arguments.id)
        print(*said(face), sep="\n")
        return 1 if face.state == "failed" else 0
    if arguments.verb == "delete":
        await desk.delete(arguments.id)
        print(f"Face {arguments.id} is deleted at Simli.")
    else:
        _list(await desk.listed())
    return 0


def read(path: Path) -> bytes:
    """The file. Raises InvalidValue where it cannot be read, or is larger than Simli is sent."""
    try:
        if path.stat().st_size > LARGEST:
            raise InvalidValue(f"{path} is larger than {LARGEST >> 20} MiB.")
        return path.read_bytes()
    except OSError as error:
        raise InvalidValue(f"{path} cannot be read: {error.strerror}.") from None


async def _create(arguments: argparse.Namespace, image: bytes, desk: FacesDesk) -> int:
    face = await desk.create(image, arguments.name or arguments.image.stem[:100])
    print(face.id, flush=True)  # alone on standard output: FACE=$(gateway faces create …)
    print(*said(face), sep="\n", file=sys.stderr)
    if not arguments.wait:
        if face.state == "processing":
            print(f"`gateway faces status {face.id}` says how far it is.", file=sys.stderr)
        return 1 if face.state == "failed" else 0
    with waiting(f"Simli makes face {face.id}"):
        face = await made(face, desk, arguments.within)
    print(*said(face), sep="\n", file=sys.stderr)
    return 1 if face.state == "failed" else 0


async def made(face: Face, desk: FacesDesk, within: float) -> Face:
    """The face once it is ready, or failed. Raises SimliTimeout where it is neither in time: the making goes on."""
    deadline, pause = time.monotonic() + within, FIRST
    while face.state == "processing":
        wait = pause * random.uniform(0.5, 1.0)  # noqa: S311 no secret
        if time.monotonic() + wait > deadline:
            raise SimliTimeout(
                f"Face {face.id} is not ready after {within:g} s; Simli goes on. `gateway faces status {face.id}`."
            )
        await asyncio.sleep(wait)
        pause = min(pause * 1.3, LONGEST)
        face = await desk.status(face.id)
    return face


def waiting(what: str) -> Status:
    """On a terminal, a line that moves while something is waited for; elsewhere nothing is written."""
    return Console(stderr=True).status(what)


def said(face: Face) -> list[str]:
    """A face in a line, and what Simli warns of below it."""
    state = f"{face.state} ({face.says})" if face.says and face.says != face.state else face.state
    lines = [f"Face {face.id}: {state}.", *(f"warning: {one}" for one in face.warnings)]
    return [fill(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False) for line in lines]


def _list(faces: Sequence[Face]) -> None:
    if not faces:
        print("The account has no faces of its own; `gateway faces create IMAGE` makes one.")
        return
    width = max(len("ID"), *(len(face.id) for face in faces))
    print(f"{'ID':<{width}}  STATE")
    for face in faces:
        print(f"{face.id:<{width}}  {face.state}")
