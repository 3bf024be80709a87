"""No key is shown: planted secrets are searched for in all that a run leaves behind.

Between the gateway and the sandbox stands a mirror. It notes every secret that passes (keys made for sessions, tokens),
and told to, it answers with an error that holds the whole request: what a careless Simli would put into `detail`.
"""

import asyncio
import base64
import os
import re
import socket
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.knowledge import write
from tests.sandboxed import sandboxed
from tests.serving import ROOT, Gateway, gateway_process, serve
from tests.upstream import Pause, Script, Upstream

SIMLI_KEY = "p1a2n3t4e5d6s7i8m9l0"
PLANTED = {
    "SIMLI_API_KEY": SIMLI_KEY,
    "VOICE_KEY": "planted-voice-key-0123456789",
    "MODEL_KEY": "planted-model-key-0123456789",
    "GATEWAY_SECRET": "planted-secret-of-the-gateway-0123456789",
    "GATEWAY_ADMIN_KEY": "planted-admin-key-0123456789",
}
NORA = """---
face_id: tmp9i8bbq7c
voice: {provider: elevenlabs, id: voice-1, model: eleven_turbo_v2_5}
tts_key_env: VOICE_KEY
origins: ["https://www.example.org"]
---
You are Nora.
"""
SETTINGS = """
prompts = "{root}/prompts"
knowledge.directory = "{root}/knowledge"
simli.patience = 0.0
[[routes.main.targets]]
url = "{upstream}"
model = "scripted"
key_env = "MODEL_KEY"
"""
ADMIN: list[tuple[str, str, Any]] = [
    ("POST", "/admin/agents/plan", None),
    ("POST", "/admin/agents/apply", None),
    ("GET", "/admin/agents/nora", None),
    ("POST", "/admin/sessions", {"agent": "nora"}),
    ("POST", "/admin/sessions", {"agent": "nora", "by_agent": True}),
    ("GET", "/admin/sessions", None),
    ("GET", "/admin/keys", None),
    ("POST", "/admin/agents/adopt", {"id": "none"}),
    ("GET", "/admin/faces", None),
    ("POST", "/admin/videos/text", {"agent": "nora", "text": "Hello."}),
    ("DELETE", "/admin/agents/nora/simli", None),
]
STATUSES = (200, 401, 422, 500)
_SECRET_FIELDS = {"llmAPIKey", "ttsAPIKey", "apiKey", "simliAPIKey", "session_token"}


@dataclass
class Mirror:
    """What passes between the gateway and Simli."""

    simli: str
    echo: int = 0
    """The status of an answer that says what was asked; 0: it is passed on."""
    lists: bool = True
    """The list of agents, which is asked before most things, is passed on all the same."""
    secrets: set[str] = field(default_factory=set)
    echoes: int = 0

    async def passed(self, request: Request) -> Response:
        """Pass it on, or say it back."""
        body = await request.body()
        self._noted(body)
        if self.echo and not (self.lists and request.url.path.endswith("/agents")):
            self.echoes += 1
            own = [value for name, value in request.headers.items() if name in {"x-simli-api-key", "api-key"}]
            keys = [*own, *_secrets(orjson.loads(body or b"{}")), request.url.path]  # first: a quotation is cut short
            asked = f"{' '.join(keys)} {dict(request.headers)} {body.decode('utf-8', 'replace')}"
            return Response(orjson.dumps({"detail": asked, "code": asked, "session_token": asked}), self.echo)
        async with httpx.AsyncClient(base_url=self.simli, trust_env=False) as client:
            headers = {name: value for name, value in request.headers.items() if name not in {"host", "content-length"}}
            answer = await client.request(
                request.method, request.url.path, params=request.query_params, content=body, headers=headers
            )
        self._noted(answer.content)
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))

    def _noted(self, body: bytes) -> None:
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError:
            return
        self.secrets |= set(_secrets(found))


def _secrets(value: Any) -> Iterable[str]:
    """Values under the names that Simli gives to keys, and the capability or key in a URL."""
    if isinstance(value, list):
        for inner in value:
            yield from _secrets(inner)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, str):
                if name in _SECRET_FIELDS and len(inner) > 5:
                    yield inner
                yield from re.findall(r"/k/(?:[0-9a-f]{16}\.)?([^/]+)/", inner)
            else:
                yield from _secrets(inner)


