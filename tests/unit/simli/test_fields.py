"""An agent file's fields to Simli's, and back."""

from dataclasses import replace
from typing import Literal, get_args

import pytest

from gateway.chat.agent import RULES
from gateway.errors.redaction import redacted
from gateway.simli import deepgram
from gateway.simli.fields import (
    DEFAULT_FACE,
    LATER,
    PROVIDERS,
    Target,
    agent_fields,
    file_fields,
    session_fields,
    speech_fields,
    tts_key,
)
from gateway.simli.patience import Try
from gateway.simli.refusals import Answer
from gateway.simli.sending import Request
from gateway.types import Agent, Voice
from gateway.types.simli import SimliAgent, SimliToken

NORA = Agent(
    "nora",
    "You are Nora.",
    language="en-us",
    first_message="Hello.",
    face_id="face/emotion",
    voice=Voice("elevenlabs", "voice-1", "eleven_turbo_v2_5"),
    tts_key_env="ELEVEN_KEY",
    max_session_length=600,
    max_idle_time=60,
)
ENDPOINT = "https://gateway.example.org/k/id.cap/agents/nora/v1/chat/completions"
ENVIRON = {"ELEVEN_KEY": " eleven-secret "}


def test_an_agent_of_simlis_has_every_field_it_takes() -> None:
    """The Agents API's own names, the agent's name as its model, a marker as its prompt; no key, no persona."""
    assert agent_fields(NORA, ENDPOINT, "[nora]", environ=ENVIRON) == (
        {
            "name": "nora",
            "llm_model": "nora",
            "face_id": "face/emotion",
            "voice_provider": "elevenlabs",
            "voice_id": "voice-1",
            "voice_model": "eleven_turbo_v2_5",
            "language": "en-US",
            "first_message": "Hello.",
            "max_session_length": 600,
            "max_idle_time": 60,
            "prompt": "[nora]",
            "llm_endpoint": ENDPOINT,
            "llm_provider": "user",
        },
        (),
        (),
    )
    assert set(agent_fields(NORA, ENDPOINT, "").fields) >= LATER


@pytest.mark.parametrize("dialect", ["legacy", "current"])
def test_a_session_names_the_llm_twice_from_one_value(dialect: Literal["legacy", "current"]) -> None:
    """`customLLMConfig`, which is documented, and `llmConfig`, which is obeyed, hold the same."""
    fields, faults, warnings = session_fields(
        NORA, "https://g.example.org/v1", "gw-key", tts_key="eleven-secret", dialect=dialect, marker="[nora]"
    )
    assert (faults, warnings) == ((), ())
    assert fields == {
        "faceId": "face/emotion",
        "ttsProvider": "ElevenLabs",
        "voiceId": "voice-1",
        "ttsModel": "eleven_turbo_v2_5",
        "ttsAPIKey": "eleven-secret",
        "language": "en-US",
        "firstMessage": "Hello.",
        "maxSessionLength": 600,
        "maxIdleTime": 60,
        "createTranscript": True,
        "systemPrompt": "[nora]",
        "customLLMConfig": {"model": "nora", "baseURL": "https://g.example.org/v1", "llmAPIKey": "gw-key"},
        "llmConfig": {"provider": "User", "model": "nora", "baseURL": "https://g.example.org/v1", "apiKey": "gw-key"},
    }


def test_what_is_not_said_is_simlis_default() -> None:
    """No voice: none of its fields is sent, nor a null; no face: Simli's own."""
    fields = agent_fields(Agent("nora", ""), ENDPOINT, "").fields
    assert fields["face_id"] == DEFAULT_FACE
    assert not [name for name in fields if name.startswith("voice")]
    assert None not in fields.values()


