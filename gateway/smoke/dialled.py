"""A room of Daily's, joined by a program of its own: Daily's client brings threads, and a crash of it is not ours."""

import asyncio
import contextlib
import json
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gateway.peer.visiting import LEAD_S, delayed
from gateway.types.smoke import Visit

PACKAGE = "daily"
"""The module of the package daily-python; it is looked for, and imported only by the program."""
PROGRAM = (sys.executable, "-P", "-m", "gateway.smoke.dialling")
ENDS_S = 60.0
"""Seconds beyond its stay that the program has for joining and leaving; then it is killed."""
WORDS = 300
"""Characters of Daily's own words that are told."""
MISSING = (
    "Daily's client is not installed: `make smoke DAILY=1 ARGS=--auto` brings it, or `pip install daily-python` "
    "(for Linux with glibc 2.28 and macOS); a browser joins the room as well."
)


def installed(package: str = PACKAGE) -> bool:
    """Whether Daily's client is here."""
    return find_spec(package) is not None


async def dialled(
    room_url: str,
    spoken: Path,
    folder: Path,
    seconds: float,
    *,
    lead_s: float = LEAD_S,
    program: tuple[str, ...] = PROGRAM,
    needs: str = PACKAGE,
    ends_s: float = ENDS_S,
) -> Visit:
    """Join, speak after `lead_s` of silence, listen so long at most, leave. Raises InvalidValue for a silent file."""
    if not installed(needs):
        return Visit(joined=False, says=MISSING)
    heard = folder / "heard.wav"
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dialled-") as place:
        microphone = Path(place, "microphone.wav")
        await asyncio.to_thread(delayed, spoken, microphone, lead_s)
        told, trouble = await _run((*program, room_url, str(microphone), str(heard), f"{seconds:g}"), seconds + ends_s)
    if told is None:
        return Visit(joined=False, says=f"Daily's client did not come back from the room: {trouble}")
    loud = float(told["loud_s"])
    if not told["joined"]:
        return Visit(joined=False, says=f"Daily's client was not let in: {told['error'][:WORDS]}")
    if not loud:
        who = f"with {told['others']}" if told["others"] else "and nobody else was there"
        return Visit(joined=False, says=f"Daily's client was in the room, {who}, and heard nothing of the avatar.")
    says = f"Daily's client was in the room with {told['others']}, and heard it for {loud:.1f} s."
    return Visit(joined=True, says=says, heard=heard)


async def _run(command: tuple[str, ...], within: float) -> tuple[dict[str, Any] | None, str]:
    """What the program's last line says; else None, and why."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(within):
            said, wrong = await process.communicate()
    except TimeoutError:
        return None, f"it was still there after {within:g} s."
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.shield(process.wait())
    with contextlib.suppress(ValueError, IndexError):
        found: dict[str, Any] = json.loads(said.splitlines()[-1])
        return found, ""
    last = wrong.decode(errors="replace").strip().splitlines()[-1:]
    return None, f"it ended with status {process.returncode}. {' '.join(last)}"
