"""What every test starts from: a double is at hand."""

import subprocess
from collections.abc import AsyncIterator, Iterator

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.serving import Shared
from tests.stores import program, server
from tests.upstream import Upstream, scripted

__all__ = ["server", "upstream"]
pytest_plugins = ["tests.stalls"]


TOGETHER = {
    "load": ("tests/faults/test_chaos.py", "tests/faults/test_callers.py"),
    "voice": ("tests/sandbox/test_hearing.py", "tests/sandbox/test_spoken.py", "tests/peer/test_conversation.py"),
}
"""Files that load the machine, or that hold what happens in it against a clock: one after another, by one process."""
LONGEST = (
    "tests/e2e/test_smoke.py",
    "tests/e2e/test_ingest_crash.py",
    "tests/e2e/test_smoke_faults.py",
    "tests/e2e/test_secrets.py",
    "tests/e2e/test_sessions.py",
    "tests/e2e/test_workers.py",
    "tests/e2e/test_room_page.py",
    "tests/e2e/test_check.py",
    "tests/e2e/test_drain.py",
    "tests/e2e/test_answer.py",
    "tests/e2e/test_plan.py",
    "tests/e2e/test_llama.py",
    "load",
    "voice",
    "tests/faults/test_life.py",
    "tests/faults/test_midstream.py",
    "tests/faults/test_admin.py",
    "tests/faults/test_store.py",
    "tests/unit/audio/test_hearing.py",
    "tests/faults/test_endings.py",
    "tests/unit/retrieval/test_jobs.py",
    "tests/contract/test_schemathesis.py",
)
"""Groups that take longest, which begin first: what is left at the end is short, and no process waits for another."""


def grouped(nodeid: str) -> str:
    """Several processes test a group at a time (`make test`, `make e2e`): that of a test's file, or the file alone."""
    file = nodeid.partition("::")[0]
    return next((name for name, files in TOGETHER.items() if file in files), file)


class Groups(LoadScopeScheduling):  # type: ignore[misc]  # xdist publishes no types
    """xdist's dealing of tests to processes, by these groups. Its own marks of groups are lost on pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        return grouped(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups:
    """Deal them so, whatever `--dist` says."""
    config.option.loadscopereorder = False  # by how many tests there are in a group
    return Groups(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes test, the longest groups come first."""
    if hasattr(config, "workerinput"):
        order = {group: at for at, group in enumerate(LONGEST)}
        items.sort(key=lambda item: order.get(grouped(item.nodeid), len(order)))


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
