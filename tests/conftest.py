"""What every test starts from: a double is at hand."""

import subprocess
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.serving import Shared
from tests.stores import program, server
from tests.upstream import Upstream, scripted

__all__ = ["server", "upstream"]
pytest_plugins = ["tests.stalls"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`make test` runs two tests at once: the faults, which load the machine, one after another; beside them the rest,
    file by file. Most of the time a test waits."""
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        folder = item.path.parent.name
        item.add_marker(pytest.mark.xdist_group(folder if folder == "faults" else str(item.path)))


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """A scripted upstream that says "Hello there." until its `script` is set."""
    async with scripted() as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A store for all gateways that bring none and are not about it."""
    socket = tmp_path_factory.mktemp("s") / "s"
    command = [program("valkey"), "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(socket.parent)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        Shared.url = f"unix://{socket}"
        yield
        Shared.url = ""
        running.terminate()
