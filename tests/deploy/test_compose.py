"""compose.yaml: what it mounts is there, what it says fits the settings, the image and the proxy."""

import ipaddress
import re
from typing import Any

import pytest
import yaml

from tests.deploy.dockerfile import stages
from tests.deploy.proxies import DEPLOY
from tests.deploy.test_unit import settings

COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
FINAL = stages((DEPLOY / "Dockerfile").read_text("utf-8"))[-1]


def seconds(text: str) -> float:
    assert text.endswith("s")
    return float(text[:-1])


@pytest.mark.parametrize("name", SERVICES)
def test_each_is_shut_in(name: str) -> None:
    """It writes into volumes only, has no capability that it does not need, a bound, and is started again."""
    service = SERVICES[name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) in ([], ["NET_BIND_SERVICE"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"] and service["restart"] == "unless-stopped"


def test_only_the_proxy_is_reached_from_outside() -> None:
    """And Redis from the gateway alone, with no way out."""
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["caddy"]
    assert [name for name, service in SERVICES.items() if "store" in service["networks"]] == ["gateway", "redis"]
    assert COMPOSE["networks"]["store"]["internal"]


def test_what_is_mounted_exists() -> None:
    """Folders and files of the clone where they are named, and volumes that are declared."""
    named = set()
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists()
            else:
                named.add(source)
    assert named == set(COMPOSE["volumes"])
    assert (DEPLOY / SERVICES["gateway"]["build"]["context"] / SERVICES["gateway"]["build"]["dockerfile"]).exists()


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
    mounted = [volume.split(":")[1] for volume in SERVICES["gateway"]["volumes"]]
    told = settings()
    assert mounted == [FINAL.environ["GATEWAY_VAR"], str(told.prompts), str(told.knowledge.directory)]
