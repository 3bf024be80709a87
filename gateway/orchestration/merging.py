"""Two accounts of one conversation: Simli's, which knows what was spoken, and the gateway's, which knows when. Pure."""

import re
from collections.abc import Sequence

from gateway.types.simli import Spoken

AHEAD = 12
"""Lines of the gateway's that may lie between two that Simli has as well: answers that nobody heard."""
_WORDS = re.compile(r"[^\W_]+")


def merged(simli: Sequence[Spoken], own: Sequence[Spoken]) -> tuple[Spoken, ...]:
    """Simli's lines, with the gateway's times where they have none, and with questions that only the gateway has.

    An answer of the gateway's that Simli does not have was not spoken: it stays out, unless Simli wrote no answers.
    """
    own = without_repeats(own)
    answered = any(line.role == "assistant" for line in simli)
    found: list[Spoken] = []
    at = 0
    for line in simli:
        match = _match(line, own, at)
        if match is None:
            found.append(line)
            continue
        found += [each for each in own[at:match] if _lacking(each, answered)]
        found.append(line if line.at is not None else Spoken(line.role, line.text, own[match].at))
        at = match + 1
    return (*found, *(each for each in own[at:] if _lacking(each, answered)))


def without_repeats(own: Sequence[Spoken]) -> list[Spoken]:
    """Without a question that was only asked again: a client repeats a turn that has failed."""
    found: list[Spoken] = []
    for line in own:
        if found and line.role == "user" == found[-1].role and _key(line) == _key(found[-1]):
            continue
        found.append(line)
    return found


def _match(line: Spoken, own: Sequence[Spoken], start: int) -> int | None:
    """Where the gateway has this line, a little ahead at most."""
    for index in range(start, min(len(own), start + AHEAD)):
        if own[index].role == line.role and _same(line, own[index]):
            return index
    return None


def _same(simli: Spoken, own: Spoken) -> bool:
    """Whether they are one line: what was interrupted is shorter at Simli, and is heard in pieces there."""
    one, other = _key(simli), _key(own)
    return bool(one) and (one == other or one in other or (len(other) > AHEAD and other in one))


def _key(line: Spoken) -> str:
    return " ".join(_WORDS.findall(line.text.casefold()))


def _lacking(own: Spoken, answered: bool) -> bool:
    return own.role == "user" or not answered