@dataclass
class Run:
    """A gateway, the mirror, and everything that was said by anybody so far."""

    url: str
    process: Gateway
    mirror: Mirror
    environ: dict[str, str]
    config: Path
    var: Path
    file: Path
    """The agent's."""
    said: dict[str, str] = field(default_factory=dict)

    async def command(self, *words: str) -> str:
        """Run it to its end; standard output and standard error are kept, and the former is returned."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", *words, "--config", str(self.config),
            cwd=ROOT, env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **self.environ},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, error = await asyncio.wait_for(process.communicate(), 60)
        self.said[f"{' '.join(words)} ({self.mirror.echo})"] = text = out.decode() + error.decode()
        assert "Traceback" not in text, text
        return out.decode()

    async def asked(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """An answer of the admin API; its headers and body are kept."""
        headers = {"authorization": f"Bearer {PLANTED['GATEWAY_ADMIN_KEY']}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60) as client:
            answer = await client.request(method, path, json=body)
        name = f"{method} {path} {body} ({self.mirror.echo})"
        self.said[name] = f"{answer.status_code} {dict(answer.headers)} {answer.text}"
        return answer

    def artefacts(self) -> dict[str, bytes]:
        """Everything: what commands and the admin API said, the log, every file under var."""
        found = {name: text.encode() for name, text in self.said.items()}
        found["the log"] = self.process.log.encode()
        found |= {str(path): path.read_bytes() for path in self.var.rglob("*") if path.is_file()}
        return found


@pytest.fixture
async def run(tmp_path: Path, upstream: Upstream) -> AsyncIterator[Run]:
    upstream.script = Script(["Hello ", Pause(0.15), "there, ", Pause(0.15), "and welcome."])
    write(tmp_path / "prompts", {"nora.md": NORA})
    (tmp_path / "knowledge").mkdir()
    config = tmp_path / "gateway.toml"
    config.write_text(SETTINGS.format(root=tmp_path, upstream=upstream.url))
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    async with sandboxed(SIMLI_KEY) as simli:
        mirror = Mirror(simli.url)
        methods = ["GET", "POST", "PUT", "DELETE"]
        async with serve(Starlette(routes=[Route("/{path:path}", mirror.passed, methods=methods)])) as url:
            environ = {
                **PLANTED,
                "GATEWAY_VAR": str(tmp_path / "var"),
                "GATEWAY_PUBLIC_URL": f"http://127.0.0.1:{port}",
                "SIMLI_URL": url,
                "PORT": port,
            }
            opened = gateway_process(config.read_text(), environ, arguments=("--port", port))
            process = await asyncio.to_thread(opened.__enter__)
            try:
                yield Run(
                    process.url, process, mirror, environ, config, tmp_path / "var", tmp_path / "prompts" / "nora.md"
                )
            finally:
                await asyncio.to_thread(opened.__exit__, None, None, None)


async def test_no_secret_is_shown(run: Run) -> None:
    """Not in what commands print, what /admin answers, the log or a file: whatever Simli answers, itself included."""
    for method, path, body in ADMIN:
        await run.asked(method, path, body)
    started = (await run.asked("POST", "/admin/sessions", {"agent": "nora"})).json()
    assert started["room_url"] and started["token"] == "", started
    await run.command("agents", "apply")
    rooms = await asyncio.gather(
        run.command("sessions", "start", "nora"), run.command("sessions", "start", "nora", "--by-agent", "--json")
    )
    assert all("/room/" in room for room in rooms), run.said
    for words in (("list",), ("transcript", started["session"]["id"]), ("end", started["session"]["id"])):
        await run.command("sessions", *words)
    made = len(run.mirror.secrets)
    assert made >= 8, "keys of sessions, tokens and capabilities have passed"

    for run.mirror.echo in STATUSES:
        greeting = f"face_id: tmp9i8bbq7c\nfirst_message: Hello, number {run.mirror.echo}.\n"
        run.file.write_text(NORA.replace("face_id: tmp9i8bbq7c\n", greeting))  # something for `apply` to do
        for method, path, body in ADMIN:
            await run.asked(method, path, body)
    run.mirror.lists = False
    await asyncio.gather(*(run.asked(method, path, body) for method, path, body in ADMIN))
    run.mirror.lists = True
    await asyncio.gather(
        *(run.command(*words) for words in (("agents", "apply"), ("sessions", "start", "nora"), ("faces", "list")))
    )
    assert run.mirror.echoes > 30 and len(run.mirror.secrets) > made

    secrets = run.mirror.secrets | set(PLANTED.values())
    found = [(name, shown[:60]) for name, text in run.artefacts().items() for shown in _shown(text, secrets)]
    assert not found, found
    assert len(run.artefacts()) > 50 and sum("[redacted]" in text for text in run.said.values()) > 20


def _shown(text: bytes, secrets: Iterable[str]) -> Iterable[str]:
    """The secrets that stand in the text: as they are, in a URL, in JSON, in base64."""
    for secret in secrets:
        forms = {secret, quote(secret, safe=""), orjson.dumps(secret).decode()[1:-1]}
        forms.add(base64.b64encode(secret.encode()).decode().rstrip("="))
        if any(form.encode() in text for form in forms):
            yield secret


async def test_a_link_is_the_one_answer_that_holds_a_token(run: Run) -> None:
    """What a browser needs to start a session, for one person; and no key, neither Simli's nor one of ours."""
    await run.asked("POST", "/admin/agents/apply")
    made = (await run.asked("POST", "/admin/sessions/link", {"agent": "nora"})).json()
    tokens = {one for one in run.mirror.secrets if one.startswith("gAAAA")}
    assert tokens == {made["token"]} and quote(made["token"], safe="") in made["start_url"]
    keys = (run.mirror.secrets | set(PLANTED.values())) - tokens
    shown = [one for text in run.artefacts().values() for one in _shown(text, keys)]
    assert len(keys) > 6 and not shown
    in_files = [path for path, text in run.artefacts().items() if path.startswith("/") and list(_shown(text, tokens))]
    assert not in_files and made["token"] not in run.process.log
