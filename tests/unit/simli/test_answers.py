"""Simli's answers, of the shapes that were seen."""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import SimliError, SimliProtocolError
from gateway.errors.redaction import redacted
from gateway.simli import answers
from gateway.simli.refusals import Answer, refusal, retry_after
from gateway.types.simli import Face, IceServer, PastSession, SimliToken, Spoken, Started

TOKEN = "gAAAAABm" + "x" * 200 + "=="


def answer(body: Any, status: int = 200) -> Answer:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Answer(status, {}, content, "do it", redacted)


@pytest.mark.parametrize("name", ["session_token", "token", "sessionToken"])
def test_a_token_has_three_names(name: str) -> None:
    """Clients in the wild read each of them; its warnings come along, and its text is in no repr."""
    found = answers.token(answer({name: TOKEN, "warnings": ["low balance"]}))
    assert found == SimliToken(TOKEN, ("low balance",))
    assert TOKEN not in repr(found)


def test_a_long_token_may_hold_any_word_by_chance() -> None:
    """Base64 spells "fail" at times; only a short text is taken for a refusal by its words."""
    lucky = "gAAAAABm" + "fail" + "x" * 200
    assert answers.token(answer({"session_token": lucky})).text == lucky


def test_a_room_has_two_spellings() -> None:
    """`roomUrl` and `sessionId` as clients read them; snake case too; the id may be missing."""
    assert answers.started(answer({"roomUrl": "https://x.daily.co/r", "sessionId": "s"})) == Started(
        "s", "https://x.daily.co/r"
    )
    assert answers.started(answer({"room_url": "http://127.0.0.1:8765/r"})).id == ""
    for room in ("javascript:alert(1)", "", None, ["https://x"]):
        with pytest.raises(SimliProtocolError, match="there is no room in its answer"):
            answers.started(answer({"roomUrl": room}))


@pytest.mark.parametrize(
    "body",
    [
        [{"role": "assistant", "content": "Hi."}, {"role": "user", "content": "Yes?"}],
        {"transcript": [{"role": "bot", "text": "Hi."}, {"role": "human", "text": "Yes?"}]},
        {"data": {"messages": [{"speaker": "Chatbot", "message": "Hi."}, {"speaker": "User", "message": "Yes?"}]}},
        [
            {"role": "system", "content": "x"},
            {"role": "assistant", "content": [{"type": "text", "text": "Hi."}]},
            {"role": "user", "content": "Yes?"},
            {"role": "user", "content": None},
            7,
        ],
        {"transcript": "Chatbot: Hi.\nUser: Yes?\n"},
        "assistant: Hi.\nuser: Yes?",
    ],
)
def test_a_transcript_of_any_shape_is_read(body: Any) -> None:
    """Its shape is documented nowhere."""
    assert answers.transcript(answer(body)) == (Spoken("assistant", "Hi."), Spoken("user", "Yes?"))


def test_a_transcript_knows_its_times() -> None:
    """Seconds, milliseconds or ISO 8601; what is no time is none."""
    stamps = [1.5e9, 1.5e12, "2017-07-14T02:40:00Z", "2017-07-14T02:40:00", "yesterday", None]
    lines = answers.transcript(answer([{"role": "user", "text": "x", "timestamp": stamp} for stamp in stamps]))
    assert lines is not None
    assert [line.at for line in lines] == [1.5e9] * 4 + [None] * 2


def test_no_transcript_is_pending_and_an_empty_one_is_empty() -> None:
    """`null` is not yet; an empty list is a conversation in which nobody spoke; other JSON is an error."""
    assert answers.transcript(answer(b"null")) is None
    assert answers.transcript(answer(b"")) is None
    assert answers.transcript(answer([])) == ()
    with pytest.raises(SimliProtocolError):
        answers.transcript(answer({"what": 1}))


def test_ice_servers_are_read_in_both_forms() -> None:
    """`urls` as a text or a list; a credential is in no repr."""
    found = answers.ice(
        answer([{"urls": "stun:a"}, {"urls": ["turn:b", "turns:b"], "username": "u", "credential": "secret"}])
    )
    assert found == [IceServer(("stun:a",)), IceServer(("turn:b", "turns:b"), "u", "secret")]
    assert "secret" not in repr(found)
    for body in ([{"url": "stun:a"}], [7], [{"urls": [7]}]):
        with pytest.raises(SimliProtocolError, match="no address"):
            answers.ice(answer(body))


