"""The avatar holds its breath at the first sign of a voice, and goes on where there was none.

That somebody speaks is sure only after a tenth of a second of voice, and what is heard of the avatar until then sounds
as if it did not listen. So it pauses at once: what it was saying is given up when it is sure, and goes on where it was
when it was nothing. A noise that is now and then like a voice does not make it stutter.
"""

from gateway.sandbox.avatar.avatar import Avatar

LONGEST_S = 0.25
"""Seconds for which it pauses; by then it is known."""
AGAIN_S = 1.0
"""Seconds without any sign of a voice until it pauses for another."""


class Hesitation:
    """Before one person. Told of their sound as it comes."""

    def __init__(self, avatar: Avatar | None) -> None:
        self._avatar = avatar
        self._since: float | None = None
        """When the sign came that it pauses for, or has paused for."""
        self._last = -AGAIN_S

    def hear(self, at: float, *, stirs: bool) -> None:
        """Whether there is a sign of a voice, by that second of their sound."""
        if stirs:
            if self._since is None and at - self._last >= AGAIN_S:
                self._since = at
            self._last = at
        elif at - self._last >= AGAIN_S:
            self._since = None
        self._pause(stirs and self._since is not None and at - self._since < LONGEST_S)

    def over(self) -> None:
        """It is known, or they are gone."""
        self._since = None
        self._pause(False)

    def _pause(self, paused: bool) -> None:
        if self._avatar is None:
            return
        if paused:
            self._avatar.pauses.add(self)
        else:
            self._avatar.pauses.discard(self)
