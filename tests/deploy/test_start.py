"""deploy/start, which a container runs, with a `gateway` that only says what it was asked."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.deploy.proxies import DEPLOY

GATEWAY = """#!/bin/sh
echo "gateway $*"
[ "$*" != ingest ] || [ ! -e "$GATEWAY_VAR/broken" ]
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder for the state, and the program in `bin`."""
    program = tmp_path / "bin" / "gateway"
    program.parent.mkdir()
    program.write_text(GATEWAY)
    program.chmod(0o755)
    return tmp_path


def said(place: Path, arguments: Sequence[str] = ()) -> list[str]:
    """What the program was asked, in order."""
    environ = {"PATH": f"{place}/bin:/usr/bin:/bin", "GATEWAY_VAR": str(place)}
    command = [str(DEPLOY / "start"), *arguments]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=20, check=True)
    return ended.stdout.splitlines()


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ((), ["gateway ingest", "gateway serve"]),
        (("--workers", "1"), ["gateway ingest", "gateway serve --workers 1"]),
        (("serve", "--workers", "1"), ["gateway serve --workers 1"]),
        (("ingest",), ["gateway ingest"]),
    ],
)
def test_it_ingests_and_serves_or_one_of_the_two(place: Path, arguments: Sequence[str], asked: list[str]) -> None:
    """Both of itself; a word alone where one place ingests for all."""
    assert said(place, arguments) == asked
    assert (place / "models").readlink() == Path("/opt/simli-gateway/models")


def test_it_serves_where_it_cannot_ingest(place: Path) -> None:
    """The last version of the knowledge is better than silence."""
    (place / "broken").touch()
    assert said(place) == ["gateway ingest", "gateway serve"]


def test_a_model_of_ones_own_stays(place: Path) -> None:
    """A folder that somebody put there is not replaced."""
    (place / "models").mkdir()
    said(place)
    assert not (place / "models").is_symlink()
