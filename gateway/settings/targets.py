"""The targets of a route as somebody wrote them: checked, with their keys read. Pure."""

import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from gateway.settings.build import Builder
from gateway.settings.values import Route, Target

SLOWEST = 0.1
"""Words a second of the embedded answerer."""


def keyed(name: str, route: Route, environ: Mapping[str, str], builder: Builder) -> Route:
    """The route with its targets checked, their URLs without a last slash and their keys read."""
    at: tuple[str | int, ...] = ("routes", name, "targets")
    if not route.targets:
        builder.fault(at, f"has no target; add [[routes.{name}.targets]] with a url and a model")
    targets = []
    for index, target in enumerate(route.targets):
        here = (*at, index)
        if bool(target.url) == bool(target.embedded):
            builder.fault(here, "needs exactly one of url and embedded")
        if target.url and (problem := url_problem(target.url)):
            builder.fault((*here, "url"), problem)
        if problem := _pace_problem(target):
            builder.fault((*here, "pace"), problem)
        if 0 < route.first_token < target.first_token:
            problem = f"must not be less than a target's first_token ({target.first_token:g}); 0: twice the longest"
            builder.fault(("routes", name, "first_token"), problem)
        if target.first_token > target.total:
            builder.fault((*here, "total"), f"must not be less than first_token ({target.first_token:g})")
        key, problem = key_of(target.key_env, environ) if target.key_env else ("", "")
        if problem:
            builder.fault((*here, "key_env"), problem)
        targets.append(replace(target, url=target.url.rstrip("/"), key=key))
    if targets and route.strategy == "weighted" and not any(target.weight for target in targets):
        builder.fault(at, "have no weight at all: with the strategy weighted, one must have more than 0")
    return replace(route, targets=tuple(targets))


def _pace_problem(target: Target) -> str:
    """Why the target cannot have this pace; empty where it can."""
    if target.pace and target.embedded != "extractive":
        return 'is for embedded = "extractive": any other target has a pace of its own'
    return f"must be {SLOWEST:g} at least, or 0: as fast as it is" if 0 < target.pace < SLOWEST else ""


def key_of(variable: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """A key and what is wrong with it; the problem never shows the key."""
    key = environ.get(variable, "").strip()
    if not key:
        return "", f"the environment variable {variable} is not set"
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        return "", f"{variable} must be a key of printable ASCII characters without blanks"
    return key, ""


def url_problem(url: str) -> str:
    """Why `/chat/completions` cannot be put behind this URL; empty where it can."""
    shape = "must be a URL such as https://api.openai.com/v1"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return shape
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or re.search(r"[^\x21-\x7e]", url):
        return shape
    if parts.username is not None or parts.password is not None:
        return "must not hold a name or password: a key goes into an environment variable"
    if parts.query or parts.fragment:
        return "must end with its path: /chat/completions is put behind it"
    if parts.path.rstrip("/").endswith("/chat/completions"):
        return "must be the base: leave /chat/completions off, it is put behind it"
    return ""
