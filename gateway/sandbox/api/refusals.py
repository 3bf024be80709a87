"""How Simli says no: FastAPI's shape in most places, `{"error", "code"}` where another program answers."""

from collections.abc import Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

FAIL_TOKEN = "FAIL TOKEN"  # noqa: S105 what Simli calls it: it opens nothing


class Refused(Exception):
    """An answer that is none: status and body as they are sent."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


def invalid(faults: Sequence[dict[str, Any]]) -> Refused:
    """FastAPI's 422."""
    return Refused(422, {"detail": list(faults)})


def fault(loc: Sequence[str | int], msg: str, kind: str) -> dict[str, Any]:
    """One entry of FastAPI's 422."""
    return {"loc": list(loc), "msg": msg, "type": kind}


def detail(status: int, words: str) -> Refused:
    """FastAPI's other errors."""
    return Refused(status, {"detail": words})


def no_token(status: int, code: str) -> Refused:
    """A token that is refused: there is one in the body all the same."""
    return Refused(status, {"detail": code, "session_token": FAIL_TOKEN})


def error(status: int, words: str, code: str) -> Refused:
    """The other program's errors."""
    return Refused(status, {"error": words, "code": code})


async def refused(_: Request, error: Exception) -> Response:
    """Render a `Refused`."""
    assert isinstance(error, Refused)
    headers = {"retry-after": "1"} if error.status == 429 else None
    return JSONResponse(error.body, error.status, headers)


async def unserved(_: Request, error: Exception) -> Response:
    """Render what routing refuses: 404 and 405, as FastAPI says it."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)
