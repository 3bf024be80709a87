"""`gateway keys`, as an operator uses it: beside a running gateway, and alone."""

import asyncio
import json
import re
import time
from pathlib import Path

import pytest

from gateway import store
from gateway.types import Rate
from tests.e2e.conftest import gateway
from tests.stores import free_port, settings, until

FORM = r"gw_[a-z0-9]{12}_[A-Za-z0-9]{43}\n"


def environ(var: Path, **more: str) -> dict[str, str]:
    return {"GATEWAY_VAR": str(var), **more}


async def keys(var: Path, *arguments: str, **more: str) -> tuple[int, str, str]:
    """One command, while this loop goes on; its exit code, standard output and standard error."""
    done = await asyncio.to_thread(gateway, "keys", *arguments, environ=environ(var, **more))
    return done.returncode, done.stdout, done.stderr


async def test_a_key_is_made_listed_and_revoked_with_nobody_running(tmp_path: Path) -> None:
    """Each command starts the store, does its work and ends it; the key alone is on standard output, and only once."""
    code, out, err = await keys(
        tmp_path, "create", "--agent", "nora", "--name", "the kiosk", "--requests", "60", "--expires", "30d"
    )
    assert code == 0, err
    assert re.fullmatch(FORM, out)
    assert "agent nora; 60 requests a minute; until " in err
    assert out.strip() not in err
    id_ = out.split("_")[1]
    assert json.loads((tmp_path / "keys.json").read_text())["store"]

    code, listed, _ = await keys(tmp_path, "list")
    assert code == 0
    assert re.search(rf"^{id_}  chat     until \d{{4}}-\d\d-\d\d  never       the kiosk$", listed, re.MULTILINE)
    assert "agent nora; 60 requests a minute" in listed
    assert out.strip().rpartition("_")[2] not in listed
    assert max(map(len, listed.splitlines())) <= 80

    code, said, err = await keys(tmp_path, "revoke", id_)
    assert (code, err) == (0, "")
    assert f"{id_} is revoked" in said
    assert re.search(rf"^{id_}  chat     revoked ", (await keys(tmp_path, "list"))[1], re.MULTILINE)


async def test_it_works_beside_a_running_gateway(tmp_path: Path) -> None:
    """A key made by the command is known to the gateway that runs the store, and a revoked one no more, in a second."""
    async with store.opened(settings(tmp_path)) as running:
        assert await running.reached(5)
        code, out, err = await keys(tmp_path, "create", "--scope", "admin", "--streams", "2")
        assert code == 0, err
        text = out.strip()
        await until(lambda: running.keys.recognise(text) is not None, 1.0)
        key = running.keys.recognise(text)
        assert key is not None
        assert (key.scope, key.rate, key.expires) == ("admin", Rate(0, 2), None)
        code, _, err = await keys(tmp_path, "revoke", key.id)
        assert code == 0, err

        def gone() -> bool:
            known = running.keys.recognise(text)
            return known is not None and known.revoked is not None

        await until(gone, 1.0)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["create", "--agent", "nobody"], 78, "no agent 'nobody'; there are: emil, nora"),
        (["create", "--agent", "nora", "--scope", "admin"], 78, "a key of scope admin is not for one agent"),
        (["create", "--expires", "soon"], 2, "must be a time such as 90m, 12h, 30d or 4w, not 'soon'"),
        (["create", "--expires", "0d"], 2, "must be a time"),
        (["create", "--requests", "-1"], 2, "--requests"),
        (["create", "--streams", "1.5"], 2, "must be a number from 0 to 9999999, not '1.5'"),
        (["create", "--scope", "root"], 2, "invalid choice: 'root'"),
        (["create", "--name", "x" * 101], 65, "one line of 100 characters at most"),
        (["revoke", "nosuchkey000"], 1, "there is no key 'nosuchkey000'"),
        (["revoke", "*"], 1, "there is no key '*'"),
        ([], 2, "VERB"),
    ],
)
async def test_what_is_wrong_is_said(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    """A wrong argument ends in a sentence on standard error and an exit code; nothing is printed as a key."""
    status, out, err = await keys(tmp_path, *arguments)
    assert (status, out) == (code, "")
    assert said in " ".join(err.split())
    assert "Traceback" not in err


async def test_a_store_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Without its store the command does nothing, says so within seconds, and does not show the URL's password."""
    began = time.monotonic()
    url = f"redis://user:hunter2@127.0.0.1:{free_port()}"
    code, out, err = await keys(tmp_path, "create", REDIS_URL=url)
    assert (code, out) == (1, "")
    assert "the store that REDIS_URL names is not there; nothing was done" in err
    assert "hunter2" not in err
    assert time.monotonic() - began < 10


async def test_an_empty_list_says_what_to_do(tmp_path: Path) -> None:
    """With no keys the list names the command that makes one; `--config` may stand behind the verb."""
    config = tmp_path / "gateway.toml"
    config.write_text("")
    code, out, err = await keys(tmp_path / "var", "list", "--config", str(config))
    assert (code, err) == (0, "")
    assert "gateway keys create" in out
