"""What a room tells of itself, and how what happens in it goes wrong where that is wanted."""

import asyncio
import time
from typing import Any

import pytest

from tests.sandbox.account import Account
from tests.sandbox.room import following
from tests.sandbox.viewer import viewing
from tests.sandboxed import caller
from tests.upstream import Answer, Hang, Pause, Script, error, in_turn, scripted

pytestmark = pytest.mark.asyncio(loop_scope="module")
HEADERS = {
    "x-request-id": "req-7",
    "x-gateway-target": "local/tiny model",
    "x-gateway-sources": "boats.md%231,lamp.md%2Ctwo",
    "Server-Timing": "parse;dur=0.5, retrieve;dur=20.5, upstream;dur=100.0, cache",
}
ORDER = ["asked", "asked_end", "requested", "first_token", "first_clause", "first_sound", "first_mouth", "end"]


async def room(simli: Account, started: dict[str, str]) -> dict[str, Any]:
    async with caller() as http:
        found: dict[str, Any] = (await http.get(f"{started['roomUrl']}/state.json")).json()
    return found


async def test_events_tell_what_was_and_what_comes(simli: Account) -> None:
    """First the state and the turns so far, then each change, until the session is over: then they end."""
    async with scripted(in_turn(Script(["Yes."]), Script(["Three", Pause(0.1), ", two."]))) as llm:
        started = await simli.talk(llm.url)
        await simli.sandbox.say(started["roomUrl"], "Are you there?")
        async with following(started["roomUrl"]) as followed:
            assert followed.states == [
                {"state": "listening", "reason": "", "hearing": False, "ears": followed.states[0]["ears"]}
            ]
            asked = asyncio.create_task(simli.sandbox.say(started["roomUrl"], "Count!"))
            await followed.turn(1, said="Three", spoken=False)
            await asked
            turn = await followed.turn(1, said="Three, two.", spoken=True)
            assert (turn["by"], turn["asked"], turn["error"]) == ("typed", "Count!", None)
            await simli.sandbox.leave(started["roomUrl"])
            await followed.until(lambda: followed.over, "the end")
    assert followed.names[:2] == ["state", "turn"] and followed.turns[0]["said"] == "Yes."
    assert {"thinking", "speaking"} <= {state["state"] for state in followed.states}
    assert (followed.states[-1]["state"], followed.states[-1]["reason"]) == ("ended", "left")
    assert followed.turns == {turn["number"]: turn for turn in (await room(simli, started))["turns"]}


async def test_events_of_a_session_that_is_over_end_at_once(simli: Account) -> None:
    """They tell of it once more; those of a room that never was are a 404."""
    started = await simli.start()
    await simli.sandbox.leave(started["roomUrl"])
    async with following(started["roomUrl"]) as followed:
        await followed.until(lambda: followed.over, "the end")
    assert [state["state"] for state in followed.states] == ["ended"]
    async with caller() as http:
        assert (await http.get(f"{simli.sandbox.url}/room/none/events")).status_code == 404


async def test_a_turn_tells_what_the_headers_told(simli: Account) -> None:
    """Who answered, from which passages, how long each part took; and so does one that was refused."""
    script = in_turn(
        Script(["Yes."], headers=HEADERS), Answer(500, error("Oh."), headers={"x-request-id": "req-8"}), Script(["No."])
    )
    async with scripted(script) as llm:
        started = await simli.talk(llm.url)
        first = await simli.sandbox.say(started["roomUrl"], "Who?")
        told = first["told"]
        assert (told["request_id"], told["target"], told["sources"]) == (
            "req-7",
            "local/tiny model",
            ["boats.md#1", "lamp.md,two"],
        )
        assert told["timings"] == {"parse": 0.5, "retrieve": 20.5, "upstream": 100.0}
        moments = first["moments"]
        assert moments["retrieved"] - moments["requested"] == pytest.approx(0.021, abs=1e-4)
        plain = await simli.sandbox.say(started["roomUrl"], "Who?")
    assert "retrieved" not in plain["moments"]
    assert plain["told"]["timings"] == {} and plain["told"]["sources"] == []


