"""What was asked: bodies and queries against the fields that an operation has.

Unknown fields are ignored, as Simli does, and noted in the call, where a person sees them.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from starlette.datastructures import FormData
from starlette.requests import Request

from gateway.sandbox import calls
from gateway.sandbox.api import refusals

Loc: TypeAlias = tuple[str | int, ...]
LARGEST = 2**31 - 1
"""Of an integer: seconds and hertz are meant."""
TRUE, FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}


class Unfit(ValueError):
    """A value that a field cannot have: FastAPI's type and words for it."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


def text(value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise Unfit("string_type", "Input should be a valid string")
    return value


def integer(value: Any) -> int:
    """An integer; a string of digits is one, too."""
    found = _finite(value)
    if found is None or found != int(found):
        raise Unfit("int_parsing", "Input should be a valid integer")
    if abs(found) > LARGEST:
        raise Unfit("int_parsing_size", f"Input should be at most {LARGEST} either way")
    return int(found)


def number(value: Any) -> float:
    """A number."""
    found = _finite(value)
    if found is None:
        raise Unfit("float_parsing", "Input should be a valid number")
    return found


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def boolean(value: Any) -> bool:
    """`true`, `True`, 1 and their opposites: Python's clients write them with a capital."""
    word = str(value).lower()
    if isinstance(value, bool | int | str) and word in TRUE | FALSE:
        return word in TRUE
    raise Unfit("bool_parsing", "Input should be a valid boolean, unable to interpret input")


def texts(value: Any) -> list[str]:
    """An array of strings."""
    if not isinstance(value, list):
        raise Unfit("list_type", "Input should be a valid list")
    return [text(one) for one in value]


def anything(value: Any) -> Any:
    """Whatever it is."""
    return value


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a body or a query. Null is taken where the field is not required, and means its default."""

    name: str
    read: Callable[[Any], Any] = text
    default: Any = None
    required: bool = False
    choices: tuple[str, ...] = ()
    fields: tuple["Field", ...] = ()
    """Of an object."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of it."""

    values: dict[str, Any]
    """Every field by name, defaults filled in."""
    given: frozenset[str]
    """Names of the known fields that were there."""
    unknown: tuple[str, ...]
    faults: tuple[dict[str, Any], ...]


def against(raw: Mapping[str, Any], fields: Sequence[Field], loc: Loc = ("body",)) -> Asked:
    """Read an object."""
    values: dict[str, Any] = {}
    faults: list[dict[str, Any]] = []
    unknown = [".".join([*map(str, loc[1:]), name]) for name in raw if name not in {field.name for field in fields}]
    for field in fields:
        here = (*loc, field.name)
        if field.name not in raw or (raw[field.name] is None and not field.required):
            values[field.name] = field.default
            if field.required:
                faults.append(refusals.fault(here, "Field required", "missing"))
        elif field.fields:
            inner = _object(raw[field.name], field.fields, here)
            values[field.name] = inner.values
            faults += inner.faults
            unknown += inner.unknown
        else:
            values[field.name] = _value(raw[field.name], field, here, faults)
    given = frozenset(field.name for field in fields if field.name in raw)
    return Asked(values, given, tuple(unknown), tuple(faults))


def _object(value: Any, fields: Sequence[Field], loc: Loc) -> Asked:
    if isinstance(value, dict):
        return against(value, fields, loc)
    wrong = refusals.fault(loc, "Input should be a valid dictionary or object", "model_attributes_type")
    return Asked({}, frozenset(), (), (wrong,))


def _value(value: Any, field: Field, loc: Loc, faults: list[dict[str, Any]]) -> Any:
    try:
        read = field.read(value)
    except Unfit as unfit:
        faults.append(refusals.fault(loc, str(unfit), unfit.kind))
        return field.default
    if field.choices and read not in field.choices:
        words = ", ".join(f"'{one}'" for one in field.choices[:-1])
        faults.append(refusals.fault(loc, f"Input should be {words} or '{field.choices[-1]}'", "enum"))
    return read


async def body(request: Request, fields: Sequence[Field]) -> Asked:
    """A JSON body, checked: raises FastAPI's 422 for what is wrong with it, and notes what nobody knows."""
    asked = noted(request, await document(request), fields)
    if asked.faults:
        raise refusals.invalid(asked.faults)
    return asked


async def document(request: Request) -> dict[str, Any]:
    """The JSON object of a body."""
    try:
        found = json.loads(await request.body() or b"null")
    except (ValueError, RecursionError):
        raise refusals.invalid([refusals.fault(("body", 0), "JSON decode error", "json_invalid")]) from None
    if found is None:
        raise refusals.invalid([refusals.fault(("body",), "Field required", "missing")])
    if not isinstance(found, dict):
        wrong = "Input should be a valid dictionary or object to extract fields from"
        raise refusals.invalid([refusals.fault(("body",), wrong, "model_attributes_type")])
    return found


def noted(request: Request, raw: Mapping[str, Any], fields: Sequence[Field]) -> Asked:
    """Read an object, and write into the call what it was asked with."""
    asked = against(raw, fields)
    call = calls.of(request.scope)
    names = {field.name for field in fields}
    call.body = {name: calls.hidden(value, name) for name, value in raw.items() if name in names}
    call.unknown += asked.unknown
    return asked


def query(request: Request, fields: Sequence[Field]) -> dict[str, Any]:
    """The query's fields, checked."""
    asked = against(dict(request.query_params), fields, ("query",))
    calls.of(request.scope).unknown += asked.unknown
    if asked.faults:
        raise refusals.invalid(asked.faults)
    return asked.values


async def form(request: Request, fields: Sequence[str]) -> FormData:
    """A multipart body; its fields are noted, files by name and size."""
    found = await request.form()
    call = calls.of(request.scope)
    call.unknown += [name for name in found if name not in fields]
    call.body = {name: getattr(value, "filename", value) for name, value in found.items() if name in fields}
    return found
