"""What a run, or a turn of it, came to: in a word and in a sentence."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

from gateway.smoke.report.figures import brief, counted
from gateway.smoke.report.waits import median_wait_ms
from gateway.types.smoke import Finding, Smoke, SmokeTurn

Colour: TypeAlias = Literal["good", "bad", "odd"]
MODES = {
    "room": "a voice in the sandbox's room",
    "compose": "text to the gateway, its answer spoken here and sent to the face",
    "auto": "a session of Simli's, joined as a person joins it",
}


class Judged(NamedTuple):
    """A word, and whether it is good news."""

    word: str
    colour: Colour


def of_run(smoke: Smoke) -> Judged:
    """Of a whole run."""
    if smoke.passed:
        return Judged("Passed", "good")
    return Judged("Failed", "bad") if smoke.findings or smoke.steps else Judged("Not run", "odd")


def sentence(smoke: Smoke) -> str:
    """The verdict for somebody who reads nothing else."""
    if smoke.passed:
        return _praise(smoke)
    if smoke.findings:
        first, more = smoke.findings[0], len(smoke.findings) - 1
        rest = f" {counted(more, 'further finding')} below." if more else ""
        return f"At fault: {first.part}. {_ended(first.says)}{rest}"
    failed = next((step for step in smoke.steps if step.verdict == "failed"), None)
    return f"{_capital(failed.name)}: {_ended(failed.says)}" if failed else "Nothing was done, so nothing is known."


def of_turn(turn: SmokeTurn, number: int, findings: Sequence[Finding]) -> Judged:
    """Of one turn."""
    if codes := [finding.code for finding in findings if finding.turn == number]:
        return Judged(f"failed: {', '.join(codes)}", "bad")
    if turn.missing:
        return Judged(f"{counted(len(turn.missing), 'fact')} not heard", "bad")
    if turn.interrupted:
        return Judged("broken off on purpose", "good")
    if turn.moments.first_sound is None and not turn.heard:
        return Judged("nothing was heard", "bad")
    if not turn.question:
        return Judged("first message heard", "good")
    return Judged("its facts were heard" if turn.facts else "answered", "good")


def _praise(smoke: Smoke) -> str:
    asked = [turn for turn in smoke.turns if turn.question]
    whole = [turn for turn in asked if not turn.interrupted]
    says = [
        f"{counted(len(whole), 'question')} {'was' if len(whole) == 1 else 'were'} answered aloud"
        if whole
        else "Every step held"
    ]
    if (wait := median_wait_ms(smoke.turns)) is not None:
        says.append(f"an answer began {brief(wait)} after its question")
    silent = [turn.silent_ms for turn in asked if turn.interrupted and turn.silent_ms is not None]
    if silent:
        says.append(f"the avatar fell silent {brief(max(silent))} after it was spoken over")
    return _capital(f"{_listed(says)}.")


def _listed(parts: Sequence[str]) -> str:
    return f"{', '.join(parts[:-1])}, and {parts[-1]}" if len(parts) > 1 else parts[0]


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
