"""What must never be shown: keys and secrets, by their values and by their form, in a log line or an error message."""

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import orjson

from gateway.errors.root import GatewayError

Redact: TypeAlias = Callable[[str], str]
"""The text without what must not be shown."""

SHOWN = "[redacted]"
SHORTEST = 6
"""Characters: a shorter value would black out words that have nothing to do with it."""
_FORMS = re.compile(
    r"\b(?:sk|gw)[-_][A-Za-z0-9_-]{8,}"
    r"|\bBearer(?:\s|\\[nrt])+[A-Za-z0-9._~+/=-]{16,}"
    r"|(?<=/k/)[A-Za-z0-9_.-]{16,}"
    r"|(?<=session_token=)[^\s&\"']{8,}|\bgAAAA[A-Za-z0-9_=-]{20,}"
    r"|(?<=[aA][pP][iI]Key\": \")[^\"]+|(?<=[aA][pP][iI]Key\":\")[^\"]+|(?<=[aA][pP][iI]Key': ')[^']+"
    r"|(?<=[aA][pP][iI]Key\\\": \\\")[^\"\\]+|(?<=[aA][pP][iI]Key\\\":\\\")[^\"\\]+"
    r"|(?<=api-key: )\S{12,}|(?<=api-key': ')[^']+|(?<=session-token: )\S{12,}|(?<=session-token': ')[^']+"
    r"|(?<=://)[^\s/@:\"']*:[^\s/@\"']+(?=@)"
)
"""A provider's key, one of ours, a header's, a capability in a path, a token or key of Simli's, a password in a URL;
also as JSON quotes them."""
_MARKS = (
    "sk-",
    "sk_",
    "gw-",
    "gw_",
    "Bearer",
    "/k/",
    "@",
    "session_token",
    "gAAAA",
    "APIKey",
    "apiKey",
    "api-key",
    "session-token",
)
"""One of them stands in every text that has one of the forms: most log lines have none, and cost a few searches."""


def redacting(secrets: Iterable[str]) -> Redact:
    """A function that blacks out these values, as they are or escaped in JSON or by Python, and whatever has a key's
    form."""
    known = {value for value in secrets if len(value) >= SHORTEST}
    known |= {escaped for value in known for escaped in (orjson.dumps(value).decode()[1:-1], repr(value)[1:-1])}
    values = sorted(known, key=len, reverse=True)  # a value that holds another one goes first

    def redact(text: str) -> str:
        for value in values:
            if value in text:
                text = text.replace(value, SHOWN)
        return redacted(text)

    return redact


def enveloped(error: GatewayError, redact: Redact) -> dict[str, Any]:
    """The error's envelope, fit to be shown: it may quote what an upstream said, or what a caller sent."""
    envelope = error.envelope
    fields = envelope["error"]
    for name in ("message", "param", "code"):
        if fields[name]:
            fields[name] = redact(fields[name])
    if "x_gateway" in envelope:
        envelope["x_gateway"] = _deep(envelope["x_gateway"], redact)
    return envelope


def _deep(value: Any, redact: Redact) -> Any:
    """Every text in it, however deep, fit to be shown."""
    if isinstance(value, dict):
        return {name: _deep(inner, redact) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_deep(inner, redact) for inner in value]
    return redact(value) if isinstance(value, str) else value


def redacted(text: str) -> str:
    """The text without whatever has a key's form."""
    for mark in _MARKS:  # a loop: `any` would make a generator for every line of the log
        if mark in text:
            return _FORMS.sub(SHOWN, text)
    return text
