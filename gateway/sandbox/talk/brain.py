"""What a conversation thinks with: which LLM, and what is said before it is asked."""

from dataclasses import dataclass, field

SUFFIX = "/chat/completions"


@dataclass(frozen=True, slots=True)
class Brain:
    """Of one session."""

    source: str
    """Which of the configurations it is: `llmConfig(User)`, `customLLMConfig`, `llm_endpoint`, `Simli's own`."""
    base_url: str = ""
    """Without `/chat/completions`. Empty: Simli's own model, which the sandbox has not."""
    model: str = "gpt-4o-mini"
    key: str = field(default="", repr=False)
    prompt: str = ""
    first_message: str = ""
    language: str = "en"
    """What it speaks."""
    doubled: str = ""
    """The address to which the suffix is appended where it is appended again."""
    passed_over: tuple[str, ...] = ()
    """Other configurations that were sent, and are not used."""


def based(url: str) -> tuple[str, str]:
    """The base of an address with or without the suffix, and what "again" appends the suffix to."""
    bare = url.rstrip("/").removesuffix(SUFFIX).rstrip("/")
    return bare, bare + SUFFIX