def test_history_is_read() -> None:
    """With Simli's own times; `null` is an empty one."""
    past = {"id": "s", "face_id": "f", "kind": "auto", "sessionTotalTime": 12, "startTime": "a", "endTime": None}
    assert answers.history(answer({"sessions": [past]})) == [PastSession("s", "f", "auto", 12.0, "a", "")]
    assert answers.history(answer({"sessions": None})) == []


@pytest.mark.parametrize(
    ("body", "face"),
    [
        ({"message": "in the queue", "character_uid": "f", "warnings": ["blurred"]},
         Face("f", "processing", "in the queue", ("blurred",))),
        ({"status": "processing"}, Face("asked", "processing", "processing")),
        ({"status": "completed", "face_id": "f"}, Face("f", "ready", "completed")),
        ({"status": "ready"}, Face("asked", "ready", "ready")),
        ({"status": "success"}, Face("asked", "ready", "success")),
        ({"status": "failed"}, Face("asked", "failed", "failed")),
        ({"error": "two faces", "face_id": "f"}, Face("f", "failed", "two faces")),
    ],
)  # fmt: skip
def test_a_face_has_three_states(body: Any, face: Face) -> None:
    """Whatever Simli calls them; its own word is kept."""
    assert answers.face(answer(body), "asked") == face


def test_video_addresses_are_https_unless_simli_is_not() -> None:
    """The older API answers http, which a page on https cannot load."""
    body = {"mp4_url": "http://api.simli.ai/mp4/a.mp4", "hls_url": "https://api.simli.ai/hls/a.m3u8"}
    found = answers.videos(answer(body), plain=False)
    assert (found.mp4, found.hls) == ("https://api.simli.ai/mp4/a.mp4", "https://api.simli.ai/hls/a.m3u8")
    assert answers.videos(answer(body), plain=True).mp4 == body["mp4_url"]


def test_an_agent_that_speaks_of_overload_is_no_refusal() -> None:
    """Words in the fields of what was asked for are not Simli's own."""
    agent = {"id": "a", "name": "server overloaded", "prompt": "Say: server overloaded, try again later."}
    assert refusal(answer(agent)) is None
    assert refusal(answer([agent])) is None
    assert answers.agent(answer(agent)).name == "server overloaded"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("-1", 0.0),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("99999", 3600.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str, seconds: float | None) -> None:
    """Anything else says nothing."""
    assert retry_after({"retry-after": header}) == seconds


def test_an_error_says_one_line_of_bounded_length() -> None:
    """Control characters, line breaks and novels of Simli's do not get into a log or a terminal."""
    novel = {"detail": "first\nline\x1b[31m" + "very long " * 100}
    error = refusal(answer(novel, 400))
    assert isinstance(error, SimliError)
    assert error.message.isprintable() and len(error.message) < 300
    assert error.message.startswith("Simli did not do it: it refuses what was sent (400: first line [31mvery long")
    nested = refusal(answer({"error": {"message": "no", "code": "BAD_FACE"}}, 400))
    assert nested is not None and (nested.simli_code, nested.simli_status) == ("BAD_FACE", 400)


WORDS = (
    "id session_token roomUrl sessionId urls sessions currentUsage status error detail message code transcript role "
    "content timestamp mp4_url hls_url face_id warnings loc"
)
NAMES = st.sampled_from(WORDS.split())
PLAIN = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=30)
BODIES = st.recursive(
    PLAIN | st.sampled_from(["user", "answer", "https://x.example.org/r", TOKEN, "server overloaded"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
).map(orjson.dumps) | st.binary(max_size=60)
READERS: tuple[Callable[[Answer], Any], ...] = (
    answers.agent,
    answers.agents,
    answers.token,
    answers.started,
    answers.transcript,
    answers.ice,
    answers.answered,
    answers.history,
    answers.usage,
    answers.pong,
    answers.face,
    answers.faces,
    partial(answers.videos, plain=False),
)


@given(BODIES, st.sampled_from([200, 201, 204, 301, 400, 401, 402, 404, 422, 429, 500, 503]))
@settings(max_examples=200, deadline=None)
def test_no_answer_breaks_its_reader(body: bytes, status: int) -> None:
    """Whatever comes is a value or one of Simli's errors, with a line that can be shown."""
    came = answer(body, status)
    error = refusal(came)
    assert (error is not None) or status < 300
    assert error is None or error.message.isprintable()
    for read in READERS:
        with contextlib.suppress(SimliError):
            read(came)
