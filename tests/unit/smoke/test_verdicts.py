"""What was seen and the cause that it is: a table. Silence sounds the same whatever the cause; the records do not."""

from dataclasses import replace

import pytest

from gateway.errors import (
    GatewayError,
    KeyNotTaken,
    NoConnection,
    NoStart,
    SessionDropped,
    SessionRefused,
    SimliAuthFailed,
    SimliRejected,
)
from gateway.smoke import verdicts
from gateway.smoke.causes import CAUSES
from gateway.smoke.evidence import Call, Exchange, Interruption, Left, Seen
from gateway.smoke.gateway import kinds
from gateway.smoke.script import Question
from gateway.types.smoke import Moments

FLOWS = Seen(pictures=300, moved=40, sounds=500, heard=True, watched_s=12.0)
ASKED = Exchange(0, Question("How long does it take?", ("fifty minutes",)), seen=FLOWS, itself="how long does it take")
ANSWERED = replace(ASKED, moments=Moments(first_sound=3.0, end=6.0), heard="It takes fifty minutes.")
DONE = Call("req_1", 2.0, session="ses_1", characters=80, upstream="ended")
REFUSED = Call("req_2", 2.0, status=401, outcome="refused", code="invalid_api_key")


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        ({}, "llm_not_called"),
        ({"deaf": "nothing here recognises speech"}, "deaf"),
        ({"calls": (DONE,)}, "voice_silent"),
        ({"calls": (REFUSED, DONE)}, "voice_silent"),
        ({"calls": (REFUSED,)}, "llm_key_refused"),
        ({"calls": (replace(REFUSED, status=404, code="not_found"),)}, "llm_key_refused"),
        ({"calls": (replace(REFUSED, status=429, code="rate_limit_exceeded"),)}, "gateway_refused"),
        ({"calls": (replace(DONE, outcome="upstream_error", code="upstream_timeout"),)}, "model_failed"),
        ({"calls": (replace(DONE, characters=0),)}, "model_silent"),
        ({"calls": (replace(DONE, characters=0, outcome="client_gone"),)}, "model_late"),
        ({"seen": Seen(watched_s=12.0)}, "no_media"),
        ({"seen": replace(FLOWS, pictures=0, moved=0)}, "no_picture"),
        ({"seen": replace(FLOWS, sounds=0)}, "no_sound_track"),
        ({"seen": replace(FLOWS, moved=0)}, "still_picture"),
        ({"itself": "", "itself_otherwise": "48000 Hz, 2 channels"}, "question_format"),
        ({"itself": ""}, "question_unintelligible"),
    ],
)
def test_a_question_that_nobody_answers_has_one_cause(seen: dict[str, object], code: str) -> None:
    """Nothing is heard, and what came of the picture, of the sound and at the gateway says why: one cause, no more."""
    [finding] = verdicts.of_exchange(replace(ASKED, **seen))  # type: ignore[arg-type]
    assert (finding.code, finding.turn) == (code, None if "seen" in seen else 0)
    assert finding.remedy.endswith(".") and finding.says.endswith(".")


@pytest.mark.parametrize(
    ("seen", "codes"),
    [
        ({"calls": (DONE,)}, []),
        ({}, ["llm_ignored"]),
        ({"heard": ""}, ["llm_not_called"]),
        ({"calls": (DONE,), "rate": 3.0}, ["wrong_rate"]),
        ({"calls": (replace(DONE, outcome="incomplete_spoken", code="upstream_timeout"),)}, ["model_failed"]),
        ({"calls": (REFUSED,)}, ["llm_key_refused"]),
    ],
)
def test_an_answer_that_is_heard_may_be_another_ones(seen: dict[str, object], codes: list[str]) -> None:
    """Something is heard: by whom it was said, and at which rate, is told by the gateway's record and our ears."""
    assert [one.code for one in verdicts.of_exchange(replace(ANSWERED, **seen))] == codes  # type: ignore[arg-type]


