"""The map of the admin API: its routes and its part of `/openapi.json` are made from this list.

What it does with Simli has a map of its own beside this one.
"""

from gateway.errors import (
    Conflict,
    DiskFull,
    Draining,
    FilesAtFault,
    NotFound,
    NotWritable,
    Overloaded,
    StoreUnavailable,
)
from gateway.http.admin import agents, keys, knowledge, turns
from gateway.http.admin.at_simli import AT_SIMLI
from gateway.http.admin.operation import Feed, Nothing, Operation
from gateway.types import TurnRecord
from gateway.types.knowledge import IngestJob

_KEPT = (StoreUnavailable,)
_PROGRESS = Feed(IngestJob, "`progress` events, and `end` as the last one.")
_TURNS = Feed(TurnRecord, "the turns that are listed, oldest first, and each as it ends: `turn` events.")
_INGEST = (NotFound, Conflict, Draining, NotWritable, DiskFull)
OPERATIONS = (
    Operation("GET", "/admin/keys", "What is known of the keys", keys.KeysListed, keys.listed, errors=_KEPT),
    Operation(
        "POST",
        "/admin/keys",
        "Make a key",
        keys.KeyMade,
        keys.made,
        keys.KeyAsked,
        201,
        _KEPT,
        leads=("key", "/key/id"),
    ),
    Operation("DELETE", "/admin/keys/{key}", "Revoke a key", keys.KeyShown, keys.revoked, errors=(NotFound, *_KEPT)),
    Operation(
        "POST", "/admin/reload", "Serve what files say now", agents.ReloadDone, agents.reloaded, errors=(FilesAtFault,)
    ),
    Operation("GET", "/admin/agents", "Agents, written and served", agents.AgentsListed, agents.listed),
    Operation("GET", "/admin/agents/{agent}", "All of an agent", agents.AgentShown, agents.shown, errors=(NotFound,)),
    Operation(
        "POST",
        "/admin/agents/{agent}/rotate",
        "Renew the capability",
        agents.CapabilityRotated,
        agents.rotated,
        errors=(NotFound, *_KEPT),
    ),
    Operation("GET", "/admin/knowledge", "Collections, and jobs", knowledge.KnowledgeShown, knowledge.shown),
    Operation(
        "POST",
        "/admin/knowledge/ingest",
        "Ingest all",
        IngestJob,
        knowledge.ingested,
        Nothing,
        202,
        _INGEST,
        feed=_PROGRESS,
        leads=("job", "/id"),
    ),
    Operation(
        "GET",
        "/admin/knowledge/jobs/{job}",
        "An ingest",
        IngestJob,
        knowledge.job,
        errors=(NotFound, *_KEPT),
        feed=_PROGRESS,
    ),
    Operation(
        "GET",
        "/admin/knowledge/{collection}",
        "Versions",
        knowledge.VersionsShown,
        knowledge.versions,
        errors=(NotFound,),
    ),
    Operation(
        "POST",
        "/admin/knowledge/{collection}/ingest",
        "Ingest it",
        IngestJob,
        knowledge.ingested,
        Nothing,
        202,
        _INGEST,
        feed=_PROGRESS,
    ),
    Operation(
        "POST",
        "/admin/knowledge/{collection}/search",
        "Search it",
        knowledge.SearchDone,
        knowledge.searched,
        knowledge.SearchAsked,
        errors=(NotFound, Conflict),
    ),
    Operation(
        "POST",
        "/admin/knowledge/{collection}/rollback",
        "Serve another version",
        knowledge.RollbackDone,
        knowledge.rolled_back,
        knowledge.RollbackAsked,
        errors=(NotFound, Conflict, NotWritable, DiskFull),
    ),
    Operation(
        "GET",
        "/admin/turns",
        "The last turns",
        turns.TurnsListed,
        turns.listed,
        turns.TurnsAsked,
        errors=(StoreUnavailable, Overloaded),
        feed=_TURNS,
    ),
    Operation("GET", "/admin/turns/{request}", "A turn", TurnRecord, turns.shown, errors=(NotFound,)),
    *AT_SIMLI,
)
