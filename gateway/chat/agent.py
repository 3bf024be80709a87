"""An agent file (`prompts/NAME.md`: YAML front matter, then the persona) to an `Agent`, and its persona.

Pure: the caller reads the files. What is wrong is a `Fault` with the file's own line, all of them at once.

The persona is a Jinja2 template in the sandbox, with autoescape off: it is prose for a model, not markup, and
`Müller & Sons` must not become `Müller &amp; Sons`. Values are put in as text and never rendered again, so
braces in a description stay braces. `StrictUndefined` makes a misspelt variable a fault at start instead of a
hole in a prompt.
"""

import re
import traceback
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

import yaml
from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import SandboxedEnvironment

from gateway.chat.lines import default_lines
from gateway.errors import ConfigurationError, Fault
from gateway.settings.build import (
    NAME,
    NAME_SAYS,
    ORIGIN,
    ORIGIN_SAYS,
    VARIABLE,
    VARIABLE_SAYS,
    Builder,
    Keys,
    Rule,
    meant,
)
from gateway.settings.lines import nearest
from gateway.types import Agent, Rate, Retrieval, Voice

_SPOKEN = Rule(longest=1000)
_NAMED = Rule(pattern=NAME, says=NAME_SAYS)
_ID = Rule(pattern=r"\S{1,200}", says="an id without blanks")
_SECONDS = Rule(least=1, most=86_400)
RULES = {
    (Agent, "name"): _NAMED,
    (Agent, "persona"): Rule(withheld="the persona is the text under the front matter"),
    (Agent, "description"): Rule(pattern=r"[^\r\n]{0,300}", says="one line of 300 characters at most"),
    (Agent, "language"): Rule(pattern=r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*", says="a BCP 47 tag such as en or pt-BR"),
    (Agent, "route"): _NAMED,
    (Agent, "collections"): _NAMED,
    (Agent, "first_message"): _SPOKEN,
    (Agent, "apology"): _SPOKEN,
    (Agent, "unknown"): _SPOKEN,
    (Agent, "fillers"): Rule(pattern=r"(?s)\s*\S.{0,119}", says="a line of 1 to 120 characters", items=8),
    (Agent, "filler_after_ms"): Rule(least=100, most=10_000),
    (Agent, "face_id"): _ID,
    (Agent, "tts_key_env"): Rule(pattern=VARIABLE, says=VARIABLE_SAYS),
    (Agent, "max_session_length"): _SECONDS,
    (Agent, "max_idle_time"): _SECONDS,
    (Agent, "origins"): Rule(pattern=ORIGIN, says=ORIGIN_SAYS),
    (Rate, "requests"): Rule(least=0, most=1_000_000),
    (Rate, "streams"): Rule(least=0, most=100_000),
    (Retrieval, "top_k"): Rule(least=1, most=20),
    (Retrieval, "floor"): Rule(least=0, most=1),
    (Retrieval, "budget_ms"): Rule(least=1, most=10_000),
    # Simli Auto's four. Its Agents take the first two only, which `agents plan` says.
    (Voice, "provider"): Rule(choices=("cartesia", "elevenlabs", "playht", "user")),
    (Voice, "id"): _ID,
    (Voice, "model"): Rule(pattern=r"\S{0,200}", says="a model's name without blanks"),
    (Voice, "user_id"): Rule(pattern=r"\S{0,200}", says="an id without blanks"),
}

_FENCE = re.compile(r"---[ \t]*")
_SAMPLE_DAY = date(2026, 1, 31)
_RENDERING = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    RecursionError,
)
"""What a template can raise while it is rendered: its own errors and those of the operators in it."""


@dataclass(frozen=True, slots=True)
class _File:
    """An agent file cut at its fences."""

    head: str
    body: str
    body_line: int
    """Where the body begins, 1-based."""


def parse(name: str, text: str, where: str) -> Agent:
    """The agent `name` of the text of its file, or every fault of it."""
    agent, builder = _read(name, text, where)
    if agent is None or builder.faults:
        raise ConfigurationError(builder.faults)
    return agent


def loaded(
    files: Mapping[str, str], known_routes: Collection[str] | None, known_collections: Collection[str] | None
) -> dict[str, Agent]:
    """The agents of these files (path to text) by name, or every fault of all files.

    Routes and collections are checked where it is said which ones exist.
    """
    agents: dict[str, Agent] = {}
    faults: list[Fault] = []
    for where, text in sorted(files.items()):
        agent, builder = _read(PurePosixPath(where).stem, text, where)
        if agent is not None:
            _known(("route",), agent.route, known_routes, "route", builder)
            for index, collection in enumerate(agent.collections):
                _known(("collections", index), collection, known_collections, "collection", builder)
            if agent.name in agents:
                builder.fault((), f"there is another file of the agent {agent.name!r}")
            agents[agent.name] = agent
        faults += builder.faults
    if faults:
        raise ConfigurationError(faults)
    return agents


@lru_cache(maxsize=256)
def persona(agent: Agent, today: date) -> str:
    """The agent's persona as it stands in a prompt. It changes once a day, so that caches hold."""
    return _compiled(agent.persona).render(agent=agent, today=today.isoformat()).strip()


def _known(keys: Keys, name: str, known: Collection[str] | None, kind: str, builder: Builder) -> None:
    if name and known is not None and name not in known:
        builder.fault(keys, f"no {kind} {name!r}; {meant(name, known)}")


