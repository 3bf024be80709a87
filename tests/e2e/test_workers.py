"""`gateway serve --workers`: what dies, what is replaced and what ends, under streams."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import httpx

from tests.caller import Call, calling
from tests.e2e.conftest import gateway
from tests.knowledge import LIGHTHOUSE, with_model, write
from tests.load.listening import Heard, listened
from tests.load.owners import owners, workers
from tests.serving import Gateway, gateway_process
from tests.upstream import Pause, Script, Upstream

WORDS = [f"word{at} " for at in range(15)]
LONG = Script([step for word in WORDS for step in (word, Pause(0.1))])
CONFIG = """
prompts = "{place}"
default_route = "up"
knowledge.directory = "{place}/knowledge"
[server]
drain_notice = 0
drain_timeout = 10
[[routes.up.targets]]
url = "{url}"
model = "scripted"
"""


def settings(place: Path, upstream: Upstream) -> str:
    """One agent, a collection, and one route to the scripted upstream, which speaks for a second and a half."""
    (place / "nora.md").write_text("---\nlanguage: en\napology: Sorry.\n---\nYou are Nora.\n")
    write(place / "knowledge" / "lighthouse", LIGHTHOUSE)
    upstream.script = LONG
    return CONFIG.format(place=place, url=upstream.url)


def file(running: Gateway) -> Path:
    """Its settings."""
    arguments = running.process.args
    assert isinstance(arguments, list)
    return Path(arguments[arguments.index("--config") + 1])


def port(running: Gateway) -> int:
    """Where it listens."""
    return int(running.url.rpartition(":")[2])


async def asked(running: Gateway, **headers: str) -> Heard:
    """Ask, and listen to the end."""
    body = {"model": "up", "stream": True, "messages": [{"role": "user", "content": "How tall is it?"}]}
    return await listened(f"{running.url}/v1/chat/completions", body, headers=headers)


async def asking(
    running: Gateway, upstream: Upstream, count: int = 16, **headers: str
) -> Sequence["asyncio.Task[Heard]"]:
    """So many callers that listen."""
    before = len(upstream.requests)
    calls = [asyncio.create_task(asked(running, **headers)) for _ in range(count)]
    await upstream.asked(before + count)
    return calls


async def on_kept(call: Call) -> bytes:
    """Ask for readiness on a connection that has been used; the head of the answer in lower case."""
    await asyncio.sleep(0.02)
    call.writer.write(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")
    return (await call.reader.readuntil(b"\r\n\r\n")).lower()


async def until(true: Callable[[], bool], running: Gateway, seconds: float = 15.0) -> None:
    """Wait for it."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, running.log
        await asyncio.sleep(0.02)


