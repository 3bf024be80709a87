"""What a load is to be: at whom, by how many, for how long. Bounded, whatever is asked for."""

import ipaddress
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from urllib.parse import urlsplit

from tests.load.traffic import Sent, expected

USERS = (100, 400, 1200, 2000, 2800)
HALVINGS = 3
"""Steps between the last that kept its promises and the first that did not: from 800 people to 100."""
MOST_USERS = 5000
MOST_STEPS = 12
MOST_SECONDS = 60.0
"""Of measuring, a step."""
MOST_REQUESTS = 50_000
"""Of a run; it ends when so many were sent."""
ARRIVING = 100.0
"""People a second that come at most."""
SETTLING = 2.0
"""Seconds at least between the last that comes and the measuring."""
WARM_UP = 6.0
"""Seconds until the people of a step are there and the measuring begins; more where more are to come."""
SECONDS = 16.0
QUICK_USERS = (60, 120)
QUICK_WARM_UP, QUICK_SECONDS = 2.0, 4.0


class Wrong(Exception):
    """Something that was asked for cannot be: what, and what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole run."""

    url: str
    """Base URL of the chat completions, without a slash at its end."""
    models: Sequence[tuple[str, str]]
    """What is asked as `model`, and the language in which it is asked; each by as many people."""
    users: Sequence[int]
    """Of each step, ascending."""
    seconds: float
    warm_up: float
    folder: str
    """Where the generator writes."""
    key: str = ""
    metrics: str = ""
    """URL of `/metrics`; empty: there is none for us."""
    model: str = ""
    """URL at which the scripted model says how late it is; empty: another model."""
    requests: int = MOST_REQUESTS
    halvings: int = 0
    """Steps that may follow where one broke a promise."""

    def __post_init__(self) -> None:
        if not self.users or len(self.users) > MOST_STEPS or list(self.users) != sorted(set(self.users)):
            raise Wrong(
                f"USERS={','.join(map(str, self.users))}: name 1 to {MOST_STEPS} numbers that ascend, by commas."
            )
        if self.users[0] < 1 or self.users[-1] > MOST_USERS:
            raise Wrong(f"USERS={self.users[-1]}: 1 to {MOST_USERS} people; more need more than one machine to speak.")
        if not 1 <= self.seconds <= MOST_SECONDS:
            raise Wrong(f"SECONDS={self.seconds:g}: a step is measured for 1 to {MOST_SECONDS:g} seconds.")
        if not self.models:
            raise Wrong("Nobody is there to be asked: name an agent with AGENT=.")

    @property
    def duration(self) -> float:
        """Seconds, when every step is taken."""
        return sum(seconds for _, seconds in self._steps)

    def warming(self, before: int, users: int) -> float:
        """Seconds between the beginning of a step and its measuring, where there were so many people before."""
        return max(self.warm_up, abs(users - before) / ARRIVING + SETTLING)

    @property
    def sent(self) -> Sent:
        """What is sent then, by a reckoning; never more requests than the bound."""
        every = expected(sum(users * seconds for users, seconds in self._steps))
        part = min(1.0, self.requests / max(1, every.requests))
        return Sent(*(round(each * part) for each in every))

    @property
    def _steps(self) -> Sequence[tuple[int, float]]:
        """People and seconds of each step, where all of them are taken; the halving ones count as much as any can."""
        pairs = list(pairwise([0, *self.users]))
        planned = [(users, self.warming(before, users) + self.seconds) for before, users in pairs]
        widest = max(users - before for before, users in pairs)
        return [*planned, *[(self.users[-1], self.warming(0, widest // 2) + self.seconds)] * self.halvings]

    def told(self) -> str:
        """For the generator."""
        return json.dumps(asdict(self))

    @classmethod
    def heard(cls, text: str) -> "Plan":
        """What was told."""
        given = json.loads(text)
        given["models"] = [(name, language) for name, language in given["models"]]
        return cls(**given)


def base(target: str) -> str:
    """The base URL of chat completions for what was given: a host, a base, or the whole URL of one."""
    parts = urlsplit(target)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise Wrong(f"TARGET={target[:80]} is no http or https URL: name one, as https://voice.example.com.")
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return f"{parts.scheme}://{parts.netloc}{path if path.endswith('/v1') else f'{path}/v1'}"


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
