"""Commands beside a gateway find out where it listens, and believe nothing that a dead one left behind."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.checks.machine import addresses
from gateway.errors import ConfigurationError
from gateway.orchestration.origin import listening, origin
from gateway.running import FOLDER, address, found, noted
from gateway.settings import Server, Settings

ONE, OTHER = "http://127.0.0.1:9000", "http://[::1]:9001"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("[::]", "http://[::1]:80"),
        ("localhost", "http://localhost:80"),
    ],
)
def test_an_address(host: str, url: str) -> None:
    """What means every interface is no address to call."""
    assert address(host, 80) == url


def test_who_serves_is_found_while_it_does(tmp_path: Path) -> None:
    """Each for as long as it runs, however it ends, and afterwards nothing is left in the folder."""
    assert found(tmp_path) == []
    with noted(tmp_path, ONE):
        with pytest.raises(RuntimeError), noted(tmp_path, OTHER):
            assert found(tmp_path) == [ONE, OTHER]
            raise RuntimeError
        assert found(tmp_path) == [ONE]
    assert found(tmp_path) == [] and list((tmp_path / FOLDER).iterdir()) == []


def test_a_dead_one_is_not_believed(tmp_path: Path) -> None:
    """A killed gateway's file is nobody's, and the next one there takes it."""
    words = f"from gateway.running import noted\nwith noted({tmp_path!r}, {ONE!r}): print(flush=True); input()"
    code = f"from pathlib import Path, PosixPath\n{words}"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as running:
        assert running.stdout is not None and running.stdout.readline() == b"\n"
        assert found(tmp_path) == [ONE]
        running.kill()
    assert found(tmp_path) == [] and [path.name for path in (tmp_path / FOLDER).iterdir()] == ["127.0.0.1:9000"]
    with noted(tmp_path, ONE):
        assert found(tmp_path) == [ONE]


def test_where_nothing_can_be_written_it_serves_even_so(tmp_path: Path) -> None:
    """A folder that cannot be made costs no more than that nobody finds it."""
    (tmp_path / "var").write_text("a file")
    with noted(tmp_path / "var", ONE):
        assert found(tmp_path / "var") == []


def test_a_name_is_held_by_one(tmp_path: Path) -> None:
    """A second gateway that listens by the same name elsewhere neither takes the first one's note nor removes it."""
    with noted(tmp_path, ONE):
        with noted(tmp_path, ONE):
            assert found(tmp_path) == [ONE]
        assert found(tmp_path) == [ONE]


def test_who_follows_at_once_is_found(tmp_path: Path) -> None:
    """A gateway that begins while the one before it removes its note has one of its own."""
    code = "import sys; from pathlib import Path; from gateway.running import noted\nfor _ in range(300):\n"
    code += f" with noted(Path(sys.argv[1]), {ONE!r}): pass"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) as other:
        while other.poll() is None:
            with noted(tmp_path, ONE):
                assert found(tmp_path) == [ONE]
        assert other.returncode == 0


def test_check_looks_at_it_too(tmp_path: Path) -> None:
    """Where a gateway of this `var` listens is looked at beside where one would, and each port once."""
    with noted(tmp_path, ONE), noted(tmp_path, OTHER):
        assert addresses(Settings(var=tmp_path)) == [("127.0.0.1", 8000), ("127.0.0.1", 9000), ("::1", 9001)]
        there = Settings(var=tmp_path, server=Server(port=9000))
        assert addresses(there) == [("127.0.0.1", 9000), ("::1", 9001)]


def test_the_settings_say_where_unless_it_runs_elsewhere(tmp_path: Path) -> None:
    """One gateway at another port is meant; of two the one that the settings name, or else what they say."""
    settings = Settings(var=tmp_path)
    free = Settings(var=tmp_path, server=Server(port=0))
    assert listening(settings) == "http://127.0.0.1:8000" and listening(free) == ""
    with noted(tmp_path, ONE):
        assert listening(settings) == listening(free) == origin(free) == ONE
        with noted(tmp_path, OTHER):
            assert listening(Settings(var=tmp_path, server=Server(host="::1", port=9001))) == OTHER
            assert listening(settings) == "http://127.0.0.1:8000"
            with pytest.raises(ConfigurationError, match="PORT"):
                origin(free)
