"""Where videos are made, one at a time, in a thread of its own; and the folder that they lie in."""

import asyncio
import logging
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import av

from gateway.sandbox.avatar.face import face_of
from gateway.sandbox.films.film import Stopped, film

logger = logging.getLogger("gateway.sandbox")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[a-z0-9]{2,5})?")
"""Of a file, or of the folder that is a video's destination."""
KEPT = 200
"""Videos that are kept; then the oldest go."""


class Studio:
    """Videos of one sandbox."""

    def __init__(self, directory: Path | None) -> None:
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._directory = directory / "videos" if directory else None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="film")
        self._stopped = Event()
        self._made: list[str] = []

    def shoot(self, face_id: str, sound: Callable[[], bytes], first: int, delay: float) -> str:
        """Have a video made, and say where it will be. `sound` is called in the thread; `delay` keeps it waiting."""
        destination = uuid.uuid4().hex
        self._thread.submit(self._make, destination, face_id, sound, first, delay)
        return destination

    def file(self, destination: str, name: str) -> Path | None:
        """The file of a video; None: it is not there, or not yet."""
        if not NAME.fullmatch(destination) or not NAME.fullmatch(name):
            return None
        if self._directory is None:
            return None
        path = self._directory / destination / name
        return path if path.is_file() else None

    async def close(self) -> None:
        """Make no more; what is being made is dropped."""
        self._stopped.set()
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
        if self._temporary:
            await asyncio.to_thread(self._temporary.cleanup)

    def _folder(self) -> Path:
        """Where videos lie; without a directory that was given, a temporary one, made with the first of them."""
        if self._directory is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="sandbox-videos-")
            self._directory = Path(self._temporary.name)
        return self._directory

    def _make(self, destination: str, face_id: str, sound: Callable[[], bytes], first: int, delay: float) -> None:
        if self._stopped.wait(delay):
            return
        folder = self._folder()
        unfinished = folder / f".{destination}"
        try:
            unfinished.mkdir(parents=True)
            film(face_of(face_id), sound(), unfinished, self._stopped.is_set, first)
            unfinished.rename(folder / destination)
        except Stopped:
            shutil.rmtree(unfinished, ignore_errors=True)
        except (OSError, av.FFmpegError):
            logger.exception("a video could not be made")
            shutil.rmtree(unfinished, ignore_errors=True)
        else:
            self._made.append(destination)
            while len(self._made) > KEPT:
                shutil.rmtree(folder / self._made.pop(0), ignore_errors=True)
