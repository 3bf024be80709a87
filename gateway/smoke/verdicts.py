"""What was seen, judged: one finding a cause. Pure. What a real Simli would not show either is no evidence here."""

import re
from collections.abc import Iterator, Sequence

from gateway.errors import GatewayError, NotReachable, SimliError
from gateway.smoke.causes import CAUSES, REACH, UNKNOWN, found
from gateway.smoke.evidence import Call, Exchange, Left, Seen
from gateway.types.smoke import Finding

HUSHED_MS = 300.0
"""From the person's first sound to the avatar's last."""
CROWDED = 1.2
"""Programs for a core, from which on milliseconds are the machine's and nobody else's."""
MISHEARD = 0.5
"""Share of a question's words that were misheard: then another question was answered."""
GARBLED = 0.6
"""Share of an answer's words that our ears miss: more is no recogniser's usual error."""
STANDS = 1.5
"""Seconds of a connection without any picture or sound that are enough to say so."""
FAILED = {"upstream_error", "incomplete_spoken", "gateway_error"}
_EXPIRED = re.compile(r"expired", re.IGNORECASE)
_OR_EXPIRED = re.compile(r"\bor expired\b", re.IGNORECASE)
_ORIGIN = re.compile(r"\borigin\b", re.IGNORECASE)
_WORDS = re.compile(r"\([45]\d\d:? (.*?)\)", re.DOTALL)
"""Simli's own in a message of ours, which may name several causes around them."""
_TOKEN = re.compile(r"token", re.IGNORECASE)


def of_error(error: GatewayError) -> Finding:
    """What stopped the run. The words of Simli's refusals tell apart what has one status."""
    message = error.message
    if isinstance(error, NotReachable):
        return found(error.code, message, instead=REACH)
    code = str(error.code)
    if isinstance(error, SimliError) or code == "session_refused":
        code = _of_simli(code, message, getattr(error, "simli_code", ""))
    return found(code, message)


def _of_simli(code: str, message: str, simli_code: str) -> str:
    if "INVALID_FACE_ID" in (simli_code, *message.split()) or "INVALID_FACE_ID" in message:
        return "face_unknown"
    if code not in ("simli_auth_failed", "simli_rejected", "session_refused"):
        return code
    said = _WORDS.search(message)
    words = said[1] if said else message
    if _ORIGIN.search(words):
        return "origin_refused"
    if _EXPIRED.search(words) and not _OR_EXPIRED.search(words):
        return "token_expired"
    return "token_refused" if _TOKEN.search(words) else code


def status(findings: Sequence[Finding]) -> int:
    """The exit status of a run with these."""
    if not findings:
        return 0
    first = findings[0]
    cause = CAUSES.get(first.code)
    return cause.status if cause else REACH.status if first.part == REACH.part else UNKNOWN.status


def of_media(seen: Seen) -> Finding | None:
    """What is wrong with what the face sends, whatever it says."""
    after = f"within {seen.watched_s:.1f} s of the connection"
    if seen.watched_s < STANDS:
        return None
    if not seen.pictures and not seen.sounds:
        return found("no_media", f"The connection stands, and neither picture nor sound came {after}.")
    if not seen.pictures:
        return found("no_picture", f"Sound came, and no picture {after}.")
    if not seen.sounds:
        return found("no_sound_track", f"Pictures came, and no sound {after}, not even silence.")
    if not seen.moved:
        return found("still_picture", f"Pictures came, and none differed from the one before {after}.")
    return None


def of_exchange(one: Exchange) -> Iterator[Finding]:
    """What is wrong with a question and its answer, the likeliest cause first; silence has one cause only."""
    if one.itself is not None and (wrong := of_question(one)):
        yield wrong
    elif not one.answered:
        yield of_silence(one)
    else:
        yield from _of_answer(one)


def of_question(one: Exchange) -> Finding | None:
    """Whether its sound is understood as the question."""
    if one.itself_otherwise:
        says = f"The sound of the question is understood as {one.itself_otherwise}, and not as what it was sent as."
        return found("question_format", says, turn=one.number)
    if one.itself == "":
        says = f"Our own ears hear no words in the sound of {one.question.text!r}."
        return found("question_unintelligible", says, turn=one.number)
    return None


def of_silence(one: Exchange) -> Finding:
    """Why a question was asked and nothing was heard."""
    if media := of_media(one.seen):
        return media
    waited = f"within {one.wait:g} s"
    done = [call for call in one.calls if not call.refused]
    refused = [call for call in one.calls if call.refused]
    if done:
        return _after_call(one, done[-1], waited)
    if refused:
        return _of_refusal(one, refused[-1])
    if one.deaf:
        return _turn(one, "deaf", f"The question was spoken, and the avatar does not hear: {one.deaf}.")
    if not one.spoken:
        return _turn(one, "gateway_gone", "The question was sent, and the gateway has no record of it.")
    return _turn(one, "llm_not_called", f"The question was spoken, and {waited} of its end nobody asked the gateway.")


