"""A Chroma server over HTTP: the calls that a knowledge of many gateways takes, each with an end.

Not chromadb's own client: that one waits for ever, raises whatever its libraries raise, and takes half a second to
import, which each command would pay. These are its requests (API v2, `/openapi.json` of `chroma run`); a test reads
with chromadb's client what was written here.
"""

import logging
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias, TypeVar
from urllib.parse import unquote, urlsplit

import httpx
import orjson

from gateway.errors import ChromaUnavailable, KnowledgeError

CONNECT = 2.0
SEARCH = 1.0
"""Seconds for a search: a turn has long gone on without it, but its thread waits."""
LOOK = 5.0
"""Seconds for a look at what is small: a pointer, a description, the clock."""
CALL = 60.0
"""Seconds for any other call: a thousand rows with their vectors, or the graph that the last row has written."""
PAGE = 1000
"""Collections that are listed at once."""
HIDDEN = "/api/v2/tenants/default_tenant/databases/default_database"
LARGEST = 256 * 2**20
"""Bytes of an answer: a thousand rows with their vectors and texts are some ten million."""
KEPT = 30.0
"""Seconds that a connection is kept without a use."""

Scalar: TypeAlias = str | int | float | bool
Metadata: TypeAlias = Mapping[str, Scalar]
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Held:
    """A collection of the server's."""

    id: str
    name: str
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Row:
    """What is kept at one place of a collection."""

    id: str
    vector: Sequence[float] = (0.0,)
    document: str = ""
    metadata: Metadata | None = None


class NotThere(KnowledgeError):
    """The server has no such collection, or has it no more."""


