"""gateway/orchestration/ownership.py"""

import pytest

from gateway.http.capability import capability, path
from gateway.orchestration.ownership import by_age, claim, concealed, owned
from gateway.types.simli import SimliAgent

ID = "0123456789abcdef"
CAPABILITY = capability("s" * 32, "nora", 0)
PATH = path(ID, CAPABILITY, "nora")


def agent(endpoint: object, **more: object) -> SimliAgent:
    return SimliAgent("a1", "Nora", {"llm_endpoint": endpoint, **more})


@pytest.mark.parametrize(
    "endpoint",
    [
        f"https://one.example.org{PATH}",
        f"http://127.0.0.1:8000{PATH}",
        f"https://proxy.example.org/below/here{PATH}",
        f"https://one.example.org{PATH.removesuffix('/v1/chat/completions')}",
    ],
)
def test_an_endpoint_of_ours_is_known_whatever_the_host(endpoint: str) -> None:
    """The path says which gateway and which agent file; the host says nothing."""
    assert claim(agent(endpoint)) == (ID, "nora")
    assert owned(agent(endpoint), ID) == "nora" and owned(agent(endpoint), "another") == ""


@pytest.mark.parametrize(
    "endpoint",
    [
        None,
        "",
        42,
        "https://api.openai.com/v1/chat/completions",
        f"https://one.example.org/k/{CAPABILITY}/agents/nora/v1/chat/completions",
        f"https://one.example.org/?next={PATH}",
        f"https://one.example.org/#{PATH}",
        f"https://one.example.org/k/{ID}x.{CAPABILITY}/agents/nora/v1/chat/completions",
        f"https://one.example.org/k/{ID}.{CAPABILITY}/agents/",
        f"https://one.example.org/k/{ID}.{CAPABILITY}/agents/Nora%2F/v1",
        "http://[broken" + PATH,
    ],
)
def test_everything_else_is_a_strangers(endpoint: object) -> None:
    """No endpoint, another's, one without an id, an id in a query, somebody's id that begins like ours."""
    assert owned(agent(endpoint), ID) == ""


def test_a_capability_is_shown_nowhere() -> None:
    """The rest of the URL stays readable."""
    assert concealed(f"see https://one.example.org{PATH}!") == (
        f"see https://one.example.org/k/{ID}.…/agents/nora/v1/chat/completions!"
    )


def test_the_oldest_comes_first_however_its_time_is_written() -> None:
    """ISO times with and without a zone and seconds since the epoch; what cannot be read comes last."""
    times = [
        "2026-11-24T10:00:00Z",
        "2026-11-24T09:00:00",
        1_700_000_000,
        "yesterday",
        None,
        "2026-11-24T10:00:00+02:00",
    ]
    agents = [SimliAgent(f"a{number}", "", {"created_at": time}) for number, time in enumerate(times)]
    assert [each.id for each in sorted(agents, key=by_age)] == ["a2", "a5", "a1", "a0", "a3", "a4"]
