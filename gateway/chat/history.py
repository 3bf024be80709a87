"""Repair the caller's history for an agent: any upstream takes it, and a provider's prefix cache holds.

Callers send what is left after interruptions: two user turns in a row, empty answers, tool calls that nobody
answered. Upstreams refuse some of that with a 400 for the rest of a session. Repair changes only what is
wrong; a message that is right goes on as the very object that came.

The cap leaves out whole turns of the middle. The first exchange stays: it says what the conversation is
about, and a prompt that begins as before is found in a provider's cache. For the same reason turns go by the
quarter of the cap, not one each time: the cut stays where it is for many turns.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.types import Message

_SYSTEM = ("system", "developer")
_RESULTS = ("tool", "function")
_WORDLESS = {"image_url": "[image]", "input_audio": "[audio]", "file": "[file]"}
"""What stands for a turn without words, by the kind of its first part."""


@dataclass(frozen=True, slots=True)
class History:
    """What was said, repaired."""

    system: tuple[str, ...] = ()
    """The caller's system and developer messages, as text."""
    messages: tuple[Message, ...] = ()
    """The rest: user, assistant and tool messages."""
    last: int | None = None
    """Where in `messages` the last user turn is; None where nobody spoke."""
    question: str = ""
    """The last user turn, as text."""
    context: str = ""
    """The user turn before it, as text."""


def repaired(messages: Sequence[Message], *, characters: int) -> History:
    """The history of an agent: no more than `characters`, unless the last turn alone is longer."""
    system = tuple(text for each in messages if each["role"] in _SYSTEM if (text := spoken(each)).strip())
    talk = [_plain(each) for each in messages if each["role"] not in _SYSTEM]
    talk = _merged(_without_empty(talk))
    talk = _merged(_without_empty(_answered(talk)))
    kept = tuple(_capped(talk, characters))
    users = [index for index, each in enumerate(kept) if each["role"] == "user"]
    return History(
        system=system,
        messages=kept,
        last=users[-1] if users else None,
        question=_asked(kept[users[-1]]) if users else "",
        context=_asked(kept[users[-2]]) if len(users) > 1 else "",
    )


def last_words(messages: Sequence[Message]) -> tuple[str, str]:
    """The last user turn and the one before it, as text, of messages that are not to be touched."""
    users = [spoken(each) for each in messages if each["role"] == "user"]
    return (users[-1] if users else "", users[-2] if len(users) > 1 else "")


def last_answer(messages: Sequence[Message]) -> str:
    """The last answer in messages that are not to be touched, as text; empty where there is none."""
    return next((spoken(each) for each in reversed(messages) if each["role"] == "assistant"), "")


def spoken(message: Message) -> str:
    """The message's words: its text, or the text of its parts. Pictures and sounds have none."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(text for part in content or () if (text := _part(part)))


def _asked(message: Message) -> str:
    """What can be looked up of a repaired turn."""
    text = spoken(message)
    return "" if text in _WORDLESS.values() else text


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    text = part.get("text")
    return text if isinstance(text, str) else ""


def _plain(message: Message) -> Message:
    """The message with text instead of parts. Where there was no text, it says what there was."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    text = spoken(message)
    if not text and content:
        # The kind is the caller's word: only what OpenAI's reference names goes into a prompt.
        kind = str(content[0].get("type")) if isinstance(content[0], dict) else ""
        text = _WORDLESS.get(kind, "")
    return {**message, "content": text}


def _without_empty(messages: Sequence[Message]) -> list[Message]:
    """Without what says nothing and does nothing. The last user turn stays, whatever it is."""
    last = max((index for index, each in enumerate(messages) if each["role"] == "user"), default=-1)
    return [each for index, each in enumerate(messages) if index == last or _says(each)]


def _says(message: Message) -> bool:
    if message["role"] in _RESULTS:
        return True
    return bool(spoken(message).strip() or message.get("tool_calls") or message.get("function_call"))


