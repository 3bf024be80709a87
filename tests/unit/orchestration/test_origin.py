"""gateway/orchestration/origin.py"""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.orchestration.origin import listening, origin
from gateway.settings import Server, Settings

NOWHERE = Path(os.devnull)
"""A `var` in which nothing can be: no gateway runs there."""
REAL = Settings(simli_url="https://api.simli.ai", var=NOWHERE)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
        ("localhost", "http://localhost:8000"),
    ],
)
def test_a_sandbox_reaches_the_gateway_where_it_listens(host: str, url: str) -> None:
    """An address that means every interface is no address to call."""
    settings = Settings(server=Server(host=host), var=NOWHERE)
    assert listening(settings) == url == origin(settings)


def test_the_public_url_goes_first() -> None:
    """The environment's before where it listens; for a sandbox any will do."""
    assert origin(Settings(public_url="http://127.0.0.1:9000")) == "http://127.0.0.1:9000"
    assert origin(replace(REAL, public_url="https://g.example.org")) == "https://g.example.org"


def test_simli_itself_is_given_no_url_that_it_cannot_reach() -> None:
    """None at all, or one of this machine: both name the variable that has to be set."""
    for settings in (REAL, replace(REAL, public_url="http://127.0.0.1:9000")):
        with pytest.raises(ConfigurationError, match="GATEWAY_PUBLIC_URL"):
            origin(settings)


def test_a_port_that_nobody_knows_is_said() -> None:
    """PORT=0 is any free one."""
    with pytest.raises(ConfigurationError, match="PORT"):
        origin(Settings(server=Server(port=0), var=NOWHERE))
