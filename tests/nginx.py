"""nginx as a program of a test: in the foreground, and everything that it writes in one folder."""

import os
import shutil
from pathlib import Path

MAIN = """
daemon off;
worker_processes 1;
pid {place}/nginx.pid;
error_log {place}/nginx.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {place}/nginx-body;
    proxy_temp_path {place}/nginx-proxy;
    fastcgi_temp_path {place}/nginx-fastcgi;
    uwsgi_temp_path {place}/nginx-uwsgi;
    scgi_temp_path {place}/nginx-scgi;
    include {place}/servers.conf;
}}
"""


def program() -> str | None:
    """Its path, if it is installed."""
    return shutil.which("nginx", path=f"{os.defpath}:/usr/sbin:/usr/local/sbin")


def command(place: Path, servers: str) -> list[str]:
    """What starts it with these blocks (`upstream`, `server`, …) in `http`. It logs in nginx.log there."""
    (place / "servers.conf").write_text(servers, encoding="utf-8")
    (place / "nginx.conf").write_text(MAIN.format(place=place), encoding="utf-8")
    return [program() or "nginx", "-e", f"{place}/nginx.log", "-c", f"{place}/nginx.conf"]
