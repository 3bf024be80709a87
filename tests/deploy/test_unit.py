"""The systemd unit: systemd takes it, it may do little, and it waits for the last answer."""

import subprocess
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.settings import Settings, Target, load
from tests.deploy.proxies import DEPLOY, program, replaced

UNIT = DEPLOY / "simli-gateway.service"
EXPOSURE = 15
"""Tenths of what `systemd-analyze security` counts: 0 is shut in, 100 is free."""


def analyze(*arguments: str) -> "subprocess.CompletedProcess[str]":
    found = program("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is not installed (apt install systemd)")
    return subprocess.run([found, *arguments], capture_output=True, text=True, timeout=60, check=False)


def settings() -> Settings:
    """deploy/service.toml, as the service reads it."""
    return load((DEPLOY / "service.toml").read_text("utf-8"), "service.toml", {}, base=DEPLOY)


def values() -> dict[str, list[str]]:
    """The unit's settings, each with all its values."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text("utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_systemd_takes_it(tmp_path: Path) -> None:
    """No unknown key, no value that is wrong, once the program is where it says."""
    program_ = tmp_path / ".venv" / "bin" / "gateway"
    program_.parent.mkdir(parents=True)
    program_.write_text("#!/bin/sh\n")
    program_.chmod(0o755)
    unit = tmp_path / UNIT.name
    unit.write_text(replaced(UNIT.read_text("utf-8"), {"/opt/simli-gateway/.venv": f"{tmp_path}/.venv"}))
    ended = analyze("verify", "--man=no", str(unit))
    assert (ended.returncode, ended.stderr) == (0, "")


def test_it_is_shut_in() -> None:
    """What systemd counts as exposure is at most 1.5 of 10: it calls out and listens, and little else."""
    ended = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", str(UNIT))
    assert ended.returncode == 0, ended.stdout[-400:]


def test_it_waits_for_the_last_answer() -> None:
    """A target's longest answer fits into the drain, and the drain into the time that systemd gives."""
    server = settings().server
    assert server.drain_timeout > Target().total + Target().first_token
    assert float(values()["TimeoutStopSec"][0]) > server.drain_notice + server.drain_timeout + 10


def test_the_settings_of_a_service_let_nobody_in_without_a_key() -> None:
    """And believe a proxy on this machine."""
    assert not settings().auth.anonymous
    assert "127.0.0.1" in settings().server.trusted_proxies


def test_a_fault_in_the_configuration_is_not_tried_again() -> None:
    """Its exit status is the one that the unit does not restart on; everything else is started again at once."""
    assert values()["RestartPreventExitStatus"] == [str(ConfigurationError.exit_code)]
    assert values()["Restart"] == ["always"]
    assert values()["StartLimitIntervalSec"] == ["0"]


def test_signals_are_for_the_supervisor() -> None:
    """It alone is told to end, to read again and to roll; a worker that the kernel ends is its to start again."""
    told = values()
    assert told["KillMode"] == ["mixed"]
    assert told["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert told["OOMPolicy"] == ["continue"]
    for text in (UNIT.read_text("utf-8"), (DEPLOY / "README.md").read_text("utf-8")):
        assert "systemctl kill --kill-whom=main --signal=USR2 simli-gateway" in text


def test_the_settings_of_a_service_have_two_workers() -> None:
    """And the unit has room for them, and for a third one while one is replaced."""
    assert settings().server.workers == 2
    assert int(values()["MemoryHigh"][0].removesuffix("G")) >= settings().server.workers + 1
