"""What is measured: how each target is started, on a core of its own, and what its process has used."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from tests import nginx as nginx_program
from tests.serving import ROOT

TICK = os.sysconf("SC_CLK_TCK")
QUESTIONS = (
    "When are you open?",
    "What does it cost?",
    "How do I get there?",
    "Who are you?",
    "May I bring my dog?",
    "Was kostet der Eintritt?",
    "Wann haben Sie geöffnet?",
    "Wie komme ich zu Ihnen?",
)


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that a caller could be pointed at."""

    name: str
    url: str
    """Of its chat completions."""
    pid: int = 0
    """0: nothing stands between caller and upstream."""
    model: str = "bench"

    @property
    def bodies(self) -> list[dict[str, object]]:
        """What it is asked: several questions, so that a cache of one answer shows nothing."""
        return [
            {"model": self.model, "stream": True, "messages": [{"role": "user", "content": question}]}
            for question in QUESTIONS
        ]


@dataclass(frozen=True, slots=True)
class Place:
    """Where things run and write."""

    out: Path
    target_core: int
    load_core: int
    upstream: str
    """Base URL, ending in `/v1`."""
    knowledge: Path
    prompts: Path
    checkout: Path = ROOT
    """Whose gateway it is."""


def cores() -> tuple[int, int]:
    """One core for the target; another, where there is one, for the upstream and the load."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def process(
    place: Path, name: str, command: Sequence[str], core: int, environ: Mapping[str, str], *, checkout: Path = ROOT
) -> Iterator[int]:
    """Run a program pinned to a core, its output in a file; stop it with SIGTERM. Yields its process id."""
    log = place / f"{name}.log"
    with log.open("wb") as output:
        running = subprocess.Popen(
            command,
            cwd=checkout,
            env={"PATH": os.defpath, "PYTHONUNBUFFERED": "1", **environ},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=partial(os.sched_setaffinity, 0, {core}),  # noqa: PLW1509 the bench has no threads yet
        )
    try:
        yield running.pid
    finally:
        running.terminate()
        try:
            running.wait(15)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def answers(url: str, pid: int, log: Path, *, within: float = 60.0) -> None:
    """Wait until this URL answers, with whatever status."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status < 500:
                    return
        except urllib.error.HTTPError as error:
            if error.code != 503:
                return
        except OSError:
            pass
        with contextlib.suppress(ChildProcessError):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                break
        time.sleep(0.05)
    raise RuntimeError(f"{url} does not answer. The last it wrote:\n{log.read_text(errors='replace')[-2000:]}")


@contextlib.contextmanager
def direct(place: Place) -> Iterator[Target]:
    """The limit of the upstream and of the load."""
    yield Target("direct", f"{place.upstream}/chat/completions")


NGINX = """
upstream scripted {{ server {upstream}; keepalive 1024; }}
server {{
    listen 127.0.0.1:{port} backlog=2048;
    tcp_nodelay on;
    keepalive_requests 1000000;
    location / {{
        proxy_pass http://scripted;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_buffering off;
    }}
}}
"""


@contextlib.contextmanager
def nginx(place: Place) -> Iterator[Target]:
    """A reverse proxy in C that passes bytes."""
    port = free_port()
    host = place.upstream.removeprefix("http://").removesuffix("/v1")
    command = nginx_program.command(place.out, NGINX.format(port=port, upstream=host))
    with process(place.out, "nginx", command, place.target_core, {}) as pid:
        answers(f"http://127.0.0.1:{port}/v1/models", pid, place.out / "nginx.log")
        yield Target("nginx", f"http://127.0.0.1:{port}/v1/chat/completions", pid)


@contextlib.contextmanager
def wrapper(place: Place, name: str = "plain wrapper", module: str = "plain_wrapper") -> Iterator[Target]:
    """What a newcomer would write, or another small application of this folder."""
    port = free_port()
    served = ["uvicorn", f"tests.bench.{module}:app", "--port", str(port)]
    environ = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": place.upstream}
    with process(place.out, module, [sys.executable, "-m", *served], place.target_core, environ) as pid:
        answers(f"http://127.0.0.1:{port}/openapi.json", pid, place.out / f"{module}.log")
        yield Target(name, f"http://127.0.0.1:{port}/chat/completions", pid)


