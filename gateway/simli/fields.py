"""One table carries an agent file's fields to Simli: to its Agents, and to Auto in both dialects. Pure.

What a target cannot take is a fault, what is likely not meant a warning. Agents have no place for the LLM's or the
voice's key, the transcript or the origins: those go with each session's token.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from gateway.simli import deepgram
from gateway.types import Agent, Voice

Target: TypeAlias = Literal["agents", "legacy", "current"]
"""Of fields: the Agents API, which has the same ones in both dialects, and Auto's in each."""
DEFAULT_FACE = "tmp9i8bbq7c"
"""Simli's own default, for agents that name no face; its Agents need one."""
LATER = frozenset({"llm_provider"})
"""Fields that only today's Agents API knows: an agent of Simli's without one is no different for it."""


class Mapped(NamedTuple):
    """Fields in Simli's names, what it cannot take and what is likely not meant."""

    fields: Mapping[str, Any]
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without values: among them are keys and capabilities."""
        return f"Mapped({', '.join(self.fields)}; {len(self.faults)} faults, {len(self.warnings)} warnings)"


class Row(NamedTuple):
    """One idea under its names. Empty: the target has none."""

    value: Callable[[Agent], Any]
    """None: nothing is said of it, and Simli's default holds."""
    agents: str
    auto: str
    """The same in both dialects."""

    def name(self, target: Target) -> str:
        """In this target."""
        return self.agents if target == "agents" else self.auto


def _voice(part: Callable[[Voice], str]) -> Callable[[Agent], str | None]:
    return lambda agent: part(agent.voice) or None if agent.voice else None


ROWS = (
    Row(lambda agent: agent.name, "name", ""),
    Row(lambda agent: agent.name, "llm_model", ""),
    Row(lambda agent: agent.face_id or DEFAULT_FACE, "face_id", "faceId"),
    Row(_voice(lambda voice: voice.provider), "voice_provider", "ttsProvider"),
    Row(_voice(lambda voice: voice.id), "voice_id", "voiceId"),
    Row(_voice(lambda voice: voice.model), "voice_model", "ttsModel"),
    Row(lambda agent: deepgram.code(agent.language), "language", "language"),
    Row(lambda agent: agent.first_message, "first_message", "firstMessage"),
    Row(lambda agent: agent.max_session_length, "max_session_length", "maxSessionLength"),
    Row(lambda agent: agent.max_idle_time, "max_idle_time", "maxIdleTime"),
    Row(lambda agent: agent.transcript, "", "createTranscript"),
)
PROVIDERS: Mapping[str, Mapping[Target, str]] = {
    "cartesia": {"agents": "cartesia", "legacy": "Cartesia", "current": "Cartesia"},
    "elevenlabs": {"agents": "elevenlabs", "legacy": "ElevenLabs", "current": "ElevenLabs"},
    "playht": {"legacy": "PlayHT", "current": "PlayHT"},
    "user": {"legacy": "User", "current": "User"},
}
"""An agent file's word for each voice provider, and each target's."""
_TARGETS: Mapping[Target, str] = {"agents": "Simli's Agents", "legacy": "Simli Auto", "current": "Simli Auto"}
_ENGLISH_ONLY = (
    "sonic-english",
    "eleven_monolingual",
    "eleven_english",
    "eleven_turbo_v2",
    "eleven_flash_v2",
    "playht2.0",
)
_MANY_TONGUES = ("eleven_turbo_v2_5", "eleven_flash_v2_5")
"""Whose names begin like those of English-only ones."""
_NEED_KEYS = ("elevenlabs", "playht", "user")
"""Providers that Simli may not pay for: without a key the avatar can be mute. Cartesia is its own default."""


def agent_fields(agent: Agent, endpoint: str, marker: str, *, environ: Mapping[str, str] | None = None) -> Mapped:
    """The body of `/agent`: `endpoint` answers for it, `marker` stands in for the prompt.

    With `environ`, the voice's key is looked for as well: it goes with each session's token.
    """
    mapped = _mapped(agent, "agents")
    faults, warnings = _keyed(agent, tts_key(agent, environ)) if environ is not None else ((), ())
    fields = {**mapped.fields, "prompt": marker, "llm_endpoint": endpoint, "llm_provider": "user"}
    return Mapped(fields, mapped.faults + faults, mapped.warnings + warnings)


def session_fields(
    agent: Agent, base_url: str, key: str, *, tts_key: str, dialect: Literal["legacy", "current"], marker: str
) -> Mapped:
    """The body that starts an end-to-end session, without the API key.

    The LLM stands there twice, made of one value: Simli documents `customLLMConfig`, and is reported to obey
    `llmConfig` alone. `base_url` is without `/chat/completions`.
    """
    mapped = _mapped(agent, dialect)
    faults, warnings = _keyed(agent, tts_key)
    fields = {
        **mapped.fields,
        "systemPrompt": marker,
        "ttsAPIKey": tts_key,
        "customLLMConfig": {"model": agent.name, "baseURL": base_url, "llmAPIKey": key},
        "llmConfig": {"provider": "User", "model": agent.name, "baseURL": base_url, "apiKey": key},
    }
    return Mapped(fields, mapped.faults + faults, mapped.warnings + warnings)


