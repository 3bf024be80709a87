"""The Dockerfile, done step by step: what it builds starts without root, without writing, and answers."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest

from tests.deploy.dockerfile import Stage, context, stages
from tests.deploy.proxies import DEPLOY
from tests.deployed.building import Layer, Unbuildable, started
from tests.serving import ROOT
from tests.stores import free_port

ADMIN = "admin-key-of-the-image-test"
QUESTION = {"messages": [{"role": "user", "content": "When does the last boat go back in summer?"}], "stream": False}


class Built(NamedTuple):
    layer: Layer
    stage: Stage
    seconds: float


@pytest.fixture(scope="module")
def built() -> Iterator[Built]:
    """The image, of what the builder is given and nothing else."""
    with tempfile.TemporaryDirectory(prefix="image-") as name:
        place = Path(name)
        given = place / "context"
        for path in context(ROOT, (ROOT / ".dockerignore").read_text("utf-8")):
            (given / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, given / path)
        began = time.monotonic()
        layers: dict[str, Layer] = {}
        for number, stage in enumerate(stages((DEPLOY / "Dockerfile").read_text("utf-8"))):
            try:
                layer = Layer(place / f"stage-{number}")
            except Unbuildable as reason:
                pytest.skip(str(reason))
            layer.build(stage, given, layers)
            layers[stage.name] = layer
        yield Built(layer, stage, time.monotonic() - began)


class Container(NamedTuple):
    url: str
    process: "subprocess.Popen[str]"
    seconds: float
    """From its start until it was ready."""
    port: int


@pytest.fixture(scope="module")
def container(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """It runs, with an empty volume, as nobody in particular."""
    volume, port, began = tmp_path_factory.mktemp("volume"), free_port(), time.monotonic()
    process = started(built.layer, built.stage, volume, port, environ={"GATEWAY_ADMIN_KEY": ADMIN})
    try:
        url = f"http://127.0.0.1:{port}"
        until_ready(url, process)
        yield Container(url, process, time.monotonic() - began, port)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def until_ready(url: str, process: "subprocess.Popen[str]", within: float = 120.0) -> None:
    deadline = time.monotonic() + within
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/readyz", timeout=2):
            return
        time.sleep(0.1)
    process.kill()
    assert process.stdout is not None
    raise RuntimeError(f"it is not ready; its words:\n{process.stdout.read()}")


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def peak(pid: int) -> float:
    """Megabytes of its memory at most."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def answer(url: str, body: object, key: str) -> object:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    request = urllib.request.Request(url, orjson.dumps(body), headers)
    with urllib.request.urlopen(request, timeout=30) as told:
        return orjson.loads(told.read())


def test_it_answers_from_the_knowledge(container: Container, built: Built) -> None:
    """With a key; and what it took to get there is told."""
    made = answer(f"{container.url}/admin/keys", {"name": "caller"}, ADMIN)
    assert isinstance(made, dict)
    said = answer(f"{container.url}/agents/nora/v1/chat/completions", QUESTION, made["secret"])
    assert isinstance(said, dict)
    assert "boat" in said["choices"][0]["message"]["content"]
    size = sum(path.lstat().st_size for path in built.layer.upper.rglob("*")) / 2**20
    memory = sum(peak(pid) for pid in (container.process.pid, *children(container.process.pid)))
    told = (
        f"built in {built.seconds:.0f} s; {size:.0f} MB over the base; ready {container.seconds:.1f} s after its start"
    )
    sys.stderr.write(f"\n{told}; at most {memory:.0f} MB of memory while it serves\n")


def test_nobody_is_answered_without_a_key(container: Container) -> None:
    """It listens on every address."""
    with pytest.raises(urllib.error.HTTPError, match="401"):
        answer(f"{container.url}/agents/nora/v1/chat/completions", QUESTION, "wrong")


def test_its_health_check_passes(container: Container, built: Built) -> None:
    """The command of HEALTHCHECK, in the image and as its user, with nothing but its environment."""
    health = built.stage.last("HEALTHCHECK")
    assert health is not None
    told = [f"{name}={value}" for name, value in {**built.stage.environ, "PORT": str(container.port)}.items()]
    inside = ["nsenter", "--mount", f"--target={container.process.pid}", "chroot", str(built.layer.root)]
    user = ["setpriv", "--reuid=10001", "--regid=10001", "--clear-groups", "env", "-i", *told]
    subprocess.run([*inside, *user, *health.words], check=True, timeout=30)


def test_it_may_do_nothing(container: Container) -> None:
    """It is not root, has no capability, and none to gain; its root is read-only."""
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{container.process.pid}/status").read_text().splitlines()
    )
    assert status["Uid"].split() == ["10001"] * 4
    assert [int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")] == [0, 0, 0]
    assert status["NoNewPrivs"] == "1"
    roots = [line.split() for line in Path(f"/proc/{container.process.pid}/mounts").read_text().splitlines()]
    assert [fields[3].split(",")[0] for fields in roots if fields[1] == "/"] == ["ro"]


def test_no_library_is_missing(built: Built) -> None:
    """Whatever a package links to is in the package, or in a slim base: the C and C++ libraries."""
    found: set[str] = set()
    place = built.layer.upper / "opt" / "simli-gateway"
    libraries = [path for path in place.rglob("*") if ".so" in path.name and path.is_file() and not path.is_symlink()]
    for path in libraries:
        told = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=False).stdout
        for line in told.splitlines():
            if "=>" in line and "opt/simli-gateway" not in line:
                found.add(line.split()[0])
    assert len(libraries) > 50
    assert found <= SLIM, found - SLIM


SLIM = {
    *(
        "libc.so.6",
        "libm.so.6",
        "libdl.so.2",
        "libmvec.so.1",
        "librt.so.1",
        "libpthread.so.0",
        "libutil.so.1",
        "ld-linux-x86-64.so.2",
    ),
    *("libgcc_s.so.1", "libstdc++.so.6", "libz.so.1", "libresolv.so.2"),
}
"""Of python:3.11-slim-bookworm."""


def test_it_ends_by_itself(container: Container) -> None:
    """SIGTERM reaches the gateway, which takes its store with it: the last test, for it ends the container."""
    started_ = children(container.process.pid)
    assert started_
    container.process.terminate()
    assert container.process.wait(30) == 0
    assert not [pid for pid in started_ if os.path.exists(f"/proc/{pid}")]  # noqa: PTH110 a kernel's file


def test_it_ends_while_it_ingests_too(built: Built, tmp_path: Path) -> None:
    """SIGTERM before the gateway serves ends it at once, as the first process of a container has to be told to."""
    process = started(built.layer, built.stage, tmp_path, free_port(), environ={})
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "models").is_symlink() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)
        process.terminate()
        assert process.wait(10) == 143
    finally:
        process.kill()
        assert process.stdout is not None
        process.stdout.close()
