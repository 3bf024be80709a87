"""What is shown of calls and behaviour, and what is not."""

from uuid import uuid4

import pytest

from gateway.sandbox import behaviour, calls
from gateway.sandbox.api import edge
from gateway.sandbox.talk.brain import based

SECRET = "gw_0123456789abcdefghijklmnop"


def test_secrets_are_hidden_wherever_they_stand() -> None:
    """By a field's name, at any depth, and in addresses; what is empty or a number is shown."""
    shown = calls.hidden(
        {
            "simliAPIKey": SECRET,
            "ttsAPIKey": "",
            "inner": {"session_token": SECRET, "list": [{"apiKey": SECRET}]},
            "llm_endpoint": f"https://x.example/k/{SECRET}/agents/nora/v1",
            "maxIdleTime": 300,
        }
    )
    assert SECRET not in str(shown)
    assert shown["ttsAPIKey"] == "" and shown["maxIdleTime"] == 300
    assert shown["llm_endpoint"] == "https://x.example/k/gw_012…/agents/nora/v1"


def test_an_id_in_a_path_is_no_secret() -> None:
    """UUIDs are shown whole, tokens are cut short, in paths and in queries."""
    id_ = str(uuid4())
    assert calls.address(f"/session/{id_}/gAAAA{'x' * 200}==") == f"/session/{id_}/gAAAAx…"
    assert calls.address(f"/compose/webrtc/p2p?session_token=gAAAA{'x' * 200}&enableSFU=true").count("x") <= 1


def test_a_path_begins_with_either_case() -> None:
    """The first letter only."""
    assert [edge.lowered(path) for path in ("/StartWebRTCSession", "/", "", "/agents")] == [
        "/startWebRTCSession",
        "/",
        "",
        "/agents",
    ]


@pytest.mark.parametrize(
    "url", ["http://x/v1", "http://x/v1/", "http://x/v1/chat/completions", "http://x/v1/chat/completions/"]
)
def test_an_address_has_a_base(url: str) -> None:
    """With or without the suffix or a slash it is the same."""
    assert based(url) == ("http://x/v1", "http://x/v1/chat/completions")


def test_behaviour_is_changed_in_part() -> None:
    """What is not named stays; every choice that is listed can be made."""
    changed = behaviour.changed(behaviour.Behaviour(), {"suffix": "again", "transcript_after": 2})
    assert changed == behaviour.Behaviour(suffix="again", transcript_after=2)
    for name, choices in behaviour.choices().items():
        for choice in choices:
            assert behaviour.shown(behaviour.changed(changed, {name: choice}))[name] == choice