def _read(name: str, text: str, where: str) -> tuple[Agent | None, Builder]:
    marks: dict[Keys, int] = {}
    builder = Builder(where, lambda keys: nearest(marks, keys), RULES)
    if not re.fullmatch(NAME, name):
        builder.fault((), f"an agent's file must be named with {NAME_SAYS}, not {name[:80]!r}")
        return None, builder
    file = _cut(text, builder)
    table = _front_matter(file.head, marks, builder)
    if table is None:
        return None, builder
    if table.get("name", name) != name:
        builder.fault(("name",), f"must be the file's name, {name!r}")
    table["name"] = name
    agent = builder.table(Agent, table, given={"persona": file.body})
    if agent is not None:
        agent = _with_default_lines(agent)
        for line, problem in _template_problems(agent):
            builder.faults.append(Fault(where, file.body_line + line - 1, "", problem))
    return agent, builder


def _cut(text: str, builder: Builder) -> _File:
    """Front matter and body. A file without a first fence is all persona."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    if not _FENCE.fullmatch(lines[0]):
        return _File("", _bodied("\n".join(lines), builder), 1)
    for index, line in enumerate(lines[1:], 1):
        if _FENCE.fullmatch(line):
            return _File("\n".join(lines[1:index]), _bodied("\n".join(lines[index + 1 :]), builder), index + 2)
    builder.fault((), "the front matter has no end; close it with a line of three hyphens")
    return _File("\n".join(lines[1:]), "", len(lines))


def _bodied(body: str, builder: Builder) -> str:
    if not body.strip():
        builder.fault((), "there is no persona; write it under the front matter")
    if "\0" in body:
        builder.fault((), "the persona must not hold a NUL character")
    return body


def _front_matter(head: str, marks: dict[Keys, int], builder: Builder) -> dict[str, object] | None:
    """The table of the front matter, the lines of its keys put into `marks`; None where it cannot be read."""
    try:
        aliases = [each for each in yaml.parse(head, Loader=yaml.SafeLoader) if isinstance(each, yaml.AliasEvent)]
        node = yaml.compose(head, Loader=yaml.SafeLoader)
        table = yaml.safe_load(head)
    except yaml.MarkedYAMLError as error:
        line = _line(error.problem_mark or error.context_mark)
        builder.faults.append(Fault(builder.where, line, "", f"the front matter is no YAML: {error.problem}"))
        return None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        builder.fault((), f"the front matter is no YAML: {error}")
        return None
    if aliases:  # one line of them can stand for a billion values
        builder.faults.append(Fault(builder.where, _line(aliases[0].start_mark), "", "aliases are not served"))
        return None
    if node is None or table is None:
        return {}
    if not isinstance(table, dict):
        builder.fault((), "the front matter must be a table of keys and values")
        return None
    _mark(node, (), marks, builder)
    return {str(key): value for key, value in table.items()}


def _line(mark: Any) -> int:
    """The line in the file: the front matter begins on its second."""
    return mark.line + 2 if mark is not None else 0


def _mark(node: yaml.Node, keys: Keys, marks: dict[Keys, int], builder: Builder) -> None:
    """Note each key's line in the file, and keys that stand twice."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*keys, str(key.value))
            if here in marks:
                fault = Fault(builder.where, _line(key.start_mark), ".".join(map(str, here)), "stands there twice")
                builder.faults.append(fault)
            marks.setdefault(here, _line(key.start_mark))
            _mark(value, here, marks, builder)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            marks[*keys, index] = _line(item.start_mark)
            _mark(item, (*keys, index), marks, builder)


def _with_default_lines(agent: Agent) -> Agent:
    """The agent with what it says where its file does not: in its own language, else in English."""
    lines = default_lines(agent.language)
    return replace(
        agent,
        first_message=agent.first_message.strip() or lines.first_message,
        apology=agent.apology.strip() or lines.apology,
        unknown=agent.unknown.strip() or lines.unknown,
    )


_ENVIRONMENT = SandboxedEnvironment(autoescape=False, undefined=StrictUndefined)  # prose, see above


@lru_cache(maxsize=256)
def _compiled(text: str) -> Template:
    return _ENVIRONMENT.from_string(text)


def _template_problems(agent: Agent) -> list[tuple[int, str]]:
    """What is wrong with a persona: line within it and problem. It is rendered once, with sample values."""
    try:
        tree = _ENVIRONMENT.parse(agent.persona)
        template = _compiled(agent.persona)
    except TemplateSyntaxError as error:
        return [(error.lineno, f"the persona is no template: {error.message}")]
    except RecursionError:
        return [(1, "the persona is no template: it is nested too deeply")]
    if strange := _strangers(tree):
        return strange
    try:
        template.render(agent=agent, today=_SAMPLE_DAY.isoformat())
    except _RENDERING as error:
        return [(_template_line(error), f"the persona cannot be rendered: {error}")]
    return []


def _strangers(tree: nodes.Template) -> list[tuple[int, str]]:
    """Variables and fields that do not exist, in branches too that are not rendered today."""
    first = {each.name: each.lineno for each in reversed(list(tree.find_all(nodes.Name)))}
    variables = [
        (first[name], f"there is no variable {name!r} in a persona; known: agent, today")
        for name in meta.find_undeclared_variables(tree) - {"agent", "today"}
    ]
    known = [each.name for each in fields(Agent)]
    return variables + [
        (each.lineno, f"there is no agent.{each.attr}; {meant(each.attr, known)}")
        for each in tree.find_all(nodes.Getattr)
        if isinstance(each.node, nodes.Name) and each.node.name == "agent" and each.attr not in known
    ]


def _template_line(error: BaseException) -> int:
    """Jinja2 rewrites the traceback so that its frames of a template have the template's lines."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
    return (lines[-1] if lines else None) or 1