@pytest.mark.parametrize(("provider", "target"), [(each, target) for each in PROVIDERS for target in get_args(Target)])
def test_a_provider_is_spelt_as_the_target_wants_or_refused(provider: str, target: Target) -> None:
    """`elevenlabs` and `cartesia` anywhere; `playht` and `user` are a fault for Agents."""
    agent = replace(NORA, voice=Voice(provider, "v"))
    if target == "agents":
        fields, faults, _ = agent_fields(agent, ENDPOINT, "", environ=ENVIRON)
        name = "voice_provider"
    else:
        fields, faults, _ = session_fields(agent, "u", "k", tts_key="t", dialect=target, marker="")
        name = "ttsProvider"
    spelt = {"cartesia": "Cartesia", "elevenlabs": "ElevenLabs", "playht": "PlayHT", "user": "User"}[provider]
    if target != "agents":
        assert (fields[name], faults) == (spelt, ())
    elif provider in ("cartesia", "elevenlabs"):
        assert (fields[name], faults) == (provider, ())
    else:
        assert name not in fields
        assert faults == (f"voice.provider: Simli's Agents take no {provider}; known: cartesia, elevenlabs",)


def test_an_agent_file_may_name_every_provider() -> None:
    """The rule of the file and the table of the targets know the same words."""
    assert set(RULES[Voice, "provider"].choices) == set(PROVIDERS)


def test_a_key_that_is_not_set_is_a_fault_and_one_that_is_not_named_a_warning() -> None:
    """The variable's name is said, never a value; Cartesia, Simli's default, needs none."""
    unset = ("tts_key_env: the environment variable ELEVEN_KEY is not set",)
    assert agent_fields(NORA, ENDPOINT, "", environ={}).faults == unset
    assert agent_fields(NORA, ENDPOINT, "").faults == ()
    assert session_fields(NORA, "u", "k", tts_key="", dialect="legacy", marker="").faults == unset
    nameless = replace(NORA, tts_key_env="")
    said = ("voice.provider: elevenlabs without a key (tts_key_env) can leave the avatar mute",)
    assert agent_fields(nameless, ENDPOINT, "", environ=ENVIRON)[1:] == ((), said)
    assert agent_fields(replace(nameless, voice=Voice("cartesia", "v")), ENDPOINT, "", environ={})[1:] == ((), ())
    assert (tts_key(NORA, ENVIRON), tts_key(nameless, ENVIRON)) == ("eleven-secret", "")


def test_a_language_that_simli_does_not_hear_is_a_fault() -> None:
    """With where and when its list was read."""
    (fault,) = agent_fields(replace(NORA, language="is"), ENDPOINT, "").faults
    assert fault.startswith("language: is is not among the languages that Simli hears (https://developers.deepgram.com")
    assert deepgram.CHECKED in fault
    assert "language" not in agent_fields(replace(NORA, language="is"), ENDPOINT, "").fields


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("en", "en"),
        ("en-us", "en-US"),
        ("EN-gb", "en-GB"),
        ("pt-BR", "pt-BR"),
        ("pt-br", "pt-BR"),
        ("de-AT", "de"),
        ("de-ch", "de-CH"),
        ("es-MX", "es-419"),
        ("es-ES", "es"),
        ("zh-Hant-TW", "zh-Hant"),
        ("zh-Hans-CN", "zh-Hans"),
        ("nb-NO", "no"),
        ("fil", "tl"),
        ("yue", "zh-HK"),
        ("multi", "multi"),
        ("tlh", None),
        ("is", None),
    ],
)
def test_a_bcp_47_tag_becomes_deepgrams_code(tag: str, code: str | None) -> None:
    """In its own spelling; what it has no region of is the language without one."""
    assert deepgram.code(tag) == code
    assert code is None or code in deepgram.CODES


@pytest.mark.parametrize(
    ("language", "voice", "warned"),
    [
        ("de", Voice("cartesia", "v", "sonic-english"), "voice.model: sonic-english speaks English only"),
        ("fr-CA", Voice("elevenlabs", "v", "eleven_monolingual_v1"), "eleven_monolingual_v1 speaks English only"),
        ("de", Voice("elevenlabs", "v", "eleven_turbo_v2"), "eleven_turbo_v2 speaks English only"),
        ("de", None, "voice: is not set, and Simli's default one speaks English, not de"),
        ("de", Voice("elevenlabs", "v", "eleven_turbo_v2_5"), ""),
        ("de", Voice("cartesia", "v", "sonic-turbo-2025-03-07"), ""),
        ("en-GB", Voice("cartesia", "v", "sonic-english"), ""),
        ("en", None, ""),
    ],
)
def test_a_voice_that_cannot_speak_the_language_is_warned_of(language: str, voice: Voice | None, warned: str) -> None:
    """It is allowed, and likely not meant."""
    agent = Agent("emil", "", language=language, voice=voice, tts_key_env="K")
    _, faults, warnings = agent_fields(agent, ENDPOINT, "", environ={"K": "k"})
    assert faults == ()
    assert len(warnings) == bool(warned) and warned in "".join(warnings)


