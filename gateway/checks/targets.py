"""Who answers: each target of each route."""

import asyncio
from collections.abc import Sequence

from gateway.checks.finding import Finding
from gateway.settings import Settings, Target
from gateway.upstream import probe


async def looked(settings: Settings) -> Sequence[Finding]:
    """Each target of each route: is it there, is the key right, has it the model.

    One that another target of its route stands in for is a warning.
    """
    named = [
        (name, index, target) for name, route in settings.routes.items() for index, target in enumerate(route.targets)
    ]
    problems = await asyncio.gather(*(_problem(name, index, target) for name, index, target in named))
    good = {name for (name, _, _), (says, _) in zip(named, problems, strict=True) if not says}
    found = []
    for (name, _, target), (says, remedy) in zip(named, problems, strict=True):
        what = f"target {name}/{target.model or target.embedded or target.url}"
        if says:
            found.append(Finding("warning" if name in good else "fault", what, says, remedy))
        else:
            found.append(Finding("ok", what, target.url or "part of this package"))
    return found


async def _problem(route: str, index: int, target: Target) -> tuple[str, str]:
    """What is wrong with a target, and what to do; empty where nothing is. The local model's file is a setting."""
    if target.embedded:
        return "", ""
    models, problem = await probe.found(target)
    here = f"routes.{route}.targets[{index}]"
    if not problem or (models and target.key_env == "OPENAI_API_KEY"):  # then its first model is taken
        return "", ""
    if models:
        return problem, f"set {here}.model to one of them"
    if "key" in problem:
        return problem, f"put the right key into {target.key_env or f'a variable, and its name into {here}.key_env'}"
    return problem, f"start {target.url}, or correct {here}.url"
