"""What was measured, as values: `deploy/capacity.json` holds them, and `deploy/capacity.md` is made of them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

import orjson

Who: TypeAlias = Literal["route", "agent"]
"""A route passes the model's words on; an agent has a persona, looks its knowledge up, and minds what can be spoken."""
CAPABILITY, SESSION = "by a capability, as Simli calls", "a session that the gateway started"
"""Kinds of turns that the calculation is about."""
FULL = 0.97
"""Share of a core from which on it has no more to give."""
LATE_MS = 50.0
"""Milliseconds: a chunk that is later than that is heard."""


@dataclass(frozen=True, slots=True)
class Rung:
    """So many streams at once on one core, for some seconds."""

    streams: int
    chunks: float
    """Heard, a second."""
    turns: float
    """Ended, a second."""
    core: float
    """Share of the gateway's core that it used."""
    late_p50: float
    """Milliseconds from the moment at which the model wrote a chunk to its arrival at the caller."""
    late_p99: float
    load: float
    """Share of the other core that the model and the callers used."""
    lexical: float
    """Share of the turns for which there was no time to compare vectors: the lexical list alone served."""
    failures: int
    """Streams that were refused, broken off or not whole."""

    @property
    def kept(self) -> bool:
        """Whether nothing failed and 99 of 100 chunks were in time."""
        return not self.failures and self.late_p99 <= LATE_MS


@dataclass(frozen=True, slots=True)
class Ladder:
    """More and more streams."""

    who: Who
    pace: float
    """Chunks a second in each stream."""
    words: int
    """Chunks of an answer."""
    rungs: tuple[Rung, ...]


@dataclass(frozen=True, slots=True)
class TurnCost:
    """What a turn and each of its chunks cost the gateway's processor, at moderate load."""

    who: Who
    turn_ms: float
    """All of a turn but its chunks."""
    chunk_us: float
    asked_bytes: float
    """Of a caller's request, with its HTTP head, like the next ones."""
    prompt_bytes: float
    """Of what the model is sent."""
    model_bytes: float
    """Of a chunk from the model."""
    heard_bytes: float
    """Of a chunk to the caller."""
    frame_bytes: float
    """Of an answer besides its chunks, to the caller: head, first and last events."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the gateway's process holds with so many streams open."""

    streams: int
    megabytes: float
    descriptors: int


@dataclass(frozen=True, slots=True)
class Memory:
    """A process by the streams that it holds."""

    who: Who
    held: tuple[Held, ...]
    """The first is the idle process."""

    @property
    def idle(self) -> float:
        """Megabytes of a process without a stream."""
        return self.held[0].megabytes

    @property
    def kilobytes(self) -> float:
        """A stream, between the idle process and the fullest."""
        first, last = self.held[0], self.held[-1]
        return (last.megabytes - first.megabytes) * 1000 / (last.streams - first.streams)

    @property
    def descriptors(self) -> float:
        """A stream."""
        first, last = self.held[0], self.held[-1]
        return (last.descriptors - first.descriptors) / (last.streams - first.streams)


@dataclass(frozen=True, slots=True)
class StoreTurn:
    """What a turn of one kind costs Redis."""

    kind: str
    commands: Mapping[str, float]
    """Calls a turn by name, those within a script too."""
    micros: Mapping[str, float]
    """A call, as Redis counts it; of a script's, with the commands within."""
    cpu: float
    """Microseconds of Redis' process, reading and writing included."""
    reads: float
    """Reads from a socket: round trips, where several commands may share one."""
    bytes_in: float
    bytes_out: float


@dataclass(frozen=True, slots=True)
class StoreSizes:
    """Bytes in Redis."""

    session: float
    words: float
    """Of a turn's question and answer in its session."""
    record: float
    """Of a turn among the last ones."""
    key: float


@dataclass(frozen=True, slots=True)
class Register:
    """What keys cost each gateway process, which has all of them at hand."""

    keys: int
    kilobytes: float
    """Resident, a key."""
    change_ms: float
    """Processor time for one key that is made or revoked, with so many at hand."""
    all_us: float
    """Processor time a key, each time that all are read."""
    saved_us: float
    """Processor time a key, each time that the snapshot is written."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """A question's vector, on one thread."""

    milliseconds: float
    tokens: float
    two_threads: float
    """A second, with two threads on all cores."""


@dataclass(frozen=True, slots=True)
class Search:
    """Nearest vectors of one collection."""

    place: Literal["embedded", "server"]
    passages: int
    per_second: float
    """Two threads ask."""
    p50: float
    """Milliseconds."""
    p99: float
    cpu: float
    """Milliseconds of processor time a search; of the server, where there is one."""
    megabytes: float
    """That the process grows by when the collection is opened and searched; of the server."""


@dataclass(frozen=True, slots=True)
class Figures:
    """All of it."""

    around: Mapping[str, str] = field(default_factory=dict)
    """By part, when and on what it was measured."""
    streams: tuple[Ladder, ...] = ()
    turns: tuple[TurnCost, ...] = ()
    memory: tuple[Memory, ...] = ()
    redis: tuple[StoreTurn, ...] = ()
    sizes: tuple[StoreSizes, ...] = ()
    register: tuple[Register, ...] = ()
    embedding: tuple[Embedding, ...] = ()
    chroma: tuple[Search, ...] = ()

    def written(self) -> bytes:
        """As it is kept."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def read(text: bytes) -> Figures:
    """Figures as they were kept. Raises ValueError, KeyError or TypeError where it is something else."""
    made: Figures = _value(Figures, orjson.loads(text))
    return made


def _value(hint: Any, value: Any) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        hints = get_type_hints(hint)
        return hint(**{name: _value(hints[name], each) for name, each in value.items()})
    if get_origin(hint) is tuple:
        return tuple(_value(get_args(hint)[0], each) for each in value)
    return value
