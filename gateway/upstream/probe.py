"""What a target says of itself at start, asked with the openai client: is it there, is the key right, has it the model.

Nothing depends on the answer but one line of the log, and the model where nobody chose one.
"""

from typing import NamedTuple

import openai
import orjson

from gateway.settings import Target

TIMEOUT = 2.0
"""Seconds that a start may wait for all targets together."""
_MOST_NAMED = 8


class Found(NamedTuple):
    """What was found out."""

    models: tuple[str, ...]
    """Empty where it would not say."""
    problem: str
    """One sentence; empty where nothing is wrong."""


async def found(target: Target) -> Found:
    """Ask `GET /models`. Never raises: a target that is down at start may be up at the first turn."""
    # The client refuses an empty key; a server that wants none ignores this one.
    key = target.key or "none"
    # Without TLS there is nothing to verify, and loading the system's certificates takes a tenth of a second.
    http = openai.DefaultAsyncHttpxClient(verify=not target.url.startswith("http://"))
    async with openai.AsyncOpenAI(
        base_url=target.url, api_key=key, timeout=TIMEOUT, max_retries=0, http_client=http
    ) as client:
        try:
            answer = await client.models.with_raw_response.list()
        except (openai.AuthenticationError, openai.PermissionDeniedError):
            return Found((), f"refuses the key in {target.key_env or 'no variable: it wants one, named by key_env'}")
        except openai.APIStatusError:
            return Found((), "")  # it is there; not every server lists its models
        except openai.OpenAIError as error:
            return Found((), f"cannot be reached ({type(error).__name__})")
    models = _named(answer.http_response.content)
    if models and target.model and target.model not in models:
        named = ", ".join(models[:_MOST_NAMED]) + (", …" if len(models) > _MOST_NAMED else "")
        return Found(models, f"has no model {target.model!r}; it has {named}")
    return Found(models, "")


def _named(body: bytes) -> tuple[str, ...]:
    """The ids of a list of models; none where it is another thing. Read by hand: the SDK's models trust a server."""
    try:
        listed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ()
    data = listed.get("data") if isinstance(listed, dict) else None
    models = data if isinstance(data, list) else ()
    names = (model.get("id") for model in models if isinstance(model, dict))
    return tuple(name for name in names if isinstance(name, str))
