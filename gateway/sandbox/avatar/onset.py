"""The first sound of something that is said, and the first picture whose mouth is open for it."""

from collections.abc import Callable
from typing import Literal, TypeAlias

VISIBLE = 0.15
"""How far a mouth is open, of 1, where somebody who looks at it sees that it is."""

First: TypeAlias = Literal["first_sound", "first_mouth"]


class Onset:
    """Each is told once. A mouth that is still open from what was said before is not this one's."""

    def __init__(self, tell: Callable[[First], None]) -> None:
        self._tell = tell
        self._heard = self._seen = False

    def heard(self) -> None:
        """A sound is being heard."""
        if not self._heard:
            self._heard = True
            self._tell("first_sound")

    def seen(self, mouth: float) -> None:
        """A picture is shown with the mouth open so far."""
        if self._heard and not self._seen and mouth >= VISIBLE:
            self._seen = True
            self._tell("first_mouth")
