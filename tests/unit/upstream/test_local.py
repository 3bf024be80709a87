"""The parent's side of the local model, without the model."""

import socket
import sys
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.upstream import local


def test_missing_engine_and_model_are_both_said() -> None:
    """Both faults come at once, and each says the command that mends it."""
    with pytest.raises(ConfigurationError) as caught:
        local.model_file(engine="no_such_engine", package="no-such-package")
    faults = [str(fault) for fault in caught.value.faults]
    assert len(faults) == 2
    assert all("make run LLM=1" in fault for fault in faults)
    assert "no_such_engine" in caught.value.message
    assert "no-such-package" in caught.value.message


def test_missing_gguf_file_is_named(tmp_path: Path) -> None:
    """A path that leads nowhere is said with the path and the setting."""
    with pytest.raises(ConfigurationError, match=r"absent\.gguf: cannot be read \(No such file.*GGUF=path"):
        local.model_file(tmp_path / "absent.gguf", engine="json")


def test_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    """A file of another kind is refused before a child is started with it."""
    (tmp_path / "notes.txt").write_text("no model")
    with pytest.raises(ConfigurationError, match=r"notes\.txt: is no GGUF file"):
        local.model_file(tmp_path / "notes.txt", engine="json")


def test_gguf_file_is_taken_as_an_absolute_path(tmp_path: Path) -> None:
    """The child is given a path that holds wherever it runs."""
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF\x03\x00")
    assert local.model_file(tmp_path / "." / "model.gguf", engine="json") == file.resolve()


def test_child_is_this_python_with_the_settings() -> None:
    """The child's arguments are those of `upstream/llama.py`, run by the interpreter of the parent."""
    child = local.child(Path("/models/small.gguf"), 4711, context=4096, parallel=3, threads=1)
    assert child.argv[:3] == [sys.executable, "-m", "gateway.upstream.llama"]
    pairs = dict(zip(child.argv[3::2], child.argv[4::2], strict=True))
    assert pairs == {
        "--model": "/models/small.gguf",
        "--port": "4711",
        "--context": "4096",
        "--parallel": "3",
        "--threads": "1",
    }
    assert local.base_url(4711) == "http://127.0.0.1:4711/v1"


async def test_nobody_listening_is_not_ready() -> None:
    """While nothing answers on the port, the child does not count as ready."""
    assert await local.child(Path("small.gguf"), local.free_port()).health() is False


def test_free_port_can_be_bound() -> None:
    """The port is free for the child to take."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", local.free_port()))


def test_parent_does_not_import_the_engine() -> None:
    """The engine is loaded in the child only: a crash or 100 MB of it stay out of the gateway."""
    assert "xllamacpp" not in sys.modules
