"""One writer at a time on a server that has no locks: a row that says who is at work, and when that was last so.

A row's `add` leaves one that is there as it is, and its `delete` takes a condition: with the two a
row is a lock. Its holder renews it; what nobody has renewed for `EXPIRES` seconds (by the server's clock) is a
crash's. Where a machine slept so long that its claim was taken, what it was building is deleted, and it fails: no harm.
"""

import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from gateway.errors import KnowledgeError
from gateway.retrieval.server import Metadata, Row, Scalar, Server
from gateway.retrieval.versions import Held

RENEWED = 10.0
"""Seconds between two renewals."""
EXPIRES = 45.0


@contextmanager
def claimed(server: Server, table: str, row: str, collection: str) -> Iterator[None]:
    """Hold the claim `row` in the server's collection `table` (an id). Raises Held where another holds it."""
    mine: dict[str, Scalar] = {
        "token": secrets.token_hex(8),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "seen": server.clock(),
    }
    server.add(table, [Row(row, metadata=mine)])
    found = _holder(server, table, row)
    if found.get("token") != mine["token"] and _left(found, server.clock()):
        server.erase(table, row, "token", found.get("token", ""))
        server.add(table, [Row(row, metadata=mine)])
        found = _holder(server, table, row)
    if found.get("token") != mine["token"]:
        raise Held(
            f"{collection}: another process (pid {found.get('pid')} on {found.get('host')}) is ingesting it; "
            "wait until it is done"
        )
    over = threading.Event()
    renewing = threading.Thread(target=_renewed, args=(server, table, row, mine, over), daemon=True, name="claim")
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()
        with suppress(KnowledgeError):  # it expires by itself
            server.erase(table, row, "token", mine["token"])


def _holder(server: Server, table: str, row: str) -> Metadata:
    found = server.rows(table, [row], vectors=False).get(row)
    return (found.metadata if found else None) or {}


def _left(claim: Metadata, now: float) -> bool:
    """Whether its holder has gone without releasing it: long silent, or a process of this machine that has ended."""
    if now - float(claim.get("seen", 0.0)) > EXPIRES:
        return True
    return claim.get("host") == socket.gethostname() and not _runs(int(claim.get("pid", 0)))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _renewed(server: Server, table: str, row: str, mine: Metadata, over: threading.Event) -> None:
    """In a thread, as long as the claim is held. While the server is away there is nothing to renew."""
    while not over.wait(RENEWED):
        with suppress(KnowledgeError):
            if _holder(server, table, row).get("token") != mine["token"]:
                return
            server.add(table, [Row(row, metadata={**mine, "seen": server.clock()})], over=True)
