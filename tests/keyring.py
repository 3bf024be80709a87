"""Keys and quotas as a store would give them, in memory: what `gateway.http` is handed as its `Access`."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.http.capability import Capabilities
from gateway.http.state import Access
from gateway.types import Admission, Key, Quota

SECRET = "a secret of forty-two characters, at least"


@dataclass
class Keyring:
    """Keys by their text, quotas by their owner; what was asked of it is remembered."""

    agents: Sequence[str] = ()
    keys: dict[str, Key] = field(default_factory=dict)
    generations: Counter[str] = field(default_factory=Counter)
    presented: list[str] = field(default_factory=list)
    asked: list[list[Quota]] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    streams: Counter[str] = field(default_factory=Counter)

    def made(self, name: str, **fields: Any) -> str:
        """A key by this id; the text that its holder presents."""
        text = f"gw_{name}_{hashlib.sha256(name.encode()).hexdigest()[:43]}"
        known = {"scope": "chat", "digest": hashlib.sha256(text.encode()).hexdigest()} | fields
        self.keys[text] = Key(id=name, **known)
        return text

    def recognise(self, presented: str) -> Key | None:
        self.presented.append(presented)
        return self.keys.get(presented)

    async def admit(self, quotas: Sequence[Quota]) -> Admission:
        """All or none; the minute never ends here."""
        self.asked.append(list(quotas))
        for owner, rate in quotas:
            spent = 0 < rate.requests <= self.requests[owner]
            if spent or 0 < rate.streams <= self.streams[owner]:
                return Admission(False, rate.requests, 0, 42.5, 1.5 if spent else 0.2, owner, _never)
        self.requests.update(owner for owner, _ in quotas)
        self.streams.update(owner for owner, _ in quotas)
        limit = min((rate.requests for _, rate in quotas if rate.requests), default=0)
        spent_most = max((self.requests[owner] for owner, rate in quotas if rate.requests), default=0)
        return Admission(True, limit, limit - spent_most, 42.5, 0.0, "", self._release(quotas))

    def _release(self, quotas: Sequence[Quota]) -> Callable[[], None]:
        return lambda: self.streams.subtract(owner for owner, _ in quotas)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(SECRET, lambda: self.agents, lambda agent: self.generations[agent])

    @property
    def access(self) -> Access:
        """What an application is given."""
        capabilities = Capabilities(SECRET, lambda: self.agents, lambda agent: self.generations[agent])
        return Access(self.recognise, self.admit, capabilities.agent_of)


def _never() -> None:
    raise AssertionError("what was not admitted has nothing to give back")


def long_ago() -> float:
    return time.time() - 1
