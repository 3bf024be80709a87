"""Every cause that a run can name: which part has to do something, what, and the exit status that stands for it.

A person hears the same in nearly all of them: nothing. What tells them apart is in `verdicts.py`.
"""

from os import EX_CONFIG, EX_DATAERR, EX_NOPERM, EX_PROTOCOL, EX_TEMPFAIL, EX_UNAVAILABLE
from typing import NamedTuple

from gateway.types.smoke import Finding, Part


class Cause(NamedTuple):
    """One of them."""

    part: Part
    remedy: str
    status: int = EX_UNAVAILABLE
    """sysexits.h's."""


AGAIN = "Run it again; where it stays, Simli's status page and support know more than can be seen from here."
CAUSES: dict[str, Cause] = {
    # What Simli's API refuses, before there is a session.
    "simli_auth_failed": Cause("Simli", "Check SIMLI_API_KEY against the key in Simli's dashboard.", EX_NOPERM),
    "simli_billing": Cause("Simli", "Look at the account's plan and payment in Simli's dashboard.", EX_NOPERM),
    "simli_limited": Cause(
        "Simli", "End sessions that run, or wait a minute: the plan has a limit of sessions and requests.", EX_TEMPFAIL
    ),
    "simli_overloaded": Cause("Simli", "Try again in a few minutes.", EX_TEMPFAIL),
    "simli_unavailable": Cause("Simli", "Check SIMLI_URL and the way there; then try again.", EX_TEMPFAIL),
    "simli_timeout": Cause("Simli", "Try again; what was asked for may have been done.", EX_TEMPFAIL),
    "simli_rejected": Cause("gateway", "Correct in the agent's file what Simli names.", EX_DATAERR),
    "simli_not_found": Cause("Simli", "Run `gateway agents apply`, and check SIMLI_URL.", EX_DATAERR),
    "simli_protocol_error": Cause("Simli", AGAIN, EX_PROTOCOL),
    "token_refused": Cause(
        "Simli",
        "A token is good once it was made and until it was used or has expired: start again; where that does not help, "
        "SIMLI_URL and the place that is joined are not the same Simli.",
        EX_NOPERM,
    ),
    "token_expired": Cause(
        "this machine", "Use a token sooner, or make it for longer; check this machine's clock.", EX_NOPERM
    ),
    "origin_refused": Cause(
        "browser", "Put the page's origin into `origins` of the agent's file, and make the link again.", EX_NOPERM
    ),
    "face_unknown": Cause(
        "gateway",
        "Set `face_id` in the agent's file to one of Simli's faces, or of yours (`gateway faces list`).",
        EX_DATAERR,
    ),
    # What keeps a face from being seen.
    "no_answer": Cause("Simli", AGAIN, EX_TEMPFAIL),
    "no_connection": Cause(
        "network",
        "Let UDP out of this network, or have Simli's list of ICE servers hold a TURN server that is reached by TCP.",
    ),
    "no_start": Cause("Simli", "Its side never began: a new session may; where it stays, ask Simli's support."),
    "no_media": Cause("Simli", "Its side sends nothing: start another session, with another face to compare."),
    "no_picture": Cause("Simli", "Its side sends sound alone: try another face; this one may not be made yet."),
    "still_picture": Cause("Simli", "The face never moved: try another face."),
    "no_sound_track": Cause("Simli", "Its side sends pictures alone: start another session."),
    "session_refused": Cause("Simli", "Its words say why."),
    "session_limited": Cause("Simli", "End sessions that run, or try again later.", EX_TEMPFAIL),
    "session_dropped": Cause(
        "network", "The line broke in the middle: look at this network first, then run it again.", EX_TEMPFAIL
    ),
    "session_ended": Cause("Simli", "Raise `max_idle_time` and `max_session_length` in the agent's file."),
    # Connected, and silent.
    "no_sound": Cause("Simli", "It was sent sound and does not speak it: start another session, with another face."),
    "first_message_missing": Cause(
        "Simli", "Its agent may have another first message, or none: run `gateway agents apply`."
    ),
    "deaf": Cause("Simli", "It cannot hear what is said; its words say why."),
    "llm_not_called": Cause(
        "Simli",
        "It never asked the gateway: run `gateway agents apply`, and see that GATEWAY_PUBLIC_URL is reached from "
        "outside (`gateway check`).",
    ),
    "llm_ignored": Cause(
        "Simli",
        "Something else than the gateway answered: Simli ignored the custom LLM. Start the session by the agent "
        "(--start agent), whose llm_endpoint is heard.",
    ),
    "llm_key_refused": Cause(
        "gateway",
        "Simli presents a key or an address that the gateway does not take: run `gateway agents apply`, start a new "
        "session, and see that GATEWAY_SECRET and the store are the same ones as then.",
        EX_NOPERM,
    ),
    "gateway_refused": Cause("gateway", "The gateway's own log and `GET /admin/turns` say more of the request."),
    "model_failed": Cause("model", "Look at what answers the gateway: `gateway check` asks it.", EX_TEMPFAIL),
    "model_silent": Cause("model", "It was asked and said nothing: `gateway check` asks it, too.", EX_TEMPFAIL),
    "model_late": Cause(
        "model", "It had said nothing in time: take a faster model, or shorten its deadline so that another is asked."
    ),
    "voice_silent": Cause(
        "voice provider",
        "The words were there and nobody spoke them: check the provider's key (`tts_key_env`), its credit, and the "
        "voice's id in the agent's file.",
        EX_NOPERM,
    ),
    "wrong_rate": Cause(
        "voice provider",
        "What is played has another sample rate than it is taken for: signed 16-bit, 16,000 a second, one channel.",
        EX_DATAERR,
    ),
    "unintelligible": Cause("voice provider", "Listen to the film beside the report; try another voice.", EX_DATAERR),
    # What was said, and what became of it.
    "misheard": Cause("Simli", "Its recognition took the question for another: check `language` in the agent's file."),
    "fact_missing": Cause(
        "knowledge",
        "Ask `POST /admin/knowledge/COLLECTION/search` for it; add it, or word it as it is asked.",
        EX_DATAERR,
    ),
    "question_format": Cause(
        "the question", "Say `format`, `rate` and `channels` as they are, or use a file with a header.", EX_DATAERR
    ),
    "question_unintelligible": Cause(
        "the question", "Our own ears do not hear the question in its sound: record it again.", EX_DATAERR
    ),
    "not_hushed": Cause("Simli", "The avatar goes on while a person speaks: its detection of speech is too slow."),
    "machine_busy": Cause("this machine", "Run it again while nothing else keeps this machine busy.", EX_TEMPFAIL),
    "upstream_ran_on": Cause(
        "gateway", "The stream to the model was not closed: a proxy between Simli and the gateway may hide a hang-up."
    ),
    "not_interrupted": Cause("the question", "Nothing was left to interrupt: choose a question with a longer answer."),
    "transcript_missing": Cause("Simli", "Look again later with `gateway sessions transcript ID --wait`.", EX_TEMPFAIL),
    "transcripts_differ": Cause("gateway", "The report shows the three beside one another.", EX_DATAERR),
    "left_running": Cause(
        "Simli", "End them in Simli's dashboard: they are billed until their own limits.", EX_TEMPFAIL
    ),
    "not_joined": Cause("browser", "Install the extra `daily`, or Chromium; then run it again."),
    "not_asked_by_room": Cause("Simli", "Nobody asked the gateway from that room: run `gateway agents apply`."),
    # This machine.
    "deaf_here": Cause("this machine", "Install what is named; `make smoke` does.", EX_CONFIG),
    "admin_refused": Cause("gateway", "Set GATEWAY_ADMIN_KEY to the key that the gateway has.", EX_NOPERM),
    "gateway_gone": Cause("gateway", "Look at its log, gateway.log beside the report where it was started here."),
    "child_failed": Cause("this machine", "Its last lines say why."),
    "run_late": Cause("this machine", "Allow more with --within; a busy machine needs it.", EX_TEMPFAIL),
    "configuration_error": Cause("gateway", "Correct what is named.", EX_CONFIG),
    "invalid_value": Cause("the question", "Correct what is named.", EX_DATAERR),
}
REACH = Cause("network", "`gateway check` looks at the same way; GATEWAY_PUBLIC_URL has to lead to this gateway.")
"""Of every error of `errors/reach.py`: the turn through the public URL that goes before a session."""
UNKNOWN = Cause("this machine", "The message says what is known; the log beside the report may say more.", 1)


def found(code: str, says: str, *, turn: int | None = None, instead: Cause | None = None) -> Finding:
    """A finding of that cause."""
    cause = instead or CAUSES.get(code, UNKNOWN)
    return Finding(code, cause.part, says, cause.remedy, turn)
