"""Which generation of an agent's path capability is good: renewing one makes the ones before it worthless."""

import re

from gateway.errors import InvalidValue
from gateway.settings.build import NAME, NAME_SAYS
from gateway.store.register import Register


class Generations:
    """Counted up by agent; kept like keys, and like a revocation never taken back."""

    def __init__(self, register: Register) -> None:
        self._register = register

    def current(self, agent: str) -> int:
        """The only good one; 0 before the first rotation. Local."""
        return self._register.known.generations.get(agent, 0)

    async def rotate(self, agent: str) -> int:
        """The next one, good everywhere within a second. Raises StoreUnavailable, InvalidValue."""
        if not re.fullmatch(NAME, agent) or len(agent) > 100:
            raise InvalidValue(f"An agent's name is made of {NAME_SAYS}.", param="agent")
        return await self._register.rotate(agent)
