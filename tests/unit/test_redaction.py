"""gateway/errors/redaction.py, and the log that goes through it."""

import io
import logging

import pytest

from gateway import observe
from gateway.errors.redaction import redacted, redacting

VALUES = ("upstream-key-1234", 'quo"ted\\key', "upstream-key-1234-longer", "abc")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Incorrect API key provided: sk-proj-abcDEF_123456.", "Incorrect API key provided: [redacted]."),
        ("key gw_abc123def456_0123456789 is", "key [redacted] is"),
        ("Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30", "Authorization: [redacted]"),
        ("Bearer\\neyJhbGciOiJIUzI1NiJ9.e30, as it is quoted", "[redacted], as it is quoted"),
        (
            r'{"m":"{\"llmAPIKey\": \"def\", \"apiKey\":\"abc\"}"}',
            r'{"m":"{\"llmAPIKey\": \"[redacted]\", \"apiKey\":\"[redacted]\"}"}',
        ),
        ("POST /k/iDvWun5TGo_aevIMMG5aBDdPLsF8FJ9B/chat/completions", "POST /k/[redacted]/chat/completions"),
        (
            '{"apiKey":"abc","llmAPIKey": "def", "faceId":"f"}',
            '{"apiKey":"[redacted]","llmAPIKey": "[redacted]", "faceId":"f"}',
        ),
        (
            "{'simliAPIKey': 'abc', 'x-simli-api-key': 'def'}",
            "{'simliAPIKey': '[redacted]', 'x-simli-api-key': '[redacted]'}",
        ),
        ("api-key: abcdefghijkl session-token: mnopqrstuvwx", "api-key: [redacted] session-token: [redacted]"),
        ("header.x-simli-api-key: Field required", "header.x-simli-api-key: Field required"),
        ("GET /session/a-1/gAAAAABmabcdefghijklmnopqrst== HTTP/1.1", "GET /session/a-1/[redacted] HTTP/1.1"),
        ("redis://user:pass@host/0", "redis://[redacted]@host/0"),
        (
            "a task-oriented risk-taker with a desk-lamp-and-chair",
            "a task-oriented risk-taker with a desk-lamp-and-chair",
        ),
        ("ann@example.org asks about /k/short", "ann@example.org asks about /k/short"),
        ("It needs a Bearer token.", "It needs a Bearer token."),
        ("", ""),
    ],
)
def test_what_has_a_keys_form_is_not_shown(text: str, left: str) -> None:
    """Keys of providers and ours, bearer tokens, capabilities, passwords in URLs; and no word besides."""
    assert redacted(text) == left


def test_what_is_known_is_not_shown_in_any_form() -> None:
    """As it is, and as JSON writes it; the longer of two that begin alike as a whole; no value too short to mean it."""
    redact = redacting(VALUES)
    assert redact("it is upstream-key-1234-longer, not abc") == "it is [redacted], not abc"
    assert redact('{"m":"quo\\"ted\\\\key"}') == '{"m":"[redacted]"}'


@pytest.mark.parametrize("form", ["json", "text"])
def test_n55_no_line_of_the_log_shows_a_key(form: str) -> None:
    """Messages, arguments and stacks alike."""
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    observe.configure(form, stream, redact=redacting(VALUES))
    try:
        logging.getLogger("gateway").info("using %s and %s", VALUES[0], "sk-abcdefghijklmnop")
        wrong = ValueError(f"{VALUES[1]}, Bearer abcdefghijklmnopqrst")
        logging.getLogger("gateway").error("failed", exc_info=wrong)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    written = stream.getvalue()
    assert "using [redacted] and [redacted]" in written and "ValueError" in written
    assert not any(value in written for value in (*VALUES[:3], "sk-abc", "abcdefghijklmnopqrst"))


def test_c14_one_message_is_one_line_of_text() -> None:
    """A line break or an escape sequence that a caller wrote cannot fake another line."""
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    observe.configure("text", stream)
    try:
        logging.getLogger("gateway").info("asked for %s", "x\n12:00:00 all is well\r\x1b[31m\x9b\u2028Grüße")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    line = stream.getvalue()
    assert line.count("\n") == 1 and line.endswith("\\x0a12:00:00 all is well\\x0d\\x1b[31m\\x9b\\u2028Grüße\n")
