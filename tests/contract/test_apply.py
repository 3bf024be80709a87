"""An apply that is killed, or cut off from Simli, at any of its calls: the next one repairs it and doubles nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.orchestration.agency import Agency
from tests.agencies import Dashboard, Files, read
from tests.cutting import Way, cut
from tests.sandboxed import Sandbox, sandboxed

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLS = [
    "GET /auto/agents",
    "POST /auto/agent",
    "POST /auto/agent",
    "PUT /auto/agent/ID",
    "DELETE /auto/agent/ID",
    "GET /auto/agents",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with sandboxed() as running:
        yield running


class Scene:
    """Two agents to be made, one to be changed, one to be pruned, and a stranger by the name of one of them."""

    def __init__(self, sandbox: Sandbox, way: Way, folder: Path) -> None:
        self.dashboard = Dashboard(sandbox.url, sandbox.key)
        self.files = Files(folder)
        self.way = way
        self.agency: Agency = self.files.agency(way.url, sandbox.key)
        self.stranger = ""

    async def set(self) -> None:
        await self.dashboard.clear()
        self.files.write("cara")
        self.files.write("dora")
        assert not (await self.agency.apply()).error
        self.stranger = await self.dashboard.make("ann", prompt="You are another Ann.")
        self.files.write("cara", "first_message: Hello again.")
        self.files.delete("dora")
        self.files.write("ann")
        self.files.write("ben")
        self.way.mend()

    async def repaired(self) -> None:
        """One more apply, and everything is as it should be."""
        self.way.mend()
        applied = await self.agency.apply(True)
        assert not applied.error, applied
        agents = await self.dashboard.agents()
        assert Counter(each.name for each in agents) == {"ann": 2, "ben": 1, "cara": 1}
        stranger = next(each for each in agents if each.id == self.stranger)
        assert stranger.fields["prompt"] == "You are another Ann." and not stranger.fields["llm_endpoint"]
        plan = await self.agency.plan(True)
        assert not plan.changed and plan.unowned == 1


@pytest_asyncio.fixture(loop_scope="module")
async def scene(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Scene]:
    async with cut(sandbox.url) as way:
        made = Scene(sandbox, way, tmp_path)
        await made.set()
        yield made


async def test_the_calls_of_an_apply_are_these(scene: Scene) -> None:
    """Which ones the tests below cut: each change is one call, behind one look."""
    assert not (await scene.agency.apply(True)).error
    assert scene.way.passed == CALLS
    await scene.repaired()


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, len(CALLS) + 1))
async def test_killed_at_any_call_the_next_apply_repairs(scene: Scene, number: int, done: bool) -> None:
    """Before Simli has the call, or after it did what was asked: nothing is doubled, and the stranger stays."""
    applying = asyncio.create_task(scene.agency.apply(True))
    scene.way.at(number, done=done, dead=True, then=applying.cancel)
    with pytest.raises(asyncio.CancelledError):
        await applying
    assert scene.way.was_cut
    await scene.repaired()


@pytest.mark.parametrize("dead", [False, True], ids=["one", "all"])
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(2, len(CALLS) + 1))
async def test_cut_off_at_any_call_it_looks_before_it_makes_anything_again(
    scene: Scene, number: int, done: bool, dead: bool
) -> None:
    """A creation whose answer was lost is found, and counts as done; else it stops and says so."""
    scene.way.at(number, done=done, dead=dead)
    applied = await scene.agency.apply(True)
    assert scene.way.was_cut
    found = CALLS[number - 1].startswith("POST") and done and not dead
    if found or number == len(CALLS):  # the last look is for what others did meanwhile: a later one does as well
        assert len(applied.changes) == 4 and not applied.left
    else:
        assert applied.code in {"simli_unavailable", "simli_timeout"} and "Simli" in applied.error
        assert len(applied.changes) == number - 2 and applied.left == 4 - len(applied.changes)
    await scene.repaired()


async def test_two_at_once_make_nothing_twice(scene: Scene, sandbox: Sandbox) -> None:
    """Two hosts of one deployment apply at the same moment: whoever makes the second one sees both, and ends it."""
    other = scene.files.agency(scene.way.url, sandbox.key)
    applied = await asyncio.gather(scene.agency.apply(True), other.apply(True))
    assert not [each.error for each in applied if each.error]
    made = [each.agent for one in applied for each in one.changes if each.action == "create"]
    assert Counter(made) == {"ann": 2, "ben": 2}
    assert Counter(each.name for each in await scene.dashboard.agents()) == {"ann": 2, "ben": 1, "cara": 1}
    assert not (await scene.agency.plan(True)).changed
    await scene.repaired()


async def test_one_process_applies_one_after_the_other(scene: Scene) -> None:
    """The admin API is asked twice at once: nothing is made twice."""
    await asyncio.gather(scene.agency.apply(True), scene.agency.apply(True))
    assert Counter(each.split()[0] for each in scene.way.passed) == {"GET": 3, "POST": 2, "PUT": 1, "DELETE": 1}


async def test_killed_between_file_and_simli_an_adoption_goes_on(scene: Scene) -> None:
    """The file is there first; asked again it is taken up, whether Simli had been told or not."""
    for number, done in ((2, False), (2, True), (3, True)):
        id_ = await scene.dashboard.make("Zoe", prompt=f"You are Zoe {number} {done}.")
        adopting = asyncio.create_task(scene.agency.adopt(id_))
        scene.way.at(number, done=done, dead=True, then=adopting.cancel)
        with pytest.raises(asyncio.CancelledError):
            await adopting
        files = sorted(scene.files.folder.iterdir())
        scene.way.mend()
        adopted = await scene.agency.adopt(id_)
        assert sorted(scene.files.folder.iterdir()) == files
        assert f"You are Zoe {number} {done}." in read(adopted.file)
    assert (await scene.agency.plan()).faults == ()
