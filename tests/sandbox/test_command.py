"""`gateway sandbox` as a process."""

import argparse
import contextlib
import signal
import subprocess
import sys
import threading
import time

import httpx
import pytest

from gateway.cli import sandbox
from gateway.settings import Settings
from tests.serving import ROOT

COMMAND = [sys.executable, "-m", "gateway", "sandbox", "--port"]


def test_the_commands_beginning_and_end() -> None:
    """The line that scripts wait for; a taken port in a sentence; Ctrl-C ends it at once, whatever hangs, silently."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*COMMAND, "0"], cwd=ROOT, text=True, **pipes) as process:  # type: ignore[call-overload]
        line = process.stdout.readline()
        assert line.startswith("sandbox on http://127.0.0.1:")
        url = line.split()[-1]
        port = url.rsplit(":", 1)[1]
        taken = subprocess.run([*COMMAND, port], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
        assert (taken.returncode, taken.stdout) == (78, "")
        assert taken.stderr == f"gateway: 127.0.0.1 port {port}: Address already in use; --port chooses another\n"
        with httpx.Client(base_url=url, trust_env=False, timeout=20) as client:
            client.post("/sandbox/faults", json={"operation": "ping", "kind": "hang"})

            def hang() -> None:
                with contextlib.suppress(httpx.TransportError):
                    httpx.get(f"{url}/ping", trust_env=False, timeout=20)

            waiting = threading.Thread(target=hang)
            waiting.start()
            while not client.get("/sandbox/state.json").json()["calls"]:
                time.sleep(0.01)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0
            assert time.monotonic() - began < 5  # it would wait for ever for what hangs
        waiting.join(5)
        assert process.stderr.read() == ""


def test_a_directory_that_cannot_be(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no folder can be made it is said in a sentence, before anything is served."""
    parser = argparse.ArgumentParser()
    sandbox.add(parser)
    assert sandbox.run(parser.parse_args(["--port", "0", "--directory", "/dev/null/videos"]), Settings()) == 78
    assert capsys.readouterr().err == "gateway: /dev/null/videos: Not a directory; --directory chooses another\n"