NO_NOTICE = "server.drain_notice = 0"
"""Nobody watches readiness here. A gateway of before knows no such setting."""
GATEWAY = """
server.drain_notice = 0
prompts = "{prompts}"
[knowledge]
directory = "{knowledge}"
[[routes.bench.targets]]
url = "{upstream}"
first_token = 30.0
between_chunks = 30.0
"""
AGENT = """---
name: guide
language: en
route: bench
collections: [{collections}]
apology: I am sorry.
unknown: I do not know.
---
You answer in one sentence, from what you know.
"""


def write_agent(prompts: Path, knowledge: Path) -> None:
    """Write the file of the agent `guide`, which knows one collection, as the sample agents do."""
    collections = sorted(path.name for path in knowledge.iterdir() if path.is_dir())
    (prompts / "guide.md").write_text(AGENT.format(collections=collections[0]), encoding="utf-8")


def ingest(directory: Path, config: str, var: Path, checkout: Path = ROOT) -> None:
    """Bring the knowledge that this configuration names into the index under `var`."""
    file = directory / "ingest.toml"
    file.write_text(config, encoding="utf-8")
    command = [sys.executable, "-m", "gateway", "ingest", "--config", str(file)]
    environ = {"PATH": os.defpath, "GATEWAY_VAR": str(var)}
    subprocess.run(command, cwd=checkout, env=environ, check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def _gateway(place: Place, name: str, prompts: Path, knowledge: Path) -> Iterator[Target]:
    config = place.out / f"{name}.toml"
    text = GATEWAY.format(prompts=prompts, knowledge=knowledge, upstream=place.upstream)
    if place.checkout != ROOT:
        text = text.replace(NO_NOTICE, "")
    config.write_text(text, encoding="utf-8")
    port = free_port()
    var = place.out / ("var" if place.checkout == ROOT else "var-before")
    environ = {"GATEWAY_VAR": str(var)}
    command = [sys.executable, "-m", "gateway"]
    if any(knowledge.iterdir()):
        ingest(place.out, text, var, place.checkout)
    serve = [*command, "serve", "--config", str(config), "--port", str(port)]
    with process(place.out, name, serve, place.target_core, environ, checkout=place.checkout) as pid:
        answers(f"http://127.0.0.1:{port}/readyz", pid, place.out / f"{name}.log")
        yield Target(name, f"http://127.0.0.1:{port}/v1/chat/completions", pid)


@contextlib.contextmanager
def gateway(place: Place, name: str = "gateway") -> Iterator[Target]:
    """The gateway passing through: a route is asked itself."""
    empty = place.out / "empty"
    empty.mkdir(exist_ok=True)
    with _gateway(place, name, empty, empty) as target:
        yield target


@contextlib.contextmanager
def agent(place: Place, name: str = "gateway+agent") -> Iterator[Target]:
    """The gateway with a persona and retrieval over the sample knowledge, before the same upstream."""
    prompts = place.out / "prompts"
    prompts.mkdir(exist_ok=True)
    write_agent(prompts, place.knowledge)
    with _gateway(place, name, prompts, place.knowledge) as target:
        url = target.url.replace("/v1/chat", "/agents/guide/v1/chat")
        yield Target(target.name, url, target.pid)


TARGETS: dict[str, Callable[[Place], Any]] = {
    "direct": direct,
    "nginx": nginx,
    "wrapper": wrapper,
    "chosen": partial(wrapper, name="sse + SDK", module="chosen"),
    "gateway": gateway,
    "agent": agent,
}


def before(checkout: Path) -> dict[str, Callable[[Place], Any]]:
    """Another checkout's gateway, measured beside this one's in the same rounds."""

    @contextlib.contextmanager
    def told(target: Callable[[Place, str], Any], name: str, place: Place) -> Iterator[Target]:
        with target(replace(place, checkout=checkout), name) as running:
            yield running

    return {
        "gateway before": partial(told, gateway, "before"),
        "agent before": partial(told, agent, "before+agent"),
    }


def family(pid: int) -> list[int]:
    """A process and all that it has started."""
    members = [pid]
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # as this thread has
                for child in (task / "children").read_text().split():
                    members += family(int(child))
    return members


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and its children, user and system."""
    total = 0
    for member in family(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def resident_megabytes(pid: int) -> float:
    """Memory of a process and its children that is resident."""
    pages = sum(int(Path(f"/proc/{member}/statm").read_text().split()[1]) for member in family(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