def _of_refusal(one: Exchange, call: Call) -> Finding:
    if call.of_key:
        says = f"The gateway was asked with a key, or at an address, that it refuses ({call.status} {call.code})."
        return _turn(one, "llm_key_refused", says)
    return _turn(one, "gateway_refused", f"The gateway was asked, and refused ({call.status} {call.code}).")


def _after_call(one: Exchange, call: Call, waited: str) -> Finding:
    if call.outcome in FAILED:
        return _turn(one, "model_failed", f"The gateway was asked, and what it asks failed ({call.code}).")
    if not call.characters:
        late = call.outcome == "client_gone"
        says = "was hung up on before its first word" if late else "answered without a word"
        return _turn(one, "model_late" if late else "model_silent", f"The gateway was asked, and {says}.")
    says = f"The gateway answered with {call.characters} characters, pictures and sound flow, and nothing of it was"
    return _turn(one, "voice_silent", f"{says} heard {waited}.")


def _of_answer(one: Exchange) -> Iterator[Finding]:
    """Something was heard: by whom, how well, and does it hold the facts."""
    done = [call for call in one.calls if not call.refused]
    failed = next((call for call in done if call.outcome in FAILED), None)
    if failed:
        yield _turn(one, "model_failed", f"An apology was heard: what the gateway asks failed ({failed.code}).")
    elif not done and any(call.refused for call in one.calls):
        yield _of_refusal(one, one.calls[-1])
    elif not done and one.spoken and not one.heard:
        yield of_silence(one)  # a noise is no answer
    elif not done and one.spoken:
        says = f"An answer was heard, {one.heard[:120]!r}, and the gateway was not asked for it."
        yield _turn(one, "llm_ignored", says)
    elif one.rate != 1.0:
        says = f"What is heard is understood only when it is played {one.rate:g} times as fast."
        yield _turn(one, "wrong_rate", says)


def of_words(
    one: Exchange, question_error: float | None, answer_error: float | None, missing: Sequence[str]
) -> Iterator[Finding]:
    """Whether the question and the answer were understood."""
    if question_error is not None and question_error > MISHEARD:
        says = f"The avatar heard {one.understood!r} for {one.question.text!r}."
        yield _turn(one, "misheard", says)
    elif answer_error is not None and answer_error > GARBLED:
        says = f"Our ears hear {one.heard[:120]!r} where {one.answer[:120]!r} was said."
        yield _turn(one, "unintelligible", says)
    elif missing:
        listed = ", ".join(repr(fact) for fact in missing)
        yield _turn(one, "fact_missing", f"The answer does not hold {listed}; heard was {one.heard[:200]!r}.")


def of_interruption(one: Exchange) -> Iterator[Finding]:
    """Whether the avatar fell silent, and the model was told."""
    broken = one.interruption
    if broken is None:
        return
    if broken.silent is None:
        yield _turn(one, "not_interrupted", "The answer was over, or had not begun, when the person spoke into it.")
        return
    took = 1000 * (broken.silent - broken.began)
    if took > HUSHED_MS:
        says = f"The avatar was heard for {took:.0f} ms after the person began to speak; the bar is {HUSHED_MS:g} ms."
        if broken.crowded > CROWDED:
            many = f"{broken.crowded:.1f} programs wanted each core of this machine then, which says little of Simli."
            yield _turn(one, "machine_busy", f"{says} But {many}")
        else:
            yield _turn(one, "not_hushed", says)
    call = broken.call
    if call and call.upstream == "ended" and call.outcome == "client_gone":
        return
    if call is None or call.outcome != "client_gone":
        is_ = f"is recorded as {call.outcome}" if call else "has no record"
        ended = call is not None and call.upstream == "ended"
        code = "not_interrupted" if ended else "upstream_ran_on"
        yield _turn(one, code, f"The request that was interrupted {is_}, not as one that was hung up on.")


def of_end(left: Left) -> Finding | None:
    """Whether anything is left running, and billed."""
    if left.running:
        many = "1 session runs" if left.running == 1 else f"{left.running} sessions run"
        return found("left_running", f"{many} still at {left.at}. {left.says}".rstrip())
    return None


def _turn(one: Exchange, code: str, says: str) -> Finding:
    said = f" Simli says: {one.words}" if one.words else ""
    return found(code, says + said, turn=one.number)
