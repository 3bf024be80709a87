"""What an error of the client or of the server means for us. Nothing of redis is seen outside this package."""

from typing import Literal, TypeAlias

from redis import exceptions

Meaning: TypeAlias = Literal["away", "reads", "refused"]
"""`away`: not reached, or as good as. `reads`: it answers, and takes no writes. `refused`: this one command only."""

FOREIGN: tuple[type[Exception], ...] = (
    exceptions.RedisError,
    exceptions.RedisClusterException,
    exceptions.ChildDeadlockedError,
    exceptions.IncorrectPolicyType,
    OSError,  # and with it TimeoutError and what TLS raises
    EOFError,
    RuntimeError,  # uvloop's word for a transport that was closed under the writer
    ValueError,  # what the client stumbles over where the other side speaks no RESP
    AttributeError,
    LookupError,
    TypeError,
)
"""Everything that an operation of the client may end in, other than its answer."""

UNWRITABLE = frozenset({"READONLY", "OOM", "MISCONF", "NOREPLICAS"})
"""Codes of a server that is a replica, full, without a disk, or without its replicas (redis.io/docs, error codes)."""


def meaning(error: Exception) -> Meaning:
    """What the error says of the store."""
    if isinstance(error, exceptions.MasterDownError) or not isinstance(error, exceptions.ResponseError):
        return "away"
    return "reads" if code(error) in UNWRITABLE else "refused"


def code(error: Exception) -> str:
    """The first word of the server's answer; empty where it is none of the server's."""
    status = getattr(error, "status_code", None)
    if isinstance(status, str) and status:
        return status
    first = str(error).partition(" ")[0]
    return first if first.isupper() else ""


def told(error: Exception) -> str:
    """The error in a few words for the log."""
    if isinstance(error, TimeoutError | exceptions.TimeoutError):
        return "it was too slow"
    return f"{code(error)} {error}".strip()[:200] or type(error).__name__