def tts_key(agent: Agent, environ: Mapping[str, str]) -> str:
    """The voice's key, out of the environment; empty where there is none."""
    return environ.get(agent.tts_key_env, "").strip() if agent.tts_key_env else ""


def file_fields(simli_fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an agent of Simli's says, as front matter of an agent file; its prompt is not part of it.

    What an agent file cannot hold, and what says no more than its default, is left out.
    """
    found: dict[str, Any] = {}
    language = simli_fields.get("language")
    if isinstance(language, str) and language.lower() != "en" and deepgram.code(language) not in (None, "multi"):
        found["language"] = language
    message = simli_fields.get("first_message")
    if isinstance(message, str) and message.strip():
        found["first_message"] = message.strip()[:1000]
    face = simli_fields.get("face_id")
    if isinstance(face, str) and face.strip():
        found["face_id"] = face.strip()
    if voice := _file_voice(simli_fields):
        found["voice"] = voice
    for name, default in (("max_session_length", 3600), ("max_idle_time", 300)):
        seconds = simli_fields.get(name)
        if isinstance(seconds, int) and 1 <= seconds <= 86_400 and seconds != default:
            found[name] = seconds
    return found


def speech_fields(voice: Voice | None, text: str, provider: str = "") -> Mapped:
    """`requestBody` of a text to video: spoken by `provider` (`cartesia`, `elevenlabs`, `playht`), or the voice's own.

    Voice and model are the agent's where its voice is of that provider, else Simli's defaults.
    """
    wanted = (provider or (voice.provider if voice else "cartesia")).lower()
    own = voice if voice and voice.provider == wanted else None
    names = {
        "cartesia": ("voice_id", "model_id"),
        "elevenlabs": ("voiceName", "model_id"),
        "playht": ("voice", "voice_engine"),
    }
    if wanted not in names:
        return Mapped({}, (f"text to video has no provider {wanted!r}: cartesia, elevenlabs or playht",))
    faults = ("playht needs a voice: name one in the agent's file",) if wanted == "playht" and own is None else ()
    fields = {"audioProvider": PROVIDERS[wanted]["legacy"], "text": text}
    for name, value in zip(names[wanted], (own.id, own.model) if own else ("", ""), strict=True):
        fields |= {name: value} if value else {}
    return Mapped(fields, faults)


def _mapped(agent: Agent, target: Target) -> Mapped:
    fields = {row.name(target): row.value(agent) for row in ROWS if row.name(target)}
    faults: list[str] = []
    if agent.voice:
        named = PROVIDERS.get(agent.voice.provider, {}).get(target)
        fields["voice_provider" if target == "agents" else "ttsProvider"] = named
        if named is None:
            known = ", ".join(each for each, names in PROVIDERS.items() if target in names)
            faults.append(f"voice.provider: {_TARGETS[target]} take no {agent.voice.provider}; known: {known}")
    if deepgram.code(agent.language) is None:
        faults.append(
            f"language: {agent.language} is not among the languages that Simli hears ({deepgram.SOURCE}, "
            f"{deepgram.CHECKED})"
        )
    kept = {name: value for name, value in fields.items() if value is not None}
    return Mapped(kept, tuple(faults), _tongues(agent))


def _tongues(agent: Agent) -> tuple[str, ...]:
    """A voice that cannot speak the agent's language."""
    if agent.language.lower().split("-")[0] in ("en", "multi"):
        return ()
    if agent.voice is None:
        return (f"voice: is not set, and Simli's default one speaks English, not {agent.language}",)
    model = agent.voice.model.lower()
    if model.startswith(_ENGLISH_ONLY) and not model.startswith(_MANY_TONGUES):
        return (f"voice.model: {agent.voice.model} speaks English only, and the agent {agent.language}",)
    return ()


def _keyed(agent: Agent, key: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Faults and warnings about the voice's key."""
    if key:
        return (), ()
    if agent.tts_key_env:
        return (f"tts_key_env: the environment variable {agent.tts_key_env} is not set",), ()
    if agent.voice and agent.voice.provider in _NEED_KEYS:
        problem = f"voice.provider: {agent.voice.provider} without a key (tts_key_env) can leave the avatar mute"
        return (), (problem,)
    return (), ()


def _file_voice(simli_fields: Mapping[str, Any]) -> dict[str, str]:
    """Simli's three fields as `voice`; nothing where provider or id is missing."""
    provider, id_ = str(simli_fields.get("voice_provider") or "").lower(), str(simli_fields.get("voice_id") or "")
    if provider not in PROVIDERS or not id_:
        return {}
    model = str(simli_fields.get("voice_model") or "")
    return {"provider": provider, "id": id_} | ({"model": model} if model else {})
