"""From what was measured to what so many sessions need. Pure.

Everything is proportional to turns, so a session counts by its turns a second; what is not proportional (what every
process holds, what each process reads) is what breaks, and `limits.py` says where.
"""

import math
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from tests.load.capacity.figures import CAPABILITY, SESSION, Figures, TurnCost, Who


def _says(default: float, text: str) -> Any:
    return field(default=default, metadata={"says": text})


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What nobody measured: how people talk, and how full a machine may be."""

    question: float = _says(4.0, "seconds that a person speaks")
    waiting: float = _says(1.5, "seconds until the answer is heard: recognition, model, voice")
    answer: float = _says(12.0, "seconds that the answer is spoken")
    pause: float = _says(1.5, "seconds until the person speaks again")
    words: float = _says(2.5, "words in a second of speech")
    chunks: float = _says(1.3, "chunks in a word")
    pace: float = _says(20.0, "chunks a second from the model")
    first: float = _says(0.5, "seconds until the model's first chunk; the caller's stream is open from the question on")
    agents: float = _says(1.0, "share of the turns that look knowledge up; the rest asks bare routes")
    launched: float = _says(
        1.0, "share of the sessions that the gateway starts (`/admin/sessions`): each has a key of its own"
    )
    session: float = _says(600.0, "seconds of a session")
    longest: float = _says(
        3600.0, "seconds that a session may last (`max_session_length`): its key lives as long, and ten minutes"
    )
    day: float = _says(0.3, "sessions at once, the mean of day and night, as a share of the peak's")
    burst: float = _says(1.3, "turns a second in the busiest second, over the mean of the peak")
    full: float = _says(0.6, "share of a core, the gateway's or Redis', that is used in that second")
    workers: float = _says(1.0, "processes (cores) in a pod")
    passages: float = _says(10_000, "passages of a collection (of those that were measured)")
    kept_days: float = _says(30.0, "days that what was said in a session is kept (`[store] kept_days`)")
    redis_gb: float = _says(64.0, "gigabytes of memory of one Redis")
    token: float = _says(4.5, "bytes of a prompt in a token")

    @property
    def cycle(self) -> float:
        """Seconds from question to question."""
        return self.question + self.waiting + self.answer + self.pause

    @property
    def turn_chunks(self) -> float:
        """Chunks of an answer."""
        return self.answer * self.words * self.chunks

    @property
    def stream(self) -> float:
        """Seconds that a turn's stream is open: models are faster than speech."""
        return self.first + self.turn_chunks / self.pace


class Turn(NamedTuple):
    """What one turn takes."""

    core: float
    """Seconds of the gateway's processor."""
    redis: float
    """Seconds of Redis' process."""
    commands: float
    """Of Redis."""
    redis_bytes: float
    """In and out."""
    search: float
    """Seconds of a Chroma server's processor; within the gateway's where Chroma is embedded."""
    heard: float
    """Bytes to the caller."""
    told: float
    """Bytes from the model."""
    asked: float
    """Bytes from the caller and to the model."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What so many sessions at once need, in the busiest second of the peak."""

    sessions: int
    turns: float
    """A second; so many calls of the model, too."""
    streams: float
    """Open at once."""
    chunks: float
    """A second."""
    cores: float
    """Of gateways, none fuller than it may be."""
    pods: int
    memory: float
    """Gigabytes of all gateways, without what keys take."""
    redis: float
    """Cores of Redis: where it is more than 1, one Redis is not enough."""
    commands: float
    """Of Redis, a second."""
    redis_mbit: float
    kept: float
    """Gigabytes in Redis: what was said, for as long as it is kept."""
    keys: float
    """Of sessions, known to every process: those begun in the last hour and some, as the assumptions say."""
    keys_memory: float
    """Gigabytes that they take in each process."""
    chroma: float
    """Cores of Chroma servers, where there are any."""
    out_mbit: float
    """To callers and to models."""
    in_mbit: float
    tokens_in: float
    """Of prompts, a minute."""
    tokens_out: float
    starts: float
    """Sessions begun in a second."""


DAY = 86_400
"""Seconds."""
REMEMBERED = 600
"""Seconds that a session's key is remembered when it has expired (`store.known.REMEMBERED`)."""
FEWEST = 2
"""Pods: one may be restarted."""


