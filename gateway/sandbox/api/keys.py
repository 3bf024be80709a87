"""The account's key, in the four places that Simli looks for it."""

from starlette.requests import Request

from gateway.sandbox import calls
from gateway.sandbox.accounts import Accounts
from gateway.sandbox.api import refusals

CURRENT, LEGACY = "x-simli-api-key", "api-key"


def header(accounts: Accounts, request: Request, name: str) -> None:
    """FastAPI's side: a missing header is 422, a wrong key `INVALID_API_KEY`."""
    if name not in request.headers:
        raise refusals.invalid([refusals.fault(("header", name), "Field required", "missing")])
    if not accounts.takes(request.headers[name]):
        raise refusals.detail(accounts.behaviour.refuses_key_with, "INVALID_API_KEY")


def token_header(accounts: Accounts, request: Request, name: str) -> None:
    """The same where a token is asked for: the refusal carries one."""
    if name not in request.headers:
        raise refusals.invalid([refusals.fault(("header", name), "Field required", "missing")])
    if not accounts.takes(request.headers[name]):
        raise refusals.no_token(accounts.behaviour.refuses_key_with, "INVALID_API_KEY")


def in_body(accounts: Accounts, request: Request, name: str, key: str) -> None:
    """A key that came as a field: what is refused looks as if it were a token."""
    calls.of(request.scope).auth = f"body {name}"
    if not accounts.takes(key):
        raise refusals.no_token(accounts.behaviour.refuses_key_with, "INVALID_API_KEY")


def other_side(accounts: Accounts, request: Request) -> None:
    """The other program: agents, history, limiter."""
    if not accounts.takes(request.headers.get(CURRENT, "")):
        missing = CURRENT not in request.headers
        words = "Missing API key" if missing else "Invalid API key"
        raise refusals.error(401, words, "MISSING_API_KEY" if missing else "INVALID_API_KEY")
