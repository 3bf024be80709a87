"""compose.yaml: what it mounts is there, what it says fits the settings, the image, the lock and the proxy."""

import ipaddress
import re
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.dockerfile import stages
from tests.deploy.proxies import DEPLOY
from tests.deploy.test_unit import settings
from tests.serving import ROOT
from tests.stores import free_port

COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
FINAL = stages((DEPLOY / "Dockerfile").read_text("utf-8"))[-1]
TAG = re.compile(r"[a-z/]+:v?\d+\.\d+(\.\d+)?(-alpine)?")
WATCHING = {"prometheus", "grafana"}


def seconds(text: str) -> float:
    assert text.endswith("s")
    return float(text[:-1])


def mounted(name: str) -> dict[str, str]:
    """What a service sees of this folder and of its secrets: by its path in the container, the path here."""
    found = {}
    for volume in SERVICES[name].get("volumes", ()):
        source, target = volume.split(":")[:2]
        if source.startswith("."):
            assert volume.endswith(":ro")
            found[target] = source
    for secret in SERVICES[name].get("secrets", ()):
        given = {"source": secret, "target": f"/run/secrets/{secret}"} if isinstance(secret, str) else secret
        found[given["target"]] = COMPOSE["secrets"][given["source"]]["file"]
    return found


def document(name: str, path: str) -> Any:
    """A file as this service reads it."""
    return yaml.safe_load((DEPLOY / mounted(name)[path]).read_text("utf-8"))


@pytest.mark.parametrize("name", SERVICES)
def test_each_is_shut_in(name: str) -> None:
    """It writes into volumes only, has no capability that it does not need, a bound, and is started again."""
    service = SERVICES[name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) in ([], ["NET_BIND_SERVICE"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"] and service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_each_says_how_it_is(name: str) -> None:
    """By a health check of its own, its image's, or, of the proxy, by waiting for what it stands in front of."""
    service = SERVICES[name]
    if name == "gateway":
        assert FINAL.last("HEALTHCHECK") is not None
    elif name == "caddy":
        assert service["depends_on"] == {"gateway": {"condition": "service_healthy"}}
    else:
        check = service["healthcheck"]
        assert check["test"][0] == "CMD" and seconds(check["timeout"]) < seconds(check["interval"])


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"gateway"}))
def test_each_image_is_a_version(name: str) -> None:
    """Not the newest of all, and Chroma's server is the one that the locked client is of."""
    image = SERVICES[name]["image"]
    assert TAG.fullmatch(image)
    if name == "chroma":
        assert image.rpartition(":")[2] == version("chromadb")
        assert f"chromadb=={version('chromadb')} " in (ROOT / "requirements.lock").read_text("utf-8")


def test_only_the_proxy_is_reached_from_outside() -> None:
    """Redis and Chroma from the gateway alone, with no way out; Prometheus by Grafana; Grafana from this machine."""
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports == {"caddy": ["80:80", "443:443", "443:443/udp"], "grafana": ["127.0.0.1:3000:3000"]}
    within = {net: {name for name, one in SERVICES.items() if net in one["networks"]} for net in COMPOSE["networks"]}
    assert within == {
        "front": {"gateway", "caddy"},
        "store": {"gateway", "redis", "chroma"},
        "watch": {"gateway", *WATCHING},
        "desk": {"grafana"},
    }
    internal = [name for name, network in COMPOSE["networks"].items() if (network or {}).get("internal")]
    assert internal == ["store", "watch"]


def test_to_be_watched_is_a_choice() -> None:
    """A small installation has neither Prometheus nor Grafana, and nothing that has no profile waits for them."""
    assert {name for name, one in SERVICES.items() if one.get("profiles") == ["monitoring"]} == WATCHING
    assert not [name for name in set(SERVICES) - WATCHING if WATCHING & set(SERVICES[name].get("depends_on", ()))]


def test_what_is_mounted_exists() -> None:
    """Folders and files of the clone where they are named, and volumes that are declared."""
    secret = {one["file"] for one in COMPOSE["secrets"].values()}
    for name in SERVICES:
        for source in set(mounted(name).values()) - secret:
            assert (DEPLOY / source).exists()
    sources = [volume.split(":")[0] for one in SERVICES.values() for volume in one.get("volumes", ())]
    assert {source for source in sources if not source.startswith(".")} == set(COMPOSE["volumes"])
    assert (DEPLOY / SERVICES["gateway"]["build"]["context"] / SERVICES["gateway"]["build"]["dockerfile"]).exists()


def test_no_secret_stands_here_or_goes_into_git() -> None:
    """Each is a file that git does not take, and that its top makes for the user of the container alone."""
    head = (DEPLOY / "compose.yaml").read_text("utf-8").split("\nname:")[0]
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    for source in (*(one["file"] for one in COMPOSE["secrets"].values()), "./environment", "./.env"):
        assert f"deploy/{source.removeprefix('./')}" in ignored
    for name, secret in (("prometheus", "metrics"), ("grafana", "grafana")):
        user = SERVICES[name]["user"].partition(":")[0]
        file = COMPOSE["secrets"][secret]["file"].removeprefix("./")
        assert f"install -m 0600 -o {user} /dev/null {file}\n" in head
        assert len(re.findall(rf" > {file}\n", head)) == 1
    assert "umask 077" in head.split("> environment")[0]
    assert not re.search(r"(?i)(password|secret|key): (?!/run/secrets/)\S", str(SERVICES))


