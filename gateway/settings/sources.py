"""`read`: from a TOML text and the environment to `Settings`. Pure: the caller reads the file.

The environment wins over the file. All faults of both are found at once.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from gateway.errors import ConfigurationError, Fault
from gateway.settings import secrets
from gateway.settings.build import (
    NAME,
    NAME_SAYS,
    ORIGIN,
    ORIGIN_SAYS,
    VARIABLE,
    VARIABLE_SAYS,
    Builder,
    Rule,
    meant,
)
from gateway.settings.lines import marked, nearest
from gateway.settings.targets import key_of, keyed, url_problem
from gateway.settings.values import (
    Admin,
    Breaker,
    Cors,
    Knowledge,
    Limits,
    Log,
    Route,
    Server,
    Settings,
    Simli,
    Store,
    Target,
)

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_MODEL = "gpt-4o-mini"
"""What Simli itself asks for where nobody chose a model."""
EMBEDDED = ("extractive", "llm")
"""What this package brings; also the names of the routes to them, which a file cannot take."""
LLM_FIRST_TOKEN = 20.0
"""Seconds: a cold model on a small machine reads a prompt at that pace."""
NETWORK = r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?"
NETWORK_SAYS = "an address or a network such as 10.0.0.0/8"
_SECONDS = Rule(above=0, most=3600)
RULES = {
    (Server, "host"): Rule(pattern=r"\S{1,255}", says="an address or a host's name"),
    (Server, "port"): Rule(least=0, most=65535),
    (Server, "write_timeout"): _SECONDS,
    (Server, "drain_notice"): Rule(least=0, most=600),
    (Server, "drain_timeout"): Rule(least=0, most=3600),
    (Server, "workers"): Rule(least=1, most=64),
    (Server, "trusted_proxies"): Rule(pattern=NETWORK, says=NETWORK_SAYS),
    (Limits, "body_bytes"): Rule(least=1024, most=2**30),
    (Limits, "body_timeout"): _SECONDS,
    (Limits, "header_bytes"): Rule(least=1024, most=2**20),
    (Limits, "header_timeout"): _SECONDS,
    (Limits, "turns"): Rule(least=1, most=1_000_000),
    (Limits, "lag"): Rule(above=0, most=60),
    (Limits, "wrong_keys"): Rule(least=1, most=1_000_000),
    (Limits, "messages"): Rule(least=1, most=1_000_000),
    (Limits, "history_characters"): Rule(least=100, most=100_000_000),
    (Cors, "origins"): Rule(pattern=ORIGIN, says=ORIGIN_SAYS),
    (Knowledge, "directory"): Rule(pattern=r".+", says="a path"),
    (Knowledge, "passage_characters"): Rule(least=100, most=20_000),
    (Knowledge, "threads"): Rule(least=1, most=64),
    (Knowledge, "waiting"): Rule(least=0, most=10_000),
    (Target, "key_env"): Rule(pattern=f"({VARIABLE})?", says=VARIABLE_SAYS),
    (Target, "key"): Rule(
        withheld="a key does not belong in a file: put it into an environment variable, named by key_env"
    ),
    (Target, "embedded"): Rule(choices=("", *EMBEDDED)),
    (Target, "connect"): _SECONDS,
    (Target, "first_token"): _SECONDS,
    (Target, "between_chunks"): _SECONDS,
    (Target, "total"): _SECONDS,
    (Target, "retries"): Rule(least=0, most=5),
    (Target, "weight"): Rule(least=0, most=1_000_000),
    (Target, "pace"): Rule(least=0, most=1000),
    (Route, "first_token"): Rule(least=0, most=3600),
    (Route, "hedge_after"): Rule(least=0, most=60),
    (Route, "hedge_share"): Rule(least=0, most=1),
    (Breaker, "failures"): Rule(least=1, most=1000),
    (Breaker, "open_for"): _SECONDS,
    (Breaker, "longest"): _SECONDS,
    (Admin, "listen"): Rule(pattern=r"|(\[[0-9A-Fa-f:.]+\]|[^\s:]+):[0-9]{1,5}", says="HOST:PORT, or empty"),
    (Store, "timeout"): Rule(above=0, most=10),
    (Store, "prefix"): Rule(pattern=r"[A-Za-z0-9_-]{1,64}", says="1 to 64 letters, digits, hyphens and underscores"),
    (Store, "turns"): Rule(least=0, most=100_000),
    (Store, "kept_days"): Rule(least=1, most=3650),
    (Simli, "dialect"): Rule(choices=("auto", "current", "legacy")),
    (Simli, "timeout"): _SECONDS,
    (Simli, "patience"): Rule(least=0, most=600),
    (Simli, "sessions"): Rule(least=0, most=100_000),
    (Simli, "id"): Rule(pattern=r"[a-z0-9]{0,32}", says="letters and digits, 32 at most, or empty"),
    (Log, "format"): Rule(choices=("auto", "json", "text")),
    (Settings, "routes"): Rule(keys=NAME, says=NAME_SAYS),
    (Settings, "prompts"): Rule(pattern=r".+", says="a path"),
    (Settings, "var"): Rule(pattern=r".+", says="a path"),
    (Settings, "redis_url"): Rule(withheld="a store's URL may hold a password: put it into REDIS_URL"),
    (Settings, "chroma_url"): Rule(withheld="a server's URL may hold a password: put it into CHROMA_URL"),
    (Settings, "otlp_endpoint"): Rule(withheld="is set by the environment: OTEL_EXPORTER_OTLP_ENDPOINT"),
    (Settings, "admin_key"): Rule(withheld="a key does not belong in a file: put it into GATEWAY_ADMIN_KEY"),
    (Settings, "secret"): Rule(withheld="a secret does not belong in a file: put it into GATEWAY_SECRET"),
    (Settings, "public_url"): Rule(withheld="is set by the environment: GATEWAY_PUBLIC_URL"),
    (Settings, "tunnel"): Rule(withheld="is an option: gateway serve --tunnel COMMAND"),
    (Settings, "simli_url"): Rule(withheld="is set by the environment: SIMLI_URL"),
    (Settings, "simli_key"): Rule(withheld="a key does not belong in a file: put it into SIMLI_API_KEY"),
    (Settings, "environ"): Rule(withheld="is the environment itself"),
}


class Read(NamedTuple):
    """Settings as far as they could be read, and what is wrong with them."""

    settings: Settings | None
    """With defaults in the place of what is wrong; None where there was nothing to read them from."""
    faults: tuple[Fault, ...] = ()


def load(text: str | None, where: str, environ: Mapping[str, str], *, base: Path, **options: Any) -> Settings:
    """As `read`, but raises ConfigurationError with all the faults."""
    found = read(text, where, environ, base=base, **options)
    if found.settings is None or found.faults:
        raise ConfigurationError(found.faults)
    return found.settings


def read(
    text: str | None,
    where: str,
    environ: Mapping[str, str],
    *,
    base: Path,
    llm: bool = False,
    gguf: Path | None = None,
    tunnel: str | None = None,
    workers: int | None = None,
) -> Read:
    """The settings of `text` (None: there is no file) and `environ`; with `llm` or `gguf`, the local model's route too.

    With `tunnel`, the command of one, others than this machine can call. `workers` goes before what the file says.
    Relative paths, written or default, start at `base`: the file's folder, or the working directory where
    there is no file. GATEWAY_VAR starts at the working directory, as any path of the environment does.
    """
    try:
        table, marks = _parsed(text or "", where)
    except ConfigurationError as error:
        return Read(None, error.faults)
    builder = Builder(where, lambda keys: nearest(marks, keys), RULES, base)
    written = builder.table(Settings, table) or Settings()
    settings = _environment(_based(written, base, table), environ, builder)
    if workers is not None:
        settings = _worked(settings, workers, builder)
    settings = _routes(secrets.read(settings, environ, builder), environ, builder, local=_local(llm=llm, gguf=gguf))
    settings = secrets.guarded(replace(settings, tunnel=tunnel or ""), table, builder)
    return Read(settings, tuple(builder.faults))


def _parsed(text: str, where: str) -> tuple[Mapping[str, object], dict[tuple[str | int, ...], int]]:
    try:
        return tomllib.loads(text), marked(text)
    except RecursionError:
        raise ConfigurationError([Fault(where, 0, "", "is nested too deeply")]) from None
    except ValueError as error:  # TOMLDecodeError, and int()'s limit on digits
        place = re.search(r"\(at line (\d+)", str(error))
        line = int(place[1]) if place else 0
        raise ConfigurationError([Fault(where, line, "", f"is no TOML: {error}")]) from error


def _based(settings: Settings, base: Path, table: Mapping[str, object]) -> Settings:
    """The paths that the file does not mention, relative to `base` too."""
    knowledge = table.get("knowledge")
    if not isinstance(knowledge, Mapping) or "directory" not in knowledge:
        directory = base / settings.knowledge.directory
        settings = replace(settings, knowledge=replace(settings.knowledge, directory=directory))
    if "prompts" not in table:
        settings = replace(settings, prompts=base / settings.prompts)
    return settings if "var" in table else replace(settings, var=base / settings.var)


def _environment(settings: Settings, environ: Mapping[str, str], builder: Builder) -> Settings:
    """HOST, PORT and GATEWAY_VAR over the file. An empty variable is an unset one."""
    server = settings.server
    if host := environ.get("HOST", "").strip():
        if re.search(r"\s", host) or len(host) > 255:
            builder.faults.append(Fault("HOST", 0, "", f"must be an address or a host's name, not {host[:80]!r}"))
        server = replace(server, host=host)
    if port := environ.get("PORT", "").strip():
        if re.fullmatch(r"[0-9]{1,5}", port) and int(port) <= 65535:
            server = replace(server, port=int(port))
        else:
            builder.faults.append(Fault("PORT", 0, "", f"must be a number from 0 to 65535, not {port[:80]!r}"))
    if var := environ.get("GATEWAY_VAR", ""):
        if "\0" in var:
            builder.faults.append(Fault("GATEWAY_VAR", 0, "", "must not hold a NUL character"))
        settings = replace(settings, var=Path(var))
    return replace(settings, server=server)


def _worked(settings: Settings, workers: int, builder: Builder) -> Settings:
    """`--workers` over the file, within the same bounds."""
    rule = RULES[Server, "workers"]
    if not rule.least <= workers <= rule.most:
        problem = f"must be a number from {rule.least:g} to {rule.most:g}, not {workers}"
        builder.faults.append(Fault("--workers", 0, "", problem))
        return settings
    return replace(settings, server=replace(settings.server, workers=workers))


def _routes(settings: Settings, environ: Mapping[str, str], builder: Builder, *, local: Target | None) -> Settings:
    """The file's routes with their keys, those that need no file, and which is the default."""
    for name in EMBEDDED:
        if name in settings.routes:
            problem = f"is the name of a route that this package brings; take another one, with embedded = {name!r}"
            builder.fault(("routes", name), problem)
    routes = {name: keyed(name, route, environ, builder) for name, route in settings.routes.items()}
    openai = _openai(environ, builder)
    if openai is not None:
        routes.setdefault("openai", openai)
    routes["extractive"] = Route((Target(embedded="extractive"),))
    if local is not None:
        routes["llm"] = Route((local,))
    default = settings.default_route
    if not default:
        default = "llm" if local is not None else "openai" if openai is not None else "extractive"
    elif default not in routes:
        hint = "it exists with --llm or --gguf only; " if default == "llm" else ""
        builder.fault(("default_route",), f"no route {default[:80]!r}; {hint}{meant(default, routes)}")
    return replace(settings, routes=routes, default_route=default)


def _local(*, llm: bool, gguf: Path | None) -> Target | None:
    """The local model's target; its model is a file's path, or empty for the packaged one."""
    if gguf is None and not llm:
        return None
    return Target(embedded="llm", model=str(gguf or ""), first_token=LLM_FIRST_TOKEN)


def _openai(environ: Mapping[str, str], builder: Builder) -> Route | None:
    """The route that OPENAI_API_KEY alone defines. OPENAI_BASE_URL alone defines none, but must be right."""
    url = environ.get("OPENAI_BASE_URL", "").strip() or OPENAI_URL
    if problem := url_problem(url):
        builder.faults.append(Fault("OPENAI_BASE_URL", 0, "", problem))
    if not environ.get("OPENAI_API_KEY", "").strip():
        return None
    key, problem = key_of("OPENAI_API_KEY", environ)
    if problem:
        builder.faults.append(Fault("OPENAI_API_KEY", 0, "", problem))
    return Route((Target(url=url.rstrip("/"), model=OPENAI_MODEL, key_env="OPENAI_API_KEY", key=key),))