def turn(figures: Figures, given: Assumptions) -> Turn:
    """What a turn takes: of agents and of routes, in their shares. Raises ValueError for passages not measured."""
    agent, route = (_cost(figures, who) for who in ("agent", "route"))
    shares = ((given.agents, agent), (1 - given.agents, route))
    kinds = {one.kind: one for one in figures.redis}
    launched, other = kinds[SESSION], kinds[CAPABILITY]
    redis = ((given.launched, launched), (1 - given.launched, other))
    search = next((one for one in figures.chroma if (one.place, one.passages) == ("server", given.passages)), None)
    if search is None:
        measured = ", ".join(str(one.passages) for one in figures.chroma if one.place == "server")
        raise ValueError(f"passages={given.passages:g} were not measured: {measured} were.")
    return Turn(
        core=sum(share * (one.turn_ms / 1e3 + given.turn_chunks * one.chunk_us / 1e6) for share, one in shares),
        redis=sum(share * one.cpu / 1e6 for share, one in redis),
        commands=sum(share * sum(one.commands.values()) for share, one in redis),
        redis_bytes=sum(share * (one.bytes_in + one.bytes_out) for share, one in redis),
        search=given.agents * search.cpu / 1e3,
        heard=sum(share * (one.frame_bytes + given.turn_chunks * one.heard_bytes) for share, one in shares),
        told=sum(share * given.turn_chunks * one.model_bytes for share, one in shares),
        asked=sum(share * (one.asked_bytes + one.prompt_bytes) for share, one in shares),
    )


def _cost(figures: Figures, who: Who) -> TurnCost:
    return next(one for one in figures.turns if one.who == who)


def needs(sessions: int, figures: Figures, given: Assumptions) -> Needs:
    """What so many sessions need."""
    one = turn(figures, given)
    memory = next(each for each in figures.memory if each.who == "agent")
    (sizes,), (register,) = figures.sizes, figures.register
    turns = sessions / given.cycle * given.burst
    streams = turns * given.stream
    cores = turns * one.core / given.full
    pods = max(FEWEST, math.ceil(cores / given.workers))
    starts = sessions / given.session
    session_bytes = sizes.session + given.session / given.cycle * sizes.words
    kept = starts * given.day * given.launched * (given.kept_days * DAY + given.longest)
    keys = starts * given.launched * (REMEMBERED + given.longest)
    agent = _cost(figures, "agent")
    return Needs(
        sessions=sessions,
        turns=turns,
        streams=streams,
        chunks=turns * given.turn_chunks,
        cores=cores,
        pods=pods,
        memory=(pods * given.workers * memory.idle * 1e6 + streams * memory.kilobytes * 1e3) / 1e9,
        redis=turns * one.redis / given.full,
        commands=turns * one.commands,
        redis_mbit=turns * one.redis_bytes * 8 / 1e6,
        kept=(kept * session_bytes + keys * sizes.key) / 1e9,
        keys=keys,
        keys_memory=keys * register.kilobytes * 1e3 / 1e9,
        chroma=turns * one.search / given.full,
        out_mbit=turns * (one.heard + agent.prompt_bytes) * 8 / 1e6,
        in_mbit=turns * (one.told + agent.asked_bytes) * 8 / 1e6,
        tokens_in=turns * agent.prompt_bytes / given.token * 60,
        tokens_out=turns * given.turn_chunks * 60,
        starts=starts,
    )


def streams_a_core(figures: Figures, given: Assumptions, who: Who = "agent") -> float:
    """Streams of whole turns, one after another, that one core carries when it is full."""
    one = _cost(figures, who)
    return 1 / ((one.turn_ms / 1e3 + given.turn_chunks * one.chunk_us / 1e6) / given.stream)


def described() -> list[tuple[str, float, str]]:
    """The assumptions: name, value, meaning."""
    usual = Assumptions()
    return [(each.name, getattr(usual, each.name), each.metadata["says"]) for each in fields(Assumptions)]


SHARES = ("agents", "launched", "day", "full")
"""Of one: no more."""
MAY_BE_NONE = ("agents", "launched", "waiting", "pause")


def assumed(settings: list[str]) -> Assumptions:
    """The assumptions with these changes, each `name=value`. Raises ValueError with what would be right."""
    known = {name for name, _, _ in described()}
    changed = {}
    for one in settings:
        name, _, value = one.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        most = 1.0 if name in SHARES else 1e9
        if name not in known or not (0 < number <= most or (number == 0 and name in MAY_BE_NONE)):
            names = ", ".join(sorted(known))
            raise ValueError(
                f"{one!r} is no assumption: NAME=NUMBER, where NAME is one of {names}; shares are up to 1."
            )
        changed[name] = number
    return Assumptions(**changed)