def gone(pid: int) -> bool:
    """Whether the process has ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def building(workers: Collection[int]) -> dict[int, int]:
    """The processes that build versions for these workers, by worker."""
    found = {}
    for each in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(each.read_text().rpartition(")")[2].split()[1])
            if parent in workers and b"gateway.retrieval.build" in each.with_name("cmdline").read_bytes():
                found[parent] = int(each.parent.name)
    return found


async def ingesting(running: Gateway) -> tuple[str, int, int]:
    """Ask for an ingest, and stop the process that builds; the job, the worker that has it, and that process."""
    job = (await knowledge(running, "POST", "/ingest"))["id"]
    await until(lambda: bool(building(workers(running.process.pid))), running)
    ((worker, child),) = building(workers(running.process.pid)).items()
    os.kill(child, signal.SIGSTOP)
    await come(running, f"/jobs/{job}", lambda shown: shown["state"] == "running")
    return job, worker, child


async def ingested(running: Gateway, job: str) -> Any:
    """The job once it has ended, and what it has made is searched."""
    last = await come(running, f"/jobs/{job}", lambda shown: shown["state"] in ("done", "failed"))
    found = await knowledge(running, "POST", "/lighthouse/search", {"question": "Who nests in May?"})
    assert found["version"] == last["collections"][0]["version"], last
    return last


async def come(running: Gateway, path: str, true: Callable[[Any], bool]) -> Any:
    """What is answered at /admin/knowledge, once that is true."""
    async with asyncio.timeout(30):
        while not true(shown := await knowledge(running, "GET", path)):  # noqa: ASYNC110 nothing tells of it
            await asyncio.sleep(0.1)
    return shown


async def knowledge(running: Gateway, method: str, path: str, body: Any = None) -> Any:
    """What is answered at /admin/knowledge, on a connection of its own; asked again where a worker dies of it."""
    while True:
        with suppress(httpx.TransportError):
            async with httpx.AsyncClient(timeout=20) as http:
                answer = await http.request(method, f"{running.url}/admin/knowledge{path}", json=body)
                assert answer.status_code in (200, 202), answer.text
                return answer.json()


async def test_a_killed_worker_takes_only_its_own_streams(upstream: Upstream, tmp_path: Path) -> None:
    """Its callers lose their answers, all others' end properly, a key goes on to be known, and it is replaced.

    The ingest that it had is another one's after 5 s, the same job, and comes to its end.
    """
    text = f"auth.anonymous = false\n{settings(tmp_path, upstream)}"
    environ = {"GATEWAY_VAR": str(with_model(tmp_path / "var"))}
    made = await asyncio.to_thread(gateway, "keys", "create", environ=environ)
    ours = f"Bearer {made.stdout.strip()}"
    with gateway_process(text, environ, arguments=["--workers", "2"]) as running:
        before = workers(running.process.pid)
        assert len(before) == 2
        job, killed, child = await ingesting(running)
        calls = await asking(running, upstream, authorization=ours)
        served = owners(port(running), before)
        counts = {pid: list(served.values()).count(pid) for pid in before}
        assert sum(counts.values()) == 16
        os.kill(killed, signal.SIGKILL)
        os.kill(child, signal.SIGCONT)  # it ends with its worker
        endings = [(await call).ending for call in calls]
        assert sorted(endings) == ["bare"] * counts[killed] + ["finish"] * (16 - counts[killed])
        assert (await asked(running, authorization=ours)).ending == "finish"
        assert (await asked(running, authorization="Bearer gw_000000000000_x")).status == 401
        await until(lambda: len(workers(running.process.pid)) == 2, running)
        assert set(workers(running.process.pid)) - {killed} > set(before) - {killed}
        last = await ingested(running, job)
        assert (last["state"], last["attempts"], last["killed"]) == ("done", 2, 1), last
    assert f"(process {killed}) was ended by SIGKILL; it is started again at once" in running.log
    assert running.log.count("serving on") == 1


async def test_a_rolling_restart_cuts_nothing_and_a_fault_ends_it(upstream: Upstream, tmp_path: Path) -> None:
    """Streams of workers that are replaced say all; a kept connection is served and told to close; a fault is told.

    An ingest goes on in a worker that stays, the same job, and comes to its end.
    """
    text = settings(tmp_path, upstream)
    environ = {"GATEWAY_VAR": str(with_model(tmp_path / "var"))}
    with gateway_process(text, environ, arguments=["--workers", "2"]) as running:
        old = workers(running.process.pid)
        job, _, _ = await ingesting(running)
        calls = await asking(running, upstream)
        async with AsyncExitStack() as stack:
            kept = [await stack.enter_async_context(calling(f"{running.url}/livez")) for _ in range(12)]
            assert [await call.body() for call in kept] == [b'{"status":"ok"}'] * 12
            held = owners(port(running), old)
            running.process.send_signal(signal.SIGUSR2)
            await until(lambda: running.log.count("serves after") == 3, running)
            heads = {call.writer.get_extra_info("sockname")[1]: await on_kept(call) for call in kept}
            assert all(head.startswith(b"http/1.1 200 ") for head in heads.values())
            told = {held[caller]: b"connection: close" in head for caller, head in heads.items()}
            assert sum(told.values()) == 1 or len(told) == 1
            assert [told[held[caller]] for caller in heads] == [b"connection: close" in each for each in heads.values()]
        await until(lambda: "the rolling restart took" in running.log, running, 30.0)
        await asyncio.gather(*calls)
        assert {(call.result().ending, call.result().text) for call in calls} == {("finish", "".join(WORDS))}
        new = workers(running.process.pid)
        assert len(new) == 2
        assert not set(old) & set(new)
        last = await ingested(running, job)
        assert (last["state"], last["attempts"] > 1, last["killed"]) == ("done", True, 0), last
        await asyncio.to_thread(file(running).write_text, text.replace("drain_timeout = 10", "drain_timeout = 'x'"))
        running.process.send_signal(signal.SIGUSR2)
        await until(lambda: "the rolling restart is given up" in running.log, running)
        assert "server.drain_timeout" in running.log
        assert workers(running.process.pid) == new
        assert (await asked(running)).ending == "finish"


async def test_workers_without_a_supervisor_finish_and_end(upstream: Upstream, tmp_path: Path) -> None:
    """SIGKILL of the supervisor: running answers are said to the end, and nobody keeps the port."""
    with gateway_process(settings(tmp_path, upstream), arguments=["--workers", "2"]) as running:
        left = workers(running.process.pid)
        calls = await asking(running, upstream)
        running.process.kill()
        assert {(await call).ending for call in calls} == {"finish"}
        await until(lambda: all(gone(pid) for pid in left), running)
        assert (await asked(running)).ending == "unreachable"


async def test_sigterm_drains_every_worker(upstream: Upstream, tmp_path: Path) -> None:
    """Running answers are said to the end on all of them, new callers are not answered, and the status is 0."""
    with gateway_process(settings(tmp_path, upstream), arguments=["--workers", "2"]) as running:
        calls = await asking(running, upstream)
        running.process.send_signal(signal.SIGTERM)
        assert {(await call).ending for call in calls} == {"finish"}
        assert await asyncio.to_thread(running.process.wait, 5) == 0
        assert (await asked(running)).ending == "unreachable"


async def test_one_process_says_that_it_has_no_workers(upstream: Upstream, tmp_path: Path) -> None:
    """SIGUSR2 does not end a gateway without workers: it says what to do."""
    with gateway_process(settings(tmp_path, upstream)) as running:
        running.process.send_signal(signal.SIGUSR2)
        await until(lambda: "start it with --workers 2 or more" in running.log, running)
        async with calling(f"{running.url}/livez") as call:
            assert await call.head() == 200


def test_what_cannot_be_wanted_together_is_said(tmp_path: Path) -> None:
    """Workers beside a local model, and a number that is none, are faults of the configuration, beside all others."""
    environ: dict[str, Any] = {"GATEWAY_VAR": str(tmp_path)}
    both = gateway("serve", "--workers", "2", "--gguf", str(tmp_path / "none.gguf"), environ=environ)
    assert both.returncode == 78
    assert "server.workers: with several workers each would load the local language model (route llm)" in both.stderr
    assert "none.gguf" in both.stderr
    none = gateway("serve", "--workers", "0", environ=environ)
    assert none.returncode == 78
    assert "--workers: must be a number from 1 to 64, not 0" in none.stderr