def test_prometheus_reads_what_it_is_given() -> None:
    """Its rules and the key lie where its configuration looks for them, the gateway is asked, disk is bounded."""
    (configured,) = (each.partition("=")[2] for each in SERVICES["prometheus"]["command"] if "config.file" in each)
    told = document("prometheus", configured)
    (job,) = told["scrape_configs"]
    wanted = [*told["rule_files"], job["authorization"]["credentials_file"]]
    assert {str(Path(configured).parent / each) for each in wanted} == set(mounted("prometheus")) - {configured}
    assert job["static_configs"] == [{"targets": [f"gateway:{FINAL.environ['PORT']}"]}]
    assert {"--storage.tsdb.retention.time=30d", "--storage.tsdb.retention.size=4GB"} <= {
        *SERVICES["prometheus"]["command"]
    }


def test_grafana_shows_the_dashboard_of_that_prometheus() -> None:
    """Its source is the service, its folder of dashboards is where ours is mounted, its password is a file."""
    (source,) = document("grafana", "/etc/grafana/provisioning/datasources/gateway.yaml")["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    (shown,) = document("grafana", "/etc/grafana/provisioning/dashboards/gateway.yaml")["providers"]
    folder = shown["options"]["path"]
    dashboard = document("grafana", f"{folder}/gateway.json")
    assert {"type": "datasource", "query": "prometheus"}.items() <= dashboard["templating"]["list"][0].items()
    password = SERVICES["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"]
    assert mounted("grafana")[password] == "./grafana/password"


def test_the_proxy_is_believed_and_finds_the_gateway() -> None:
    """Its network is one of the trusted ones; the address is the service's, on the port of the image."""
    (network,) = COMPOSE["networks"]["front"]["ipam"]["config"]
    trusted = [ipaddress.ip_network(one) for one in settings().server.trusted_proxies]
    assert ipaddress.ip_network(network["subnet"]) in trusted
    assert SERVICES["caddy"]["environment"]["GATEWAY_UPSTREAM"] == f"gateway:{FINAL.environ['PORT']}"
    read = set(re.findall(r"\{\$(\w+)", (DEPLOY / "Caddyfile").read_text("utf-8")))
    assert read == set(SERVICES["caddy"]["environment"])


def test_each_waits_for_the_last_answer() -> None:
    """The gateway longer than it drains, and the proxy longer than its own grace."""
    server = settings().server
    assert seconds(SERVICES["gateway"]["stop_grace_period"]) > server.drain_notice + server.drain_timeout + 10
    (grace,) = re.findall(r"grace_period (\d+s)", (DEPLOY / "Caddyfile").read_text("utf-8"))
    assert seconds(SERVICES["caddy"]["stop_grace_period"]) > seconds(grace) >= server.drain_timeout


def test_the_volumes_are_the_images() -> None:
    """State, prompts and knowledge are mounted where the image has them."""
    targets = [volume.split(":")[1] for volume in SERVICES["gateway"]["volumes"]]
    told = settings()
    assert targets == [FINAL.environ["GATEWAY_VAR"], str(told.prompts), str(told.knowledge.directory)]


def test_the_store_and_the_knowledge_are_found() -> None:
    """By the names of their services, once both are healthy, on the ports that they listen on."""
    told = SERVICES["gateway"]["environment"]
    command = SERVICES["chroma"]["command"]
    assert told["REDIS_URL"] == "redis://redis:6379/0"
    assert told["CHROMA_URL"] == f"http://chroma:{command[command.index('--port') + 1]}"
    assert SERVICES["gateway"]["depends_on"] == {name: {"condition": "service_healthy"} for name in ("redis", "chroma")}


def test_chroma_starts_with_this_command_and_is_found_healthy(tmp_path: Path) -> None:
    """The package's own server with the service's command and check: not healthy before, then healthy."""
    port = free_port()
    changes = {"/data": str(tmp_path), "8000": str(port), "0.0.0.0": "127.0.0.1"}
    command = [changes.get(word, word) for word in SERVICES["chroma"]["command"]]
    check = [word.replace("8000", str(port)).replace("$$", "$") for word in SERVICES["chroma"]["healthcheck"]["test"]]
    assert check[0] == "CMD"

    def healthy() -> bool:
        return subprocess.run(check[1:], capture_output=True, timeout=5, check=False).returncode == 0

    assert not healthy()
    chroma = Path(sys.executable).with_name("chroma")
    with subprocess.Popen([chroma, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            deadline = time.monotonic() + 20
            while not healthy():
                assert running.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            running.terminate()
    assert (tmp_path / "chroma.sqlite3").exists()
