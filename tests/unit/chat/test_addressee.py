"""gateway/chat/addressee.py"""

import pytest

from gateway.chat.addressee import Addressee, addressee
from gateway.errors import ModelNotFound
from gateway.types import Agent

NORA = Agent("nora", "persona")
EMIL = Agent("emil", "persona", route="slow")
AGENTS = {"nora": NORA, "emil": EMIL}


def who(model: str, path_agent: str = "", default_agent: str = "") -> Addressee:
    return addressee(
        model,
        path_agent,
        agents=AGENTS,
        routes={"openai", "slow"},
        default_agent=default_agent,
        default_route="openai",
    )


@pytest.mark.parametrize(
    ("model", "path_agent", "default_agent", "expected"),
    [
        ("gpt-4o-mini", "nora", "", Addressee(NORA, "openai")),
        ("slow", "nora", "emil", Addressee(NORA, "openai")),
        ("", "emil", "", Addressee(EMIL, "slow")),
        ("nora", "", "", Addressee(NORA, "openai")),
        ("emil", "", "nora", Addressee(EMIL, "slow")),
        ("slow", "", "nora", Addressee(None, "slow")),
        ("openai/gpt-4o", "", "nora", Addressee(None, "openai", "gpt-4o")),
        ("openai/org/model", "", "", Addressee(None, "openai", "org/model")),
        ("gpt-4o-mini", "", "nora", Addressee(NORA, "openai")),
        ("", "", "nora", Addressee(NORA, "openai")),
        ("nowhere/model", "", "nora", Addressee(NORA, "openai")),
    ],
)
def test_who_answers(model: str, path_agent: str, default_agent: str, expected: Addressee) -> None:
    """The path wins, then an agent's name, a route's, a model of a route, and last the default agent."""
    assert who(model, path_agent, default_agent) == expected


@pytest.mark.parametrize(("model", "path_agent"), [("gpt-4o-mini", ""), ("", ""), ("nora", "nobody"), ("openai/", "")])
def test_nobody_is_a_model_not_found_that_names_who_there_is(model: str, path_agent: str) -> None:
    """The error tells a person what would have been right."""
    with pytest.raises(ModelNotFound) as caught:
        who(model, path_agent)
    assert "emil, nora" in caught.value.message and caught.value.param == "model"
