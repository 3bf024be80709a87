"""What orchestration is asked for and says: plans of agents, sessions, transcripts. CLI and `/admin` show the same."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from gateway.errors import Fault
from gateway.types.simli import Face, Spoken, VideoUrls

Action: TypeAlias = Literal["create", "update", "delete", "unchanged"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that Simli has otherwise than it is wanted; both as text, a capability in a URL left out."""

    field: str
    now: str
    """Empty where the agent is new."""
    wanted: str


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done with one agent at Simli, or was done."""

    action: Action
    agent: str
    """The agent file's name; of a `delete`, the name at Simli."""
    id: str = ""
    """Simli's; empty where it is yet to be made."""
    differences: tuple[Difference, ...] = ()
    warnings: tuple[str, ...] = ()
    """What is allowed and likely not meant: an agent that speaks German with an English voice."""
    unwanted: bool = False
    """No agent file asks for it: it stays, and `--prune` deletes it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What `apply` would do, in the order that it would do it."""

    changes: tuple[Change, ...]
    """`unchanged` ones too."""
    faults: tuple[Fault, ...] = ()
    """What Simli cannot take, and files that cannot be read: with any, nothing is applied."""
    unowned: int = 0
    """Agents of the account that are not ours: they stay as they are."""
    faceless: tuple[str, ...] = ()
    """Agents without `face_id`: they answer here, and are not registered with Simli."""

    @property
    def changed(self) -> tuple[Change, ...]:
        """Without those that stay."""
        return tuple(change for change in self.changes if change.action != "unchanged")


@dataclass(frozen=True, slots=True)
class Applied:
    """What an `apply` did."""

    changes: tuple[Change, ...]
    """Those that were carried out."""
    error: str = ""
    """Why it stopped before the end; empty where it came to it."""
    code: str = ""
    """The error's own, such as `simli_timeout`."""
    left: int = 0
    """Changes that were not carried out."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """An agent of Simli's that is ours from now on."""

    agent: str
    id: str
    file: str


Flow: TypeAlias = Literal["e2e", "agent", "link"]
"""`e2e`: all fields at the start, no token; `agent`: one of Simli's agents by a token;
`link`: such a token for a browser."""
SessionState: TypeAlias = Literal["open", "ended", "expired"]


@dataclass(frozen=True, slots=True)
class Session:
    """One conversation of one person with one Simli agent, as the gateway knows it."""

    id: str
    """Ours: `ses_` and the id of its key."""
    agent: str
    flow: Flow
    key: str
    """Id of the key that Simli was given for it."""
    started: float
    """Seconds since the epoch, like the next ones."""
    expires: float
    """From then on the key opens nothing, and Simli has ended it by itself."""
    ended: float | None = None
    simli_id: str = ""
    simli_agent: str = ""
    """Simli's id of the agent, where the session is one of its agents'."""
    room_url: str = ""
    transcript: bool = True
    idle: int = 300
    """Seconds of silence after which Simli ends it."""
    unsure: bool = False
    """Nobody knows whether Simli has started it: the answer did not come."""
    note: str = ""
    """What became of it, where that is not the usual: why it was not started."""

    def state(self, now: float) -> SessionState:
        """At this moment."""
        if self.ended is not None:
            return "ended"
        return "expired" if self.expires <= now else "open"


@dataclass(frozen=True, slots=True)
class Launched:
    """A session that was started or can be: all that a browser needs, and no key of Simli's."""

    session: Session
    room_url: str = ""
    """Where a person joins."""
    token: str = field(default="", repr=False)
    """Of a `link`: starts it, from the allowed origins only."""
    start_url: str = field(default="", repr=False)
    """Of a `link`: the address that the browser asks; a GET that starts and bills a session."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A session whose key opens nothing any more."""

    session: Session
    billed_until: float
    """Seconds since the epoch: Simli has no call that ends a session, so until its own limits it may bill."""
    says: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in a session."""

    session: str
    state: Literal["pending", "ready"]
    """`pending`: Simli does not have it yet."""
    source: Literal["simli", "gateway", "both", "none"]
    """Who wrote it down."""
    says: str
    """The state in a sentence."""
    lines: tuple[Spoken, ...] = ()

    @property
    def text(self) -> str:
        """For people: who says what, line by line, and the state below it."""
        said = [f"{line.role}: {' '.join(line.text.split())}" for line in self.lines]
        return "\n".join([*said, f"({self.says})"]) + "\n"


class AgentsDesk(NamedTuple):
    """Agents at Simli. Every function raises SimliError, or ConfigurationError where files are at fault."""

    plan: Callable[[bool], Awaitable[Plan]]
    """With what `--prune` would delete, or without."""
    apply: Callable[[bool], Awaitable[Applied]]
    adopt: Callable[[str, str], Awaitable[Adopted]]
    """By Simli's id, and the name of the file that is to be written; empty: one is made."""
    delete: Callable[[str], Awaitable[Change]]
    """The agent of ours of this name, at Simli; the file stays."""


class SessionsDesk(NamedTuple):
    """Sessions. Every function raises SimliError, StoreUnavailable; NotFound for a session that is none."""

    start: Callable[[str, bool], Awaitable[Launched]]
    """An agent's name; by its agent at Simli, or with all fields."""
    link: Callable[[str, Sequence[str]], Awaitable[Launched]]
    """An agent's name, and the origins from which a browser may start."""
    listed: Callable[[], Awaitable[Sequence[Session]]]
    """Newest first."""
    shown: Callable[[str], Awaitable[Session]]
    end: Callable[[str], Awaitable[SessionEnded]]
    transcript: Callable[[str], Awaitable[Transcript]]


VideoProvider: TypeAlias = Literal["cartesia", "elevenlabs", "playht"]
"""Who speaks the text of a video."""
AudioFormat: TypeAlias = Literal["pcm16", "pcm32", "wav", "mp3", "ogg"]


@dataclass(frozen=True, slots=True)
class TextVideo:
    """A video of a face that says a text."""

    text: str
    agent: str = ""
    """Whose face and voice it has; empty: `face` says which, and `provider` who speaks, with a voice of its own."""
    face: str = ""
    """Simli's id; empty: the agent's."""
    provider: VideoProvider | Literal[""] = ""
    """Empty: the agent's own."""
    voice: str = ""
    """The provider's id of a voice; empty: the agent's, where it is of this provider, else Simli's default."""
    tts_key_env: str = ""
    """The environment variable with the provider's key; empty: the agent's, where its voice is of this provider."""


class FacesDesk(NamedTuple):
    """Faces and videos. Every function raises SimliError; `create` InvalidValue for what is no image to make one of."""

    create: Callable[[bytes, str], Awaitable[Face]]
    """An image and a name."""
    status: Callable[[str], Awaitable[Face]]
    listed: Callable[[], Awaitable[Sequence[Face]]]
    """Those of the account; Simli's own stand in no list."""
    delete: Callable[[str], Awaitable[None]]
    video_of_text: Callable[[TextVideo], Awaitable[VideoUrls]]
    video_of_audio: Callable[[str, bytes, AudioFormat], Awaitable[VideoUrls]]
    """Face, audio, format."""


class Desk(NamedTuple):
    """Everything between the gateway and Simli."""

    agents: AgentsDesk
    sessions: SessionsDesk
    faces: FacesDesk
