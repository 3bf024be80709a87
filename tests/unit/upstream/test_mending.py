"""gateway/upstream/mending.py: what real servers say, and what is asked then."""

from typing import Any

import pytest

from gateway.errors import UpstreamRejected
from gateway.types import Message, Prompt
from gateway.upstream.mending import TOO_LONG, Learned, parameter, shortened, told
from tests.unit.upstream.doubles import HI, Line, Target

SENT = {"max_tokens": 100, "temperature": 0.2, "frequency_penalty": 0.1, "tools": [], "response_format": {}}
OPENAI = {
    "message": "Unsupported parameter: 'max_tokens' is not supported with this model. "
    "Use 'max_completion_tokens' instead.",
    "type": "invalid_request_error",
    "param": "max_tokens",
    "code": "unsupported_parameter",
}
VALUE = {
    "message": "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) is.",
    "param": "temperature",
    "code": "unsupported_value",
}
FASTAPI = [{"type": "extra_forbidden", "loc": ["body", "frequency_penalty"], "msg": "Extra inputs are not permitted"}]
VLLM = {
    "object": "error",
    "message": "[{'type': 'extra_forbidden', 'loc': ('body', 'frequency_penalty'), "
    "'msg': 'Extra inputs are not permitted'}]",
    "type": "BadRequestError",
    "param": None,
    "code": 400,
}
GOOGLE = [
    {"error": {"code": 400, "message": 'Invalid JSON payload received. Unknown name "frequency_penalty": Cannot find'}}
]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"error": OPENAI}, "max_tokens"),
        ({"error": {"message": OPENAI["message"]}}, "max_tokens"),
        ({"error": VALUE}, "temperature"),
        ({"detail": FASTAPI}, "frequency_penalty"),
        ({"object": "error", "message": {"detail": FASTAPI}, "type": "invalid_request_error"}, "frequency_penalty"),
        (VLLM, "frequency_penalty"),
        (GOOGLE, "frequency_penalty"),
        ({"error": {"message": "temperature must be at most 1", "param": "temperature", "code": "invalid_value"}}, ""),
        ({"error": {**OPENAI, "param": "tools", "message": "Unsupported parameter: 'tools'"}}, ""),
        ({"error": {**VALUE, "param": "response_format", "message": "Unsupported value"}}, ""),
        ({"error": {**OPENAI, "param": "messages[0].role"}}, ""),
        ({"error": {"message": "Unknown parameter: 'seed'", "param": "seed", "code": "unknown_parameter"}}, ""),
    ],
)
def test_the_parameter_that_is_not_known_is_found(body: Any, named: str) -> None:
    """By code, by parameter or in words; a wrong value is the caller's, and tools and formats are never dropped."""
    message, code, param = told(body)
    assert parameter(Prompt([], SENT), UpstreamRejected(message, code=code, param=param)) == named


@pytest.mark.parametrize(
    "error",
    [
        {"message": "This model's maximum context length is 4096 tokens. However, you requested 9000.", "code": 400},
        {"message": "too long", "code": "context_length_exceeded"},
        {"code": 400, "message": "the request exceeds the available context size", "type": "exceed_context_size_error"},
        {"message": "prompt is too long: 250000 tokens > 200000 maximum"},
    ],
)
def test_a_history_that_is_too_long_is_known(error: dict[str, Any]) -> None:
    """Whoever says it and however, its code is OpenAI's."""
    assert told({"error": error})[1] == TOO_LONG


@pytest.mark.parametrize("body", [None, 7, "no", [], [7], {"error": "no"}, {"detail": [{"loc": 7}]}, {"message": {}}])
def test_nothing_that_a_server_sends_is_an_accident(body: Any) -> None:
    """A body in no envelope at all has no message, or one that names nothing."""
    message, code, param = told(body)
    assert (code, param) == ("", None) and "no" not in message


def turn(number: int, *more: Message) -> list[Message]:
    """A question of 100 characters, what came between, and an answer."""
    return [{"role": "user", "content": f"{number:0100}"}, *more, {"role": "assistant", "content": f"{number:0100}"}]


CALL: list[Message] = [
    {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "c", "content": "42"},
]
SYSTEM: Message = {"role": "system", "content": "persona"}
LAST: Message = {"role": "user", "content": "And now?"}


def cut(messages: list[Message], says: str = "too long") -> list[Message] | None:
    short = shortened(Prompt(messages), UpstreamRejected(says, code=TOO_LONG))
    return None if short is None else list(short.messages)


def test_the_newest_half_stays() -> None:
    """Where nobody says how long it may be: system messages, whole turns from the newest, the last question."""
    history = [each for number in range(10) for each in turn(number)]
    short = cut([SYSTEM, *history, LAST])
    assert short is not None and short[0] == SYSTEM and short[-1] == LAST
    assert short[1:-1] == history[-len(short[1:-1]) :] and short[1]["role"] == "user" and len(short) == 10