def _merged(messages: Iterable[Message]) -> list[Message]:
    """Neighbours of one role and one name become one message."""
    found: list[Message] = []
    for each in messages:
        if found and _joins(found[-1], each):
            found[-1] = _joined(found[-1], each)
        else:
            found.append(each)
    return found


def _joins(one: Message, other: Message) -> bool:
    if one["role"] in _RESULTS or one.get("function_call") or other.get("function_call"):
        return False
    return bool(one["role"] == other["role"] and one.get("name") == other.get("name"))


def _joined(one: Message, other: Message) -> Message:
    texts = [text for each in (one, other) if (text := spoken(each)).strip()]
    calls = [*(one.get("tool_calls") or ()), *(other.get("tool_calls") or ())]
    merged = {**one, **other, "content": "\n".join(texts)}
    return {**merged, "tool_calls": calls} if calls else merged


def _answered(messages: Sequence[Message]) -> list[Message]:
    """Without calls that have no result right behind them, and without results that nobody called for."""
    found: list[Message] = []
    index = 0
    while index < len(messages):
        message = messages[index]
        index += 1
        results = []
        while index < len(messages) and messages[index]["role"] in _RESULTS:
            results.append(messages[index])
            index += 1
        if message["role"] not in _RESULTS:
            found += _exchange(message, results)
    return found


def _exchange(message: Message, results: Sequence[Message]) -> list[Message]:
    """A message and the results that answer its calls, one a call."""
    calls = {call["id"]: call for call in message.get("tool_calls") or ()}
    function = message.get("function_call") or {}
    answers: dict[str, Message] = {}
    legacy: list[Message] = []
    for each in results:
        if each["role"] == "tool" and each.get("tool_call_id") in calls:
            answers.setdefault(each["tool_call_id"], each)
        elif each["role"] == "function" and each.get("name") == function.get("name") is not None:
            legacy = legacy or [each]
    kept = [call for id_, call in calls.items() if id_ in answers]
    if message.get("tool_calls") and len(kept) != len(message["tool_calls"]):
        message = _with(message, "tool_calls", kept)
    if function and not legacy:
        message = _with(message, "function_call", None)
    return [message, *answers.values(), *legacy]


def _with(message: Message, key: str, value: Any) -> Message:
    """The message with another value, or without the key where the value is empty."""
    rest = {name: each for name, each in message.items() if name != key}
    return {**rest, key: value} if value else rest


def _capped(messages: Sequence[Message], characters: int) -> list[Message]:
    """The first exchange, and as many of the last turns as fit.

    A first turn that is huge, or that nobody answered, goes like any other.
    """
    total = sum(map(_size, messages))
    if total <= characters:
        return list(messages)
    head, turns = _cut(messages)
    quantum = max(characters // 4, 1)
    if sum(map(_size, head)) > quantum or (head and head[-1]["role"] == "user"):
        turns, head = [head, *turns] if head else turns, []
    excess = -(-(total - characters) // quantum) * quantum
    while len(turns) > 1 and excess > 0:
        excess -= sum(map(_size, turns.pop(0)))
    kept = [each for turn in turns for each in turn]
    return [*head, *kept] if sum(map(_size, [*head, *kept])) <= characters else kept


def _cut(messages: Sequence[Message]) -> tuple[list[Message], list[list[Message]]]:
    """The first exchange, and the turns after it: each begins with what a user said."""
    turns: list[list[Message]] = []
    for each in messages:
        if not turns or (each["role"] == "user" and any(one["role"] == "user" for one in turns[-1])):
            turns.append([])
        turns[-1].append(each)
    return (turns[0], turns[1:]) if len(turns) > 1 else ([], turns)


def _size(message: Message) -> int:
    """Characters of a message: its words and the arguments of its calls."""
    calls = [call.get("function") for call in message.get("tool_calls") or ()]
    functions = [each for each in (*calls, message.get("function_call")) if isinstance(each, Mapping)]
    return len(spoken(message)) + sum(len(str(each.get("arguments") or "")) for each in functions)
