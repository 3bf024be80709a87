"""Keys and generations as values: how they are written, and what comes of two accounts of them. Pure.

A key is made, and later perhaps revoked; a generation only grows. So two accounts of one store never contradict each
other: what either has is so, a revocation wins over none, the greater generation over the smaller. A store that has
lost its data, or a file that is a little old, is mended by putting both together.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, get_args

from gateway.types import Key, Rate, Scope

ID = re.compile(r"[a-z0-9]{12}")
REMEMBERED = 600
"""Seconds that a session's key is known, and refused, after it has expired; two machines' clocks may differ so far.

It expires when Simli has long ended the session: by then nobody calls with it, and it opens no more than an unknown
text does. One whose session ended before is known as revoked until then: a snapshot that is a little old may have it as
good, and is contradicted until it has expired there too.
"""
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a store's keys and generations."""

    store: str = ""
    """Which store: a name that it was given with its first key; empty where it has none yet."""
    keys: Mapping[str, Key] = field(default_factory=dict)
    """By id."""
    generations: Mapping[str, int] = field(default_factory=dict)
    """By agent; one that was never rotated is 0 and not in here."""


def written(key: Key) -> str:
    """A key as text; it holds the digest, never the key."""
    return json.dumps(asdict(key), separators=(",", ":"))


def read(text: str) -> Key:
    """The key of such a text. Raises ValueError, which never shows the text."""
    try:
        fields = json.loads(text)
        key = Key(**fields | {"rate": Rate(**fields["rate"])}) if _sound(fields) else None
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        key = None
    if key is None:
        raise ValueError("is no record of a key")
    return key


def _sound(fields: Mapping[str, Any]) -> bool:
    """Whether each field has its type: a record of somebody else's must not open anything, nor break anything."""
    counts = (fields["rate"]["requests"], fields["rate"]["streams"])
    return (
        all(isinstance(fields[name], str) for name in ("id", "digest", "scope", "name", "agent"))
        and isinstance(fields.get("session", ""), str)
        and ID.fullmatch(fields["id"]) is not None
        and _DIGEST.fullmatch(fields["digest"]) is not None
        and fields["scope"] in get_args(Scope)
        and type(fields["created"]) in (int, float)
        and all(type(fields[name]) in (int, float, type(None)) for name in ("expires", "revoked"))
        and all(type(count) is int and count >= 0 for count in counts)
    )


def joined(mine: Key | None, theirs: Key) -> Key:
    """Both accounts of one key together."""
    if mine is not None and mine.revoked and not theirs.revoked:
        return replace(theirs, revoked=mine.revoked)
    return mine if mine == theirs else theirs


def merged(mine: Known, theirs: Known) -> Known:
    """Both accounts of one store together; the store's name is `theirs`, where it has one."""
    keys = dict(mine.keys)
    for id_, key in theirs.keys.items():
        keys[id_] = joined(keys.get(id_), key)
    generations = dict(mine.generations)
    for agent, generation in theirs.generations.items():
        generations[agent] = max(generation, generations.get(agent, 0))
    return Known(theirs.store or mine.store, keys, generations)


def lacking(theirs: Known, mine: Known) -> Known:
    """What `theirs` has not of `mine`: keys, revocations, generations."""
    keys = {
        id_: key
        for id_, key in mine.keys.items()
        if id_ not in theirs.keys or (key.revoked and not theirs.keys[id_].revoked)
    }
    generations = {
        agent: generation
        for agent, generation in mine.generations.items()
        if generation > theirs.generations.get(agent, 0)
    }
    return Known(mine.store, keys, generations)


def spent(key: Key, now: float) -> bool:
    """Whether it was a session's, and expired so long ago that nobody will present it: it is forgotten.

    Every process decides so by itself; else one that has it would give it back to all others.
    """
    return bool(key.session) and key.expires is not None and key.expires + REMEMBERED <= now


def pruned(known: Known, now: float) -> Known:
    """Without what is spent."""
    if not any(spent(key, now) for key in known.keys.values()):
        return known
    keys = {id_: key for id_, key in known.keys.items() if not spent(key, now)}
    return Known(known.store, keys, known.generations)


def withdrawn(known: Known, there: Known) -> Known:
    """Of another store's account, what takes rights away: that is safe to believe. Keys of elsewhere open nothing."""
    keys = {id_: key for id_, key in known.keys.items() if key.revoked or id_ in there.keys}
    return Known("", keys, known.generations)
