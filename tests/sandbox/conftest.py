"""A module's tests share a sandbox, which forgets everything between two of them."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.sandbox.account import Account, account


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Account]:
    """A sandbox, and a client with its key."""
    async with account() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def simli(shared: Account) -> Account:
    """The same, with nothing in it."""
    await shared.sandbox.forget()
    return shared
