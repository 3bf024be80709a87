"""Plans and their ends, in lines of 80 columns that an infrastructure person reads at a glance."""

import textwrap
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from gateway.orchestration.agency import Listed
from gateway.orchestration.ownership import ENDPOINT
from gateway.types.orchestration import Action, Applied, Change, Difference, Plan

WIDTH = 80
CONTEXT = 12
"""Characters that two values have in common, shown in front of where they part."""
LINES = 3
"""Of one value."""
LONG = 200
"""Characters: they fill those lines."""
_SIGNS: dict[Action, tuple[str, str]] = {
    "create": ("+", "green"),
    "update": ("~", "yellow"),
    "delete": ("-", "red"),
    "unchanged": (" ", ""),
}
_DONE = {"create": "created", "update": "updated", "delete": "deleted", "unchanged": "left"}


def show(lines: Iterable[Text | str]) -> None:
    """Print them, in colours on a terminal (NO_COLOR is obeyed), and never broken anew."""
    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    for line in lines:
        console.print(line)


def of_plan(plan: Plan, simli: str) -> list[Text | str]:
    """The whole plan: what changes, what is said of the rest, the sum."""
    lines: list[Text | str] = [f"At {simli}:", ""]
    for change in plan.changes:
        if change.action != "unchanged" or change.warnings:
            lines += [*_change(change), ""]
    for fault in plan.faults:
        lines += [Text(line, "red") for line in _wrapped(f"! {fault}", "  ", "    ")]
    if plan.faults:
        lines += ["", f"{_count(len(plan.faults), 'fault')}: nothing is applied until that is mended."]
    if plan.faceless:
        lines += _wrapped(f"Not registered, for want of a face_id: {', '.join(plan.faceless)}.", "", "  ")
    return [*lines, *_wrapped(sum_of_plan(plan), "", "      ")]


def sum_of_plan(plan: Plan) -> str:
    """`Plan: 1 to create, …`."""
    count = {action: sum(change.action == action for change in plan.changes) for action in _SIGNS}
    unwanted = sum(change.unwanted for change in plan.changes if change.action == "unchanged")
    parts = [f"{count[action]} to {action}" for action in ("create", "update", "delete")]
    parts.append(f"{count['unchanged']} unchanged")
    if unwanted:
        parts[-1] += f" ({unwanted} that --prune would delete)"
    if plan.unowned == 1:
        return f"Plan: {', '.join(parts)}; 1 agent of others stays as it is."
    others = f"; {plan.unowned} agents of others stay as they are" if plan.unowned else ""
    return f"Plan: {', '.join(parts)}{others}."


def of_done(change: Change) -> list[Text | str]:
    """What was done with one agent."""
    sign, style = _SIGNS[change.action]
    fields = f": {', '.join(each.field for each in change.differences)}" if change.action == "update" else ""
    lines = _wrapped(f"{sign} {_DONE[change.action]} {change.agent} ({change.id}){fields}", "  ", "      ")
    warnings = [line for warning in change.warnings for line in _wrapped(f"! {warning}", "      ", "        ")]
    return [*(Text(line, style) for line in lines), *(Text(line, "yellow") for line in warnings)]


def sum_of(done: Applied) -> str:
    """`Applied: 1 created, …`."""
    parts = (f"{sum(c.action == action for c in done.changes)} {_DONE[action]}" for action in _SIGNS)
    return f"Applied: {', '.join(list(parts)[:3])}{f'; {done.left} left' if done.left else ''}."


def of_list(rows: Sequence[Listed], hidden: int) -> list[Text | str]:
    """A table, and how many are not in it."""
    more = [f"{_count(hidden, 'agent')} of others; --all shows {'it' if hidden == 1 else 'them'}."] if hidden else []
    if not rows:
        return ["Simli has no agent of this gateway; `gateway agents apply` makes them.", *more]
    width = min(max(len("NAME"), *(len(each.name) for each in rows)), 28)
    lines: list[Text | str] = [f"{'NAME':<{width}}  {'STATE':<9}  ID"]
    for each in rows:
        name = _cut(_plain(each.name), width)
        lines.append(Text(f"{name:<{width}}  {each.state:<9}  {_plain(each.id)}", _STATES.get(each.state, "")))
    return [*lines, *more]


_STATES = {"drift": "yellow", "no file": "red", "no face": "red", "duplicate": "red", "at fault": "red"}


def _change(change: Change) -> list[Text | str]:
    sign, style = _SIGNS[change.action]
    title = change.agent if change.action == "unchanged" else f"{change.action} {change.agent}"
    lines: list[Text | str] = [Text(f"  {sign} {title}{f' ({change.id})' if change.id else ''}", style)]
    for each in change.differences:
        lines += _difference(each, new=change.action == "create")
    for warning in change.warnings:
        lines += [Text(line, "yellow") for line in _wrapped(f"! {warning}", "      ", "        ")]
    return lines


def _difference(each: Difference, *, new: bool) -> list[str]:
    """On one line where it fits, else the two values below one another; only around where they part, if long."""
    quoted = _plain if each.field == ENDPOINT else _quoted  # what is said behind a URL is not of it
    if new:
        return [_cut(f"      {each.field}: {quoted(each.wanted)}", WIDTH)]
    values = each.now, each.wanted
    now, wanted = map(quoted, _parting(*values) if max(map(len, values)) > LONG else values)
    line = f"      {each.field}: {now} -> {wanted}"
    if len(line) <= WIDTH:
        return [line]
    return [f"      {each.field}:", *_folded(now, "           "), *_folded(wanted, "        -> ")]


def _folded(text: str, before: str) -> list[str]:
    """A value in as many lines as it needs, three at most, broken behind a blank or a slash where there is one."""
    room = WIDTH - len(before)
    lines = []
    while text:
        at = min(len(text), room)
        if at < len(text):
            at = max(text.rfind(" ", room // 2, room), text.rfind("/", room // 2, room)) + 1 or room
        lines.append(text[:at])
        text = text[at:]
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], _cut(f"{lines[LINES - 1]}…", room)]
    return [before + lines[0], *(" " * len(before) + line for line in lines[1:])] if lines else [before]


def _parting(now: str, wanted: str) -> tuple[str, str]:
    """Two long values from shortly before where they part."""
    same = next((at for at, (one, two) in enumerate(zip(now, wanted, strict=False)) if one != two), 0)
    start = max(same - CONTEXT, 0)
    return (f"…{now[start:]}", f"…{wanted[start:]}") if start else (now, wanted)


def _quoted(text: str) -> str:
    """Values as they are; an empty one, and one with blanks, in quotes."""
    return _plain(text) if text and " " not in text else f'"{_plain(text)}"'


def _plain(text: str) -> str:
    """The text on one line, and nothing in it that a terminal would obey: it is others' text."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _wrapped(text: str, first: str, more: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=more, break_long_words=False, break_on_hyphens=False
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
