"""The client of the store."""

import redis.asyncio

Client = redis.asyncio.Redis
