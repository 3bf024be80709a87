"""Which LLM a session uses: three places say so, and not all are heard."""

from collections.abc import Mapping
from typing import Any

from gateway.sandbox.talk.brain import Brain, based

OPENAI = ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano")
GOOGLE = ("gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite-preview-06-17")
LLM = "llmConfig"
OWN = "Simli's own"


def of_session(asked: Mapping[str, Any], *, customs_used: bool) -> Brain:
    """`llmConfig` with provider User first, then `customLLMConfig`, unless that is ignored."""
    told: dict[str, Any] = {"prompt": asked["systemPrompt"] or "", "first_message": asked["firstMessage"] or ""}
    told["language"] = asked["language"] or "en"
    llm, custom = asked["llmConfig"], asked["customLLMConfig"]
    over = ("customLLMConfig",) if custom is not None else ()
    if llm is not None and llm["provider"] == "User":
        base, doubled = based(llm["baseURL"])
        return Brain(f"{LLM}(User)", base, llm["model"], llm["apiKey"], doubled=doubled, passed_over=over, **told)
    if llm is not None:
        return Brain(OWN, model=llm["model"], passed_over=over, **told)
    if custom is not None and customs_used:
        base, doubled = based(custom["baseURL"])
        return Brain("customLLMConfig", base, custom["model"], custom["llmAPIKey"], doubled=doubled, **told)
    return Brain(OWN, passed_over=over, **told)


def of_agent(agent: Mapping[str, Any], key: str) -> Brain:
    """`llm_endpoint`, a whole address, with the token's key: an agent has none of its own."""
    told: dict[str, Any] = {"prompt": agent["prompt"], "first_message": agent["first_message"]}
    told["language"] = agent["language"] or "en"
    if not agent["llm_endpoint"]:
        return Brain(OWN, model=agent["llm_model"] or "gpt-4o-mini", **told)
    base, doubled = based(agent["llm_endpoint"])
    return Brain("llm_endpoint", base, agent["llm_model"] or "gpt-4o-mini", key, doubled=doubled, **told)
