"""Videos are fetched once they are there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.errors import SimliError, SimliProtocolError, SimliTimeout
from gateway.settings import Simli as Options
from gateway.simli.client import Simli, opened
from tests.simli.double import Double, Reply, doubled

KEY = "planted0simli0key0123"
MISSING = Reply(404, {"detail": "Not Found"})


def names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


@asynccontextmanager
async def asked(*replies: Reply) -> AsyncIterator[tuple[Double, Simli]]:
    async with doubled(*replies) as double, opened(double.url, KEY, Options(dialect="current", timeout=1)) as simli:
        yield double, simli


async def test_a_file_is_waited_for_by_get_and_written_whole(tmp_path: Path) -> None:
    """404 and an empty file are not yet; the key is not sent along; nothing but the file is left."""
    async with asked(MISSING, Reply(200, b""), Reply(200, b"cut", cut=True), Reply(200, b"video" * 1000)) as (
        double,
        simli,
    ):
        assert await simli.download(f"{double.url}/v.mp4", tmp_path / "v.mp4", within=10) == 5000
    assert (tmp_path / "v.mp4").read_bytes() == b"video" * 1000
    assert names(tmp_path) == ["v.mp4"]
    assert {each.method for each in double.asked} == {"GET"} and len(double.asked) == 4
    assert KEY not in str(double.asked)


async def test_a_file_that_never_comes_is_a_timeout(tmp_path: Path) -> None:
    """After the time that was given, with what the last look saw; no part of a file stays."""
    async with asked(MISSING) as (double, simli):
        with pytest.raises(SimliTimeout, match=r"within 0\.3 s: it last answered 404"):
            await simli.download(f"{double.url}/v.mp4", tmp_path / "v.mp4", within=0.3)
    assert names(tmp_path) == []


async def test_a_silent_server_does_not_outlast_the_time(tmp_path: Path) -> None:
    """The limit holds in the middle of a look, too."""
    async with asked(Reply(silent=True)) as (double, simli):
        with pytest.raises(SimliTimeout):
            await simli.download(f"{double.url}/v.mp4", tmp_path / "v.mp4", within=0.2)


@pytest.mark.parametrize("status", [401, 403, 410, 302])
async def test_what_will_not_come_is_not_waited_for(status: int, tmp_path: Path) -> None:
    """A refusal or a redirect ends it at once."""
    async with asked(Reply(status, b"", {"location": "https://elsewhere.example.org/"})) as (double, simli):
        with pytest.raises(SimliError, match=f"answers {status}"):
            await simli.download(f"{double.url}/v.mp4", tmp_path / "v.mp4", within=10)
        assert len(double.asked) == 1


async def test_a_strange_address_is_not_asked(tmp_path: Path) -> None:
    """No other scheme, and nothing on this machine where Simli is not."""
    async with opened("https://simli.example.org", KEY, Options(dialect="current")) as simli:
        for url in ("file:///etc/passwd", "http://127.0.0.1:1/v.mp4", "http://[", "v.mp4"):
            with pytest.raises(SimliProtocolError):
                await simli.download(url, tmp_path / "v.mp4", within=1)
