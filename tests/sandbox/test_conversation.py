"""When a session runs, the sandbox is Simli: it asks the LLM, and remembers what was said and heard."""

import asyncio
import json
import time

import httpx
import pytest

from tests.sandbox.account import Account
from tests.sandbox.viewer import viewing
from tests.sandboxed import caller
from tests.upstream import Answer, Cut, End, Hang, Pause, Script, Upstream, error, scripted

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def said(simli: Account, started: dict[str, str]) -> list[tuple[str, str]]:
    """The history of a session."""
    session = await simli.sandbox.session(started["sessionId"])
    return [(line["role"], line["text"]) for line in session["said"]]


async def test_the_llm_gets_the_conversation(simli: Account) -> None:
    """Streaming, with the usage, the key and the model; the prompt first, the greeting as the assistant's line."""
    async with scripted() as llm:
        started = await simli.talk(llm.url, firstMessage="Good day.")
        first = await simli.sandbox.say(started["roomUrl"], "Who are you?")
        await simli.sandbox.say(started["roomUrl"], "And then?")
    assert (first["said"], first["heard"], first["error"]) == ("Hello there.", "Hello there.", None)
    assert [request.path for request in llm.requests] == ["/v1/chat/completions"] * 2
    sent = llm.requests[1].json
    assert (sent["model"], sent["stream"], sent["stream_options"]) == ("nora", True, {"include_usage": True})
    assert [(one["role"], one["content"]) for one in sent["messages"]] == [
        ("system", "Be brief."),
        ("assistant", "Good day."),
        ("user", "Who are you?"),
        ("assistant", "Hello there."),
        ("user", "And then?"),
    ]
    assert llm.requests[1].headers["authorization"] == "Bearer sk-of-the-session"
    assert llm.requests[1].headers["user-agent"].startswith("AsyncOpenAI/Python")


@pytest.mark.parametrize("suffix", ["", "/chat/completions"])
async def test_an_agents_address_is_whole(simli: Account, suffix: str) -> None:
    """`llm_endpoint` is called as it is, with the token's LLM key; the prompt is the agent's."""
    async with scripted() as llm:
        agent = await simli.agent(llm_endpoint=f"{llm.url}{suffix}", llm_model="nora", prompt="Be kind.")
        token = await simli.token(llmAPIKey="sk-of-the-token")
        started = (await simli.http.get(f"/session/{agent['id']}/{token}")).json()
        await simli.sandbox.say(started["roomUrl"], "Hello?")
    request = llm.requests[0]
    assert request.path == "/v1/chat/completions"
    assert (request.headers["authorization"], request.json["model"]) == ("Bearer sk-of-the-token", "nora")
    assert request.json["messages"][0] == {"role": "system", "content": "Be kind."}


async def test_a_session_can_send_no_key_and_the_suffix_again(simli: Account) -> None:
    """For one session, or for all; no Authorization at all, and `/chat/completions` doubled."""
    async with scripted() as llm:
        one, other = await simli.talk(llm.url), await simli.talk(llm.url)
        await simli.sandbox.behave(llm_key="none", suffix="again", session=one["sessionId"])
        for started in (one, other):
            await simli.sandbox.say(started["roomUrl"], "Hello?")
        await simli.sandbox.behave(llm_key="none")
        await simli.sandbox.say(other["roomUrl"], "Hello?")
    seen = [(request.path, request.headers.get("authorization")) for request in llm.requests]
    assert seen == [
        ("/v1/chat/completions/chat/completions", None),
        ("/v1/chat/completions", "Bearer sk-of-the-session"),
        ("/v1/chat/completions", None),
    ]


async def test_a_new_turn_closes_the_stream(simli: Account) -> None:
    """Whoever interrupts hangs up on the LLM at once; the history holds what had been said until then."""
    async with scripted(lambda _: Script(["One, ", "two", Hang()] if len(llm.requests) == 1 else ["Yes."])) as llm:
        started = await simli.talk(llm.url)
        first = asyncio.create_task(simli.sandbox.say(started["roomUrl"], "Count!"))
        asked = await llm.asked()
        async with asyncio.timeout(5):
            while (await simli.sandbox.session(started["sessionId"]))["turns"][0]["said"] != "One, two":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        began = time.perf_counter()
        await simli.sandbox.say(started["roomUrl"], "Stop.")
        await asyncio.wait_for(asked.over.wait(), 5)
        assert asked.closed is not None and asked.closed - began < 0.5
        assert (await first)["interrupted"] is True
    assert [one["content"] for one in llm.requests[1].json["messages"]][1:] == ["Count!", "One, two", "Stop."]
    assert await said(simli, started) == [
        ("user", "Count!"),
        ("assistant", "One, two"),
        ("user", "Stop."),
        ("assistant", "Yes."),
    ]


