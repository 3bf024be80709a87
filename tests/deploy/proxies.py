"""nginx and Caddy as deploy/ configures them, in front of a gateway here: other ports, a certificate for a day."""

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from tests import nginx as nginx_program
from tests.deploy.certificate import written
from tests.serving import ROOT
from tests.stores import free_port

DEPLOY = ROOT / "deploy"
WORDS = 4000


@dataclass(frozen=True, slots=True)
class Proxy:
    """One that runs."""

    name: str
    url: str
    """https, without a slash at the end."""
    plain: str
    """Its http side, that sends callers to the other; empty where it is not started."""
    tls: ssl.SSLContext
    """Believes this proxy and nobody else."""
    logs: tuple[Path, ...]
    """What it writes into."""


Start: TypeAlias = Callable[[Path, str], contextlib.AbstractContextManager[Proxy]]
"""With a directory of its own, and the URL of the gateway."""


def program(name: str) -> str | None:
    """Its path, if it is installed."""
    return shutil.which(name, path=f"{os.defpath}:/usr/sbin:/usr/local/sbin:/usr/local/bin")


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """The text with each of these put in another's place. Each has to stand in it: else nothing would be tested."""
    for before, after in changes.items():
        if before not in text:
            raise ValueError(f"{before!r} does not stand in the configuration")
        text = text.replace(before, after)
    return text


@contextlib.contextmanager
def nginx(place: Path, gateway: str) -> Iterator[Proxy]:
    """nginx with deploy/nginx.conf."""
    pair = written(place)
    port, plain = free_port(), free_port()
    changes = {
        "    listen [::]:443 ssl;\n": "",
        "    listen [::]:80;\n": "",
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "/etc/letsencrypt/live/gateway.example.org": str(place),
        "/var/log/nginx": str(place),
        "server 127.0.0.1:8000 ": f"server {urlsplit(gateway).netloc} ",
    }
    text = replaced((DEPLOY / "nginx.conf").read_text("utf-8"), changes)
    logs = (place / "nginx.log", place / "gateway.log", place / "gateway-error.log")
    with running(nginx_program.command(place, text), place / "output.log", {}, port):
        context = ssl.create_default_context(cafile=pair.certificate)
        yield Proxy("nginx", f"https://127.0.0.1:{port}", f"http://127.0.0.1:{plain}", context, logs)


@contextlib.contextmanager
def caddy(place: Path, gateway: str, path: str = "") -> Iterator[Proxy]:
    """Caddy with deploy/Caddyfile: the one of this path, or the installed one."""
    port = free_port()
    # What would reach outside the directory: port 80, the admin port, this machine's list of trusted certificates.
    own = "{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n\t# Running answers"
    text = replaced((DEPLOY / "Caddyfile").read_text("utf-8"), {"{\n\t# Running answers": own})
    (place / "Caddyfile").write_text(text, encoding="utf-8")
    command = [path or program("caddy") or "caddy", "run", "--config", f"{place}/Caddyfile", "--adapter", "caddyfile"]
    environ = {
        "HOME": str(place),
        "XDG_DATA_HOME": str(place),
        "XDG_CONFIG_HOME": str(place),
        "GATEWAY_HOST": f"https://localhost:{port}",
        "GATEWAY_UPSTREAM": urlsplit(gateway).netloc,
    }
    with running(command, place / "caddy.log", environ, port):
        root = place / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        context = ssl.create_default_context(cafile=root)
        yield Proxy("caddy", f"https://localhost:{port}", "", context, (place / "caddy.log",))


PROXIES: dict[str, Start] = {"nginx": nginx, "caddy": caddy}


@contextlib.contextmanager
def running(command: Sequence[str], log: Path, environ: Mapping[str, str], port: int) -> Iterator[None]:
    """Run a program; the block begins when a TLS connection to the port stands. Raises RuntimeError: its last words."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={"PATH": os.defpath, **environ},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _listens(process, port, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(process: "subprocess.Popen[bytes]", port: int, log: Path, within: float = 20.0) -> None:
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    deadline = time.monotonic() + within
    while process.poll() is None and time.monotonic() < deadline:
        with (
            contextlib.suppress(OSError),  # refused; or no certificate yet
            socket.create_connection(("127.0.0.1", port), timeout=1) as connection,
            anyone.wrap_socket(connection, server_hostname="localhost"),
        ):
            return
        time.sleep(0.02)
    last = log.read_text("utf-8", "replace")[-WORDS:]
    raise RuntimeError(f"Nothing answers on port {port}. The program's last words:\n{last}")
