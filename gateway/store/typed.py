"""Frozen dataclasses read from JSON, each field held against its type: a record of somebody else's becomes nothing."""

from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def value(hint: Any, given: Any) -> Any:
    """What JSON gave, as the type `hint` has it; fields of another version are passed over.

    Raises TypeError, ValueError.
    """
    origin = get_origin(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return hint(**{name: value(kind, given[name]) for name, kind in _hints(hint).items() if name in given})
    if origin is UnionType:
        return None if given is None else value(get_args(hint)[0], given)
    if origin is tuple and isinstance(given, list):
        return tuple(value(get_args(hint)[0], each) for each in given)
    if origin is dict and isinstance(given, dict):
        return {name: value(get_args(hint)[1], each) for name, each in given.items()}
    if (origin is Literal and given in get_args(hint)) or type(given) is hint or (hint, type(given)) == (float, int):
        return given
    raise ValueError(f"is no {getattr(hint, '__name__', hint)}")
