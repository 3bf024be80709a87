"""Keys and capabilities, made by commands beside a running gateway that the world could reach."""

import asyncio
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.conftest import gateway
from tests.serving import gateway_process
from tests.stores import free_port
from tests.upstream import Upstream

AGENT = "---\nlanguage: en\napology: Sorry.\n---\nYou are Nora.\n"
ASK: dict[str, Any] = {"model": "nora", "stream": False, "messages": [{"role": "user", "content": "How tall is it?"}]}
CHAT = "/v1/chat/completions"


async def command(*arguments: str, var: Path, config: Path) -> str:
    """What a command writes to standard output, without its line end."""
    environ = {"GATEWAY_VAR": str(var)}
    done = await asyncio.to_thread(gateway, *arguments, "--config", str(config), environ=environ)
    assert done.returncode == 0, done.stderr
    return done.stdout.removesuffix("\n")


async def eventually(client: httpx.AsyncClient, url: str, status: int, **headers: str) -> float:
    """Ask until this status comes; seconds until it did."""
    began = time.monotonic()
    while (await client.post(url, json=ASK, headers=headers)).status_code != status:
        assert time.monotonic() - began < 3
        await asyncio.sleep(0.05)
    return time.monotonic() - began


async def test_who_has_a_key_or_a_capability_may_chat(upstream: Upstream, tmp_path: Path) -> None:
    """Nobody else may; a key is good as soon as it is made, and worthless a second after its revocation; a URL too."""
    address = f"127.0.0.1:{free_port()}"
    var, config = tmp_path / "var", tmp_path / "gateway.toml"
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "nora.md").write_text(AGENT)
    text = f"""
        prompts = "{tmp_path / "prompts"}"
        default_route = "up"
        server.host = "0.0.0.0"
        server.drain_notice = 0.0
        admin.listen = "{address}"
        [[routes.up.targets]]
        url = "{upstream.url}"
        model = "scripted"
    """
    config.write_text(text)
    with ExitStack() as stack:
        opened = gateway_process(text, {"GATEWAY_VAR": str(var)})
        running = await asyncio.to_thread(stack.enter_context, opened)
        url = running.url.replace("0.0.0.0", "127.0.0.1")
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await client.post(CHAT, json=ASK)).status_code == 401
            key = await command("keys", "create", "--name", "ann", var=var, config=config)
            assert await eventually(client, CHAT, 200, authorization=f"Bearer {key}") < 1.5
            listed = await command("keys", "list", var=var, config=config)
            assert key not in listed and "ann" in listed
            await command("keys", "revoke", key.split("_")[1], var=var, config=config)
            assert await eventually(client, CHAT, 401, authorization=f"Bearer {key}") < 1.5
            whole = await command("agents", "show", "nora", "--url", var=var, config=config)
            assert whole.startswith(f"{url}/k/"), "a command finds the port that no setting names"
            place = "/k/" + whole.partition("/k/")[2]
            assert (await client.post(place, json=ASK)).status_code == 200
            renewed = await command("agents", "rotate", "nora", var=var, config=config)
            assert await eventually(client, place, 404) < 1.5
            assert (await client.post("/k/" + renewed.partition("/k/")[2], json=ASK)).status_code == 200
            assert (await client.get("/admin/keys")).status_code == 404
            assert (await client.get(f"http://{address}/admin/keys")).status_code == 200
            assert (await client.post(f"http://{address}{CHAT}", json=ASK)).status_code == 404
        assert key not in running.log and place.split("/")[2] not in running.log
