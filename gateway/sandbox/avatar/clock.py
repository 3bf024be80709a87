"""The one clock of an avatar: seconds since it woke."""

import asyncio


class Clock:
    """Monotonic; it goes on whoever is late."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._zero = self._loop.time()

    def now(self) -> float:
        """Seconds since it was made."""
        return self._loop.time() - self._zero

    async def until(self, at: float) -> None:
        """Wait for that second; one that has passed is not waited for."""
        await asyncio.sleep(max(0.0, at - self.now()))
