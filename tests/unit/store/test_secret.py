"""The secret that capabilities are made with: given, or made once and kept to oneself."""

import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.settings import Settings
from gateway.store import secret


def test_a_given_secret_is_taken(tmp_path: Path) -> None:
    """GATEWAY_SECRET is used as it is, and nothing is written."""
    assert secret.found(Settings(secret="s" * 32, var=tmp_path)) == "s" * 32
    assert list(tmp_path.iterdir()) == []


def test_one_is_made_once_and_kept_private(tmp_path: Path) -> None:
    """Without one, 256 random bits are made into `var/secret` with mode 0600, and found again by the next start."""
    var = tmp_path / "new" / "var"
    made = secret.found(Settings(var=var))
    assert secret.found(Settings(var=var)) == made
    assert len(made) >= 43
    assert stat.S_IMODE((var / "secret").stat().st_mode) == 0o600
    assert [path.name for path in var.iterdir()] == ["secret"]
    assert secret.found(Settings(var=tmp_path)) != made


def test_processes_that_race_for_it_agree(tmp_path: Path) -> None:
    """Eight that start at once on an empty `var` all have the same secret, whoever was first."""
    for number in range(20):
        path = tmp_path / str(number) / "secret"
        together = threading.Barrier(8)

        def race(path: Path = path, together: threading.Barrier = together) -> str:
            together.wait()
            return secret.kept(path)

        with ThreadPoolExecutor(8) as pool:
            raced = [pool.submit(race) for _ in range(8)]
        assert len({each.result() for each in raced}) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_n61_a_secret_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """A `var/secret` that others can read or write stops the start with exit code 78 and a remedy; it is not shown."""
    path = tmp_path / "secret"
    path.write_text("x" * 40)
    path.chmod(mode)
    with pytest.raises(ConfigurationError) as caught:
        secret.found(Settings(var=tmp_path))
    assert caught.value.exit_code == 78
    assert f"{mode:04o}" in str(caught.value)
    assert "chmod 600" in str(caught.value)
    assert "xxxx" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "short", "x" * 31, "x" * 20 + " " + "x" * 20, "ä" * 40, "x" * 600, "x" * 5000])
def test_n61_a_weak_secret_is_refused(tmp_path: Path, text: str) -> None:
    """A `var/secret` that is too short, or no secret at all, stops the start; it is never shown."""
    path = tmp_path / "secret"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError) as caught:
        secret.found(Settings(var=tmp_path))
    assert "32" in str(caught.value)
    assert not text or text not in str(caught.value)


def test_a_secret_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    """A folder of that name is told as a fault, not replaced."""
    (tmp_path / "secret").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        secret.found(Settings(var=tmp_path))
