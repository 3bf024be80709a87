"""A capability: what stands in the path of a caller that can send no header. Pure.

HMAC-SHA256 of an agent's name and generation under the gateway's secret: computed whenever it is needed and kept
nowhere, so that it survives the loss of every store; renewed by the agent's next generation.

In a path the gateway's id stands in front of it, `{id}.{capability}`: it is no secret, and says of an agent at Simli
whose it is. Without the id it opens the same.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection

BYTES = 24
"""192 bits of the HMAC: 32 characters of base64url without padding, past any guessing."""
PREFIX = "/k/"
ID_CHARACTERS = 16


def capability(secret: str, agent: str, generation: int) -> str:
    """The capability of an agent's generation: 32 characters that need no escape in a URL."""
    message = f"gateway capability\0{agent}\0{generation}".encode()
    return urlsafe_b64encode(hmac.digest(secret.encode(), message, "sha256")[:BYTES]).decode()


def gateway_id(secret: str, pinned: str = "") -> str:
    """Which gateway's agents are ours: `[simli] id` where it is set, else 64 bits made of the secret, in hex."""
    return pinned or hmac.digest(secret.encode(), b"gateway id", "sha256").hex()[:ID_CHARACTERS]


def path(id_: str, capability: str, agent: str) -> str:
    """The path that a caller is given, of a gateway's id and an agent's capability."""
    return f"{PREFIX}{id_}.{capability}/agents/{agent}/v1/chat/completions"


class Capabilities:
    """The capabilities of all agents, found by digest: how long a look-up takes says nothing of what would be right."""

    def __init__(
        self, secret: str, agents: Callable[[], Collection[str]], generation: Callable[[str], int], pinned: str = ""
    ) -> None:
        self.secret = secret
        self.id = gateway_id(secret, pinned)
        self.agents = agents
        self.generation = generation
        """Of an agent: local, nothing is awaited."""
        self._made: dict[str, int] = {}
        self._found: dict[bytes, tuple[str, int]] = {}

    def of(self, agent: str) -> str:
        """The capability that opens this agent now."""
        return capability(self.secret, agent, self.generation(agent))

    def path_of(self, agent: str) -> str:
        """The path that opens this agent now."""
        return path(self.id, self.of(agent), agent)

    def agent_of(self, presented: str) -> str | None:
        """The agent that a capability opens; None for a wrong one, a renewed one, or that of an agent that is gone."""
        digest = _digest(presented.removeprefix(f"{self.id}."))
        if not self._current(self._found.get(digest)):
            self._make()
        name, _ = self._found.get(digest, (None, 0))
        return name

    def _current(self, entry: tuple[str, int] | None) -> bool:
        return entry is not None and entry[0] in self.agents() and self.generation(entry[0]) == entry[1]

    def _make(self) -> None:
        """Compute them again where an agent or a generation is new: a flood of wrong ones costs a comparison each."""
        made = {name: self.generation(name) for name in self.agents()}
        if made != self._made:
            self._made = made
            self._found = {
                _digest(capability(self.secret, name, number)): (name, number) for name, number in made.items()
            }


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
