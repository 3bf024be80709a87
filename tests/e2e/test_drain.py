"""SIGTERM and Ctrl-C: who is still answered, how what runs ends, and when the process is gone."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.caller import Call, calling
from tests.serving import Gateway, gateway_process
from tests.upstream import Hang, Pause, Script, Upstream

AGENT = "---\nlanguage: en\napology: Sorry.\n---\nYou are Nora.\n"
ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "How tall is it?"}]}
SLOW_EXIT = 1.5
"""Seconds for a process with nothing to do to end, on a busy machine. (At a terminal a second is the promise; the test
of it says so.)"""


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    """A folder with one agent."""
    folder = tmp_path / "prompts"
    folder.mkdir()
    (folder / "nora.md").write_text(AGENT)
    return folder


def config(upstream: str, prompts: Path, *, notice: float, timeout: float) -> str:
    """One route to the scripted upstream, which may take its time, and how the process drains."""
    return f"""
        prompts = "{prompts}"
        default_route = "up"
        [server]
        drain_notice = {notice}
        drain_timeout = {timeout}
        [[routes.up.targets]]
        url = "{upstream}"
        model = "scripted"
        first_token = 30.0
        between_chunks = 30.0
    """


def asking(running: Gateway, model: str = "nora", *, stream: bool = True) -> Any:
    """Ask the agent, or the route itself."""
    return calling(f"{running.url}/v1/chat/completions", {**ASK, "model": model, "stream": stream})


async def exited(running: Gateway, within: float) -> float:
    """Wait for the process; the seconds that it took. It must end by itself, with 0."""
    began = time.perf_counter()
    assert await asyncio.to_thread(running.process.wait, within) == 0, running.log
    return time.perf_counter() - began


async def status(url: str) -> tuple[int, Any]:
    """Of a GET on a new connection."""
    async with calling(url) as call:
        return await call.head(), await call.json()


async def test_s12_readiness_turns_first_and_the_listener_stays_open(upstream: Upstream, prompts: Path) -> None:
    """After SIGTERM health is 503 and chats are refused with 503, on new and on kept connections, for drain_notice."""
    with gateway_process(config(upstream.url, prompts, notice=1.5, timeout=5)) as running:
        async with calling(f"{running.url}/readyz") as kept:
            assert await kept.head() == 200 and await kept.json() == {"status": "ok", "missing": []}
            began = time.perf_counter()
            running.process.send_signal(signal.SIGTERM)
            await until(lambda: answers(f"{running.url}/readyz", 503), 0.5)
            kept.writer.write(b"GET /readyz HTTP/1.1\r\nhost: kept\r\n\r\n")
            kept.status = 0
            assert await kept.head() == 503 and (await kept.json())["status"] == "draining"
            assert kept.headers["connection"] == "close"  # the callers' pools go elsewhere
        refused = 0
        while time.perf_counter() - began < 1.3:
            async with asking(running) as call:
                assert await call.head() == 503
                assert (await call.json())["error"]["code"] == "shutting_down" and "retry-after-ms" in call.headers
            assert (await status(f"{running.url}/livez"))[0] == 200
            refused += 1
            await asyncio.sleep(0.05)
        assert refused > 3
        await exited(running, 1.5 - 1.3 + SLOW_EXIT)  # nothing ran, so it ends with the notice
        assert time.perf_counter() - began >= 1.5
    assert upstream.requests == []


async def answers(url: str, wanted: int) -> bool:
    """Whether it answers with this status."""
    return (await status(url))[0] == wanted


async def until(holds: Callable[[], Awaitable[bool]], within: float) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(within):
        while not await holds():  # noqa: ASYNC110 it is asked over the network
            await asyncio.sleep(0.01)


async def test_s12_streams_under_load_finish_by_themselves(upstream: Upstream, prompts: Path) -> None:
    """SIGTERM under fifty streams: each says all that it had to say, and finishes; the exit code is 0."""
    words = [f"word{at} " for at in range(20)]
    upstream.script = Script([step for word in words for step in (word, Pause(0.05))])
    with gateway_process(config(upstream.url, prompts, notice=0.3, timeout=10)) as running:

        async def whole(model: str) -> tuple[str, str]:
            async with asking(running, model) as call:
                events = [event async for event in call.events()]
            assert events[-1].data == "[DONE]"
            said = "".join(event.json["choices"][0]["delta"].get("content") or "" for event in events[:-1])
            return said, events[-2].json["choices"][0]["finish_reason"]

        calls = [asyncio.create_task(whole(model)) for model in ("nora", "up") * 25]
        await upstream.asked(50)
        running.process.send_signal(signal.SIGTERM)
        ended = await asyncio.gather(*calls)
        await exited(running, SLOW_EXIT)
    assert {(said.strip(), finish) for said, finish in ended} == {("".join(words).strip(), "stop")}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_s12_what_cannot_finish_is_ended_with_words(
    upstream: Upstream, prompts: Path, number: signal.Signals
) -> None:
    """Past drain_timeout a hanging stream, a turn without a first word and a whole answer each get a proper ending."""

    def script(request: Any) -> Script:
        mute = request.json["messages"][-1]["content"].startswith("Mute")
        return Script([], before=[Hang()]) if mute else Script(["Hel", Hang()])

    upstream.script = script
    muted = {**ASK, "messages": [{"role": "user", "content": "Mute?"}]}
    with gateway_process(config(upstream.url, prompts, notice=0.2, timeout=1.0)) as running:
        url = f"{running.url}/v1/chat/completions"
        began = time.perf_counter()
        ending = {
            (model, question, stream): asyncio.create_task(
                ended(url, {**(ASK if question == "begun" else muted), "model": model, "stream": stream})
            )
            for model in ("nora", "up")
            for question in ("begun", "mute")
            for stream in (True, False)
        }
        await upstream.asked(len(ending))
        running.process.send_signal(number)
        found = {what: await task for what, task in ending.items()}
        assert 0.9 < time.perf_counter() - began < 4
        await exited(running, SLOW_EXIT)
    refused = (503, "shutting_down")
    assert found == {
        ("nora", "begun", True): (200, "Hel… Sorry.", "stop"),
        ("nora", "begun", False): (200, "Hel… Sorry.", "stop"),
        ("nora", "mute", True): (200, "Sorry.", "stop"),
        ("nora", "mute", False): (200, "Sorry.", "stop"),
        ("up", "begun", True): (200, "Hel", "shutting_down"),
        ("up", "begun", False): refused,
        ("up", "mute", True): refused,
        ("up", "mute", False): refused,
    }


async def ended(url: str, body: dict[str, Any]) -> tuple[object, ...]:
    """How an answer ended: status, what was said, finish reason or error code. A stream must have its terminator."""
    async with calling(url, body) as call:
        if await call.head() != 200:
            return call.status, (await call.json())["error"]["code"]
        if not body["stream"]:
            choice = (await call.json())["choices"][0]
            return 200, choice["message"]["content"], choice["finish_reason"]
        events = [event async for event in call.events()]
    assert events[-1].data == "[DONE]"
    values = [event.json for event in events[:-1]]
    said = "".join(value["choices"][0]["delta"].get("content") or "" for value in values if "choices" in value)
    last = values[-1]
    return 200, said, last["error"]["code"] if "error" in last else last["choices"][0]["finish_reason"]


async def test_s12_a_second_signal_ends_at_once_and_still_with_words(upstream: Upstream, prompts: Path) -> None:
    """Ctrl-C twice under a stream that hangs: the apology, the finish, and an exit within a second and a half."""
    upstream.script = Script(["Hel", Hang()])
    with gateway_process(config(upstream.url, prompts, notice=20, timeout=25)) as running:
        async with asking(running) as call:
            await call.head()
            running.process.send_signal(signal.SIGTERM)
            await until(lambda: answers(f"{running.url}/readyz", 503), 0.5)
            began = time.perf_counter()
            running.process.send_signal(signal.SIGINT)
            chunks = await call.chunks()
            assert time.perf_counter() - began < 0.5
        await exited(running, SLOW_EXIT)
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "Hel… Sorry."
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


async def test_a_caller_that_never_reads_cannot_hold_the_end_up(upstream: Upstream, prompts: Path) -> None:
    """A connection that does not take its last words is cut some seconds after the others have ended."""
    upstream.script = Script(["x" * 10_000] * 2000)
    with gateway_process(
        config(upstream.url, prompts, notice=0, timeout=0.5).replace("[server]", "[server]\nwrite_timeout = 60.0")
    ) as running:
        call: Call
        async with asking(running, "up") as call:
            await call.head()
            call.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a reader and a writer in one
            await asyncio.sleep(0.3)
            running.process.send_signal(signal.SIGTERM)
            assert await exited(running, 0.5 + 5 + SLOW_EXIT) > 0.4


async def test_control_c_at_a_terminal_ends_within_a_second(upstream: Upstream, prompts: Path) -> None:
    """SIGINT to an idle gateway: nobody watches readiness there, so there is no notice; idle connections are closed."""
    with gateway_process(config(upstream.url, prompts, notice=20, timeout=25)) as running:
        async with calling(f"{running.url}/readyz") as kept:
            await kept.body()
            running.process.send_signal(signal.SIGINT)
            assert await exited(running, 5) < 1
            assert await kept.reader.read() == b""
