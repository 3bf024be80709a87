"""What is looked up, and what is found."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias


class Sentence(NamedTuple):
    """A sentence of a passage, as it can be spoken."""

    text: str
    similarity: float | None
    """Cosine of the sentence, below its passage's title, and the query; None where only the lexical list served."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved piece of knowledge."""

    id: str
    """`{collection}/{source}#{number}`; stable as long as the source's text is."""
    collection: str
    source: str
    """Path of the file, relative to the collection's folder."""
    title: str
    """The headings above the text, outermost first, joined by ` > `."""
    text: str
    score: float = 0.0
    """Reciprocal rank fusion of the lists it was found in; orders passages of one search only."""
    similarity: float | None = None
    """Cosine of passage and query, or None where only the lexical list served."""
    sentences: tuple[Sentence, ...] = ()
    """Of `text`, in order, where a search found the passage."""


RetrievalOutcome: TypeAlias = Literal["hybrid", "lexical", "none", "skipped"]
"""Which lists served: both; the lexical one alone; none of them; nothing was looked up at all."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What a search brought, best first, and how."""

    passages: tuple[Passage, ...] = ()
    outcome: RetrievalOutcome = "skipped"
    reason: str = ""
    """Why it is less than `hybrid`: `budget`, `queue`, `unavailable`; empty otherwise."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to look up."""

    question: str
    """The last user turn."""
    context: str = ""
    """The user turn before it, without which a follow-up question cannot be understood; may be empty."""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """An agent's `retrieval`: how it searches."""

    top_k: int = 4
    """Passages at most."""
    floor: float = 0.0
    """Least cosine of a passage and the query; what is below it is left out."""
    budget_ms: int = 150
    """Milliseconds until the lexical list alone has to do."""


Retrieve: TypeAlias = Callable[[Sequence[str], Query, Retrieval], Awaitable[Retrieved]]
"""Search these collections. Never raises: what failed is said in `Retrieved.outcome` and `.reason`."""
