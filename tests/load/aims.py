"""Whom a load is put on: a gateway of its own before a scripted model, on this machine; or any deployment."""

import contextlib
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.bench.targets import answers, cores, free_port, ingest, process
from tests.load.agreeing import FIRST
from tests.load.plan import Wrong, is_loopback
from tests.serving import ROOT, gateway_process

WITHIN = 10.0
"""Seconds in which a deployment has to say what it has."""
VAR = ROOT / "var" / "bench" / "var"
"""What the gateway of its own keeps: the converted model and the knowledge; other runs use it too."""
SAMPLES = (("nora", "en"), ("nora", "en"), ("emil", "de"))
"""The sample agents: of three people two talk with Nora."""
CONFIG = """
prompts = "{prompts}"
default_route = "model"
[knowledge]
directory = "{knowledge}"
[[routes.model.targets]]
url = "http://127.0.0.1:{port}/v1"
"""


class Aim(NamedTuple):
    """A target that answers."""

    url: str
    """Base URL."""
    models: Sequence[tuple[str, str]]
    metrics: str = ""
    """URL; empty where the key may not read them."""
    model: str = ""
    """URL of the scripted model's statistics; empty where the model is another."""
    alone: bool = False
    """Nobody else asks it."""
    says: str = ""
    """What it is, in a few words."""


@contextlib.contextmanager
def own(folder: Path, workers: int = 1) -> Iterator[Aim]:
    """A gateway with the sample agents and their knowledge on one core; the scripted model and the load on another.

    With several workers nothing is bound to a core.
    """
    VAR.mkdir(parents=True, exist_ok=True)
    usable = os.sched_getaffinity(0)
    core, other = cores()
    port = free_port()
    config = CONFIG.format(prompts=ROOT / "prompts", knowledge=ROOT / "knowledge", port=port)
    ingest(folder, config, VAR)
    with contextlib.ExitStack() as stack:
        stack.callback(os.sched_setaffinity, 0, usable)
        command = [sys.executable, "-m", "tests.load.model", "--port", str(port)]
        pid = stack.enter_context(process(folder, "model", command, other, {}))
        answers(f"http://127.0.0.1:{port}/stats", pid, folder / "model.log")
        arguments: Sequence[str] = ()
        if workers > 1:
            arguments = ("--workers", str(workers))
        else:
            os.sched_setaffinity(0, {core})  # what it starts stays there
        gateway = stack.enter_context(gateway_process(config, {"GATEWAY_VAR": str(VAR)}, arguments=arguments))
        os.sched_setaffinity(0, usable if workers > 1 else {other})
        says = f"{workers} worker{'s' if workers > 1 else ''} on this machine, sample agents, a scripted model"
        stats = f"http://127.0.0.1:{port}/stats"
        yield Aim(f"{gateway.url}/v1", SAMPLES, f"{gateway.url}/metrics", stats, alone=True, says=says)


def deployment(url: str, key: str, agents: Sequence[str]) -> Aim:
    """A deployment by its base URL. Without names of agents it is asked which it has. Raises Wrong."""
    models = [(name, "en") for name in agents] or [(name, "en") for name in _listed(url, key)]
    if not models:
        raise Wrong(f"{url}/models lists nothing for this key: name what is to be asked with AGENT=.")
    parts = urlsplit(url)
    metrics = f"{parts.scheme}://{parts.netloc}/metrics"
    try:
        seen = FIRST in _fetched(metrics, key)
    except OSError:
        seen = False
    says = "on this machine" if is_loopback(url) else "a deployment: its models may cost money"
    if key and parts.scheme == "http" and not is_loopback(url):
        says += "; the key goes there without TLS"
    return Aim(url, models, metrics if seen else "", says=says)


def _listed(url: str, key: str) -> list[str]:
    """Its agents; where it calls none so, the first model."""
    try:
        listed: list[dict[str, Any]] = json.loads(_fetched(f"{url}/models", key))["data"]
        agents = [str(each["id"]) for each in listed if each.get("owned_by") == "agent"]
        return agents or [str(each["id"]) for each in listed][:1]
    except urllib.error.HTTPError as refused:
        raise Wrong(f"{url}/models answers {refused.code}: give a key that may chat with KEY=.") from refused
    except OSError as failed:
        why = getattr(failed, "reason", failed)
        why = getattr(why, "strerror", None) or why
        raise Wrong(f"{url} cannot be reached ({why}): is it running, and is the URL right?") from failed
    except (ValueError, KeyError, TypeError) as other:
        raise Wrong(f"{url}/models is no list of models: name what is to be asked with AGENT=.") from other


def _fetched(url: str, key: str) -> str:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=WITHIN) as answer:
        return str(answer.read().decode("utf-8", "replace"))