async def test_the_moments_of_a_turn_are_in_order(simli: Account) -> None:
    """From the question to the last sound, with a viewer; each between the beginning and the end of the test."""
    answer = Script(["At half past seven, ", Pause(0.2), "it goes."])
    async with scripted(answer) as llm, viewing() as (viewer, offer), caller() as http:
        started = await simli.talk(llm.url)
        await viewer.take((await http.post(f"{started['roomUrl']}/offer", json=offer)).text)
        await viewer.seen()
        began = time.time()
        turn = await simli.sandbox.say(started["roomUrl"], "When?", until="spoken")
        over = time.time()
        await simli.sandbox.leave(started["roomUrl"])
    moments = turn["moments"]
    times = [moments[name] for name in ORDER]
    assert times == sorted(times) and began <= times[0] and times[-1] <= over
    assert moments["last_token"] > moments["first_clause"] and "interrupted" not in moments
    assert moments["first_sound"] - moments["first_clause"] < 0.2
    assert 0 <= moments["first_mouth"] - moments["first_sound"] < 0.3


async def test_an_interruption_has_its_moments(simli: Account) -> None:
    """When somebody began to speak over it, and when it was silent; the last token never came."""
    async with scripted(in_turn(Script(["One, ", "two", Hang()]), Script(["Yes."]))) as llm:
        started = await simli.talk(llm.url)
        async with following(started["roomUrl"]) as followed:
            first = asyncio.create_task(simli.sandbox.say(started["roomUrl"], "Count!"))
            await followed.turn(0, said="One, two")
            await simli.sandbox.say(started["roomUrl"], "Stop.")
            moments = (await first)["moments"]
    assert moments["first_token"] < moments["interrupted"] <= moments["hushed"] <= moments["end"]
    assert "last_token" not in moments


async def test_a_wrong_key_is_wrong_wherever_it_is_sent(simli: Account) -> None:
    """In the header, and where the key or a capability stands in the address, of the same form."""
    async with scripted() as llm:
        url = llm.url.removesuffix("/v1") + "/k/nora.0123456789abcdef/agents/nora/v1"
        started = await simli.talk(url)
        await simli.sandbox.behave(llm_key="wrong", session=started["sessionId"])
        await simli.sandbox.say(started["roomUrl"], "Hello?")
        [request] = llm.requests
    key, capability = request.headers["authorization"].removeprefix("Bearer "), request.path.split("/")[2]
    assert key != "sk-of-the-session" and (key[:3], len(key)) == ("sk-", len("sk-of-the-session"))
    assert capability != "nora.0123456789abcdef" and capability.startswith("nora.01234567")
    assert request.path.endswith("/agents/nora/v1/chat/completions")


@pytest.mark.parametrize(
    ("kind", "status", "detail"),
    [
        ("token_expired", 401, "Invalid or expired session token"),
        ("origin_refused", 401, "Origin not allowed"),
        ("face_unknown", 400, "INVALID_FACE_ID"),
    ],
)
async def test_a_session_that_is_refused(simli: Account, kind: str, status: int, detail: str) -> None:
    """By a fault of its kind, in the words of the real refusal; nothing is billed, and the next one is begun."""
    agent, token = await simli.agent(), await simli.token()
    await simli.sandbox.fault("auto.start*", kind, count=1)
    path = f"/auto/start/{agent['id']}/{token}"
    refused = await simli.http.get(path)
    assert (refused.status_code, refused.json()) == (status, {"detail": detail})
    assert (await simli.sandbox.state())["billed"] == 0
    assert (await simli.http.get(path)).status_code == 200


async def test_an_llm_that_is_never_called(simli: Account) -> None:
    """Nothing is asked, nothing said but the greeting; its operator reads why, the person in the room does not."""
    async with scripted() as llm:
        started = await simli.talk(llm.url, firstMessage="Good day.")
        await simli.sandbox.behave(llm="never", session=started["sessionId"])
        turn = await simli.sandbox.say(started["roomUrl"], "Hello?", until="spoken")
        assert llm.requests == []
    assert (turn["said"], turn["error"]) == ("", None) and "requested" not in turn["moments"]
    greeting, silent = (await simli.sandbox.session(started["sessionId"]))["turns"]
    assert greeting["heard"] == "Good day." and "not called" in silent["error"]


