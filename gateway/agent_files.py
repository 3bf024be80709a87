"""Agent files off the disk: all of them or every fault, and each for itself. Needs no client, and loads none."""

from collections.abc import Sequence
from pathlib import Path

from gateway.chat.agent import loaded
from gateway.errors import ConfigurationError, Fault
from gateway.settings import Settings
from gateway.types import Agent
from gateway.types.administration import AgentFiles
from gateway.upstream import local


def agents(settings: Settings, *, routes: bool = True) -> dict[str, Agent]:
    """Read the agent files. Raises ConfigurationError with every fault of all of them.

    Without `routes` those that agents name are not looked for: the settings' own may be the fault.
    """
    directory = settings.prompts
    if not directory.is_dir():
        raise ConfigurationError([Fault(str(directory), 0, "", "no such folder; agent files are looked for here")])
    files: dict[str, str] = {}
    faults = []
    for path in sorted(directory.glob("*.md")):
        try:
            files[str(path)] = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            faults.append(Fault(str(path), 0, "", f"cannot be read as UTF-8 text: {error}"))
    collections = _collections(settings)
    try:
        found = loaded(files, settings.routes if routes else None, collections)
    except ConfigurationError as error:
        raise ConfigurationError([*faults, *error.faults]) from None
    if settings.default_agent and settings.default_agent not in found:
        known = ", ".join(sorted(found)) or "none"
        faults.append(Fault("settings", 0, "default_agent", f"no agent {settings.default_agent!r}; there are: {known}"))
    if faults:
        raise ConfigurationError(faults)
    return found


def checked(settings: Settings | None, faults: Sequence[Fault] = ()) -> dict[str, Agent]:
    """The agents, once everything that a start needs from the disk is there. Raises ConfigurationError.

    `faults` are those of the settings themselves: agents' faults are said beside them, all at once.
    """
    found = list(faults)
    served: dict[str, Agent] = {}
    routes = settings.routes.values() if settings else ()
    for target in (target for route in routes for target in route.targets):
        if target.embedded == "llm":
            try:
                local.model_file(Path(target.model) if target.model else None)
            except ConfigurationError as error:
                found += error.faults
    if settings:
        try:
            served = agents(settings, routes=not faults)
        except ConfigurationError as error:
            found += error.faults
    if found:
        raise ConfigurationError(found)
    return served


def _collections(settings: Settings) -> list[str] | None:
    """The folders of files; nothing that could be said of where a server has what others ingested."""
    if settings.chroma_url:
        return None
    return [path.name for path in settings.knowledge.directory.glob("*") if path.is_dir()]


def read(settings: Settings) -> AgentFiles:
    """The agent files as they are now. What is wrong with one leaves the others alone."""
    agents: dict[str, Agent] = {}
    faults: list[Fault] = []
    paths: dict[str, str] = {}
    if not settings.prompts.is_dir():
        faults.append(Fault(str(settings.prompts), 0, "", "no such folder; agent files are looked for here"))
    collections = _collections(settings)
    for file in sorted(settings.prompts.glob("*.md")):
        paths[file.stem] = str(file)
        try:
            agents |= loaded({str(file): file.read_text("utf-8")}, settings.routes, collections)
        except ConfigurationError as error:
            faults += error.faults
        except (OSError, UnicodeDecodeError) as error:
            faults.append(Fault(str(file), 0, "", f"cannot be read as UTF-8 text: {error}"))
    return AgentFiles(agents, faults, paths)
