"""Hostile and unlucky administration: names that are paths, keys at the wrong door, damaged indexes, full disks."""

import asyncio
import os
import random
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.errors import KnowledgeError
from gateway.http.admin.operations import OPERATIONS
from gateway.http.state import Access
from gateway.retrieval import ingest, probe, versions
from gateway.retrieval.jobs import Ingest
from gateway.types import Key
from tests.administered import Administered, administered, quick
from tests.knowledge import LIGHTHOUSE, built, with_model, write
from tests.upstream import Script, Upstream

KNOWLEDGE = "/admin/knowledge"
PUFFINS = {"question": "When do puffins nest?", "top_k": 1}
CHAT = {"messages": [{"role": "user", "content": "When do puffins nest?"}], "stream": False}
GOOD = {
    "agent": "nora",
    "collection": "lighthouse",
    "face": "tmp9i8bbq7c",
    "job": "job_0123456789abcdef",
    "key": "000000000000",
    "request": "req_0123456789abcdef",
    "session": "ses_000000000000",
}


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Administered]:
    built(tmp_path, "lighthouse", LIGHTHOUSE)
    async with administered(tmp_path) as gateway:
        yield gateway


def everything(root: Path) -> dict[str, tuple[int, int]]:
    """Each file of a tree: its size, and when it was written; but for what Chroma and the store keep to themselves."""
    return {
        str(path.relative_to(root)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(root.rglob("*"))
        if path.is_file() and "store" not in path.parts and not path.name.startswith("chroma.sqlite3")
    }


async def raw(gateway: Administered, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
    """Ask for a path exactly as it is written: clients tidy paths up."""
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    shown, _, content = answer.partition(b"\r\n\r\n")
    return int(shown.split()[1]), orjson.loads(content)


def key(scope: Any, **more: Any) -> Key:
    return Key("k1", "", scope, **more)


async def test_n05_a_chat_key_opens_no_operation(tmp_path: Path) -> None:
    """Every operation and the description answer a key of scope chat with 403 `insufficient_scope`."""
    access = Access(recognise=lambda presented: key("chat") if presented == "chat-key" else None)
    async with administered(tmp_path, {"nora": "You are Nora.\n"}, access=access) as gateway:
        for method, path in [*((one.method, one.path.format(**GOOD)) for one in OPERATIONS), ("GET", "/openapi.json")]:
            answer = await gateway.http.request(method, path, headers={"authorization": "Bearer chat-key"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "insufficient_scope"), path
        assert gateway.cabinet.generations == {} and await gateway.jobs.all() == [] and gateway.desk.asked == []


async def test_n37_nothing_changes_without_a_key(tmp_path: Path) -> None:
    """A change that is asked for from elsewhere, or with a revoked key, is a 401, and nothing has happened."""
    access = Access(recognise=lambda presented: key("admin", revoked=1.0) if presented == "stale" else None)
    async with administered(tmp_path, {"nora": "You are Nora.\n"}, access=access) as gateway:
        for one in OPERATIONS:
            for headers in (
                {"authorization": "Bearer stale"},
                {"x-forwarded-for": "203.0.113.9"},
                {"origin": "https://evil.example"},
            ):
                answer = await gateway.http.request(one.method, one.path.format(**GOOD), headers=headers)
                assert answer.status_code == 401, (one, headers, answer.text)
        assert (gateway.cabinet.keys, gateway.cabinet.generations, await gateway.jobs.all()) == ({}, {}, [])
        assert gateway.desk.asked == []


async def test_n37_get_and_head_change_nothing(running: Administered) -> None:
    """Everything that can be read is read, and every file is as it was; what changes something is no GET: 405."""
    before = everything(running.root)
    for one in OPERATIONS:
        path = one.path.format(**GOOD)
        for method in ("GET", "HEAD"):
            status = (await running.http.request(method, path)).status_code
            others = {other.method for other in OPERATIONS if other.path == one.path}
            assert status in ((200, 404) if "GET" in others else (404, 405, 400)), (method, path)
    assert everything(running.root) == before
    assert (running.cabinet.keys, running.cabinet.generations, await running.jobs.all()) == ({}, {}, [])
    assert (running.desk.sessions, running.desk.faces) == ({}, {})
    assert {what for what, _ in running.desk.asked} == {"listed", "shown", "faces", "face"}


NAMES = [
    "..", "../../etc/passwd", "..%2f", "..%2F..%2Fetc%2Fpasswd", "%2e%2e", "C:%5C", "%00", "lighthouse%00", "a" * 4096,
    "%E2%80%A4%E2%80%A4", "lighthouse%0A", "light*", "%7Blighthouse%7D", ".hidden", "~", "%20",
    "lighthouse%2F..%2Flighthouse",
]  # fmt: skip


async def test_n21_a_name_that_is_a_path_reaches_no_file(running: Administered) -> None:
    """400 `invalid_name`, or 404 where it makes a path that does not exist, and no file is made, read or changed."""
    before = everything(running.root)
    search = orjson.dumps(PUFFINS)
    verbs = (("GET", "", b""), ("POST", "/ingest", b""), ("POST", "/search", search), ("POST", "/rollback", b""))
    for name in NAMES:
        for method, verb, body in verbs:
            status, answer = await raw(running, method, f"{KNOWLEDGE}/{name}{verb}", body)
            assert (status, answer["error"]["code"]) in ((400, "invalid_name"), (404, "not_found")), (name, verb)
    assert everything(running.root) == before and await running.jobs.all() == []


async def test_n29_a_body_that_is_not_json_is_refused(running: Administered) -> None:
    """415 `unsupported_media_type`, whatever stands in it: a form of a foreign page changes nothing."""
    for kind in ("multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "text/plain"):
        for one in (each for each in OPERATIONS if each.method == "POST"):
            path = one.path.format(**GOOD)
            answer = await running.http.post(path, content=b'{"scope": "admin"}', headers={"content-type": kind})
            assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")
    assert running.cabinet.keys == {} and await running.jobs.all() == []


async def test_n48_a_search_of_a_collection_that_does_not_exist_is_a_404(running: Administered) -> None:
    """The same 404 whether the name is free, somebody else's id or a version's, and nothing is searched or made."""
    before = everything(running.root)
    current = versions.shelf(running.root / "var", "lighthouse").current()
    said = set()
    for name in ("tower", "00000000-0000-4000-8000-000000000000", f"lighthouse-{current}", "lighthouse."):
        answer = await running.http.post(f"{KNOWLEDGE}/{name}/search", json=PUFFINS)
        assert answer.status_code in (404, 400), name
        said.add(answer.json()["error"]["code"])
    assert said == {"not_found", "invalid_name"} and everything(running.root) == before


async def test_n49_an_object_that_is_not_there_is_a_404(running: Administered) -> None:
    """404 `not_found` for every kind of object: key, agent, job, collection, version; those that are there stay."""
    await running.answer("POST", "/admin/keys", status=201)
    for method, path, body in (
        ("DELETE", "/admin/keys/000000000099", None),
        ("GET", "/admin/agents/nobody", None),
        ("POST", "/admin/agents/nobody/rotate", None),
        ("GET", f"{KNOWLEDGE}/jobs/job_0123456789abcdef", None),
        ("GET", f"{KNOWLEDGE}/tower", None),
        ("POST", f"{KNOWLEDGE}/tower/ingest", None),
        ("POST", f"{KNOWLEDGE}/tower/rollback", None),
        ("POST", f"{KNOWLEDGE}/lighthouse/rollback", {"version": "20010101T000000000000"}),
    ):
        error = (await running.answer(method, path, body, 404))["error"]
        assert error["code"] == "not_found"
    assert running.cabinet.keys["000000000000"].revoked is None


async def test_n50_fields_that_are_not_the_bodys_own_are_refused(running: Administered) -> None:
    """400 that names the field, nothing is made; there is no PATCH that could take one: 405."""
    for field in ("tenant_id", "role", "scopes", "id", "digest", "created", "__class__"):
        error = (await running.answer("POST", "/admin/keys", {"name": "x", field: "admin"}, 400))["error"]
        assert (error["code"], error["param"]) == ("invalid_value", field)
    await running.answer("PATCH", "/admin/keys/000000000000", {"scopes": ["admin"]}, 405)
    assert running.cabinet.keys == {}


async def test_n56_ids_are_ids(running: Administered) -> None:
    """An id with a wildcard, a line end, a brace or a colon in it is a 400 and is never part of a store's key."""
    await running.answer("POST", "/admin/keys", status=201)
    for id_ in ("*", "a*", "000000000000%0A", "%7D", "%7Bgateway%7D", "a:b", "..%2F", "000000000000%00"):
        for method, path in (("DELETE", f"/admin/keys/{id_}"), ("POST", f"/admin/agents/{id_}/rotate")):
            status, answer = await raw(running, method, path)
            assert (status, answer["error"]["code"]) in ((400, "invalid_name"), (404, "not_found")), path
    assert running.cabinet.keys["000000000000"].revoked is None and running.cabinet.generations == {}


def damage(shelf: versions.Shelf) -> None:
    graph = next((shelf.path / shelf.current() / "chroma").glob("*/data_level0.bin"))
    graph.write_bytes(graph.read_bytes()[:100])


async def asked(gateway: Administered, upstream: Upstream) -> str:
    """What a turn's model was given."""
    await gateway.answer("POST", "/agents/nora/chat/completions", CHAT)
    return str(upstream.requests[-1].json["messages"][-1]["content"])


async def test_s07_a_damaged_index_is_answered_from_the_version_before(tmp_path: Path, upstream: Upstream) -> None:
    """Turns are answered from the version before it, readiness and the admin API say so, and it is built again."""
    upstream.script = Script(["Fine."])
    built(tmp_path, "lighthouse", LIGHTHOUSE | {"birds.md": "# Puffins\n\nPuffins nest in May.\n"})
    shelf = built(tmp_path, "lighthouse", LIGHTHOUSE)
    broken = shelf.current()
    damage(shelf)
    async with administered(tmp_path, upstream=upstream.url, run=later(1.0)) as gateway:
        assert "nest in May" in await asked(gateway, upstream)
        ready = await gateway.answer("GET", "/readyz")
        assert ready["status"] == "degraded" and "knowledge:lighthouse:current" in ready["missing"]
        (shown,) = (await gateway.answer("GET", KNOWLEDGE))["collections"]
        assert (shown["current"], shown["soundness"], shown["serving"] < broken) == (broken, "damaged", True)
        assert broken in shown["problem"]
        states = {
            one["name"]: one["soundness"]
            for one in (await gateway.answer("GET", f"{KNOWLEDGE}/lighthouse"))["versions"]
        }
        assert states == {broken: "damaged", shown["serving"]: "sound"}
        job = await over(gateway, (await gateway.jobs.all())[0].id)
        assert job["state"] == "done" and job["collections"][0]["version"] > broken
        assert "nest in June" in await asked(gateway, upstream)
        (shown,) = (await gateway.answer("GET", KNOWLEDGE))["collections"]
        assert (shown["soundness"], shown["problem"], shown["serving"]) == ("sound", "", shown["current"])


def later(seconds: float) -> Ingest:
    """An ingest that begins a little later."""

    def run(job: ingest.Job, stop: ingest.Stop) -> Iterator[ingest.Event]:
        time.sleep(seconds)
        yield from quick(job, stop)

    return run


async def over(gateway: Administered, job: str) -> Any:
    async with asyncio.timeout(120):
        while True:
            now = await gateway.answer("GET", f"{KNOWLEDGE}/jobs/{job}")
            if now["state"] in ("done", "failed"):
                return now
            await asyncio.sleep(0.05)


async def test_s08_a_killed_ingest_fails_and_the_next_one_completes(tmp_path: Path, upstream: Upstream) -> None:
    """Whenever its process is killed the job has failed and says so, turns go on, and nothing half made is left."""
    upstream.script = Script(["Fine."])
    with_model(tmp_path / "var")
    shelf = built(tmp_path, "lighthouse", LIGHTHOUSE)
    chance = random.Random(8)
    async with administered(tmp_path, upstream=upstream.url, run=ingest.ingest) as gateway:
        for edition in range(2):
            write(tmp_path / "knowledge" / "lighthouse", LIGHTHOUSE | pages(edition))
            job = (await gateway.answer("POST", f"{KNOWLEDGE}/lighthouse/ingest", status=202))["id"]
            child = await working(gateway, job)
            await asyncio.sleep(chance.uniform(0.0, 0.3))
            os.kill(child, signal.SIGKILL)
            failed = await over(gateway, job)
            assert failed["state"] == "failed" and "SIGKILL" in failed["faults"][-1]["problem"]
            assert "nest in June" in await asked(gateway, upstream)
            assert [path.name for path in shelf.path.iterdir() if path.name.endswith(versions.BUILDING)] == []
            probe.probe(shelf.path / shelf.current())
        job = (await gateway.answer("POST", f"{KNOWLEDGE}/lighthouse/ingest", status=202))["id"]
        assert (await over(gateway, job))["state"] == "done"
        (shown,) = (await gateway.answer("GET", KNOWLEDGE))["collections"]
        assert (shown["changed"], shown["soundness"], shown["serving"]) == (False, "sound", shown["current"])
        probe.probe(shelf.path / shelf.current())


def pages(edition: int) -> dict[str, str]:
    """So many that a child is busy for seconds; every edition says something else."""
    return {
        f"page{n}.md": f"# Page {n}\n\n"
        + "\n\n".join(f"## Part {p}\n\nEdition {edition} of part {p}, page {n}." for p in range(8))
        for n in range(16)
    }


async def working(gateway: Administered, job: str) -> int:
    """The process that builds, once it is at work."""
    async with asyncio.timeout(30):
        while True:
            child = gateway.jobs._known[job].stop.child
            if child is not None and gateway.jobs._known[job].job.collections[0].done:
                assert os.getpriority(os.PRIO_PROCESS, child.pid) > 0
                return child.pid
            await asyncio.sleep(0.01)


@contextmanager
def disk(at: Path, size: str) -> Iterator[Path]:
    """A small disk of its own; skipped where none may be mounted."""
    at.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(at)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no disk may be mounted here")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def read_only(at: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(at)], check=True)


async def test_s10_an_ingest_on_a_full_disk_is_refused(tmp_path: Path, upstream: Upstream) -> None:
    """507 `insufficient_storage` before anything is done, and turns go on."""
    upstream.script = Script(["Fine."])
    with disk(tmp_path / "var" / "knowledge", "8m") as small:
        built(tmp_path, "lighthouse", LIGHTHOUSE)
        async with administered(tmp_path, upstream=upstream.url) as gateway:
            before = everything(small)
            answer = await gateway.answer("POST", f"{KNOWLEDGE}/lighthouse/ingest", status=507)
            assert answer["error"]["code"] == "insufficient_storage" and "MiB are free" in answer["error"]["message"]
            assert everything(small) == before and await gateway.jobs.all() == []
            assert "nest in June" in await asked(gateway, upstream)


async def test_s10_a_disk_that_fills_up_fails_the_ingest_cleanly(tmp_path: Path, upstream: Upstream) -> None:
    """The job fails with `insufficient_storage`, nothing half made is left, turns go on, and with room it completes."""
    upstream.script = Script(["Fine."])
    with_model(tmp_path / "var")

    def filling(job: ingest.Job, stop: ingest.Stop) -> Iterator[ingest.Event]:
        with (small / "ballast").open("wb") as file:
            file.truncate(0)
            free = os.statvfs(small).f_bavail * os.statvfs(small).f_frsize
            file.write(b"\0" * max(0, free - 150_000))
        yield from ingest.ingest(job, stop)
        (small / "ballast").unlink()

    with disk(tmp_path / "var" / "knowledge", "40m") as small:
        shelf = built(tmp_path, "lighthouse", LIGHTHOUSE)
        first = shelf.current()
        write(tmp_path / "knowledge" / "lighthouse", LIGHTHOUSE | pages(1))
        async with administered(tmp_path, upstream=upstream.url, run=filling) as gateway:
            job = (await gateway.answer("POST", f"{KNOWLEDGE}/lighthouse/ingest", status=202))["id"]
            failed = await over(gateway, job)
            assert (failed["state"], failed["code"]) == ("failed", "insufficient_storage"), failed
            assert shelf.current() == first and shelf.sealed() == [first]
            assert not list(shelf.path.glob("*.building"))
            assert "nest in June" in await asked(gateway, upstream)
        async with administered(tmp_path, upstream=upstream.url, run=ingest.ingest) as gateway:
            job = (await gateway.answer("POST", f"{KNOWLEDGE}/lighthouse/ingest", status=202))["id"]
            assert (await over(gateway, job))["state"] == "done"


async def test_s11_a_read_only_disk_is_served_from(tmp_path: Path, upstream: Upstream) -> None:
    """Turns and searches are answered as ever; what an administrator wants to write is a 503 that says why."""
    upstream.script = Script(["Fine."])
    with disk(tmp_path / "var" / "knowledge", "40m") as small:
        built(tmp_path, "lighthouse", {"old.md": "Old.\n"})
        shelf = built(tmp_path, "lighthouse", LIGHTHOUSE)
        read_only(small)
        async with administered(tmp_path, upstream=upstream.url) as gateway:
            assert "nest in June" in await asked(gateway, upstream)
            found = await gateway.answer("POST", f"{KNOWLEDGE}/lighthouse/search", PUFFINS)
            assert (found["version"], found["outcome"]) == (shelf.current(), "hybrid")
            for verb in ("ingest", "rollback"):
                error = (await gateway.answer("POST", f"{KNOWLEDGE}/lighthouse/{verb}", status=503))["error"]
                assert error["code"] == "not_writable" and "no writes" in error["message"]
            (shown,) = (await gateway.answer("GET", KNOWLEDGE))["collections"]
            assert (shown["soundness"], shown["problem"]) == ("sound", "")
    with pytest.raises(KnowledgeError):
        ingest.rollback(versions.shelf(tmp_path / "var", "lighthouse"))
