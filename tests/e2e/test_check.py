"""`gateway check`: everything at once, each with what to do, in eighty columns or as JSON."""

import asyncio
import json
import shutil
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import gateway
from tests.serving import ROOT, gateway_process
from tests.upstream import Answer, Upstream, error

AGENT = "---\nlanguage: en\n---\nYou are Nora.\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """One agent, no knowledge."""
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "nora.md").write_text(AGENT)
    (tmp_path / "knowledge").mkdir()
    (tmp_path / "gateway.toml").write_text('prompts = "prompts"\nknowledge.directory = "knowledge"\n')
    return tmp_path


async def checked(
    place: Path, *arguments: str, environ: Mapping[str, str] | None = None
) -> tuple[int, dict[str, dict[str, str]]]:
    """The exit code and the findings by what they are about. Beside it, the table says the same in 80 columns."""
    named = ["check", "--config", str(place / "gateway.toml"), *(arguments or ("--port", "0"))]
    given = {"GATEWAY_VAR": str(place / "var"), **(environ or {})}
    done = await asyncio.to_thread(gateway, *named, "--json", environ=given)
    assert done.stderr == ""
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["ok"] == (done.returncode == 0)
    return done.returncode, {one["what"]: one for one in answer["findings"]}


async def test_all_is_well(place: Path, var: Path) -> None:
    """With the samples, ingested: every line says ok, and the exit code is 0."""
    (place / "gateway.toml").write_text(
        f'prompts = "{ROOT / "prompts"}"\nknowledge.directory = "{ROOT / "knowledge"}"\n'
    )
    code, found = await checked(place, environ={"GATEWAY_VAR": str(var)})
    # Somebody may run a sandbox on this machine, with other agents.
    levels = {one["level"] for what, one in found.items() if not what.startswith(("simli", "agent"))}
    assert code == 0 and levels == {"ok"}
    assert {"settings", "store", "embedding model", "knowledge lighthouse", "port 0"} <= set(found)


async def test_every_fault_is_found_at_once(place: Path, upstream: Upstream) -> None:
    """Settings, agents, targets, store, knowledge, port: one run shows all, each with a remedy, in eighty columns."""
    (place / "prompts" / "emil.md").write_text("---\nlangage: en\n---\nYou are Emil.\n")
    (place / "knowledge" / "tower").mkdir()
    (place / "gateway.toml").write_text(
        'prompts = "prompts"\nknowledge.directory = "knowledge"\nlimits.messages = 0\n'
        f'[[routes.up.targets]]\nurl = "{upstream.url}"\nmodel = "nobody"\n'
        '[[routes.gone.targets]]\nurl = "http://127.0.0.1:9/v1"\n'
    )
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environ = {"REDIS_URL": "redis://127.0.0.1:9/0"}
        code, found = await checked(place, "--port", str(port), environ=environ)
        named = ("check", "--config", str(place / "gateway.toml"), "--port", str(port))
        shown = await asyncio.to_thread(
            gateway, *named, environ={"GATEWAY_VAR": str(place / "var"), "COLUMNS": "200", **environ}
        )
    assert code == 78
    faults = {what: one for what, one in found.items() if one["level"] == "fault"}
    assert set(faults) == {
        f"{place}/gateway.toml:3",
        f"{place}/prompts/emil.md:2",
        "target up/nobody",
        "target gone/http://127.0.0.1:9/v1",
        "store",
        f"port {port}",
    }
    assert faults["target up/nobody"]["remedy"] == "set routes.up.targets[0].model to one of them"
    assert "did you mean 'language'?" in faults[f"{place}/prompts/emil.md:2"]["says"]
    assert shown.returncode == 78 and max(map(len, shown.stdout.splitlines())) <= 80
    for one in faults.values():
        assert one["what"][:40] in shown.stdout
        assert "".join(one["remedy"].split()) in "".join(shown.stdout.split())
    assert shown.stdout.endswith("6 faults, 0 warnings\n")


async def test_a_target_that_another_stands_in_for_is_a_warning(place: Path, upstream: Upstream) -> None:
    """A route answers as long as one of its targets does; a refused key is said as such."""
    upstream.asides["/v1/models"] = lambda _: Answer(401, error("Wrong key.", "invalid_api_key"))
    (place / "gateway.toml").write_text(
        'prompts = "prompts"\nknowledge.directory = "knowledge"\n'
        f'[[routes.up.targets]]\nurl = "{upstream.url}"\nmodel = "m"\nkey_env = "MODEL_KEY"\n'
        '[[routes.up.targets]]\nembedded = "extractive"\n'
    )
    code, found = await checked(place, environ={"MODEL_KEY": "sk-planted"})
    assert code == 0
    assert found["target up/m"]["level"] == "warning" and "refuses the key" in found["target up/m"]["says"]
    assert found["target up/m"]["remedy"] == "put the right key into MODEL_KEY"
    assert "planted" not in json.dumps(found)


async def test_knowledge_that_is_not_what_its_files_are(place: Path, var: Path) -> None:
    """Never ingested is a fault, changed files a warning, a damaged version a fault; each names `gateway ingest`."""
    agent = "---\ncollections: [tower]\n---\nYou are Nora.\n"
    (place / "prompts" / "nora.md").write_text(agent)
    (place / "knowledge" / "tower").mkdir()
    file = place / "knowledge" / "tower" / "tower.md"
    file.write_text("# The tower\n\nIt is forty metres tall.\n")
    code, found = await checked(place)
    assert code == 78 and found["knowledge tower"]["says"] == "there is no version of it"
    assert found["embedding model"]["level"] == "fault"
    (place / "var" / "models").mkdir(parents=True)
    model = next((var / "models").glob("multilingual*"))
    (place / "var" / "models" / model.name).symlink_to(model.resolve())
    config = ("--config", str(place / "gateway.toml"))
    done = gateway("ingest", *config, environ={"GATEWAY_VAR": str(place / "var")})
    assert done.returncode == 0, done.stderr
    code, found = await checked(place)
    assert code == 0 and found["knowledge tower"]["level"] == "ok"
    file.write_text("# The tower\n\nIt is forty-one metres tall.\n")
    code, found = await checked(place)
    assert code == 0 and found["knowledge tower"] == {
        "level": "warning",
        "what": "knowledge tower",
        "says": "1 file differs from what is served",
        "remedy": "gateway ingest tower",
    }
    next((place / "var" / "knowledge" / "tower").glob("*/passages.jsonl")).unlink()
    code, found = await checked(place)
    assert code == 78 and found["knowledge tower"]["level"] == "fault"
    assert found["knowledge tower"]["remedy"] == "gateway ingest tower"
    shutil.rmtree(place / "var" / "models")


async def test_a_gateway_that_runs_already_is_recognised(place: Path) -> None:
    """The port of a running gateway is no fault: it is ours; its public URL is asked for /livez."""
    with gateway_process(f'prompts = "{place / "prompts"}"') as running:
        port = running.url.rsplit(":", 1)[1]
        code, found = await checked(place, "--port", port, environ={"GATEWAY_PUBLIC_URL": running.url})
    assert code == 0
    assert found[f"port {port}"]["says"] == "a gateway answers there already"
    assert found["public URL"] == {"level": "ok", "what": "public URL", "says": running.url, "remedy": ""}


@contextmanager
def somebody_else() -> Iterator[str]:
    """A web server that is no gateway."""

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"It works!")

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


async def test_what_costs_less_is_a_warning(place: Path) -> None:
    """A public URL that leads elsewhere, and a `var` that cannot be written to; a readable secret is a fault."""
    with somebody_else() as url:
        environ = {"GATEWAY_PUBLIC_URL": url, "GATEWAY_VAR": "/proc/gateway"}
        code, found = await checked(place, environ=environ)
    assert code == 0
    assert found["public URL"]["level"] == "warning" and "is not a gateway's" in found["public URL"]["says"]
    assert found["var /proc/gateway"]["level"] == "warning"
    (place / "var").mkdir()
    (place / "var" / "secret").write_text("x" * 40)
    (place / "var" / "secret").chmod(0o644)
    code, found = await checked(place)
    assert code == 78 and "chmod 600" in found[str(place / "var" / "secret")]["says"]


async def test_settings_that_cannot_be_read_are_said_with_their_line(place: Path) -> None:
    """Of a file that is no TOML nothing else is known, so its line is all there is."""
    (place / "gateway.toml").write_text("prompts = \n")
    code, found = await checked(place)
    assert code == 78 and list(found) == [f"{place}/gateway.toml:1"]