def test_an_agent_goes_there_and_back() -> None:
    """What an agent file says comes back from Simli's agent; defaults and what Simli assigns are not written down."""
    fields = {**agent_fields(NORA, ENDPOINT, "").fields, "id": "a", "owner_id": "o", "created_at": "t"}
    assert file_fields(fields) == {
        "language": "en-US",
        "first_message": "Hello.",
        "face_id": "face/emotion",
        "voice": {"provider": "elevenlabs", "id": "voice-1", "model": "eleven_turbo_v2_5"},
        "max_session_length": 600,
        "max_idle_time": 60,
    }


def test_a_dashboards_agent_can_be_a_file() -> None:
    """Empty texts, odd values, other providers: what an agent file cannot hold is left out."""
    dashboard = {
        "face_id": "f",
        "name": "Untitled Agent",
        "voice_provider": "",
        "voice_model": "",
        "voice_id": None,
        "language": "en",
        "first_message": " ",
        "max_idle_time": 300,
        "max_session_length": 0,
    }
    assert file_fields(dashboard) == {"face_id": "f"}
    assert file_fields({"voice_provider": "Hume", "voice_id": "x", "language": "xx", "max_idle_time": "9"}) == {}


def test_text_to_video_speaks_as_the_agent_does() -> None:
    """Each provider's own names; the agent's voice only where it is of that provider."""
    eleven = Voice("elevenlabs", "voice-1", "eleven_turbo_v2_5")
    spoken = {"audioProvider": "ElevenLabs", "text": "Hi.", "voiceName": "voice-1", "model_id": "eleven_turbo_v2_5"}
    assert speech_fields(eleven, "Hi.") == (spoken, (), ())
    assert speech_fields(eleven, "Hi.", "Cartesia") == ({"audioProvider": "Cartesia", "text": "Hi."}, (), ())
    assert speech_fields(None, "Hi.").fields == {"audioProvider": "Cartesia", "text": "Hi."}
    play = speech_fields(Voice("playht", "s3://v", "PlayHT2.0-turbo"), "Hi.")
    assert play.fields == {
        "audioProvider": "PlayHT",
        "text": "Hi.",
        "voice": "s3://v",
        "voice_engine": "PlayHT2.0-turbo",
    }
    assert speech_fields(eleven, "Hi.", "playht").faults == ("playht needs a voice: name one in the agent's file",)
    assert "no provider 'user'" in speech_fields(Voice("user", "v"), "Hi.").faults[0]


def test_no_repr_shows_a_key_or_a_capability() -> None:
    """Of what is sent and of what came back: somebody may log it, or a stack may show it."""
    sent = session_fields(
        NORA, "https://g.example.org/k/id.cap/v1", "gw-key", tts_key="tts", dialect="legacy", marker=""
    )
    assert repr(sent).startswith("Mapped(faceId, ") and repr(sent).endswith("; 0 faults, 0 warnings)")
    request = Request(("a", "token-1"), sent.fields, {}, {"session-token": "token-1"}, b"image", ("token-1",))
    came = Answer(200, {"x": "token-1"}, b'{"session_token": "token-1"}', "do it", redacted)
    agent = SimliAgent("a", "nora", {"llm_endpoint": ENDPOINT})
    shown = f"{sent!r} {request!r} {came!r} {Try(came)!r} {agent!r} {SimliToken('token-1')!r}"
    assert not [word for word in ("gw-key", "tts'", "id.cap", "token-1") if word in shown]