class Server:
    """One server, for any number of threads. Every call raises KnowledgeError's kinds only."""

    def __init__(self, url: str) -> None:
        """`url` may hold a user and a password, which are sent as basic authentication, and a path before `/api`."""
        for name in ("httpx", "httpcore"):  # they log a line for each search
            logging.getLogger(name).setLevel(logging.WARNING)
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        self.name = host + parts.path.rstrip("/")
        """As it is said to people: without user and password."""
        self.away = ""
        """Why it cannot be asked, since the last call; empty while it answers."""
        named = (unquote(parts.username or ""), unquote(parts.password or ""))
        self._http = httpx.Client(
            base_url=f"{parts.scheme}://{self.name}",
            auth=httpx.BasicAuth(*named) if any(named) else None,
            headers={"content-type": "application/json", "user-agent": "simli-gateway"},
            limits=httpx.Limits(max_connections=16, keepalive_expiry=KEPT),
            timeout=httpx.Timeout(CALL, connect=CONNECT),
            trust_env=False,
            verify=_certificates() if parts.scheme == "https" else False,
        )

    def __repr__(self) -> str:
        return f"Server({self.name})"

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def clock(self) -> float:
        """Seconds since the epoch by the server's clock, which all its gateways share."""
        return self._called("GET", "/api/v2/heartbeat", _seconds, within=LOOK)

    def version(self) -> str:
        """The version that it says it has."""
        return self._called("GET", "/api/v2/version", str, within=LOOK)

    def collections(self) -> Iterator[Held]:
        """All of them."""
        for offset in range(0, 1_000_000, PAGE):
            where = f"{HIDDEN}/collections?limit={PAGE}&offset={offset}"
            found = self._called("GET", where, lambda found: [_held(one) for one in found], within=LOOK)
            yield from found
            if len(found) < PAGE:
                return

    def collection(self, name: str) -> Held | None:
        """The one of this name."""
        try:
            return self._called("GET", f"{HIDDEN}/collections/{name}", _held, within=LOOK)
        except NotThere:
            return None

    def create(self, name: str, metadata: Metadata | None, hnsw: Mapping[str, Scalar], *, anew: bool = True) -> Held:
        """Make a collection; with `anew` it must not be there, else one that is there is taken."""
        wanted = {"name": name, "metadata": metadata, "configuration": {"hnsw": hnsw}, "get_or_create": not anew}
        return self._called("POST", f"{HIDDEN}/collections", _held, wanted)

    def rename(self, id_: str, name: str) -> None:
        """Give a collection another name, in one step."""
        self._called("PUT", f"{HIDDEN}/collections/{id_}", bool, {"new_name": name})

    def remove(self, name: str) -> None:
        """Delete the collection of this name, where there is one."""
        with suppress(NotThere):
            self._called("DELETE", f"{HIDDEN}/collections/{name}", bool)

    def add(self, id_: str, rows: Sequence[Row], *, over: bool = False) -> None:
        """Add rows to a collection.

        Where an id is there already its row stays; with `over` the new one takes its place.
        """
        body = {
            "ids": [row.id for row in rows],
            "embeddings": [row.vector for row in rows],
            "documents": [row.document for row in rows],
            "metadatas": [row.metadata for row in rows],
        }
        self._called("POST", f"{HIDDEN}/collections/{id_}/{'upsert' if over else 'add'}", bool, body)

    def rows(self, id_: str, ids: Sequence[str], *, vectors: bool) -> dict[str, Row]:
        """Those of the rows that are there, by id; their vectors only where they are wanted."""
        wanted = {"ids": ids, "include": ["documents", "metadatas", *(["embeddings"] if vectors else [])]}
        within = CALL if vectors else LOOK
        return self._called("POST", f"{HIDDEN}/collections/{id_}/get", _rows, wanted, within=within)

    def erase(self, id_: str, row: str, key: str, value: Scalar) -> None:
        """Delete a row, where its metadata have this value at this key."""
        self._called("POST", f"{HIDDEN}/collections/{id_}/delete", bool, {"ids": [row], "where": {key: value}})

    def count(self, id_: str) -> int:
        """Rows of a collection."""
        return self._called("GET", f"{HIDDEN}/collections/{id_}/count", int, within=LOOK)

    def nearest(self, id_: str, vectors: Any, count: int, *, within: float = SEARCH) -> list[list[tuple[int, float]]]:
        """For each vector the nearest rows, nearest first, with their cosines. A row's id is its number.

        While the server is away this fails at once: whoever else asks it finds out when it is back.
        """
        if self.away:
            raise ChromaUnavailable(self.away)
        body = {"query_embeddings": vectors, "n_results": count, "include": ["distances"]}
        return self._called("POST", f"{HIDDEN}/collections/{id_}/query", _near, body, within=within)

    def _called(
        self,
        method: str,
        path: str,
        read: Callable[[Any], Found],
        body: object = None,
        *,
        within: float = CALL,
    ) -> Found:
        """What `read` makes of the answer's JSON."""
        content = None if body is None else orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
        timeout = httpx.Timeout(within, connect=min(within, CONNECT))
        try:
            answer = self._asked(self._http.build_request(method, path, content=content, timeout=timeout), within)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            seen = str(error).partition("\n")[0] or type(error).__name__  # some have no text
            raise self._lost(f"does not answer ({seen}): see that it runs and CHROMA_URL leads to it") from error
        if answer.status_code in (401, 403):
            raise self._lost(f"refused us ({answer.status_code}): put its user and password into CHROMA_URL")
        if answer.status_code in (502, 503, 504):
            raise self._lost(f"answered {answer.status_code}: see that it runs behind its proxy")
        try:
            found: Any = orjson.loads(answer.content)
            if answer.is_error:
                kind = NotThere if answer.status_code == 404 else KnowledgeError
                said = f"the Chroma server at {self.name} answered {answer.status_code}: {str(found['message'])[:300]}"
                if answer.status_code < 500:
                    self.away = ""
                raise kind(said)
            made = read(found)
        except (LookupError, TypeError, ValueError) as error:
            raise self._lost(f"answered {answer.status_code} as no Chroma does: see where CHROMA_URL leads") from error
        self.away = ""
        return made

    def _asked(self, request: httpx.Request, within: float) -> httpx.Response:
        """The answer, read to its end: in so many seconds, however it trickles, and no more than is ever sent."""
        until, read = time.monotonic() + within, 0
        answer = self._http.send(request, stream=True)
        try:
            parts = []
            for part in answer.iter_bytes():
                parts.append(part)
                read += len(part)
                if read > LARGEST or time.monotonic() > until:
                    raise httpx.ReadTimeout(f"{read} bytes in {within:g} s, and no end")
            return httpx.Response(answer.status_code, content=b"".join(parts))
        finally:
            answer.close()

    def failing(self, error: KnowledgeError) -> ChromaUnavailable:
        """It answers, with errors of its own to what any sound server can be asked: it is as good as away."""
        self.away = f"{error.message}: see its log"
        return ChromaUnavailable(self.away)

    def _lost(self, how: str) -> ChromaUnavailable:
        self.away = f"the Chroma server at {self.name} {how}"
        return ChromaUnavailable(self.away)


def _seconds(found: Mapping[str, int]) -> float:
    return found["nanosecond heartbeat"] / 1e9


def _held(found: Mapping[str, Any]) -> Held:
    return Held(_text(found["id"]), _text(found["name"]), _metadata(found["metadata"]))


def _text(found: object) -> str:
    if not isinstance(found, str):
        raise TypeError(f"{found!r:.80} is no text")
    return found


def _metadata(found: object) -> Metadata:
    if found is not None and not isinstance(found, dict):
        raise TypeError(f"{found!r:.80} are no metadata")
    return found or {}


def _rows(found: Mapping[str, Any]) -> dict[str, Row]:
    vectors = found["embeddings"] or [()] * len(found["ids"])
    parts = zip(found["ids"], vectors, found["documents"], found["metadatas"], strict=True)
    return {
        _text(row): Row(row, vector, _text(document or ""), _metadata(metadata))
        for row, vector, document, metadata in parts
    }


def _near(found: Mapping[str, Any]) -> list[list[tuple[int, float]]]:
    return [
        [(int(row), 1.0 - far) for row, far in zip(rows, distances, strict=True)]
        for rows, distances in zip(found["ids"], found["distances"], strict=True)
    ]


@cache
def _certificates() -> ssl.SSLContext:
    """To read them costs a few hundredths of a second; once is enough."""
    return httpx.create_ssl_context()