async def test_only_what_was_heard_is_remembered(simli: Account) -> None:
    """With a viewer the answer takes its time to say: what is cut off after a second was not said."""
    text = "The last boat goes back at half past seven in the evening, and not a minute later than that."
    async with scripted(Script([text])) as llm, viewing() as (viewer, offer), caller() as http:
        started = await simli.talk(llm.url, firstMessage="Hello.")
        answer = await http.post(f"{started['roomUrl']}/offer", json=offer)
        assert list(answer.json()) == ["sdp", "type"]
        await viewer.take(answer.text)
        await viewer.until(lambda: any(sound.rms > 500 for sound in viewer.sounds), "the greeting")
        turn = await simli.sandbox.say(started["roomUrl"], "When?")
        assert (turn["said"], turn["spoken"]) == (text, False)
        await asyncio.sleep(1.0)
        await simli.sandbox.say(started["roomUrl"], "Stop.")
        session = await simli.sandbox.session(started["sessionId"])
        heard = session["turns"][1]["heard"]
        assert text.startswith(heard) and 3 < len(heard) < len(text) / 2
        assert llm.requests[1].json["messages"][-2] == {"role": "assistant", "content": heard}
        await simli.sandbox.leave(started["roomUrl"])
        await viewer.until(lambda: viewer.connection.connectionState == "closed", "the end of the connection")


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (Answer(401, error("No such key: sk-of-the-session", "invalid_api_key")), "answered 401"),
        (Script([End()]), "said nothing"),
        (Script(["data"], before=[Cut()]), "could not be heard"),
        (Script([b"data: {oops\n\n"]), "cannot be read"),
    ],
)
async def test_a_silent_avatar_has_a_reason(simli: Account, script: Script | Answer, says: str) -> None:
    """Connected and mute: the turn says why, without the key; the session goes on."""
    async with scripted(script) as llm:
        started = await simli.talk(llm.url)
        turn = await simli.sandbox.say(started["roomUrl"], "Hello?")
    assert says in turn["error"] and "sk-of" not in turn["error"] and turn["said"] == ""
    assert await said(simli, started) == [("user", "Hello?")]


async def test_an_answer_that_breaks_off_is_kept(simli: Account) -> None:
    """What was said before the stream broke was heard."""
    async with scripted(Script(["It is ", "late", Cut()])) as llm:
        started = await simli.talk(llm.url)
        turn = await simli.sandbox.say(started["roomUrl"], "Hello?")
    assert (turn["said"], turn["error"] is None) == ("It is late", False)
    assert await said(simli, started) == [("user", "Hello?"), ("assistant", "It is late")]


async def test_a_greeting_can_be_asked_for(simli: Account) -> None:
    """Without a first message the LLM gets the system message alone, where that is set."""
    await simli.sandbox.behave(greeting="asked")
    async with scripted(Script(["Welcome."])) as llm:
        started = await simli.talk(llm.url)
        await simli.sandbox.say(started["roomUrl"], "Hello?")
        first = await llm.asked()
    assert [one["role"] for one in first.json["messages"]] == ["system"]


async def test_a_turn_is_told_as_it_comes(simli: Account) -> None:
    """As server-sent events where they are accepted: a piece each, and the whole turn at the end."""
    async with scripted(Script(["One, ", Pause(0.05), "two."])) as llm, caller() as http:
        started = await simli.talk(llm.url)
        accepted = {"accept": "text/event-stream"}
        answer = await http.post(f"{started['roomUrl']}/say", json={"text": "Count!"}, headers=accepted)
    events = [event.split("\ndata: ") for event in answer.text.strip().split("\n\n")]
    assert [(kind, json.loads(data)) for kind, data in events[:2]] == [
        ("event: said", "One, "),
        ("event: said", "two."),
    ]
    assert json.loads(events[2][1])["said"] == "One, two."


async def test_idle_and_long_sessions_end(simli: Account) -> None:
    """By their own limits, with the word for it; a conversation keeps a session from being idle, not from its end."""
    async with scripted(Script(["Well, ", Hang()])) as llm:
        idle = await simli.talk(llm.url, maxIdleTime=1)
        long = await simli.talk(llm.url, maxIdleTime=1, maxSessionLength=2)
        turn = asyncio.create_task(simli.sandbox.say(long["roomUrl"], "Talk."))
        assert (await asyncio.wait_for(turn, 10))["interrupted"] is True
    sessions = [await simli.sandbox.session(one["sessionId"]) for one in (idle, long)]
    assert [session["reason"] for session in sessions] == ["IDLE", "MAX"]
    assert 1 <= sessions[0]["seconds"] < 1.9 and 2 <= sessions[1]["seconds"] < 2.9


async def test_a_room_is_over_with_its_session(simli: Account, upstream: Upstream) -> None:
    """Whoever leaves ends it, twice as well as once; nothing is said in a room that is over, or was never there."""
    started = await simli.talk(upstream.url)
    for _ in range(2):
        await simli.sandbox.leave(started["roomUrl"])
    statuses = []
    async with caller() as http:
        for room, path, body in [
            (started["roomUrl"], "say", {"text": "Hello?"}),
            (started["roomUrl"], "offer", {"sdp": "v=0", "type": "offer"}),
            (f"{simli.sandbox.url}/room/none", "say", {"text": "Hello?"}),
            (f"{simli.sandbox.url}/room/none", "leave", {}),
        ]:
            statuses.append((await http.post(f"{room}/{path}", json=body)).status_code)
    assert statuses == [410, 410, 404, 404]


@pytest.mark.parametrize(
    ("path", "body"), [("say", {}), ("say", {"text": " "}), ("offer", {}), ("offer", {"sdp": "x"})]
)
async def test_what_a_room_cannot_take(simli: Account, path: str, body: dict[str, str]) -> None:
    """An empty turn and an offer that is none are refused, and the session goes on."""
    started = await simli.start()
    async with caller() as http:
        answer = await http.post(f"{started['roomUrl']}/{path}", json=body)
    assert answer.status_code in {400, 422} and answer.json()["detail"]
    assert (await simli.sandbox.session(started["sessionId"]))["ended"] is None


async def test_whoever_types_may_go(simli: Account) -> None:
    """The turn belongs to the session: it is answered, whether or not somebody waits for it."""
    async with scripted(Script([Pause(0.2), "Yes."])) as llm, caller(timeout=0.1) as http:
        started = await simli.talk(llm.url)
        with pytest.raises(httpx.ReadTimeout):
            await http.post(f"{started['roomUrl']}/say", json={"text": "Hello?"})
        for _ in range(200):
            if len(history := await said(simli, started)) == 2:
                break
            await asyncio.sleep(0.01)
    assert history == [("user", "Hello?"), ("assistant", "Yes.")]
