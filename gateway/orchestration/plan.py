"""Agents as their files want them, against agents as Simli has them: what is to be done, field by field. Pure.

Compared are the fields that a file gives, and no others: what Simli assigns (id, owner, times), and fields that it may
have tomorrow, are its own. An empty value and a missing one are the same, since Simli writes either.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from gateway.orchestration.ownership import ENDPOINT, by_age, concealed, owned
from gateway.simli.fields import LATER
from gateway.types.orchestration import Action, Change, Difference, Plan
from gateway.types.simli import SimliAgent

DUPLICATE = "there is an older one for the same file, and one is enough"
NO_FILE = "no agent file asks for it; --prune deletes it"
BROKEN = "its file is at fault, so nobody knows what is wanted"
NO_FACE = "its file has no face_id any more; --prune deletes it"


ORDER: Sequence[Action] = ("create", "update", "delete", "unchanged")

VOICE = ("voice_provider", "voice_id", "voice_model")


class Wanted(NamedTuple):
    """An agent as its file wants it at Simli."""

    agent: str
    fields: Mapping[str, Any]
    """The body that creates it, under Simli's names."""
    warnings: tuple[str, ...] = ()


class Known(NamedTuple):
    """What the agent files ask for."""

    wanted: Sequence[Wanted]
    faceless: Collection[str] = ()
    """Agents that are not meant for Simli."""
    broken: Collection[str] = ()
    """Agents of which nobody knows what is wanted: theirs at Simli stay."""


class Step(NamedTuple):
    """A change, and what is sent to Simli for it."""

    change: Change
    fields: Mapping[str, Any] = {}


class Drawn(NamedTuple):
    """A plan with all that it takes to carry it out."""

    plan: Plan
    steps: tuple[Step, ...]
    """One for each change that changes anything: creations, updates, deletions."""


def drawn(known: Known, actual: Sequence[SimliAgent], gateway: str, *, prune: bool) -> Drawn:
    """What makes `actual`, all agents of the account, what is wanted. Strangers are counted and left alone."""
    mine: dict[str, list[SimliAgent]] = {}
    strangers: list[SimliAgent] = []
    for agent in sorted(actual, key=by_age):
        name = owned(agent, gateway)
        (mine.setdefault(name, []) if name else strangers).append(agent)
    steps = [_step(each, mine.get(each.agent, [])[:1], strangers) for each in known.wanted]
    for name, [_, *younger] in sorted(mine.items()):
        steps += [Step(Change("delete", name, each.id, warnings=(DUPLICATE,))) for each in younger]
    names = {each.agent for each in known.wanted}.union(known.broken)
    for name in sorted(mine.keys() - names):
        reason = NO_FACE if name in known.faceless else NO_FILE
        steps.append(_unwanted(name, mine[name][0], reason, prune=prune))
    for name in sorted(mine.keys() & set(known.broken)):
        steps.append(Step(Change("unchanged", name, mine[name][0].id, warnings=(BROKEN,))))
    steps = sorted(steps, key=lambda step: ORDER.index(step.change.action))
    plan = Plan(tuple(step.change for step in steps), unowned=len(strangers), faceless=tuple(sorted(known.faceless)))
    return Drawn(plan, tuple(step for step in steps if step.change.action != "unchanged"))


def changed(wanted: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have to be sent. One that this Simli does not know yet is sent to new agents only."""
    unheard = {name for name in LATER if now and not now.get(name)}
    return {
        name: value for name, value in wanted.items() if name not in unheard and _text(now.get(name)) != _text(value)
    }


def differences(wanted: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Difference, ...]:
    """The same, to be shown: without capabilities."""
    return tuple(_difference(name, now.get(name), value) for name, value in changed(wanted, now).items())


def _step(wanted: Wanted, kept: Sequence[SimliAgent], strangers: Sequence[SimliAgent]) -> Step:
    if not kept:
        warnings = (*wanted.warnings, *_namesakes(wanted, strangers))
        return Step(Change("create", wanted.agent, "", differences(wanted.fields, {}), warnings), dict(wanted.fields))
    now = kept[0]
    fields = changed(wanted.fields, now.fields)
    action: Action = "update" if fields else "unchanged"
    told = differences(wanted.fields, now.fields)
    warnings = (*wanted.warnings, *_left(wanted.fields, now.fields))
    return Step(Change(action, wanted.agent, now.id, told, warnings), fields)


def _namesakes(wanted: Wanted, strangers: Sequence[SimliAgent]) -> tuple[str, ...]:
    """An agent of the same name may be one whose endpoint somebody has changed by hand."""
    name = str(wanted.fields.get("name") or wanted.agent)
    return tuple(
        f"Simli has another agent of this name, {each.id}, that is not this gateway's: it stays as it is"
        for each in strangers
        if each.name == name
    )


def _left(wanted: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """Simli has no call that takes a voice away, so one that the file does not name any more is said."""
    left = [f"{name} {str(now[name])[:80]}" for name in VOICE if name not in wanted and now.get(name)]
    return (f"Simli has {', '.join(left)}, and the file gives none: that stays",) if left else ()


def _unwanted(name: str, agent: SimliAgent, reason: str, *, prune: bool) -> Step:
    if prune:
        return Step(Change("delete", name, agent.id, unwanted=True))
    return Step(Change("unchanged", name, agent.id, warnings=(reason,), unwanted=True))


def _difference(name: str, now: Any, wanted: Any) -> Difference:
    before, after = concealed(_text(now)), concealed(_text(wanted))
    if name == ENDPOINT and before == after:
        before, after = f"{before} (an older capability)", f"{after} (the renewed one)"
    return Difference(name, before, after)


def _text(value: Any) -> str:
    """A value as it is compared: `300`, `300.0` and `"300"` are one to Simli, and so are nothing and `""`."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
