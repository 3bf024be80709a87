"""What is found of a question that was asked in a room by somebody else."""

import pytest

from gateway.smoke.evidence import Call, Exchange
from gateway.smoke.person import _Came, _findings
from gateway.smoke.script import Question
from gateway.types.smoke import SmokeTurn, Visit

QUESTION = Question("How long does the crossing take?", ("fifty minutes",))
IN, OUT = Visit(joined=True, says="It was there."), Visit(joined=False, says="The door was shut.")
ASKED = Call("1", 3.0, characters=40, answer="It takes fifty minutes.")
REFUSED = Call("2", 3.0, status=401, outcome="refused", code="invalid_api_key")
SOUND = bytes(2)


@pytest.mark.parametrize(
    ("visit", "calls", "more", "missing", "codes"),
    [
        (IN, (ASKED,), {"heard": "It takes fifty minutes."}, (), []),
        (IN, (ASKED,), {"heard": "It takes a while."}, ("fifty minutes",), ["fact_missing"]),
        (IN, (ASKED,), {"heard": ""}, (), ["voice_silent"]),
        (IN, (ASKED,), {"heard": "Oar.", "rate": 0.5}, (), ["wrong_rate"]),
        (IN, (REFUSED,), {"heard": ""}, (), ["llm_key_refused"]),
        (IN, (), {"heard": "Hello."}, (), ["not_asked_by_room"]),
        (IN, (), {"heard": "", "deaf": "Nothing here hears"}, (), ["deaf"]),
        (OUT, (), {}, (), ["not_joined"]),
        (OUT, (ASKED,), {}, (), ["not_joined"]),
    ],
    ids=["all well", "no fact", "mute", "slow", "wrong key", "not asked", "deaf", "shut out", "asked all the same"],
)
def test_each_cause_has_its_name(
    *, visit: Visit, calls: tuple[Call, ...], more: dict[str, str], missing: tuple[str, ...], codes: list[str]
) -> None:
    """The likeliest comes first; only a room that was joined, and from which the gateway was asked, passes."""
    one = Exchange(0, QUESTION, calls=calls, understood=QUESTION.text, answer="It takes fifty minutes.", **more)  # type: ignore[arg-type]
    turn = SmokeTurn(QUESTION.text, question_error=0.0, answer_error=0.1, missing=missing)
    found = _findings(one, turn, _Came(QUESTION, QUESTION.text, visit, calls, {}, SOUND if visit.joined else None))
    assert [finding.code for finding in found] == codes


def test_what_could_not_be_recorded_is_not_judged() -> None:
    """Where nobody could listen, that the gateway was asked has to be enough."""
    one = Exchange(0, QUESTION, calls=(ASKED,))
    turn = SmokeTurn(QUESTION.text, missing=())
    assert _findings(one, turn, _Came(QUESTION, QUESTION.text, IN, (ASKED,), {}, None)) == []
