"""gateway/orchestration/transcripts.py and the fetching of transcripts that are due."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import SimliAuthFailed
from gateway.orchestration.sessions import collected, reaped
from gateway.types import Turn
from gateway.types.orchestration import Launched, Session
from tests.launches import Site, site
from tests.sandboxed import Sandbox, sandboxed

LATER = 601.0


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with sandboxed() as started:
        yield started


@pytest.fixture
async def here(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, sandbox.url) as made:
        yield made


async def asked(here: Site, session: Session, heard: str, said: str) -> None:
    """A turn of the session, as the gateway keeps it."""
    turn = Turn("req_1", time.time(), 0.0, agent=session.agent, session=session.id, timings={"ttft": 100.0})
    turn.heard, turn.said = heard, [said]
    before = len(await here.store.sessions.words(session.id))
    here.store.sessions.turned(turn)
    for _ in range(200):
        if len(await here.store.sessions.words(session.id)) > before:
            return
        await asyncio.sleep(0.005)
    raise AssertionError("the words are not kept")


async def spoken(here: Site) -> Launched:
    """A session with one turn, which Simli knows nothing of: it asked nobody."""
    launched = await here.desk.start("nora", False)
    await asked(here, launched.session, "When?", "At five.")
    return launched


async def test_while_it_is_open_its_turns_so_far_are_told(here: Site) -> None:
    """Pending, with the gateway's lines, which have their times."""
    launched = await spoken(here)
    found = await here.desk.transcript(launched.session.id)
    assert (found.state, found.source) == ("pending", "gateway") and "is open" in found.says
    assert [(line.role, line.text) for line in found.lines] == [("user", "When?"), ("assistant", "At five.")]
    assert all(line.at == pytest.approx(time.time(), abs=5) for line in found.lines)


async def test_a_404_is_pending_for_ten_minutes_and_then_the_gateways_record_serves(
    here: Site, sandbox: Sandbox
) -> None:
    """It says until when, then whose lines they are; what is settled is asked of nobody again."""
    await sandbox.behave(transcript_after=3600.0)
    launched = await spoken(here)
    await here.desk.end(launched.session.id)
    await sandbox.leave(launched.room_url)
    here.ahead = LATER - 60
    pending = await here.desk.transcript(launched.session.id)
    assert (pending.state, pending.source) == ("pending", "gateway") and " UTC" in pending.says
    here.ahead = LATER
    found = await here.desk.transcript(launched.session.id)
    assert (found.state, found.source) == ("ready", "gateway") and "ten minutes after the end" in found.says
    assert found.lines == pending.lines and len(found.lines) == 2
    calls = len(await sandbox.calls("auto.transcript"))
    assert await here.desk.transcript(launched.session.id) == found
    assert len(await sandbox.calls("auto.transcript")) == calls


async def test_simlis_transcript_is_the_truth_and_the_gateway_adds(here: Site, sandbox: Sandbox) -> None:
    """Both are merged; once the session is over that is kept, and Simli may forget it."""
    launched = await spoken(here)
    line = [{"role": "assistant", "content": "At"}]
    await sandbox.fault("auto.transcript", status=200, body={"transcript": line})
    early = await here.desk.transcript(launched.session.id)
    assert early.state == "ready" and await here.store.sessions.settled(launched.session.id) is None
    await here.desk.end(launched.session.id)
    found = await here.desk.transcript(launched.session.id)
    assert (found.state, found.source) == ("ready", "both")
    assert [(each.role, each.text) for each in found.lines] == [("user", "When?"), ("assistant", "At")]
    assert found.lines[1].at is not None
    await sandbox.mend()
    await sandbox.fault("auto.transcript", status=404, body={"detail": "gone"})
    assert await here.desk.transcript(launched.session.id) == found


async def test_what_simli_refuses_is_an_error_until_the_gateways_record_serves(here: Site, sandbox: Sandbox) -> None:
    """A refused key is said as that; after ten minutes what the gateway has is better than nothing, and says why."""
    launched = await spoken(here)
    await here.desk.end(launched.session.id)
    await sandbox.fault("auto.transcript", status=401, body={"detail": "INVALID_API_KEY"})
    with pytest.raises(SimliAuthFailed):
        await here.desk.transcript(launched.session.id)
    here.ahead = LATER
    found = await here.desk.transcript(launched.session.id)
    assert found.source == "gateway" and "INVALID_API_KEY" in found.says and len(found.lines) == 2


async def test_where_nothing_is_written_down_that_is_said(here: Site, sandbox: Sandbox) -> None:
    """An agent without transcripts, and a session in which nobody spoke."""
    mute = await here.desk.start("mute", False)
    found = await here.desk.transcript(mute.session.id)
    assert (found.state, found.source, found.lines) == ("ready", "none", ()) and "transcript: false" in found.says
    assert (await sandbox.calls("auto.start"))[-1]["body"]["createTranscript"] is False
    assert not await sandbox.calls("auto.transcript")
    silent = await here.desk.start("nora", False)
    await here.desk.end(silent.session.id)
    await sandbox.fault("auto.transcript", status=404, body={})
    here.ahead = LATER
    found = await here.desk.transcript(silent.session.id)
    assert (found.state, found.source) == ("ready", "none") and "no turn of it came" in found.says


async def test_a_links_transcript_is_the_gateways(here: Site, sandbox: Sandbox) -> None:
    """Browsers start its sessions, so nobody here knows their ids: once it is over, its turns are what there is."""
    await here.applied()
    launched = await here.desk.link("nora", ["https://a.example"])
    await asked(here, launched.session, "When?", "At five.")
    assert (await here.desk.transcript(launched.session.id)).state == "pending"
    await here.desk.end(launched.session.id)
    found = await here.desk.transcript(launched.session.id)
    assert (found.state, found.source) == ("ready", "gateway") and "started by browsers" in found.says
    assert not await sandbox.calls("auto.transcript")


async def test_what_is_due_is_fetched_by_itself(here: Site, sandbox: Sandbox) -> None:
    """Ended and expired sessions get their transcript without anybody asking; a launch that failed has none."""
    launched = await spoken(here)
    await sandbox.leave(launched.room_url)
    assert await collected(here.pad) == 0
    await here.desk.end(launched.session.id)
    await sandbox.fault("auto.start", status=402, body={"detail": "BILLING_ERROR"})
    with pytest.raises(Exception, match="BILLING_ERROR"):
        await here.desk.start("nora", False)
    failed = await here.desk.transcript((await here.desk.listed())[0].id)
    assert (failed.state, failed.source) == ("ready", "none") and "never started" in failed.says
    async with reaped(here.pad, 0.05):
        for _ in range(200):
            if (found := await here.store.sessions.settled(launched.session.id)) is not None:
                break
            await asyncio.sleep(0.01)
    assert found is not None and found.lines and await here.store.sessions.claim(10) == []


async def test_a_fetch_that_fails_is_tried_again(here: Site, sandbox: Sandbox, caplog: Any) -> None:
    """Simli's refusal ends no task: the session stays due, a minute later again."""
    launched = await spoken(here)
    await here.desk.end(launched.session.id)
    await sandbox.fault("auto.transcript", "failing")
    assert await collected(here.pad) == 0
    key = here.store.connection.key("sessions", "due")
    [(_, when)] = (await here.store.connection.take(("ZRANGE", key, 0, -1, "WITHSCORES")))[0]
    assert float(when) == pytest.approx(time.time() + 60, abs=5)