def test_the_servers_numbers_say_how_much_stays() -> None:
    """4,096 tokens of 20,480 asked for: a fifth, and some room."""
    history = [each for number in range(10) for each in turn(number)]
    short = cut([SYSTEM, *history, LAST], "maximum context length is 4,096 tokens, you requested 20480 tokens")
    assert short is not None and len(short) == 1 + 2 + 1


def test_a_tools_result_never_loses_its_call() -> None:
    """A turn is cut as a whole, and what belongs to the last question stays behind it."""
    short = cut([SYSTEM, *turn(1), *turn(2, *CALL), *turn(3), LAST, *CALL])
    assert short == [SYSTEM, *turn(3), LAST, *CALL]
    short = cut([SYSTEM, *turn(1), *turn(2, *CALL), LAST])
    assert short is not None
    assert ("tool" in [each["role"] for each in short]) == any(each.get("tool_calls") for each in short)


def test_a_system_message_in_between_stays() -> None:
    """Instructions are kept wherever they stand, and something always goes."""
    note: Message = {"role": "developer", "content": "Be brief."}
    assert cut([SYSTEM, *turn(1), note, LAST]) == [SYSTEM, note, LAST]


def test_a_lone_question_cannot_be_shortened() -> None:
    """The last question is what is asked: without it there is nothing to ask."""
    assert cut([SYSTEM, {"role": "assistant", "content": "Welcome."}, LAST]) is None


def test_five_thousand_messages_are_cut_at_once() -> None:
    """A long conversation does not stop the event loop."""
    history = [each for number in range(2500) for each in turn(number)]
    short = cut([SYSTEM, *history, LAST])
    assert short is not None and 2490 < len(short) < 2510


def test_both_names_of_the_longest_answer_are_tried_and_no_more() -> None:
    """`max_tokens` becomes `max_completion_tokens` and back; a server that knows neither is asked without."""
    learned = Learned()
    prompt = Prompt([], {"max_tokens": 9, "seed": 1})
    assert learned.applied(prompt) is prompt
    learned.refused(prompt, "max_tokens")
    assert learned.applied(prompt).parameters == {"max_completion_tokens": 9, "seed": 1}
    learned.refused(learned.applied(prompt), "max_completion_tokens")
    assert learned.applied(prompt).parameters == {"seed": 1}
    assert learned.applied(Prompt([], {"max_completion_tokens": 9})).parameters == {}


def test_what_was_learned_belongs_to_a_model() -> None:
    """One model of a server may take what another does not; the names that callers invent are not kept for ever."""
    learned = Learned()
    learned.refused(Prompt([], model="o3"), "temperature")
    hot = {"temperature": 1}
    assert learned.applied(Prompt([], hot, model="o3")).parameters == {}
    assert learned.applied(Prompt([], hot)).parameters == hot
    for number in range(1000):
        learned.refused(Prompt([], model=f"m{number}"), "temperature")
    assert len(learned._by_model) <= 100


def rejecting(name: str) -> UpstreamRejected:
    return UpstreamRejected(f"Unsupported parameter: '{name}'.", code="unsupported_parameter", param=name)


async def test_a_turn_is_asked_again_without_what_was_refused() -> None:
    """Two parameters, named one after the other, and then a history that is too long are put right in one turn, and the
    next turn is right at once."""
    target = Target(turns=[(rejecting("max_tokens"),), (rejecting("temperature"),), HI])
    line = Line(target)
    prompt = Prompt([LAST], {"max_tokens": 9, "temperature": 1})
    assert (await line.said(prompt))[1] == list(HI)
    assert [kind for _, kind, _ in line.notes] == ["first", "retry", "retry"]
    assert (await line.said(prompt))[1] == list(HI)
    assert [each.parameters for each in target.prompts[2:]] == [{"max_completion_tokens": 9}] * 2


async def test_a_shortened_history_is_asked_once() -> None:
    """The second refusal is the caller's 400."""
    target = Target(UpstreamRejected("too long", code=TOO_LONG))
    line = Line(target)
    with pytest.raises(UpstreamRejected) as caught:
        await line.said(Prompt([SYSTEM, *turn(1), LAST]))
    assert caught.value.code == TOO_LONG and [len(each.messages) for each in target.prompts] == [4, 2]


async def test_a_server_that_refuses_for_ever_is_not_asked_for_ever() -> None:
    """Whatever it names, a turn asks a few times."""
    target = Target(rejecting("seed"))
    with pytest.raises(UpstreamRejected):
        await Line(target).said(Prompt([LAST], {"seed": 1}))
    assert target.asked == 2
