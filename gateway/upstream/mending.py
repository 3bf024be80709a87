"""What a target refused and can be put right: a history that is too long, a parameter that it does not know.

Servers name such a fault by a code, by a parameter, or only in words; what is read here is what OpenAI, vLLM,
llama.cpp, Mistral, Groq and Google's OpenAI-compatible endpoint send. A value that is wrong stays the caller's fault.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from gateway.errors import UpstreamRejected
from gateway.types import Message, Prompt

TOO_LONG = "context_length_exceeded"
MOST = 4
"""Parameters mended in one turn: reasoning models refuse two or three at once, and name one at a time."""
_UNSUPPORTED_CODES = frozenset({"unsupported_parameter", "unknown_parameter", "unsupported_value", "extra_forbidden"})
_UNSUPPORTED = re.compile(
    r"unsupported|(is|are) not supported|does not support|unknown (name|field|parameter|argument)|unrecognized"
    r"|unexpected (field|keyword|parameter)|extra (inputs|fields)|not permitted|cannot find field",
    re.IGNORECASE,
)
_MEANT = frozenset({"tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "response_format"})
"""Without them the answer would be another kind of answer: never dropped."""
_SAME = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_NUMBER = re.compile(r"\d[\d,]*")
_LONG = re.compile(r"(maximum|available) context|context (length|size|window)|prompt is too long", re.IGNORECASE)
_MODELS = 100
"""So many models of one target are remembered: their names come from callers."""


class Learned:
    """What one target refused before, by model: the name that it takes instead, or None for nothing."""

    __slots__ = ("_by_model",)

    def __init__(self) -> None:
        self._by_model: dict[str, dict[str, str | None]] = {}

    def applied(self, prompt: Prompt) -> Prompt:
        """The prompt with parameters that the target takes; the same one where nothing is to be changed."""
        learned = self._by_model.get(prompt.model)
        if not learned or not (learned.keys() & prompt.parameters.keys()):
            return prompt
        renamed = {learned.get(name, name): value for name, value in prompt.parameters.items()}
        return replace(prompt, parameters={name: value for name, value in renamed.items() if name is not None})

    def refused(self, prompt: Prompt, parameter: str) -> None:
        """It does not take this one. Its other name, where it has one that was not refused either."""
        if len(self._by_model) >= _MODELS:
            self._by_model.clear()
        learned = self._by_model.setdefault(prompt.model, {})
        other = _SAME.get(parameter)
        former = next((name for name, takes in learned.items() if takes == parameter), None)
        if former is not None:  # both names are refused
            learned[former] = None
            other = None
        learned[parameter] = None if other in learned else other


def parameter(prompt: Prompt, error: UpstreamRejected) -> str:
    """The parameter of the prompt that the target does not know or support; empty where it is another fault."""
    if error.code not in _UNSUPPORTED_CODES and not _UNSUPPORTED.search(error.message):
        return ""
    named = (error.param or "").rpartition(".")[2]
    if not named:
        # In quotes or not, the first one that is named: "Use 'max_completion_tokens' instead" comes behind it.
        places = {name: re.search(rf"\b{name}\b", error.message) for name in prompt.parameters}
        found = sorted((place.start(), name) for name, place in places.items() if place)
        named = found[0][1] if found else ""
    return named if named in prompt.parameters and named not in _MEANT else ""


def shortened(prompt: Prompt, error: UpstreamRejected) -> Prompt | None:
    """The prompt with less history; None where there is none to leave out.

    System messages and the last user turn stay, with everything behind it. Before it, the newest turns stay that fit:
    a turn is a user's message and all up to the next one, so that no tool's result loses its call.
    """
    messages = prompt.messages
    begins = [at for at, message in enumerate(messages) if message.get("role") == "user"]
    if len(begins) < 2:
        return None
    kept = [_system(message) for message in messages]
    sizes = [_size(message) for message in messages]
    fits = sum(sizes) * _share(error.message) - sum(size for size, keep in zip(sizes, kept, strict=True) if keep)
    begin = end = len(messages)
    for at in reversed(begins[1:]):  # the oldest turn goes whatever fits: something has to
        fits -= sum(sizes[each] for each in range(at, end) if not kept[each])
        if fits < 0 and at != begins[-1]:
            break
        begin = end = at
    short = [message for at, message in enumerate(messages) if at >= begin or kept[at]]
    return replace(prompt, messages=short)


def _system(message: Message) -> bool:
    return message.get("role") in {"system", "developer"}


def _size(message: Message) -> int:
    return len(str(message.get("content") or "")) + len(str(message.get("tool_calls") or ""))


def _share(message: str) -> float:
    """How much of the prompt may stay: servers mostly say how many tokens there may be and how many there were."""
    numbers = sorted(int(number.replace(",", "")) for number in _NUMBER.findall(message))
    numbers = [number for number in numbers if number >= 256]
    if len(numbers) < 2 or numbers[0] == numbers[-1]:
        return 0.5
    return max(0.1, 0.8 * numbers[0] / numbers[-1])


def told(body: object) -> tuple[str, str, str | None]:
    """Message, code and parameter of an error's body, in whatever envelope; all empty where there is none."""
    if isinstance(body, list) and body:  # Google's is in a list
        body = body[0]
    if not isinstance(body, Mapping):
        return "", "", None
    error = body.get("error")
    fields: Mapping[str, Any] = error if isinstance(error, Mapping) else body
    message = fields.get("message")
    details = _details(fields) or _details(message)
    if not isinstance(message, str):
        message = "; ".join(f"{'.'.join(place)}: {says}" for place, says, _ in details)
    param = fields.get("param")
    if param is None and details and details[0].place:
        param = details[0].place[-1]
    code = fields.get("code")
    code = next((each.code for each in details if each.code in _UNSUPPORTED_CODES), code)
    if _LONG.search(message) or "exceed_context_size_error" in (code, fields.get("type")):
        code = TOO_LONG
    return message, code if isinstance(code, str) else "", param if isinstance(param, str) else None


class _Detail(NamedTuple):
    place: Sequence[str]
    says: str
    code: str


def _details(fields: object) -> list[_Detail]:
    """FastAPI's list of what is wrong; Mistral puts it into the message."""
    found = fields.get("detail") if isinstance(fields, Mapping) else None
    return [_detail(each) for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _detail(each: Mapping[str, Any]) -> _Detail:
    place = each.get("loc")
    path = [str(step) for step in place] if isinstance(place, list) else []
    return _Detail(path, str(each.get("msg", "")), str(each.get("type", "")))