def test_simlis_own_words_are_quoted_and_change_no_verdict() -> None:
    """What a sandbox says of a silent turn stands behind what was seen, and the cause is the same without it."""
    [told] = verdicts.of_exchange(replace(ASKED, words="the voice provider refused its key", calls=(DONE,)))
    [untold] = verdicts.of_exchange(replace(ASKED, calls=(DONE,)))
    assert told.code == untold.code and told.says == f"{untold.says} Simli says: the voice provider refused its key"


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (SimliAuthFailed("Simli did not start it: 401 Origin not allowed."), "origin_refused", 77),
        (SimliAuthFailed("Simli did not start it: 401 Invalid session token."), "token_refused", 77),
        (SimliAuthFailed("Simli did not start it: 401 Invalid or expired session token."), "token_refused", 77),
        (SimliAuthFailed("Simli did not start it: 401 The session token has expired."), "token_expired", 77),
        (SimliAuthFailed("It refuses the token, or the origin (401: Bad session token)."), "token_refused", 77),
        (SimliAuthFailed("It refuses the token, or the origin (401: Origin not allowed)."), "origin_refused", 77),
        (SimliAuthFailed("It refuses the token, or the origin (401: token expired)."), "token_expired", 77),
        (SimliAuthFailed("Simli did not list the agents: it refuses the API key."), "simli_auth_failed", 77),
        (SessionRefused("Simli refused the session: INVALID_SESSION_TOKEN."), "token_refused", 77),
        (SessionRefused("Simli refused the session: EXPIRED_SESSION_TOKEN."), "token_expired", 77),
        (SimliRejected("It refuses what was sent.", simli_code="INVALID_FACE_ID"), "face_unknown", 65),
        (SimliRejected("It refuses what was sent: language."), "simli_rejected", 65),
        (NoConnection("No packet gets through."), "no_connection", 69),
        (NoStart("START did not come."), "no_start", 69),
        (SessionDropped("The line broke."), "session_dropped", 75),
        (KeyNotTaken("The gateway refuses the key."), "key_not_taken", 69),
    ],
)
def test_an_error_is_a_cause_with_a_status(error: GatewayError, code: str, status: int) -> None:
    """What stopped a run has one code and one exit status; Simli's own words tell its refusals apart."""
    finding = verdicts.of_error(error)
    assert (finding.code, verdicts.status([finding])) == (code, status)
    assert error.message in finding.says


def test_every_error_that_can_stop_a_run_has_a_remedy() -> None:
    """Each kind of Simli's, of the peer's and of the run's own errors stands in the table of causes."""
    roots = {"SimliError", "PeerError", "SmokeError"}
    codes = {
        kind.code: kind
        for kind in kinds()
        if roots & {one.__name__ for one in kind.__mro__} and kind.__name__ not in roots
    }
    assert codes.keys() <= CAUSES.keys()


@pytest.mark.parametrize(
    ("silent", "call", "codes"),
    [
        (10.2, replace(DONE, outcome="client_gone", upstream="cancelled"), []),
        (10.2, replace(DONE, outcome="client_gone", upstream="ended"), []),
        (10.31, replace(DONE, outcome="client_gone", upstream="cancelled"), ["not_hushed"]),
        (10.1, DONE, ["not_interrupted"]),
        (10.1, replace(DONE, upstream=""), ["upstream_ran_on"]),
        (10.1, None, ["upstream_ran_on"]),
        (12.0, None, ["not_hushed", "upstream_ran_on"]),
        (None, DONE, ["not_interrupted"]),
    ],
)
def test_an_interruption_holds_where_it_is_silent_in_time_and_the_model_was_hung_up_on(
    silent: float | None, call: Call | None, codes: list[str]
) -> None:
    """The avatar's last sound comes within 300 ms, and the gateway recorded that its caller was gone."""
    one = replace(ANSWERED, interruption=Interruption(10.0, silent, call))
    assert [finding.code for finding in verdicts.of_interruption(one)] == codes


def test_milliseconds_of_a_busy_machine_are_its_own() -> None:
    """Where more programs want to run than there are cores, a late silence is no fault of Simli's, and no pass."""
    call = replace(DONE, outcome="client_gone", upstream="cancelled")
    for crowded, code in ((0.9, "not_hushed"), (2.4, "machine_busy")):
        one = replace(ANSWERED, interruption=Interruption(10.0, 10.41, call, crowded))
        [finding] = verdicts.of_interruption(one)
        assert finding.code == code and "410 ms" in finding.says


def test_words_are_judged_by_the_worst_first() -> None:
    """A question that was misheard explains a wrong answer; one that cannot be understood explains a missing fact."""
    assert [one.code for one in verdicts.of_words(ANSWERED, 0.8, 0.9, ["fifty minutes"])] == ["misheard"]
    assert [one.code for one in verdicts.of_words(ANSWERED, 0.0, 0.9, ["fifty minutes"])] == ["unintelligible"]
    assert [one.code for one in verdicts.of_words(ANSWERED, None, None, ["fifty minutes"])] == ["fact_missing"]
    assert not list(verdicts.of_words(ANSWERED, 0.5, 0.6, []))


def test_what_is_left_running_is_a_finding() -> None:
    """None, or nobody who could say it, is none; one session is, by its place."""
    assert verdicts.of_end(Left(0, "there")) is verdicts.of_end(Left(None, "there")) is None
    finding = verdicts.of_end(Left(1, "http://127.0.0.1:8765"))
    assert finding and finding.code == "left_running" and "1 session runs still at http" in finding.says


def test_a_run_with_no_finding_ends_with_0() -> None:
    """And one with several with the status of the first, which is the likeliest cause."""
    assert verdicts.status([]) == 0
    found = [verdicts.of_error(SimliAuthFailed("key")), verdicts.of_error(NoStart("late"))]
    assert verdicts.status(found) == 77 and verdicts.status(found[::-1]) == 69
