"""Something of a conversation is new: who waits for it is woken, and looks for what."""

import asyncio


class News:
    """Any number may wait; nobody has to."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def tell(self) -> None:
        """Something is new."""
        self._next.set()
        self._next = asyncio.Event()

    def next(self) -> asyncio.Event:
        """Set by the next news. To be taken before one looks, so that none is missed in between."""
        return self._next
