"""How long the person waited, and for whom: a turn's moments as stages, each from the end of the one before."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from gateway.types.smoke import Moments, SmokeTurn


class Named(NamedTuple):
    """A stage by the moment that it ends with."""

    moment: str
    label: str
    says: str


STAGES = (
    Named("recognised", "Recognised", "The avatar knows that the person has finished, and has the words."),
    Named("requested", "LLM asked", "The request has reached the gateway."),
    Named("retrieved", "Knowledge found", "The gateway has its passages."),
    Named("first_token", "First token", "The model begins to answer."),
    Named("first_clause", "First clause", "So much has come that it can be spoken."),
    Named("first_sound", "First sound", "The person hears the answer begin."),
    Named("first_mouth", "Mouth moves", "The person sees the mouth move."),
)


@dataclass(frozen=True, slots=True)
class Stage:
    """One step on the way from a question's end to a face that speaks."""

    named: Named
    at_ms: float | None
    """Since the person fell silent. None: it was not seen."""
    after_ms: float | None
    """When the one before was over, of those that were seen."""

    @property
    def took_ms(self) -> float | None:
        """How long it lasted; below nought: it was over before the one before."""
        return None if self.at_ms is None or self.after_ms is None else self.at_ms - self.after_ms


def since(moments: Moments) -> float | None:
    """The moment from which somebody waits: the end of the question, or of a text its sending."""
    return moments.asked if moments.asked_end is None else moments.asked_end


def stages(moments: Moments) -> tuple[Stage, ...]:
    """All of them in order, seen or not."""
    zero = since(moments)
    found, before = [], 0.0
    for named in STAGES:
        moment: float | None = getattr(moments, named.moment)
        if zero is None or moment is None:
            found.append(Stage(named, None, None))
        else:
            at = (moment - zero) * 1000
            found.append(Stage(named, at, before))
            before = max(before, at)
    return tuple(found)


def waited_ms(moments: Moments) -> float | None:
    """From the end of the question to the first sound of the answer. None: one of them was not seen."""
    zero = since(moments)
    return None if zero is None or moments.first_sound is None else (moments.first_sound - zero) * 1000


def middle(values: Sequence[float | None]) -> float | None:
    """The median of what was seen. None: nothing was."""
    seen = [each for each in values if each is not None]
    return median(seen) if seen else None


def median_wait_ms(turns: Sequence[SmokeTurn]) -> float | None:
    """Over the turns that somebody asked."""
    return middle([waited_ms(turn.moments) for turn in turns])


def misheard(turns: Sequence[SmokeTurn], of: str) -> float | None:
    """The mean share of misheard words, `question_error` or `answer_error`. None: nothing was compared.

    An answer that was broken off ends in the middle of a word, which nobody could hear right.
    """
    whole = [turn for turn in turns if of == "question_error" or not turn.interrupted]
    seen = [value for turn in whole if (value := getattr(turn, of)) is not None]
    return sum(seen) / len(seen) if seen else None
