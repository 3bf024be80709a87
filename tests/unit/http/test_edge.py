"""gateway/http/edge.py"""

import pytest

from gateway.http.edge import canonical

CHAT = "/chat/completions"


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        (CHAT, CHAT),
        ("/v1/chat/completions", CHAT),
        ("/v1/chat/completions/", CHAT),
        ("//v1//chat/completions", CHAT),
        ("/v1/v1/chat/completions", CHAT),
        ("/v1/chat/completions/chat/completions", CHAT),
        ("/v1/chat/completions/v1/chat/completions", CHAT),
        ("/agents/nora/chat/completions", "/agents/nora/chat/completions"),
        ("/agents/nora/v1/chat/completions/chat/completions/", "/agents/nora/chat/completions"),
        ("/agents/v1/v1/chat/completions", "/agents/v1/chat/completions"),
        ("/v1/models/", "/v1/models"),
        ("/", "/"),
        ("/agents/a/b/chat/completions", "/agents/a/b/chat/completions"),
        ("/somewhere/chat/completions", "/somewhere/chat/completions"),
    ],
)
def test_every_spelling_of_a_path_is_the_path_that_was_meant(path: str, meant: str) -> None:
    """Doubled suffixes, doubled versions and spare slashes are answered; what is unknown stays unknown."""
    assert canonical(path) == meant