async def test_a_voice_provider_that_refuses(simli: Account) -> None:
    """The answer comes and is not heard, with a viewer or without; nobody in the room is told, nothing remembered."""
    async with scripted() as llm, viewing() as (viewer, offer), caller() as http:
        started = await simli.talk(llm.url)
        await simli.sandbox.behave(tts="refused", session=started["sessionId"])
        unseen = await simli.sandbox.say(started["roomUrl"], "Hello?", until="spoken")
        await viewer.take((await http.post(f"{started['roomUrl']}/offer", json=offer)).text)
        await viewer.seen()
        seen = await simli.sandbox.say(started["roomUrl"], "Hello?", until="spoken")
        loudest = max((sound.rms for sound in viewer.sounds), default=0)
        session = await simli.sandbox.session(started["sessionId"])
        await simli.sandbox.leave(started["roomUrl"])
    for turn in (unseen, seen):
        assert (turn["said"], turn["heard"], turn["error"], turn["spoken"]) == ("Hello there.", "", None, True)
        assert "first_sound" not in turn["moments"]
    assert loudest < 100 and all("voice provider" in turn["error"] for turn in session["turns"])
    assert [line["role"] for line in session["said"]] == ["user", "user"]


async def test_a_wrong_sample_rate(simli: Account) -> None:
    """The same words take three times as long to say."""
    async with scripted(Script(["One."])) as llm, viewing() as (viewer, offer), caller() as http:
        started = await simli.talk(llm.url)
        await viewer.take((await http.post(f"{started['roomUrl']}/offer", json=offer)).text)
        await viewer.seen()
        lengths = []
        for sound in ("right", "wrong_rate"):
            await simli.sandbox.behave(sound=sound)
            moments = (await simli.sandbox.say(started["roomUrl"], "Count!", until="spoken"))["moments"]
            lengths.append(moments["end"] - moments["first_sound"])
        await simli.sandbox.leave(started["roomUrl"])
    assert lengths[1] / lengths[0] == pytest.approx(3, abs=0.3)


@pytest.mark.parametrize(("behaviour", "pictures", "sounds"), [("audio", False, True), ("none", False, False)])
async def test_media_that_is_missing(simli: Account, behaviour: str, pictures: bool, sounds: bool) -> None:
    """A room's avatar without a picture, or without anything, as a session of its own is set to."""
    async with viewing() as (viewer, offer), caller() as http:
        started = await simli.start(firstMessage="Good day to you.")
        await simli.sandbox.behave(media=behaviour, session=started["sessionId"])
        await viewer.take((await http.post(f"{started['roomUrl']}/offer", json=offer)).text)
        await asyncio.sleep(0.7)
        await simli.sandbox.leave(started["roomUrl"])
    assert (bool(viewer.frames), any(sound.rms > 500 for sound in viewer.sounds)) == (pictures, sounds)


async def test_ice_that_is_blocked(simli: Account) -> None:
    """The offer is answered, and no picture ever comes."""
    async with viewing() as (viewer, offer), caller() as http:
        started = await simli.start(firstMessage="Good day.")
        await simli.sandbox.behave(ice="blocked", session=started["sessionId"])
        await viewer.take((await http.post(f"{started['roomUrl']}/offer", json=offer)).text)
        await asyncio.sleep(0.7)
        assert viewer.frames == [] and viewer.connection.connectionState != "connected"
        assert (await room(simli, started))["turns"] == []
        await simli.sandbox.leave(started["roomUrl"])


async def test_a_connection_that_is_gone_without_a_word(simli: Account) -> None:
    """Seconds after it was there pictures cease, and nothing says so; the session goes on, and takes another."""
    async with viewing() as (viewer, offer), viewing() as (other, again), caller() as http:
        started = await simli.start(firstMessage="Good day.")
        await simli.sandbox.behave(drops_after=0.3, session=started["sessionId"])
        await viewer.take((await http.post(f"{started['roomUrl']}/offer", json=offer)).text)
        await viewer.seen()
        began = viewer.since()
        await asyncio.sleep(1.0)
        assert viewer.frames[-1].at - began < 0.6
        assert viewer.connection.connectionState == "connected"
        await simli.sandbox.behave(drops_after=0, session=started["sessionId"])
        await other.take((await http.post(f"{started['roomUrl']}/offer", json=again)).text)
        await other.seen(5)
        assert (await room(simli, started))["state"] == "listening"
        await simli.sandbox.leave(started["roomUrl"])
